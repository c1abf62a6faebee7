"""Read a table exactly, or refuse it in one sentence that names the line."""

from __future__ import annotations

import codecs
import csv
import io
import re
import stat
from decimal import Decimal
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core.cells import check_header, check_names, typed
from tasks.core.errors import DataRefusedError, UsageError
from tasks.core.table import Table

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    import numpy as np
    import pandas as pd
    import pyarrow as pa

BUNDLED = ("breast_cancer", "diabetes", "iris", "wine")
CHUNK_ROWS = 50_000
# The start of what the csv module says, and what it means to the person whose file it is.
CSV_ERRORS = {
    "unexpected end": "a quoted cell is never closed",
    "new-line": "a carriage return stands alone; end lines with LF or CRLF",
    "field larger": "a cell has more than 131,072 characters; is a quote missing?",
}


def read_table(source: str) -> Table:
    """Give the rows of a CSV or Parquet file, or of a table that comes with scikit-learn.

    Args:
        source: Path of a `.csv` or `.parquet` file, or `sklearn:` and one of diabetes, breast_cancer, wine, iris.

    Raises:
        UsageError: there is no such file or table, or it cannot be opened.
        DataRefusedError: the content is not a clean table.
    """
    import numpy as np

    if source.startswith("sklearn:"):
        df = _bundled(source.removeprefix("sklearn:"))
        return Table(df, source, np.arange(1, len(df) + 1, dtype=np.int64))
    content = _content(source)
    df, lines = _csv(content, source) if source.lower().endswith(".csv") else _parquet(content, source)
    if not len(df):
        raise _refused(source, "has no rows")
    return Table(df, source, lines)


def check_source(source: str) -> None:
    """Refuse what names no table, before anything is imported to read one.

    Raises:
        UsageError: there is no such file or bundled table.
    """
    if source.startswith("sklearn:"):
        _check_bundled(source.removeprefix("sklearn:"))
    else:
        _status(Path(source))


def _refused(source: str, what: str, line: int | None = None) -> DataRefusedError:
    where = source if line is None else f"{source}, line {line}"
    return DataRefusedError(f"{where}: {what}" if line else f"{where} {what}", where=where)


def _content(source: str) -> bytes:
    """Give the bytes of a regular file, all of one state of it."""
    path = Path(source)
    before = _status(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error
    after = _status(path)
    if _state(before) != _state(after) or len(content) != after.st_size:
        raise _refused(source, "changed while it was read; try again when it is complete")
    if not content.removeprefix(codecs.BOM_UTF8):
        raise _refused(source, "is empty")
    return content


def _status(path: Path) -> os.stat_result:
    """Give the status of a file that may be a table."""
    source = str(path)
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _unreadable(path, error) from error
    if not stat.S_ISREG(status.st_mode):
        message = f"'{source}' is {'a folder' if path.is_dir() else 'no regular file'}; name a .csv or .parquet file"
        raise UsageError(message, where=source)
    if path.suffix.lower() not in {".csv", ".parquet"}:
        message = f"'{source}' is neither a .csv nor a .parquet file; convert it, or rename it if it is one"
        raise UsageError(message, where=source)
    return status


def _state(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _unreadable(path: Path, error: OSError | ValueError) -> UsageError:
    if not isinstance(error, FileNotFoundError):
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        return UsageError(f"'{path}' cannot be read: {reason.lower()}", where=str(path))
    if path.is_symlink():
        return UsageError(f"'{path}' is a link to '{path.readlink()}', which does not exist", where=str(path))
    if not path.parent.is_dir():
        return UsageError(f"there is no file '{path}', and no folder '{path.parent}'", where=str(path))
    close = get_close_matches(path.name, [p.name for p in path.parent.iterdir()], n=1)
    hint = f"did you mean '{path.with_name(close[0])}'?" if close else "name a .csv or .parquet file, or sklearn:diabetes to try"
    return UsageError(f"there is no file '{path}'; {hint}", where=str(path))


def _check_bundled(name: str) -> None:
    if name not in BUNDLED:
        unknown = "bundled table"
        raise UsageError.unknown(unknown, name, BUNDLED, where=f"sklearn:{name}")


def _bundled(name: str) -> pd.DataFrame:
    _check_bundled(name)
    from sklearn import datasets

    options = {"scaled": False} if name == "diabetes" else {}
    bunch = getattr(datasets, f"load_{name}")(as_frame=True, **options)
    target = bunch.target.astype("float64")
    if "target_names" in bunch:
        target = target.map(dict(enumerate(bunch.target_names))).astype("str")
    return bunch.data.astype("float64").assign(target=target)


def _csv(content: bytes, source: str) -> tuple[pd.DataFrame, np.ndarray]:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    content = content.removeprefix(codecs.BOM_UTF8)
    _check_bytes(content, source)
    delimiter = _delimiter(content, source)
    rows = _rows(content, delimiter, source)
    _, header = next(rows)
    check_header(header, source)
    lines: list[int] = []
    chunks: list[list[pa.Array]] = [[] for _ in header]
    for chunk in iter(lambda: list(islice(rows, CHUNK_ROWS)), []):
        _check_rows(chunk, header, source)
        lines.extend(line for line, _ in chunk)
        for column, cells in zip(chunks, zip(*(row for _, row in chunk), strict=True), strict=True):
            column.append(pa.array(cells, pa.large_string()))
    _check_quotes(content, delimiter, source)
    numbers = np.array(lines, dtype=np.int64)
    text = {name: pa.chunked_array(cells, pa.large_string()).to_pandas() for name, cells in zip(header, chunks, strict=True)}
    df = pd.DataFrame({name: typed(cells.astype("str").rename(name), numbers).values for name, cells in text.items()})
    _check_is_decided(df, source)
    return df, numbers


def _check_bytes(content: bytes, source: str) -> None:
    if content.lstrip()[:1] in {b"<", b"{"}:
        raise _refused(source, "is HTML, XML or JSON, not CSV")
    if (at := content.find(b"\0")) >= 0:
        raise _refused(source, "a NUL byte; save the file as UTF-8 text", content.count(b"\n", 0, at) + 1)
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _refused(source, f"byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8 text", line) from error


def _delimiter(content: bytes, source: str) -> str:
    first = re.sub(r'"[^"]*"', "", io.BytesIO(content).readline().decode())
    found = [d for d in ",;\t|" if d in first]
    if len(found) > 1:
        raise _refused(source, f"the header could be split at {' or at '.join(map(repr, found))}; keep one of them, or quote the names", 1)
    return found[0] if found else ","


def _rows(content: bytes, delimiter: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the line it starts on; blank lines may stand only at the end."""
    # newline="\n": line numbers count as editors do, and a lone CR outside quotes is an error instead of a row.
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(content), "utf-8", newline="\n"), delimiter=delimiter, strict=True)
    line, blank, width = 1, 0, 0
    try:
        for row in reader:
            if blank and row:
                raise _refused(source, "a blank line; remove it", blank)
            if row:
                yield line, row
                width = len(row)
            else:
                blank = blank or line
            line = reader.line_num + 1
    except csv.Error as error:
        reason = next((text for start, text in CSV_ERRORS.items() if str(error).startswith(start)), "text follows a closing quote")
        raise _refused(source, reason, line) from error
    if blank and width <= 1:
        raise _refused(source, 'a blank line; remove it, or write "" for a missing cell', blank)


def _check_rows(chunk: list[tuple[int, list[str]]], header: list[str], source: str) -> None:
    for line, row in chunk:
        if len(row) != len(header):
            fields = "1 field" if len(row) == 1 else f"{len(row)} fields"
            raise _refused(source, f"{fields} where the header has {len(header)}", line)
        if row == header:
            raise _refused(source, "the header line again; remove it", line)


def _check_quotes(content: bytes, delimiter: str, source: str) -> None:
    """Refuse a quote inside an unquoted cell, which the csv module would keep as a character."""
    quoted_or_stray = re.compile(rb'"(?:(?<![^%b\n]")[^"]*(?:""[^"]*)*")?' % re.escape(delimiter.encode()))
    stray = next((match.start() for match in quoted_or_stray.finditer(content) if len(match[0]) == 1), None)
    if stray is not None:
        what = "a quote inside a cell that is not quoted; quote the whole cell and double the quotes in it"
        raise _refused(source, what, content.count(b"\n", 0, stray) + 1)


def _check_is_decided(df: pd.DataFrame, source: str) -> None:
    """Refuse text that may have been read otherwise: a header that may be data, one column that may be several."""
    if any(dtype != "str" for dtype in df.dtypes):
        return  # a number or a date below a word proves the header
    for name in df.columns:
        if (df[name] == name).any():
            raise _refused(source, f"the first line looks like data ('{name}' is also a value below): add a header line", 1)
    if df.shape[1] > 1:
        return
    cells = [df.columns[0], *df.iloc[:, 0].dropna()]
    for mark in (None, *(c for c in cells[0] if not c.isalnum())):
        parts = {len(cell.split(mark)) for cell in cells}
        if len(parts) == 1 and parts != {1}:
            between = "blanks" if mark is None or mark.isspace() else f"'{mark}'"
            raise _refused(source, f"one column, or several with {between} between them? separate columns with commas", 1)


def _parquet(content: bytes, source: str) -> tuple[pd.DataFrame, np.ndarray]:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(content))
    except (pa.ArrowException, OSError) as error:
        raise _refused(source, f"is no Parquet file, or a damaged one ({str(error).splitlines()[0]})") from error
    check_names(table.column_names, source)
    index = [name for name in (table.schema.pandas_metadata or {}).get("index_columns", ()) if isinstance(name, str)]
    if index:
        raise _refused(source, f"holds a pandas index as column '{index[0]}'; write it with index=False")
    df = pd.DataFrame({name: _arrow_column(table.column(name), f"{source}, column '{name}'") for name in table.column_names})
    return df, np.arange(1, len(df) + 1, dtype=np.int64)


def _arrow_column(column: pa.ChunkedArray, where: str) -> pd.Series:
    """Give an Arrow column as one of the three dtypes of a table, unless that would change a value."""
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
            text = column.cast(pa.large_string()).to_pandas().astype("str")
            return text.where(text != "")
    except pa.ArrowInvalid as error:
        raise _refused(where, f"cannot be read exactly ({str(error).splitlines()[0]})") from error
    raise _refused(where, f"is of type {kind}; numbers, text, booleans, dates and times can be read")


def _finite(column: pa.ChunkedArray, where: str) -> pd.Series:
    import numpy as np
    import pandas as pd

    values = column.to_numpy()
    infinite = np.flatnonzero(np.isinf(values))
    if len(infinite):
        where = f"{where}, row {infinite[0] + 1}"
        raise _refused(where, "is infinite; write a number, or leave the cell empty")
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
            where = f"{where}, row {row}"
            raise _refused(where, f"{decimal} has more digits than a number holds; store it as text or as double")
    return pd.Series(values, dtype="float64")
