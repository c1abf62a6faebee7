"""Verbs on deliveries: what has come, whether it is known, whether it is damaged, and the lake that takes it in."""

from __future__ import annotations

import dataclasses
import getpass
import logging
import socket
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks import record
from tasks.adapters import home, landing, ledger, snapshots
from tasks.adapters.lake import Lake
from tasks.core import batch_page, deliveries, names
from tasks.core.deliveries import SHOWN_DIGITS, TAKEN, BatchEntry, BatchReport, BatchRows, Delivery, IngestReport
from tasks.core.errors import DataRefusedError, UsageError
from tasks.core.findings import Arrival, Inspection
from tasks.core.formats.source import CHANGED
from tasks.core.incidents import inspect_batch
from tasks.core.lake.values import SetAsideRow, Terms
from tasks.core.profiles import Profile, profile_rows
from tasks.core.reading.reader import as_frame, as_rows
from tasks.core.snapshot import Batch
from tasks.core.use_case import LAKE
from tasks.record import task

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    import numpy as np
    import pandas as pd

    from tasks.core.deliveries import Decision
    from tasks.core.options import IngestOptions
    from tasks.core.snapshot import Case
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


@dataclass(frozen=True)
class Judgement:
    """What was found out about a batch before anything is made of it."""

    validation: Validation
    profile: Profile
    inspection: Inspection

    @property
    def against(self) -> tuple[str, ...]:
        """List what speaks against taking the batch in; a person may still accept it."""
        refusal = self.validation.refusal
        damage = (finding.message for finding in self.inspection.findings if finding.severity == "critical")
        return (*([f"{self.validation.suite}: {refusal}"] if refusal else []), *damage)

    @property
    def noted(self) -> tuple[str, ...]:
        """List what was found and does not stand against the batch."""
        return tuple(finding.message for finding in self.inspection.findings if finding.severity != "critical")


def prepare_stores(case: Case) -> None:
    """Create the ledger where it is missing, and remove what killed runs left behind."""
    settings = case.settings
    with home.lock(settings.home, "stores"):
        ledger.create(settings.ledger_address)
        if not settings.ledger_url:
            home.switch_to_wal(settings.home / "ledger.db")
    record.close_dead_runs()
    for folder in ("snapshots", "quarantine", "held"):
        (settings.home / folder).mkdir(exist_ok=True)
        snapshots.remove_partials(settings.home / folder)


def open_reception(case: Case, options: IngestOptions) -> Reception:
    """List what has come: what a person names, or all that lies in the landing folder.

    Raises:
        UsageError: the call contradicts itself, or the landing folder cannot be used.
    """
    if options.because and not options.accept:
        message = "--because says why a batch is accepted; name it with --accept"
        raise UsageError(message, where="--because")
    if options.data is None and case.use_case.landing:
        return Reception(case, tuple(landing.arrived(case.settings.project / case.use_case.landing)))
    source = case.use_case.data
    if source == LAKE:
        message = f"name what came for {case.name}: a file, folder, URL or database; or set landing: in its use case"
        raise UsageError(message, where="--data")
    return Reception(case, (Delivery(source if "://" in source or ":" in source else Path(source).name, source),))


@contextmanager
def taking(reception: Reception, delivery: Delivery) -> Generator[None]:
    """Refuse a delivery that cannot be read or stored, and let the next one come."""
    log.info("taking %s", delivery.name)
    try:
        yield
    except DataRefusedError as error:
        if delivery.landing and CHANGED in error.message:
            log.warning("left where it is: %s", error.message)
            return
        digest = names.digest(delivery.name, error.message)
        _conclude(reception, delivery, _entry(reception, delivery, digest, "refused", (error.message,)))


def is_known(reception: Reception, delivery: Delivery, batch: Batch) -> bool:
    """Say whether a batch was taken before; then there is nothing to do but to say so.

    Raises:
        DataRefusedError: other content was taken under the same name.
    """
    entries = reception.entries
    known = next((entry for entry in entries if entry.digest == batch.delivered and entry.decision in TAKEN), None)
    if known:
        landing.put_away(delivery, "done")
        reception.reports.append(BatchReport(dataclasses.replace(known, name=delivery.name), is_known=True))
        return True
    other = deliveries.other_content(entries, delivery, batch.delivered) if Path(delivery.source).is_file() else None
    if other:
        came = f"came at {other.decided_at} with other content, as batch {other.digest[:SHOWN_DIGITS]}"
        message = f"{delivery.name} {came}; give this file a name of its own"
        raise DataRefusedError(message, where=delivery.name)
    return False


def complete(reception: Reception, batch: Batch) -> Batch:
    """Give rows that came without labels an empty target, so that they have the columns of the use case.

    Raises:
        UsageError: nothing came before, and the target looks like a column's name that was mistyped.
    """
    lake = reception.lake(batch)
    target, columns = lake.terms.target, snapshots.column_names(batch.path)
    if target is None or target in columns:
        return batch
    if lake.begun_with() is None and get_close_matches(target, columns):
        what = "column"
        raise UsageError.unknown(what, target, columns, where="target")
    log.warning("the rows come without labels: there is no column '%s'", target)
    kind = lake.target_kind()
    frames = (df.assign(**{target: _missing(len(df), kind)}) for df in snapshots.read_frames(batch.path))
    path = snapshots.write_frames(frames, batch.path.parent, f"{batch.digest}-without-labels")
    return dataclasses.replace(batch, path=path)


def _missing(rows: int, kind: str) -> pd.Series[Any]:
    import pandas as pd

    return pd.Series([None] * rows, dtype=kind)


@task
def inspect(reception: Reception, delivery: Delivery, batch: Batch, validation: Validation) -> Judgement:
    """Find out whether the data themselves show damage, beside the batches that were taken before."""
    use_case, target = reception.case.use_case, reception.lake(batch).terms.target
    profile = profile_rows(snapshots.read_frames(batch.path), pii=use_case.pii)
    entries = [e for e in reception.entries if e.decision in TAKEN and e.profile and e.digest != batch.delivered]
    past = [Arrival(e.name, deliveries.profile_of(e, without=target), deliveries.arrived_us(e)) for e in entries]
    if not past:
        return Judgement(validation, profile, Inspection(()))
    now = Arrival(delivery.name, deliveries.without_column(profile, target), datetime.now(UTC).timestamp() * 1e6)
    return Judgement(validation, profile, inspect_batch(now, past[0].profile, past, time=use_case.time))


@task
def take(reception: Reception, delivery: Delivery, batch: Batch, judgement: Judgement, because: str = "") -> None:
    """Let the lake take a batch in; hold it where something speaks against it and no person has accepted it.

    Rows that do not satisfy an expectation of their own are set aside in either case.

    Raises:
        DataRefusedError: the lake cannot keep the rows as they are.
    """
    if judgement.against and not because:
        _hold(reception, delivery, batch, judgement)
        return
    case, lake = reception.case, reception.lake(batch)
    failing = judgement.validation.quarantined
    aside = [SetAsideRow(line=row.line, text=row.text, reasons=(row.reason,)) for row in batch.aside]
    reasons = iter(failing.values())
    for df, lines in _numbered(batch, failing, is_kept=False):
        aside += _written(df, lines, reasons)
    lake.append(batch.delivered, (df for df, _ in _numbered(batch, failing)), arrived_at=datetime.now(UTC), aside=aside)
    if failing:  # as they came, so that they can be mended and delivered again
        snapshots.write_frames(
            (df for df, _ in _numbered(batch, failing, is_kept=False)), case.settings.home / "quarantine", f"{case.name}-{batch.delivered}"
        )
    rows = _count(batch, failing, lake.terms.target, len(aside))
    noted = (*judgement.against, *judgement.noted)
    decision: Decision = "accepted" if because else "ingested"
    entry = _entry(reception, delivery, batch.delivered, decision, noted)
    entry = dataclasses.replace(entry, rows=rows, because=because, profile=judgement.profile.to_json())
    _conclude(reception, delivery, entry, judgement, aside)


@task
def take_labels(reception: Reception, delivery: Delivery, batch: Batch) -> None:
    """Let the lake take labels in that come alone.

    Raises:
        DataRefusedError: there are no rows that they could belong to, or the lake cannot keep them as they are.
    """
    lake = reception.lake()
    if lake.begun_with() is None:
        message = f"{reception.case.name} has no rows that labels could belong to; ingest rows first"
        raise DataRefusedError(message, where=delivery.name)
    lake.append_labels(batch.delivered, snapshots.read_frames(batch.path), arrived_at=datetime.now(UTC))
    target = lake.terms.target
    kept, value = len(batch.lines), target if target in snapshots.column_names(batch.path) else "value"
    labelled = int(snapshots.read_column(batch.path, value).notna().sum())
    rows = BatchRows(read=kept + len(batch.aside), labelled=labelled, unlabelled=kept - labelled, quarantined=len(batch.aside))
    counts = lake.count_labels()
    told = f"of all labels so far {counts.late:,} came late, {counts.corrected:,} corrected one before, {counts.unknown:,} name no row"
    entry = _entry(reception, delivery, batch.delivered, "ingested", (told,))
    _conclude(reception, delivery, dataclasses.replace(entry, rows=rows, kind="labels"))


def find_waiting(case: Case, options: IngestOptions) -> tuple[Reception, Delivery, Batch]:
    """Find a batch that waits for a person, with its rows as they came.

    Raises:
        UsageError: there is none like that, or no reason is given.
    """
    if not (options.because or "").strip():
        message = "say why the batch is accepted, with --because TEXT; it stands in the ledger"
        raise UsageError(message, where="--because")
    reception = Reception(case, ())
    entry = deliveries.find_waiting(reception.entries, options.accept or "", case.name)
    staged, lines, aside = Path(entry.staged), *(_held_file(case, entry.digest, what) for what in ("lines", "aside"))
    if not (staged.exists() and lines.exists()):
        message = f"the rows of batch {entry.digest[:SHOWN_DIGITS]} are gone from {staged}; deliver {entry.name} again"
        raise UsageError(message, where="--accept")
    misfits = as_rows(snapshots.read(aside)) if aside.exists() else []
    numbers = snapshots.read_column(lines, "line").to_numpy()
    return reception, Delivery(entry.name, entry.name), Batch(staged, staged.stem[:64], entry.name, numbers, aside=tuple(misfits))


def report(reception: Reception) -> IngestReport:
    """Say what came of it.

    Raises:
        DataRefusedError: deliveries wait for a person.
    """
    found = IngestReport(reception.case.name, tuple(reception.reports))
    if not (stopped := found.stopped):
        return found
    counted = f"{found.state_message}: " if len(found.batches) > 1 else ""
    raise DataRefusedError(counted + "; ".join(batch.message for batch in stopped), where=stopped[0].entry.name)


# ------------------------------------------------------------------------------------------------------------------ parts


def _hold(reception: Reception, delivery: Delivery, batch: Batch, judgement: Judgement) -> None:
    import pandas as pd

    folder, digest = reception.case.settings.home / "held", batch.delivered
    snapshots.write(pd.DataFrame({"line": batch.lines}), folder, _held_file(reception.case, digest, "lines").stem)
    if batch.aside:
        snapshots.write(as_frame(batch.aside), folder, _held_file(reception.case, digest, "aside").stem)
    accepting = f"--use-case {reception.case.name} --accept {digest[:SHOWN_DIGITS]} --because TEXT"
    how = f"to take it in all the same: python -m flows.ingest {accepting}"
    decision: Decision = "refused" if judgement.validation.refusal else "held"
    rows = BatchRows(read=len(batch.lines) + len(batch.aside))
    entry = _entry(reception, delivery, digest, decision, (*judgement.against, how))
    _conclude(reception, delivery, dataclasses.replace(entry, rows=rows, staged=str(batch.path)), judgement)


def _held_file(case: Case, digest: str, what: str) -> Path:
    return case.settings.home / "held" / f"{case.name}-{digest}-{what}.parquet"


def _numbered(batch: Batch, failing: dict[int, str], *, is_kept: bool = True) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
    """Yield the rows that do not fail, or those that do, each with its line."""
    import numpy as np

    is_failing = np.zeros(len(batch.lines), dtype=bool)
    is_failing[list(failing)] = True
    at = 0
    for df in snapshots.read_frames(batch.path):
        places = np.flatnonzero(is_failing[at : at + len(df)] != is_kept)
        yield df.iloc[places].reset_index(drop=True), batch.lines[at + places]
        at += len(df)


def _written(df: pd.DataFrame, lines: np.ndarray, reasons: Iterator[str]) -> list[SetAsideRow]:
    if df.empty:
        return []
    texts = df.to_json(orient="records", lines=True, date_format="iso", date_unit="us", double_precision=15, force_ascii=False)
    rows = zip(lines.tolist(), texts.splitlines(), strict=True)
    return [SetAsideRow(line=line, text=text, reasons=(next(reasons),)) for line, text in rows]


def _count(batch: Batch, failing: dict[int, str], target: str | None, aside: int) -> BatchRows:
    kept = len(batch.lines) - len(failing)
    labelled = sum(int(df[target].notna().sum()) for df, _ in _numbered(batch, failing)) if target else 0
    return BatchRows(read=kept + aside, labelled=labelled, unlabelled=kept - labelled, quarantined=aside)


def _entry(reception: Reception, delivery: Delivery, digest: str, decision: Decision, reasons: tuple[str, ...]) -> BatchEntry:
    who, now = f"{getpass.getuser()}@{socket.gethostname()}", datetime.now(UTC).isoformat(timespec="seconds")
    return BatchEntry(reception.case.name, digest, decision, delivery.name, "rows", BatchRows(), reasons, who, now)


def _conclude(
    reception: Reception, delivery: Delivery, entry: BatchEntry, judgement: Judgement | None = None, aside: list[SetAsideRow] | None = None
) -> None:
    """Write the page, the decision and the reason down, and move the delivery out of the way; in this order, so that a kill loses none."""
    settings = reception.case.settings
    before = next((e for e in reversed(reception.entries) if e.decision in TAKEN and e.profile and e.digest != entry.digest), None)
    page = settings.home / "reports" / entry.use_case / "batches" / f"{entry.digest[:16]}-{entry.decision}.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    validation, profile, inspection = (judgement.validation, judgement.profile, judgement.inspection) if judgement else (None, None, None)
    pii = reception.case.use_case.pii
    told = batch_page.build(entry, validation, profile, inspection, before, tuple(aside or ()), pii)
    page.write_text(told, encoding="utf-8")
    ledger.record(settings.ledger_address, entry)
    report = BatchReport(entry, page=str(page))
    reception.reports.append(report)
    record.publish_text(f"{entry.use_case}-batch", f"**{report.outcome}** · {report.message}")
    (log.info if entry.decision in TAKEN else log.warning)("%s", report.message)
    if entry.decision in TAKEN:
        landing.put_away(delivery, "done")
    else:
        landing.put_away(delivery, "refused", "\n".join(entry.reasons))
