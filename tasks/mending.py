"""Verbs on rows that were set aside and come back mended."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tasks.adapters import snapshots
from tasks.core import deliveries, mending, names, splits
from tasks.core.deliveries import SHOWN_DIGITS, TAKEN, BatchEntry, BatchRows, Delivery
from tasks.core.errors import DataRefusedError
from tasks.core.parts import Scope
from tasks.core.profiles import Profile
from tasks.core.snapshot import Batch
from tasks.reception import rows_of, tell_columns
from tasks.record import task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from tasks.adapters.lake import Lake
    from tasks.core.lake.known import Looked
    from tasks.core.lake.values import Arrival, OpenRows
    from tasks.core.validation import Validation
    from tasks.reception import Reception


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
        told: What became of columns that the lake does not have, and of those that did not come.
        missing: The latter.
    """

    before: BatchEntry
    open: OpenRows
    batch: Batch
    places: np.ndarray
    failing: dict[int, str]
    passed: int
    told: tuple[str, ...]
    missing: tuple[str, ...] = ()

    @property
    def asked(self) -> Scope:
        """Say what of the suite the rows are asked: not for what never came."""
        return Scope(unasked=self.missing)


def is_sheet(batch: Batch) -> bool:
    """Say whether what came are rows that were set aside, mended."""
    return mending.is_sheet(snapshots.column_names(batch.path))


@task
def find_mended(reception: Reception, delivery: Delivery, sheet: Batch) -> Mending | None:
    """Find the rows of a sheet that are still set aside, and read them; None where all of them are in already.

    Raises:
        DataRefusedError: a row does not say which it was, or none can be read.
    """
    df, case = snapshots.read(sheet.path), reception.case
    digits, places = mending.places_of(df[mending.ROW], sheet.lines)
    before, lake = deliveries.find_mended(reception.entries, digits, case.name), reception.lake()
    of_labels = before.kind == "labels"
    rows = lake.open_rows(before.digest, of_labels=of_labels)
    _record_cut_off(reception, delivery, before, rows)
    is_open = _is_in(places, rows.rows)
    if not is_open.any():
        _tell_known(reception, delivery, before, {rows.mended[place] for place in places.tolist() if place in rows.mended})
        return None
    cells, lines = df.drop(columns=[*mending.HELPERS], errors="ignore")[is_open].reset_index(drop=True), sheet.lines[is_open]
    new, missing = ((), ()) if of_labels else _other_columns(cells, lake, before)
    cells = cells.drop(columns=[*new]).assign(**dict.fromkeys(missing, ""))
    values, failing = mending.read_cells(cells, lake.label_columns() if of_labels else lake.columns(), lines, case.use_case.pii)
    is_read = ~_is_in(lines, list(failing))
    if not is_read.any():
        raise DataRefusedError(_say_failing(delivery, failing), where=delivery.name)
    values = values[is_read].reset_index(drop=True)
    digest = splits.content_digest(values)
    batch = Batch(snapshots.write(values, case.settings.home / "snapshots", digest), digest, delivery.name, lines[is_read])
    return Mending(before, rows, batch, places[is_open][is_read], failing, int((~is_open).sum()), tell_columns(new, missing), missing)


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
    failing = {**mended.failing, **dict(zip(lines[bad].tolist(), reasons.tolist(), strict=True))}
    is_good = ~_is_in(lines, list(failing))
    if not is_good.any():
        raise DataRefusedError(_say_failing(delivery, failing), where=delivery.name)
    places, lake = mended.places[is_good], reception.lake()
    rows = df[is_good].reset_index(drop=True)
    met = _meet(lake, rows, lines[is_good], failing)
    taken = met.is_new | met.is_late
    if not taken.any():
        raise DataRefusedError(_say_failing(delivery, failing), where=delivery.name)
    digest = names.digest(mended.before.digest, mended.batch.digest, *map(str, places[taken]))
    new, late = ((rows[those].reset_index(drop=True), places[those]) for those in (met.is_new, met.is_late))
    receipt = lake.mend(digest, *new, late=late, of=mended.open, arrived_at=datetime.now(UTC), looked=met.looked)
    _conclude(reception, delivery, mended, rows_of(lake, receipt, int(taken.sum())), digest, failing)


@task
def mend_labels(reception: Reception, delivery: Delivery, mended: Mending, validation: Validation) -> None:
    """Let the lake take in the labels that are mended; the rest stay set aside, and their sheet may come again.

    Raises:
        DataRefusedError: none is mended, or the lake cannot keep them as they are.
        StoreError: a store cannot be written, or others of these labels were mended meanwhile.
    """
    df, lines, lake = snapshots.read(mended.batch.path), mended.batch.lines, reception.lake()
    bad, reasons = validation.of_rows_alone().set_aside(0, len(df))
    failing = {**mended.failing, **dict(zip(lines[bad].tolist(), reasons.tolist(), strict=True))}
    for name in (name for name in lake.label_columns().names[:-1] if name in df):
        failing |= dict.fromkeys(lines[df[name].isna()].tolist(), f"'{name}' is empty")
    is_good = ~_is_in(lines, list(failing))
    if not is_good.any():
        raise DataRefusedError(_say_failing(delivery, failing), where=delivery.name)
    places, rows = mended.places[is_good], df[is_good].reset_index(drop=True)
    digest = names.digest(mended.before.digest, mended.batch.digest, *map(str, places))
    lake.mend_labels(digest, rows, places, of=mended.open, arrived_at=datetime.now(UTC))
    _conclude(reception, delivery, mended, BatchRows(labelled=len(rows)), digest, failing)


def _conclude(reception: Reception, delivery: Delivery, mended: Mending, rows: BatchRows, digest: str, failing: dict[int, str]) -> None:
    told = [*mended.told, *([_say_failing(delivery, failing)] if failing else [])]
    told += [f"{mended.passed:,} had been mended before"] if mended.passed else []
    entry, before = reception.entry(delivery, digest, "mended", tuple(told)), mended.before
    reception.conclude(delivery, dataclasses.replace(entry, rows=_moved(rows), kind=before.kind, mends=before.digest))


@dataclass(frozen=True)
class _Met:
    """What rows find in the lake: no row of their key, or one that lacks the label that they bring, and what the lake was like."""

    is_new: np.ndarray
    is_late: np.ndarray
    looked: Looked | None = None


def _meet(lake: Lake, rows: pd.DataFrame, lines: np.ndarray, failing: dict[int, str]) -> _Met:
    """Say which rows come in, and note why the others fail."""
    import numpy as np

    encounter = lake.encounter(lambda columns: iter([rows[[*columns]] if columns else rows]))
    met = _Met(np.ones(len(rows), dtype=bool), np.zeros(len(rows), dtype=bool), encounter.looked if encounter else None)
    if encounter is None:
        return met
    settled = encounter.meeting.settle()
    known = np.setdiff1d(settled.known, settled.late)
    failing |= dict(zip(lines[settled.differing].tolist(), encounter.reasons(settled), strict=True))
    failing |= dict.fromkeys(lines[known].tolist(), "its key came before with the same values; take it out of the sheet")
    met.is_new[[*settled.differing, *settled.known]] = False
    met.is_late[settled.late] = True
    return met


def _other_columns(cells: pd.DataFrame, lake: Lake, before: BatchEntry) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name the columns that were left out and those that were taken as empty with the batch that the rows first came with."""
    if not before.profile:
        return (), ()
    came = Profile.from_json(before.profile, where=f"the profile of {before.name} in the ledger").names
    kept = [name for name in lake.columns().names if name != lake.terms.target]
    new = tuple(name for name in cells.columns if name in came and name not in (*kept, lake.terms.target))
    return new, tuple(name for name in kept if name not in (*came, *cells.columns))


def _moved(rows: BatchRows) -> BatchRows:
    """Count rows that were read with another batch, and leave its quarantine."""
    return rows.model_copy(update={"read": 0, "quarantined": -(rows.labelled + rows.unlabelled + rows.known)})


def _is_in(values: np.ndarray, those: object) -> np.ndarray:
    import numpy as np

    return np.isin(values, np.asarray(those, dtype=np.int64))


def _say_failing(delivery: Delivery, failing: dict[int, str]) -> str:
    line, why = min(failing.items())
    rows = "1 row is" if len(failing) == 1 else f"{len(failing):,} rows are"
    return f"{rows} still set aside, the first on line {line} of {delivery.name}: {why}; mend and deliver it again"


def _record_cut_off(reception: Reception, delivery: Delivery, before: BatchEntry, rows: OpenRows) -> None:
    """Write down what a run had mended that was killed before it could."""
    lake, known = reception.lake(), {entry.digest for entry in reception.entries}
    mended = list(rows.mended.values())
    for arrival in lake.batches() if {*mended} - known else ():
        if arrival.batch in {*mended} - known:
            entry = reception.entry(delivery, arrival.batch, "mended", ("a run that was cut off had taken them in",))
            counted = _counted(arrival, mended.count(arrival.batch), before)
            reception.write_down(dataclasses.replace(entry, rows=_moved(counted), kind=before.kind, mends=before.digest))


def _counted(arrival: Arrival, mended: int, before: BatchEntry) -> BatchRows:
    """Say where mended rows went; those that are no rows of the lake brought the label of one."""
    late = mended - arrival.observations if before.kind == "rows" else 0
    labelled = arrival.labels - late
    return BatchRows(labelled=labelled, unlabelled=max(0, arrival.observations - labelled), known=late)


def _tell_known(reception: Reception, delivery: Delivery, before: BatchEntry, mended_with: set[str]) -> None:
    """Say with which batch the rows of a sheet came in."""
    last = next((entry for entry in reversed(reception.entries) if entry.digest in mended_with and entry.decision in TAKEN), None)
    if last is None:
        message = (
            f"no row of {delivery.name} is set aside with batch {before.digest[:SHOWN_DIGITS]}; deliver new rows in a file of their own"
        )
        raise DataRefusedError(message, where=delivery.name)
    reception.tell_known(delivery, last)
