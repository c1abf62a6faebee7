"""Rows of Python values, as JSON and databases give them, become columns of the three dtypes, exactly, or are refused."""

# pyarrow has no types, so what it gives is unknown here.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any

from tasks.core.formats.columns import DATES, are_dates, arrow_column, as_dates, text_column
from tasks.core.formats.source import refused
from tasks.core.reading.blob import Spool
from tasks.core.reading.numerals import EXACT_INTEGERS
from tasks.core.reading.store import Columns
from tasks.core.reading.terms import TEXTS, ReadingOptions
from tasks.core.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pandas as pd
    import pyarrow as pa

    from tasks.core.reading.blob import Blob

CHUNK_ROWS = 50_000
MOST_COLUMNS = 20_000
NUMBERS = frozenset([int, float, Decimal])
WRITTEN = frozenset([str, uuid.UUID, dt.time])
AS_FOUND = ReadingOptions()


def rows_table(rows: Iterable[Mapping[str, object]], source: str, options: ReadingOptions = AS_FOUND) -> tuple[Table, str]:
    """Gather rows of Python values, of which each may lack some columns.

    Args:
        rows: By the names of their columns.
        source: Named in messages.
        options: What is known of the columns: text that looks like dates stays text where it is known to be that.

    Returns:
        The table, and a note about columns of mixed types, which become text.

    Raises:
        DataRefusedError: a value is infinite, or of a type that has no place in a table.
    """
    import numpy as np

    order: list[str] = []
    known: set[str] = set()
    columns: dict[str, _Column] = {}
    arrays, sizes, remaining = Arrays(), list[int](), iter(rows)
    while chunk := list(islice(remaining, CHUNK_ROWS)):
        for row in chunk:
            if not row.keys() <= known:
                _insert(order, row)
                known.update(row)
        if len(order) > MOST_COLUMNS:
            raise refused(source, f"has more than {MOST_COLUMNS:,} columns; are its keys values?")
        for name in order:
            columns.setdefault(name, _Column(f"{source}, column '{name}'", arrays, sizes)).add([row.get(name) for row in chunk])
        sizes.append(len(chunk))
    if not order:
        raise refused(source, "has no rows")
    mixed = [name for name in order if columns[name].is_mixed]
    note = f"{', '.join(map(repr, mixed))}: values of several types, read as text" if mixed else ""
    kept = Columns()
    for name in order:
        kept.add_pieces(columns[name].pieces(may_be_dates=options.kinds.get(name) not in TEXTS))
    return Table(tuple(order), kept, source, np.arange(1, sum(sizes) + 1, dtype=np.int64)), note


def _insert(order: list[str], names: Iterable[str]) -> None:
    """Put each new name behind the one that it follows in its row, so that the last column stays the last."""
    at = 0
    for name in names:
        if name in order:
            at = order.index(name)
        else:
            order.insert(at, name)
        at += 1


class Arrays:
    """Keeps Arrow arrays, in a file once they are more than memory should hold."""

    def __init__(self) -> None:
        self._spool = Spool()
        self._places: list[tuple[int, int]] = []
        self._blob: Blob | None = None

    def keep(self, array: pa.Array) -> int:
        """Take an array, and give the number under which it is found again."""
        import pyarrow as pa

        batch = pa.record_batch([array], names=["0"])
        written = pa.BufferOutputStream()
        with pa.ipc.new_stream(written, batch.schema) as stream:
            stream.write_batch(batch)
        data = written.getvalue().to_pybytes()
        self._places.append((self._spool.write(data), len(data)))
        return len(self._places) - 1

    def load(self, number: int) -> pa.Array:
        """Give an array back; after the first time no more can be kept."""
        import pyarrow as pa

        self._blob = self._blob or self._spool.blob()
        return pa.ipc.open_stream(self._blob.read(*self._places[number])).read_next_batch().column(0)


class _Column:
    """A growing column: its chunks as compact Arrow arrays, and the Python types that were met."""

    def __init__(self, where: str, arrays: Arrays, missing: Iterable[int]) -> None:
        self.where = where
        self.arrays = arrays
        self.types: set[type] = set()
        self.kinds: set[pa.DataType] = set()
        self.is_double = True
        self.done = 0
        self.chunks: list[int] = []
        for size in missing:
            self.add([None] * size)

    @property
    def is_mixed(self) -> bool:
        kinds = self.types - NUMBERS | ({float} if self.types & NUMBERS else set())
        return len(kinds - {dt.date}) > 1 or (dt.date in kinds and len(kinds) > 1 and dt.datetime not in kinds)

    def add(self, values: list[object]) -> None:
        types = set(map(type, values)) - {type(None)}
        for kind in types - NUMBERS - WRITTEN - {bool, dt.date, dt.datetime}:
            row = next(i for i, value in enumerate(values) if type(value) is kind)
            raise refused(
                f"{self.where}, row {self.done + row + 1}", f"is of type {kind.__name__}; cast it to text or a number in the query"
            )
        array = self._array(values, types)
        self.types |= types
        self.kinds.add(array.type)
        self.is_double = self.is_double and _fits_double(array)
        self.chunks.append(self.arrays.keep(array))
        self.done += len(values)

    def _array(self, values: list[Any], types: set[type]) -> pa.Array:
        import pyarrow as pa

        if not types:
            return pa.nulls(len(values))
        if types <= {int, float}:
            return _numbers(values, types)
        if types <= NUMBERS:
            return pa.array([None if v is None else self._exact(v, row) for row, v in enumerate(values, start=1)], pa.float64())
        if types <= {dt.date, dt.datetime}:
            return _moments(values)
        return pa.array(values, pa.bool_()) if types == {bool} else _texts(values)

    def _exact(self, value: Decimal | float, row: int) -> float:
        number = float(value)
        if not isinstance(value, float) and value == value and Decimal(repr(number)) != value:  # noqa: PLR0124  # a decimal may be NaN
            what = f"{value} has more digits than a number holds; cast it to double precision or to text in the query"
            raise refused(f"{self.where}, row {self.done + row}", what)
        return number

    def pieces(self, *, may_be_dates: bool) -> Iterator[pd.Series]:
        """Yield the values chunk by chunk, all of one dtype."""
        import pyarrow as pa

        kinds = self.kinds - {pa.null()}
        if len(kinds) > 1 and kinds <= {pa.int64(), pa.float64()}:
            kinds = {pa.float64() if self.is_double else pa.large_string()}
        kind = kinds.pop() if len(kinds) == 1 else pa.large_string() if kinds else pa.null()
        if kind == pa.int64() and not self.is_double:
            kind = pa.large_string()
        if kind != pa.large_string():
            done = accumulate(map(len, self._arrays()), initial=0)
            for array, before in zip(self._arrays(), done, strict=False):
                yield arrow_column(pa.chunked_array([array.cast(kind)]), self.where, before)
        elif may_be_dates and self.types == {str} and (pattern := self._date_pattern()):
            yield from (as_dates(text, pattern) for text in self._texts())
        else:
            yield from self._texts()

    def _arrays(self) -> Iterator[pa.Array]:
        return map(self.arrays.load, self.chunks)

    def _texts(self) -> Iterator[pd.Series[str]]:
        import pyarrow as pa

        for array in self._arrays():
            text = array if array.type == pa.large_string() else _texts(array.to_pylist())
            yield text_column(pa.chunked_array([text]))

    def _date_pattern(self) -> str:
        """Give the pattern of dates that all texts match; empty where there is none."""
        if not any(text.notna().any() for text in self._texts()):
            return ""
        return next((pattern for pattern in DATES if all(are_dates(text, pattern) for text in self._texts())), "")


def _numbers(values: list[Any], types: set[type]) -> pa.Array:
    """Give numbers as int64 or double, or as text where one of them has more digits than these hold."""
    import pyarrow as pa

    try:
        return pa.array(values, pa.int64() if types == {int} else pa.float64())
    except (pa.ArrowInvalid, OverflowError):
        return _texts(values)


def _fits_double(chunk: pa.Array) -> bool:
    """Say whether integers keep their digits as numbers; nothing else is asked of other values."""
    import pyarrow as pa

    if chunk.type != pa.int64():
        return True
    try:
        chunk.cast(pa.float64())
    except pa.ArrowInvalid:
        return False
    return True


def _moments(values: list[Any]) -> pa.Array:
    """Give dates and times, those with a zone in UTC; where only some have a zone, as text."""
    import pyarrow as pa

    moments = [dt.datetime(v.year, v.month, v.day) if type(v) is dt.date else v for v in values]  # noqa: DTZ001  # it has no zone
    zoned = {v.tzinfo is not None for v in moments if v is not None}
    if zoned == {True}:
        return pa.array([v and v.astimezone(dt.UTC) for v in moments], pa.timestamp("us", "UTC"))
    return pa.array(moments, pa.timestamp("us")) if zoned == {False} else _texts(values)


def _texts(values: list[Any]) -> pa.Array:
    import pyarrow as pa

    return pa.array([None if value is None else _as_text(value) for value in values], pa.large_string())


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value + 0.0:.0f}" if value.is_integer() and abs(value) < EXACT_INTEGERS else repr(value)
    return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)
