"""Verbs on rows: resolve the use case, read, take a snapshot, split."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

from tasks.adapters import home, projects, snapshots, sources
from tasks.core import schema, splits
from tasks.core.errors import DataRefusedError
from tasks.core.reading import reader
from tasks.core.results import RowCounts
from tasks.core.snapshot import Batch, Case, Snapshot, Study
from tasks.record import task

if TYPE_CHECKING:
    from tasks.core.champions import Version
    from tasks.core.options import TrainOptions
    from tasks.core.validation import Validation

log = logging.getLogger("evergreen")


def resolve(options: TrainOptions) -> Case:
    """Find the use case that a call means: named, or made of the table that it brings.

    Raises:
        UsageError: there is no such use case, or its file is wrong.
    """
    settings = home.settings()
    home.prepare(settings.home)
    return projects.resolve(options, settings)


@task
def read_rows(case: Case) -> Batch:
    """Read the table, repair what can be repaired, and store the rows that fit under their digest.

    Raises:
        UsageError: there is no such source.
        DataRefusedError: it holds no table, or one that can be read in more than one way.
    """
    options, where = case.use_case.reading, case.settings.home
    log.info("reading %s", case.use_case.data)
    reading = reader.read(sources.load(case.use_case.data, options), options, sources.split_columns)
    table = reading.table
    for repair in reading.repairs:
        log.warning("repaired %s", repair)
    digest = splits.digest_of_frames(table.frames())
    path = snapshots.write_frames(table.frames(), where / "snapshots", digest)
    if reading.aside:
        log.warning("set aside because they do not fit: %s rows, the first on line %s", len(reading.aside), reading.aside[0].line)
        snapshots.write(reader.as_frame(reading.aside), where / "quarantine", f"{case.name}-{digest}-misfits")
    log.info("read %s rows of %s columns: %s", f"{reading.rows:,}", len(table.names), reading.verdict)
    return Batch(path, digest, table.source, table.lines, reading.repairs, reading.aside)


@task
def take_snapshot(case: Case, batch: Batch, validation: Validation) -> Snapshot:
    """Set the quarantined rows aside and keep the rest as the snapshot that this run uses.

    Raises:
        DataRefusedError: no row, no target or no feature is left.
    """
    df = snapshots.read(batch.path)
    read, reasons = len(df), validation.quarantined
    if len(reasons) == read:
        message = f"every row of {batch.source} is quarantined by {validation.suite}; mend the data, or change the suite"
        raise DataRefusedError(message, where=batch.source)
    digest, path = batch.digest, batch.path
    if reasons:
        positions = list(reasons)
        aside = df.iloc[positions].assign(_line=batch.lines[positions], _reasons=list(reasons.values()))
        snapshots.write(aside, case.settings.home / "quarantine", f"{case.name}-{batch.digest}")
        df = df.drop(index=positions).reset_index(drop=True)
        digest = splits.content_digest(df)
        path = snapshots.write(df, case.settings.home / "snapshots", digest)
    asked = case.use_case
    inferred = schema.infer_schema(df, target=asked.target, task=asked.task, time=asked.time, drop=asked.drop)
    misfits = len(batch.aside)
    unlabelled = int(df[inferred.target].isna().sum())
    rows = RowCounts(read=read + misfits, unlabelled=unlabelled, quarantined=len(reasons) + misfits)
    return Snapshot(path, digest, batch.source, inferred, rows, validation, batch.repairs, batch.aside)


@task
def split_rows(case: Case, snapshot: Snapshot, last: Version | None) -> Study:
    """Fix the gate rows before anything is fitted; unlabelled rows are on neither side.

    Raises:
        DataRefusedError: too few rows are there for two sides.
    """
    import numpy as np

    df = snapshots.read(snapshot.path)
    labelled = np.flatnonzero(df[snapshot.schema.target].notna())
    size = splits.gate_size(len(labelled), last.spread if last and last.spread else splits.FIRST_SPREAD)
    if snapshot.schema.time:
        split = splits.split_by_time(df[snapshot.schema.time].to_numpy()[labelled], size)
    else:
        hashes = splits.hash_rows(df[snapshot.schema.features].iloc[labelled])
        split = splits.split_by_hash(hashes, case.name, size)
    if not len(split.gate) or not len(split.fit):
        message = (
            f"{snapshot.source} has too few different labelled rows ({len(labelled)} in all) to fit on some and judge on others; bring more"
        )
        raise DataRefusedError(message, where=snapshot.source)
    log.info("split %s rows to fit on and %s gate rows", f"{len(split.fit):,}", f"{len(split.gate):,}")
    return Study(case, snapshot, dataclasses.replace(split, fit=labelled[split.fit], gate=labelled[split.gate]))
