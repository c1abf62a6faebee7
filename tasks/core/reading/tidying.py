"""Columns of text are tidied as wholes: rows of sums, quotes of another kind, blanks that nobody sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.core.reading.terms import Repair

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

HARD_BLANKS = "\u00a0\u202f"
TOTALS = frozenset({"total", "totals", "sum", "sums", "subtotal", "grand total", "overall", "gesamt", "summe", "total general", "totaal"})


def sums_among(columns: list[pd.Series]) -> list[int]:
    """Find the rows that a word for a sum stands in front of."""
    labels = [column.str.strip().str.rstrip(":").str.lower() for column in columns]
    named = labels[0].isin(TOTALS)
    if len(labels) > 1:
        named |= (labels[0] == "") & labels[1].isin(TOTALS)
    return [int(row) for row in named.to_numpy().nonzero()[0]]


def without_odd_quotes(columns: list[pd.Series], lines: np.ndarray, other: str) -> tuple[list[pd.Series], list[Repair]]:
    """Take quotes of another kind off the few cells that have them."""
    wrapped = [column.str.len().ge(2) & column.str.startswith(other) & column.str.endswith(other) for column in columns]
    odd = [mask if 0 < mask.sum() <= max(1, 0.1 * len(mask)) else mask & False for mask in wrapped]
    found = sorted({int(line) for mask in odd for line in lines[mask.to_numpy()]})
    if not found:
        return columns, []
    bare = [column.where(~mask, column.str.slice(1, -1)) for column, mask in zip(columns, odd, strict=True)]
    return bare, [Repair("row_quote", tuple(found), "other quotes than in the rest of the file were taken off")]


def without_hard_blanks(columns: list[pd.Series], lines: np.ndarray) -> tuple[list[pd.Series], list[Repair]]:
    """Take non-breaking blanks off the ends of cells, where nobody sees them."""
    bare = [column.str.strip(HARD_BLANKS) for column in columns]
    found = sorted({int(line) for old, new in zip(columns, bare, strict=True) for line in lines[(old != new).to_numpy()]})
    told = "non-breaking blanks around cells were taken off"
    return (bare, [Repair("hard_blanks", tuple(found), told)]) if found else (columns, [])


def without_text_marks(columns: list[pd.Series]) -> tuple[list[pd.Series], list[Repair]]:
    """Take off the apostrophe with which a spreadsheet is told that digits are text, where every cell of a column has it."""
    marked = [_is_marked(column) for column in columns]
    if not any(marked):
        return columns, []
    bare = [column.str.removeprefix("'") if is_marked else column for column, is_marked in zip(columns, marked, strict=True)]
    return bare, [Repair("excel_text", (), "an apostrophe before the digits of every cell of a column was taken off")]


def _is_marked(column: pd.Series) -> bool:
    filled = column[column != ""]
    return len(filled) > 0 and bool(filled.str.fullmatch("'[0-9][0-9.,-]*").all())
