"""Delimited text becomes columns of text cells, with every repair reported and every row that does not fit set aside."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from tasks.core.errors import DataRefusedError
from tasks.core.reading.blob import Spool
from tasks.core.reading.dialects import SEPARATOR_LINE, find_style
from tasks.core.reading.encodings import Decoded, decode
from tasks.core.reading.fixed_width import MARK, find_gaps, parted
from tasks.core.reading.grid import Grid, records_of
from tasks.core.reading.layout import PREAMBLE, find_table
from tasks.core.reading.prose import count_lines_above
from tasks.core.reading.records import RUN, Record, Style, lines_with, physical_lines
from tasks.core.reading.terms import Repair
from tasks.core.reading.text_table import TELLING_SIGNS, TextTable, finished
from tasks.core.reading.texts import Text
from tasks.core.reading.tidying import HARD_BLANKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tasks.core.reading.blob import Blob
    from tasks.core.reading.clean import Parse
    from tasks.core.reading.records import Line
    from tasks.core.reading.terms import ReadingOptions

SAMPLE_LINES = 3000
FEW_LINES = 20
HEAD_CHARACTERS = 1_000_000
CONFLICT = ("\n<<<<<<< ", "\n>>>>>>> ")
EXCEL_SIGN = '="'
EXCEL_TEXT = re.compile(r'''(?<![^,;\t|\n\r])(?:="([^"\r\n]*)"|"=""([^"\r\n]*)""")(?=[,;\t|\r\n]|\Z)''')
OPENING_QUOTES, CLOSING_QUOTES = "\u201c\u201e\u00ab", "\u201d\u201c\u00bb"
WITHOUT_QUOTES = f"[^{OPENING_QUOTES}{CLOSING_QUOTES}\r\n]*"
TYPOGRAPHIC = re.compile(rf"(?<![^,;\t|\n\r])[{OPENING_QUOTES}]({WITHOUT_QUOTES})[{CLOSING_QUOTES}](?=[,;\t|\r\n]|\Z)")
PLAIN = Repair("typographic_quotes", (), "typographic quotes around the cells were read as plain ones")
WRAPPED = re.compile(r'"(?:[^"]|"")*"')
HTML = ("<!doctype html", "<html", "<?xml", "<head", "<body", "<table")


def read_text(blob: Blob, options: ReadingOptions, source: str, parse: Parse) -> TextTable:
    """Read the bytes of a delimited text file.

    Args:
        blob: Its content, not compressed.
        options: What a person knows better.
        source: Its name, for messages.
        parse: The fast way through rows that keep every rule; see `core/reading/clean.py`.

    Raises:
        DataRefusedError: it holds no table, or one that could be read in more than one way.
    """
    return _read_decoded(decode(blob, source, options.checked_encoding()), options, source, parse)


def _read_decoded(decoded: Decoded, options: ReadingOptions, source: str, parse: Parse) -> TextTable:
    text = decoded.text
    signs = text.holds(*CONFLICT, EXCEL_SIGN, *TELLING_SIGNS)
    _refuse_markup(text, signs, source)
    sample = _sample(text.lines(), options.skip or 0)
    options, sample = _with_separator_line(sample, options)
    if EXCEL_SIGN in signs and (rewritten := _without_excel_text(decoded)) is not None:
        return _read_decoded(rewritten, options, source, parse)
    if _are_in_typographic_quotes(sample) and (rewritten := _in_plain_quotes(decoded, TYPOGRAPHIC, PLAIN)):
        return _read_decoded(rewritten, options, source, parse)
    if _are_wrapped(sample):
        return _read_decoded(_without_wrapping(decoded), options, source, parse)
    if not any(line.text.strip() for line in sample):
        below = f"holds nothing below line {options.skip}; pass over fewer lines with --read skip="
        message = f"{source} {below if options.skip else 'is empty'}"
        raise DataRefusedError(message, where=source)
    above = 0 if options.skip is not None or options.names else count_lines_above(sample)
    passed, sample = tuple(line.number for line in sample[:above] if line.text.strip()), sample[above:]
    style = find_style(sample, options, source)
    if not style.delimiter and options.delimiter is None and (gaps := find_gaps([line.text for line in sample])):
        table = _read_decoded(_with_marks(decoded, gaps), options.model_copy(update={"delimiter": MARK}), source, parse)
        return replace(table, dialect=replace(table.dialect, delimiter=RUN))
    told = [Repair("preamble", passed, PREAMBLE)] if passed else []
    told += [Repair("fixed_width", (), "columns were told apart by runs of blanks")] if style.delimiter == RUN else []
    grid = _grid(text, sample, style, options, source, parse)
    return finished(grid, replace(decoded, repairs=(*decoded.repairs, *told)), style, signs, source)


def _grid(text: Text, sample: Sequence[Line], style: Style, options: ReadingOptions, source: str, parse: Parse) -> Grid:
    """Find the table in the first lines, and read its rows to the end of the text."""
    rules: set[int] = set()
    records = list(records_of(sample, style, None, rules))
    layout = find_table(records, options, source)
    grid = Grid(style, layout, source)
    # By its line: known to be so wide, the rows above may be split into other records than before.
    first = records[layout.first].line if layout.first < len(records) else sample[-1].number + 1
    at = next((line.at for line in sample if line.number == first), sample[-1].at + len((sample[-1].text + sample[-1].end).encode()))
    grid.read_text(text, at, first, parse, rules)
    for line in sorted(rules):
        grid.note("rule_lines", "lines of dashes were passed over", line)
    return grid


def read_sheet(sheet: Iterable[tuple[str, ...]], options: ReadingOptions, source: str) -> TextTable:
    """Read the cells of a sheet by the same rules.

    Args:
        sheet: Its rows, as often as they are asked for.
        options: What a person knows better.
        source: Its name, for messages.

    Raises:
        DataRefusedError: it holds no table, or one that could be read in more than one way.
    """
    used = max((place + 1 for row in sheet for place, cell in enumerate(row) if cell.strip()), default=0)
    if not used:
        message = f"{source} is empty"
        raise DataRefusedError(message, where=source)
    layout = find_table(list(islice(_records(sheet, used), SAMPLE_LINES)), options, source)
    rows = Grid(Style("\t", quote=""), layout, source)
    rows.read(islice(_records(sheet, used), layout.first, None))
    return finished(rows, Decoded(Text.of(""), ""), None, frozenset(HARD_BLANKS), source)


def _records(sheet: Iterable[tuple[str, ...]], used: int) -> Iterator[Record]:
    for number, row in enumerate(sheet, start=1):
        record = Record(number, "\t".join(row), row[:used])
        yield record if not record.is_empty else replace(record, text="", cells=("",))


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


def _refuse_markup(text: Text, signs: frozenset[str], source: str) -> None:
    if signs.issuperset(CONFLICT):
        message = f"{source} holds a merge conflict; decide between its two versions first"
        raise DataRefusedError(message, where=source)
    start = text.head(200).lstrip().lower()
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


def _without_excel_text(decoded: Decoded) -> Decoded | None:
    """Read cells such as ="0012" as the text in them; None where there are none."""
    return _in_plain_quotes(decoded, EXCEL_TEXT, Repair("excel_text", (), 'cells such as ="0012" were read as the text in them'))


def _in_plain_quotes(decoded: Decoded, pattern: re.Pattern[str], told: Repair) -> Decoded | None:
    """Put what the groups of a pattern find into plain quotes; None where it finds nothing."""
    spool, lines = Spool(), list[int]()
    for block in decoded.text.blocks():
        text = block.body.decode()
        if pattern.search(text):
            lines += lines_with(pattern, text, block.line)
            text = pattern.sub(lambda found: f'"{"".join(filter(None, found.groups()))}"', text)
        spool.write(text.encode())
    repairs = (*decoded.repairs, replace(told, lines=tuple(lines)))
    return replace(decoded, text=Text(spool.blob()), repairs=repairs) if lines else None


def _are_in_typographic_quotes(lines: Sequence[Line]) -> bool:
    """Say whether every line begins and ends with quotes that only people write."""
    texts = [line.text.strip() for line in lines if line.text.strip()]
    return len(texts) > 1 and all(text[0] in OPENING_QUOTES and text[-1] in CLOSING_QUOTES and '"' not in text for text in texts)


def _without_wrapping(decoded: Decoded) -> Decoded:
    spool = Spool()
    for block in decoded.text.blocks():
        lines = physical_lines(block.body.decode())
        spool.write("".join(_unwrapped(line.text) + line.end for line in lines).encode())
    told = Repair("wrapped_rows", (), "each line stands in quotes as a whole; they were taken off")
    return replace(decoded, text=Text(spool.blob()), repairs=(*decoded.repairs, told))


def _with_marks(decoded: Decoded, gaps: Sequence[tuple[int, int]]) -> Decoded:
    spool = Spool()
    for block in decoded.text.blocks():
        spool.write("".join(parted(line.text, gaps) + line.end for line in physical_lines(block.body.decode())).encode())
    told = Repair("fixed_width", (), f"columns were told apart by {len(gaps)} gaps that go down through the lines")
    return replace(decoded, text=Text(spool.blob()), repairs=(*decoded.repairs, told))


def _are_wrapped(lines: Sequence[Line]) -> bool:
    """Say whether nearly every line is one quoted cell that holds delimiters and doubled quotes at most."""
    texts = [line.text for line in lines if line.text.strip()]
    return len(texts) > 1 and all(WRAPPED.fullmatch(text) and any(mark in text for mark in ",;\t|") for text in texts)


def _unwrapped(text: str) -> str:
    return text[1:-1].replace('""', '"') if WRAPPED.fullmatch(text) else text
