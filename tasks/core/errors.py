"""Everything that Evergreen says no with.

EvergreenError               failed: exit code 1
├── UsageError               the call or the configuration is wrong: exit code 2
├── DataRefusedError         the data named by this call are refused: exit code 3
├── NotReproducedError       a version was fitted again and predicts something else
├── StoreError               a registry, ledger or lake cannot be used, or holds what it should not
│   └── SilentStoreError     it does not answer, so nobody can say what it holds
└── UnsafeModelError         a model file is not one that may be loaded

A message is one sentence: what failed, where, what was got, what was expected or is available, and what to do next.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, ClassVar

from tasks.core.names import on_one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


_LIST = "write a list, such as [one, other]"
PLAIN = {
    "tuple_type": _LIST,
    "list_type": _LIST,
    "frozen_set_type": _LIST,
    "dict_type": "write keys and values, such as {key: value}",
    "model_type": "write keys and values, such as {key: value}",
}


class EvergreenError(Exception):
    """A failure that a person can read and act on.

    Args:
        message: One sentence for a person.
        where: The file, line, column, key or option that it is about; empty when there is none.
    """

    code: ClassVar[str] = "failed"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, where: str = "") -> None:
        self.message = on_one_line(message)
        super().__init__(self.message)
        self.where = where

    def as_json(self) -> dict[str, dict[str, str]]:
        """Give the document that `--json` prints for this failure."""
        return {"error": {"code": self.code, "message": self.message, "where": self.where}}

    def __reduce__(self) -> tuple[object, ...]:
        """Keep `where` when the error crosses a process border."""
        return (_rebuild, (type(self), self.message, self.where))


def plain(problem: Mapping[str, object]) -> str:
    """Say in plain words what pydantic has against a value.

    >>> plain({"type": "tuple_type", "msg": "Input should be a valid tuple"}), plain({"type": "int_type", "msg": "Input should be 1"})
    ('write a list, such as [one, other]', 'input should be 1')
    """
    return PLAIN.get(str(problem["type"]), str(problem["msg"]).lower())


def _rebuild(kind: type[EvergreenError], message: str, where: str) -> EvergreenError:
    return kind(message, where=where)


class UsageError(EvergreenError):
    """The call or the configuration is wrong."""

    code = "usage"
    exit_code = 2

    @classmethod
    def unknown(cls, what: str, got: str, available: Iterable[str], *, where: str = "") -> UsageError:
        """Build the message for a name that does not exist, with the closest one that does.

        >>> UsageError.unknown("use case", "diabetis", ["diabetes", "wine"]).message
        "there is no use case 'diabetis'; did you mean 'diabetes'? (available: diabetes, wine)"
        """
        names = sorted(available)
        close = get_close_matches(got, names, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        listed = f"(available: {', '.join(names)})" if names else "(none is available)"
        return cls(f"there is no {what} '{got}'{hint} {listed}", where=where or got)


class DataRefusedError(EvergreenError):
    """The data named by this call are refused; nothing was stored."""

    code = "data_refused"
    exit_code = 3


class NotReproducedError(EvergreenError):
    """A version was fitted again, and the second fit predicts something else."""

    code = "not_reproduced"


class StoreError(EvergreenError):
    """A store cannot be used, or holds what it should not."""

    code = "store"


class SilentStoreError(StoreError):
    """A store does not answer, so nobody can say what it holds."""

    code = "store_silent"


class UnsafeModelError(EvergreenError):
    """A model file is not one that may be loaded: swapped bytes, or types outside the allow-list."""

    code = "unsafe_model"
