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

Kind = Literal["gate", "promote", "approve", "reject", "rollback", "release"]
CROWNING = ("promote", "approve", "rollback")
AGAINST = "against_champion"
GATE_ROWS = "gate_rows"


@dataclass(frozen=True)
class Entry:
    """One decision on a use case.

    Attributes:
        use_case: Whose.
        kind: What was done: a challenger went through the gate, became champion, was approved or rejected by a person; a version
            came back; the hold that this set was released.
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

    def after(self, last: Entry | None) -> Entry:
        """Give this row as the one that follows another."""
        number, previous = (last.number + 1, last.digest) if last else (1, "")
        placed = dataclasses.replace(self, number=number, previous=previous)
        return dataclasses.replace(placed, digest=placed.content_digest())

    def content_digest(self) -> str:
        """Hash everything but the hash."""
        content = {name: value for name, value in vars(self).items() if name != "digest"}
        return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def broken_link(entries: Sequence[Entry]) -> Entry | None:
    """Find the first row that was changed, or does not follow the one before it; None where the chain holds.

    Cut-off rows at the end do not show here; the champion's version names the last hash that it knows.
    """
    last: Entry | None = None
    for entry in entries:
        number, previous = (last.number + 1, last.digest) if last else (1, "")
        if (entry.number, entry.previous) != (number, previous) or entry.digest != entry.content_digest():
            return entry
        last = entry
    return None


def hold_of(entries: Sequence[Entry]) -> Entry | None:
    """Find the rollback that keeps automatic promotions away; None where there is none, or it is over."""
    ended = next((entry for entry in reversed(entries) if entry.kind in ("rollback", "release", "approve")), None)
    return ended if ended and ended.kind == "rollback" else None


def looks_of(entries: Sequence[Entry], challenger: int | None = None) -> tuple[GateRows, ...]:
    """Give the rows on which earlier challengers were compared with a champion, refused ones too.

    A challenger that predicts the same as the champion has tried nothing. One that is judged again, against the same champion or another,
    is chosen by what was seen before it.
    """
    own = next((entry.number for entry in entries if entry.kind == "gate" and entry.version == challenger), math.inf)
    gates = (entry.inputs for entry in entries if entry.kind == "gate" and entry.code != "identical" and entry.number < own)
    return tuple(GateRows.from_json(dict(inputs[GATE_ROWS])) for inputs in gates if inputs.get(AGAINST) and GATE_ROWS in inputs)  # type: ignore[arg-type]
