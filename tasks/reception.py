"""What the verbs on deliveries share: what has come, what became of it so far, and how a decision is written down."""

from __future__ import annotations

import getpass
import logging
import socket
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tasks import record, versions
from tasks.adapters import landing, ledger, sheets, snapshots
from tasks.adapters.lake import Lake
from tasks.core import batch_page, deliveries
from tasks.core.batch_page import Example
from tasks.core.deliveries import SHOWN_DIGITS, TAKEN, BatchEntry, BatchReport, BatchRows, Delivery
from tasks.core.errors import DataRefusedError
from tasks.core.findings import Arrival
from tasks.core.incidents import inspect_delivery
from tasks.core.lake.values import Terms
from tasks.core.markdown import leading_to
from tasks.core.mending import Aside, Pile
from tasks.core.reading.reader import as_frame

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    import pandas as pd

    from tasks.core.deliveries import Decision
    from tasks.core.findings import Inspection, Judgement
    from tasks.core.lake.values import Receipt
    from tasks.core.profiles import Profile
    from tasks.core.snapshot import Batch, Case
    from tasks.core.validation import Validation

log = logging.getLogger("evergreen")


@dataclass(frozen=True)
class Reception:
    """One ingestion: what came, and what has become of each delivery so far."""

    case: Case
    deliveries: tuple[Delivery, ...]
    reports: list[BatchReport] = field(default_factory=list[BatchReport])

    @property
    def entries(self) -> list[BatchEntry]:
        """List what was ever decided on batches of the use case, by other processes too."""
        return ledger.batches(self.case.settings.ledger_address, self.case.name)

    def lake(self, batch: Batch | None = None) -> Lake:
        """Open the lake on the terms that it was begun with, or else on those of the use case and its first batch."""
        use_case, address = self.case.use_case, self.case.settings.lake_address
        begun = Lake(address, use_case.name).begun_with()
        last = snapshots.column_names(batch.path)[-1] if batch else None
        terms = begun or Terms(key=use_case.key, target=use_case.target or last)
        return Lake(address, use_case.name, terms.model_copy(update={"personal": use_case.pii}))

    @property
    def target(self) -> str | None:
        """Name the column of the labels."""
        return self.lake().terms.target

    def personal(self, batch: Batch) -> Collection[str]:
        """Name the columns that may hold personal values: where some do, also those that nobody has looked at yet."""
        pii, came, lake = set(self.case.use_case.pii), set(snapshots.column_names(batch.path)), self.lake(batch)
        if not pii:
            return pii
        if lake.begun_with() is None:
            return pii if pii <= came else came
        return pii | (came - {*lake.columns().names, lake.terms.target})

    def find_taken(self, delivery: Delivery, digest: str) -> BatchEntry | None:
        """Find the batch of a digest, if it was taken before.

        Raises:
            DataRefusedError: other content was taken under the same name, and no key tells which of it is new.
        """
        entries = self.entries
        found = next((entry for entry in entries if entry.digest == digest and entry.decision in TAKEN), None)
        if found or self.lake().terms.key or not Path(delivery.source).is_file():
            return found
        if other := deliveries.other_content(entries, delivery, digest):
            came = f"came at {other.decided_at} with other content, as batch {other.digest[:SHOWN_DIGITS]}"
            how = "give this file a name of its own; a table that grows under one name needs a use case with key:"
            message = f"{delivery.name} {came}; {how}"
            raise DataRefusedError(message, where=delivery.name)
        return None

    def find_dismissed(self, digest: str) -> BatchEntry | None:
        """Find a batch of just this content that a person dismissed."""
        return next((entry for entry in self.entries if entry.digest == digest and entry.decision == "dismissed"), None)

    def entry(self, delivery: Delivery, digest: str, decision: Decision, reasons: tuple[str, ...]) -> BatchEntry:
        """Give a decision on a delivery, to be filled in and written down."""
        who, now = f"{getpass.getuser()}@{socket.gethostname()}", datetime.now(UTC).isoformat(timespec="seconds")
        return BatchEntry(self.case.name, digest, decision, delivery.name, delivery.kind, BatchRows(), reasons, who, now)

    def conclude(
        self,
        delivery: Delivery,
        entry: BatchEntry,
        judgement: Judgement | None = None,
        pile: Pile | None = None,
        batch: Batch | None = None,
    ) -> None:
        """Write everything down, and then move the delivery out of the way, so that a kill loses none."""
        self.write_down(entry, judgement, pile, batch)
        if entry.decision in TAKEN:
            landing.put_away(delivery, "done")
        else:
            landing.put_away(delivery, "refused", "\n".join(entry.reasons))

    def held(self, delivery: Delivery, batch: Batch, digest: str, judgement: Judgement, never: str = "") -> BatchEntry:
        """Keep a batch for a person, and say how it is taken in all the same.

        Args:
            delivery: What it came with.
            batch: All that came.
            digest: What it is known by.
            judgement: What speaks against it.
            never: Why no person can have it taken in; empty where one can.
        """
        command, named = f"python -m flows.ingest --use-case {self.case.name}", f"{digest[:SHOWN_DIGITS]} --because TEXT"
        how = f"deliver it in order, then: {command} --dismiss {named}; or take it in as it is: {command} --accept {named}"
        how = f"nor can it be accepted: {never}" if never else how
        if not never:
            self._keep(batch, digest)
        entry = self.entry(delivery, digest, "refused" if judgement.refusals else "held", (*judgement.against, how))
        rows = BatchRows(read=len(batch.lines) + len(batch.aside))
        return replace(entry, rows=rows, staged="" if never else str(batch.path))

    def _keep(self, batch: Batch, digest: str) -> None:
        import pandas as pd

        folder = self.case.settings.home / "held"
        snapshots.write(pd.DataFrame({"line": batch.lines}), folder, self.held_file(digest, "lines").stem)
        if batch.aside:
            snapshots.write(as_frame(batch.aside), folder, self.held_file(digest, "aside").stem)

    def held_file(self, digest: str, what: str) -> Path:
        """Give the file of what belongs to a batch that is held, beside its rows."""
        return self.case.settings.home / "held" / f"{self.case.name}-{digest}-{what}.parquet"

    def inspect(self, delivery: Delivery, digest: str, profile: Profile, delivered: int) -> Inspection:
        """Find out whether the data themselves show damage, beside the champion's rows and what was taken before.

        Args:
            delivery: What came.
            digest: What it is known by.
            profile: Of what it brings.
            delivered: How many rows came, known ones among them.
        """
        taken = (entry for entry in self.entries if entry.decision in TAKEN and entry.profile and entry.digest != digest)
        past = [deliveries.arrival_of(entry) for entry in taken]
        now = Arrival(delivery.name, profile, datetime.now(UTC).timestamp() * 1e6, delivered, delivery.kind == "labels")
        champions = versions.champions_profile(self.case, self.lake()) if past else None
        terms = self.lake().terms
        return inspect_delivery(now, past, champions, target=terms.target, time=self.case.use_case.time, key=terms.key)

    def tell_known(self, delivery: Delivery, entry: BatchEntry) -> None:
        """Say that a delivery brings nothing that is not there, and move it out of the way."""
        landing.put_away(delivery, "done")
        self.reports.append(BatchReport(replace(entry, name=delivery.name), is_known=True))

    def write_down(
        self, entry: BatchEntry, judgement: Judgement | None = None, pile: Pile | None = None, batch: Batch | None = None
    ) -> None:
        """Write the sheet of rows to mend, the page and the decision; in this order, for what is decided is not looked at again.

        Args:
            entry: The decision.
            judgement: What was found out about the rows.
            pile: Those that are set aside.
            batch: Those that were judged.
        """
        settings, pii = self.case.settings, self.case.use_case.pii
        before = next((e for e in reversed(self.entries) if deliveries.is_alike(e, entry)), None)
        sheet = _write_sheet(settings.home, entry, pile) if pile and entry.rows.quarantined > 0 else ""
        aside = sheets.first_rows(pile.read(), batch_page.SHOWN_ROWS) if pile else ()
        examples = _examples(batch, judgement.validation) if batch and judgement else {}
        page = settings.home / "reports" / entry.use_case / "batches" / f"{entry.digest[:16]}-{entry.decision}.html"
        snapshots.write_text(batch_page.build(entry, judgement, before, aside, sheet, pii, examples), page)
        is_known = not ledger.record(settings.ledger_address, entry) and entry.decision in TAKEN
        if is_known:  # another run was faster, and its word stands
            entry = next(e for e in self.entries if (e.digest, e.decision) == (entry.digest, entry.decision))
            snapshots.write_text(batch_page.build(entry, judgement, before, aside, sheet, pii, examples), page)
        report = BatchReport(entry, is_known=is_known, page=str(page), sheet=sheet)
        self.reports.append(report)
        record.publish_text(
            f"{entry.use_case}-batch", f"**{report.outcome}** · {report.message}\n\n{leading_to('Page', settings.link_to(str(page)))}"
        )
        if entry.decision in TAKEN:
            log.info("%s", report.message)
        else:
            log.warning("%s; its page is %s", report.message, page)
        for reason in entry.reasons if entry.decision in TAKEN and not entry.mends else ():
            log.info("%s: %s", entry.name, reason)


def _write_sheet(home: Path, entry: BatchEntry, pile: Pile) -> str:
    parts = sheets.write(pile.read(), pile.names, entry.digest)
    return str(snapshots.write_parts(parts, home / "quarantine" / entry.use_case / f"{entry.digest[:16]}.csv"))


def _examples(batch: Batch, validation: Validation) -> dict[str, list[Example]]:
    """Give the first rows that fail each expectation, with their cells."""
    failing = [(result, result.failing_rows[: batch_page.SHOWN_EXAMPLES]) for result in validation.results if result.failing_rows]
    rows = _rows_at(batch.path, sorted({place for _, places in failing for place in places}))
    return {
        result.expectation: [
            Example(int(batch.lines[place]), tuple(_spelled(rows.loc[place].get(name)) for name in result.columns)) for place in places
        ]
        for result, places in failing
    }


def _rows_at(path: Path, places: Sequence[int]) -> pd.DataFrame:
    """Give a few stored rows, on an index of their places."""
    import pandas as pd

    start, parts = 0, list[pd.DataFrame]()
    for df in snapshots.read_frames(path) if places else ():
        here = [place for place in places if start <= place < start + len(df)]
        parts.append(df.iloc[[place - start for place in here]].set_axis(here))
        start += len(df)
        if places[-1] < start:
            break
    return pd.concat(parts) if parts else pd.DataFrame()


def _spelled(cell: object) -> str | None:
    """Write a cell as a person does, whole numbers without a fraction; None for what is missing."""
    import pandas as pd

    if pd.isna(cell):  # pyright: ignore[reportArgumentType, reportCallIssue]
        return None
    return f"{cell:.12g}" if isinstance(cell, float) else str(cell)


def failing(batch: Batch, validation: Validation, first: int = 1) -> Iterator[Aside]:
    """Yield the rows that fail what sets them aside.

    Args:
        batch: The rows.
        validation: What the suite says of them.
        first: The place of their first in the delivery, from 1.
    """
    start = 0
    for df in snapshots.read_frames(batch.path) if validation.quarantined else ():
        rows, reasons = validation.set_aside(start, start + len(df))
        if len(rows):
            yield Aside(df.iloc[rows], first + start + rows, batch.lines[start + rows], reasons)
        start += len(df)


def tell_columns(new: Iterable[str], missing: Iterable[str]) -> tuple[str, ...]:
    """Say what becomes of columns that the lake does not have, and of those of the lake that did not come."""
    left_out = (f"column '{name}' is left out: the lake keeps the columns that it was begun with" for name in new)
    return (*left_out, *(f"column '{name}' is taken as empty" for name in missing))


def rows_of(lake: Lake, receipt: Receipt, read: int) -> BatchRows:
    """Say where the rows of a batch are: by its receipt, or by the lake where it was there already."""
    if receipt.is_new:
        kept, labelled, quarantined = receipt.observations, receipt.labels, receipt.quarantined
    else:
        held = next((arrival for arrival in lake.batches() if arrival.batch == receipt.batch), None)
        kept, quarantined = (held.observations, held.quarantined) if held else (0, 0)
        labelled = lake.count_own_labels(receipt.batch)
    known = read - kept - quarantined
    return BatchRows(read=read, labelled=labelled, unlabelled=kept - labelled, quarantined=quarantined, known=known)
