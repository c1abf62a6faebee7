"""Numbers as people write them: decimal commas, thousands, currencies, units, per cent, negatives of accountants."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.core.reading.distinct import BLANKS, Mark, Mixture, Reading, shown
from tasks.core.reading.patterns import holds, matches, substitute

if TYPE_CHECKING:
    import pandas as pd

# Each pattern means the same to Python's `re` and to RE2, which pandas uses for columns of text.
NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
IDENTIFIER = r"[+-]?(?:0[0-9].*|[0-9]{16,})"  # 2**53 has 16 digits
EXACT_INTEGERS = 2**53
MIN_LONG = 1e15  # the least that has 16 digits

OPEN_POINT = r"[+-]?[1-9][0-9]{0,2}\.[0-9]{3}"

EXPONENT = r"(?:[eE][+-]?[0-9]{1,3})?"
NUMERAL = rf"[0-9.,'’{BLANKS}]*[0-9][0-9.,'’{BLANKS}]*{EXPONENT}"
BARE = rf"[+-]?{NUMERAL}"
MINUS_SIGNS = "[\u2212\u2013\uff0d]"
CURRENCY = (
    r"US\$|R\$|A\$|C\$|[$€£¥₹₽₩₺₪₴฿₫₦₱]|USD|EUR|GBP|JPY|CNY|CHF|CAD|AUD|INR|RUB|BRL|SEK|NOK|DKK|PLN|CZK|HUF|TRY|MXN|ZAR|Rs\.?|kr\.?|zł|Kč"
)
# Units that mean one thing. Single letters do not: 5m may be metres, minutes or millions.
UNIT = (
    r"kg|mg|lbs?|oz|km|cm|mm|mi|ft|°C|°F|°|kWh?|MWh?|Hz|kHz|MHz|GHz|KB|MB|GB|TB|ml|ms|sec|min|hrs?|mph|km/h|kmh|kmpl|rpm|bhp|hp|cc|CC|px|pcs"
    r"|years?|yrs?|months?|weeks?|days?|hours?|minutes?|seconds?|miles?|m²|km²|sqft|sq ft|bps|ppm|psi|hPa|dB"
)
AFFIX = rf"(?:{CURRENCY}|{UNIT}|%|‰)"
GAP = f"[{BLANKS}]?"
AMOUNT = rf"[0-9.,'’{BLANKS}]*[0-9][0-9.,'’{BLANKS}]*"
DRESSED = rf"\(?{GAP}[+-]?{GAP}(?:(?:{CURRENCY}){GAP}[+-]?{GAP}\(?{AMOUNT}-?|{AMOUNT}-?\)?{GAP}{AFFIX}?){GAP}-?{GAP}\)?"


def read_plain(cells: pd.Series[str], preferred: str | None = None) -> Reading | None:
    """Read a column of plain numbers and empty cells; None where a cell is something else, or its points part thousands."""
    if preferred == "," or (values := plain_numbers(cells)) is None:
        return None
    filled = cells[cells != ""]
    mark = find_mark(filled)
    if mark != "open" or preferred == ".":
        return Reading(values, mark=mark)
    return None if _are_pointed_thousands(filled) else Reading(values, (_say_point(filled),), mark=mark)


def plain_numbers(cells: pd.Series[str]) -> pd.Series | None:
    """Give a column of plain numbers and empty cells as numbers; None if any cell is something else.

    Bit for bit what Python's `float` makes of the cells.
    """
    filled = cells[cells != ""]
    # Most columns that are no plain numbers show it at once; the rest of a million cells of text need not be looked at.
    if not matches(filled.iloc[:100], NUMBER).all():
        return None
    try:
        values = _floats(filled)
    except ValueError:  # of Arrow, at the first cell that is no number
        return None
    # Finite, it has read nothing but what `NUMBER` matches: beyond that it knows only the words for infinity and for no number.
    if not (values.abs() < float("inf")).all() or _may_lose_digits(filled, values):
        return None
    return values if len(values) == len(cells) else values.reindex(cells.index)


def _may_lose_digits(plain: pd.Series[str], values: pd.Series[float]) -> bool:
    """Say whether some cells are identifiers, looking at all of them only where one may be."""
    # In the order of characters what begins with 0 and a digit stands between 00 and 0:, for a colon follows upon 9.
    has_zeros = any(((plain >= f"{sign}00") & (plain < f"{sign}0:")).any() for sign in ("", "-", "+"))
    return bool((has_zeros or (values.abs() >= MIN_LONG).any()) and find_identifiers(plain).any())


def _floats(plain: pd.Series[str]) -> pd.Series[float]:
    import pandas as pd

    # Arrow's parser rounds as Python's float does; `pandas.to_numeric` is off by a bit in the last place.
    return pd.Series(plain.astype("double[pyarrow]").to_numpy("float64"), index=plain.index, name=plain.name)


def find_identifiers(plain: pd.Series[str]) -> pd.Series[bool]:
    """Say which plain numbers would lose leading zeros or digits if they were read as numbers."""
    suspects = plain[matches(plain, IDENTIFIER)].str.lstrip("+-")
    longest = str(EXACT_INTEGERS)
    is_too_long = (suspects.str.len() > len(longest)) | (suspects > longest)
    is_lost: pd.Series[bool] = suspects.str.startswith("0") | is_too_long
    return is_lost.reindex(plain.index, fill_value=False)


def read_numbers(cells: pd.Series[str], counts: pd.Series[int], preferred: str | None = None) -> Reading:
    """Read distinct cells as numbers, as far as the column itself, or `preferred`, leaves only one way to read them.

    Args:
        cells: Distinct cells, none of them missing.
        counts: The rows of each, on the same index.
        preferred: The decimal mark wherever both could be.
    """
    undressed = _undress(cells)
    numerals = undressed.numerals
    if not len(numerals):
        return Reading(_none(cells))
    marks = _decide_marks(numerals, counts, preferred)
    alike = marks.plain.index.union(list(marks.doubtful))
    if (lost := find_identifiers(marks.plain)).any():
        first = cells[lost.index[lost]].iloc[0]
        what = "leading zeros" if re.match(r"\D*0", first) else "more digits than a number holds"
        return Reading(_none(cells), doubt=f"{what}, such as {shown(first)}", alike=alike)
    values = _floats(marks.plain)
    values = values[values.abs() != float("inf")]
    units = _decide_units(undressed.affixes.reindex(values.index), values, counts)
    values = values[units.fits]
    if _are_labels(undressed, values.index, marks):
        return Reading(_none(cells), doubt=f"all cells stand in brackets, such as {shown(cells.iloc[0])}", alike=alike)
    reasons = {cell: f"{shown(cells[cell])} may be a thousand or a decimal" for cell in marks.doubtful}
    notes = (*marks.notes, *units.notes, *undressed.notes(values.index))
    mixtures = tuple(m for m in (*marks.mixtures, *units.mixtures) if m.cells.reindex(values.index, fill_value=False).any())
    return Reading(values.reindex(cells.index), notes, mixtures, marks.doubt or units.doubt, reasons, alike, marks.mark)


def _none(cells: pd.Series[str]) -> pd.Series:
    import pandas as pd

    return pd.Series(float("nan"), index=cells.index, dtype="float64")


# ------------------------------------------------------------------------------------------------ what stands around it


@dataclass(frozen=True)
class _Undressed:
    """Cells without what stands around the digits."""

    numerals: pd.Series[str]  # sign and digits with their marks; only of cells that have the shape of a number
    affixes: pd.Series[str]  # currency, unit or percent sign of each, "" if none
    padded: pd.Series[bool]
    bracketed: pd.Series[bool]
    trailing: pd.Series[bool]
    typographic: pd.Series[bool]

    def notes(self, read: pd.Index) -> tuple[str, ...]:
        kinds = (
            (self.bracketed, "(1) is -1"),
            (self.trailing, "1- is -1"),
            (self.typographic, "typographic minus signs"),
            (self.padded, "blanks around the numbers"),
        )
        return tuple(note for mask, note in kinds if mask.reindex(read, fill_value=False).any())


def _undress(cells: pd.Series[str]) -> _Undressed:
    stripped = cells.str.strip(BLANKS)
    signed = substitute(stripped, MINUS_SIGNS, "-")
    is_bare = matches(signed, BARE)
    others = signed[~is_bare]
    others = others[matches(others, DRESSED)]
    # Groups of this pattern would cost fifty times as much as taking away what is not wanted.
    signs = substitute(others, "[^(+-]+").str.replace("(", "-")
    affixes = substitute(others, rf"[0-9.,'’()+{BLANKS}-]+")
    digits = substitute(substitute(others, r"[A-Za-z]\."), f"[^0-9.,'’{BLANKS}]+").str.strip(BLANKS)
    is_bracketed = others.str.contains("(", regex=False)
    is_whole = (is_bracketed == (substitute(others, "[^)]+") == ")")) & (signs.str.len() <= 1)
    numerals = signed.where(is_bare).fillna((signs + digits)[is_whole]).dropna()
    affixes = affixes.reindex(numerals.index, fill_value="")
    return _Undressed(numerals, affixes, stripped != cells, is_bracketed, holds(others, "-[^0-9]*$"), stripped != signed)


def _are_labels(undressed: _Undressed, read: pd.Index, marks: _Marks) -> bool:
    """Say whether brackets may number things, as in (1), (2), (3), rather than mean a loss."""
    bracketed = undressed.bracketed.reindex(read, fill_value=False)
    is_amount = marks.plain[read].str.contains(".", regex=False) | (undressed.affixes[read] != "") | marks.grouped[read]
    return bool(bracketed.any() and bracketed.all() and not is_amount.any())


# ----------------------------------------------------------------------------------------- decimal marks and thousands


@dataclass(frozen=True)
class _Marks:
    """Numerals with a point for the decimal mark and no thousands, and how they were written."""

    plain: pd.Series[str]
    grouped: pd.Series[bool]
    mark: Mark
    notes: tuple[str, ...] = ()
    mixtures: tuple[Mixture, ...] = ()
    doubt: str = ""
    doubtful: tuple[int, ...] = ()


def _fits(numerals: pd.Series[str], mark: str) -> pd.Series[bool]:
    """Say which numerals can be read with a decimal mark, its counterpart being the mark of thousands."""
    m, g = re.escape(mark), re.escape("," if mark == "." else ".")
    plain = rf"(?:[0-9]+{m}?[0-9]*|{m}[0-9]+){EXPONENT}"
    thousands = rf"[1-9][0-9]{{0,2}}(?:(?:{g}[0-9]{{3}})+|(?:['’][0-9]{{3}})+|(?:[{BLANKS}][0-9]{{3}})+)"
    lakhs = r"[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}" if mark == "." else thousands
    return matches(numerals, rf"[+-]?(?:{plain}|(?:{thousands}|{lakhs})(?:{m}[0-9]*)?)")


def _to_plain(numerals: pd.Series[str], mark: str) -> pd.Series[str]:
    """Drop the marks of thousands and write the decimal mark as a point."""
    group = "," if mark == "." else "."
    return substitute(numerals, f"[{group}'’{BLANKS}]").str.replace(mark, ".", regex=False)


def _decide_marks(numerals: pd.Series[str], counts: pd.Series[int], preferred: str | None) -> _Marks:
    has_marks = numerals[holds(numerals, "[^0-9eE+-]")]
    points, commas = _fits(has_marks, "."), _fits(has_marks, ",")
    only_points, only_commas = points & ~commas, commas & ~points
    weight = counts[has_marks.index]
    # A single group of three, as in 1,234, is all that has two readings.
    open_cells = has_marks[points & commas & holds(has_marks, r"[.,]")]
    is_open = len(open_cells) > 0 and not only_points.any() and not only_commas.any()
    is_pointed = is_open and bool(open_cells.str.contains(".", regex=False).all())
    if is_pointed and preferred is None and _are_pointed_thousands(numerals):
        preferred = ","
    mark = _likelier_mark(weight[only_points].sum(), weight[only_commas].sum(), preferred)
    only_main, only_other = (only_points, only_commas) if mark == "." else (only_commas, only_points)
    other = "," if mark == "." else "."
    doubtful = open_cells[open_cells.str.contains(other, regex=False)]
    if mark == preferred or (not only_other.any() and _are_thousands(numerals, doubtful, has_marks[only_main], mark)):
        doubtful = doubtful.iloc[:0]
    elif _fits(has_marks[only_other], other).any() and has_marks[only_other].str.contains(mark, regex=False).any():
        doubtful = open_cells  # 1.234 beside both 1.5 and 1.234,5
    is_read = ~numerals.index.isin(has_marks.index[~points & ~commas].union(doubtful.index))
    read = numerals[is_read]
    is_minor = only_other.reindex(read.index, fill_value=False)
    plain = _to_plain(read, mark).where(~is_minor, _to_plain(read, other))
    grouped = read.str.len() > plain.str.len()
    notes, mixtures = _say_marks(read, mark, grouped), _mixed_marks(plain, grouped, is_minor, mark, counts)
    if is_pointed and mark == "." != preferred:
        notes = (*notes, _say_point(open_cells))
    elif is_open and preferred is not None and grouped.any():
        cell = read[grouped].iloc[0]
        told = f"{cell} was read as {plain[grouped].iloc[0]}; with --read decimal={other} it is {cell.replace(',', '.')}"
        mixtures = (*mixtures, Mixture("open_marks", grouped, told))
    sure: Mark = "open" if is_open or len(doubtful) else ("." if mark == "." else ",") if only_main.any() else ""
    return _Marks(plain, grouped, sure, notes, mixtures, _say_doubt(doubtful), tuple(doubtful.index))


def _likelier_mark(points: int, commas: int, preferred: str | None) -> str:
    """Give the decimal mark that more cells can only be read with; what is preferred where that does not decide."""
    if preferred is not None and (commas if preferred == "." else points) == 0:
        return preferred
    return "," if commas > points else "."


def _are_thousands(numerals: pd.Series[str], groups: pd.Series[str], certain: pd.Series[str], mark: str) -> bool:
    """Say whether single groups of three must be thousands, by what else stands in the column.

    They must where a cell has two groups, or groups and decimals. Otherwise they may be commas only, for 1.234 is a plain number;
    whole numbers below 1000 have to stand beside them and none above without a group, so that groups come with size; and either
    a group ends in 0, which a column that leaves out `,000` would not write as a decimal, or all decimals have at most two digits.
    """
    group = "," if mark == "." else r"\."
    if holds(certain, rf"{group}[0-9]{{2,3}}(?:{re.escape(mark)}|{group}|$)").any():
        return True
    if mark == ",":
        return False
    small, large = matches(numerals, "[+-]?[0-9]{1,3}"), holds(numerals, "^[+-]?[0-9]{4}")
    decimals = holds(certain, re.escape(mark))
    if not small.any() or large.any():
        return False
    if decimals.any():
        return bool(matches(certain[decimals], rf".*{re.escape(mark)}[0-9]{{1,2}}").all())
    return bool(groups.str.endswith("0").any())


def find_mark(plain: pd.Series[str]) -> Mark:
    """Say what the points in plain numbers are: decimal marks, open, or none there.

    Open are points that may as well part thousands: before each stand one to three digits, behind it three.

    >>> import pandas as pd
    >>> find_mark(pd.Series(["1.234", "15"])), find_mark(pd.Series(["1.234", "0.5"])), find_mark(pd.Series(["7"]))
    ('open', '.', '')
    """
    for part in (plain.iloc[:100], plain):
        pointed = part[part.str.contains(".", regex=False)]
        if not (is_open := matches(pointed, OPEN_POINT)).all():
            return "."
    return "open" if len(is_open) else ""


def _are_pointed_thousands(plain: pd.Series[str]) -> bool:
    """Say whether open points part thousands, by what stands beside them.

    Whole numbers below 1000 have to, and none above; and a group ends in 0, which numbers that leave out `.000` would not write.
    """
    is_group = plain.str.contains(".", regex=False)
    groups, whole = plain[is_group], plain[~is_group]
    return bool(len(whole) and matches(whole, "[+-]?[0-9]{1,3}").all() and groups.str.endswith("0").any())


def _say_point(plain: pd.Series[str]) -> str:
    cell = plain[plain.str.contains(".", regex=False)].iloc[0]
    return f"{cell} is a decimal; with --read decimal=, it is {cell.replace('.', '')}"


def _say_doubt(doubtful: pd.Series[str]) -> str:
    if not len(doubtful):
        return ""
    cell = doubtful.iloc[0]
    return f"'{cell}' may be {re.sub('[.,]', '', cell)} or {cell.replace(',', '.')}; --read decimal=, or decimal=. decides"


def _say_marks(read: pd.Series[str], mark: str, grouped: pd.Series[bool]) -> tuple[str, ...]:
    notes = ["decimal comma"] if mark == "," and read.str.contains(",", regex=False).any() else []
    if grouped.any():
        cell = read[grouped].iloc[0]
        notes.append(f"thousands as in {cell}")
    return tuple(notes)


def _mixed_marks(
    plain: pd.Series[str], grouped: pd.Series[bool], is_minor: pd.Series[bool], mark: str, counts: pd.Series[int]
) -> tuple[Mixture, ...]:
    found: list[Mixture] = []
    if is_minor.any():
        names = ("comma", "point") if mark == "." else ("point", "comma")
        found.append(Mixture("mixed_decimals", is_minor, f"a decimal {names[0]} among decimal {names[1]}s"))
    digits = substitute(plain, r"[+-]|[.eE].*").str.len()
    bare = (digits >= 4) & ~grouped & ~holds(plain, "[eE]")
    # 1234 beside 12,345 is how many style guides want it.
    if grouped.any() and bare.any() and (digits[bare].max() > 4 or digits[grouped].min() == 4):
        is_few = counts[bare.index][bare].sum() < counts[grouped.index][grouped].sum()
        what = "without thousands separators among numbers with them" if is_few else "with thousands separators among numbers without"
        found.append(Mixture("mixed_thousands", bare if is_few else grouped, f"numbers {what}"))
    return tuple(found)


# ------------------------------------------------------------------------------------------------------------- units


@dataclass(frozen=True)
class _Units:
    fits: pd.Series[bool]
    notes: tuple[str, ...] = ()
    mixtures: tuple[Mixture, ...] = ()
    doubt: str = ""


def _decide_units(affixes: pd.Series[str], values: pd.Series[float], counts: pd.Series[int]) -> _Units:
    """Keep the numbers of one unit, the most frequent; what stands in another one is no number of this column."""
    is_bare = affixes == ""
    if is_bare.all():
        return _Units(is_bare | True)
    unit = str(counts[affixes.index][~is_bare].groupby(affixes[~is_bare]).sum().idxmax())
    has_unit = affixes == unit
    other = affixes[~is_bare & ~has_unit]
    doubt = f"units differ: '{unit}' and '{other.iloc[0]}'" if len(other) else ""
    if unit in "%‰" and is_bare.any() and (values[is_bare].abs() <= 1).all() and (values[has_unit].abs() > 1).any():
        return _Units(has_unit, doubt=f"{values[has_unit].iloc[0]:g}{unit} beside {values[is_bare].iloc[0]:g}")
    note = f"{unit} signs dropped (12 {unit} is 12)" if unit in "%‰" else f"all in {unit}" if has_unit.all() else f"in {unit}"
    if not is_bare.any():
        return _Units(has_unit, (note,), doubt=doubt)
    is_few = counts[affixes.index][is_bare].sum() < counts[affixes.index][has_unit].sum()
    what = f"numbers without '{unit}' among numbers with it" if is_few else f"numbers with '{unit}' among numbers without"
    return _Units(is_bare | has_unit, (note,), (Mixture("mixed_units", is_bare if is_few else has_unit, what),), doubt)
