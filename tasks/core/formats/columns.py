"""Columns of Arrow become the three dtypes of a table, exactly, or are refused."""

# pyarrow has no types, so what it gives is unknown here.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING

from tasks.core.formats.source import refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import pandas as pd
    import pyarrow as pa

MOST_BYTES = 8 * 2**30
DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
TIME = r"[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
ZONE = r"(?:Z|[+-](?:0[0-9]|1[0-4]):?[0-5][0-9])"


def parquet_frame(data: bytes, source: str) -> pd.DataFrame:
    """Give the rows of a Parquet file.

    Raises:
        DataRefusedError: it is damaged, or holds what the three dtypes cannot hold exactly.
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        size = file.metadata.num_rows * file.metadata.num_columns * 8
        if size > MOST_BYTES:
            raise refused(source, f"would take {size / 2**30:,.0f} GiB of memory; split it, or keep fewer columns")
        table = file.read()
    except (pa.ArrowException, OSError) as error:
        raise refused(source, f"is no Parquet file, or a damaged one ({str(error).splitlines()[0]})") from error
    check_distinct(table.column_names, source)
    index = [name for name in (table.schema.pandas_metadata or {}).get("index_columns", ()) if isinstance(name, str)]
    if index:
        raise refused(source, f"holds a pandas index as column '{index[0]}'; write it with index=False")
    return pd.DataFrame({name: arrow_column(table.column(name), f"{source}, column '{name}'") for name in table.column_names})


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


def arrow_column(column: pa.ChunkedArray, where: str) -> pd.Series:
    """Give an Arrow column as one of the three dtypes of a table, unless that would change a value.

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
            return _finite(column.cast(pa.float64()), where)
        if t.is_integer(kind):
            return _whole_numbers(column)
        if t.is_decimal(kind):
            return _decimals(column, where)
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


def _finite(column: pa.ChunkedArray, where: str) -> pd.Series:
    import numpy as np
    import pandas as pd

    values: np.ndarray = column.to_numpy()
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        raise refused(f"{where}, row {infinite[0] + 1}", "is infinite; write a number, or leave the cell empty")
    return pd.Series(values)


def _whole_numbers(column: pa.ChunkedArray) -> pd.Series:
    """Give integers as numbers, or as text where one of them is beyond 2**53 and would lose digits."""
    import pandas as pd
    import pyarrow as pa

    try:
        return pd.Series(column.cast(pa.float64()).to_numpy())
    except pa.ArrowInvalid:
        return column.cast(pa.large_string()).to_pandas().astype("str")


def _decimals(column: pa.ChunkedArray, where: str) -> pd.Series:
    """Give decimals as numbers that are printed with the same digits."""
    import pandas as pd

    decimals = column.to_pylist()
    values = [float("nan") if decimal is None else float(decimal) for decimal in decimals]
    for row, (decimal, value) in enumerate(zip(decimals, values, strict=True), start=1):
        if decimal is not None and Decimal(repr(value)) != decimal:
            what = f"{decimal} has more digits than a number holds; store it as text or as double"
            raise refused(f"{where}, row {row}", what)
    return pd.Series(values, dtype="float64")


def dates_or_text(text: pd.Series[str]) -> pd.Series:
    """Give text as `datetime64[us]` where every cell is an ISO 8601 date or time; those with a zone, if all have one, in UTC.

    >>> import pandas as pd
    >>> dates_or_text(pd.Series(["2024-01-31", None], dtype="str")).dtype
    dtype('<M8[us]')
    """
    import pandas as pd

    filled = text.dropna()
    for pattern, is_zoned in ((f"{DATE}(?:{TIME})?", False), (DATE + TIME + ZONE, True)):
        if not len(filled) or not _all_match(filled, pattern):
            continue
        parsed = pd.to_datetime(filled, format="ISO8601", errors="coerce", utc=is_zoned)
        moments = (parsed.dt.tz_localize(None) if is_zoned else parsed).astype("datetime64[us]")
        return moments.reindex(text.index) if moments.notna().all() else text
    return text


def _all_match(text: pd.Series[str], pattern: str) -> bool:
    """Say whether every cell matches a pattern as a whole; the first one is asked first."""
    return bool(re.fullmatch(pattern, text.iloc[0])) and bool(text.str.fullmatch(pattern).all())
