"""The contents of files become one table: text is taken apart, columns get their types, and every row is accounted for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from tasks.core import hiding
from tasks.core.errors import DataRefusedError
from tasks.core.reading import forms
from tasks.core.reading.cells import DTYPES, Typed, kept_as_text, read_as_known, typed, typed_pieces, without_values
from tasks.core.reading.delimited import read_sheet, read_text
from tasks.core.reading.layout import unique_names
from tasks.core.reading.store import Columns
from tasks.core.reading.terms import TEXTS, Dialect, Repair, SetAside
from tasks.core.row_texts import row_texts
from tasks.core.table import Table

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import numpy as np
    import pandas as pd

    from tasks.core.formats.source import Content
    from tasks.core.reading.clean import Parse
    from tasks.core.reading.terms import ReadingOptions, ReadVerdict
    from tasks.core.reading.text_table import TextTable


@dataclass(frozen=True)
class Reading:
    """A table as it was read, and where every row of its source went.

    Attributes:
        table: The rows that were kept.
        raw: The same cells as text, with the names as they stand; None where the source holds no text, or nobody asked.
        dialect: How the source writes its table.
        repairs: What was repaired.
        aside: Rows that do not fit.
        evidence: Of each column's type, by its name, where there is something to say.
    """

    table: Table
    raw: TextTable | None
    dialect: Dialect
    repairs: tuple[Repair, ...]
    aside: tuple[SetAside, ...]
    evidence: dict[str, str]

    @property
    def rows(self) -> int:
        """Count the rows that were read: kept and set aside."""
        return len(self.table) + len(self.aside)

    @property
    def verdict(self) -> ReadVerdict:
        """Say whether the source was read as it stands."""
        return "repaired" if self.repairs or self.aside else "exact"


def as_frame(aside: Sequence[SetAside]) -> pd.DataFrame:
    """Give rows that do not fit as a table of line, text and reason."""
    import pandas as pd

    return pd.DataFrame([vars(row) for row in aside])


def as_rows(df: pd.DataFrame) -> list[SetAside]:
    """Give the rows of such a table back."""
    return [SetAside(int(line), str(text), str(reason)) for line, text, reason in zip(df["line"], df["text"], df["reason"], strict=True)]


def read(
    contents: Sequence[Content], options: ReadingOptions, parse: Parse, *, as_text: bool = False, hidden: Collection[str] = ()
) -> Reading:
    """Read contents that have equal columns as one table.

    Args:
        contents: Of one file, or of several in their order.
        options: What a person knows better.
        parse: The fast way through rows that keep every rule; see `core/reading/clean.py`.
        as_text: Keep every cell as it stands, and set no row aside for what its cells say.
        hidden: Columns of which no cell may be quoted in what is said.

    Raises:
        DataRefusedError: a content is no table, or they have different columns.
    """
    try:
        reading = _read(contents, options, parse, frozenset(hidden), as_text=as_text)
    finally:  # a file that has changed meanwhile is what is wrong, whatever else seems to be
        for content in contents:
            content.data.check()
    if not len(reading.table):
        message = f"{reading.table.source} has no rows that fit its columns"
        raise DataRefusedError(message, where=reading.table.source)
    noted = tuple(repair for content in contents for repair in content.repairs)
    spelled = [] if as_text else forms.spell_alike(reading.table, options)
    dialect = replace(reading.dialect, compression=contents[0].compression)
    return replace(reading, dialect=dialect, repairs=(*noted, *reading.repairs, *spelled))


def _read(contents: Sequence[Content], options: ReadingOptions, parse: Parse, hidden: frozenset[str], *, as_text: bool) -> Reading:
    tables = [content.table for content in contents if content.table is not None]
    if len(tables) == len(contents):
        return _of_tables(contents, [_as_known(table, options, hidden) for table in tables])
    if tables:
        message = f"{contents[0].source} and {contents[-1].source} are of different kinds; read them one by one"
        raise DataRefusedError(message, where=contents[-1].source)
    texts = [_text_of(content, options, parse) for content in contents]
    text = texts[0] if len(texts) == 1 else _below_one_another(texts, contents)
    return _of_text(_hushed(text) if hidden else text, _named(contents), options, hidden, as_text=as_text)


def _named(contents: Sequence[Content]) -> str:
    return contents[0].source + (f" and {len(contents) - 1} more" if len(contents) > 1 else "")


def _text_of(content: Content, options: ReadingOptions, parse: Parse) -> TextTable:
    if content.sheet:
        return read_sheet(content.sheet, options, content.source)
    return read_text(content.data, options, content.source, parse)


@dataclass(frozen=True)
class _Known:
    """A table of a source that has types, its columns as what they are known to hold; what was done for it, and rows that do not fit."""

    table: Table
    repairs: list[Repair]
    aside: list[SetAside]


def _as_known(table: Table, options: ReadingOptions, hidden: frozenset[str]) -> _Known:
    """Read whole numbers as text, and text as numbers or dates, in columns that are known to hold that.

    Numbers with fractions never become text, for nobody knows how they were written.
    """
    repairs, changed = list[Repair](), dict[int, Typed]()
    for place, name in enumerate(table.names):
        kind, dtype = options.kinds.get(name), str(table.columns.dtypes[place])
        if kind in TEXTS and dtype == "float64" and forms.are_whole(table.columns.pieces(place)):
            table.columns.change(place, forms.in_digits)
            told = f"column '{name}' comes as whole numbers; they were read as the text of their digits"
            repairs.append(Repair("numbers_for_text", (), told))
        elif kind in ("number", "date") and dtype == "str":
            cells = (piece.fillna("") for piece in table.columns.pieces(place))
            if column := read_as_known(kind, cells, name, table.lines, options):
                changed[place] = without_values(column, name) if name in hidden else column
                repairs.append(Repair("text_for_numbers", (), f"column '{name}' comes as text; it was read as {kind}s"))
    odd = _odd_rows([column.odd for column in changed.values()], [table.names[place] for place in changed], at_least=1)
    aside = _rows_aside(table, odd)
    for place, column in changed.items():
        table.columns.put_pieces(place, column.pieces)
    return _Known(_without(table, odd), repairs, aside)


def _rows_aside(table: Table, odd: Mapping[int, str]) -> list[SetAside]:
    import numpy as np
    import pandas as pd

    if not odd:
        return []
    places = np.fromiter(odd, dtype=np.int64, count=len(odd))
    texts = row_texts(pd.DataFrame({name: table[name].iloc[places] for name in table.names}))
    return [SetAside(int(table.lines[row]), text, reason) for (row, reason), text in zip(odd.items(), texts, strict=True)]


def _without(table: Table, odd: Mapping[int, str]) -> Table:
    if not odd:
        return table
    kept = _kept(len(table), odd)
    return replace(table, columns=table.columns.take(kept), lines=table.lines[kept])


def _of_tables(contents: Sequence[Content], known: Sequence[_Known]) -> Reading:
    import numpy as np

    tables = [each.table for each in known]
    first, columns = tables[0], tables[0].columns
    for table in tables[1:]:
        _check_same_columns(first.names, table.names, first.source, table.source)
        for name, dtype, other in zip(first.names, columns.dtypes, table.columns.dtypes, strict=True):
            if dtype != other:
                kinds = f"{other} in {table.source}, {dtype} in {first.source}"
                message = f"column '{name}' is {kinds}; mend one of them, or read them one by one"
                raise DataRefusedError(message, where=table.source)
        columns = columns.below(table.columns)
    names, renamed = unique_names(first.names, len(first.names))
    table = Table(names, columns, _named(contents), np.concatenate([table.lines for table in tables]))
    repairs, aside = (*renamed, *(repair for each in known for repair in each.repairs)), (row for each in known for row in each.aside)
    return Reading(table, None, Dialect(contents[0].format), repairs, tuple(aside), {})


def _of_text(text: TextTable, source: str, options: ReadingOptions, hidden: frozenset[str], *, as_text: bool) -> Reading:
    values, columns = _typed_columns(text, options)
    columns = [without_values(column, name) if name in hidden else column for name, column in zip(text.names, columns, strict=True)]
    all_odd = [column.odd for column in columns]
    repairs = [] if as_text else [repair for column in columns for repair in column.repairs]
    evidence = {name: column.evidence for name, column in zip(text.names, columns, strict=True) if column.evidence}
    # A row with one odd cell has a typing error; one with several is out of step, and no cell of it can be trusted.
    odd = _odd_rows(all_odd, text.names, at_least=2 if as_text else 1)
    raw, lines, aside = text, text.lines, text.aside
    if odd:
        written = zip(odd.items(), text.rows(list(odd)), strict=True)
        aside = (*aside, *(SetAside(int(lines[row]), cells, reason) for (row, reason), cells in written))
        kept = _kept(len(lines), odd)
        values, raw, lines = values.take(kept), text.take(kept) if as_text else text, lines[kept]
    table = Table(text.names, values, source, lines)
    aside = tuple(sorted(aside, key=_line))
    return Reading(table, raw if as_text else None, text.dialect, (*text.repairs, *repairs), aside, evidence)


def _hushed(text: TextTable) -> TextTable:
    """Say the same of the rows without quoting a cell: which column a cell belongs to is not known yet."""
    repairs = tuple(replace(repair, detail=hiding.without_values(repair.detail, text.names)) for repair in text.repairs)
    aside = tuple(replace(row, reason=hiding.without_values(row.reason, text.names)) for row in text.aside)
    return replace(text, repairs=repairs, aside=aside)


def _typed_columns(text: TextTable, options: ReadingOptions) -> tuple[Columns, list[Typed]]:
    """Give columns their types: each by itself, then those with numbers of two readings by the decimal mark of the others.

    Returns:
        The values, and what else is said of each column.
    """
    values, said = Columns(), list[Typed]()
    for place in range(len(text.names)):
        column = _typed_column(text, place, options)
        values.add_pieces(column.pieces)
        said.append(replace(column, pieces=()))
    marks = {column.mark for column in said} & {".", ","}
    if options.decimal is None and len(marks) == 1:
        decimal = marks.pop()
        for place in (place for place, column in enumerate(said) if column.mark == "open"):
            column = typed(text.cells[place].rename(text.names[place]), text.lines, options, decimal=decimal)
            values.put_pieces(place, column.pieces)
            said[place] = replace(column, pieces=())
    return values, said


def _typed_column(text: TextTable, place: int, options: ReadingOptions) -> Typed:
    """Give a column its type: what it is known to hold where its cells are that, else what they show."""
    name, pieces = text.names[place], partial(text.cells.pieces, place)
    kind = options.kinds.get(name)
    if kind in TEXTS:
        return kept_as_text(pieces(), name, text.lines, options)
    if text.cells.count_pieces() > 1:
        column = typed_pieces(pieces, name, text.lines, options)
    else:
        column = typed(text.cells[place].rename(name), text.lines, options)
    if kind is None or next(iter(column.pieces)).dtype == DTYPES[kind]:
        return column
    return read_as_known(kind, pieces(), name, text.lines, options) or column


def _odd_rows(columns_odd: Sequence[Mapping[int, str]], names: Sequence[str], *, at_least: int) -> dict[int, str]:
    """Give the rows that have so many odd cells, each with all its reasons."""
    reasons: dict[int, list[str]] = {}
    for name, odd in zip(names, columns_odd, strict=True):
        for row, reason in odd.items():
            reasons.setdefault(row, []).append(f"column '{name}': {reason}")
    return {row: "; ".join(found) for row, found in sorted(reasons.items()) if len(found) >= at_least}


def _kept(rows: int, odd: Mapping[int, str]) -> np.ndarray:
    import numpy as np

    return np.setdiff1d(np.arange(rows), np.fromiter(odd, dtype=np.int64, count=len(odd)))


def _line(row: SetAside) -> int:
    return row.line


def _below_one_another(texts: Sequence[TextTable], contents: Sequence[Content]) -> TextTable:
    """Put the rows of several files below one another, before their columns get types."""
    import numpy as np

    cells = texts[0].cells
    for text, content in zip(texts[1:], contents[1:], strict=True):
        _check_same_columns(texts[0].names, text.names, contents[0].source, content.source)
        cells = cells.below(text.cells)
    pairs = list(zip(texts, contents, strict=True))
    return replace(
        texts[0],
        cells=cells,
        lines=np.concatenate([text.lines for text in texts]),
        repairs=tuple(replace(repair, detail=f"{c.source}: {repair.detail}") for text, c in pairs for repair in text.repairs),
        aside=tuple(replace(row, reason=f"{c.source}: {row.reason}") for text, c in pairs for row in text.aside),
    )


def _check_same_columns(names: Sequence[str], others: Sequence[str], source: str, other: str) -> None:
    if list(names) != list(others):
        differing = sorted(set(names) ^ set(others)) or list(others)
        message = f"{other} has other columns than {source}, see '{differing[0]}'; read them one by one"
        raise DataRefusedError(message, where=other)
