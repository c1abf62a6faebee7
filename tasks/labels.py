"""Verbs on labels that come alone."""

from __future__ import annotations

import dataclasses
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tasks.adapters import sheets, snapshots
from tasks.core import mending, names
from tasks.core.deliveries import OBSERVED, TAKEN, BatchEntry, BatchRows, Delivery
from tasks.core.errors import DataRefusedError
from tasks.core.mending import Aside, Pile
from tasks.record import task

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from tasks.adapters.lake import Lake
    from tasks.core.lake.values import Receipt
    from tasks.core.snapshot import Batch
    from tasks.reception import Reception

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
    """Say whether labels were taken before and there is nothing to do; where other labels came since, say how these can hold again.

    Raises:
        DataRefusedError: other content was taken under the same name.
    """
    known = reception.find_taken(delivery, batch.delivered)
    if known is None:
        return False
    lake = reception.lake()
    overruled = lake.count_overruled(_named(lake, batch)) if known.kind == "labels" else 0
    if overruled and delivery.name != known.name and _taken(reception, _digest_again(delivery, batch)) is None:
        return False
    told = f"{overruled:,} of its keys have other labels by now, and to set these again, deliver the file under another name"
    reception.tell_known(delivery, dataclasses.replace(known, reasons=(told,) if overruled else ()))
    return True


@task
def take_labels(reception: Reception, delivery: Delivery, batch: Batch) -> None:
    """Let the lake take labels in that come alone; those that cannot be read, or do not say which row they belong to, are set aside.

    Raises:
        DataRefusedError: there are no rows that they could belong to, none can be kept, or the lake cannot keep them as they are.
        StoreError: a store cannot be written.
    """
    lake = reception.lake()
    if lake.begun_with() is None:
        message = f"{reception.case.name} has no rows that labels could belong to; ingest rows first"
        raise DataRefusedError(message, where=delivery.name)
    if not any(map(len, _named(lake, batch))):
        first = next(_asides(lake, batch))
        message = f"none of these labels can be kept, the first on line {first.lines[0]} because {first.reasons[0]}"
        raise DataRefusedError(message, where=delivery.name)
    digest = _digest_again(delivery, batch) if _taken(reception, batch.delivered) else batch.delivered
    aside = map(sheets.for_quarantine, _asides(lake, batch))
    receipt = lake.append_labels(digest, _named(lake, batch), arrived_at=datetime.now(UTC), aside=aside)
    counts, columns = lake.count_labels(), snapshots.column_names(batch.path)
    unknown = _tell_unknown(lake.labels_without_row(digest, SHOWN_KEYS), is_hidden=bool({*lake.terms.key} & {*lake.terms.personal}))
    told = f"of all labels so far {counts.late:,} came late, {counts.corrected:,} corrected one before, {counts.unknown:,} name no row"
    entry = dataclasses.replace(reception.entry(delivery, digest, "ingested", (told, *unknown)), kind="labels")
    rows = _rows_of(lake, receipt, len(batch.lines) + len(batch.aside))
    pile = Pile(columns, lambda: mending.stored(lake.quarantined(digest), columns))
    reception.conclude(delivery, dataclasses.replace(entry, rows=rows), pile=pile)


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


def _asides(lake: Lake, batch: Batch) -> Iterator[Aside]:
    """Yield the labels that are set aside: those that name no row, and then those that could not be read."""
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


def _rows_of(lake: Lake, receipt: Receipt, read: int) -> BatchRows:
    """Say where the labels of a batch are: by its receipt, or by the lake where it was there already."""
    labelled, quarantined = receipt.labels, receipt.quarantined
    if not receipt.is_new:
        held = next((arrival for arrival in lake.batches() if arrival.batch == receipt.batch), None)
        labelled, quarantined = (held.labels, held.labels_quarantined) if held else (0, 0)
    return BatchRows(read=read, labelled=labelled, unlabelled=read - labelled - quarantined, quarantined=quarantined)
