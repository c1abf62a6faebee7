"""How good predictions are: per-row losses, metrics, and their intervals. A new metric is a function and a line in `METRICS`."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from tasks.core.table import Task
    from tasks.core.use_case import Loss

RESAMPLES = 200
CLASSIFICATION: tuple[Task, ...] = ("binary", "multiclass")


@dataclass(frozen=True)
class Prediction:
    """What a model says of n rows.

    Attributes:
        values: Numbers, or class labels as text, shape (n,).
        proba: Probabilities in the order of `classes`, shape (n, k); None for regression.
        classes: The k class labels; empty for regression.
    """

    values: np.ndarray
    proba: np.ndarray | None = None
    classes: tuple[str, ...] = ()

    def take(self, rows: np.ndarray) -> Prediction:
        """Keep the predictions of some rows, by position."""
        return Prediction(self.values[rows], None if self.proba is None else self.proba[rows], self.classes)


@dataclass(frozen=True)
class Interval:
    """A metric's value with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Metric:
    """A named measure, in the unit of the target or without one."""

    name: str
    tasks: tuple[Task, ...]
    compute: Callable[[np.ndarray, Prediction], float]


def row_losses(loss: Loss, y: np.ndarray, prediction: Prediction) -> np.ndarray:
    """Give the proper loss of each row, float64 of shape (n,); lower is better.

    Brier is the squared distance to the true class's corner, in [0, 2] (Brier 1950); log loss is in nats, at most 34.5.

    >>> import numpy as np
    >>> sure = Prediction(np.array(["no"]), np.array([[0.8, 0.2]]), ("no", "yes"))
    >>> row_losses("brier", np.array(["no"]), sure).round(2).tolist()
    [0.08]
    """
    import numpy as np

    if loss == "squared_error":
        return (y - prediction.values) ** 2
    if loss == "absolute_error":
        return np.abs(y - prediction.values)
    proba = _checked(prediction)
    truth = y[:, None] == np.array(prediction.classes)[None, :]
    if loss == "brier":
        # A class that no model has seen has no column; its own corner still counts.
        return ((proba - truth) ** 2).sum(axis=1) + (~truth.any(axis=1))
    return -np.log(np.clip((proba * truth).sum(axis=1), 1e-15, 1.0))


def metrics_of(task: Task, y: np.ndarray, prediction: Prediction) -> dict[str, float]:
    """Compute every metric of a task; NaN where the rows do not define it."""
    return {metric.name: metric.compute(y, prediction) for metric in METRICS if task in metric.tasks}


def intervals_of(task: Task, y: np.ndarray, prediction: Prediction, *, blocks: int, seed: int) -> dict[str, Interval]:
    """Add 95 % bootstrap intervals to the metrics of a task.

    Args:
        task: What kind of prediction.
        y: True values, shape (n,).
        prediction: Of the same rows.
        blocks: Contiguous blocks to draw where rows are ordered; 0 draws single rows.
        seed: Of the draws.
    """
    import numpy as np

    drawn = [metrics_of(task, y[rows], prediction.take(rows)) for rows in _resamples(len(y), blocks, seed)]
    intervals: dict[str, Interval] = {}
    for name, value in metrics_of(task, y, prediction).items():
        values = np.array([draw[name] for draw in drawn])
        values = values[np.isfinite(values)]
        low, high = np.quantile(values, (0.025, 0.975)) if len(values) else (np.nan, np.nan)
        # Draws miss rare classes, which are the worst predicted ones, so all of them may lie on one side of the value.
        intervals[name] = Interval(value, min(float(low), value), max(float(high), value))
    return intervals


def rmse(y: np.ndarray, prediction: Prediction) -> float:
    """Root mean squared error, in the target's unit."""
    return float(((y - prediction.values) ** 2).mean() ** 0.5)


def mae(y: np.ndarray, prediction: Prediction) -> float:
    """Mean absolute error, in the target's unit."""
    return float(abs(y - prediction.values).mean())


def r2(y: np.ndarray, prediction: Prediction) -> float:
    """Share of the target's variance that is explained; NaN for a constant target."""
    # The mean of equal numbers may differ from them in the last bit.
    variance = float(((y - y.mean()) ** 2).mean()) if (y != y[0]).any() else 0.0
    return 1 - float(((y - prediction.values) ** 2).mean()) / variance if variance else float("nan")


def brier(y: np.ndarray, prediction: Prediction) -> float:
    """Mean squared distance of the probabilities to the truth, in [0, 2]."""
    return float(row_losses("brier", y, prediction).mean())


def log_loss(y: np.ndarray, prediction: Prediction) -> float:
    """Mean negative log probability of the true class, in nats."""
    return float(row_losses("log_loss", y, prediction).mean())


def accuracy(y: np.ndarray, prediction: Prediction) -> float:
    """Share of rows whose most probable class is the true one."""
    return float((y == prediction.values).mean())


def f1_macro(y: np.ndarray, prediction: Prediction) -> float:
    """F1 of each class that occurs or is predicted, averaged over these classes."""
    import numpy as np

    scores: list[float] = []
    for label in np.union1d(y, prediction.values):
        true, said = y == label, prediction.values == label
        scores.append(2 * float((true & said).sum()) / float(true.sum() + said.sum()))
    return float(np.mean(scores))


def roc_auc(y: np.ndarray, prediction: Prediction) -> float:
    """Area under the ROC curve; one class against the rest and averaged where there are several.

    NaN where the rows hold one class only.
    """
    import numpy as np
    import pandas as pd

    proba = _checked(prediction)
    areas: list[float] = []
    for place, label in enumerate(prediction.classes):
        positive = y == label
        wins, losses = int(positive.sum()), int((~positive).sum())
        if wins and losses:
            ranks = pd.Series(proba[:, place]).rank().to_numpy()
            areas.append((float(ranks[positive].sum()) - wins * (wins + 1) / 2) / (wins * losses))
    return float(np.mean(areas)) if areas else float("nan")


METRICS = (
    Metric("rmse", ("regression",), rmse),
    Metric("mae", ("regression",), mae),
    Metric("r2", ("regression",), r2),
    Metric("brier", CLASSIFICATION, brier),
    Metric("log_loss", CLASSIFICATION, log_loss),
    Metric("roc_auc", CLASSIFICATION, roc_auc),
    Metric("accuracy", CLASSIFICATION, accuracy),
    Metric("f1_macro", CLASSIFICATION, f1_macro),
)


def _checked(prediction: Prediction) -> np.ndarray:
    if prediction.proba is None:
        message = "this loss needs probabilities, and a regression has none"
        raise ValueError(message)
    return prediction.proba


def _resamples(rows: int, blocks: int, seed: int) -> list[np.ndarray]:
    import numpy as np

    rng = np.random.default_rng(seed)
    if not blocks:
        return [rng.integers(0, rows, rows) for _ in range(RESAMPLES)]
    edges: list[int] = np.linspace(0, rows, blocks + 1).astype(int).tolist()
    parts: list[np.ndarray] = [np.arange(start, end) for start, end in pairwise(edges)]
    draws: list[list[int]] = rng.integers(0, blocks, (RESAMPLES, blocks)).tolist()
    return [np.concatenate([parts[part] for part in draw]) for draw in draws]
