"""What a cell looks like: a number, a date, nothing, or text. A look, not a reading: `core/reading/cells.py` decides on whole columns."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

Shape = Literal["number", "date", "missing", "text"]
FILLED: tuple[Shape, ...] = ("number", "date", "text")

SPACE = "[ \u00a0\u202f]"
_MONTH = r"(?:jan|feb|mar|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)[a-zä]*\.?"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[ap]\.?m\.?)?(?:z| ?[+-]\d{2}:?\d{2})?"
_DAY = rf"\d{{1,4}}[-/.]\d{{1,2}}[-/.]\d{{1,4}}|\d{{1,2}}[-/. ]{_MONTH}[-/., ]*\d{{2,4}}|{_MONTH}[ -]\d{{1,2}},? ?\d{{2,4}}"
DATE = re.compile(rf"(?i){_CLOCK}|(?:{_DAY})(?:[ t]+{_CLOCK})?")
_DIGITS = rf"(?:\d[\d.,']*(?:{SPACE}\d{{3}})*(?:[.,]\d+)?|[.,]\d+)(?:[eE][-+]?\d+)?"
NUMBER = re.compile(rf"[(]?[-+\u2212]?{SPACE}?[$€£¥]?{SPACE}?{_DIGITS}{SPACE}?[%$€£¥]?[)]?-?")
MISSING = re.compile(r"(?i)\?|-+|\.|#?n[/.]?a\.?|nan|nat|null|none|\\n")

KIND_SHARE = 0.9
MAX_VALUES = 20
MIN_ROWS_PER_VALUE = 5
MIN_ROWS_FOR_MARKS = 20


def shape_of(cell: str) -> Shape:
    """Say what a cell looks like.

    >>> [shape_of(cell) for cell in ("1.234,50 €", "12-Jan-2024", "n/a", "Ann")]
    ['number', 'date', 'missing', 'text']
    """
    bare = cell.strip()
    if not bare or MISSING.fullmatch(bare):
        return "missing"
    if NUMBER.fullmatch(bare):
        return "date" if DATE.fullmatch(bare) else "number"
    return "date" if DATE.fullmatch(bare) else "text"


@dataclass(frozen=True)
class Kind:
    """What the cells of a column look like.

    Attributes:
        shape: Of nearly all that hold something; text where they differ.
        has_missing: Whether some hold nothing.
        values: All that stand in it, where they are few and come again and again; else empty.
        marks: The kinds of characters that its texts are made of; empty where too few rows tell.
    """

    shape: Shape
    has_missing: bool
    values: frozenset[str] = frozenset()
    marks: frozenset[str] = frozenset()

    def fits(self, cell: str) -> bool:
        """Say whether a cell could stand in this column."""
        shape = shape_of(cell)
        if shape == "missing":
            return self.has_missing or self.shape == "missing"
        if self.values:
            return cell in self.values
        if self.marks and not _marks(cell) <= self.marks:
            return False
        return self.shape in (shape, "missing")


def _marks(cell: str) -> frozenset[str]:
    """Say of which kinds of characters a text is made: letters, digits, or the mark itself."""
    return frozenset("letter" if c.isalpha() else "digit" if c.isdigit() else c for c in cell)


def kinds_of(rows: Sequence[Sequence[str]]) -> tuple[Kind, ...]:
    """Say what each column of rows of equal width looks like."""
    return tuple(_kind_of(column) for column in zip(*rows, strict=True))


def _kind_of(column: Sequence[str]) -> Kind:
    counts = Counter(shape_of(cell) for cell in column)
    filled = len(column) - counts["missing"]
    shape: Shape = sorted(FILLED, key=counts.__getitem__)[-1] if filled else "missing"
    if counts[shape] < KIND_SHARE * filled:
        shape = "text"
    distinct = frozenset(cell for cell in column if shape_of(cell) != "missing") if shape == "text" else frozenset[str]()
    is_few = len(distinct) <= MAX_VALUES and filled >= MIN_ROWS_PER_VALUE * len(distinct)
    tells = shape == "text" and filled >= MIN_ROWS_FOR_MARKS
    marks = frozenset[str]().union(*map(_marks, distinct)) if tells else frozenset[str]()
    return Kind(shape, counts["missing"] > 0, distinct if is_few else frozenset(), marks)
