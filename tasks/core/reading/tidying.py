"""Columns of text are tidied as wholes: rows of sums, quotes of another kind, blanks that nobody sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.core.reading.store import Columns
from tasks.core.reading.terms import Repair

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import pandas as pd

HARD_BLANKS = "\u00a0\u202f"


def without_odd_quotes(columns: Columns, lines: np.ndarray, other: str) -> tuple[Columns, list[Repair]]:
    """Take quotes of another kind off the few cells that have them."""
    found: set[int] = set()

    def bare() -> Iterator[pd.Series]:
        for column in columns:
            odd = column.str.len().ge(2) & column.str.startswith(other) & column.str.endswith(other)
            is_few = 0 < odd.sum() <= max(1, 0.1 * len(odd))
            found.update(lines[odd.to_numpy()].tolist() if is_few else [])
            yield column.where(~odd, column.str.slice(1, -1)) if is_few else column

    told = "other quotes than in the rest of the file were taken off"
    tidied = Columns.of(bare(), columns.store)
    return (tidied, [Repair("row_quote", tuple(sorted(found)), told)]) if found else (columns, [])


def without_hard_blanks(columns: Columns, lines: np.ndarray) -> tuple[Columns, list[Repair]]:
    """Take non-breaking blanks off the ends of cells, where nobody sees them."""
    found: set[int] = set()

    def bare() -> Iterator[pd.Series]:
        for column in columns:
            stripped = column.str.strip(HARD_BLANKS)
            found.update(lines[(column != stripped).to_numpy()].tolist())
            yield stripped

    tidied = Columns.of(bare(), columns.store)
    told = "non-breaking blanks around cells were taken off"
    return (tidied, [Repair("hard_blanks", tuple(sorted(found)), told)]) if found else (columns, [])


def without_text_marks(columns: Columns) -> tuple[Columns, list[Repair]]:
    """Take off the apostrophe with which a spreadsheet is told that digits are text, where every cell of a column has it."""
    marked = [_is_marked(column) for column in columns]
    if not any(marked):
        return columns, []
    bare = (column.str.removeprefix("'") if is_marked else column for column, is_marked in zip(columns, marked, strict=True))
    told = "an apostrophe before the digits of every cell of a column was taken off"
    return Columns.of(bare, columns.store), [Repair("excel_text", (), told)]


def _is_marked(column: pd.Series) -> bool:
    filled = column[column != ""]
    return len(filled) > 0 and bool(filled.str.fullmatch("'[0-9][0-9.,-]*").all())
