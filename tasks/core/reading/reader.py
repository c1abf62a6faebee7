"""The contents of files become one table: text is taken apart, columns get their types, and every row is accounted for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tasks.core.errors import DataRefusedError
from tasks.core.reading.cells import typed
from tasks.core.reading.delimited import TextTable, read_grid, read_text
from tasks.core.reading.layout import unique_names
from tasks.core.reading.terms import Dialect, Repair, SetAside
from tasks.core.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd

    from tasks.core.formats.source import Content
    from tasks.core.reading.clean import Parse
    from tasks.core.reading.terms import ReadingOptions, ReadVerdict


@dataclass(frozen=True)
class Reading:
    """A table as it was read, and where every row of its source went.

    Attributes:
        table: The rows that were kept.
        raw: The same cells as text, with the names as they stand; None where the source holds no text.
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
        return len(self.table.df) + len(self.aside)

    @property
    def verdict(self) -> ReadVerdict:
        """Say whether the source was read as it stands."""
        return "repaired" if self.repairs or self.aside else "exact"


def as_frame(aside: Sequence[SetAside]) -> pd.DataFrame:
    """Give rows that do not fit as a table of line, text and reason."""
    import pandas as pd

    return pd.DataFrame([vars(row) for row in aside])


def read(contents: Sequence[Content], options: ReadingOptions, parse: Parse, *, as_text: bool = False) -> Reading:
    """Read contents that have equal columns as one table.

    Args:
        contents: Of one file, or of several in their order.
        options: What a person knows better.
        parse: The fast way through rows that keep every rule; see `core/reading/clean.py`.
        as_text: Keep every cell as it stands, and set no row aside for what its cells say.

    Raises:
        DataRefusedError: a content is no table, or they have different columns.
    """
    frames = [content.frame for content in contents if content.frame is not None]
    if len(frames) == len(contents):
        reading = _of_frames(contents, frames)
    elif frames:
        message = f"{contents[0].source} and {contents[-1].source} are of different kinds; read them one by one"
        raise DataRefusedError(message, where=contents[-1].source)
    else:
        texts = [_text_of(content, options, parse) for content in contents]
        text = texts[0] if len(texts) == 1 else _below_one_another(texts, contents)
        reading = _of_text(text, _named(contents), options, as_text=as_text)
    if not len(reading.table.df):
        message = f"{reading.table.source} has no rows that fit its columns"
        raise DataRefusedError(message, where=reading.table.source)
    noted = tuple(repair for content in contents for repair in content.repairs)
    dialect = replace(reading.dialect, compression=contents[0].compression)
    return replace(reading, dialect=dialect, repairs=(*noted, *reading.repairs))


def _named(contents: Sequence[Content]) -> str:
    return contents[0].source + (f" and {len(contents) - 1} more" if len(contents) > 1 else "")


def _text_of(content: Content, options: ReadingOptions, parse: Parse) -> TextTable:
    if content.grid:
        return read_grid(content.grid, options, content.source)
    return read_text(content.data, options, content.source, parse)


def _of_frames(contents: Sequence[Content], frames: Sequence[pd.DataFrame]) -> Reading:
    import numpy as np
    import pandas as pd

    for content, frame in zip(contents, frames, strict=True):
        _check_same_columns(list(frames[0].columns), list(frame.columns), contents[0].source, content.source)
        for name in frame.columns:
            if frame[name].dtype != frames[0][name].dtype:
                kinds = f"{frame[name].dtype} in {content.source}, {frames[0][name].dtype} in {contents[0].source}"
                message = f"column '{name}' is {kinds}; mend one of them, or read them one by one"
                raise DataRefusedError(message, where=content.source)
    df = pd.concat(frames, ignore_index=True)
    names, renamed = unique_names([str(name) for name in df.columns], df.shape[1])
    lines = np.concatenate([np.arange(1, len(frame) + 1, dtype=np.int64) for frame in frames])
    table = Table(df.set_axis(list(names), axis="columns"), _named(contents), lines)
    return Reading(table, None, Dialect(contents[0].format), tuple(renamed), (), {})


def _of_text(text: TextTable, source: str, options: ReadingOptions, *, as_text: bool) -> Reading:
    import pandas as pd

    columns = [typed(cells, text.lines, options) for cells in text.cells]
    # A row with one odd cell has a typing error; one with several is out of step, and no cell of it can be trusted.
    odd = _odd_rows([dict(column.odd) for column in columns], text.names, at_least=2 if as_text else 1)
    df = pd.DataFrame({name: column.values for name, column in zip(text.names, columns, strict=True)})
    aside = [SetAside(int(text.lines[row]), text.row(row), reason) for row, reason in odd.items()]
    repairs = [repair for column in columns for repair in column.repairs] if not as_text else []
    evidence = {name: column.evidence for name, column in zip(text.names, columns, strict=True) if column.evidence}
    if odd:
        kept = _kept(len(text.lines), odd)
        df, text = df.iloc[kept].reset_index(drop=True), text.take(kept)
    table = Table(df, source, text.lines)
    return Reading(table, text, text.dialect, (*text.repairs, *repairs), tuple(sorted((*text.aside, *aside), key=_line)), evidence)


def _odd_rows(columns_odd: Sequence[dict[int, str]], names: Sequence[str], *, at_least: int) -> dict[int, str]:
    """Give the rows that have so many odd cells, each with all its reasons."""
    reasons: dict[int, list[str]] = {}
    for name, odd in zip(names, columns_odd, strict=True):
        for row, reason in odd.items():
            reasons.setdefault(row, []).append(f"column '{name}': {reason}")
    return {row: "; ".join(found) for row, found in sorted(reasons.items()) if len(found) >= at_least}


def _kept(rows: int, odd: dict[int, str]) -> np.ndarray:
    import numpy as np

    return np.setdiff1d(np.arange(rows), np.fromiter(odd, dtype=np.int64, count=len(odd)))


def _line(row: SetAside) -> int:
    return row.line


def _below_one_another(texts: Sequence[TextTable], contents: Sequence[Content]) -> TextTable:
    """Put the rows of several files below one another, before their columns get types."""
    import numpy as np
    import pandas as pd

    for text, content in zip(texts, contents, strict=True):
        _check_same_columns(texts[0].names, text.names, contents[0].source, content.source)
    pairs = list(zip(texts, contents, strict=True))
    return replace(
        texts[0],
        cells=tuple(pd.concat(column, ignore_index=True) for column in zip(*(text.cells for text in texts), strict=True)),
        lines=np.concatenate([text.lines for text in texts]),
        repairs=tuple(replace(repair, detail=f"{c.source}: {repair.detail}") for text, c in pairs for repair in text.repairs),
        aside=tuple(replace(row, reason=f"{c.source}: {row.reason}") for text, c in pairs for row in text.aside),
    )


def _check_same_columns(names: Sequence[str], others: Sequence[str], source: str, other: str) -> None:
    if list(names) != list(others):
        differing = sorted(set(names) ^ set(others)) or list(others)
        message = f"{other} has other columns than {source}, see '{differing[0]}'; read them one by one"
        raise DataRefusedError(message, where=other)
