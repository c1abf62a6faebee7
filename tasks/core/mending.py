"""Rows that were set aside, as a sheet that a person mends and delivers again.

A sheet is a CSV file of the columns as they came, with four more before them: which row of which batch it is, its line, why it
was set aside, and the text of one that could not be taken apart. Rows are known by the first of these; the rest is for people.
"""

from __future__ import annotations

import csv
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from tasks.core.errors import DataRefusedError
from tasks.core.hiding import without_values
from tasks.core.lake.values import BATCH_DIGITS
from tasks.core.reading.cells import read_as
from tasks.core.reading.terms import ReadingOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    import numpy as np
    import pandas as pd

    from tasks.core.lake.columns import Columns
    from tasks.core.reading.terms import SetAside, Sort

ROW, LINE, REASONS, TEXT = HELPERS = ("_row", "_line", "_reasons", "_text")
ROW_NAME = rf"[0-9a-f]{{{BATCH_DIGITS}}}-[1-9][0-9]{{0,17}}"
HEAD = re.compile(rf"(?P<quote>[\"']?){ROW}(?P=quote)(?P<delimiter>[^\w\s\"']|\t)(?P=quote){LINE}")
ASIDE_ROWS = 10_000  # rows that could not be read are written so many at a time


@dataclass(frozen=True)
class Aside:
    """Some rows that were set aside.

    Attributes:
        cells: The columns of their table; text where they could not be read.
        rows: Their places in the delivery, from 1.
        lines: Where they stand in it.
        reasons: Why each is there.
        texts: What stands there, where a row could not be read; None for rows that were, or where all were.
    """

    cells: pd.DataFrame
    rows: np.ndarray
    lines: np.ndarray
    reasons: np.ndarray
    texts: Sequence[str | None] | None = None


@dataclass(frozen=True)
class Pile:
    """All rows of a batch that were set aside.

    Attributes:
        names: Of the columns of their table.
        read: Goes through them from the first, as often as it is called.
    """

    names: Sequence[str]
    read: Callable[[], Iterator[Aside]]


def names_of(batch: str, rows: np.ndarray) -> list[str]:
    """Name rows of a batch by their places in its delivery, as their sheet and the lake do."""
    return [f"{batch[:BATCH_DIGITS]}-{row}" for row in rows.tolist()]


def unread(misfits: Sequence[SetAside], names: Sequence[str], first_row: int) -> Iterator[Aside]:
    """Give rows that could not be read; where one has a cell for each column, or names them, the cells stand in their columns.

    Args:
        misfits: Of a delivery.
        names: Of its columns.
        first_row: The place of the first of them: they follow upon those that were read.
    """
    import numpy as np
    import pandas as pd

    for start in range(0, len(misfits), ASIDE_ROWS):
        some = misfits[start : start + ASIDE_ROWS]
        cells = [_written(row.text, names) or taken_apart(row.text, len(names)) for row in some]
        yield Aside(
            cells=pd.DataFrame(cells, columns=list(names), dtype="str"),
            rows=np.arange(len(some), dtype=np.int64) + first_row + start,
            lines=np.array([row.line for row in some], dtype=np.int64),
            reasons=np.array([row.reason for row in some], dtype=object),
            texts=[row.text for row in some],
        )


def stored(rows: pd.DataFrame, names: Sequence[str]) -> Iterator[Aside]:
    """Give rows as the quarantine of the lake keeps them back as they stood in their table, as text.

    Args:
        rows: row, line, text, reasons.
        names: Of the columns.
    """
    import pandas as pd

    for start in range(0, len(rows), ASIDE_ROWS):
        some = rows.iloc[start : start + ASIDE_ROWS]
        read = [_written(text, names) for text in some["text"]]
        cells = [found or taken_apart(text, len(names)) for found, text in zip(read, some["text"], strict=True)]
        yield Aside(
            cells=pd.DataFrame(cells, columns=list(names), dtype="str"),
            rows=some["row"].to_numpy(),
            lines=some["line"].to_numpy(),
            reasons=some["reasons"].to_numpy(dtype=object),
            texts=[None if found else text for found, text in zip(read, some["text"], strict=True)],
        )


def _written(text: str, names: Sequence[str]) -> list[str | None]:
    """Give the cells of a row that was written as a JSON object; none where the text is something else."""
    try:
        found = json.loads(text, parse_float=str, parse_int=str)
    except ValueError:
        return []
    if not (isinstance(found, dict) and found.keys() == set(names)):  # pyright: ignore[reportUnknownMemberType]
        return []
    cells = cast("dict[str, object]", found)
    return [None if (cell := cells[name]) is None else str(cell) for name in names]


def taken_apart(text: str, width: int) -> Sequence[str | None]:
    """Take a row apart into so many cells, where only one delimiter yields as many; else no cell is known.

    >>> taken_apart("h5;many;3", 3), taken_apart("h5;many", 3)
    (['h5', 'many', '3'], [None, None, None])
    """
    found = {cells for delimiter in ",;\t|" if len(cells := _cells(text, delimiter)) == width}
    return list(found.pop()) if len(found) == 1 else [None] * width


def _cells(text: str, delimiter: str) -> tuple[str, ...]:
    try:
        records = list(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error:
        return ()
    return tuple(records[0]) if len(records) == 1 else ()


# --------------------------------------------------------------------------------------------------------- sheets that come back


def options_of(head: bytes) -> ReadingOptions | None:
    r"""Say how a sheet is to be read, by the first bytes of its file; None where these are of something else.

    >>> options_of(b"_row;_line;_reasons;_text;size\n").delimiter
    ';'
    """
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    found = HEAD.match(head.decode(encoding, errors="replace"))
    return ReadingOptions(header=True, delimiter=found["delimiter"], quote='"') if found else None


def is_sheet(names: Iterable[str]) -> bool:
    """Say whether columns are those of a sheet."""
    return ROW in names


def places_of(rows: pd.Series[str], lines: np.ndarray) -> tuple[str, np.ndarray]:
    """Give the first digits of the batch that rows of a sheet belong to, and their places in its delivery.

    Raises:
        DataRefusedError: a row does not say which it is, two say the same, or they are of several batches.
    """
    import numpy as np

    wrong = ~rows.fillna("").str.fullmatch(ROW_NAME)
    if wrong.any():
        message = (
            f"line {lines[wrong.to_numpy().argmax()]} does not say in '{ROW}' which row it was; deliver new rows in a file of their own"
        )
        raise DataRefusedError(message, where=ROW)
    parts = rows.str.split("-", n=1, expand=True)
    other = parts[0] != parts[0].iloc[0]
    if other.any():
        message = (
            f"line {lines[other.to_numpy().argmax()]} is of batch {parts[0][other].iloc[0]}, and those before are of {parts[0].iloc[0]}"
        )
        raise DataRefusedError(f"{message}; deliver them one by one", where=ROW)
    twice = rows.duplicated()
    if twice.any():
        message = f"line {lines[twice.to_numpy().argmax()]} says in '{ROW}' that it is a row that stands there already; keep one of the two"
        raise DataRefusedError(message, where=ROW)
    return str(parts[0].iloc[0]), parts[1].astype("int64").to_numpy(dtype=np.int64)


def read_cells(cells: pd.DataFrame, columns: Columns, lines: np.ndarray, pii: Collection[str] = ()) -> tuple[pd.DataFrame, dict[int, str]]:
    """Read the cells of mended rows as what their columns are declared to hold.

    Args:
        cells: Text, as a person left it.
        columns: As declared; one that is not among them stays text.
        lines: Of the rows in their sheet.
        pii: Columns whose values no reason may quote.

    Returns:
        All rows, and by line why some cannot be read.
    """
    import pandas as pd

    sorts: dict[str, Sort] = {column.name: column.sort or "text" for column in columns.columns}
    read = {str(name): read_as(sorts.get(str(name), "text"), cells[name], lines) for name in cells.columns}
    failing: dict[int, list[str]] = {}
    for name, column in read.items():
        for row, reason in column.odd.items():
            told = without_values(reason) if name in pii else reason
            failing.setdefault(int(lines[row]), []).append(f"column '{name}': {told}")
    values = pd.DataFrame({name: column.values for name, column in read.items()})
    for name in (column.name for column in columns.columns if column.kind == "datetime64[us, UTC]" and column.name in read):
        times = pd.to_datetime(values[name], utc=True, errors="coerce", format="ISO8601")
        for line in lines[(times.isna() & values[name].notna()).to_numpy()].tolist():
            failing.setdefault(line, []).append(f"column '{name}': there is no time with a zone, such as 2024-05-06T07:08:09Z")
        values[name] = times
    return values, {line: "; ".join(failing[line]) for line in sorted(failing)}
