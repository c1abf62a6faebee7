"""What stands above a table and says nothing of how its cells are written: comments, and long texts."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

from tasks.core.reading.records import Style, read_records
from tasks.core.reading.shapes import kinds_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tasks.core.reading.records import Line

COMMENT_MARKS = ("%", "//", "--", "!", "; ", "* ")
FEWEST_COMMENTS, FEWEST_LINES_OF_PROSE, FEWEST_ROWS = 2, 5, 3
USUAL = (",", ";", "\t", "|")


def count_lines_above(lines: Sequence[Line]) -> int:
    r"""Count the first lines that are no part of the table; layout alone cannot tell them from rows.

    >>> from tasks.core.reading.records import physical_lines
    >>> count_lines_above([*physical_lines("% from, to\n% by, us\na,b\n1,2\n")])
    2
    """
    return _count_comments(lines) or _count_prose(lines)


def _count_comments(lines: Sequence[Line]) -> int:
    """Count first lines that begin with one mark, which no line below them begins with, nor do they part into as many cells."""
    for mark in COMMENT_MARKS:
        marked = [line.text.startswith(mark) for line in lines]
        count = next((at for at, line in enumerate(lines) if line.text.strip() and not marked[at]), 0)
        widths = [Counter(line.text)[mark[0]] for line in lines[: count + 1] if line.text.strip()]
        if sum(marked[:count]) >= FEWEST_COMMENTS and not any(marked[count:]) and widths[-1] not in widths[:-1]:
            return count
    return 0


def _count_prose(lines: Sequence[Line]) -> int:
    """Count lines of text above a last paragraph that is a table by itself, where nothing above it is one."""
    last = max((at for at, line in enumerate(lines) if line.text.strip()), default=0)
    blank = max((at for at, line in enumerate(lines[:last]) if not line.text.strip()), default=0)
    above, below = lines[:blank], lines[blank + 1 : last + 1]
    is_quoted = sum(line.text.count('"') for line in above) % 2 == 1  # the blank line stands in a cell
    if is_quoted or sum(bool(line.text.strip()) for line in above) < FEWEST_LINES_OF_PROSE or not _is_table(below):
        return 0
    paragraphs = [[*some] for is_blank, some in groupby(above, key=lambda line: not line.text.strip()) if not is_blank]
    return 0 if any(_is_table(paragraph[at : at + FEWEST_ROWS]) for paragraph in paragraphs for at in range(len(paragraph))) else blank


def _is_table(lines: Sequence[Line]) -> bool:
    """Say whether some delimiter parts lines into equally many cells, of which a column below the first line is of numbers or dates."""
    for delimiter in USUAL:
        rows = [record.cells for record in read_records(lines, Style(delimiter))]
        is_even = len(rows) >= FEWEST_ROWS and {len(cells) for cells in rows} == {len(rows[0])} != {1}
        if is_even and any(kind.shape in ("number", "date") for kind in kinds_of(rows[1:])):
            return True
    return False
