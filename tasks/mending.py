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
from tasks.core.profiles import Profile
from tasks.core.snapshot import Batch
from tasks.reception import rows_of, tell_columns
from tasks.record import task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from tasks.adapters.lake import Lake
    from tasks.core.lake.known import Looked
    from tasks.core.lake.values import OpenRows
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
    """

    before: BatchEntry
    open: OpenRows
    batch: Batch
    places: np.ndarray
    failing: dict[int, str]
    passed: int
    told: tuple[str, ...]


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
        _tell_known(reception, delivery, before)
        return None
    cells, lines = df.drop(columns=[*mending.HELPERS], errors="ignore")[is_open].reset_index(drop=True), sheet.lines[is_open]
    cells, told = _as_came_in(cells, lake, before)
    values, failing = mending.read_cells(cells, lake.label_columns() if of_labels else lake.columns(), lines, case.use_case.pii)
    is_read = ~_is_in(lines, list(failing))
    if not is_read.any():
        raise DataRefusedError(_say_failing(delivery, failing), where=delivery.name)
    values = values[is_read].reset_index(drop=True)
    digest = splits.content_digest(values)
    batch = Batch(snapshots.write(values, case.settings.home / "snapshots", digest), digest, delivery.name, lines[is_read])
    return Mending(before, rows, batch, places[is_open][is_read], failing, int((~is_open).sum()), told)


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
    taken, looked = _meet(lake, rows, lines[is_good], failing)
    if not taken.any():
        raise DataRefusedError(_say_failing(delivery, failing), where=delivery.name)
    places, rows = places[taken], rows[taken].reset_index(drop=True)
    digest = names.digest(mended.before.digest, mended.batch.digest, *map(str, places))
    receipt = lake.mend(digest, rows, places, of=mended.open, arrived_at=datetime.now(UTC), looked=looked)
    _conclude(reception, delivery, mended, rows_of(lake, receipt, len(rows)), digest, failing)


@task
def mend_labels(reception: Reception, delivery: Delivery, mended: Mending) -> None:
    """Let the lake take in the labels that are mended; the rest stay set aside, and their sheet may come again.

    Raises:
        DataRefusedError: none is mended, or the lake cannot keep them as they are.
        StoreError: a store cannot be written, or others of these labels were mended meanwhile.
    """
    df, lines, lake = snapshots.read(mended.batch.path), mended.batch.lines, reception.lake()
    failing = dict(mended.failing)
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


def _meet(lake: Lake, rows: pd.DataFrame, lines: np.ndarray, failing: dict[int, str]) -> tuple[np.ndarray, Looked | None]:
    """Say which rows have a key of their own, note why the others fail, and what the lake was like."""
    import numpy as np

    encounter, is_new = lake.encounter(lambda columns: iter([rows[[*columns]] if columns else rows])), np.ones(len(rows), dtype=bool)
    if encounter is None:
        return is_new, None
    settled = encounter.meeting.settle()
    failing |= dict(zip(lines[settled.differing].tolist(), encounter.reasons(settled), strict=True))
    failing |= dict.fromkeys(lines[settled.known].tolist(), "its key came before with the same values; take it out of the sheet")
    is_new[[*settled.differing, *settled.known]] = False
    return is_new, encounter.looked


def _as_came_in(cells: pd.DataFrame, lake: Lake, before: BatchEntry) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Leave out new columns and fill in missing ones where that was done with the batch that the rows first came with."""
    if not before.profile:
        return cells, ()
    came = Profile.from_json(before.profile, where=f"the profile of {before.name} in the ledger").names
    kept = [name for name in lake.columns().names if name != lake.terms.target]
    new = [name for name in cells.columns if name in came and name not in (*kept, lake.terms.target)]
    missing = [name for name in kept if name not in (*came, *cells.columns)]
    return cells.drop(columns=new).assign(**dict.fromkeys(missing, "")), tell_columns(new, missing)


def _moved(rows: BatchRows) -> BatchRows:
    """Count rows that were read with another batch, and leave its quarantine."""
    return rows.model_copy(update={"read": 0, "quarantined": -(rows.labelled + rows.unlabelled)})


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
    for arrival in lake.batches() if rows.mended_with - known else ():
        if arrival.batch in rows.mended_with - known:
            counted = BatchRows(labelled=arrival.labels, unlabelled=max(0, arrival.observations - arrival.labels))
            entry = reception.entry(delivery, arrival.batch, "mended", ("a run that was cut off had taken them in",))
            reception.write_down(dataclasses.replace(entry, rows=_moved(counted), kind=before.kind, mends=before.digest))


def _tell_known(reception: Reception, delivery: Delivery, before: BatchEntry) -> None:
    last = next((entry for entry in reversed(reception.entries) if entry.mends == before.digest and entry.decision in TAKEN), None)
    if last is None:
        message = (
            f"no row of {delivery.name} is set aside with batch {before.digest[:SHOWN_DIGITS]}; deliver new rows in a file of their own"
        )
        raise DataRefusedError(message, where=delivery.name)
    reception.tell_known(delivery, last)
