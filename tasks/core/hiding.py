"""Messages without the values that they quote, for tables with personal columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

NOT_SHOWN = "(not shown: personal)"
QUOTES = "'\""


def without_values(message: str, names: Collection[str] = ()) -> str:
    r"""Take out of a message all that lies between its first quote and its last, column names at its beginning excepted.

    What is quoted may hold quotes itself, so nothing less is sure to take out all of it.

    Args:
        message: One sentence that may quote cells.
        names: Of columns.

    >>> without_values("column 'size': 'O\'Hara' among numbers; mend it", ["size"])
    "column 'size': (not shown: personal) among numbers; mend it"
    >>> without_values("it is empty")
    'it is empty'
    """
    first = _first_quote(message, names)
    last = max(map(message.rfind, QUOTES))
    return message if first < 0 else f"{message[:first]}{NOT_SHOWN}{message[last + 1 :]}"


def _first_quote(message: str, names: Collection[str]) -> int:
    at = 0
    while at < len(message):
        name = next((quoted for name in names if message.startswith(quoted := f"'{name}'", at)), "")
        if not name and message[at] in QUOTES:
            return at
        at += len(name) or 1
    return -1
