"""Where the table is in a file: what stands before it, how many rows name its columns, and what these names are."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING

from tasks.core.errors import DataRefusedError
from tasks.core.reading.again import Head
from tasks.core.reading.headers import NAME, are_placeholders, is_header
from tasks.core.reading.shapes import Kind, kinds_of, shape_of
from tasks.core.reading.terms import Repair

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tasks.core.reading.records import Record
    from tasks.core.reading.terms import ReadingOptions

MAX_HEADER_ROWS = 3
MAX_TITLE_ROWS = 10
MAX_PREAMBLE_ROWS = 15
MIN_ROWS_BELOW = 8
FEWEST_ROWS_ABOVE, ROWS_ABOVE_SHARE = 3, 0.2
MAX_AGAIN = 0.1  # in more rows the names of columns are values, as in ballots
SHOWN_CHARACTERS = 40
PREAMBLE = "lines before the table were passed over"
OTHER_DELIMITERS = (",", ";", "\t", "|")
# The last is how the USGS writes the width and the type of a column.
UNIT = re.compile(r"[(\[].{0,12}[)\]]|[^\d\s]{1,6}(?:[/²³^]\S{0,5})?||\d{1,3}[sdn]")


@dataclass(frozen=True)
class Layout:
    """Where a table is among the records of a file.

    Attributes:
        width: Cells in a row.
        first: Place of the first row of data among the records.
        names: Of the columns, as they stand; empty where nothing names them.
        kinds: What each column looks like.
        repairs: What was passed over or put together.
        head: The names, and all lines above the first row.
    """

    width: int
    first: int
    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    repairs: tuple[Repair, ...]
    head: Head = field(default_factory=Head)


def find_table(records: Sequence[Record], options: ReadingOptions, source: str) -> Layout:
    """Find the table among the first records of a file.

    Raises:
        DataRefusedError: there is none, there are two, or nothing shows whether its first row names the columns.
    """
    layout = _find_table(records, options, source)
    above = records[: layout.first] if options.skip is None else ()
    _refuse_table_above(above, layout, records, source)
    lines = frozenset(r.cells for r in above if not (r.is_blank or r.is_empty))
    return replace(layout, head=Head(layout.names, lines))


def _find_table(records: Sequence[Record], options: ReadingOptions, source: str) -> Layout:
    width = len(options.names) or _width(records)
    start = _start(records, width, options)
    body = _body(records, start, width)
    if start == len(records):
        raise _no_row(width, options, source)
    if below := _below_preamble(records, start, width, options):
        start = below
        body = _body(records, start, width)
    kinds = kinds_of([r.cells for r in body]) if body else kinds_of([records[start].cells])
    if (other_header := _header_of_another_make(records, start, width, body, kinds, options)) is not None:
        named, told = other_header
        return Layout(width, start, named, kinds_of(_rows(records[start:], width)), told)
    if (short := _short_header(records, start, width, options)) is not None:
        return _under_short_header(records, start, short)
    if is_header(records[start].cells, [r.cells for r in body], kinds) is not True:
        _refuse_other_width_of_names(records, start, width, options, source)
    if grouped := _group_rows(records, start, width, body, kinds, options):
        start += grouped
        body = _body(records, start, width)
        kinds = kinds_of([r.cells for r in body]) if body else kinds
    skipped = tuple(r.line for r in records[:start] if not r.is_blank)
    repairs = [Repair("preamble", skipped, PREAMBLE)] if skipped and options.skip is None else []
    has_header = _is_upper_level(records, start, width, kinds, options) or _has_header(records[start], body, kinds, options, source)
    if not has_header:
        names = options.names or _fields(records[:start], width)
        if not names and options.header is not False:
            repairs.append(Repair("no_header", (), "nothing names the columns; they are numbered"))
        return Layout(width, start, names, kinds_of(_rows(records[start:], width)), tuple(repairs))
    names, first, merged = _header_rows(records, start, body, kinds, width)
    kinds = kinds_of(_rows(records[first:], width) or [records[start].cells])
    return Layout(width, first, options.names or names, kinds, (*repairs, *merged))


def _no_row(width: int, options: ReadingOptions, source: str) -> DataRefusedError:
    below = f" below line {options.skip}" if options.skip else ""
    told = f"--read names= gives {width}, and " if options.names else ""
    advice = "pass over fewer lines with --read skip=" if options.skip else "say how cells are separated with --read delimiter="
    message = f"{source}: {told}no row{below} has {width} cell{'s' if width > 1 else ''}; {'name all, or ' if told else ''}{advice}"
    return DataRefusedError(message, where=source)


def _refuse_table_above(above: Sequence[Record], layout: Layout, records: Sequence[Record], source: str) -> None:
    """Refuse to pass over lines that are a table themselves, and no small one beside the other."""
    many = max(FEWEST_ROWS_ABOVE, ROWS_ABOVE_SHARE * (len(records) - layout.first))
    for (width, is_blank), run in groupby(above, key=lambda r: (len(r.cells), r.is_blank or r.is_empty)):
        first, *rows = run
        if is_blank or width < 2 or len(rows) < many:
            continue
        kinds = kinds_of([r.cells for r in rows])
        is_typed = any(kind.shape in ("number", "date") for kind in kinds)
        if is_typed and (len(rows) >= MAX_PREAMBLE_ROWS or (width > 2 and is_header(first.cells, [r.cells for r in rows], kinds))):
            where = f"{source}, line {first.line}"
            what = f"a table of {width} columns stands above one of {layout.width}"
            message = f"{where}: {what}; split the file, or read the lower one with --read skip={rows[-1].line}"
            raise DataRefusedError(message, where=where)


def _rows(records: Sequence[Record], width: int) -> list[tuple[str, ...]]:
    return [r.cells for r in records if len(r.cells) == width and not r.is_empty]


def _fields(above: Sequence[Record], width: int) -> tuple[str, ...]:
    """Find the names that logs of the W3C and of Zeek give behind `#Fields`."""
    named = [r.cells[1:] for r in above if r.cells[0].strip().rstrip(":").casefold() == "#fields"]
    return next((names for names in named if len(names) == width), ())


def _body(records: Sequence[Record], start: int, width: int) -> list[Record]:
    """Give the rows below the first one. A header that stands again below, its names in whatever order, does not make them values."""
    if start == len(records):
        return []
    head = Head(records[start].cells)
    rows = [r for r in records[start + 1 :] if len(r.cells) == width and not r.is_empty and r.cells != head.names]
    others = [r for r in rows if not head.is_again(r.cells)]
    return others if len(rows) - len(others) <= MAX_AGAIN * len(rows) else rows


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


def _below_preamble(records: Sequence[Record], start: int, width: int, options: ReadingOptions) -> int:
    """Find the header below rows as wide as the table whose cells belong to none of its columns; 0 where there are none.

    Such as `Operator,Bob` and `Date,2024-05-01` above `Angle,Counts`: a value among them, or a blank line below them, tells
    them from names over several rows.
    """
    rows = [place for place, r in enumerate(records) if place >= start and len(r.cells) == width and not r.is_empty]
    kinds = kinds_of([records[place].cells for place in rows[len(rows) // 2 :]]) if len(rows) >= MIN_ROWS_BELOW else ()
    typed = [place for place, kind in enumerate(kinds) if kind.shape in ("number", "date")]
    if not typed or options.header is not None or options.names or options.skip is not None:
        return 0

    def shapes(place: int) -> list[str]:
        return [shape_of(records[place].cells[column]) for column in typed]

    wanted = [kinds[column].shape for column in typed]
    first = next((at for at, place in enumerate(rows) if shapes(place) == wanted), 0)
    if not 2 <= first <= MAX_PREAMBLE_ROWS:
        return 0
    *above, header = rows[:first]
    cells = [cell.strip() for cell in records[header].cells]
    is_header_row = set(shapes(header)) == {"text"} and all(cells) and len(set(cells)) == width
    holds_value = any(shape_of(cell) in ("number", "date") for place in above for cell in records[place].cells)
    is_apart = any(records[place].is_blank or records[place].is_empty for place in range(above[-1] + 1, header))
    return header if is_header_row and not are_placeholders(cells) and (holds_value or is_apart) else 0


def _header_of_another_make(
    records: Sequence[Record], start: int, width: int, body: Sequence[Record], kinds: Sequence[Kind], options: ReadingOptions
) -> tuple[tuple[str, ...], tuple[Repair, ...]] | None:
    """Find a header right above the first full row that has another delimiter than the rows, or delimiters behind its last name."""
    above = records[start - 1] if start else None
    if above is None or len(above.cells) == width or options.header is not None or options.skip is not None or options.names:
        return None
    bare = above.cells[:width] if not any(cell.strip() for cell in above.cells[width:]) else ()
    ways = [
        ("header_delimiter", "the header has another delimiter than the rows", [above.text.split(mark) for mark in OTHER_DELIMITERS]),
        ("long_header", "empty cells behind the last name were taken off", [[*bare]]),
    ]
    for code, told, readings in ways:
        for cells in readings:
            names = tuple(cell.strip() for cell in cells)
            if len(names) == width and all(map(NAME.fullmatch, names)) and is_header(names, [r.cells for r in body], kinds):
                return names, (Repair(code, (above.line,), told),)
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
    if 2 * sum(r.is_odd for r in records[start:]) > len(rows):
        return None  # the rows may only seem to have one more cell
    if _is_parted_by_blanks(above) and len({cells[0] for cells in rows}) == len(rows) and shape_of(rows[0][0]) == "text":
        return above
    counted = [cells[0].strip() for cells in rows]
    first_number = int(counted[0]) if counted[0] in ("0", "1") else -1
    return above if counted == [str(first_number + place) for place in range(len(rows))] else None


def _is_parted_by_blanks(record: Record) -> bool:
    return len(record.text.split()) == len(record.cells) > 1


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
    rows = _rows(records[start:], width)
    names: tuple[str, ...] = (*header.cells, "")
    repairs: list[Repair] = []
    if any(cells[-1].strip() for cells in rows):
        names = ("", *header.cells)
        told = "the header has one name less than there are columns; the first, of row names, has none"
        repairs.append(Repair("short_header", (header.line,), told))
    if skipped := tuple(r.line for r in records[: start - 1] if not r.is_blank):
        repairs.append(Repair("preamble", skipped, PREAMBLE))
    return Layout(width, start, names, kinds_of(rows), tuple(repairs))


def _is_upper_level(records: Sequence[Record], start: int, width: int, kinds: Sequence[Kind], options: ReadingOptions) -> bool:
    """Say whether a row titles groups of columns, as merged cells do: it is empty over some values, and names stand below it."""
    above, below = records[start], records[start + 1] if start + 1 < len(records) else None
    typed = [place for place, kind in enumerate(kinds) if kind.shape in ("number", "date")]
    if (
        below is None
        or options.header is not None
        or options.names
        or width < 3
        or not any(not above.cells[place].strip() for place in typed)
    ):
        return False
    covered = len(below.cells) == width and all(a.strip() or b.strip() for a, b in zip(above.cells, below.cells, strict=True))
    are_names = covered and all(shape_of(below.cells[place]) == "text" for place in typed)
    return are_names and not are_placeholders([below.cells[place] for place in typed])


def _has_header(first: Record, body: Sequence[Record], kinds: Sequence[Kind], options: ReadingOptions, source: str) -> bool:
    if options.header is not None:
        return options.header
    if options.names:
        return tuple(cell.strip() for cell in first.cells) == options.names
    if options.are_known(first.cells):
        return True
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


def _group_rows(
    records: Sequence[Record], start: int, width: int, body: Sequence[Record], kinds: Sequence[Kind], options: ReadingOptions
) -> int:
    """Count the first rows that only title groups of columns, or the page: they are partly empty, and the names stand below them."""
    if options.header is not None or options.names or options.skip is not None:
        return 0
    filled = [place for place, r in enumerate(records[: start + MAX_TITLE_ROWS]) if place >= start and not (r.is_blank or r.is_empty)]
    for ahead, place in enumerate(filled):
        cells = records[place].cells
        if len(cells) != width or width < 2:
            return 0
        if all(cell.strip() for cell in cells):
            below = [r.cells for r in body if r.line > records[place].line]
            is_named = len(set(cells)) == width and all(shape_of(cell) == "text" for cell in cells)
            is_title = ahead and is_named and is_header(cells, below, kinds_of(below) if below else kinds) is not False
            return place - start if is_title else 0
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
    if not is_unit and are_placeholders(texts):
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
