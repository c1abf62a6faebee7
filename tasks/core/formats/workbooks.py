"""The cells of one sheet of an Excel workbook as text, with the values that it was saved with."""

from __future__ import annotations

import datetime as dt
import io
import json
import re
import warnings
import zipfile
import zlib
from contextlib import closing
from typing import TYPE_CHECKING, Any

from tasks.core.errors import UsageError
from tasks.core.formats.archives import ALWAYS_ALLOWED, MIB, MOST_TIMES
from tasks.core.formats.source import listed, refused
from tasks.core.reading.blob import Spool
from tasks.core.reading.sheets import SheetRows
from tasks.core.reading.terms import Repair

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BYTES = 1024 * MIB
MOST_CELLS = 10_000_000
EXACT_WHOLE = 1e15  # beyond it a spreadsheet shows powers of ten
# openpyxl has no error of its own: a damaged workbook fails wherever it is first missed.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    NotImplementedError,
    SyntaxError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
)

MERGE = re.compile(rb'<(?:\w+:)?mergeCell\b[^>]*\bref="([A-Z]{1,3}[0-9]+:[A-Z]{1,3}[0-9]+)"')
HIDDEN_ROW = re.compile(rb'<(?:\w+:)?row\b(?=[^>]*\bhidden="(?:1|true)")[^>]*\br="([0-9]+)"[^>]*(?<!/)>(?!</)')
HIDDEN_COLUMN = re.compile(rb'<(?:\w+:)?col\b(?=[^>]*\bhidden="(?:1|true)")[^>]*\bmin="([0-9]+)"')
FORMULA = re.compile(rb"<(?:\w+:)?c\b([^>]*)>\s*<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)\s*(?:<(?:\w+:)?v(?:\s*/>|\s*>([^<]*)<))?")


def sheet(data: bytes, source: str, name: str | None = None) -> tuple[SheetRows, tuple[Repair, ...]]:
    """Give the cells of a sheet, row 1 first, and what is to be told of merged and hidden ones.

    Dates are written as ISO 8601, whole numbers without a point, booleans as true and false, errors as they stand; a whole number in a
    format such as 00000 keeps its leading zeros. Of cells merged downwards, each row gets the value.

    Args:
        data: All bytes of the file.
        source: Named in messages.
        name: The sheet; without it there must be one visible sheet with cells in it.

    Raises:
        UsageError: there is no such sheet.
        DataRefusedError: the workbook is damaged or too large, several sheets hold cells, or a formula was never computed.
    """
    import openpyxl

    _check_size(data, source)
    try:
        with warnings.catch_warnings(action="ignore"):
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
            with closing(book):
                chosen = _chosen(book, source, name)
                xml = _checked_sheet(data, chosen, source)
                rows, merged = _rows(chosen, _merges(xml), source)
                return rows, (*merged, *_hidden(xml, rows.width))
    except DAMAGE as error:
        detail = str(error).strip("'\"") or type(error).__name__
        raise refused(source, f"is no Excel workbook, or a damaged one ({detail.splitlines()[0]})") from error


def _check_size(data: bytes, source: str) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
    if any(entry.flag_bits & 0x1 for entry in entries):
        raise refused(source, "is protected by a password; save it without one")
    size = sum(entry.file_size for entry in entries)
    if size > min(MOST_BYTES, max(ALWAYS_ALLOWED, MOST_TIMES * len(data))):
        raise refused(source, f"unpacks to {size / MIB:,.0f} MiB, too large for a workbook; save the sheet as CSV or Parquet")


def _chosen(book: Any, source: str, name: str | None) -> Any:  # noqa: ANN401  # openpyxl has no types
    sheets = {sheet.title: sheet for sheet in book.worksheets}
    for each in sheets.values():
        each.reset_dimensions()  # what a file says of its size is often wrong
    if name is not None:
        if name not in sheets:
            raise UsageError.unknown("sheet", name, sheets, where=source)
        return sheets[name]
    filled = [title for title, each in sheets.items() if each.sheet_state == "visible" and _has_cells(each)]
    if not filled:
        raise refused(source, "is empty: no visible sheet has a cell with a value")
    if len(filled) > 1:
        raise refused(source, f"has {len(filled)} sheets with data ({listed(filled)}); name one with --read sheet='{filled[0]}'")
    return sheets[filled[0]]


def _has_cells(chosen: Any) -> bool:  # noqa: ANN401  # openpyxl has no types
    return any(value is not None and value != "" for row in chosen.iter_rows(values_only=True) for value in row)


def _rows(chosen: Any, merges: list[tuple[int, int, int]], source: str) -> tuple[SheetRows, list[Repair]]:  # noqa: ANN401  # openpyxl has no types
    spool, down = Spool(), _Downwards(merges)
    cells = width = kept = 0
    first = 2**31
    for number, row in enumerate(chosen.iter_rows()):
        texts = [_shown(cell) for cell in row]
        while texts and not texts[-1]:
            texts.pop()
        if not texts:
            continue
        cells, width = cells + len(texts), max(width, len(texts))
        first = min(first, next(i for i, text in enumerate(texts) if text))
        if cells > MOST_CELLS:
            raise refused(source, f"has more than {MOST_CELLS:,} cells; save the sheet as CSV or Parquet")
        for between in range(kept, number):  # blank ones count only where another follows
            spool.write(_line(down.filled(between, [])))
        spool.write(_line(down.filled(number, texts)))
        kept = number + 1
    if not kept:
        raise refused(source, f"sheet '{chosen.title}' is empty")
    return SheetRows(spool.blob(), first, width), down.told


def _line(texts: list[str]) -> bytes:
    return json.dumps(texts).encode() + b"\n"


class _Downwards:
    """Cells that are merged downwards: column, first and last row of each, from 0."""

    def __init__(self, merges: list[tuple[int, int, int]]) -> None:
        self._starting = {(top, column): bottom for column, top, bottom in merges}
        self._rows = {top for top, _ in self._starting}
        self._open: dict[int, tuple[int, str]] = {}
        self._filled = 0

    @property
    def told(self) -> list[Repair]:
        told = f"{self._filled} cells merged with the one above them got its value"
        return [Repair("merged_cells", (), told)] if self._filled else []

    def filled(self, number: int, texts: list[str]) -> list[str]:
        """Give a row with the values of the cells above that reach down to it; rows come in their order."""
        for column, (bottom, value) in list(self._open.items()):
            if number > bottom:
                del self._open[column]
                continue
            texts.extend([""] * (column + 1 - len(texts)))
            texts[column] = value
            self._filled += 1
        if number in self._rows:
            starting = ((column, self._starting.get((number, column))) for column in range(len(texts)))
            self._open |= {column: (bottom, texts[column]) for column, bottom in starting if bottom is not None}
        return texts


def _shown(cell: Any) -> str:  # noqa: ANN401, PLR0911  # one line for each type of a cell
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, str):
        return _unescaped(value) if "_x" in value else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number(value, cell)
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time.min else value.isoformat(" ")
    if isinstance(value, dt.timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)


def _number(value: float, cell: Any) -> str:  # noqa: ANN401  # openpyxl has no types
    if isinstance(value, float) and not (value.is_integer() and abs(value) < EXACT_WHOLE):
        return repr(value)
    whole = str(int(value))
    zeros: str = cell.number_format
    return whole.zfill(len(zeros)) if value >= 0 and len(zeros) > 1 and set(zeros) == {"0"} else whole


def _unescaped(text: str) -> str:
    from openpyxl.utils.escape import unescape

    return unescape(text)


# ---------------------------------------------------------------------- what the read-only mode of openpyxl leaves out


def _checked_sheet(data: bytes, chosen: Any, source: str) -> bytes:  # noqa: ANN401  # openpyxl has no types
    """Give the XML of a sheet, in which every formula has the value that it had when a spreadsheet program saved it."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        book = archive.read("xl/workbook.xml")
        xml = archive.read(_path(book, archive.read("xl/_rels/workbook.xml.rels"), chosen.title))
    formulas = [(match[1], match[2] or b"") for match in FORMULA.finditer(xml)]
    empty = [cell for cell, value in formulas if not value and b't="str"' not in cell]
    # A program that writes without computing asks for it, and some put a zero into every formula.
    if not empty and b'fullCalcOnLoad="1"' in book and all(value == b"0" for _, value in formulas):
        empty = [cell for cell, _ in formulas]
    if empty:
        place = re.search(rb'\br="([A-Z0-9]+)"', empty[0])
        cell = f"sheet '{chosen.title}', cell {place[1].decode() if place else '?'}"
        raise refused(source, "a formula that was never computed; open the file in a spreadsheet program and save it", cell)
    return xml


def _path(book: bytes, relations: bytes, title: str) -> str:
    """Find the part of the archive that holds a sheet."""
    from openpyxl.xml.functions import fromstring

    sheets = (element for element in fromstring(book).iter() if element.tag.endswith("}sheet"))
    attributes = next(element.attrib for element in sheets if element.get("name") == title)
    key = next(value for name, value in attributes.items() if name.endswith("}id"))
    target = next(element.attrib["Target"] for element in fromstring(relations) if element.get("Id") == key)
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def _merges(xml: bytes) -> list[tuple[int, int, int]]:
    """Give column, first and last row (from 0) of cells merged downwards.

    Not those that start beside cells merged sideways: that is how a header of several rows looks.
    """
    areas = list(_areas(xml))
    sideways = {top for left, top, right, _ in areas if right > left}
    return [(left - 1, top - 1, bottom - 1) for left, top, _, bottom in areas if bottom > top and top not in sideways]


def _hidden(xml: bytes, width: int) -> list[Repair]:
    """Tell of hidden rows and columns, whose cells count like all others."""
    rows = tuple(int(match[1]) for match in HIDDEN_ROW.finditer(xml))
    columns = [match[1] for match in HIDDEN_COLUMN.finditer(xml) if int(match[1]) <= width]
    what = " and ".join([*(["rows"] if rows else []), *(["columns"] if columns else [])])
    return [Repair("hidden_cells", rows, f"hidden {what} of the sheet were read like the others")] if what else []


def _areas(xml: bytes) -> Iterator[tuple[int, int, int, int]]:
    from openpyxl.utils.cell import range_boundaries

    for match in MERGE.finditer(xml):
        left, top, right, bottom = range_boundaries(match[1].decode())
        yield int(left or 1), int(top or 1), int(right or 1), int(bottom or 1)
