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
from tasks.adapters import home, landing, ledger, sheets, snapshots
from tasks.adapters.lake import Lake
from tasks.core import batch_page, deliveries, mending, names, splits
from tasks.core.deliveries import SHOWN_DIGITS, TAKEN, BatchEntry, BatchReport, BatchRows, Delivery, IngestReport
from tasks.core.errors import DataRefusedError, UsageError
from tasks.core.findings import Arrival, Inspection, Judgement
from tasks.core.formats.source import CHANGED, shown_url
from tasks.core.incidents import inspect_batch
from tasks.core.lake.values import LakeSnapshot, Terms
from tasks.core.mending import Aside
from tasks.core.profiles import Profile, profile_rows
from tasks.core.reading.reader import as_frame, as_rows
from tasks.core.snapshot import Batch
from tasks.core.use_case import LAKE
from tasks.record import task

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Iterator

    import numpy as np
    import pandas as pd

    from tasks.core.deliveries import Decision
    from tasks.core.lake.values import OpenRows, Receipt
    from tasks.core.options import IngestOptions
    from tasks.core.snapshot import Case
    from tasks.core.validation import Validation

# Columns of labels that come alone: what names a row where no columns do, and when it was seen what the label is.
ROW_KEY, OBSERVED = "row_key", "observed_at"
ZONED = "UTC"  # what reading says of times that name their zone
MISTYPED = 0.8  # a target that is as much like a column's name as this; at 0.6 `count` is like `month`
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
class Mending:
    """Rows that were set aside and come back.

    Attributes:
        before: The batch that they were set aside with.
        open: All rows of it that are still set aside.
        batch: Those that came back and can be read, under the lines of their sheet.
        places: Where each of these stood in that batch's delivery.
        failing: Why others that came back cannot be read, by the line of their sheet.
        passed: How many that came back had been mended before.
    """

    before: BatchEntry
    open: OpenRows
    batch: Batch
    places: np.ndarray
    failing: dict[int, str]
    passed: int


def prepare_stores(case: Case) -> None:
    """Create the ledger where it is missing, and remove what killed runs left behind."""
    settings = case.settings
    with home.lock(settings.home, "stores"):
        ledger.create(settings.ledger_address)
        if not settings.ledger_url:
            home.switch_to_wal(settings.home / "ledger.db")
    record.close_dead_runs()
    for folder in ("snapshots", "held", f"quarantine/{case.name}", "profiles", f"reports/{case.name}/batches"):
        (settings.home / folder).mkdir(parents=True, exist_ok=True)
        snapshots.remove_partials(settings.home / folder)


def open_reception(case: Case, options: IngestOptions) -> Reception:
    """List what has come: what a person names, or all that lies in the landing folder.

    Raises:
        UsageError: the call contradicts itself, or the landing folder cannot be used.
    """
    if options.because and not options.accept:
        message = "--because says why a batch is accepted; name it with --accept"
        raise UsageError(message, where="--because")
    _check_terms(case)
    if options.data is None and case.use_case.landing:
        come = landing.arrived(case.settings.project / case.use_case.landing)
        return Reception(case, tuple(delivery for delivery in come if delivery.kind == "labels" or not options.labels))
    source = case.use_case.data
    if source == LAKE:
        message = f"name what came for {case.name}: a file, folder, URL or database; or set landing: in its use case"
        raise UsageError(message, where="--data")
    name = shown_url(source) if "://" in source else source if ":" in source else Path(source).name
    return Reception(case, (Delivery(name, source, kind="labels" if options.labels else "rows"),))


def _check_terms(case: Case) -> None:
    """Refuse a key or a target that are not those that the lake of the use case was begun with, for it keeps to them.

    Raises:
        UsageError: naming both.
    """
    begun, use_case = Lake(case.settings.lake_address, case.name).begun_with(), case.use_case
    if begun is None:
        return
    for what, then, now in (("key", begun.key, use_case.key), ("target", (begun.target,), (use_case.target or begun.target,))):
        if then != now:
            kept, said = (", ".join(filter(None, names)) or "none" for names in (then, now))
            message = (
                f"the lake of {case.name} was begun with {what} {kept}, and now it is to be {said}; say the same, or begin another use case"
            )
            raise UsageError(message, where=what)


def come_in(reception: Reception) -> Iterator[Delivery]:
    """Yield one delivery after the other, each in the state that it is in when its turn comes."""
    for delivery in reception.deliveries:
        if landing.is_gone(delivery):
            log.info("%s is gone; another run has taken it", delivery.name)
        else:
            yield landing.as_it_is(delivery)


@contextmanager
def taking(reception: Reception, delivery: Delivery) -> Generator[None]:
    """Refuse a delivery that cannot be read or stored, and let the next one come; what another run has taken is none of ours.

    Raises:
        UsageError: a person named what cannot be read, or more is wrong than this delivery.
    """
    log.info("taking %s", delivery.name)
    try:
        yield
    except (DataRefusedError, UsageError) as error:
        if landing.is_gone(delivery):
            log.info("%s is gone; another run has taken it", delivery.name)
            return
        if isinstance(error, UsageError) and not (delivery.landing and error.where.startswith(delivery.source)):
            raise
        if delivery.landing and CHANGED in error.message:
            log.warning("left where it is: %s", error.message)
            return
        digest = names.digest(delivery.name, error.message)
        _conclude(reception, delivery, _entry(reception, delivery, digest, "refused", (error.message,)))


def check_key(reception: Reception, delivery: Delivery, batch: Batch) -> None:
    """Refuse what does not say which rows it is about.

    Raises:
        DataRefusedError: a key column is missing, or labels come alone where rows have no key.
    """
    case, columns = reception.case, snapshots.column_names(batch.path)
    begun = Lake(case.settings.lake_address, case.name).begun_with()
    key = (begun or case.use_case).key
    if delivery.kind == "labels" and not key and ROW_KEY not in columns:
        how = "begin another use case that has one" if begun else "name its columns there before the first rows come"
        message = f"labels that come alone find their rows by key:, and {case.name} has none, nor can its lake get one later; {how}"
        raise DataRefusedError(message, where="key")
    if absent := [name for name in key if name not in columns]:
        near = get_close_matches(absent[0], columns, n=1)
        meant = f"did you mean '{near[0]}'?" if near else "bring it"
        message = f"there is no column '{absent[0]}', which names the rows of {case.name}; {meant}"
        raise DataRefusedError(message, where=absent[0])


def is_sheet(batch: Batch) -> bool:
    """Say whether what came are rows that were set aside, mended."""
    return mending.is_sheet(snapshots.column_names(batch.path))


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
    if lake.begun_with() is None and get_close_matches(target, columns, cutoff=MISTYPED):
        refused = UsageError.unknown("column", target, columns, where="target")
        message = f"{refused.message}; if labels come later, begin with rows that have theirs"
        raise UsageError(message, where="target")
    log.warning("the rows come without labels: there is no column '%s'", target)
    kind = lake.target_kind()
    frames = (df.assign(**{target: _missing(len(df), kind)}) for df in snapshots.read_frames(batch.path))
    path = snapshots.write_frames(frames, batch.path.parent, f"{batch.digest}-without-labels")
    return dataclasses.replace(batch, path=path)


def in_utc(batch: Batch) -> Batch:
    """Take when labels were observed as times in UTC, in which all times are read; a date is its midnight."""
    if OBSERVED not in snapshots.column_names(batch.path):
        return batch
    times = snapshots.read_column(batch.path, OBSERVED)
    if times.dtype.kind != "M":
        return batch
    if ZONED not in batch.evidence.get(OBSERVED, "") and (times.dropna() != times.dropna().dt.normalize()).any():
        log.warning("'%s' names no zone that can be told; its times are taken as UTC", OBSERVED)
    frames = (df.assign(**{OBSERVED: df[OBSERVED].dt.tz_localize("UTC")}) for df in snapshots.read_frames(batch.path))
    path = snapshots.write_frames(frames, batch.path.parent, f"{batch.digest}-in-utc")
    return dataclasses.replace(batch, path=path)


def _missing(rows: int, kind: str) -> pd.Series[Any]:
    import pandas as pd

    return pd.Series([None] * rows, dtype=kind)


@task
def inspect(reception: Reception, delivery: Delivery, batch: Batch, validation: Validation) -> Judgement:
    """Find out whether the data themselves show damage, beside the champion's rows and the batches that were taken before."""
    use_case, target = reception.case.use_case, reception.lake(batch).terms.target
    profile = profile_rows(snapshots.read_frames(batch.path), pii=_personal(reception, batch))
    entries = [e for e in reception.entries if e.decision in TAKEN and e.profile and e.digest != batch.delivered]
    past = [Arrival(e.name, deliveries.profile_of(e, without=target), deliveries.arrived_us(e)) for e in entries]
    if not past:
        return Judgement(validation, profile, Inspection(()))
    champions = _champions_profile(reception)
    reference = deliveries.without_column(champions, target) if champions else past[0].profile
    now = Arrival(delivery.name, deliveries.without_column(profile, target), datetime.now(UTC).timestamp() * 1e6)
    return Judgement(validation, profile, inspect_batch(now, reference, past, time=use_case.time))


@task
def take(reception: Reception, delivery: Delivery, batch: Batch, judgement: Judgement, because: str = "") -> None:
    """Let the lake take a batch in; hold it where something speaks against it and no person has accepted it.

    Rows that an expectation sets aside are set aside in either case; those that the batch was refused for come in with it.

    Raises:
        DataRefusedError: the lake cannot keep the rows as they are.
        StoreError: a store cannot be written.
    """
    if judgement.against and not because:
        _hold(reception, delivery, batch, judgement)
        return
    lake, validation = reception.lake(batch), judgement.validation
    if lake.begun_with() is None and validation.quarantined == len(batch.lines):
        _, (reason, *_) = validation.set_aside(0, len(batch.lines))
        message = f"no lake begins without a row, and all of these are set aside, the first because {reason}"
        raise DataRefusedError(message, where=delivery.name)
    kept, told = _fit(lake, _kept(batch, validation), judgement.inspection)
    asides = map(sheets.for_quarantine, _asides(batch, validation))
    rows = _rows_of(lake, lake.append(batch.delivered, kept, arrived_at=datetime.now(UTC), aside=asides))
    decision: Decision = "accepted" if because else "ingested"
    entry = _entry(reception, delivery, batch.delivered, decision, (*judgement.against, *judgement.noted, *told))
    entry = dataclasses.replace(entry, rows=rows, because=because, profile=judgement.profile.to_json())
    _conclude(reception, delivery, entry, judgement, batch)


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


@task
def find_mended(reception: Reception, delivery: Delivery, sheet: Batch) -> Mending | None:
    """Find the rows of a sheet that are still set aside, and read them; None where all of them are in already.

    Raises:
        DataRefusedError: a row does not say which it was, or none can be read.
    """
    df, case = snapshots.read(sheet.path), reception.case
    digits, places = mending.places_of(df[mending.ROW], sheet.lines)
    before, lake = deliveries.find_mended(reception.entries, digits, case.name), reception.lake()
    rows = lake.open_rows(before.digest)
    _record_cut_off(reception, delivery, before, rows)
    is_open = _is_in(places, rows.rows)
    if not is_open.any():
        _tell_known(reception, delivery, before)
        return None
    cells, lines = df.drop(columns=[*mending.HELPERS], errors="ignore")[is_open].reset_index(drop=True), sheet.lines[is_open]
    values, failing = mending.read_cells(cells, lake.columns(), lines, case.use_case.pii)
    is_read = ~_is_in(lines, list(failing))
    if not is_read.any():
        raise DataRefusedError(_say_failing(delivery, failing), where=delivery.name)
    values = values[is_read].reset_index(drop=True)
    digest = splits.content_digest(values)
    batch = Batch(snapshots.write(values, case.settings.home / "snapshots", digest), digest, delivery.name, lines[is_read])
    return Mending(before, rows, complete(reception, batch), places[is_open][is_read], failing, int((~is_open).sum()))


@task
def mend(reception: Reception, delivery: Delivery, mended: Mending, validation: Validation) -> None:
    """Let the lake take in the rows that are mended; the rest stay set aside, and their sheet may come again.

    Raises:
        DataRefusedError: none is mended, or the lake cannot keep them as they are.
        StoreError: a store cannot be written, or others of these rows were mended meanwhile.
    """
    alone = validation.of_rows_alone()
    if why := alone.refusal:
        message = f"{alone.suite}: {why}; see that the sheet has all its columns"
        raise DataRefusedError(message, where=delivery.name)
    df, lines = snapshots.read(mended.batch.path), mended.batch.lines
    bad, reasons = alone.set_aside(0, len(df))
    failing = dict(sorted({**mended.failing, **dict(zip(lines[bad].tolist(), reasons.tolist(), strict=True))}.items()))
    is_good = ~_is_in(lines, list(failing))
    if not is_good.any():
        raise DataRefusedError(_say_failing(delivery, failing), where=delivery.name)
    places, lake = mended.places[is_good], reception.lake()
    digest = names.digest(mended.before.digest, mended.batch.digest, *map(str, places))
    rows = df[is_good].reset_index(drop=True)
    receipt = lake.mend(digest, rows, places, of=mended.open, arrived_at=datetime.now(UTC))
    told = [_say_failing(delivery, failing)] if failing else []
    told += [f"{mended.passed:,} had been mended before"] if mended.passed else []
    entry = _entry(reception, delivery, digest, "mended", tuple(told))
    _conclude(reception, delivery, dataclasses.replace(entry, rows=_moved(_rows_of(lake, receipt)), mends=mended.before.digest))


def find_waiting(case: Case, options: IngestOptions) -> tuple[Reception, Delivery, Batch]:
    """Find a batch that waits for a person, with its rows as they came.

    Raises:
        UsageError: there is none like that, or no reason is given, or the lake was begun on other terms.
    """
    _check_terms(case)
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


def _personal(reception: Reception, batch: Batch) -> Collection[str]:
    """Name the columns that may hold personal values: where some do, also those that nobody has looked at yet."""
    pii, came, lake = set(reception.case.use_case.pii), set(snapshots.column_names(batch.path)), reception.lake(batch)
    if not pii:
        return pii
    if lake.begun_with() is None:
        return pii if pii <= came else came
    return pii | (came - {*lake.columns().names, lake.terms.target})


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


def _kept(batch: Batch, validation: Validation) -> Iterator[pd.DataFrame]:
    """Yield the rows that are not set aside."""
    import numpy as np

    start = 0
    for df in snapshots.read_frames(batch.path):
        rows, _ = validation.set_aside(start, start + len(df))
        yield df.iloc[np.delete(np.arange(len(df)), rows)].reset_index(drop=True) if len(rows) else df
        start += len(df)


def _asides(batch: Batch, validation: Validation) -> Iterator[Aside]:
    """Yield the rows that are set aside: those that fail, and then those that could not be read."""
    start = 0
    for df in snapshots.read_frames(batch.path) if validation.quarantined else ():
        rows, reasons = validation.set_aside(start, start + len(df))
        if len(rows):
            yield Aside(df.iloc[rows], start + rows + 1, batch.lines[start + rows], reasons)
        start += len(df)
    yield from mending.unread(batch.aside, snapshots.column_names(batch.path), len(batch.lines) + 1)


def _fit(lake: Lake, frames: Iterable[pd.DataFrame], inspection: Inspection) -> tuple[Iterable[pd.DataFrame], tuple[str, ...]]:
    """Leave new columns out and fill missing ones in, as far as a person has been told and did not mind; the lake refuses others."""
    new, missing = inspection.columns("column-new"), inspection.columns("column-missing")
    if lake.begun_with() is None or not new + missing:
        return frames, ()
    told = [f"column '{name}' is left out: the lake keeps the columns that it was begun with" for name in new]
    told += [f"column '{name}' is taken as empty" for name in missing]
    return (df.drop(columns=new).assign(**dict.fromkeys(missing)) for df in frames), tuple(told)


def _rows_of(lake: Lake, receipt: Receipt) -> BatchRows:
    """Say where the rows of a batch are: by its receipt, or by the lake where it was there already."""
    held = receipt if receipt.is_new else next(arrival for arrival in lake.batches() if arrival.batch == receipt.batch)
    labelled, unlabelled = held.labels, held.observations - held.labels
    return BatchRows(read=held.observations + held.quarantined, labelled=labelled, unlabelled=unlabelled, quarantined=held.quarantined)


def _moved(rows: BatchRows) -> BatchRows:
    """Count rows that were read with another batch, and leave its quarantine."""
    return rows.model_copy(update={"read": 0, "quarantined": -(rows.labelled + rows.unlabelled)})


def _is_in(values: np.ndarray, those: object) -> np.ndarray:
    import numpy as np

    return np.isin(values, np.asarray(those, dtype=np.int64))


def _say_failing(delivery: Delivery, failing: dict[int, str]) -> str:
    line, why = next(iter(failing.items()))
    rows = "1 row is" if len(failing) == 1 else f"{len(failing):,} rows are"
    return f"{rows} still set aside, the first on line {line} of {delivery.name}: {why}; mend and deliver it again"


def _record_cut_off(reception: Reception, delivery: Delivery, before: BatchEntry, rows: OpenRows) -> None:
    """Write down what a run had mended that was killed before it could."""
    lake, known = reception.lake(), {entry.digest for entry in reception.entries}
    for arrival in lake.batches() if rows.mended_with - known else ():
        if arrival.batch in rows.mended_with - known:
            counted = BatchRows(labelled=arrival.labels, unlabelled=arrival.observations - arrival.labels)
            entry = _entry(reception, delivery, arrival.batch, "mended", ("a run that was cut off had taken them in",))
            _write_down(reception, dataclasses.replace(entry, rows=_moved(counted), mends=before.digest))


def _tell_known(reception: Reception, delivery: Delivery, before: BatchEntry) -> None:
    last = next((entry for entry in reversed(reception.entries) if entry.mends == before.digest and entry.decision in TAKEN), None)
    if last is None:
        message = (
            f"no row of {delivery.name} is set aside with batch {before.digest[:SHOWN_DIGITS]}; deliver new rows in a file of their own"
        )
        raise DataRefusedError(message, where=delivery.name)
    landing.put_away(delivery, "done")
    reception.reports.append(BatchReport(dataclasses.replace(last, name=delivery.name), is_known=True))


def _champions_profile(reception: Reception) -> Profile | None:
    """Give the profile of the rows that the champion was made from, taken once; None where they are not of the lake."""
    case, settings = reception.case, reception.case.settings
    line = ledger.line_of_champions(settings.ledger_address, case.name)
    if not line or not line[-1].lake:
        return None
    snapshot, pii = LakeSnapshot.from_text(line[-1].lake), sorted(case.use_case.pii)
    path = settings.home / "profiles" / f"{case.name}-{names.digest(snapshot.digest, *pii)[:16]}.json"
    if not path.exists():
        log.info("looking at the %s rows of the champion, once", f"{snapshot.rows:,}")
        snapshots.write_text(profile_rows(reception.lake().read_chunks(snapshot), pii=pii).to_json(), path)
    return Profile.from_json(path.read_text(encoding="utf-8"), where=str(path))


def _entry(reception: Reception, delivery: Delivery, digest: str, decision: Decision, reasons: tuple[str, ...]) -> BatchEntry:
    who, now = f"{getpass.getuser()}@{socket.gethostname()}", datetime.now(UTC).isoformat(timespec="seconds")
    return BatchEntry(reception.case.name, digest, decision, delivery.name, delivery.kind, BatchRows(), reasons, who, now)


def _conclude(
    reception: Reception, delivery: Delivery, entry: BatchEntry, judgement: Judgement | None = None, batch: Batch | None = None
) -> None:
    """Write everything down, and then move the delivery out of the way, so that a kill loses none."""
    _write_down(reception, entry, judgement, batch)
    if entry.decision in TAKEN:
        landing.put_away(delivery, "done")
    else:
        landing.put_away(delivery, "refused", "\n".join(entry.reasons))


def _write_down(reception: Reception, entry: BatchEntry, judgement: Judgement | None = None, batch: Batch | None = None) -> None:
    """Write the sheet of rows to mend, the page and the decision; in this order, for what is decided is not looked at again."""
    settings, pii = reception.case.settings, reception.case.use_case.pii
    before = next((e for e in reversed(reception.entries) if e.decision in TAKEN and e.profile and e.digest != entry.digest), None)
    sheet = _write_sheet(settings.home, entry, batch, judgement) if batch and judgement and entry.rows.quarantined > 0 else ""
    examples = sheets.first_rows(_asides(batch, judgement.validation), batch_page.SHOWN_ROWS) if batch and judgement and sheet else ()
    page = settings.home / "reports" / entry.use_case / "batches" / f"{entry.digest[:16]}-{entry.decision}.html"
    snapshots.write_text(batch_page.build(entry, judgement, before, examples, sheet, pii), page)
    is_known = not ledger.record(settings.ledger_address, entry) and entry.decision in TAKEN
    if is_known:  # another run was faster, and its word stands
        entry = next(e for e in reception.entries if (e.digest, e.decision) == (entry.digest, entry.decision))
        snapshots.write_text(batch_page.build(entry, judgement, before, examples, sheet, pii), page)
    report = BatchReport(entry, is_known=is_known, page=str(page), sheet=sheet)
    reception.reports.append(report)
    record.publish_text(f"{entry.use_case}-batch", f"**{report.outcome}** · {report.message}")
    (log.info if entry.decision in TAKEN else log.warning)("%s", report.message)


def _write_sheet(home: Path, entry: BatchEntry, batch: Batch, judgement: Judgement) -> str:
    parts = sheets.write(_asides(batch, judgement.validation), snapshots.column_names(batch.path), entry.digest)
    return str(snapshots.write_parts(parts, home / "quarantine" / entry.use_case / f"{entry.digest[:16]}.csv"))
