"""The rows of a table while they are read: what fits is kept, what can be made to fit is, the rest is set aside."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tasks.core.errors import DataRefusedError
from tasks.core.reading.clean import read_clean
from tasks.core.reading.dialects import RULE_LINE
from tasks.core.reading.ragged import fit, two_rows
from tasks.core.reading.records import Record, read_records
from tasks.core.reading.shapes import shape_of
from tasks.core.reading.store import Columns
from tasks.core.reading.terms import SetAside

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np

    from tasks.core.reading.clean import Parse
    from tasks.core.reading.layout import Layout
    from tasks.core.reading.records import Line, Style
    from tasks.core.reading.texts import Block, Text

CHUNK_ROWS = 50_000
MAX_ASIDE_SHARE = 0.2
FOOTER_LINES = 20
AGAIN = "the header, or a line above it, stands here again; it was passed over"


def records_of(lines: Iterable[Line], style: Style, width: int | None, rules: set[int]) -> Iterator[Record]:
    """Yield the records of lines, but for lines of dashes, whose numbers are added to the rules."""

    def is_kept(line: Line) -> bool:
        drawn = line.text.replace(style.delimiter, " ") if style.delimiter.strip() else line.text
        if is_rule := len(line.text) > 2 and bool(RULE_LINE.fullmatch(drawn)):
            rules.add(line.number)
        return not is_rule

    return read_records(filter(is_kept, lines), style, width)


@dataclass
class Grid:
    """The rows of a table while they are read.

    Attributes:
        style: How cells are written.
        layout: Where the table is, and what its columns look like.
        source: Named in messages.
        columns: What was kept, as text.
        aside: What does not fit.
        repaired: By code, what was done and on which lines.
    """

    style: Style
    layout: Layout
    source: str = ""
    columns: Columns = field(default_factory=Columns)
    aside: list[SetAside] = field(default_factory=list[SetAside])
    repaired: dict[str, tuple[str, list[int]]] = field(default_factory=dict[str, tuple[str, list[int]]])
    _count: int = 0
    _lines: list[np.ndarray] = field(default_factory=list["np.ndarray"])
    _rows: list[tuple[int, tuple[str, ...]]] = field(default_factory=list[tuple[int, tuple[str, ...]]])
    _doubtful: list[Record] = field(default_factory=list["Record"])
    _blanks: list[int] = field(default_factory=list[int])

    @property
    def lines(self) -> np.ndarray:
        """Give the line that each row starts on, int64."""
        import numpy as np

        return np.concatenate([np.empty(0, dtype=np.int64), *self._lines])

    def read(self, records: Iterable[Record]) -> None:
        """Take in all records, the first row of data first."""
        for record in records:
            self._take(record)
        self._settle_end(self._doubtful)
        self._flush()

    def read_text(self, text: Text, at: int, line: int, parse: Parse, rules: set[int]) -> None:
        """Take in all rows of a text from one on: whole blocks where each row keeps the rules, else record by record."""
        while at < text.size:
            block = text.block(at, line)
            is_last = block.next_at >= text.size
            rows = read_clean(block.body, line, self.style, self.layout, parse, is_last=is_last)
            if rows is None:
                at, line = self._read_carefully(text, block, rules)
                continue
            self._settle_before_row()
            self._flush()
            self.columns.extend(rows.columns)
            self._lines.append(rows.lines)
            self._count += len(rows.lines)
            at, line = block.next_at, block.next_line
        self._settle_end(self._doubtful)
        self._flush()

    def _read_carefully(self, text: Text, block: Block, rules: set[int]) -> tuple[int, int]:
        """Take in the records that start in a block; give the byte and the line that the next one starts at."""
        next_line, later = block.next_line if block.next_at < text.size else sys.maxsize, dict[int, int]()

        def lines() -> Iterator[Line]:
            for line in text.lines(block.at, block.line):
                if line.number >= next_line:
                    later[line.number] = line.at
                yield line

        for record in records_of(lines(), self.style, self.layout.width, rules):
            if record.line >= next_line:
                return later[record.line], record.line
            self._take(record)
        return text.size, next_line

    def _take(self, record: Record) -> None:
        if record.is_blank or record.is_empty:
            self._blanks.append(record.line)
        elif len(record.cells) != self.layout.width or record.is_odd:
            self._doubtful.append(record)
        else:
            self._settle_before_row()
            self._keep_or_drop(record)

    def _settle_before_row(self) -> None:
        """Decide on what stands between two rows."""
        self._settle(self._doubtful)
        for line in self._blanks:
            self.note("blank_lines", "lines that hold nothing between the rows were passed over", line)
        self._blanks.clear()

    def _keep_or_drop(self, record: Record) -> None:
        again = self.layout.head.is_again(record.cells)
        if again == "other names":
            where = f"{self.source}, line {record.line}"
            message = f"{where}: names of the columns stand here again, in another order or among others; split the file above this line"
            raise DataRefusedError(message, where=where)
        if again:
            self.note("repeated_header", AGAIN, record.line)
        else:
            self._keep(record.line, record.cells)

    def _keep(self, line: int, cells: tuple[str, ...]) -> None:
        self._rows.append((line, cells))
        self._count += 1
        if len(self._rows) >= CHUNK_ROWS:
            self._flush()

    def note(self, code: str, detail: str, line: int) -> None:
        """Remember a repair and its line."""
        self.repaired.setdefault(code, (detail, []))[1].append(line)

    def _settle(self, doubtful: list[Record]) -> None:
        """Make rows fit that stand between others, or set them aside."""
        for record in doubtful:
            if record.text.lstrip().startswith("#"):
                self.note("comment", "lines that begin with # were passed over", record.line)
                continue
            if self.layout.head.is_again(record.cells) == "head":
                self.note("repeated_header", AGAIN, record.line)
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
        while ends and self._may_be_footer(doubtful[ends - 1]):
            ends -= 1
        if len(doubtful) - ends > max(FOOTER_LINES, MAX_ASIDE_SHARE * self._count):
            ends = len(doubtful)  # so much is no footer, but rows that do not fit
        footer = doubtful[ends:]
        self._settle(doubtful[:ends])
        for record in footer:
            self.note("footer", "lines below the table were passed over", record.line)

    def _may_be_footer(self, record: Record) -> bool:
        """Say whether a last line is none of the rows: it has few cells, it begins with no value, and no other delimiter makes it fit."""
        if len(record.cells) > max(1, self.layout.width // 3):
            return False
        first = self.layout.kinds[0].shape if self.layout.kinds else "text"
        if first in ("number", "date") and shape_of(record.cells[0]) == first:
            return False
        found = fit(record, self.style, self.layout.kinds)
        is_typed = any(kind.shape in ("number", "date") for kind in self.layout.kinds)
        return isinstance(found, str) or found[1].code != "row_delimiter" or not is_typed

    def _flush(self) -> None:
        import numpy as np
        import pandas as pd

        if self._rows:
            lines, rows = zip(*self._rows, strict=True)
            self._lines.append(np.array(lines, dtype=np.int64))
            self.columns.extend([pd.Series(column, dtype="str") for column in zip(*rows, strict=True)])
            self._rows = []
