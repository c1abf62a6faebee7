"""Deliveries and what became of them: taken in, refused, held for a person, or known already."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from tasks.core.errors import DataRefusedError, UsageError
from tasks.core.findings import Arrival
from tasks.core.names import on_one_line
from tasks.core.profiles import Profile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# What is written down of a batch; a delivery that is known already is not.
Decision = Literal["ingested", "accepted", "mended", "held", "refused", "dismissed"]
Kind = Literal["rows", "labels"]
TAKEN: tuple[Decision, ...] = ("ingested", "accepted", "mended")
SHOWN_DIGITS = 8
# Columns of labels that come alone, beside the key and the target: what stands for these where there is none, and when it was seen.
ROW_KEY, VALUE, OBSERVED = "row_key", "value", "observed_at"
STATE_NAMES = {
    "ingested": "Ingested",
    "accepted": "Accepted",
    "mended": "Mended",
    "held": "Held",
    "refused": "Refused",
    "dismissed": "Dismissed",
    "known": "Known already",
}


@dataclass(frozen=True)
class Delivery:
    """Something to take in.

    Attributes:
        name: What it is called; where no key names rows, the same name never brings other content.
        source: Where it is.
        landing: The landing folder that it lies in; None where a person named it.
        kind: Whether it brings rows, or labels alone.
        state: Of a file in a landing folder, when it was looked at; one in another state is not what was read.
    """

    name: str
    source: str
    landing: Path | None = None
    kind: Kind = "rows"
    state: tuple[tuple[int, ...], ...] = ()


class BatchRows(BaseModel):
    """Where every row of a batch went: read = labelled + unlabelled + quarantined + known, or nothing was taken.

    Rows that come back mended were read before, and leave the quarantine: none is read, and a negative number quarantined.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    read: int = Field(default=0, ge=0)
    labelled: int = Field(default=0, ge=0)
    unlabelled: int = Field(default=0, ge=0)
    quarantined: int = 0
    known: int = Field(default=0, ge=0)

    def __str__(self) -> str:
        """Write the sum that must add up."""
        known = f" + {self.known:,} known" if self.known else ""
        return f"{self.read:,} read = {self.labelled:,} labelled + {self.unlabelled:,} unlabelled + {self.quarantined:,} quarantined{known}"


@dataclass(frozen=True)
class BatchEntry:
    """One decision on a batch, as it is written down.

    Attributes:
        use_case: Whose batch.
        digest: Of all that was delivered, 64 hexadecimal digits; for a delivery that cannot be read, of its name and the reason.
        decision: What was decided.
        name: What the delivery was called.
        kind: Whether it brought rows, or labels alone.
        rows: Where they went.
        reasons: Why it is held or refused, or what was found and did not stand against it.
        because: What a person said who accepted it.
        who: User and host.
        decided_at: ISO 8601 in UTC.
        profile: What the rows look like, as JSON; empty where they were not looked at.
        staged: Parquet file of the rows, while they are held.
        mends: Digest of the batch whose rows come back mended; empty where others come.

    What is not written down, such as that all rows of a delivery are known, has no `decided_at`.
    """

    use_case: str
    digest: str
    decision: Decision
    name: str
    kind: Kind
    rows: BatchRows
    reasons: tuple[str, ...]
    who: str
    decided_at: str
    because: str = ""
    profile: str = ""
    staged: str = ""
    mends: str = ""


@dataclass(frozen=True)
class BatchReport:
    """What became of one delivery.

    Attributes:
        entry: As it is written down.
        is_known: Whether it was before this run.
        page: The file that shows it.
        sheet: The file of its rows that were set aside, to be mended.
    """

    entry: BatchEntry
    is_known: bool = False
    page: str = ""
    sheet: str = ""

    @property
    def outcome(self) -> str:
        """Name it as a script may rely on."""
        return "known" if self.is_known else self.entry.decision

    @property
    def message(self) -> str:
        """Say it in one sentence."""
        return on_one_line(self._told)

    @property
    def _told(self) -> str:
        entry, short = self.entry, self.entry.digest[:SHOWN_DIGITS]
        if self.is_known and not entry.decided_at:
            return "; ".join([f"{entry.name} is known", *entry.reasons, "nothing was done"])
        if self.is_known:
            told = f"{entry.name} is known: {entry.decision} at {entry.decided_at} as batch {short}; nothing was done"
            return "; ".join([told, *(entry.reasons if entry.kind == "labels" else ())])
        if entry.decision not in TAKEN:
            return f"{entry.name} is {entry.decision}: {'; '.join(entry.reasons)}"
        if entry.mends:
            rows = -entry.rows.quarantined
            mended = "1 row that was set aside is taken in" if rows == 1 else f"{rows:,} rows that were set aside are taken in"
            return "; ".join([f"{entry.name} mends batch {entry.mends[:SHOWN_DIGITS]}: {mended}", *entry.reasons])
        return f"{entry.name} is batch {short}: {entry.rows}"

    def as_json(self) -> dict[str, object]:
        """Give what scripts may rely on; keys are added, never renamed."""
        return {
            "name": self.entry.name,
            "batch": self.entry.digest,
            "kind": self.entry.kind,
            "outcome": self.outcome,
            "rows": self.entry.rows.model_dump(),
            "reasons": list(self.entry.reasons),
            "because": self.entry.because,
            "page": self.page,
            "mends": self.entry.mends,
            "to_mend": self.sheet,
        }


@dataclass(frozen=True)
class IngestReport:
    """What came of one ingestion."""

    use_case: str
    batches: tuple[BatchReport, ...]

    @property
    def stopped(self) -> list[BatchReport]:
        """List the deliveries that were not taken and wait for a person."""
        return [batch for batch in self.batches if batch.outcome in ("held", "refused")]

    @property
    def state_name(self) -> str:
        """Name the run's final state by the worst outcome."""
        worst = ("refused", "held", "dismissed", "accepted", "ingested", "mended", "known")
        found = {batch.outcome for batch in self.batches}
        return next((STATE_NAMES[outcome] for outcome in worst if outcome in found), "Nothing came")

    @property
    def state_message(self) -> str:
        """Say in one sentence what came."""
        if not self.batches:
            return f"nothing has come for {self.use_case}"
        if len(self.batches) == 1:
            return self.batches[0].message
        outcomes = [batch.outcome for batch in self.batches]
        counted = ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in STATE_NAMES if outcome in outcomes)
        return f"{len(self.batches)} deliveries for {self.use_case}: {counted}"

    def as_json(self) -> dict[str, object]:
        """Give the document that scripts may rely on; keys are added, never renamed."""
        return {"use_case": self.use_case, "outcome": self.state_name, "batches": [batch.as_json() for batch in self.batches]}


def describe(report: IngestReport, folder: str) -> str:
    """Give what a person reads of an ingestion: a line for each delivery, and its files; paths are relative to a folder."""
    if not report.batches:
        return report.state_message
    lines: list[str] = []
    for batch in report.batches:
        files = [(what, file.removeprefix(f"{folder}/")) for what, file in (("page", batch.page), ("to mend", batch.sheet)) if file]
        lines += [batch.message, *(f"  {what:<12}{file}" for what, file in files)]
    return "\n".join(lines)


def waiting(entries: Sequence[BatchEntry]) -> list[BatchEntry]:
    """List the batches of a use case that are held and that nobody has accepted or dismissed."""
    settled = {entry.digest for entry in entries if entry.decision in (*TAKEN, "dismissed")}
    return list({entry.digest: entry for entry in entries if entry.staged and entry.digest not in settled}.values())


def find_waiting(entries: Sequence[BatchEntry], digits: str, use_case: str, where: str) -> BatchEntry:
    """Find the batch that a person means, among those that wait for one.

    Args:
        entries: All that was decided.
        digits: With which its digest begins.
        use_case: Whose.
        where: The option that names it.

    Raises:
        UsageError: none begins with these digits, or several do, or it was taken or dismissed meanwhile.
    """
    open_entries = waiting(entries)
    taken = {entry.digest for entry in entries if entry.decision in TAKEN}
    dismissed = {entry.digest for entry in entries if entry.decision == "dismissed"}
    if where == "--accept":  # a person may have another mind later
        open_entries += {entry.digest: entry for entry in entries if entry.staged and entry.digest in dismissed - taken}.values()
    else:  # what could not even be read is in no one's way any more, then
        open_entries = list({entry.digest: entry for entry in entries if entry.digest not in dismissed | taken}.values())
    digits = digits.strip()
    found = [entry for entry in open_entries if entry.digest.startswith(digits.lower())]
    if len(found) == 1:
        return found[0]
    settled = (entry for entry in entries if entry.decision in (*TAKEN, "dismissed"))
    if not found and (before := next((entry for entry in settled if entry.digest.startswith(digits.lower())), None)):
        message = f"batch {before.digest[:SHOWN_DIGITS]} ({before.name}) was {before.decision} at {before.decided_at} already"
        raise UsageError(message, where=where)
    what = f"{len(found)} batches of {use_case} wait that begin with" if found else f"no batch of {use_case} waits that begins with"
    listed = ", ".join(f"{entry.digest[:SHOWN_DIGITS]} ({entry.name})" for entry in open_entries)
    message = f"{what} '{digits}'; waiting are: {listed or 'none'}"
    raise UsageError(message, where=where)


def is_alike(entry: BatchEntry, other: BatchEntry) -> bool:
    """Say whether a batch was taken that brought the same as another: rows, or labels alone."""
    is_taken = entry.decision in TAKEN and bool(entry.profile) and entry.digest != other.digest
    return is_taken and entry.kind == other.kind and entry.rows.labelled + entry.rows.unlabelled > 0


def other_content(entries: Sequence[BatchEntry], delivery: Delivery, digest: str) -> BatchEntry | None:
    """Give the batch that came under the same name with other content, if one was taken."""
    return next((e for e in entries if e.name == delivery.name and e.digest != digest and e.decision in TAKEN and not e.mends), None)


def find_mended(entries: Sequence[BatchEntry], digits: str, use_case: str) -> BatchEntry:
    """Find the batch that the rows of a sheet belong to.

    Raises:
        DataRefusedError: none was taken that begins with these digits.
    """
    found = next((e for e in entries if e.digest.startswith(digits) and e.decision in TAKEN and not e.mends), None)
    if found is None:
        message = f"its rows are of batch {digits}, which is none of {use_case}; name the use case that they were set aside by"
        raise DataRefusedError(message, where=digits)
    return found


def arrival_of(entry: BatchEntry) -> Arrival:
    """Give a batch that was taken as it is compared with others.

    Raises:
        StoreError: the ledger holds something else than its profile.
    """
    profile = Profile.from_json(entry.profile, where=f"the profile of {entry.name} in the ledger")
    return Arrival(entry.name, profile, arrived_us(entry), entry.rows.read, entry.kind == "labels")


def arrived_us(entry: BatchEntry) -> float:
    """Give the microseconds since 1970 at which a batch was decided on."""
    return datetime.fromisoformat(entry.decided_at).timestamp() * 1e6
