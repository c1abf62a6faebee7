"""What is known of a table: its columns, their types and roles, and the task that the target sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Task = Literal["regression", "binary", "multiclass"]
ColumnType = Literal["number", "category", "datetime"]
Role = Literal["feature", "target", "time", "unused"]


@dataclass(frozen=True)
class Table:
    """Rows as they were read.

    Attributes:
        df: Columns of exactly three dtypes: `float64` (NaN is missing), `str` (NaN is missing), `datetime64[us]` (NaT is missing).
        source: Where the rows came from, as a person would write it.
        lines: For each row the 1-based line (CSV) or row (other formats) of the source that it starts on, int64.
    """

    df: pd.DataFrame
    source: str
    lines: np.ndarray


@dataclass(frozen=True)
class Column:
    """One column: its type and role, and the evidence for both in a few words."""

    name: str
    type: ColumnType
    role: Role
    evidence: str


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
        """Name the columns that models see."""
        return self.names("feature")

    @property
    def target(self) -> str:
        """Name the column that is predicted."""
        return self.names("target")[0]

    @property
    def time(self) -> str | None:
        """Name the column that orders the rows, if one does."""
        return next(iter(self.names("time")), None)

    @property
    def is_ordered(self) -> bool:
        """Say whether rows have an order in time."""
        return self.time is not None
