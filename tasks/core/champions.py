"""What the registry and the ledger know of versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tasks.core.table import Task

SHIPPED_FILE = "model.skops"
SHOWN_COLUMNS = 8
JUDGED_FILE = "extra_files/judged.skops"
# A version that met one of these was not judged to the end, so it answers no later call.
UNFINISHED = frozenset({"", "superseded", "loads_and_predicts"})
FITTED_ROWS_FILE = "extra_files/fitted_rows.npy"
MANIFEST_FILES = (SHIPPED_FILE, JUDGED_FILE, FITTED_ROWS_FILE, "MLmodel", "requirements.txt")


@dataclass(frozen=True)
class Attempt:
    """What a training run was asked, as its version remembers it.

    Attributes:
        snapshot: Digest of the rows.
        configuration: Digest of everything else that decides predictions.
        columns: Digest of the feature columns with their types.
        target: Column that is predicted.
        task: What kind of prediction.
    """

    snapshot: str
    configuration: str
    columns: str
    target: str
    task: Task

    def difference(self, other: Attempt) -> str:
        """Name what makes the other another use case; empty when nothing does."""
        differing = [name for name in ("target", "task", "columns") if getattr(self, name) != getattr(other, name)]
        return " and ".join(differing)


@dataclass(frozen=True)
class Version:
    """One registered version.

    Attributes:
        number: As the registry counts.
        run_id: The MLflow run that made it.
        attempt: What that run was asked.
        spread: Standard deviation of its paired loss differences when it was judged; None when there was no champion.
        manifest: SHA-256 of each of its files.
        decision: Code of what became of it; empty when its run was killed before that.
        lake: What names its rows in the lake, as text; empty where they are not from there.
    """

    number: int
    run_id: str
    attempt: Attempt
    spread: float | None
    manifest: Mapping[str, str]
    decision: str = ""
    lake: str = ""

    def answers(self, attempt: Attempt) -> bool:
        """Say whether training again would ask what this version has answered."""
        return self.attempt == attempt and self.decision not in UNFINISHED


@dataclass(frozen=True)
class NamedRows:
    """The rows that a registered version names.

    Attributes:
        use_case: Whose version.
        version: As the registry counts.
        snapshot: Digest of the rows that were trained on.
        lake: What names them in the lake, as text; empty where they are not from there.
    """

    use_case: str
    version: int
    snapshot: str
    lake: str


@dataclass(frozen=True)
class Epoch:
    """One line of succession: which version became champion, when and why, and from which rows of the lake it was made."""

    use_case: str
    epoch: int
    version: int
    run_id: str
    code: str
    reason: str
    decided_at: str
    manifest: Mapping[str, str]
    lake: str = ""


BETTER = ("first_champion", "better", "waived")  # or a person said that it may be worse


def anchor_of(line: Sequence[Epoch]) -> Epoch | None:
    """Find the last version that became champion because it was better, as seen from the champion; None where there is no champion.

    What came back by a rollback counts from where it first became champion.
    """
    return next(iter(anchors_of(line)), None)


def anchors_of(line: Sequence[Epoch]) -> Sequence[Epoch]:
    """List the anchor and who came after it until the champion first became one, in case that the anchor was deleted."""
    if not line:
        return ()
    first = next(place for place, epoch in enumerate(line) if epoch.version == line[-1].version)
    anchor = next((place for place in range(first, -1, -1) if line[place].code in BETTER), first)
    return line[anchor : first + 1]


def earlier_champion(line: Sequence[Epoch], number: int | None, passed: Collection[int], use_case: str) -> int:
    """Choose whom to go back to: the version that is named, or the last champion that is another one than today's.

    Args:
        line: The champions so far, the first one first.
        number: The version that a person names.
        passed: Versions that passed the gate.
        use_case: Whose, for messages.

    Raises:
        UsageError: there is no earlier champion, or the named version is champion, or never passed the gate.
    """
    if not line:
        message = f"{use_case} has no champion to go back from"
        raise UsageError(message, where=use_case)
    if number is None:
        number = next((epoch.version for epoch in reversed(line) if epoch.version != line[-1].version), None)
        if number is None:
            message = f"version {line[-1].version} is the only champion that {use_case} ever had; name another version that passed the gate"
            raise UsageError(message, where="version")
    if number == line[-1].version:
        message = f"version {number} of {use_case} is champion already"
        raise UsageError(message, where="version")
    known = {epoch.version for epoch in line} | set(passed)
    if number not in known:
        others = ", ".join(str(version) for version in sorted(known - {line[-1].version}))
        told = f"those that did: {others}" if others else "no version did but the champion"
        message = f"version {number} of {use_case} never passed the gate, so nobody goes back to it ({told})"
        raise UsageError(message, where="version")
    return number


def columns_difference(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Name the columns that are missing, further, or of another type; empty where none is.

    >>> columns_difference({"a": "number", "b": "number"}, {"a": "category", "c": "number"})
    '; missing: b; further: c; of another type: a'
    """
    kinds = {"boolean": "category", "text": "category"}
    then, now = ({name: kinds.get(kind, kind) for name, kind in side.items()} for side in (then, now))
    found = {
        "missing": [name for name in then if name not in now],
        "further": [name for name in now if name not in then],
        "of another type": [name for name, kind in then.items() if now.get(name, kind) != kind],
    }
    return "".join(f"; {what}: {_few(names)}" for what, names in found.items() if names)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN_COLUMNS]) + (f" and {len(names) - SHOWN_COLUMNS} more" if len(names) > SHOWN_COLUMNS else "")


def ways_back(line: Sequence[Epoch], passed: Collection[int]) -> list[int]:
    """List whom one may go back to: earlier champions, the last one first, then others that passed the gate, the newest first."""
    champions = dict.fromkeys(epoch.version for epoch in reversed(line))
    return [number for number in dict.fromkeys([*champions, *sorted(passed, reverse=True)]) if number != line[-1].version]


def way_back(use_case: str, earlier: int | None) -> str:
    """Say how to go on where the champion cannot be used.

    Args:
        use_case: Whose champion.
        earlier: A version to go back to that is whole; None where there is none.
    """
    if earlier is None:
        return f"no other version is whole, so restore it from a backup, or train again with `{training_again(use_case)}`"
    return f"go back to version {earlier} with `python -m flows.rollback {earlier} --use-case {use_case} --because TEXT`"


def promoting(use_case: str, number: int) -> str:
    """Give the command by which a person makes a version champion."""
    return f"python -m flows.promote {number} --use-case {use_case} --because TEXT"


def training_again(use_case: str) -> str:
    """Give the command that trains although rows and configuration are those of the last attempt."""
    return f"python -m flows.train --use-case {use_case} --again"
