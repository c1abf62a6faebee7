"""Rows of Python values, as JSON and databases give them, become columns of the three dtypes, exactly, or are refused."""

# pyarrow has no types, so what it gives is unknown here.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

from tasks.core.formats.columns import arrow_column, dates_or_text, text_column
from tasks.core.formats.source import refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd
    import pyarrow as pa

CHUNK_ROWS = 50_000
MOST_COLUMNS = 20_000
NUMBERS = frozenset([int, float, Decimal])
TEXTS = frozenset([str, uuid.UUID, dt.time])


def rows_frame(rows: Iterable[Mapping[str, object]], source: str) -> tuple[pd.DataFrame, str]:
    """Gather rows of Python values, of which each may lack some columns.

    Returns:
        The table, and a note about columns of mixed types, which become text.

    Raises:
        DataRefusedError: a value is infinite, or of a type that has no place in a table.
    """
    import pandas as pd

    order: list[str] = []
    known: set[str] = set()
    columns: dict[str, _Column] = {}
    done, remaining = 0, iter(rows)
    while chunk := list(islice(remaining, CHUNK_ROWS)):
        for row in chunk:
            if not row.keys() <= known:
                _insert(order, row)
                known.update(row)
        if len(order) > MOST_COLUMNS:
            raise refused(source, f"has more than {MOST_COLUMNS:,} columns; are its keys values?")
        for name in order:
            columns.setdefault(name, _Column(f"{source}, column '{name}'", done)).add([row.get(name) for row in chunk])
        done += len(chunk)
    if not order:
        raise refused(source, "has no rows")
    mixed = [name for name in order if columns[name].is_mixed]
    note = f"{', '.join(map(repr, mixed))}: values of several types, read as text" if mixed else ""
    return pd.DataFrame({name: columns[name].series() for name in order}), note


def _insert(order: list[str], names: Iterable[str]) -> None:
    """Put each new name behind the one that it follows in its row, so that the last column stays the last."""
    at = 0
    for name in names:
        if name in order:
            at = order.index(name)
        else:
            order.insert(at, name)
        at += 1


class _Column:
    """A growing column: its chunks as compact Arrow arrays, and the Python types that were met."""

    def __init__(self, where: str, missing: int) -> None:
        import pyarrow as pa

        self.where = where
        self.done = missing
        self.types: set[type] = set()
        self.chunks: list[pa.Array] = [pa.nulls(missing)] if missing else []

    @property
    def is_mixed(self) -> bool:
        kinds = self.types - NUMBERS | ({float} if self.types & NUMBERS else set())
        return len(kinds - {dt.date}) > 1 or (dt.date in kinds and len(kinds) > 1 and dt.datetime not in kinds)

    def add(self, values: list[object]) -> None:
        types = set(map(type, values)) - {type(None)}
        for kind in types - NUMBERS - TEXTS - {bool, dt.date, dt.datetime}:
            row = next(i for i, value in enumerate(values) if type(value) is kind)
            raise refused(
                f"{self.where}, row {self.done + row + 1}", f"is of type {kind.__name__}; cast it to text or a number in the query"
            )
        self.types |= types
        self.chunks.append(self._array(values, types))
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

    def series(self) -> pd.Series:
        import pyarrow as pa

        kinds = {chunk.type for chunk in self.chunks} - {pa.null()}
        if len(kinds) > 1 and kinds <= {pa.int64(), pa.float64()}:
            kinds = {pa.float64() if all(map(_fits_double, self.chunks)) else pa.large_string()}
        if len(kinds) == 1 and (kind := kinds.pop()) != pa.large_string():
            return arrow_column(pa.chunked_array([chunk.cast(kind) for chunk in self.chunks], kind), self.where)
        if not kinds and not self.types:
            return arrow_column(pa.chunked_array(self.chunks, pa.null()), self.where)
        texts = [c if c.type == pa.large_string() else _texts(c.to_pylist()) for c in self.chunks]
        text = text_column(pa.chunked_array(texts, pa.large_string()))
        return dates_or_text(text) if self.types == {str} else text


def _numbers(values: list[Any], types: set[type]) -> pa.Array:
    """Give numbers as int64 or double, or as text where one of them has more digits than these hold."""
    import pyarrow as pa

    try:
        return pa.array(values, pa.int64() if types == {int} else pa.float64())
    except (pa.ArrowInvalid, OverflowError):
        return _texts(values)


def _fits_double(chunk: pa.Array) -> bool:
    import pyarrow as pa

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
        return repr(value)
    return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)
