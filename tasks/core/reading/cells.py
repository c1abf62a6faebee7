"""Cells of text become numbers, dates or text; what cannot be read for sure is told, never guessed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tasks.core.reading.damage import DAMAGE
from tasks.core.reading.dates import DATE_NAME, plain_dates, read_dates
from tasks.core.reading.distinct import SAMPLED_CELLS, Distinct, Mark, Reading, shown
from tasks.core.reading.forms import as_booleans
from tasks.core.reading.missing import describe_missing, find_missing, find_missing_in_text, find_spellings
from tasks.core.reading.numerals import find_mark, plain_numbers, read_numbers, read_plain
from tasks.core.reading.patterns import holds
from tasks.core.reading.terms import TEXTS, ReadingOptions, Repair

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy as np
    import pandas as pd

    from tasks.core.reading.terms import Sort

# As a name in a first line these betray a row of data; "Na" and "Missing" may well be names.
VALUE_WORDS = frozenset(
    ["?", "-", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "True", "False", "true", "false", "TRUE", "FALSE"]
)
ODD_SHARE = 0.05
FEW_ROWS = 20  # with fewer rows one odd cell is more than ODD_SHARE
FEW_ODD = 10  # where a column is known to hold something else, so many may be odd, if they are half of it at most
SENTINELS = (-99.0, -200.0, -999.0, -9999.0, -99999.0)
CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
# What bytes 0x80 to 0xBF look like in Latin-1 and in cp1252: UTF-8 taken for one of them shows them after certain letters.
HIGH = (
    "[\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc"
    "\u2013\u2014\u2018-\u201e\u2020-\u2026\u2030\u2039\u203a\u20ac\u2122]"
)
MOJIBAKE = f"[\u00c2\u00c3]{HIGH}|(?:[\u00c4-\u00df]{HIGH}){{2}}|[\u00e2-\u00ef]{HIGH}{{2}}|\u00f0{HIGH}{{3}}|\ufffd"
# Of the direction of writing, soft hyphens, and joiners beside ASCII, where no script needs them.
HIDDEN_MARKS = "[\u00ad\u200e\u200f\u202a-\u202e\u2066-\u2069]|[ -~][\u200c\u200d]|[\u200c\u200d][ -~]"
AS_FOUND = ReadingOptions()
DTYPES: dict[Sort, str] = {"number": "float64", "date": "datetime64[us]", **dict.fromkeys(TEXTS, "str")}


@dataclass(frozen=True)
class Typed:
    """A column with its type.

    Attributes:
        pieces: Its values, one piece below the other: `float64`, `datetime64[us]` or `str`; NaN or NaT is missing.
        evidence: What a person would want to know of how it was read; empty if nothing.
        repairs: Where cells of the column are written in different ways, or look damaged.
        odd: By row position, why the row does not fit: its cell is no number (date) where nearly all are.
        mark: Of numbers: the decimal mark that is sure; "open" where the rest of the table may say more.
    """

    pieces: Iterable[pd.Series]
    evidence: str = ""
    repairs: tuple[Repair, ...] = ()
    odd: Mapping[int, str] = field(default_factory=dict[int, str])
    mark: Mark = ""

    @property
    def values(self) -> pd.Series:
        """Give the whole column."""
        import pandas as pd

        first, *others = self.pieces
        return pd.concat([first, *others], ignore_index=True) if others else first


def typed(cells: pd.Series[str], lines: np.ndarray, options: ReadingOptions = AS_FOUND, *, decimal: str | None = None) -> Typed:
    """Read a column of text as numbers, dates or text, by what its own cells leave no doubt of.

    Args:
        cells: Text without missing values, exactly as it stood, on a range index; the name is that of the column.
        lines: The line of the source that each cell's row starts on.
        options: What a person told.
        decimal: The decimal mark of the rest of the table, used where the column fits both.

    >>> import numpy as np, pandas as pd
    >>> column = typed(pd.Series(["1.234,5", "?", "7"], name="price"), np.arange(2, 5))
    >>> column.values.tolist(), column.evidence
    ([1234.5, nan, 7.0], "decimal comma; thousands as in 1.234,5; '?' is missing in 1")
    """
    preferred = options.decimal or decimal
    may_be_plain = not options.missing and not DATE_NAME.fullmatch(str(cells.name))
    if may_be_plain and (plain := read_plain(cells, preferred)) is not None:
        return Typed((plain.values,), "; ".join([*plain.notes, *_sentinels([plain.values])]), mark=plain.mark)
    if not options.missing and (values := plain_dates(cells)) is not None:
        return Typed((values,))
    return _typed(Distinct.of(cells), lines, options, preferred)


def _typed(column: Distinct, lines: np.ndarray, options: ReadingOptions, preferred: str | None) -> Typed:
    is_missing = find_missing(column.cells, options.missing)
    if is_missing.all() and find_missing_in_text(column.cells, options.missing).all():
        values = column.spread(column.counts[:0].astype("float64"))
        return Typed(values, "; ".join(describe_missing(column.cells, column.counts)))
    filled = column.cells[~is_missing]
    return (
        _numbers_or_dates(column, filled, lines, options, preferred)
        if _may_be_values(filled, column.counts)
        else _text(column, lines, options)
    )


def read_as(sort: Sort, cells: pd.Series[str], lines: np.ndarray, options: ReadingOptions = AS_FOUND) -> Typed:
    """Read a column of text as what it is known to hold, whatever its cells look like; any other cell is odd.

    Args:
        sort: What it holds.
        cells: As in `typed`.
        lines: As in `typed`.
        options: What a person told.

    >>> import numpy as np, pandas as pd
    >>> column = read_as("number", pd.Series(["7", "many", ""], name="rooms"), np.arange(2, 5))
    >>> column.values.tolist(), column.odd
    ([7.0, nan, nan], {1: "'many' among numbers"})
    """
    column = Distinct.of(cells)
    if sort in TEXTS:
        words = column.cells[~find_missing_in_text(column.cells, options.missing)]
        return Typed(column.spread((as_booleans(words) if sort == "boolean" else words).astype("str")))
    return _accept(column, _reading_as(sort, column, options), sort, lines, options)


def read_as_known(sort: Sort, pieces: Iterable[pd.Series[str]], name: str, lines: np.ndarray, options: ReadingOptions) -> Typed | None:
    """Read a column that shows something else as the numbers or dates that it is known to hold, where all cells but a few are that.

    Args:
        sort: What it is known to hold.
        pieces: As in `kept_as_text`.
        name: Of the column.
        lines: As in `typed`.
        options: What a person told.
    """
    column = Distinct.of_pieces(pieces, name)
    reading = _reading_as(sort, column, options)
    weight = column.counts[reading.values.index]
    odd, total = int(weight[reading.values.isna()].sum()), int(weight.sum())
    is_fit = 0 < total >= 2 * odd and odd <= max(FEW_ODD, ODD_SHARE * total)
    return _accept(column, reading, sort, lines, options) if is_fit else None


def _reading_as(sort: Sort, column: Distinct, options: ReadingOptions) -> Reading:
    filled = column.cells[~find_missing(column.cells, options.missing)]
    if sort == "date":
        return read_dates(filled, column.codes_of(filled != ""), options.dates)
    plain = plain_numbers(filled)
    return read_numbers(filled, column.counts[filled.index], options.decimal) if plain is None else Reading(plain)


def typed_pieces(pieces: Callable[[], Iterable[pd.Series[str]]], name: str, lines: np.ndarray, options: ReadingOptions = AS_FOUND) -> Typed:
    """Read a long column as `typed` does, with one piece of its text in memory at a time where that suffices.

    Args:
        pieces: Gives text without missing values, as it stood, from the beginning.
        name: Of the column.
        lines: As in `typed`.
        options: What a person told.
    """
    plain = None if options.missing else _plain_pieces(pieces(), name, options)
    return plain or _typed(Distinct.of_pieces(pieces(), name), lines, options, options.decimal)


def kept_as_text(pieces: Iterable[pd.Series[str]], name: str, lines: np.ndarray, options: ReadingOptions = AS_FOUND) -> Typed:
    """Read a column that is known to hold text, as `typed` reads text: digits stay as they stand.

    Args:
        pieces: Text without missing values, as it stood, from the beginning.
        name: Of the column.
        lines: As in `typed`.
        options: What a person told.

    >>> import numpy as np, pandas as pd
    >>> kept_as_text([pd.Series(["07", "1.50", "NA"])], "code", np.arange(2, 5)).values.tolist()
    ['07', '1.50', nan]
    """
    column = Distinct.of_pieces(pieces, name)
    is_empty = bool(find_missing_in_text(column.cells, options.missing).all())
    return _typed(column, lines, options, options.decimal) if is_empty else _text(column, lines, options)


def _plain_pieces(pieces: Iterable[pd.Series[str]], name: str, options: ReadingOptions) -> Typed | None:
    """Read plain numbers or dates; None where a cell is neither of them nor empty."""
    may_be_number = options.decimal != "," and not DATE_NAME.fullmatch(name)
    values, marks = list["pd.Series"](), set[Mark]()
    for piece in pieces:
        are_numbers = values[0].dtype == "float64" if values else None
        numbers = plain_numbers(piece) if may_be_number and are_numbers is not False else None
        read = plain_dates(piece) if numbers is None and not are_numbers else numbers
        if read is None:
            return None
        marks |= {find_mark(piece[piece != ""])} if numbers is not None else set()
        values.append(read.rename(name))
    if "open" in marks and "." not in marks and options.decimal != ".":
        return None
    warnings = _sentinels(values) if values[0].dtype == "float64" else []
    return Typed(values, "; ".join(warnings), mark="." if "." in marks else "open" if marks - {""} else "")


def without_values(column: Typed, name: str) -> Typed:
    """Say the same of a personal column without quoting a cell."""
    repairs = tuple(replace(repair, detail=f"column '{name}': {DAMAGE[repair.code]}") for repair in column.repairs)
    odd = dict.fromkeys(column.odd, "a value of another type")
    return replace(column, evidence="how it was read is not shown" if column.evidence else "", repairs=repairs, odd=odd)


def _may_be_values(filled: pd.Series[str], counts: pd.Series[int]) -> bool:
    """Say whether at least half of the cells hold a digit; the rest of the rules is spared to plain text."""
    has_digit = filled.str.contains("[0-9]", regex=True)
    weight = counts[filled.index]
    return bool(2 * weight[has_digit].sum() >= weight.sum() > 0)


def _numbers_or_dates(column: Distinct, filled: pd.Series[str], lines: np.ndarray, options: ReadingOptions, preferred: str | None) -> Typed:
    weight = column.counts[filled.index]
    if not DATE_NAME.fullmatch(str(filled.name)) and (plain := read_plain(filled, preferred)) is not None:
        return _accept(column, plain, "number", lines, options)
    readings: dict[str, Reading] = {}
    sample = filled.iloc[:: max(1, len(filled) // SAMPLED_CELLS)]
    if _is_worth_it(sample, read_dates(sample, sample.index.to_numpy())):
        readings["date"] = read_dates(filled, column.codes_of(filled != ""), options.dates)
    if _is_worth_it(sample, read_numbers(sample, weight[sample.index])):
        readings["number"] = read_numbers(filled, weight, preferred)
    for kind, reading in readings.items():
        if _fits(reading, weight):
            return _accept(column, reading, kind, lines, options)
    for kind, reading in readings.items():
        if 2 * weight[list(reading.alike)].sum() >= weight.sum():
            return replace(_text(column, lines, options, why=_why_text(column, reading, kind, lines)), mark=reading.mark)
    return _text(column, lines, options)


def _is_worth_it(sample: pd.Series[str], reading: Reading) -> bool:
    """Say whether a kind may fit half of the cells; spares a million distinct texts rules that cannot."""
    return 4 * len(reading.alike) >= len(sample)


def _fits(reading: Reading, weight: pd.Series[int]) -> bool:
    """Say whether all cells are read, but for few enough to set their rows aside."""
    odd, total = int(weight[reading.values.isna()].sum()), int(weight.sum())
    return 2 * odd < total and (odd <= ODD_SHARE * total or (total < FEW_ROWS and odd <= 1))


def _accept(column: Distinct, reading: Reading, kind: str, lines: np.ndarray, options: ReadingOptions) -> Typed:
    filled = column.cells[reading.values.index]
    is_odd = reading.values.isna()
    odd: dict[int, str] = {}
    for row in column.rows(is_odd).tolist():
        cell = int(column.codes[row])
        odd[row] = reading.reasons.get(cell, f"{shown(column.cells[cell])} among {kind}s")
    missing = column.cells.drop(filled.index)
    warnings = _sentinels([reading.values], column.counts) if kind == "number" else []
    evidence = [*reading.notes, *describe_missing(missing, column.counts[missing.index]), *warnings]
    mixtures = [m for m in reading.mixtures if m.code != "open_marks" or options.decimal is None]
    repairs = tuple(Repair(m.code, _lines(column, m.cells, lines), f"column '{column.cells.name}': {m.detail}") for m in mixtures)
    return Typed(column.spread(reading.values), "; ".join(evidence), repairs, odd, reading.mark)


def _why_text(column: Distinct, reading: Reading, kind: str, lines: np.ndarray) -> str:
    if reading.doubt:
        return f"text: {reading.doubt}"
    rows = column.rows(reading.values.isna())
    total = column.counts[reading.values.index].sum()
    first = shown(column.cells[int(column.codes[rows[0]])])
    return f"text: {len(rows):,} of {total:,} cells are no {kind}s, the first {first} on line {lines[rows[0]]}"


def _sentinels(pieces: Sequence[pd.Series[float]], counts: pd.Series[int] | None = None) -> list[str]:
    """Warn of a number that is known to stand for a missing one and lies far below the rest."""
    low = _least(pieces)
    if low not in SENTINELS or not _least(piece[piece > low] for piece in pieces) >= low / 2:
        return []
    are_low = [piece.index[piece == low] for piece in pieces]
    rows = sum(len(index) if counts is None else int(counts[index].sum()) for index in are_low)
    return [f"{low:.0f} in {rows:,} may stand for missing"]


def _least(pieces: Iterable[pd.Series[float]]) -> float:
    """Give the least number of a column in pieces; NaN where it holds none."""
    import pandas as pd

    return float(pd.Series([piece.min() for piece in pieces], dtype="float64").min())


def _lines(column: Distinct, cells: pd.Series[bool], lines: np.ndarray) -> tuple[int, ...]:
    return tuple(lines[column.rows(cells)].tolist())


# ---------------------------------------------------------------------------------------------------------------- text


def _text(column: Distinct, lines: np.ndarray, options: ReadingOptions, *, why: str = "") -> Typed:
    """Keep cells as they stand, but for the unmistakable words for missing and the spellings of yes and no."""
    is_missing = find_missing_in_text(column.cells, options.missing)
    words = column.cells[~is_missing]
    respelled = find_spellings(words, column.counts[words.index])
    repairs: list[Repair] = []
    if len(respelled):
        changed = words.index.isin(respelled.index)
        detail = f"column '{words.name}': {shown(words[changed].iloc[0])} is spelled {shown(respelled.iloc[0])} as in most cells"
        repairs.append(Repair("mixed_spellings", _lines(column, words.isin(words[changed]), lines), detail))
    told = [*describe_missing(column.cells[is_missing], column.counts[is_missing]), *_hidden_marks(words, column.counts)]
    values = column.spread(words.where(~words.index.isin(respelled.index), respelled).astype("str"))
    return Typed(values, "; ".join([*([why] if why else []), *told]), tuple(repairs))


def _hidden_marks(words: pd.Series[str], counts: pd.Series[int]) -> list[str]:
    """Tell of marks that nobody sees, which make texts differ that look alike."""
    has_marks = holds(words, HIDDEN_MARKS)
    if not has_marks.any():
        return []
    return [f"marks that nobody sees stand in {int(counts[words.index][has_marks].sum()):,}, the first {shown(words[has_marks].iloc[0])}"]
