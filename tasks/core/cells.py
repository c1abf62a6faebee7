"""Cells of text become numbers, dates or text; a column that is nearly numbers or nearly dates is refused, not guessed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tasks.core.errors import DataRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import pandas as pd

# Each pattern means the same to Python's `re` and to RE2, which pandas uses for columns of text.
NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?Z?)?"
IDENTIFIER = r"[+-]?(?:0[0-9].*|[0-9]{16,})"  # 2**53 has 16 digits

# What a person would call a number or a date. A column of these is not text, even where no cell is written plainly.
HARD_BLANKS = "\u00a0\u202f"
BLANK = rf"[\s{HARD_BLANKS}]"
SIGN = "[+\u2212-]"
GROUPED = rf"[0-9]{{1,3}}(?:[,'{HARD_BLANKS}][0-9]{{3}})+(?:\.[0-9]+)?|[0-9]{{1,3}}(?:\.[0-9]{{3}})+,[0-9]+|[0-9]+(?:[.,][0-9]+)?"
NUMBER_LIKE = rf"{BLANK}*(?:{NUMBER}|\(?{SIGN}?[$€£]?{BLANK}?(?:{GROUPED}){BLANK}?[%$€£]?\)?){BLANK}*"
DATE_LIKE = BLANK + r"*[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?Z?)?" + BLANK + "*"
MISSING_LIKE = r"(?i)\s*(?:\?|-+|\.|#?n[/.]?a\.?|nan|nat|null|none|nil|missing|unknown|[+-]?inf(?:inity)?|#div/0!|#value!|\\n)\s*"

# As a name in a first line these betray a row of data; "Na" and "Missing" may well be names.
VALUE_WORDS = frozenset(
    ["?", "-", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "True", "False", "true", "false", "TRUE", "FALSE"]
)
EXACT_INTEGERS = 2**53
ODD_SHARE = 0.2
SHOWN_CHARACTERS = 40


def typed(cells: pd.Series[str], lines: np.ndarray, source: str) -> pd.Series:
    """Give a column of text as `float64`, `datetime64[us]` or `str`; only the empty cell is missing.

    Args:
        cells: Text without missing values, on a range index.
        lines: The line of the source that each cell's row starts on.
        source: What the lines belong to, for messages.

    Raises:
        DataRefusedError: a cell that is no number (date) in a column where nearly all others are.
    """
    filled = cells[cells != ""]
    plain = filled[filled.str.fullmatch(NUMBER)]
    if _are_identifiers(plain):
        return cells.where(cells != "")
    kinds: tuple[tuple[str, Callable[[], pd.Series], str], ...]
    kinds = (("numbers", lambda: _numbers(plain), NUMBER_LIKE), ("dates", lambda: _dates(filled), DATE_LIKE))
    for kind, parse, shape in kinds:
        parsed = parse()
        if len(parsed) == len(filled):
            return parsed.reindex(cells.index)
        if _is_nearly(filled, shape):
            row = int(filled.index.difference(parsed.index).min())
            raise _odd_cell(cells.iloc[row], kind, where=f"{source}, line {lines[row]}, column '{cells.name}'")
    return cells.where(cells != "")


def _are_identifiers(plain: pd.Series[str]) -> bool:
    """Say whether reading cells as numbers would lose leading zeros or digits of one of them."""
    suspects = plain[plain.str.fullmatch(IDENTIFIER)].str.lstrip("+-")
    longest = str(EXACT_INTEGERS)
    is_too_long = (suspects.str.len() > len(longest)) | (suspects > longest)
    return bool((suspects.str.startswith("0") | is_too_long).any())


def _numbers(plain: pd.Series[str]) -> pd.Series:
    """Give the finite ones of cells that are plain numbers."""
    import pandas as pd

    # Arrow's parser rounds as Python's float does; `pandas.to_numeric` is off by a bit in the last place.
    values = pd.Series(plain.astype("double[pyarrow]").to_numpy("float64"), index=plain.index, name=plain.name)
    return values[values.abs() != float("inf")]


def _dates(filled: pd.Series[str]) -> pd.Series:
    """Give the cells that are dates of the calendar, with or without `Z` as the first of them."""
    import pandas as pd

    plain = filled[filled.str.fullmatch(DATE)]
    is_utc = plain.str.endswith("Z")
    plain = plain[is_utc == is_utc.iloc[0]] if len(plain) else plain
    values = pd.to_datetime(plain.str.removesuffix("Z"), format="ISO8601", errors="coerce").astype("datetime64[us]")
    return values[values.dt.year > 0]


def _is_nearly(filled: pd.Series[str], shape: str) -> bool:
    """Say whether at most one cell in five, or only the first, is not of a shape; words for a missing value do not count."""
    fits = filled.str.fullmatch(shape)
    others = ~fits & ~filled.str.fullmatch(MISSING_LIKE)
    alike, odd = int(fits.sum()), int(others.sum())
    has_unit_row = odd == 1 and bool(others.iloc[0])
    return alike > 0 and (odd <= ODD_SHARE * (alike + odd) or (has_unit_row and alike > 1))


def _odd_cell(cell: str, kind: str, *, where: str) -> DataRefusedError:
    shown = repr(cell if len(cell) <= SHOWN_CHARACTERS else cell[:SHOWN_CHARACTERS] + "…")
    plainly = "numbers plainly (1234.5)" if kind == "numbers" else "dates as 2024-12-31 or 2024-12-31 23:59:59 (all with Z, or none)"
    return DataRefusedError(f"{where}: {shown} among {kind}; write {plainly} and leave a missing cell empty", where=where)


def check_header(names: Sequence[str], source: str) -> None:
    """Refuse a first line that does not name the columns.

    Raises:
        DataRefusedError: a name that looks like a value, or one that `check_names` refuses.
    """
    for name in names:
        has_no_letters = any(c.isdigit() for c in name) and not any(c.isalpha() for c in name)
        if not name or name in VALUE_WORDS or has_no_letters or re.fullmatch(f"{NUMBER}|{DATE}", name):
            evidence = f"'{name}' is a value, not a name" if name else f"column {names.index(name) + 1} has no name"
            message = f"the first line of {source} looks like data ({evidence}): add a header line"
            raise DataRefusedError(message, where=f"{source}, line 1")
    check_names(names, source)


def check_names(names: Sequence[str], source: str) -> None:
    """Refuse columns that could be taken for one another.

    Raises:
        DataRefusedError: a name that is empty, padded, holds characters that do not show, or differs from another only by case.
    """
    seen: dict[str, str] = {}
    for position, name in enumerate(names, start=1):
        if not name or name != name.strip() or not name.isprintable():
            message = f"column {position} of {source} is called {name!r}; give it a name without padding and invisible characters"
            raise DataRefusedError(message, where=source)
        if (other := seen.setdefault(name.casefold(), name)) != name or list(names).count(name) > 1:
            message = f"columns '{other}' and '{name}' of {source} have the same name; rename one, or add a header line if there is none"
            raise DataRefusedError(message, where=source)
