"""How a file separates and quotes its cells, found by what makes its rows equally wide and its cells plausible.

After van den Burg, Nazábal and Sutton (2019), "Wrangling messy CSV files by detecting row and type patterns".
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from tasks.core.errors import DataRefusedError
from tasks.core.reading.records import RUN, Record, Style, read_records
from tasks.core.reading.shapes import kinds_of, shape_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tasks.core.reading.records import Line
    from tasks.core.reading.terms import ReadingOptions

CANDIDATES = (",", ";", "\t", "|", "::", "||", ";;", "\x01", "\x1c", "\x1d", "\x1e", "\x1f", "~", "^", ":", " ")
# Blanks and colons stand in times and in sentences; what else separates goes before them.
WEIGHTS = {":": 0.8, " ": 0.6}
USUAL = (",", ";", "\t", "|")
PADDED_COLUMNS = 2
CLEARLY, NEARLY = 0.97, 0.85
MORE_PLAUSIBLE = 0.1
MIN_CONSISTENCY = 0.5
PADDED_SHARE = 0.2
SEPARATOR_LINE = re.compile(r"sep=(.)", re.IGNORECASE)
# The look ahead leaves one way to match, so that a long line of dashes takes no longer than another.
RULE_LINE = re.compile(r"(?=[\s|+:=-]+\Z)(?s:.*?[-=]{3}.*)")
CLOCK = re.compile(r"\d{1,2}:\d{2}(?::\d{2})?")
OPENING = re.compile('"(?=(.))', re.DOTALL)
RARE = re.compile(r"[^\w\s.,;:'\"+()-]|_")
JOINING = "_/@=\\"
MIN_RARE_LINES, MIN_RARE_CELLS = 4, 3
# A line beyond this says nothing of how cells are written, and takes long to say it.
MAX_TELLING_CHARACTERS = 1_000_000


@dataclass(frozen=True)
class _Guess:
    style: Style
    score: float
    plausible: float


def find_style(lines: Sequence[Line], options: ReadingOptions, source: str) -> Style:
    r"""Find the style of the first lines of a file; what is given is kept.

    Raises:
        DataRefusedError: two styles fit equally well, and they read different cells.

    >>> from tasks.core.reading.terms import ReadingOptions
    >>> from tasks.core.reading.records import physical_lines
    >>> find_style(list(physical_lines("a;b\n1,5;x\n2,5;y\n")), ReadingOptions(), "t.csv").delimiter
    ';'
    """
    lines = [line for line in lines if not RULE_LINE.fullmatch(line.text)]
    lines = [line for line in lines if not line.text.lstrip().startswith("#")] or lines
    lines = [line for line in lines if len(line.text) <= MAX_TELLING_CHARACTERS] or lines
    if options.delimiter is not None:
        quote = options.quote if options.quote is not None else _quote_of(lines, options.delimiter)
        runs = options.delimiter == " " and any("  " in line.text for line in lines)
        return _finished(Style(options.delimiter, quote, is_padded=runs), lines)
    guesses = [guess for delimiter in CANDIDATES if (guess := _guess(lines, delimiter, options)) is not None]
    guesses.sort(key=lambda guess: guess.score, reverse=True)
    if not guesses:
        runs = [record.cells for record in read_records(lines, Style(RUN, "")) if not record.is_blank]
        if len(runs) > 2 and len({len(cells) for cells in runs}) == 1 and len(runs[0]) > 1 and options.delimiter is None:
            return Style(RUN, "")
        if rare := _rare_delimiter(lines):
            return _finished(Style(rare, options.quote if options.quote is not None else '"'), lines)
        return Style("", options.quote if options.quote is not None else '"')
    best = guesses[0]
    near = sorted((guess for guess in guesses if guess.score > NEARLY * best.score), key=lambda guess: guess.plausible, reverse=True)
    if len(near) > 1 and near[0].plausible > near[1].plausible + MORE_PLAUSIBLE:
        best = near[0]
    elif len(guesses) > 1 and guesses[1].score > CLEARLY * best.score:
        names = " or at ".join(repr(guess.style.delimiter) for guess in guesses[:2])
        message = f"{source}: rows could be split at {names}; say which with --read delimiter="
        raise DataRefusedError(message, where=source)
    return _finished(_widened(best.style, lines), lines)


def _guess(lines: Sequence[Line], delimiter: str, options: ReadingOptions) -> _Guess | None:
    """Score a delimiter; None where it makes no table."""
    if not any(delimiter in line.text for line in lines) or _is_part(lines, delimiter):
        return None
    quote = options.quote if options.quote is not None else _quote_of(lines, delimiter)
    style = Style(delimiter, quote, is_padded=delimiter == " " and any("  " in line.text for line in lines))
    records = [record for record in read_records(lines, style) if not record.is_blank]
    widths = Counter(len(record.cells) for record in records)
    width, count = max(((w, n) for w, n in widths.items() if w > 1), key=lambda pair: (pair[1], pair[0]), default=(1, 0))
    if delimiter == " " and width > 2 and len(records[0].cells) == width - 1:
        records = records[1:]  # R leaves the column of row names without a name
    consistency = count / len(records)
    if width == 1 or widths[1] > count or (delimiter == " " and consistency < 1):
        return None
    if consistency < MIN_CONSISTENCY:
        return None
    plausible = _plausibility([r for r in records if len(r.cells) == width], delimiter)
    return _Guess(style, consistency * plausible * (width - 1) / width * WEIGHTS.get(delimiter, 1), plausible)


def _widened(style: Style, lines: Sequence[Line]) -> Style:
    """Take in what stands on both sides of every delimiter, as in `~|~`, and its doubles; at both ends of lines as well it is a quote."""
    runs = {run for line in lines for run in re.findall(f"{re.escape(style.delimiter)}+", line.text) if style.delimiter in USUAL}
    if len(runs) == 1 and style.delimiter not in runs:
        return replace(style, delimiter=runs.pop())
    rows = [line.text.split(style.delimiter) for line in lines if style.delimiter and line.text.strip()]
    edges = {edge for row in rows for before, after in pairwise(row) for edge in (before[-1:], after[:1])}
    edge = edges.pop() if len(edges) == 1 and style.delimiter in USUAL else ""
    if edge == style.quote or not re.fullmatch(r"[^\w\s\"'.+-]", edge):
        return style
    is_quote = all(row[0].startswith(edge) and row[-1].endswith(edge) for row in rows)
    return replace(style, quote=edge) if is_quote else replace(style, delimiter=f"{edge}{style.delimiter}{edge}")


def _rare_delimiter(lines: Sequence[Line]) -> str:
    """Find a mark that parts every line into as many cells, of which several are numbers or dates; empty where none does.

    Marks that join words to names and paths must also part a header from a column that no name or path has.
    """
    texts = [line.text for line in lines if line.text.strip()]
    if len(texts) < MIN_RARE_LINES or any(shape_of(text) != "text" for text in texts[1:]):
        return ""
    for mark in dict.fromkeys(RARE.findall(texts[0])):
        rows = [text.split(mark) for text in texts]
        width = len(rows[0])
        if width < MIN_RARE_CELLS or any(len(row) != width for row in rows):
            continue
        typed = [place for place, kind in enumerate(kinds_of(rows[1:])) if kind.shape in ("number", "date")]
        is_named = all(shape_of(cell) == "text" for cell in rows[0]) and len(set(rows[0])) == width
        is_value = any(not row[place].isdecimal() for row in rows[1:] for place in typed)
        if len(typed) > 1 and (mark not in JOINING or (is_named and is_value)):
            return mark
    return ""


def _is_part(lines: Sequence[Line], delimiter: str) -> bool:
    """Say whether a character stands only doubled, as a delimiter of two characters, or only in times of day."""
    if 2 * delimiter in CANDIDATES:
        return all(line.text.count(delimiter) == 2 * line.text.count(2 * delimiter) for line in lines) or (
            delimiter == ":" and not any(":" in CLOCK.sub("", line.text) for line in lines)
        )
    return False


def _plausibility(records: Sequence[Record], delimiter: str) -> float:
    others = [c for c in USUAL if c not in delimiter]
    worth = 0.0
    cells = 0
    for record in records:
        quoted = frozenset(OPENING.findall(record.text))
        for cell in record.cells:
            cells += 1
            if shape_of(cell) != "text":
                worth += 1
            elif not any(other in cell for other in others):
                worth += 0.2 if record.is_odd else 0.9
            else:
                # A delimiter inside a cell is natural where the cell was quoted.
                worth += 0.8 if cell[:1] in quoted else 0.3
    return worth / cells


def _quote_of(lines: Sequence[Line], delimiter: str) -> str:
    """Choose the quote that opens and closes cells; a backtick is one only if the names stand in it too."""
    edge = re.escape(delimiter)
    found: dict[str, int] = {}
    for quote in "\"'`" if lines and lines[0].text.startswith("`") else "\"'":
        opening, closing = re.compile(rf"(?:^|{edge}) ?{quote}"), re.compile(rf"{quote} ?(?={edge}|$)")
        found[quote] = min(sum(len(pattern.findall(line.text)) for line in lines) for pattern in (opening, closing))
    most = max(found, key=found.__getitem__)
    return most if found[most] >= 2 else '"'


def _finished(style: Style, lines: Sequence[Line]) -> Style:
    """Add to a style how it escapes quotes, and whether it pads or borders its cells."""
    escaped = f"\\{style.quote}"
    if style.quote and any(escaped in line.text for line in lines):
        plain, escaping = (_oddities(lines, style), _oddities(lines, replace(style, escape="\\")))
        style = replace(style, escape="\\") if escaping < plain else style
    texts = [line.text.strip() for line in lines if line.text.strip()]
    if style.delimiter == "|" and sum(t.startswith("|") and t.endswith("|") for t in texts) > MIN_CONSISTENCY * len(texts):
        return replace(style, has_border=True, is_padded=True)
    return replace(style, is_padded=_is_padded(lines, style))


def _oddities(lines: Sequence[Line], style: Style) -> int:
    return sum(record.is_odd for record in read_records(lines, style))


def _is_padded(lines: Sequence[Line], style: Style) -> bool:
    if not style.delimiter.strip():
        return style.is_padded
    padded: Counter[int] = Counter()
    filled = 0
    for record in read_records(lines, style):
        for place, cell in enumerate(record.cells):
            filled += bool(cell.strip())
            padded[place] += bool(cell.strip()) and cell != cell.strip(" ")
    return len(+padded) >= PADDED_COLUMNS and padded.total() >= PADDED_SHARE * filled
