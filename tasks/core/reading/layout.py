"""Where the table is in a file: what stands before it, how many rows name its columns, and what these names are."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from tasks.core.errors import DataRefusedError
from tasks.core.reading.shapes import Kind, kinds_of, shape_of
from tasks.core.reading.terms import Repair

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tasks.core.reading.records import Record
    from tasks.core.reading.terms import ReadingOptions

MAX_HEADER_ROWS = 3
SHOWN_CHARACTERS = 40
OTHER_DELIMITERS = (",", ";", "\t", "|")
FIRST_YEAR, LAST_YEAR = 1800, 2200
NAME = re.compile(r"[^\W\d][\w .()/%°#&+:-]*")
CENSORED = re.compile(r"[<>≤≥]=? ?[0-9][0-9.,]*")  # less than what can be measured
# Words that stand where a value should be; over a column of numbers they are no evidence of a name.
PLACEHOLDER = re.compile(
    r"missing|unknown|unbekannt|suppressed|confidential|n\.? ?[avdb]\.?|k\.? ?a\.?|s\.? ?o\.?|not available|withheld|#[a-z/0]+[!?]?"
)
UNIT = re.compile(r"[(\[].{0,12}[)\]]|[^\d\s]{1,6}(?:[/²³^]\S{0,5})?|")


@dataclass(frozen=True)
class Layout:
    """Where a table is among the records of a file.

    Attributes:
        width: Cells in a row.
        first: Place of the first row of data among the records.
        names: Of the columns, as they stand; empty where nothing names them.
        kinds: What each column looks like.
        repairs: What was passed over or put together.
    """

    width: int
    first: int
    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    repairs: tuple[Repair, ...]


def find_table(records: Sequence[Record], options: ReadingOptions, source: str) -> Layout:
    """Find the table among the first records of a file.

    Raises:
        DataRefusedError: there is none, or nothing shows whether its first row names the columns.
    """
    width = len(options.names) or _width(records)
    start = _start(records, width, options)
    # A header that stands again below does not make its names values.
    top = records[start].cells if start < len(records) else ()
    body = [r for r in records[start + 1 :] if len(r.cells) == width and not r.is_empty and r.cells != top]
    if start == len(records):
        advice = "pass over fewer lines with --read skip=" if options.skip else "say how cells are separated with --read delimiter="
        below = f" below line {options.skip}" if options.skip else ""
        message = f"{source}: no row{below} has {width} cell{'s' if width > 1 else ''}; {advice}"
        raise DataRefusedError(message, where=source)
    kinds = kinds_of([r.cells for r in body]) if body else kinds_of([records[start].cells])
    if (split_header := _header_in_another_delimiter(records, start, width, body, kinds, options)) is not None:
        named, told = split_header
        return Layout(width, start, named, kinds_of([r.cells for r in records[start:] if len(r.cells) == width and not r.is_empty]), told)
    if (short := _short_header(records, start, width, options)) is not None:
        return _under_short_header(records, start, short)
    _refuse_other_width_of_names(records, start, width, options, source)
    if grouped := _group_rows(records, start, width, body, kinds, options):
        start += grouped
        body = [r for r in records[start + 1 :] if len(r.cells) == width and not r.is_empty and r.cells != records[start].cells]
        kinds = kinds_of([r.cells for r in body]) if body else kinds
    skipped = tuple(r.line for r in records[:start] if not r.is_blank)
    repairs = [Repair("preamble", skipped, "lines before the table were passed over")] if skipped and options.skip is None else []
    has_header = _has_header(records[start], body, kinds, options, source)
    if not has_header:
        repairs += (
            [] if options.header is False or options.names else [Repair("no_header", (), "nothing names the columns; they are numbered")]
        )
        all_rows = [r.cells for r in records[start:] if len(r.cells) == width and not r.is_empty]
        return Layout(width, start, options.names, kinds_of(all_rows), tuple(repairs))
    names, first, merged = _header_rows(records, start, body, kinds, width)
    kinds = kinds_of([r.cells for r in records[first:] if len(r.cells) == width and not r.is_empty] or [records[start].cells])
    return Layout(width, first, options.names or names, kinds, (*repairs, *merged))


def _width(records: Sequence[Record]) -> int:
    """Give the number of cells that most rows have; of two that are equally frequent the larger one."""
    counts = Counter(len(r.cells) for r in records if not r.is_blank and not r.text.lstrip().startswith("#"))
    return max(counts.items(), key=lambda pair: (pair[1], pair[0]), default=(1, 0))[0]


def _start(records: Sequence[Record], width: int, options: ReadingOptions) -> int:
    """Find the first row of the table: the first of full width that is no comment."""
    if options.skip is not None:
        return next((i for i, r in enumerate(records) if r.line > options.skip and len(r.cells) == width), len(records))
    fitting = [i for i, r in enumerate(records) if len(r.cells) == width and not r.is_empty and not (width == 1 and r.is_blank)]
    commented = [i for i in fitting if records[i].text.lstrip().startswith("#")]
    # One such line may be the header that some programs write with a # before it.
    return next((i for i in fitting if i not in commented or (len(commented) == 1 and i + 1 in fitting)), len(records))


def _header_in_another_delimiter(
    records: Sequence[Record], start: int, width: int, body: Sequence[Record], kinds: Sequence[Kind], options: ReadingOptions
) -> tuple[tuple[str, ...], tuple[Repair, ...]] | None:
    above = records[start - 1] if start else None
    if above is None or options.header is not None or options.skip is not None or options.names:
        return None
    for delimiter in OTHER_DELIMITERS:
        names = tuple(cell.strip() for cell in above.text.split(delimiter))
        if len(names) == width and all(NAME.fullmatch(name) for name in names) and is_header(names, [r.cells for r in body], kinds):
            return names, (Repair("header_delimiter", (above.line,), "the header has another delimiter than the rows"),)
    return None


def _short_header(records: Sequence[Record], start: int, width: int, options: ReadingOptions) -> Record | None:
    """Find a header right above the first full row that lacks one name: that of a first column of row names, as R writes it."""
    above = records[start - 1] if start else None
    if above is None or options.header is not None or options.skip is not None or options.names or width < 3:
        return None
    rows = [r.cells for r in records[start:] if len(r.cells) == width]
    if len(above.cells) != width - 1 or not all(NAME.fullmatch(cell.strip()) for cell in above.cells):
        return None
    if not any(cells[-1].strip() for cells in rows):
        return above  # each row ends with a delimiter that separates nothing
    counted = [cells[0].strip() for cells in rows]
    first_number = int(counted[0]) if counted[0] in ("0", "1") else -1
    return above if counted == [str(first_number + place) for place in range(len(rows))] else None


def _refuse_other_width_of_names(records: Sequence[Record], start: int, width: int, options: ReadingOptions, source: str) -> None:
    """Refuse to pass over what looks like a header with one name more or less than there are columns."""
    above = records[start - 1] if start and width > 2 and options.skip is None and options.header is None else None
    if above is None or len(above.cells) not in (width - 1, width + 1) or not all(NAME.fullmatch(c.strip()) for c in above.cells):
        return
    where = f"{source}, line {above.line}"
    message = f"{where}: {len(above.cells)} names for {width} columns; name all with --read names=a,b,c or pass over it with --read skip="
    raise DataRefusedError(message, where=where)


def _under_short_header(records: Sequence[Record], start: int, header: Record) -> Layout:
    width = len(header.cells) + 1
    rows = [r.cells for r in records[start:] if len(r.cells) == width and not r.is_empty]
    names: tuple[str, ...] = (*header.cells, "")
    repairs: list[Repair] = []
    if any(cells[-1].strip() for cells in rows):
        names = ("", *header.cells)
        told = "the header has one name less than there are columns; the first, of row names, has none"
        repairs.append(Repair("short_header", (header.line,), told))
    if skipped := tuple(r.line for r in records[: start - 1] if not r.is_blank):
        repairs.append(Repair("preamble", skipped, "lines before the table were passed over"))
    return Layout(width, start, names, kinds_of(rows), tuple(repairs))


def _has_header(first: Record, body: Sequence[Record], kinds: Sequence[Kind], options: ReadingOptions, source: str) -> bool:
    if options.header is not None:
        return options.header
    if options.names:
        return tuple(cell.strip() for cell in first.cells) == options.names
    rows = [r.cells for r in body]
    verdict = is_header(first.cells, rows, kinds)
    if verdict is None and len(rows) > 1 and all(UNIT.fullmatch(cell.strip()) for cell in rows[0]):
        verdict = is_header(first.cells, rows[1:], kinds_of(rows[1:]))  # a row of units hides what the others are
    if verdict is None:
        shown = ", ".join(repr(cell[:SHOWN_CHARACTERS]) for cell in first.cells[:3])
        where = f"{source}, line {first.line}"
        message = f"{where}: is this row the header ({shown})? nothing shows it; say so with --read header=yes or header=no"
        raise DataRefusedError(message, where=where)
    return verdict


def is_header(first: Sequence[str], body: Sequence[Sequence[str]], kinds: Sequence[Kind]) -> bool | None:
    """Say whether a row names the columns of the rows below it; None where nothing shows it.

    >>> rows = [["31", "Ann"], ["25", "Bob"]]
    >>> is_header(["age", "name"], rows, kinds_of(rows)), is_header(["44", "Eve"], rows, kinds_of(rows))
    (True, False)
    """
    shapes = [shape_of(cell) for cell in first]
    typed = [place for place, kind in enumerate(kinds) if kind.shape in ("number", "date")]
    named = [place for place in typed if shapes[place] == "text"]
    valued = [place for place in typed if shapes[place] in ("number", "date")]
    if valued and not named and len(first) > 2 and all(_is_year(cell) for cell in first) and _counts_up(first):
        return None  # years as names, or a row of such numbers
    are_years = valued and all(_is_year(first[place]) for place in valued)
    if are_years and (named or _are_years_of_names(first, body, typed)):
        return True  # years as names beside names
    if not body or (valued and named):
        return None
    if named:
        return None if _are_placeholders([first[place] for place in named]) else True
    if valued or any(shape in ("number", "date") for shape in shapes):
        return False
    return _is_header_of_text(first, body)


def _are_placeholders(cells: Sequence[str]) -> bool:
    """Say whether texts over numbers may stand for values that are not there, rather than name them: `..`, `<5`, unknown."""
    folded = [cell.strip().casefold() for cell in cells]
    is_same = len(folded) > 1 and len(set(folded)) == 1
    return (
        is_same
        or any(CENSORED.fullmatch(cell) for cell in folded)
        or all(PLACEHOLDER.fullmatch(cell) or not any(c.isalpha() for c in cell) for cell in folded)
    )


def _are_years_of_names(first: Sequence[str], body: Sequence[Sequence[str]], typed: Sequence[int]) -> bool:
    """Say whether years name columns of other numbers, and names that do not come again below stand beside them."""
    years = [first[place] for place in typed]
    if len(years) < 2 or len(years) == len(first) or not all(map(_is_year, years)) or not _counts_up(years) or len(set(years)) == 1:
        return False
    columns = list(zip(*body, strict=True))
    are_others = all(not all(_is_year(cell) for cell in columns[place] if cell.strip()) for place in typed) if columns else False
    names = [place for place in range(len(first)) if place not in typed]
    return are_others and all(NAME.fullmatch(first[place].strip()) and first[place] not in columns[place] for place in names)


def _counts_up(cells: Sequence[str]) -> bool:
    numbers = [int(cell) for cell in cells]
    return len({after - before for before, after in pairwise(numbers)}) == 1


def _is_year(cell: str) -> bool:
    return cell.strip().isdecimal() and FIRST_YEAR <= int(cell) <= LAST_YEAR


def _is_header_of_text(first: Sequence[str], body: Sequence[Sequence[str]]) -> bool | None:
    """Decide among columns of text: a name does not occur below it where values come again and again."""
    columns = list(zip(*body, strict=True))
    again = [name in column for name, column in zip(first, columns, strict=True) if name.strip()]
    if any(again):
        return False
    repeating = any(len(set(column)) <= len(column) / 2 for column in columns)
    are_names = len(set(first)) == len(first) and all(NAME.fullmatch(name.strip()) for name in first if name.strip())
    if repeating and len(body) >= 4 and are_names:
        return True
    # Values that all hold digits, or all are longer than any name, are of another make than the names above them.
    differs = any(
        all(any(c.isdigit() for c in cell) for cell in column) and not any(c.isdigit() for c in name)
        for name, column in zip(first, columns, strict=True)
    )
    return True if are_names and differs and len(body) >= 2 else None


def _group_rows(
    records: Sequence[Record], start: int, width: int, body: Sequence[Record], kinds: Sequence[Kind], options: ReadingOptions
) -> int:
    """Count the first rows that only title groups of columns, or the page: they are partly empty, and the names stand below them."""
    if options.header is not None or options.names or options.skip is not None:
        return 0
    for ahead in range(min(MAX_HEADER_ROWS, len(records) - start - 1)):
        cells = records[start + ahead].cells
        if len(cells) != width or width < 2:
            return 0
        if all(cell.strip() for cell in cells):
            below = [r.cells for r in body[ahead:]]
            is_named = len(set(cells)) == width and all(shape_of(cell) == "text" for cell in cells)
            return ahead if ahead and is_named and is_header(cells, below, kinds_of(below) if below else kinds) is not False else 0
    return 0


def _header_rows(
    records: Sequence[Record], start: int, body: Sequence[Record], kinds: Sequence[Kind], width: int
) -> tuple[tuple[str, ...], int, list[Repair]]:
    """Put rows together that name the columns one below the other."""
    names, first = tuple(records[start].cells), start + 1
    if names[0].lstrip().startswith("#"):
        names = (names[0].lstrip("# "), *names[1:])
    kinds = kinds_of([r.cells for r in body[MAX_HEADER_ROWS - 1 :]] or [r.cells for r in body]) if body else kinds
    repairs: list[Repair] = []
    while first < len(records) and first - start < MAX_HEADER_ROWS and _names_too(records[first], kinds, width):
        second = records[first].cells
        if all(UNIT.fullmatch(cell.strip()) for cell in second) and all(name.strip() for name in names):
            units = ", ".join(cell.strip() for cell in second if cell.strip())
            repairs.append(Repair("units_row", (records[first].line,), f"a row of units below the names was passed over: {units}"))
        else:
            names = _joined(names, second)
            repairs.append(Repair("header_rows", (records[first].line,), "names over several rows were joined"))
        first += 1
    return names, first, repairs


def _names_too(record: Record, kinds: Sequence[Kind], width: int) -> bool:
    """Say whether a row below the header holds text wherever the rows below it hold numbers or dates, and no such cell at all."""
    if len(record.cells) != width or record.is_empty:
        return False
    shapes = [shape_of(cell) for cell in record.cells]
    typed = [shape for shape, kind in zip(shapes, kinds, strict=True) if kind.shape in ("number", "date")]
    texts = [c for c, shape, kind in zip(record.cells, shapes, kinds, strict=True) if shape == "text" and kind.shape in ("number", "date")]
    is_unit = all(UNIT.fullmatch(cell.strip()) for cell in record.cells)
    if not is_unit and _are_placeholders(texts):
        return False
    return "text" in typed and not any(shape in ("number", "date") for shape in shapes)


def _joined(upper: Sequence[str], lower: Sequence[str]) -> tuple[str, ...]:
    """Join two levels of names; an empty upper one goes on from the left, as merged cells do."""
    names: list[str] = []
    last = ""
    for above, below in zip(upper, lower, strict=True):
        last = above.strip() or last
        names.append(" ".join(part for part in (last, below.strip()) if part))
    return tuple(names)


def unique_names(names: Sequence[str], width: int) -> tuple[tuple[str, ...], list[Repair]]:
    """Give every column a name of its own, without padding.

    >>> unique_names(["a", "a", "", " b"], 4)[0]
    ('a', 'a_2', 'column_3', 'b')
    """
    repairs: list[Repair] = []
    clean: list[str] = []
    taken: set[str] = set()
    found: dict[str, list[str]] = {}
    for place, raw in enumerate(names or [""] * width, start=1):
        bare = " ".join("".join(c if c.isprintable() else " " for c in raw).split())
        if bare != raw and bare:
            found.setdefault("padded_names", []).append(bare)
        name = bare or f"column_{place}"
        if not bare and names:
            found.setdefault("empty_names", []).append(name)
        base, number = name, 1
        while name.casefold() in taken:
            number += 1
            name = f"{base}_{number}"
        if name != base:
            found.setdefault("duplicate_names", []).append(name)
        taken.add(name.casefold())
        clean.append(name)
    told = {
        "padded_names": "blanks around names were taken off",
        "empty_names": "columns without a name were named",
        "duplicate_names": "names that differ from others by case at most were numbered",
    }
    repairs += [Repair(code, (), f"{told[code]}: {', '.join(changed[:5])}") for code, changed in found.items()]
    return tuple(clean), repairs
