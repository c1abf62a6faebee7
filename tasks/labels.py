"""Verbs on labels that come alone."""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from tasks.adapters import sheets, snapshots
from tasks.core import mending, names
from tasks.core.deliveries import OBSERVED, TAKEN, VALUE, BatchEntry, BatchRows, Delivery
from tasks.core.errors import DataRefusedError
from tasks.core.findings import Inspection, Judgement
from tasks.core.mending import Aside, Pile
from tasks.core.profiles import Profile, profile_rows
from tasks.core.row_sets import RowSet
from tasks.core.validation import ExpectationResult
from tasks.reception import Reception, failing
from tasks.record import task

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    import pandas as pd

    from tasks.adapters.lake import Lake
    from tasks.core.lake.values import Receipt
    from tasks.core.snapshot import Batch
    from tasks.core.validation import Validation

SHOWN_KEYS = 20
ZONED = "UTC"  # what reading says of times that name their zone
log = logging.getLogger("evergreen")


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


def is_known(reception: Reception, delivery: Delivery, batch: Batch) -> bool:
    """Say whether labels were taken or dismissed before; where other labels came since, say how these can hold again.

    Raises:
        DataRefusedError: other content was taken under the same name.
    """
    known = reception.find_taken(delivery, batch.delivered)
    if known is None:
        if dismissed := reception.find_dismissed(batch.delivered):
            reception.tell_known(delivery, dismissed)
        return dismissed is not None
    lake = reception.lake()
    overruled = lake.count_overruled(_named(lake, _alone(lake, batch)[0])) if known.kind == "labels" else 0
    is_dated = OBSERVED in snapshots.column_names(batch.path)
    if overruled and not is_dated and delivery.name != known.name and _taken(reception, _digest_again(delivery, batch)) is None:
        return False
    how = "was observed later" if is_dated else "came by now, and to set these again, deliver the file under another name"
    told = f"for {overruled:,} of its keys another label {how}"
    reception.tell_known(delivery, dataclasses.replace(known, reasons=(told,) if overruled else ()))
    return True


@dataclass(frozen=True)
class Labels:
    """Labels that come alone.

    Attributes:
        came: All that came, less what is left out.
        digest: What they are known by.
        batch: Those that say which row they belong to, and what its label is.
        places: Where each of these stands among all.
        left_out: Says which columns are.
    """

    came: Batch
    digest: str
    batch: Batch
    places: np.ndarray
    left_out: tuple[str, ...] = ()


@task
def find_labels(reception: Reception, delivery: Delivery, batch: Batch) -> Labels:
    """Find what a delivery says of which rows.

    Raises:
        DataRefusedError: there are no rows that it could be about, or it says nothing.
    """
    import numpy as np

    lake = reception.lake()
    if lake.begun_with() is None:
        message = f"{reception.case.name} has no rows that labels could belong to; ingest rows first"
        raise DataRefusedError(message, where=delivery.name)
    batch, left_out = _alone(lake, batch)
    value = lake.terms.target or VALUE
    says = [name for name in _says(lake) if name in snapshots.column_names(batch.path)]
    places = np.flatnonzero(np.concatenate([df.notna().all(axis=1) for df in snapshots.read_frames(batch.path, columns=says)]))
    if not len(places):
        raise DataRefusedError(_say_none(batch, _asides(lake, batch), value), where=delivery.name)
    digest = _digest_again(delivery, batch) if _taken(reception, batch.delivered) else batch.delivered
    path = snapshots.write_frames(_those(batch, says), batch.path.parent, f"{batch.digest}-labels")
    return Labels(batch, digest, dataclasses.replace(batch, path=path, lines=batch.lines[places], aside=()), places, left_out)


def _says(lake: Lake) -> list[str]:
    """Name the columns that say which row a label belongs to, and what it is."""
    return [*lake.names_rows_by(), lake.terms.target or VALUE]


def _alone(lake: Lake, batch: Batch) -> tuple[Batch, tuple[str, ...]]:
    """Leave out what labels are not taken from, and say so; where a column is missing that they are taken from, leave out nothing."""
    says, came = _says(lake), snapshots.column_names(batch.path)
    kept = [name for name in came if name in (*says, OBSERVED)]
    if len(kept) == len(came) or not {*says}.issubset(kept):
        return batch, ()
    others, own = (", ".join(map(repr, names)) for names in ([name for name in came if name not in kept], says))
    told = f"left out of what came with the labels: {others}; they are taken from {own} alone"
    frames = snapshots.read_frames(batch.path, columns=kept)
    path = snapshots.write_frames(frames, batch.path.parent, f"{batch.digest}-labels-alone")
    return dataclasses.replace(batch, path=path), (told,)


def _say_none(batch: Batch, asides: Iterator[Aside], value: str) -> str:
    """Say why no label of a delivery can be kept."""
    first = next(asides, None)
    line, reason = (first.lines[0], first.reasons[0]) if first else (next(iter(batch.lines), 1), f"'{value}' is empty")
    return f"none of these labels can be kept, the first on line {line} because {reason}"


@task
def inspect(reception: Reception, delivery: Delivery, labels: Labels, validation: Validation) -> Judgement:
    """Find out whether the data themselves show damage, beside labels that were taken before."""
    came, target, pii = labels.came, reception.target, reception.case.use_case.pii
    if target not in snapshots.column_names(came.path):
        return Judgement(validation, Profile(rows=0, columns=(), digest="", contents=""), Inspection(()))
    profile = profile_rows(snapshots.read_frames(came.path, columns=[target]), pii=pii)
    validation = dataclasses.replace(validation, results=(*validation.results, *_from_the_future(labels.batch)))
    return Judgement(validation, profile, reception.inspect(delivery, labels.digest, profile, len(came.lines) + len(came.aside)))


def _from_the_future(batch: Batch) -> Iterator[ExpectationResult]:
    """Find labels that no later one could ever correct; a day is left for zones that are not told."""
    import numpy as np

    if OBSERVED in snapshots.column_names(batch.path):
        latest = datetime.now(UTC) + timedelta(days=1)
        times = snapshots.read_column(batch.path, OBSERVED)
        is_wrong = np.asarray(times > latest, dtype=bool) if times.dtype.kind == "M" else np.zeros(len(times), dtype=bool)
        if is_wrong.any():
            told, rows = f"'{OBSERVED}' is never in the future", RowSet.where(is_wrong)
            yield ExpectationResult(told, "warning", success=False, failing_rows=rows, quarantine=True, columns=(OBSERVED,))


@task
def take(reception: Reception, delivery: Delivery, labels: Labels, judgement: Judgement, because: str = "") -> None:
    """Let the lake take labels in that come alone; those that cannot be read, fail, or do not say which row they belong to, are set aside.

    Labels are held where something speaks against them and no person has accepted them.

    Raises:
        DataRefusedError: none can be kept, or the lake cannot keep them as they are.
        StoreError: a store cannot be written.
    """
    lake, came, validation = reception.lake(), labels.came, judgement.validation
    pile = Pile(snapshots.column_names(came.path), partial(_all_asides, lake, labels, validation))
    if judgement.against and not because:
        entry = reception.held(delivery, came, labels.digest, judgement, _why_never(lake, labels, validation))
        reception.conclude(delivery, entry, judgement, pile, labels.batch)
        return
    if validation.quarantined == len(labels.places):
        _, (reason, *_) = validation.set_aside(0, len(labels.places))
        message = f"none of these labels can be kept, the first on line {labels.batch.lines[0]} because {reason}"
        raise DataRefusedError(message, where=delivery.name)
    aside = map(sheets.for_quarantine, pile.read())
    receipt = lake.append_labels(labels.digest, _kept(labels, validation), arrived_at=datetime.now(UTC), aside=aside)
    noted = (*judgement.against, *judgement.noted, *labels.left_out)
    entry = reception.entry(delivery, labels.digest, "accepted" if because else "ingested", noted)
    rowless, keys = lake.labels_without_row(labels.digest, SHOWN_KEYS)
    rows = _rows_of(lake, receipt, len(came.lines) + len(came.aside), rowless)
    told = _tell(lake, keys)
    if OBSERVED in pile.names and (overruled := lake.count_overruled(_kept(labels, validation))):
        told.append(f"for {overruled:,} of these keys a label holds that was observed later")
    profile = judgement.profile.to_json() if judgement.profile.columns else ""
    entry = dataclasses.replace(entry, rows=rows, reasons=(*told, *entry.reasons), because=because, profile=profile)
    pile = Pile(pile.names, lambda: mending.stored(lake.quarantined(labels.digest), pile.names))
    reception.conclude(delivery, entry, judgement, pile, labels.batch)


def _tell(lake: Lake, keys: list[str]) -> list[str]:
    """Say what the labels of the lake are, and which of a batch name no row."""
    counts = lake.count_labels()
    told = f"of all labels so far {counts.late:,} came late, {counts.corrected:,} corrected one before, {counts.unknown:,} name no row"
    return [told, *_tell_unknown(keys, is_hidden=bool({*lake.terms.key} & {*lake.terms.personal}))]


def _tell_unknown(keys: list[str], *, is_hidden: bool) -> list[str]:
    """Say which labels name no row, of a few more than are shown."""
    shown = "not shown: personal" if is_hidden else ", ".join(map(repr, keys[:SHOWN_KEYS])) + (", ..." if len(keys) > SHOWN_KEYS else "")
    return [f"labels of this batch that name no row: {shown}; they count as soon as their rows come"] if keys else []


def _taken(reception: Reception, digest: str) -> BatchEntry | None:
    return next((entry for entry in reception.entries if entry.digest == digest and entry.decision in TAKEN), None)


def _digest_again(delivery: Delivery, batch: Batch) -> str:
    """Name labels that came before and are delivered again under another name, because others came between."""
    return names.digest(batch.delivered, delivery.name)


def _named(lake: Lake, batch: Batch) -> Iterator[pd.DataFrame]:
    """Yield the labels that say which row they belong to; where the file cannot say it, all of them, for the lake to refuse."""
    key = lake.names_rows_by()
    for df in snapshots.read_frames(batch.path):
        yield df.dropna(subset=[name for name in key if name in df]).reset_index(drop=True)


def _those(batch: Batch, says: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Yield the labels that have a cell in each of some columns."""
    for df in snapshots.read_frames(batch.path):
        yield df.dropna(subset=[*says]).reset_index(drop=True)


def _kept(labels: Labels, validation: Validation) -> Iterator[pd.DataFrame]:
    """Yield the labels that are not set aside."""
    start = 0
    for df in snapshots.read_frames(labels.batch.path):
        rows, _ = validation.set_aside(start, start + len(df))
        yield df.drop(index=df.index[rows]).reset_index(drop=True)
        start += len(df)


def _why_never(lake: Lake, labels: Labels, validation: Validation) -> str:
    """Say why the lake could not take labels in even if a person accepted them; empty where it could."""
    try:
        lake.check_labels(_kept(labels, validation))
    except DataRefusedError as error:
        return error.message
    return ""


def _all_asides(lake: Lake, labels: Labels, validation: Validation) -> Iterator[Aside]:
    """Yield the labels that are set aside: those that fail, those that name no row, and those that could not be read."""
    came = labels.came
    for aside in failing(labels.batch, validation, first=0):
        yield dataclasses.replace(aside, rows=labels.places[aside.rows] + 1)
    yield from _asides(lake, came)


def _asides(lake: Lake, batch: Batch) -> Iterator[Aside]:
    """Yield the labels that name no row, and then those that could not be read."""
    import numpy as np

    key, start = lake.names_rows_by(), 0
    for df in snapshots.read_frames(batch.path):
        is_empty = df[[name for name in key if name in df]].isna()
        places = np.flatnonzero(is_empty.any(axis=1))
        if len(places):
            reasons = [f"'{is_empty.columns[row.argmax()]}' is empty, and it names the row" for row in is_empty.to_numpy()[places]]
            yield Aside(df.iloc[places], start + places + 1, batch.lines[start + places], np.array(reasons, dtype=object))
        start += len(df)
    yield from mending.unread(batch.aside, snapshots.column_names(batch.path), len(batch.lines) + 1)


def _rows_of(lake: Lake, receipt: Receipt, read: int, rowless: int) -> BatchRows:
    """Say where the labels of a batch are, by its receipt, or by the lake where it was there already; those without a row label none."""
    labels, quarantined = receipt.labels, receipt.quarantined
    if not receipt.is_new:
        held = next((arrival for arrival in lake.batches() if arrival.batch == receipt.batch), None)
        labels, quarantined = (held.labels, held.labels_quarantined) if held else (0, 0)
    labelled = labels - rowless
    return BatchRows(read=read, labelled=labelled, unlabelled=read - labelled - quarantined, quarantined=quarantined)
