"""Verbs on labels that come alone."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tasks.adapters import snapshots
from tasks.core.deliveries import BatchRows, Delivery
from tasks.core.errors import DataRefusedError
from tasks.record import task

if TYPE_CHECKING:
    from tasks.core.snapshot import Batch
    from tasks.reception import Reception


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
    entry = reception.entry(delivery, batch.delivered, "ingested", (told,))
    reception.conclude(delivery, dataclasses.replace(entry, rows=rows, kind="labels"))
