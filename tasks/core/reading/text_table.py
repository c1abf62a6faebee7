"""Rows of text become a table, once all of them are there: sums and footers go, names are made unique, cells are tidied."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tasks.core.errors import DataRefusedError
from tasks.core.reading.grid import MAX_ASIDE_SHARE
from tasks.core.reading.headers import NAME, are_placeholders
from tasks.core.reading.layout import unique_names
from tasks.core.reading.records import OTHER_QUOTE
from tasks.core.reading.shapes import kinds_of, shape_of
from tasks.core.reading.summaries import computed_summaries, named_sums, subtotals
from tasks.core.reading.terms import Dialect, Repair, SetAside
from tasks.core.reading.tidying import HARD_BLANKS, without_hard_blanks, without_odd_quotes, without_text_marks

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from tasks.core.reading.encodings import Decoded
    from tasks.core.reading.grid import Grid
    from tasks.core.reading.records import Style
    from tasks.core.reading.store import Columns

FEW_ROWS = 5
TELLING_ROWS = 100
FEWEST_TELLING = 3  # columns, in all of which a row may differ from the others by chance once in thousands of tables
SUMMARY = "a row of "
SECOND_NAMES = "below the header, and none of its texts stands below it again, as names over two rows"
LONELY = "only the first cell holds anything, as in lines below a table"
BELOW = "below a blank line, and empty in a column that all rows above fill, as rows of another table"
TELLING_SIGNS = ('"', "'", *HARD_BLANKS)


@dataclass(frozen=True)
class TextTable:
    """A table as text.

    Attributes:
        names: Of the columns, each its own.
        raw_names: The same as they stand in the file.
        cells: Columns of text without missing values, exactly as they stood.
        lines: The line that each row starts on, int64.
        dialect: How the file writes its table.
        repairs: What was repaired.
        aside: Rows that do not fit.
    """

    names: tuple[str, ...]
    raw_names: tuple[str, ...]
    cells: Columns
    lines: np.ndarray
    dialect: Dialect
    repairs: tuple[Repair, ...]
    aside: tuple[SetAside, ...]

    def rows(self, places: Sequence[int]) -> list[str]:
        """Write rows as they may have stood in their file, so that they can be taken apart again."""
        delimiter = self.dialect.delimiter or ","
        return [delimiter.join(_quoted(cell, delimiter) for cell in cells) for cells in self.cells.rows(places)]

    def take(self, rows: np.ndarray) -> TextTable:
        """Keep some rows, by position."""
        return replace(self, cells=self.cells.take(rows), lines=self.lines[rows])


def _quoted(cell: str, delimiter: str) -> str:
    is_plain = not any(sign in cell for sign in (delimiter, '"', "\n", "\r"))
    return cell if is_plain else '"' + cell.replace('"', '""') + '"'


def finished(grid: Grid, decoded: Decoded, style: Style | None, signs: frozenset[str], source: str) -> TextTable:
    """Give the table of a grid, unless too little of it fits.

    Args:
        grid: All rows that were read.
        decoded: The text that they come from.
        style: How it writes cells; None for a sheet.
        signs: Those of the telling signs that the text holds.
        source: Its name, for messages.

    Raises:
        DataRefusedError: there is no row, or too few fit.
    """
    columns, lines = _without_second_names(grid, grid.columns, grid.lines)
    columns, lines = _without_summaries(grid, columns, lines)
    columns, lines = _without_padded_footer(grid, columns, lines)
    columns, lines = _without_table_below(grid, columns, lines)
    _refuse_other_header(grid, columns, lines, source)
    _refuse_misfits(grid, len(lines), source)
    raw = grid.layout.names
    found = [Repair(code, tuple(where), told) for code, (told, where) in grid.repaired.items()]
    width = _filled_width(columns, raw)
    if width < len(columns):
        columns, raw = columns[:width], raw[:width]
        found.append(Repair("trailing_delimiter", (), "each line ends with delimiters that separate nothing; they were passed over"))
    names, renamed = unique_names(raw, len(columns))
    columns, tidied = _tidied(columns, lines, style, signs)
    repairs = (*decoded.repairs, *grid.layout.repairs, *renamed, *found, *tidied)
    aside = tuple(sorted(grid.aside, key=lambda row: row.line))
    return TextTable(names, raw or names, columns, lines, _dialect(decoded, style, has_header=bool(raw)), repairs, aside)


def _filled_width(columns: Columns, names: Sequence[str]) -> int:
    """Count the columns up to the last one that has a name or a value; all of them where there is no header."""
    width = len(columns)
    while width > 1 and names and not names[width - 1].strip() and not bool((columns[width - 1] != "").any()):
        width -= 1
    return width


def _dialect(decoded: Decoded, style: Style | None, *, has_header: bool) -> Dialect:
    if style is None:
        return Dialect("excel", header=has_header)
    return Dialect("csv", "", decoded.encoding, style.delimiter, style.quote, style.escape, has_header)


def _tidied(columns: Columns, lines: np.ndarray, style: Style | None, signs: frozenset[str]) -> tuple[Columns, list[Repair]]:
    """Tidy the cells, where the text holds what there may be to tidy."""
    other = OTHER_QUOTE[style.quote] if style and style.quote in OTHER_QUOTE else ""
    columns, unquoted = without_odd_quotes(columns, lines, other) if other in signs else (columns, [])
    columns, unmarked = without_text_marks(columns) if "'" in signs else (columns, [])
    columns, unpadded = without_hard_blanks(columns, lines) if not signs.isdisjoint(HARD_BLANKS) else (columns, [])
    return columns, [*unquoted, *unmarked, *unpadded]


def _without_second_names(grid: Grid, columns: Columns, lines: np.ndarray) -> tuple[Columns, np.ndarray]:
    """Set the first row aside where it may name the columns once more, as questions do below the numbers of a survey.

    It holds no number or date where the others do, and in no column of few texts one that stands below it again.
    """
    kinds = grid.layout.kinds
    few = [place for place, kind in enumerate(kinds) if kind.values]
    if not grid.layout.names or len(few) < FEWEST_TELLING or not len(lines):
        return columns, lines
    first = columns.rows([0])[0]
    is_value = any(
        shape_of(cell) in ("number", "date") for cell, kind in zip(first, kinds, strict=True) if kind.shape in ("number", "date")
    )
    if is_value or not all(first[place].strip() and int((columns[place] == first[place]).sum()) == 1 for place in few):
        return columns, lines
    grid.aside.append(SetAside(int(lines[0]), grid.style.delimiter.join(first), SECOND_NAMES))
    kept = _all_but([0], len(lines))
    return columns.take(kept), lines[kept]


def _without_summaries(grid: Grid, columns: Columns, lines: np.ndarray) -> tuple[Columns, np.ndarray]:
    """Set rows aside that sum up others: by what can be computed, else by their name if they are the last or have empty cells."""
    if len(lines) < 3:
        return columns, lines
    named = named_sums(columns[:2])
    sums = {
        row: "a row of totals"
        for row, cells in zip(named, columns.rows(named), strict=True)
        if _sums_up(cells, is_last=row == len(lines) - 1)
    }
    sums = {} if len(sums) > max(1, MAX_ASIDE_SHARE * len(lines)) else sums
    sums |= subtotals(columns, grid.layout.kinds)
    sums |= computed_summaries(columns, grid.layout.kinds)
    if not sums:
        return columns, lines
    rows = zip(sums.items(), columns.rows(list(sums)), strict=True)
    grid.aside += [SetAside(int(lines[row]), grid.style.delimiter.join(cells), told) for (row, told), cells in rows]
    kept = _all_but(list(sums), len(lines))
    return columns.take(kept), lines[kept]


def _sums_up(cells: tuple[str, ...], *, is_last: bool) -> bool:
    return any(shape_of(cell) == "number" for cell in cells) and (is_last or not all(cells))


def _all_but(rows: list[int], count: int) -> np.ndarray:
    import numpy as np

    return np.delete(np.arange(count), rows)


def _without_padded_footer(grid: Grid, columns: Columns, lines: np.ndarray) -> tuple[Columns, np.ndarray]:
    """Set last rows aside in which only the first cell holds anything, where no other row is like that, unless it holds a value."""
    if not len(lines) or grid.layout.width < 3 or any(cell.strip() for cell in columns.rows([len(lines) - 1])[0][1:]):
        return columns, lines
    lonely = columns[0].str.strip() != ""
    for column in columns[1:]:
        lonely &= column.str.strip() == ""
    count = int(lonely.sum())
    if not count or count == len(lonely) or not bool(lonely.iloc[-count:].all()):
        return columns, lines
    last = range(len(lines) - count, len(lines))
    cells = columns.rows(last)
    if grid.layout.kinds[0].shape in ("number", "date") and all(shape_of(row[0]) == grid.layout.kinds[0].shape for row in cells):
        return columns, lines
    grid.aside += [SetAside(int(lines[n]), grid.style.delimiter.join(row), LONELY) for n, row in zip(last, cells, strict=True)]
    kept = _all_but([], len(lines) - count)
    return columns.take(kept), lines[kept]


def _without_table_below(grid: Grid, columns: Columns, lines: np.ndarray) -> tuple[Columns, np.ndarray]:
    """Set rows aside below a blank line that leave a column empty which all rows above fill, and begin with text for numbers or dates."""
    blank = grid.repaired.get("blank_lines", ("", []))[1]
    last = columns.rows([len(lines) - 1])[0] if blank and len(lines) else ()
    for column in (columns[place] for place, cell in enumerate(last) if not cell.strip()):
        is_filled = column.str.strip() != ""
        above = int(is_filled.sum())
        if not above or not bool(is_filled.iloc[:above].all()) or not any(lines[above - 1] < line < lines[above] for line in blank):
            continue
        below = range(above, len(lines))
        rows = columns.rows(below)
        kinds = kinds_of(columns.rows(range(min(above, TELLING_ROWS))))
        typed = [(shape_of(cell), kind.shape) for cell, kind in zip(rows[0], kinds, strict=True) if kind.shape in ("number", "date")]
        if any(shape == "text" for shape, _ in typed) and not any(shape == usual for shape, usual in typed):
            grid.aside += [SetAside(int(lines[n]), grid.style.delimiter.join(row), BELOW) for n, row in zip(below, rows, strict=True)]
            kept = _all_but([], above)
            return columns.take(kept), lines[kept]
    return columns, lines


def _refuse_other_header(grid: Grid, columns: Columns, lines: np.ndarray, source: str) -> None:
    """Refuse rows right below a gap that begin with a header, though it names nothing that the columns above are called."""
    import numpy as np

    typed = [place for place, kind in enumerate(grid.layout.kinds) if kind.shape in ("number", "date")]
    gaps = [*grid.repaired.get("blank_lines", ("", []))[1], *(row.line for row in grid.aside)]
    below: list[int] = np.flatnonzero(np.isin(lines, np.array(gaps, dtype=np.int64) + 1)).tolist() if len(typed) > 1 else []
    for at, cells in zip(below, columns.rows(below), strict=True):
        are_names = all(NAME.fullmatch(cell.strip()) for cell in cells) and len(set(cells)) == len(cells)
        over_values = [cells[place] for place in typed]
        if are_names and all(shape_of(cell) == "text" for cell in over_values) and not are_placeholders(over_values):
            where = f"{source}, line {lines[at]}"
            shown = ", ".join(map(repr, cells[:3]))
            message = f"{where}: what stands here looks like the header of another table ({shown}); split the file above this line"
            raise DataRefusedError(message, where=where)


def _refuse_misfits(grid: Grid, kept: int, source: str) -> None:
    misfits = [row for row in grid.aside if not row.reason.startswith(SUMMARY)]
    aside = len(misfits)
    if not kept and not grid.aside:
        message = f"{source} has no rows below its header"
        raise DataRefusedError(message, where=source)
    if not kept or (aside > FEW_ROWS and aside > MAX_ASIDE_SHARE * (kept + len(grid.aside))):
        first = min(misfits or grid.aside, key=lambda row: row.line)
        where = f"{source}, line {first.line}"
        told = f"{first.reason}; so it is with {aside} of {kept + len(grid.aside)} rows"
        message = f"{where}: {told}; say how the file is written with --read delimiter=, quote= or skip="
        raise DataRefusedError(message, where=where)
