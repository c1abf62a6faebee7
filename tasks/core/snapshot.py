"""What the verbs hand to one another: references to stored rows, and what to train of them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from tasks.core import names, splits
from tasks.core.schema import infer_schema
from tasks.core.table import with_reading, without_personal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    import pandas as pd

    from tasks.core.behaviour import Expected
    from tasks.core.reading.terms import Repair, SetAside
    from tasks.core.results import RowCounts
    from tasks.core.settings import Settings
    from tasks.core.splits import Split
    from tasks.core.table import Schema
    from tasks.core.use_case import Loss, UseCase
    from tasks.core.validation import Validation


@dataclass(frozen=True)
class Case:
    """A use case as this call asks for it, on this machine.

    Attributes:
        use_case: The file's words with the call's options before them.
        settings: Where state lives.
        suite: File of its expectations; None when it has none.
        expected: Rows of which a person knows what must be predicted.
    """

    use_case: UseCase
    settings: Settings
    suite: Path | None
    expected: tuple[Expected, ...] = ()

    @property
    def name(self) -> str:
        """Name the use case, its experiment and its registered model."""
        return self.use_case.name

    def at(self, source: str) -> Case:
        """Give the same use case with other data."""
        return dataclasses.replace(self, use_case=self.use_case.model_copy(update={"data": source}))


@dataclass(frozen=True)
class Batch:
    """Rows as they were read, stored under their digest.

    Attributes:
        path: Parquet file.
        digest: Of names, types and cells.
        source: Where the rows came from.
        lines: Line (CSV) or row of the source for each row, int64.
        repairs: What was repaired while they were read.
        aside: Rows of the source that do not fit and are not among them.
        lake: What names these rows in the lake, as text; empty where they are not from there.
        quarantined: Rows that the lake set aside before.
        evidence: How columns were read, by name, where that is worth a word.
    """

    path: Path
    digest: str
    source: str
    lines: np.ndarray
    repairs: tuple[Repair, ...] = ()
    aside: tuple[SetAside, ...] = ()
    lake: str = ""
    quarantined: int = 0
    evidence: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])

    @cached_property
    def delivered(self) -> str:
        """Digest all that was delivered: the rows that fit, and those that do not."""
        return names.digest(self.digest, *(f"{row.line}:{row.text}" for row in self.aside)) if self.aside else self.digest


@dataclass(frozen=True)
class Snapshot:
    """The rows that a training run may use, stored under their digest.

    Attributes:
        path: Parquet file.
        digest: Of names, types and cells.
        source: Where the rows came from.
        schema: Columns, roles and task.
        rows: Where every row that was read went so far.
        validation: What the suite said of the batch.
        repairs: What was repaired while the source was read.
        aside: Rows of the source that do not fit, counted as quarantined.
        lake: What names the rows in the lake, as text, before this suite set any aside; empty where they are not from there.
    """

    path: Path
    digest: str
    source: str
    schema: Schema
    rows: RowCounts
    validation: Validation
    repairs: tuple[Repair, ...] = ()
    aside: tuple[SetAside, ...] = ()
    lake: str = ""


@dataclass(frozen=True)
class Study:
    """A snapshot and which of its rows a run fits on and is judged on."""

    case: Case
    snapshot: Snapshot
    split: Split

    @property
    def schema(self) -> Schema:
        """Give the columns, roles and task."""
        return self.snapshot.schema

    @property
    def loss(self) -> Loss:
        """Name the per-row loss that decides."""
        return self.case.use_case.loss_for(self.schema.task)

    @property
    def has_personal_target(self) -> bool:
        """Say whether no value of the target may be told."""
        return self.schema.target in self.case.use_case.pii

    @property
    def rows(self) -> RowCounts:
        """Say where every row that was read went."""
        return dataclasses.replace(self.snapshot.rows, used=len(self.split.fit), holdout=len(self.split.gate))


def infer(case: Case, df: pd.DataFrame, evidence: Mapping[str, str] | None = None) -> Schema:
    """Find columns, roles and task, as far as the use case does not say them."""
    asked = case.use_case
    inferred = infer_schema(df, target=asked.target, task=asked.task, time=asked.time, group=asked.group, drop=asked.drop)
    return dataclasses.replace(inferred, columns=without_personal(with_reading(inferred.columns, evidence or {}), asked.pii))


def split_at(case: Case, schema: Schema, df: pd.DataFrame, size: int) -> Split:
    """Take so many gate rows from those that have a label."""
    import numpy as np

    labelled = np.flatnonzero(df[schema.target].notna())
    if schema.time:
        split = splits.split_by_time(df[schema.time].to_numpy()[labelled], size)
    else:
        hashes = splits.hash_units(df.iloc[labelled], schema)
        split = splits.split_by_hash(hashes, case.name, size, is_grouped=schema.group is not None)
    return dataclasses.replace(split, fit=labelled[split.fit], gate=labelled[split.gate])


def target_of(df: pd.DataFrame, schema: Schema) -> np.ndarray:
    """Give the target of labelled rows: float64, or class labels as text (whole numbers without a fraction).

    >>> import pandas as pd
    >>> from tasks.core.table import Column, Schema
    >>> target_of(pd.DataFrame({"y": [0.0, 1.0]}), Schema((Column("y", "number", "target", ""),), "binary")).tolist()
    ['0', '1']
    """
    import numpy as np

    values = df[schema.target].to_numpy()
    if schema.task == "regression":
        return values.astype(np.float64)
    if np.issubdtype(values.dtype, np.floating):
        # Adding 0.0 makes -0.0 the class that it equals.
        return np.array([f"{value:.0f}" if value == round(value) else repr(float(value)) for value in values + 0.0], dtype=str)
    return values.astype(str)
