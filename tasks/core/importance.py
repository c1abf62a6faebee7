"""What a fitted model depends on: how much it loses without each feature, and how its predictions follow the most important ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.core.metrics import Interval, row_losses

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    import numpy as np
    import pandas as pd

    from tasks.core.metrics import Prediction
    from tasks.core.use_case import Loss

    Predict = Callable[[pd.DataFrame], Prediction]

MAX_ROWS = 1000
MAX_FEATURES = 30
REPEATS = 2
MAX_PREDICTED = 12_000  # rows in all, for predicting is what costs
SHOWN_DEPENDENCES = 4
DEPENDENCE_ROWS = 100
GRID = 10
MAX_CATEGORIES = 8
MAX_CLASSES = 4


@dataclass(frozen=True)
class Importance:
    """How much the mean loss rises when a feature is shuffled among the rows, as a share of the mean loss."""

    feature: str
    rise: Interval


@dataclass(frozen=True)
class Dependence:
    """Mean predictions of some rows, were one of their features what it is not.

    Attributes:
        feature: Its name.
        values: What it was set to, numbers or texts, g of them.
        curves: By class, or by "" for a number that is predicted: mean, lower and upper quartile of the rows, shape (3, g).
    """

    feature: str
    values: tuple[float, ...] | tuple[str, ...]
    curves: dict[str, np.ndarray]

    @property
    def is_number(self) -> bool:
        """Say whether the feature holds numbers."""
        return not isinstance(self.values[0], str)


def permutation_importance(
    predict: Predict, X: pd.DataFrame, y: np.ndarray, loss: Loss, *, features: Sequence[str], seed: int
) -> list[Importance]:
    """Measure what each feature is worth to a model on rows that it was not fitted to, the most important first (Breiman 2001).

    Args:
        predict: Of the fitted model.
        X: Rows that it has not seen.
        y: Their true values.
        loss: Of a row.
        features: To shuffle.
        seed: Of the shuffles.

    Returns:
        The rise with an interval that holds 95 % of the chance in which rows are judged.
    """
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(seed)
    rows = min(MAX_ROWS, len(X), max(50, MAX_PREDICTED // (REPEATS * max(1, len(features)))))
    taken = np.unique(np.linspace(0, len(X) - 1, rows).astype(int))
    some = X.iloc[taken].reset_index(drop=True)
    copies = [some]
    for name in features:
        for _ in range(REPEATS):
            copies.append(some.assign(**{name: some[name].iloc[rng.permutation(len(some))].reset_index(drop=True)}))
    said = predict(pd.concat(copies, ignore_index=True))
    losses = row_losses(loss, np.tile(y[taken], len(copies)), said).reshape(len(copies), -1)
    rises = losses[1:].reshape(len(features), REPEATS, -1).mean(axis=1) - losses[0]
    scale = float(losses[0].mean()) or 1.0
    found = [Importance(name, _interval(rise / scale)) for name, rise in zip(features, rises, strict=True)]
    return sorted(found, key=lambda importance: -importance.rise.value)


def partial_dependence(predict: Predict, X: pd.DataFrame, features: Sequence[str], *, classes: Collection[str] = ()) -> list[Dependence]:
    """Ask a model what it would say of some rows for other values of a feature (Friedman 2001), with their quartiles.

    Args:
        predict: Of the fitted model.
        X: Rows to ask about.
        features: To set.
        classes: That are shown; none where a number is predicted.
    """
    import numpy as np
    import pandas as pd

    some = X.iloc[np.unique(np.linspace(0, len(X) - 1, min(DEPENDENCE_ROWS, len(X))).astype(int))].reset_index(drop=True)
    grids = {name: grid for name in features if len(grid := _grid(X[name])) > 1}
    if not grids:
        return []
    asked = [some.assign(**{name: pd.Series([value] * len(some), dtype=X[name].dtype)}) for name, grid in grids.items() for value in grid]
    said = predict(pd.concat(asked, ignore_index=True))
    curves = {name: said.of_class(name).reshape(-1, len(some)) for name in classes} or {"": said.values.reshape(-1, len(some))}
    found: list[Dependence] = []
    start = 0
    for name, grid in grids.items():
        part = {label: rows[start : start + len(grid)] for label, rows in curves.items()}
        start += len(grid)
        found.append(Dependence(name, _told(grid), {label: _quartiles(rows) for label, rows in part.items()}))
    return found


def shown_classes(y: np.ndarray, classes: Sequence[str]) -> list[str]:
    """Name the classes whose curves are shown: the second of two, else the most frequent ones.

    >>> import numpy as np
    >>> shown_classes(np.array(["a", "b", "b"]), ["a", "b"]), shown_classes(np.array(["c", "c", "a"]), ["a", "b", "c"])
    (['b'], ['c', 'a', 'b'])
    """
    if len(classes) <= 2:
        return list(classes[-1:])
    return sorted(classes, key=lambda label: -int((y == label).sum()))[:MAX_CLASSES]


def _interval(values: np.ndarray) -> Interval:
    mean = float(values.mean())
    reach = 1.96 * float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return Interval(mean, mean - reach, mean + reach)


def _grid(values: pd.Series) -> list[object]:
    """List values of a feature from its 5 % to its 95 % quantile, or its most frequent categories."""
    import numpy as np

    present = values.dropna()
    if not len(present) or values.dtype.kind not in "fM":
        return list(present.value_counts().index[:MAX_CATEGORIES])
    steps = np.linspace(0.05, 0.95, GRID)
    grid = present.quantile(steps, interpolation="nearest").unique()
    # Of a number that is mostly one value, quantiles say no more than that.
    return list(grid if len(grid) >= GRID / 2 else present.drop_duplicates().quantile(steps, interpolation="nearest").unique())


def _told(grid: Sequence[object]) -> tuple[float, ...] | tuple[str, ...]:
    numbers = [float(value) for value in grid if isinstance(value, float)]
    return tuple(numbers) if numbers else tuple(str(value) for value in grid)


def _quartiles(rows: np.ndarray) -> np.ndarray:
    import numpy as np

    return np.vstack([rows.mean(axis=1), np.quantile(rows, (0.25, 0.75), axis=1)])
