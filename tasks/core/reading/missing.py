"""Cells that mean that there is no value, and words for yes and no."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.core.reading.distinct import BLANKS, shown
from tasks.core.reading.forms import FORMS

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd

# Among numbers or dates none of these can be a value, in whatever case.
EXCEL_ERRORS = frozenset(["#VALUE!", "#REF!", "#DIV/0!", "#NUM!", "#NAME?", "#NULL!"])
SYMBOLS = frozenset(["", "?", "-", "--", "---", "–", "—", ".", "..", "\\n"])
WORDS = (
    SYMBOLS
    | {error.lower() for error in EXCEL_ERRORS}
    | {"na", "n/a", "n.a.", "#n/a", "#na", "<na>", "nan", "nat", "null", "(null)", "nil", "none", "missing", "unknown"}
)
# Among words only these, spelled so: "None" may be no garage, "unknown" an answer, "Na" sodium.
IN_TEXT = frozenset(["", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NULL", "null", "NaN", "nan", "\\N", "-", "--"]) | EXCEL_ERRORS
BOOLEANS = frozenset(["yes", "no", "y", "n", "true", "false", "t", "f", "on", "off"])
SHOWN_WORDS = 3


def find_missing(cells: pd.Series[str], told: Collection[str]) -> pd.Series[bool]:
    """Say which cells of a column of numbers or dates are missing."""
    stripped = cells.str.strip(BLANKS)
    return stripped.str.lower().isin(WORDS) | cells.isin(told) | stripped.isin(told)


def find_missing_in_text(cells: pd.Series[str], told: Collection[str]) -> pd.Series[bool]:
    """Say which cells of a column of text are missing.

    `NA` stays where it is a code among codes of two capitals (countries, states, continents), a symbol where all cells are symbols.
    """
    stripped = cells.str.strip(BLANKS)
    is_told = cells.isin(told) | stripped.isin(told)
    is_missing = stripped.isin(IN_TEXT)
    if not is_missing.any():
        return is_told
    others = stripped[~is_missing]
    kept = ["NA"] if len(others) > 2 and others.str.fullmatch("[A-Z]{2}").all() else []
    if len(others) and not others.str.contains("[^!-/:-@\\[-`{-~]", regex=True).any():
        kept = ["?", "-", "--"]
    return is_told | (is_missing & ~stripped.isin(kept))


def describe_missing(cells: pd.Series[str], counts: pd.Series[int]) -> list[str]:
    """Say how many rows hold which of the cells that mean missing."""
    by_word = counts.groupby(cells.str.strip(BLANKS)).sum().sort_values(ascending=False, kind="stable")
    told = [f"{shown(str(word)) if word else 'blank'} is missing in {count:,}" for word, count in by_word.items()]
    return told if len(told) <= SHOWN_WORDS else [*told[:SHOWN_WORDS], f"{len(told) - SHOWN_WORDS} more words for missing"]


def find_spellings(cells: pd.Series[str], counts: pd.Series[int]) -> pd.Series[str]:
    """Give cells that spell yes or no in another case than most, with the spelling of most; true and false alone have one (`forms`)."""
    folded = cells.str.lower()
    if len(cells) > 2 * len(BOOLEANS) or not folded.isin(BOOLEANS).all() or folded.isin(FORMS).all():
        return cells.iloc[:0]
    most = counts.groupby(folded).idxmax()
    spelling = folded.map(cells[most].set_axis(most.index))
    return spelling[spelling != cells].astype("str")
