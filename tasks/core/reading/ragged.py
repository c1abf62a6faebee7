"""Rows that do not fit their table: made to fit where there is exactly one way, otherwise set aside with the reason."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tasks.core.reading.records import OTHER_QUOTE, split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tasks.core.reading.records import Record, Style
    from tasks.core.reading.shapes import Kind

CURLY = re.compile("[\u201c\u201d\u201e\u201f]")
OTHER_DELIMITERS = (",", ";", "\t", "|")

Cells = tuple[str, ...]


@dataclass(frozen=True)
class Way:
    """A way to make rows fit: its code, what it did in a few words, and the readings of a record that it offers.

    A strict way needs every cell to look like its column, the others only numbers and dates; a way that fills cells up needs
    columns in which cells are missing elsewhere too.
    """

    code: str
    done: str
    offer: Callable[[Record, Style, int], Iterator[Cells]]
    is_strict: bool = True
    fills: bool = False


def fit(record: Record, style: Style, kinds: Sequence[Kind]) -> tuple[Cells, Way] | str:
    """Give the one reading of a record that fits the columns, with the way that leads to it, or say why there is none."""
    width = len(kinds)
    for way in WAYS:
        fitting = {cells for cells in way.offer(record, style, width) if len(cells) == width and fits(cells, kinds, way)}
        if len(fitting) > 1:
            return f"{_counted(record)} where the table has {width}, and {len(fitting)} ways to read them"
        if fitting:
            return fitting.pop(), way
    if len(record.cells) == width:
        return "its quotes break the rules, and no reading fits the columns"
    return f"{_counted(record)} where the table has {width}"


def two_rows(record: Record, kinds: Sequence[Kind]) -> tuple[Cells, Cells] | None:
    """Part a record that holds the cells of two rows, if both fit."""
    width = len(kinds)
    halves = record.cells[:width], record.cells[width:]
    fitting = len(record.cells) == 2 * width and all(kind.fits(cell) for half in halves for cell, kind in zip(half, kinds, strict=True))
    return halves if fitting else None


def fits(cells: Sequence[str], kinds: Sequence[Kind], way: Way) -> bool:
    """Say whether each cell could stand in its column."""
    return all(_could_stand(cell, kind, way) for cell, kind in zip(cells, kinds, strict=True))


def _could_stand(cell: str, kind: Kind, way: Way) -> bool:
    if not cell:
        return kind.has_missing or not way.fills
    return kind.fits(cell) or (kind.shape == "text" and not way.is_strict)


def _counted(record: Record) -> str:
    return "1 cell" if len(record.cells) == 1 else f"{len(record.cells)} cells"


def _trailing(record: Record, style: Style, width: int) -> Iterator[Cells]:
    is_open = record.is_odd and any(cell.startswith(style.quote) for cell in record.cells if style.quote)
    if not is_open and len(record.cells) > width and not any(cell.strip() for cell in record.cells[width:]):
        yield record.cells[:width]


def _padded_quotes(record: Record, style: Style, _width: int) -> Iterator[Cells]:
    cells, is_open, is_odd = split(record.text, replace(style, is_padded=True))
    if record.is_odd and not is_open and not is_odd and len(cells) == len(record.cells):
        yield record.cells


def _literal_quotes(record: Record, style: Style, width: int) -> Iterator[Cells]:
    if record.is_odd and len(record.cells) == width:
        yield record.cells


def _other_escape(record: Record, style: Style, _width: int) -> Iterator[Cells]:
    if style.quote and f"\\{style.quote}" in record.text:
        cells, is_open, is_odd = split(record.text, replace(style, escape="" if style.escape else "\\"))
        if not is_open and not is_odd:
            yield cells


def _unclosed_quote(record: Record, style: Style, width: int) -> Iterator[Cells]:
    """Close a quote where the row then has as many cells as it should."""
    cells = split(record.text, replace(style, quote=""))[0]
    extra = len(cells) - width
    if not style.quote or extra < 0 or record.text.count(style.quote) % 2 == 0:
        return
    for place, cell in enumerate(cells[:width]):
        if cell.startswith(style.quote) and cell.count(style.quote) == 1:
            joined = style.delimiter.join(cells[place : place + extra + 1])
            yield (*cells[:place], joined.removeprefix(style.quote), *cells[place + extra + 1 :])


def _no_quoting(record: Record, style: Style, _width: int) -> Iterator[Cells]:
    if style.quote and style.quote in record.text:
        yield split(record.text, replace(style, quote=""))[0]


def _other_quote(record: Record, style: Style, _width: int) -> Iterator[Cells]:
    other = OTHER_QUOTE.get(style.quote, "'")
    for text, quote in ((record.text, other), (CURLY.sub('"', record.text), '"')):
        if text.count(quote) >= 2 and (text, quote) != (record.text, style.quote):
            cells, is_open, is_odd = split(text, replace(style, quote=quote))
            if not is_open and not is_odd:
                yield cells


def _other_delimiter(record: Record, style: Style, _width: int) -> Iterator[Cells]:
    for delimiter in OTHER_DELIMITERS:
        if delimiter != style.delimiter and delimiter in record.text:
            yield split(record.text, replace(style, delimiter=delimiter))[0]
            # Here and there only: the other one beside the usual one.
            yield split(record.text.replace(delimiter, style.delimiter), style)[0]


def _wrapped(record: Record, style: Style, _width: int) -> Iterator[Cells]:
    if len(record.cells) == 1 and style.delimiter and style.delimiter in record.cells[0] and style.quote:
        cells, is_open, is_odd = split(record.cells[0], style)
        if not is_open and not is_odd:
            yield cells


def _empty_cell_too_many(record: Record, _style: Style, width: int) -> Iterator[Cells]:
    if len(record.cells) == width + 1:
        for place, cell in enumerate(record.cells):
            if not cell.strip():
                yield record.cells[:place] + record.cells[place + 1 :]


def _unquoted_delimiter(record: Record, style: Style, width: int) -> Iterator[Cells]:
    """Join neighbours where a blank follows the delimiter, as it does in a sentence."""
    extra = len(record.cells) - width
    if extra < 1 or style.has_border or not style.delimiter:
        return
    spaced = [place for place, cell in enumerate(record.cells) if place and cell.startswith(" ")]
    for place in spaced[:1] if len(spaced) == extra else []:
        if place + extra <= len(record.cells):
            joined = style.delimiter.join(record.cells[place - 1 : place + extra])
            yield (*record.cells[: place - 1], joined, *record.cells[place + extra :])


def _cut_off(record: Record, _style: Style, width: int) -> Iterator[Cells]:
    if 1 < len(record.cells) < width:
        yield record.cells + ("",) * (width - len(record.cells))


WAYS = (
    Way("long_row", "empty cells behind the last column were taken off", _trailing),
    Way("padded_quotes", "blanks between quotes and delimiters were taken off", _padded_quotes, is_strict=False),
    Way("row_escape", "the row escapes its quotes in another way than the rest", _other_escape),
    Way("unclosed_quote", "a quote that is never closed was taken to end with its cell", _unclosed_quote, is_strict=False),
    Way("stray_quotes", "quotes that open or close nothing were kept as characters", _literal_quotes, is_strict=False),
    Way("stray_quotes", "quotes that open or close nothing were kept as characters", _no_quoting, is_strict=False),
    Way("wrapped_row", "the row stands in quotes as a whole", _wrapped),
    Way("row_quote", "the row has other quotes than the rest", _other_quote, is_strict=False),
    Way("row_delimiter", "the row has another delimiter than the rest", _other_delimiter),
    Way("empty_cell", "an empty cell too many was taken out", _empty_cell_too_many),
    Way("unquoted_delimiter", "a cell that holds the delimiter without quotes was put together", _unquoted_delimiter),
    Way("short_row", "a row that was cut off was filled with missing cells", _cut_off, fills=True),
)
