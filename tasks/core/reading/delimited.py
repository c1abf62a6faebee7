"""Delimited text becomes columns of text cells, with every repair reported and every row that does not fit set aside."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import TYPE_CHECKING

from tasks.core.errors import DataRefusedError
from tasks.core.reading import encodings
from tasks.core.reading.clean import read_clean
from tasks.core.reading.dialects import RULE_LINE, SEPARATOR_LINE, find_style
from tasks.core.reading.layout import find_table, unique_names
from tasks.core.reading.ragged import fit, two_rows
from tasks.core.reading.records import OTHER_QUOTE, RUN, Record, lines_with, physical_lines, read_records
from tasks.core.reading.shapes import shape_of
from tasks.core.reading.terms import Dialect, Repair, SetAside
from tasks.core.reading.tidying import HARD_BLANKS, sums_among, without_hard_blanks, without_odd_quotes, without_text_marks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy as np
    import pandas as pd

    from tasks.core.reading.clean import Parse
    from tasks.core.reading.layout import Layout
    from tasks.core.reading.records import Line, Style
    from tasks.core.reading.terms import ReadingOptions

SAMPLE_LINES = 3000
FEW_LINES = 20
HEAD_CHARACTERS = 1_000_000
CHUNK_ROWS = 50_000
MAX_ASIDE_SHARE = 0.2
FEW_ROWS = 5
FOOTER_LINES = 20
EXCEL_TEXT = re.compile(r'''(?<![^,;\t|\n\r])(?:="([^"\r\n]*)"|"=""([^"\r\n]*)""")(?=[,;\t|\r\n]|\Z)''')
WRAPPED = re.compile(r'"(?:[^"]|"")*"')
HTML = ("<!doctype html", "<html", "<?xml", "<head", "<body", "<table")


@dataclass(frozen=True)
class TextTable:
    """A table as text.

    Attributes:
        names: Of the columns, each its own.
        raw_names: The same as they stand in the file.
        cells: One column of text after the other, without missing values, exactly as they stood.
        lines: The line that each row starts on, int64.
        dialect: How the file writes its table.
        repairs: What was repaired.
        aside: Rows that do not fit.
    """

    names: tuple[str, ...]
    raw_names: tuple[str, ...]
    cells: tuple[pd.Series, ...]
    lines: np.ndarray
    dialect: Dialect
    repairs: tuple[Repair, ...]
    aside: tuple[SetAside, ...]

    def row(self, place: int) -> str:
        """Write a row as it may have stood in its file."""
        return (self.dialect.delimiter or ",").join(str(column.iloc[place]) for column in self.cells)

    def take(self, rows: np.ndarray) -> TextTable:
        """Keep some rows, by position."""
        cells = tuple(column.iloc[rows].reset_index(drop=True) for column in self.cells)
        return replace(self, cells=cells, lines=self.lines[rows])


def read_text(data: bytes, options: ReadingOptions, source: str, parse: Parse) -> TextTable:
    """Read the bytes of a delimited text file.

    Args:
        data: Its content, not compressed.
        options: What a person knows better.
        source: Its name, for messages.
        parse: The fast way through rows that keep every rule; see `core/reading/clean.py`.

    Raises:
        DataRefusedError: it holds no table, or one that could be read in more than one way.
    """
    decoded = encodings.decode(data, source, options.checked_encoding())
    _refuse_markup(decoded.text, source)
    lines = physical_lines(decoded.text)
    sample = _sample(lines, options.skip or 0)
    options, sample = _with_separator_line(sample, options)
    if EXCEL_TEXT.search(decoded.text):
        bare = EXCEL_TEXT.sub(lambda found: f'"{found[1] or found[2] or ""}"', decoded.text)
        told = 'cells such as ="0012" were read as the text in them'
        return _read_again(bare, decoded, Repair("excel_text", lines_with(EXCEL_TEXT, decoded.text), told), options, source, parse)
    if _are_wrapped(sample):
        repair = Repair("wrapped_rows", (), "each line stands in quotes as a whole; they were taken off")
        unwrapped = "".join(_unwrapped(line.text) + line.end for line in physical_lines(decoded.text))
        return _read_again(unwrapped, decoded, repair, options, source, parse)
    if not any(line.text.strip() for line in sample):
        below = f"holds nothing below line {options.skip}; pass over fewer lines with --read skip="
        message = f"{source} {below if options.skip else 'is empty'}"
        raise DataRefusedError(message, where=source)
    style = find_style(sample, options, source)
    if style.delimiter == RUN:
        decoded = replace(decoded, repairs=(*decoded.repairs, Repair("fixed_width", (), "columns were told apart by runs of blanks")))
    rules: set[int] = set()
    records = list(_records(sample, style, None, rules))
    layout = find_table(records, options, source)
    grid = _Grid(style, layout, source)
    body = records[layout.first :]
    if not grid.read_clean(decoded, body, parse):
        # By its line: known to be so wide, the rows above may be split into other records than before.
        first = body[0].line if body else sample[-1].number + 1
        grid.read(_records((line for line in chain(sample, lines) if line.number >= first), style, layout.width, rules))
    for line in sorted(rules):
        grid.note("rule_lines", "lines of dashes were passed over", line)
    return grid.finished(decoded, style)


def read_grid(grid: Sequence[tuple[str, ...]], options: ReadingOptions, source: str) -> TextTable:
    """Read the cells of a sheet by the same rules.

    Raises:
        DataRefusedError: it holds no table, or one that could be read in more than one way.
    """
    from tasks.core.reading.records import Style

    used = max((place + 1 for row in grid for place, cell in enumerate(row) if cell.strip()), default=0)
    records = [Record(number, "\t".join(row), row[:used]) for number, row in enumerate(grid, start=1)]
    records = [record if not record.is_empty else replace(record, text="", cells=("",)) for record in records]
    if not any(not record.is_blank for record in records):
        message = f"{source} is empty"
        raise DataRefusedError(message, where=source)
    layout = find_table(records[:SAMPLE_LINES], options, source)
    table = _Grid(Style("\t", quote=""), layout, source)
    table.read(records[layout.first :])
    return table.finished(encodings.Decoded("", ""), None)


def _sample(lines: Iterator[Line], skip: int) -> list[Line]:
    """Take the first lines below those to skip, until enough hold something; of long lines fewer are enough."""
    sample: list[Line] = []
    filled = characters = 0
    while filled < (SAMPLE_LINES if characters < HEAD_CHARACTERS else FEW_LINES) and (line := next(lines, None)) is not None:
        if line.number > skip:
            sample.append(line)
            filled += bool(line.text.strip())
            characters += len(line.text)
    return sample


def _refuse_markup(text: str, source: str) -> None:
    if "\n<<<<<<< " in text and "\n>>>>>>> " in text:
        message = f"{source} holds a merge conflict; decide between its two versions first"
        raise DataRefusedError(message, where=source)
    start = text[:200].lstrip().lower()
    if start.startswith(HTML):
        message = f"{source} is a web page or XML, not a table; is it an error page that was saved?"
        raise DataRefusedError(message, where=source)


def _with_separator_line(sample: list[Line], options: ReadingOptions) -> tuple[ReadingOptions, list[Line]]:
    """Follow the first line that Excel writes to name the delimiter."""
    named = SEPARATOR_LINE.fullmatch(sample[0].text.strip('"')) if sample else None
    if named is None:
        return options, sample
    given = options.delimiter if options.delimiter is not None else named[1]
    return options.model_copy(update={"delimiter": given}), sample[1:]


def _read_again(text: str, decoded: encodings.Decoded, repair: Repair, options: ReadingOptions, source: str, parse: Parse) -> TextTable:
    """Read text that was repaired as a whole; what its bytes were, and what was odd about them, is known from before."""
    table = read_text(text.encode(), options.model_copy(update={"encoding": "utf-8"}), source, parse)
    found = [again for again in table.repairs if again not in decoded.repairs]
    return replace(table, dialect=replace(table.dialect, encoding=decoded.encoding), repairs=(*decoded.repairs, repair, *found))


def _are_wrapped(lines: Sequence[Line]) -> bool:
    """Say whether nearly every line is one quoted cell that holds delimiters and doubled quotes at most."""
    texts = [line.text for line in lines if line.text.strip()]
    return len(texts) > 1 and all(WRAPPED.fullmatch(text) and any(mark in text for mark in ",;\t|") for text in texts)


def _unwrapped(text: str) -> str:
    return text[1:-1].replace('""', '"') if WRAPPED.fullmatch(text) else text


def _records(lines: Iterable[Line], style: Style, width: int | None, rules: set[int]) -> Iterator[Record]:
    """Yield the records of lines, but for lines of dashes, whose numbers are added to the rules."""

    def is_kept(line: Line) -> bool:
        if is_rule := len(line.text) > 2 and bool(RULE_LINE.fullmatch(line.text)):
            rules.add(line.number)
        return not is_rule

    return read_records(filter(is_kept, lines), style, width)


@dataclass
class _Grid:
    """The rows of a table while they are read, in chunks of columns."""

    style: Style
    layout: Layout
    source: str
    chunks: list[list[pd.Series]] = field(default_factory=list["list[pd.Series]"])
    rows: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    lines: list[int] = field(default_factory=list[int])
    repaired: dict[str, tuple[str, list[int]]] = field(default_factory=dict[str, tuple[str, list[int]]])
    aside: list[SetAside] = field(default_factory=list[SetAside])

    def read(self, records: Iterable[Record]) -> None:
        """Take in all records, the first row of data first."""
        doubtful: list[Record] = []
        blanks: list[int] = []
        for record in records:
            if record.is_blank or record.is_empty:
                blanks.append(record.line)
            elif len(record.cells) != self.layout.width or record.is_odd:
                doubtful.append(record)
            else:
                self._settle(doubtful)
                self._note_blanks(blanks)
                self._keep_or_drop(record)
        self._settle_end(doubtful)
        self._flush()

    def read_clean(self, decoded: encodings.Decoded, records: Sequence[Record], parse: Parse) -> bool:
        """Take in all rows at once, if every one of them keeps the rules."""
        if not records:
            return False
        before = list(islice(physical_lines(decoded.text[:HEAD_CHARACTERS]), records[0].line - 1))
        if len(before) < records[0].line - 1 or (before and not before[-1].end):
            return False
        start = sum(len(line.text) + len(line.end) for line in before)
        rows = read_clean(decoded.text[start:].encode(), records[0].line, self.style, self.layout, parse)
        if rows is None:
            return False
        self.chunks, self.lines = [rows.columns], rows.lines.tolist()
        return True

    def _keep_or_drop(self, record: Record) -> None:
        if record.cells == self.layout.names:
            self.note("repeated_header", "the header stands here again; it was passed over", record.line)
        else:
            self._keep(record.line, record.cells)

    def _keep(self, line: int, cells: tuple[str, ...]) -> None:
        self.rows.append(cells)
        self.lines.append(line)
        if len(self.rows) >= CHUNK_ROWS:
            self._flush()

    def note(self, code: str, detail: str, line: int) -> None:
        """Remember a repair and its line."""
        self.repaired.setdefault(code, (detail, []))[1].append(line)

    def _note_blanks(self, blanks: list[int]) -> None:
        for line in blanks:
            self.note("blank_lines", "lines that hold nothing between the rows were passed over", line)
        blanks.clear()

    def _settle(self, doubtful: list[Record]) -> None:
        """Make rows fit that stand between others, or set them aside."""
        for record in doubtful:
            if record.text.lstrip().startswith("#"):
                self.note("comment", "lines that begin with # were passed over", record.line)
                continue
            found = fit(record, self.style, self.layout.kinds)
            if isinstance(found, str) and (halves := two_rows(record, self.layout.kinds)):
                self.note("two_rows", "two rows that stand on one line were parted", record.line)
                for half in halves:
                    self._keep(record.line, half)
            elif isinstance(found, str):
                self.aside.append(SetAside(record.line, record.text, found))
            else:
                cells, way = found
                self.note(way.code, way.done, record.line)
                self._keep(record.line, cells)
        doubtful.clear()

    def _settle_end(self, doubtful: list[Record]) -> None:
        """Tell a footer from rows that do not fit: nothing of it can be made to fit."""
        ends = len(doubtful)
        while ends and (len(doubtful[ends - 1].cells) <= max(1, self.layout.width // 3)):
            ends -= 1
        if len(doubtful) - ends > max(FOOTER_LINES, MAX_ASIDE_SHARE * len(self.lines)):
            ends = len(doubtful)  # so much is no footer, but rows that do not fit
        footer = doubtful[ends:]
        self._settle(doubtful[:ends])
        for record in footer:
            self.note("footer", "lines below the table were passed over", record.line)

    def _flush(self) -> None:
        import pandas as pd

        if self.rows:
            self.chunks.append([pd.Series(column, dtype="str") for column in zip(*self.rows, strict=True)])
            self.rows = []

    def finished(self, decoded: encodings.Decoded, style: Style | None) -> TextTable:
        """Give the table, unless too little of it fits."""
        import numpy as np

        self._take_out_totals()
        self._take_out_padded_footer()
        self._refuse_misfits()
        raw = self.layout.names
        found = [Repair(code, tuple(lines), told) for code, (told, lines) in self.repaired.items()]
        columns = self._columns()
        if len(columns) > 1 and raw and not raw[-1].strip() and not bool((columns[-1] != "").any()):
            columns, raw = columns[:-1], raw[:-1]
            found.append(Repair("trailing_delimiter", (), "each line ends with a delimiter that separates nothing; it was passed over"))
        names, renamed = unique_names(raw, len(columns))
        lines = np.array(self.lines, dtype=np.int64)
        other = OTHER_QUOTE[style.quote] if style and style.quote in OTHER_QUOTE else ""
        columns, unquoted = without_odd_quotes(columns, lines, other) if other and other in decoded.text else (columns, [])
        columns, unmarked = without_text_marks(columns) if "'" in decoded.text else (columns, [])
        has_hard_blanks = style is None or any(blank in decoded.text for blank in HARD_BLANKS)
        columns, unpadded = without_hard_blanks(columns, lines) if has_hard_blanks else (columns, [])
        dialect = Dialect(
            format="excel" if style is None else "csv",
            encoding=decoded.encoding,
            delimiter=style.delimiter if style else "",
            quote=style.quote if style else "",
            escape=style.escape if style else "",
            header=bool(raw),
        )
        repairs = (*decoded.repairs, *self.layout.repairs, *renamed, *found, *unquoted, *unmarked, *unpadded)
        named = tuple(column.rename(name) for column, name in zip(columns, names, strict=True))
        return TextTable(names, raw or names, named, lines, dialect, repairs, tuple(sorted(self.aside, key=lambda row: row.line)))

    def _columns(self) -> list[pd.Series]:
        import pandas as pd

        return [pd.concat(parts, ignore_index=True) for parts in zip(*self.chunks, strict=True)]

    def _take_out_totals(self) -> None:
        """Set rows aside that sum up others: the last one, and those in which cells are empty."""
        if not self.chunks or len(self.lines) < 3:
            return
        columns = self._columns()
        self.chunks = [columns]
        rows = sums_among(columns[:2])
        sums = {row: cells for row in rows if self._sums_up(cells := [str(column.iloc[row]) for column in columns], row)}
        if not sums or len(sums) > max(1, MAX_ASIDE_SHARE * len(self.lines)):
            return
        for row, cells in sums.items():
            self.aside.append(SetAside(self.lines[row], self.style.delimiter.join(cells), "a row of totals"))
        self.lines = [line for row, line in enumerate(self.lines) if row not in sums]
        self.chunks = [[column.drop(index=list(sums)).reset_index(drop=True) for column in columns]]

    def _sums_up(self, cells: list[str], row: int) -> bool:
        return any(shape_of(cell) == "number" for cell in cells) and (row == len(self.lines) - 1 or not all(cells))

    def _take_out_padded_footer(self) -> None:
        """Pass over last rows in which only the first cell holds anything, where no other row is like that."""
        if not self.chunks or self.layout.width < 3:
            return
        if any(str(column.iloc[-1]).strip() for column in self.chunks[-1][1:]):
            return
        first, *others = self._columns()
        lonely = first.str.strip() != ""
        for column in others:
            lonely &= column.str.strip() == ""
        count = int(lonely.sum())
        if not count or count == len(lonely) or not bool(lonely.iloc[-count:].all()):
            return
        for line in self.lines[-count:]:
            self.note("footer", "lines below the table were passed over", line)
        self.lines = self.lines[:-count]
        self.chunks = [[column.iloc[:-count] for column in (first, *others)]]

    def _refuse_misfits(self) -> None:
        kept, aside = len(self.lines), len(self.aside)
        if not kept and not aside:
            message = f"{self.source} has no rows below its header"
            raise DataRefusedError(message, where=self.source)
        if not kept or (aside > FEW_ROWS and aside > MAX_ASIDE_SHARE * (kept + aside)):
            first = min(self.aside, key=lambda row: row.line)
            where = f"{self.source}, line {first.line}"
            told = f"{first.reason}; so it is with {aside} of {kept + aside} rows"
            message = f"{where}: {told}; say how the file is written with --read delimiter=, quote= or skip="
            raise DataRefusedError(message, where=where)
