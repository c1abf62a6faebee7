"""One Delta table: its files are written by us, in order and with exactly its schema, and then committed at once.

Delta's own writer casts without a word, deals rows out to files in no order, and keeps a million rows of each in memory.
"""

from __future__ import annotations

import random
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.adapters.lake.arrow import WITH_ROWS
from tasks.adapters.lake.failures import told
from tasks.core.errors import StoreError
from tasks.core.lake.values import Maintenance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import timedelta

    import pyarrow as pa
    import pyarrow.compute as pc
    from deltalake import DeltaTable
    from deltalake.transaction import AddAction
    from pyarrow.dataset import ParquetFileFragment

    Guard = Callable[[DeltaTable], Mapping[str, int]]

ROW_GROUP = 100_000
WINDOW = 2 * ROW_GROUP
READ_ROWS = ROW_GROUP // 4
FILE_BYTES = 128 * 2**20
COMMIT_TRIES = 30
BY = ("_arrived_at", "_batch")
TALLIES: dict[str, tuple[frozenset[str], pa.Table]] = {}  # of the files of a table that was asked last
CONFIGURATION = {
    # A snapshot that a version names must stay readable however old it is, and old versions are read from the log.
    "delta.enableExpiredLogCleanup": "false",
    "delta.logRetentionDuration": "interval 36500 days",
    # Statistics in the log cut times to milliseconds and know no infinity; readers that skip files by them lose rows.
    # Parquet's own are exact.
    "delta.dataSkippingNumIndexedCols": "0",
}


class Table:
    """A Delta table at a URL, which need not exist yet.

    Args:
        url: Absolute folder or URL.
        options: For the object store, such as AWS_ENDPOINT_URL.
    """

    def __init__(self, url: str, options: Mapping[str, str]) -> None:
        self.url = url
        self._options = dict(options)

    def open(self, version: int | None = None) -> DeltaTable | None:
        """Give the newest state or that of a version; None when there is no table.

        Raises:
            StoreError: it cannot be read.
        """
        from deltalake import DeltaTable

        with told(self.url):
            if not self._exists():
                return None
            return DeltaTable(self.url, version=version, storage_options=self._options)

    def _exists(self) -> bool:
        from deltalake import DeltaTable

        if "://" not in self.url and not (Path(self.url) / "_delta_log").is_dir():
            with suppress(FileNotFoundError):
                Path(self.url).stat()  # no permission, or a file in the way, is another matter than nothing
            return False
        return DeltaTable.is_deltatable(self.url, self._options)

    def create(self, schema: pa.Schema, description: str) -> DeltaTable:
        """Create the table, unless another process just did.

        Raises:
            StoreError: it cannot be written.
        """
        from deltalake import DeltaTable, Schema
        from deltalake.exceptions import DeltaError

        with told(self.url), suppress(DeltaError):
            DeltaTable.create(
                self.url, Schema.from_arrow(schema), configuration=CONFIGURATION, description=description, storage_options=self._options
            )
        table = self.open()
        if table is None:
            message = f"cannot create the table {self.url}; see that the place can be written"
            raise StoreError(message, where=self.url)
        return table

    def files(self, schema: pa.Schema) -> Files:
        """Start files for this table, which nobody sees before they are committed."""
        with told(self.url):
            if "://" not in self.url:
                Path(self.url).mkdir(parents=True, exist_ok=True)
            return Files(self.url, self._options, schema)

    def holds(self, name: str) -> bool:
        """Say whether something was committed to the table under a name."""
        table = self.open()
        return table is not None and table.transaction_version(name) is not None

    def commit(self, adds: Sequence[AddAction], name: str, number: int, guard: Guard | None = None) -> bool:
        """Add files in one commit under a name; False when the table holds that already.

        Files of a commit that did not come about stay until `maintain`: an answer that was lost may have been a yes.

        Args:
            adds: The files.
            name: A batch's digest, or what else is committed once.
            number: What `number_of` is to give for the name.
            guard: Looks at the newest state before each try; it gives the next number of what is counted, or refuses.

        Raises:
            StoreError: the table cannot be written, others always came first, or the guard refuses.
        """
        from deltalake import CommitProperties, Transaction

        for _ in range(COMMIT_TRIES):
            table = self._opened()
            if table.transaction_version(name) is not None:
                return bool(adds) and any(path.endswith(adds[0].path) for path in table.file_uris())
            counted = guard(table) if guard else {}
            properties = CommitProperties(app_transactions=[Transaction(*each) for each in ((name, number), *counted.items())])
            try:
                with told(self.url), _Conflicts():
                    table.create_write_transaction([*adds], "append", table.schema(), [], commit_properties=properties)
            except _ConflictError:
                time.sleep(random.uniform(0.02, 0.2))  # noqa: S311 - no secret
                continue
            return True
        message = f"other processes wrote to {self.url} before this one {COMMIT_TRIES} times running; run again"
        raise StoreError(message, where=self.url)

    def _opened(self) -> DeltaTable:
        table = self.open()
        if table is None:
            message = f"there is no table at {self.url}; ingest a batch first"
            raise StoreError(message, where=self.url)
        return table

    def maintain(self, keep_versions: Sequence[int], unused_for: timedelta) -> Maintenance:
        """Put small files together and remove files that neither the newest nor a kept version uses.

        Raises:
            StoreError: the table cannot be read or written.
        """
        from deltalake import WriterProperties

        table = self.open()
        if table is None:
            return Maintenance()
        with told(self.url):
            before = len(table.file_uris())
            if before > 1:
                properties = WriterProperties(max_row_group_size=ROW_GROUP, compression="ZSTD")
                table.optimize.compact(target_size=FILE_BYTES, max_concurrent_tasks=1, writer_properties=properties)
            sizes = self._sizes()
            gone = table.vacuum(
                retention_hours=int(unused_for.total_seconds() // 3600),
                dry_run=False,
                enforce_retention_duration=False,
                full=True,
                keep_versions=sorted(set(keep_versions)) or None,
            )
            removed = [sizes[path] for path in gone if path in sizes]  # it names those too that went long ago
            freed = Maintenance(files_before=before, files_after=len(table.file_uris()), removed=len(removed), removed_bytes=sum(removed))
            return freed + self._remove_half_files(unused_for)

    def _sizes(self) -> dict[str, int]:
        """Give the bytes of all files that are there, by their paths in the table."""
        import pyarrow.fs
        from deltalake.fs import DeltaStorageHandler

        store = pyarrow.fs.PyFileSystem(DeltaStorageHandler(self.url, self._options))
        found = store.get_file_info(pyarrow.fs.FileSelector("", recursive=True))
        return {info.path: info.size for info in found if info.size is not None}

    def _remove_half_files(self, unused_for: timedelta) -> Maintenance:
        """Remove what killed writes left in a folder under `name#1`, which the engine's own vacuum does not see (deltalake 1.6.6)."""
        if "://" in self.url:
            return Maintenance()
        latest, sizes = time.time() - unused_for.total_seconds(), list[int]()
        for path in Path(self.url).rglob("*#[0-9]*"):
            with suppress(FileNotFoundError):  # a living writer has just finished it
                if (found := path.stat()).st_mtime <= latest:
                    path.unlink()
                    sizes.append(found.st_size)
        return Maintenance(removed=len(sizes), removed_bytes=sum(sizes))


class _ConflictError(Exception):
    """Another process committed first."""


class _Conflicts:
    """Tells a conflict from other failures before `told` does."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        from deltalake.exceptions import CommitFailedError

        if isinstance(error, CommitFailedError):
            raise _ConflictError from error


class Files:
    """Parquet files in the making: row groups of one size, rows in the order in which they are given."""

    def __init__(self, url: str, options: dict[str, str], schema: pa.Schema) -> None:
        import pyarrow.fs
        from deltalake.fs import DeltaStorageHandler

        self._url, self.schema = url, schema
        self._store = pyarrow.fs.PyFileSystem(DeltaStorageHandler(url, options))
        self._waiting: list[pa.Table] = []
        self._done: list[tuple[str, int]] = []
        self._path, self._rows = "", 0
        self._sink: Any = None
        self._writer: Any = None

    def write(self, rows: pa.Table) -> None:
        """Take rows in; they reach storage a row group at a time."""
        import pyarrow as pa

        self._waiting.append(rows)
        while sum(table.num_rows for table in self._waiting) >= ROW_GROUP:
            together = pa.concat_tables(self._waiting)
            self._group(together.slice(0, ROW_GROUP))
            self._waiting = [together.slice(ROW_GROUP)]

    def _group(self, rows: pa.Table) -> None:
        import pyarrow.parquet

        with told(self._url):
            if self._writer is None:
                self._path, self._rows = f"part-{uuid.uuid4()}.parquet", 0
                self._sink = self._store.open_output_stream(self._path)
                self._writer = pyarrow.parquet.ParquetWriter(self._sink, self.schema, compression="zstd", store_schema=False)
            self._writer.write_table(rows, row_group_size=ROW_GROUP)
            self._rows += rows.num_rows
            if self._sink.tell() >= FILE_BYTES:
                self._end()

    def _end(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._sink.close()
            self._writer = self._sink = None
            self._done.append((self._path, self._rows))

    def close(self) -> list[AddAction]:
        """End the last file and give what is to be committed."""
        import json

        import pyarrow as pa
        from deltalake.transaction import AddAction

        rest = pa.concat_tables(self._waiting) if self._waiting else None
        if rest is not None and rest.num_rows:
            self._group(rest)
        with told(self._url):
            self._end()
            now = int(time.time() * 1000)
            sizes = [info.size for info in self._store.get_file_info([path for path, _ in self._done])]
            return [
                AddAction(path, size, {}, now, True, json.dumps({"numRecords": rows}))  # noqa: FBT003 - delta's own order
                for (path, rows), size in zip(self._done, sizes, strict=True)
            ]

    def discard(self) -> None:
        """Remove what was written, as far as storage lets us; `maintain` removes the rest."""
        with suppress(StoreError), told(self._url):
            self._end()
        for path, _ in self._done:
            with suppress(StoreError), told(self._url):
                self._store.delete_file(path)


def in_order(
    table: DeltaTable, columns: Sequence[str], condition: pc.Expression, among: tuple[str, pa.Array] | None = None, every: int = 1
) -> Iterator[pa.Table]:
    """Give rows by arrival, batch and position, a window at a time, with these three columns first.

    Args:
        table: At its version.
        columns: Others to give.
        condition: Over arrival and batch, as `counts` takes it.
        among: A column, and of which of its values the rows are; None: of all.
        every: So many-th row of all is given, the first one first; not together with `among`.
    """
    import numpy as np
    import pyarrow.compute as pc

    with told(table.table_uri):
        sizes = counts(table, condition)
        dataset, by, place = table.to_pyarrow_dataset(), [*BY, "_position"], 0
        for group, first, last in _windows(sizes):
            here = condition & _within(group, first, last)
            if among:
                here = here & pc.field(among[0]).isin(among[1])
            elif every > 1 and len(group) == 1:
                here = here & pc.field("_position").isin(np.arange(first + -place % every, last, every))
            scanner = dataset.scanner([*by, *columns], filter=here, batch_size=READ_ROWS, batch_readahead=1, fragment_readahead=1)
            rows = scanner.to_table()
            is_in_order = len(group) == 1 and _is_rising(rows["_position"])  # as it was written
            rows = rows if is_in_order else rows.sort_by([(name, "ascending") for name in by])
            yield rows if len(group) == 1 or every == 1 else rows.take(np.arange(-place % every, rows.num_rows, every))
            place += sum(min(last, sizes[key]) - first for key in group)


def _within(group: Sequence[Key], first: int, last: int) -> pc.Expression:
    """Give the condition of a window: batches in the order of their arrival, and positions in each."""
    import pyarrow.compute as pc

    arrived, batch, position = (pc.field(name) for name in (*BY, "_position"))
    of_batches = batch.isin([key[1] for key in group]) & (arrived >= group[0][0]) & (arrived <= group[-1][0])
    return of_batches & (position >= first) & (position < last)


def _is_rising(numbers: pa.ChunkedArray) -> bool:
    values = numbers.to_numpy()
    return bool((values[1:] > values[:-1]).all())


def number_of(table: DeltaTable | None, name: str) -> int:
    """Give the number that something was last committed under; 0 where it was not."""
    return (table.transaction_version(name) or 0) if table else 0


Key = tuple[Any, str]


def counts(table: DeltaTable, condition: pc.Expression) -> dict[Key, int]:
    """Count the rows of each (arrival, batch), in their order.

    Args:
        table: At its version.
        condition: Over the two, and over whether a label came with its row.
    """
    found: dict[Key, int] = {}
    for arrived, batch, number in zip(*_tally(table).filter(condition).select([*BY, "count_all"]), strict=True):
        key = (arrived, batch.as_py())
        found[key] = found.get(key, 0) + number.as_py()
    return dict(sorted(found.items(), key=lambda item: (item[0][0].value, item[0][1])))


def _tally(table: DeltaTable) -> pa.Table:
    """Count what `counts` is asked of, once: a look asks a dozen times, and a file never changes."""
    files = frozenset(table.file_uris())
    known = TALLIES.get(table.table_uri)
    if known is None or known[0] != files:
        known = TALLIES[table.table_uri] = files, _scan_tally(table)
    return known[1]


def _scan_tally(table: DeltaTable) -> pa.Table:
    import pyarrow as pa

    with told(table.table_uri):
        dataset = table.to_pyarrow_dataset()
        by = [dataset.schema.field(name) for name in (*BY, WITH_ROWS) if name in dataset.schema.names]
        none = pa.schema([*by, pa.field("count_all", pa.int64())]).empty_table()
        groups = (group for fragment in dataset.get_fragments() for group in fragment.split_by_row_group())
        return pa.concat_tables([none, *(_tally_of(group, by) for group in groups)])


def _tally_of(group: ParquetFileFragment, by: Sequence[pa.Field]) -> pa.Table:
    """Count the rows of a group by its statistics where it is of one batch, as most are, and else by reading it."""
    import pyarrow as pa

    rows, ends = group.metadata.row_group(group.row_groups[0].id), dict[str, Any]()
    for place in range(rows.num_columns):
        column = rows.column(place)
        known = column.statistics
        if known is not None and known.has_min_max and known.null_count == 0 and known.min == known.max:
            ends[column.path_in_schema] = known.min
    names = [field.name for field in by]
    if not ends.keys() >= {*names}:
        return group.to_table(columns=names).group_by(names).aggregate([([], "count_all")])
    cells = {field.name: pa.array([ends[field.name]], field.type) for field in by}
    return pa.table({**cells, "count_all": pa.array([rows.num_rows], pa.int64())})


def _windows(rows: dict[Key, int]) -> Iterator[tuple[list[Key], int, int]]:
    """Cut batches into windows: parts of a large one, or several small ones together."""
    group: list[Key] = []
    size = 0
    for key, number in rows.items():
        if group and size + number > WINDOW:
            yield group, 0, WINDOW
            group, size = list[Key](), 0
        if number > WINDOW:
            for first in range(0, number, WINDOW):
                yield [key], first, first + WINDOW
        else:
            group.append(key)
            size += number
    if group:
        yield group, 0, WINDOW
