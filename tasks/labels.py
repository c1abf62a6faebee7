"""Verbs on labels that come alone."""

from __future__ import annotations

import dataclasses
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tasks.adapters import snapshots
from tasks.core.deliveries import OBSERVED, BatchRows, Delivery
from tasks.core.errors import DataRefusedError
from tasks.record import task

if TYPE_CHECKING:
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
    counts, unknown = lake.count_labels(), lake.labels_without_row(batch.delivered, SHOWN_KEYS)
    told = f"of all labels so far {counts.late:,} came late, {counts.corrected:,} corrected one before, {counts.unknown:,} name no row"
    entry = reception.entry(
        delivery, batch.delivered, "ingested", (told, *_tell_unknown(unknown, is_hidden=bool({*lake.terms.key} & {*lake.terms.personal})))
    )
    reception.conclude(delivery, dataclasses.replace(entry, rows=rows, kind="labels"))


def _tell_unknown(keys: list[str], *, is_hidden: bool) -> list[str]:
    """Say which labels name no row, of a few more than are shown."""
    shown = "not shown: personal" if is_hidden else ", ".join(map(repr, keys[:SHOWN_KEYS])) + (", ..." if len(keys) > SHOWN_KEYS else "")
    return [f"labels of this batch that name no row: {shown}; they count as soon as their rows come"] if keys else []
