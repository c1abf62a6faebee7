"""Verbs on rows: resolve the use case, read, take a snapshot, split."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

from tasks import record
from tasks.adapters import home, landing, ledger, memory, projects, snapshots, sources
from tasks.adapters.lake import Lake
from tasks.core import hiding, mending, splits
from tasks.core.deliveries import OBSERVED, ROW_KEY, VALUE
from tasks.core.errors import DataRefusedError, UsageError
from tasks.core.formats.source import shown_url
from tasks.core.gate_settings import refuse_what_the_table_lacks
from tasks.core.lake.values import moment_of
from tasks.core.names import counted, is_bundled
from tasks.core.reading import reader
from tasks.core.reading.terms import ReadingOptions
from tasks.core.results import RowCounts
from tasks.core.snapshot import Batch, Case, Snapshot, Study, infer, split_at
from tasks.core.table import Table
from tasks.core.use_case import LAKE
from tasks.record import task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from tasks.core.champions import Version
    from tasks.core.options import SourceOptions
    from tasks.core.reading.reader import Reading
    from tasks.core.reading.terms import Sort
    from tasks.core.scoring import Scorer
    from tasks.core.settings import Settings
    from tasks.core.validation import Validation

log = logging.getLogger("evergreen")


def resolve(options: SourceOptions) -> Case:
    """Find the use case that a call means: named, or made of the table that it brings; rows of its lake go before its file's table.

    Raises:
        UsageError: there is no such use case, or its file is wrong.
    """
    settings = home.settings()
    home.prepare(settings.home)
    return _resolve(options, settings, lambda name: _has_lake(settings, name))


def resolve_delivery(options: SourceOptions) -> Case:
    """Find the use case that something has come for; what its file names may come again and again.

    Raises:
        UsageError: there is no such use case, its file is wrong, or a delivery does not say whose it is.
    """
    if options.data is not None and options.use_case is None and not is_bundled(options.data):
        message = f"say whose rows {options.data} holds, with --use-case NAME; a new name begins a new use case"
        raise UsageError(message, where="--use-case")
    settings = home.settings()
    home.prepare(settings.home)
    return _resolve(options, settings, lambda name: projects.load_use_case(name, settings.project) is None and _has_lake(settings, name))


def _resolve(options: SourceOptions, settings: Settings, has_lake: Callable[[str], bool]) -> Case:
    # A deployment is one of a use case: where its form names none, a person has emptied that field, and means no other use case.
    default = None if record.is_deployed() else projects.DEFAULT_USE_CASE
    return projects.resolve(options, settings, has_lake, default=default)


def resolve_scoring(options: SourceOptions) -> Case:
    """Find the use case whose model is to score something.

    Raises:
        UsageError: there is no such use case, its file is wrong, or a table does not say whose model is meant.
    """
    if options.data is not None and options.use_case is None and not is_bundled(options.data):
        message = f"say whose model is to score {options.data}, with --use-case NAME"
        raise UsageError(message, where="--use-case")
    return resolve(options)


def resolve_known(name: str | None) -> Case:
    """Find a use case that has a file, or of which something was decided.

    Raises:
        UsageError: there is no such use case, or its file is wrong.
    """
    settings = home.settings()
    home.prepare(settings.home)
    is_begun = settings.ledger_url or (settings.home / "ledger.db").exists()
    return projects.resolve_known(name, settings, lambda: ledger.use_cases(settings.ledger_address) if is_begun else [])


def _has_lake(settings: Settings, name: str) -> bool:
    return Lake(settings.lake_address, name).begun_with() is not None


@task
def read_rows(case: Case, since: str | None = None) -> Batch:
    """Read the table as what suite and lake know of it, repair what can be repaired, and store the rows that fit under their digest.

    Args:
        case: Whose.
        since: Of a lake, take the rows alone that arrived after this time.

    Raises:
        UsageError: there is no such source.
        DataRefusedError: it holds no table, or one that can be read in more than one way.
    """
    if since and case.use_case.data != LAKE:
        message = f"--since asks when rows arrived, which is known of ingested rows alone, and {case.name} takes {case.use_case.data}"
        raise UsageError(message, where="--since")
    return _rows(_knowing(case), moment_of(since, "--since") if since else None)


@task
def read_inputs(case: Case, scorer: Scorer) -> Batch:
    """Read rows to be predicted as `read_rows` does, and as what the model asks for.

    Raises:
        UsageError: there is no such source.
        DataRefusedError: it holds no table, or one that can be read in more than one way.
    """
    return _rows(_knowing(case, [scorer.target], {column.name: column.sort for column in scorer.inputs}))


@task
def read_delivery(case: Case) -> Batch:
    """Read what has come as `read_rows` does; of a sheet of mended rows, keep the cells as a person wrote them.

    Raises:
        UsageError: there is no such source.
        DataRefusedError: it holds no table, or one that can be read in more than one way, or its name is none.
    """
    if case.use_case.data.encode(errors="replace").decode() != case.use_case.data:
        message = "its name is not UTF-8; rename the file"
        raise DataRefusedError(message, where="--data")
    options = mending.options_of(landing.head_of(case.use_case.data))
    if options is None:
        reading = _read(case, _knowing(case).use_case.reading)
        if not mending.is_sheet(reading.table.names):
            return _stored(case, reading)
    return _stored(case, _read(case, options or ReadingOptions(header=True), as_text=True))


def _rows(case: Case, since: datetime | None = None) -> Batch:
    if case.use_case.data == LAKE:
        return _read_lake(case, since)
    batch = _stored(case, _read(case, case.use_case.reading))
    if batch.aside:
        snapshots.write(reader.as_frame(batch.aside), case.settings.home / "quarantine", f"{case.name}-{batch.digest}-misfits")
    return batch


def _knowing(case: Case, names: Iterable[str] = (), kinds: Mapping[str, Sort] | None = None) -> Case:
    """Give a use case with what its suite expects of its columns, what its lake declares, and before these what a model asks for."""
    lake, known, key = Lake(case.settings.lake_address, case.name), projects.kinds_of(case.suite), case.use_case.key
    if (begun := lake.begun_with()) is not None:
        declared, key = lake.columns(), begun.key
        known |= {column.name: column.sort for column in declared.columns if column.sort}
        names = [*names, *([begun.target] if begun.target else []), ROW_KEY, VALUE, OBSERVED]
    known |= kinds or {}
    reading = case.use_case.reading.knowing([*names, *known, *key], known, key)
    return dataclasses.replace(case, use_case=case.use_case.model_copy(update={"reading": reading}))


def _read(case: Case, options: ReadingOptions, *, as_text: bool = False) -> Reading:
    """Read a table; where columns are personal, nothing that is told of it quotes a cell."""
    source, pii = case.use_case.data, case.use_case.pii
    log.info("reading %s", shown_url(source) if "://" in source else source)
    try:
        return reader.read(sources.load(source, options), options, sources.split_columns, as_text=as_text, hidden=pii)
    except DataRefusedError as error:
        if not pii:
            raise
        raise DataRefusedError(hiding.without_values(error.message, pii), where=error.where) from None
    finally:
        memory.give_back()  # what reading took and storing does not need


def _stored(case: Case, reading: Reading) -> Batch:
    """Store the rows that fit under their digest; as text, where they were read as that."""
    raw = reading.raw
    table = Table(raw.names, raw.cells, reading.table.source, raw.lines) if raw else reading.table
    for repair in reading.repairs:
        log.warning("repaired %s", repair)
    digest = splits.digest_of_frames(snapshots.cut(table.frames()))
    path = snapshots.write_frames(snapshots.cut(table.frames()), case.settings.home / "snapshots", digest)
    if reading.aside:
        log.warning("does not fit, and is set aside: %s, the first on line %s", counted(len(reading.aside), "row"), reading.aside[0].line)
    log.info("read %s of %s: %s", counted(reading.rows, "row"), counted(len(table.names), "column"), reading.verdict)
    return Batch(path, digest, table.source, table.lines, reading.repairs, reading.aside, evidence=reading.evidence)


def _read_lake(case: Case, since: datetime | None) -> Batch:
    """Take the rows that were ingested so far, under versions that name them for ever."""
    import numpy as np

    begun = Lake(case.settings.lake_address, case.name).begun_with()
    if begun is None:
        message = (
            f"use case '{case.name}' names no data and nothing was ingested for it; set data: in its file, or run: "
            f"python -m flows.ingest FILE --use-case {case.name}"
        )
        raise UsageError(message, where=case.name)
    lake = Lake(case.settings.lake_address, case.name, begun)
    snapshot = lake.snapshot(since=since)
    if since and not snapshot.rows:
        message = f"no row of {case.name} arrived since {since.isoformat()}"
        raise UsageError(message, where="--since")
    path = snapshots.write_frames(lake.read_chunks(snapshot), case.settings.home / "snapshots", snapshot.digest)
    quarantined = sum(arrival.quarantined for arrival in lake.batches(as_of=snapshot.as_of))
    source = f"the lake of {case.name}, version {snapshot.observations}"
    log.info("took %s rows of %s; %s of them have a label", f"{snapshot.rows:,}", source, f"{snapshot.labelled:,}")
    lines = np.arange(1, snapshot.rows + 1, dtype=np.int64)
    return Batch(path, snapshot.digest, source, lines, lake=snapshot.as_text(), quarantined=quarantined)


@task
def take_snapshot(case: Case, batch: Batch, validation: Validation) -> Snapshot:
    """Set the quarantined rows aside and keep the rest as the snapshot that this run uses.

    Raises:
        DataRefusedError: no row, no target or no feature is left.
        UsageError: the gate asks for columns or metrics that there are not.
    """
    df = snapshots.read(batch.path)
    read, quarantined = len(df), validation.quarantined
    if quarantined == read:
        message = f"every row of {batch.source} is quarantined by {validation.suite}; mend the data, or change the suite"
        raise DataRefusedError(message, where=batch.source)
    digest, path = batch.digest, batch.path
    if quarantined:
        positions, reasons = validation.set_aside(0, read)
        aside = df.iloc[positions].assign(_line=batch.lines[positions], _reasons=reasons)
        snapshots.write(aside, case.settings.home / "quarantine", f"{case.name}-{batch.digest}")
        df = df.drop(index=positions.tolist()).reset_index(drop=True)
        digest = splits.content_digest(df)
        path = snapshots.write(df, case.settings.home / "snapshots", digest)
    inferred = infer(case, df, batch.evidence)
    refuse_what_the_table_lacks(case.use_case, inferred, [*df.columns], case.expected)
    misfits = len(batch.aside) + batch.quarantined
    unlabelled = int(df[inferred.target].isna().sum())
    rows = RowCounts(read=read + misfits, unlabelled=unlabelled, quarantined=quarantined + misfits)
    return Snapshot(path, digest, batch.source, inferred, rows, validation, batch.repairs, batch.aside, batch.lake)


@task
def split_rows(case: Case, snapshot: Snapshot, last: Version | None) -> Study:
    """Fix the gate rows before anything is fitted; unlabelled rows are on neither side.

    Raises:
        DataRefusedError: too few rows are there for two sides.
    """
    df = snapshots.read(snapshot.path)
    labelled = int(df[snapshot.schema.target].notna().sum())
    size = splits.gate_size(labelled, last.spread if last and last.spread else splits.FIRST_SPREAD)
    split = split_at(case, snapshot.schema, df, size)
    if not len(split.gate) or not len(split.fit):
        what = "rows" if snapshot.schema.group is None else f"groups of '{snapshot.schema.group}'"
        few = f"{snapshot.source} has too few different labelled {what} ({labelled} rows in all)"
        message = f"{few} to fit on some and judge on others; bring more"
        raise DataRefusedError(message, where=snapshot.source)
    log.info("split %s rows to fit on and %s gate rows", f"{len(split.fit):,}", f"{len(split.gate):,}")
    return Study(case, snapshot, split)
