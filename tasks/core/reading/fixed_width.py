"""Columns that only their place in a line tells apart, where cells that are empty leave gaps."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

FEWEST_LINES = 5
FEWEST_BLANKS = 2
MAX_CROSSING = 0.05  # of the lines, such as titles
MOST_CHARACTERS = 2000
MARK = "\x1f"
REACHING = re.compile(rf"(\S*) {{{FEWEST_BLANKS},}}\S*")


def find_gaps(texts: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Find where runs of blanks go down through nearly all lines: the first place of each, and the one behind it.

    >>> find_gaps(["id   size", "1     2.5", "2", "3    11.5", "4     0.5"])
    ((2, 5),)
    """
    texts = [text.rstrip() for text in texts if text.strip()]
    width = max(map(len, texts), default=0)
    if len(texts) < FEWEST_LINES or width > MOST_CHARACTERS or any("\t" in text for text in texts):
        return ()
    filled = [0] * width
    for text in texts:
        for place, character in enumerate(text):
            filled[place] += character != " "
    runs = [(is_gap, [*run]) for is_gap, run in groupby(range(width), key=lambda place: filled[place] <= MAX_CROSSING * len(texts))]
    gaps = tuple((run[0], run[-1] + 1) for is_gap, run in runs[1:-1] if is_gap and len(run) >= FEWEST_BLANKS)
    # Cells with as many blanks in them would be two, of columns that lie too close together.
    lines = [parted(text, gaps) for text in texts]
    return () if any(MARK in line and FEWEST_BLANKS * " " in line for line in lines) else gaps


def parted(text: str, gaps: Sequence[tuple[int, int]]) -> str:
    """Put a mark between the cells of a line, whose words may reach into a gap; one that goes across a gap is left as it is."""
    cells: list[str] = []
    behind = 0
    for start, end in gaps:
        found = REACHING.fullmatch(text[start:end].ljust(end - start))
        if found is None or not text.strip():
            return text
        cells.append(text[behind : start + found.end(1)].strip())
        behind = start + found.end(1)
    return MARK.join([*cells, text[behind:].strip()])
