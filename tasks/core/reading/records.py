"""Lines of text become records of cells, however the quotes in them are kept."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MAX_RECORD_LINES = 500
RUN = "  "
OTHER_QUOTE = {'"': "'", "'": '"', "": '"'}


@dataclass(frozen=True)
class Style:
    """How cells are separated and quoted.

    Attributes:
        delimiter: One or more characters; two blanks stand for any run of at least two; empty where there is one column.
        quote: One character, or empty.
        escape: What makes the next character literal inside a quoted cell, or empty.
        is_padded: Whether blanks around cells belong to the style; with a blank as delimiter, whether runs of them count as one.
        has_border: Whether each record also begins and ends with the delimiter, as in a Markdown table.
    """

    delimiter: str
    quote: str = '"'
    escape: str = ""
    is_padded: bool = False
    has_border: bool = False


@dataclass(frozen=True)
class Line:
    """One physical line: its number from 1, its text, the line end that it has, and the byte of the text in UTF-8 that it starts at."""

    number: int
    text: str
    end: str
    at: int = 0


@dataclass(frozen=True)
class Record:
    """One logical row.

    Attributes:
        line: Where it starts, from 1.
        text: As it stands, without the last line end.
        cells: What a style makes of it.
        is_odd: Whether its quotes break the rules of the style.
    """

    line: int
    text: str
    cells: tuple[str, ...]
    is_odd: bool = False

    @property
    def is_blank(self) -> bool:
        """Say whether nothing stands in it."""
        return not self.text.strip()

    @property
    def is_empty(self) -> bool:
        """Say whether none of its cells holds anything."""
        return not any(cell.strip() for cell in self.cells)


def physical_lines(text: str, number: int = 1, at: int = 0) -> Iterator[Line]:
    r"""Yield the lines of a text, whatever ends them; the first has a number and starts at a byte.

    >>> [(line.number, line.text, line.end) for line in physical_lines("a\r\nb")]
    [(1, 'a', '\r\n'), (2, 'b', '')]
    """
    for place, line in enumerate(io.StringIO(text, newline=""), start=number):
        end = "\r\n" if line.endswith("\r\n") else line[-1] if line[-1] in "\r\n" else ""
        yield Line(place, line.removesuffix(end), end, at)
        at += len(line) if line.isascii() else len(line.encode())


def lines_with(pattern: re.Pattern[str], text: str, number: int = 1) -> tuple[int, ...]:
    r"""List the lines that hold a pattern, counted as `physical_lines` counts them.

    >>> lines_with(re.compile("x"), "a\u2028b\r\nx")
    (2,)
    """
    return tuple(line.number for line in physical_lines(text, number) if pattern.search(line.text))


def read_records(lines: Iterable[Line], style: Style, width: int | None = None) -> Iterator[Record]:
    """Yield the records of lines.

    A quoted cell may go on over lines, if it is closed by the rules within 500 of them and the record then has the
    right width; otherwise the quote that opened it stands for itself, and the line is a record of its own.
    """
    ahead: list[Line] = []
    source = iter(lines)
    while (first := ahead.pop(0) if ahead else next(source, None)) is not None:
        cells, is_open, is_odd = split(first.text, style)
        if not is_open:
            yield Record(first.number, first.text, cells, is_odd)
            continue
        joined = _join(first, ahead, source, style, width)
        yield joined or Record(first.number, first.text, split(first.text, replace(style, quote=""))[0], is_odd=True)


def _join(first: Line, ahead: list[Line], source: Iterator[Line], style: Style, width: int | None) -> Record | None:
    """Join lines to a record whose last quoted cell is closed; take them from what is ahead only if that succeeds."""
    text = first.text + first.end
    taken = 0
    while taken < MAX_RECORD_LINES:
        if taken == len(ahead):
            if (following := next(source, None)) is None:
                return None
            ahead.append(following)
        last = ahead[taken]
        taken += 1
        text += last.text
        if style.quote in last.text:
            cells, is_open, is_odd = split(text, style)
            if is_odd:
                return None
            if not is_open:
                if width not in (None, len(cells)):
                    return None
                del ahead[:taken]
                return Record(first.number, text, cells)
        text += last.end
    return None


def split(text: str, style: Style) -> tuple[tuple[str, ...], bool, bool]:
    """Split a record into cells.

    Returns:
        The cells; whether the last one is still open; whether a quote stands where the style has none.

    >>> split("a,'b, ''c''',d", Style(",", "'"))
    (('a', "b, 'c'", 'd'), False, False)
    >>> split('5" pipe,2', Style(","))
    (('5" pipe', '2'), False, True)
    """
    if style.delimiter == RUN:
        return tuple(re.split(r" {2,}", text.strip())), False, False
    if style.delimiter == " " and style.is_padded:
        text = text.strip().replace("\t", " ") if style.quote and style.quote in text else " ".join(text.split())
    if style.has_border:
        text = text.strip().removeprefix(style.delimiter).removesuffix(style.delimiter)
    if not style.quote or style.quote not in text:
        cells = text.split(style.delimiter) if style.delimiter else [text]
        is_open = is_odd = False
    else:
        cells, is_open, is_odd = _split_quoted(text, style)
    if style.is_padded:
        cells = [cell.strip() for cell in cells]
    return tuple(cells), is_open, is_odd


def _split_quoted(text: str, style: Style) -> tuple[list[str], bool, bool]:
    cells: list[str] = []
    at, is_odd = 0, False
    while True:
        if style.delimiter == " " and style.is_padded:  # of several blanks one separates
            at = _behind_blanks(text, at)
        cell, at, odd = _quoted_cell(text, at, style) or _bare_cell(text, at, style)
        cells.append(cell)
        is_odd |= odd
        if at < 0:
            return cells, True, is_odd
        if at >= len(text):
            return cells, False, is_odd
        at += len(style.delimiter)


def _bare_cell(text: str, at: int, style: Style) -> tuple[str, int, bool]:
    end = text.find(style.delimiter, at) if style.delimiter else -1
    cell = text[at : end if end >= 0 else len(text)]
    return cell, at + len(cell), style.quote in cell


def _quoted_cell(text: str, at: int, style: Style) -> tuple[str, int, bool] | None:
    """Read a cell that begins with a quote; behind a blank that is not of the style, one opens a cell only if another closes it."""
    start = at if style.delimiter == " " else _behind_blanks(text, at)
    if not text.startswith(style.quote, start):
        return None
    cell, end, is_odd = _quoted(text, start + 1, style)
    if start == at or style.is_padded:
        return cell, end, is_odd
    return None if end < 0 or is_odd else (cell, end, True)


def _behind_blanks(text: str, at: int) -> int:
    while text.startswith(" ", at):
        at += 1
    return at


def _quoted(text: str, at: int, style: Style) -> tuple[str, int, bool]:
    """Read a quoted cell from behind its opening quote: its content, the place of what follows (-1: none), and whether it is odd."""
    parts: list[str] = []
    is_odd = False
    while True:
        end = text.find(style.quote, at)
        if style.escape and 0 <= (escape := text.find(style.escape, at)) < (end if end >= 0 else len(text)):
            parts += [text[at:escape], text[escape + 1 : escape + 2]]
            at = escape + 2
            continue
        if end < 0:
            return "".join([*parts, text[at:]]), -1, is_odd
        if text.startswith(style.quote, end + 1) and not style.escape:
            parts.append(text[at : end + 1])
            at = end + 2
            continue
        behind = end + 1 if style.delimiter == " " else _behind_blanks(text, end + 1)
        if behind >= len(text) or (style.delimiter and text.startswith(style.delimiter, behind)):
            return "".join([*parts, text[at:end]]), behind, is_odd or (behind > end + 1 and not style.is_padded)
        # A quote that nobody doubled: it belongs to the cell, which ends at the next quote before a delimiter.
        parts.append(text[at : end + 1])
        at, is_odd = end + 1, True
