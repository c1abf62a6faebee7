"""What a candidate needs to know of the rows that it is to be fitted to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pandas as pd

    from tasks.core.table import Schema, Task

MIN_ROWS_TO_STOP_EARLY = 20
MAX_CATEGORIES = 100  # that are told apart by name; more are told apart by what the target was
MAX_ENCODINGS = 60  # columns of what the target was, one for each class
GAP_SHARE = 0.05  # of the rows: where as many are missing, that they are says something
DAY = 86_400_000_000  # microseconds
# How long a cycle is, and when one began: a week on a Monday.
CYCLES = {"day": (DAY, 0), "week": (7 * DAY, 4 * DAY), "year": (31_556_952_000_000, 0)}
# How often rows must have gone through one: over fewer, what its parts did is taken for what else happened then.
ENOUGH = {"day": 7, "week": 104, "year": 3}
# Of the mean of places on a circle; closer to it they are one place, a calendar's year being up to a day off.
SAME_PLACE = 0.9998


@dataclass(frozen=True)
class Recipe:
    """What some rows are, as far as it decides how they are prepared and learned from.

    Attributes:
        task: That their target sets.
        rows: Their number.
        seed: Of all that is random.
        rarest: Rows of the rarest class; of a number that is predicted all.
        can_stop_early: Whether a part of them can watch the fit to the others.
        numbers: Columns of numbers.
        gaps: Those of them that are often missing.
        categories: Columns with few values.
        many: Columns with too many values to be told apart by name.
        dates: Columns of dates, the one that orders the rows too.
        clock: The one that orders the rows; how late a row is says nothing of later ones.
        cycles: For a day, a week and a year the dates that went through it and lie at different places in it.
        texts: Columns of words.
    """

    task: Task
    rows: int
    seed: int
    rarest: int
    can_stop_early: bool
    numbers: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    many: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    clock: str | None = None
    cycles: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    texts: tuple[str, ...] = ()

    @classmethod
    def of(cls, schema: Schema, X: pd.DataFrame, y: np.ndarray, seed: int) -> Recipe:
        """Look at rows to fit; features without any value in them are left out, for they teach nothing.

        A column that came late is empty in the early rows; boosting of scikit-learn 1.9.1 raises on one. It also raises
        where a tenth of the rows, on which it watches itself, cannot hold every class.
        """
        classes, rarest = (0, len(y)) if schema.task == "regression" else _count_classes(y)
        numbers, dates, texts, categories = (_present(schema, X, kind) for kind in ("number", "datetime", "text", "category"))
        many = tuple(name for name in categories if X[name].nunique() > MAX_CATEGORIES)
        if len(many) * (classes if schema.task == "multiclass" else 1) > MAX_ENCODINGS:
            many = ()
        gone_through = {cycle: tuple(name for name in dates if went_through(X[name], cycle)) for cycle in CYCLES}
        cycles = {cycle: names for cycle, names in gone_through.items() if names}
        return cls(
            task=schema.task,
            rows=len(X),
            seed=seed,
            rarest=rarest,
            can_stop_early=len(X) >= MIN_ROWS_TO_STOP_EARLY and rarest > 1 and classes <= len(X) // 10,
            numbers=numbers,
            gaps=tuple(name for name in numbers if X[name].isna().mean() >= GAP_SHARE),
            categories=tuple(name for name in categories if name not in many),
            many=many,
            dates=dates if cycles or dates != (schema.time,) else (),
            clock=schema.time,
            cycles={cycle: cycles.get(cycle, ()) for cycle in CYCLES},
            texts=texts,
        )

    @property
    def is_regression(self) -> bool:
        """Say whether a number is predicted."""
        return self.task == "regression"


def _present(schema: Schema, X: pd.DataFrame, kind: str) -> tuple[str, ...]:
    names = {column.name for column in schema.columns if column.type == kind}
    return tuple(name for name in schema.features if name in names and X[name].notna().any())


def went_through(values: pd.Series, cycle: str) -> bool:
    """Say whether moments cover enough of the cycles to learn from them, and lie at more than one place in them."""
    import numpy as np

    length, began = CYCLES[cycle]
    moments = values.dropna().to_numpy(dtype="datetime64[us]").astype(np.int64)
    angles = (moments - began) % length * (2 * np.pi / length)
    is_one_place = abs(np.exp(1j * angles).mean()) > SAME_PLACE
    return bool(np.ptp(moments) >= ENOUGH[cycle] * length) and not is_one_place


def _count_classes(y: np.ndarray) -> tuple[int, int]:
    """Count the classes, and the rows of the rarest."""
    import numpy as np

    counts = np.unique(y, return_counts=True)[1]
    return len(counts), int(counts.min())
