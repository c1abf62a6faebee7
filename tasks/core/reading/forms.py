"""One value has one form, whatever source it comes from: true and false, whole numbers as text, and what names a row."""

# pyarrow has no types, so what it gives is unknown here.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.core.reading.distinct import BLANKS
from tasks.core.reading.numerals import EXACT_INTEGERS
from tasks.core.reading.terms import Repair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd

    from tasks.core.reading.terms import ReadingOptions
    from tasks.core.table import Table

FORMS = ("true", "false")
# How sources without booleans write them; only where it is known that they are some.
DIGITS = {"1": "true", "0": "false", "1.0": "true", "0.0": "false"}


def are_booleans(values: pd.Series) -> bool:
    """Say whether a column holds true and false in their form, and nothing else.

    >>> import pandas as pd
    >>> [are_booleans(pd.Series(cells, dtype="str")) for cells in (["true", None], ["True"], ["true", "yes"], [None])]
    [True, False, False, False]
    """
    filled = values.dropna() if values.dtype == "str" else values[:0]
    return len(filled) > 0 and bool(filled.isin(FORMS).all())


def as_booleans(cells: pd.Series[str], *, digits: bool = True) -> pd.Series[str]:
    """Give true and false their form in whatever case they are, and the digits 1 and 0 where these are asked for.

    >>> import pandas as pd
    >>> as_booleans(pd.Series(["TRUE", " False", "0", "maybe"])).tolist()
    ['true', 'false', 'false', 'maybe']
    """
    folded = cells.str.strip(BLANKS).str.lower()
    spelled = folded.replace(DIGITS) if digits else folded
    return cells.where(~spelled.isin(FORMS), spelled)


def spell_alike(table: Table, options: ReadingOptions) -> list[Repair]:
    """Give columns of text one spelling: true and false where they hold nothing else or are known to, and keys without blanks around them.

    Args:
        table: Whose columns are changed.
        options: What is known of them.
    """
    repairs = list[Repair]()
    for place, name in enumerate(table.names):
        if table.columns.dtypes[place] != "str":
            continue
        if name in options.key and (lines := _respell(table, place, _without_blanks)) is not None:
            repairs.append(Repair("padded_keys", lines, f"column '{name}': blanks around what names a row were taken off"))
        kind = options.kinds.get(name)
        is_found = kind in (None, "text") and _hold_booleans(table.columns.pieces(place))
        if (kind == "boolean" or is_found) and (lines := _respell(table, place, _spelling(digits=not is_found))) is not None:
            repairs.append(Repair("booleans", lines, f"column '{name}': true and false, however they were spelled, were read as these"))
    return repairs


def in_digits(values: pd.Series) -> pd.Series[str]:
    """Write whole numbers as the text of their digits."""
    import pyarrow as pa

    return pa.array(values, pa.int64(), from_pandas=True).cast(pa.large_string()).to_pandas().astype("str")


def _spelling(*, digits: bool) -> Callable[[pd.Series[str]], pd.Series[str]]:
    return lambda cells: as_booleans(cells, digits=digits)


def _without_blanks(cells: pd.Series[str]) -> pd.Series[str]:
    bare = cells.str.strip(BLANKS)
    return bare.where(bare != "")


def _hold_booleans(pieces: Iterable[pd.Series[str]]) -> bool:
    """Say whether all cells spell true or false, and there are some; the first cell mostly tells."""
    is_any = False
    for piece in pieces:
        filled = piece.dropna()
        for some in (filled[:1], filled):
            if not as_booleans(some, digits=False).isin(FORMS).all():
                return False
        is_any = is_any or len(filled) > 0
    return is_any


def are_whole(pieces: Iterable[pd.Series[float]]) -> bool:
    """Say whether all numbers are whole, and there are some."""
    is_any = False
    for piece in pieces:
        filled = piece.dropna()
        if not ((filled % 1 == 0) & (filled.abs() < EXACT_INTEGERS)).all():
            return False
        is_any = is_any or len(filled) > 0
    return is_any


def _respell(table: Table, place: int, how: Callable[[pd.Series[str]], pd.Series[str]]) -> tuple[int, ...] | None:
    """Change the cells of a column.

    Returns:
        The lines of those that are other than before; none of them where all are, and None where no cell is.
    """
    changed, filled, start = list[int](), 0, 0
    for cells in table.columns.pieces(place):
        is_other = cells.notna() & (how(cells) != cells)
        changed += table.lines[start : start + len(cells)][is_other.to_numpy(dtype=bool)].tolist()
        filled, start = filled + int(cells.notna().sum()), start + len(cells)
    if not changed:
        return None
    table.columns.change(place, how)
    return tuple(changed) if len(changed) < filled else ()
