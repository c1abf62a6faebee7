"""Columns of Arrow become the three dtypes of a table, exactly, or are refused."""

# pyarrow has no types, so what it gives is unknown here.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from tasks.core.formats.source import refused
from tasks.core.reading.forms import in_digits
from tasks.core.reading.store import PIECE_ROWS, Columns
from tasks.core.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tasks.core.reading.blob import Blob

MOST_BYTES = 8 * 2**30
BUFFER_BYTES = 2**20
BATCH_CELLS = 4_000_000
DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
TIME = r"[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
ZONE = r"(?:Z|[+-](?:0[0-9]|1[0-4]):?[0-5][0-9])"
DATES = (f"{DATE}(?:{TIME})?", DATE + TIME + ZONE)


def parquet_table(blob: Blob, source: str) -> Table:
    """Give the rows of a Parquet file, read in parts.

    Raises:
        DataRefusedError: it is damaged, or holds what the three dtypes cannot hold exactly.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        # Without a buffer a column of a group of rows is fetched at once, and some files are one group.
        file = pq.ParquetFile(pa.PythonFile(blob.open(), mode="r"), buffer_size=BUFFER_BYTES, pre_buffer=False)
        schema, rows = file.schema_arrow, file.metadata.num_rows
        size = rows * len(schema.names) * 8
        if size > MOST_BYTES:
            raise refused(source, f"would take {size / 2**30:,.0f} GiB of memory; split it, or keep fewer columns")
        check_distinct(schema.names, source)
        _check_no_index(schema, source)
        columns = _columns_of(file, schema, source)
    except (pa.ArrowException, OSError) as error:
        raise refused(source, f"is no Parquet file, or a damaged one ({str(error).splitlines()[0]})") from error
    return Table(tuple(schema.names), columns, source, np.arange(1, rows + 1, dtype=np.int64))


def _check_no_index(schema: pa.Schema, source: str) -> None:
    index = [name for name in (schema.pandas_metadata or {}).get("index_columns", ()) if isinstance(name, str)]
    if index:
        raise refused(source, f"holds a pandas index as column '{index[0]}'; write it with index=False")


def _columns_of(file: pq.ParquetFile, schema: pa.Schema, source: str) -> Columns:
    import pyarrow as pa

    columns, done = Columns(), 0
    long: set[int] = set()  # columns of whole numbers, of which some are too long for numbers
    most_rows = max(1, min(PIECE_ROWS, BATCH_CELLS // max(1, len(schema.names))))
    for batch in file.iter_batches(batch_size=most_rows) if file.metadata.num_rows else [schema.empty_table()]:
        parts: list[pd.Series] = []
        for place, name in enumerate(schema.names):
            column = pa.chunked_array(batch.column(place))
            part = _whole_text(column) if place in long else arrow_column(column, f"{source}, column '{name}'", done)
            if pa.types.is_integer(column.type) and place not in long and part.dtype != "float64":
                long.add(place)
                if done:
                    columns.change(place, in_digits)
            parts.append(part)
        columns.extend(parts)
        done += batch.num_rows
    return columns


def check_distinct(names: Iterable[str], source: str) -> None:
    """Refuse two columns of one name.

    Raises:
        DataRefusedError: a name stands twice.
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise refused(source, f"has two columns called '{name}'; rename one")
        seen.add(name)


def arrow_column(column: pa.ChunkedArray, where: str, done: int = 0) -> pd.Series:
    """Give an Arrow column as one of the three dtypes of a table, unless that would change a value.

    Args:
        column: All of it, or a part.
        where: Named in messages.
        done: How many rows stand before this part.

    Raises:
        DataRefusedError: it would, or the type has no place in a table.
    """
    import pyarrow as pa
    import pyarrow.types as t

    if t.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    try:
        if t.is_floating(kind) or t.is_null(kind):
            return _finite(column.cast(pa.float64()), where, done)
        if t.is_integer(kind):
            return _whole_numbers(column)
        if t.is_decimal(kind):
            return _decimals(column, where, done)
        if t.is_date(kind) or t.is_timestamp(kind):
            zone = getattr(kind, "tz", None)
            return column.cast(pa.timestamp("us", zone)).cast(pa.timestamp("us")).to_pandas()
        if t.is_boolean(kind) or t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind):
            return text_column(column.cast(pa.large_string()))
    except pa.ArrowInvalid as error:
        raise refused(where, f"cannot be read exactly ({str(error).splitlines()[0]})") from error
    raise refused(where, f"is of type {kind}; numbers, text, booleans, dates and times can be read")


def text_column(column: pa.ChunkedArray) -> pd.Series:
    """Give a column of large strings as `str`; an empty text is missing."""
    text = column.to_pandas().astype("str")
    return text.where(text != "")


def _finite(column: pa.ChunkedArray, where: str, done: int) -> pd.Series:
    import numpy as np
    import pandas as pd

    values: np.ndarray = column.to_numpy()
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        raise refused(f"{where}, row {done + infinite[0] + 1}", "is infinite; write a number, or leave the cell empty")
    return pd.Series(values)


def _whole_numbers(column: pa.ChunkedArray) -> pd.Series:
    """Give integers as numbers, or as text where one of them is beyond 2**53 and would lose digits."""
    import pandas as pd
    import pyarrow as pa

    try:
        return pd.Series(column.cast(pa.float64()).to_numpy())
    except pa.ArrowInvalid:
        return _whole_text(column)


def _whole_text(column: pa.ChunkedArray) -> pd.Series:
    """Give integers as text."""
    import pyarrow as pa

    return column.cast(pa.large_string()).to_pandas().astype("str")


def _decimals(column: pa.ChunkedArray, where: str, done: int) -> pd.Series:
    """Give decimals as numbers that are printed with the same digits."""
    import pandas as pd

    decimals = column.to_pylist()
    values = [float("nan") if decimal is None else float(decimal) for decimal in decimals]
    for row, (decimal, value) in enumerate(zip(decimals, values, strict=True), start=done + 1):
        if decimal is not None and Decimal(repr(value)) != decimal:
            what = f"{decimal} has more digits than a number holds; store it as text or as double"
            raise refused(f"{where}, row {row}", what)
    return pd.Series(values, dtype="float64")


def are_dates(text: pd.Series[str], pattern: str) -> bool:
    """Say whether every cell is an ISO 8601 date or time of a pattern; the first one is asked first.

    >>> import pandas as pd
    >>> [are_dates(pd.Series(["2024-01-31", None], dtype="str"), pattern) for pattern in DATES]
    [True, False]
    """
    filled = text.dropna()
    if not len(filled):
        return True
    is_alike = bool(re.fullmatch(pattern, filled.iloc[0])) and bool(filled.str.fullmatch(pattern).all())
    return is_alike and bool(as_dates(filled, pattern).notna().all())


def as_dates(text: pd.Series[str], pattern: str) -> pd.Series:
    """Give text of a pattern as `datetime64[us]`, with a zone in UTC; what is no day of the calendar is missing."""
    import pandas as pd

    is_zoned = pattern == DATES[1]
    parsed = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=is_zoned)
    return (parsed.dt.tz_localize(None) if is_zoned else parsed).astype("datetime64[us]")
