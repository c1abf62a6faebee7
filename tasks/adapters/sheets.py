"""Sheets: rows that were set aside as CSV for people to mend, and as JSON for the quarantine; no cell changes on the way."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from tasks.core import mending
from tasks.core.reading.terms import SetAside
from tasks.core.row_texts import row_texts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pandas as pd

    from tasks.core.mending import Aside


def write(asides: Iterable[Aside], names: Sequence[str], batch: str) -> Iterator[bytes]:
    """Write the sheet of a batch, part by part; a byte-order mark tells spreadsheets that it is UTF-8.

    Args:
        asides: All rows of the batch that were set aside.
        names: Of its columns.
        batch: Its digest.
    """
    head = io.StringIO()
    csv.writer(head, lineterminator="\n").writerow([*mending.HELPERS, *names])
    yield head.getvalue().encode("utf-8-sig")
    yield from (_lines(aside, batch) for aside in asides)


def _lines(aside: Aside, batch: str) -> bytes:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    rows = len(aside.rows)
    helpers = [pa.array(mending.names_of(batch, aside.rows)), pa.array(aside.lines), pa.array(aside.reasons)]
    texts = pa.nulls(rows, pa.string()) if aside.texts is None else pa.array(aside.texts, pa.string())
    cells = [pa.array(aside.cells[name], from_pandas=True) for name in aside.cells.columns]
    written = io.BytesIO()
    # Arrow writes the shortest number that is read as the same one, and a million rows in a second.
    table = pa.table([*helpers, texts, *cells], names=[*mending.HELPERS, *aside.cells.columns])
    arrow_csv.write_csv(table, written, arrow_csv.WriteOptions(include_header=False))
    return written.getvalue()


def for_quarantine(aside: Aside) -> pd.DataFrame:
    """Give rows as the quarantine of the lake keeps them: row, line, text, reasons."""
    import pandas as pd

    texts = pd.Series([*(aside.texts or [None] * len(aside.rows))], dtype="str")
    if texts.isna().any():
        texts = texts.fillna(row_texts(aside.cells))
    return pd.DataFrame({"row": aside.rows, "line": aside.lines, "text": texts, "reasons": aside.reasons})


def first_rows(asides: Iterable[Aside], size: int) -> tuple[SetAside, ...]:
    """Give the first rows that were set aside."""
    rows: list[SetAside] = []
    for aside in asides:
        some = for_quarantine(aside).iloc[: size - len(rows)]
        rows += [SetAside(*row) for row in zip(some["line"].tolist(), some["text"].tolist(), some["reasons"].tolist(), strict=True)]
        if len(rows) >= size:
            break
    return tuple(rows)
