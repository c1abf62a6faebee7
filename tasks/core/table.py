"""What is known of a table: its columns, their types and roles, and the task that the target sets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from tasks.core.reading.store import Columns

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    import numpy as np
    import pandas as pd

Task = Literal["regression", "binary", "multiclass"]
Loss = Literal["squared_error", "absolute_error", "brier", "log_loss"]
ColumnType = Literal["number", "category", "datetime", "text"]
Role = Literal["feature", "target", "time", "group", "unused"]


@dataclass(frozen=True)
class Table:
    """Rows as they were read.

    Attributes:
        names: Of the columns.
        columns: Each of one of three dtypes: `float64` (NaN is missing), `str` (NaN is missing), `datetime64[us]` (NaT is missing).
        source: Where the rows came from, as a person would write it.
        lines: For each row the 1-based line (CSV) or row (other formats) of the source that it starts on, int64.
    """

    names: tuple[str, ...]
    columns: Columns
    source: str
    lines: np.ndarray

    @classmethod
    def of(cls, df: pd.DataFrame, source: str, lines: np.ndarray) -> Table:
        """Take the columns of a frame."""
        return cls(tuple(df.columns), Columns.of(df[name] for name in df.columns), source, lines)

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.lines)

    def __iter__(self) -> Iterator[str]:
        """Yield the names of the columns, as a frame does."""
        return iter(self.names)

    def __getitem__(self, name: str) -> pd.Series:
        """Give a column by its name."""
        return self.columns[self.names.index(name)].rename(name)

    @cached_property
    def df(self) -> pd.DataFrame:
        """Give all rows at once."""
        import pandas as pd

        return pd.DataFrame(dict(zip(self.names, self.columns, strict=True)))

    def frames(self) -> Iterator[pd.DataFrame]:
        """Yield the rows in parts that fit into memory."""
        import pandas as pd

        for columns in self.columns.frames():
            yield pd.DataFrame({name: column.reset_index(drop=True) for name, column in zip(self.names, columns, strict=True)})


@dataclass(frozen=True)
class Column:
    """One column: its type and role, and the evidence for both in a few words."""

    name: str
    type: ColumnType
    role: Role
    evidence: str


def with_reading(columns: Iterable[Column], evidence: Mapping[str, str]) -> tuple[Column, ...]:
    """Add to columns how they were read, by name, where that is worth a word."""
    read = ((column, evidence.get(column.name, "")) for column in columns)
    return tuple(replace(column, evidence="; ".join(filter(None, (column.evidence, told)))) for column, told in read)


def without_personal(columns: Iterable[Column], personal: Collection[str]) -> tuple[Column, ...]:
    """Leave out what columns were decided by where they are personal, for evidence quotes values."""
    return tuple(replace(column, evidence="personal, and not shown") if column.name in personal else column for column in columns)


@dataclass(frozen=True)
class Schema:
    """The columns of a table in their order, and the task."""

    columns: tuple[Column, ...]
    task: Task

    def names(self, role: Role, *types: ColumnType) -> list[str]:
        """List the columns of a role, of the given types if any are given, in table order."""
        return [c.name for c in self.columns if c.role == role and (not types or c.type in types)]

    @property
    def features(self) -> list[str]:
        """Name the columns that models see: a date that orders the rows too, for the hour and the weekday that it tells."""
        return [c.name for c in self.columns if c.role == "feature" or (c.role == "time" and c.type == "datetime")]

    def types(self, *roles: Role) -> dict[str, ColumnType]:
        """Give the types of the columns of some roles, by their names."""
        return {column.name: column.type for column in self.columns if column.role in roles}

    @property
    def target(self) -> str:
        """Name the column that is predicted."""
        return self.names("target")[0]

    @property
    def time(self) -> str | None:
        """Name the column that orders the rows, if one does."""
        return next(iter(self.names("time")), None)

    @property
    def group(self) -> str | None:
        """Name the column that says which rows belong together, if one is given."""
        return next(iter(self.names("group")), None)

    @property
    def is_ordered(self) -> bool:
        """Say whether rows have an order in time."""
        return self.time is not None
