"""Rows of the ledger: what was decided on versions, by whom and why, each chained to the one before it.

A row holds the hash of the last one and its own, so that a past that was changed shows wherever the chain is read.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tasks.core.looks import GateRows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tasks.core.champions import Epoch

Kind = Literal["train", "gate", "promote", "approve", "refuse", "reject", "rollback", "hold", "release", "monitor", "trigger", "restore"]
FAILED = "failed"  # of a `trigger`: that the training which it began did
CROWNING: tuple[Kind, ...] = ("promote", "approve", "rollback", "restore")
HOLDING: tuple[Kind, ...] = ("rollback", "hold", "release", "approve")
JUDGING: tuple[Kind, ...] = ("gate", "reject", *CROWNING)  # what versions passed, and which of them wait
SETTLING: tuple[Kind, ...] = (*JUDGING, "refuse", "hold", "release")  # what became of versions, without the looks at them
WAITING = frozenset({"awaiting_approval", "hold"})  # codes of judgements after which a person has the last word
AGAINST = "against_champion"
GATE_ROWS = "gate_rows"
MANIFEST = "manifest"


@dataclass(frozen=True)
class Entry:
    """One decision on a use case.

    Attributes:
        use_case: Whose.
        kind: What was done: a training began; a challenger went through the gate, became champion, was approved by a person, was named by
            a person and refused by the gate, or was rejected by a person; a version came back, which set a hold; it was released; the
            champion was looked at; that look asked for a training, and one began; an earlier version was restored because newer rows
            show it to be better.
        version: Of the model that it is about; 0 where it is about none.
        code: Stable name of the reason.
        reason: In words.
        who: The person's account, or the process of an automatic run.
        decided_at: In UTC, as ISO 8601 text.
        because: What a person gave as a reason; empty for automatic ones.
        inputs: All that the decision was made from, as JSON values.
        number: Place in the chain of the use case, from 1.
        previous: Hash of the row before it; empty for the first one.
        digest: Hash of everything above.
    """

    use_case: str
    kind: Kind
    version: int
    code: str
    reason: str
    who: str
    decided_at: str
    because: str = ""
    inputs: Mapping[str, object] = field(default_factory=dict[str, object])
    number: int = 0
    previous: str = ""
    digest: str = ""

    @property
    def seal(self) -> str:
        """Name this row so that no other one, and no change of it, goes by the name."""
        return f"{self.number}:{self.digest}"

    @property
    def manifest(self) -> dict[str, str]:
        """Give the SHA-256 of each file of the version, as it was when this was decided; empty where the row says none."""
        return dict(self.inputs.get(MANIFEST, {}))  # type: ignore[call-overload]

    @property
    def is_intact(self) -> bool:
        """Say whether nothing of this row was changed."""
        return self.digest == self.content_digest()

    def after(self, last: Entry | None) -> Entry:
        """Give this row as the one that follows another."""
        number, previous = (last.number + 1, last.digest) if last else (1, "")
        placed = dataclasses.replace(self, number=number, previous=previous)
        return dataclasses.replace(placed, digest=placed.content_digest())

    def content_digest(self) -> str:
        """Hash everything but the hash."""
        content = {name: value for name, value in vars(self).items() if name != "digest"}
        return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def after(drafts: Sequence[Entry], last: Entry | None) -> list[Entry]:
    """Give rows as those that follow another, one behind the other."""
    chained: list[Entry] = []
    for draft in drafts:
        chained.append(draft.after(chained[-1] if chained else last))
    return chained


def broken_link(entries: Sequence[Entry]) -> Entry | None:
    """Find the first row that was changed, or does not follow the one before it; None where the chain holds.

    Cut-off rows at the end do not show here; the champion's version names the last hash that it knows.
    """
    last: Entry | None = None
    for entry in entries:
        number, previous = (last.number + 1, last.digest) if last else (1, "")
        if (entry.number, entry.previous) != (number, previous) or not entry.is_intact:
            return entry
        last = entry
    return None


@dataclass(frozen=True)
class Seal:
    """What a champion's version says of the ledger.

    Attributes:
        name: Of a row that it had, the last one that was noted; empty where it names none.
        row: What stands in that place of the ledger; None where nothing does.
    """

    name: str
    row: Entry | None


def seal_problem(champion: Epoch, sealed: Seal, made: Entry | None) -> str:
    """Say what is wrong with the rows of the ledger about its champion; empty where nothing is.

    Args:
        champion: As the ledger has it.
        sealed: What its version says.
        made: The last decision that made it champion.
    """
    restore = "restore the ledger from a backup"
    if sealed.name and not (sealed.row and sealed.row.seal == sealed.name and sealed.row.is_intact):
        number, told = sealed.name.partition(":")[0], f"the ledger of {champion.use_case} was changed or cut off"
        return f"{told}: version {champion.version} names row {number} of it, which is gone or reads otherwise now; {restore}"
    if made and (not made.is_intact or (made.manifest and made.manifest != champion.manifest)):
        told = f"row {made.number} of the ledger of {champion.use_case}, which made version {champion.version} champion"
        return f"{told}, was changed, or the digests of its files were; {restore}"
    return ""


def hold_of(entries: Sequence[Entry]) -> Entry | None:
    """Find the rollback that keeps automatic promotions away; None where there is none, or it is over."""
    return as_hold(next((entry for entry in reversed(entries) if entry.kind in HOLDING), None))


def as_hold(last: Entry | None) -> Entry | None:
    """Give the last decision on holds if it is a hold; in older ledgers the rollback alone says so."""
    return last if last and last.kind in ("rollback", "hold") else None


def passed_versions(entries: Sequence[Entry]) -> set[int]:
    """Give the versions that passed the gate."""
    gates = (entry for entry in entries if entry.kind == "gate")
    return {entry.version for entry in gates if entry.inputs["verdict"] == "promoted" or entry.code in WAITING}


def waiting_of(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Give the judgements of versions that passed and wait for a person, the last one first.

    A version waits no longer when it was rejected, became champion, or a newer one did.
    """
    found: list[Entry] = []
    for entry in (each for each in reversed(entries) if each.kind == "gate" and each.code in WAITING):
        later = [each for each in entries if each.number > entry.number]
        is_rejected = any(each.kind == "reject" and each.version == entry.version for each in later)
        if not is_rejected and not any(each.kind in CROWNING and each.version >= entry.version for each in later):
            found.append(entry)
    return tuple(found)


def looks_of(entries: Sequence[Entry], challenger: int | None = None) -> tuple[GateRows, ...]:
    """Give the rows on which earlier challengers were compared with a champion, refused ones too.

    A challenger that predicts the same as the champion has tried nothing. One that is judged again, against the same champion or another,
    is chosen by what was seen before it.
    """
    own = next((entry.number for entry in entries if entry.kind == "gate" and entry.version == challenger), math.inf)
    gates = (entry.inputs for entry in entries if entry.kind == "gate" and entry.code != "identical" and entry.number < own)
    return tuple(GateRows.from_json(dict(inputs[GATE_ROWS])) for inputs in gates if inputs.get(AGAINST) and GATE_ROWS in inputs)  # type: ignore[arg-type]
