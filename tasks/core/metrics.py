"""How good predictions are: per-row losses, metrics, and their intervals. A new metric is a function and a line in `METRICS`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np

    from tasks.core.table import Task
    from tasks.core.use_case import Loss

RESAMPLES = 200
BINS = 10
MOST_WEIGHTS = 4_000_000  # held at once, of 8 bytes
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

    def of_class(self, name: str) -> np.ndarray:
        """Give the probability of a class in each row."""
        return _checked(self)[:, self.classes.index(name)]


@dataclass(frozen=True)
class Interval:
    """A metric's value with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    def as_json(self) -> dict[str, float | None]:
        """Give what scripts read; JSON has no word for what is not finite."""
        return {name: value if math.isfinite(value) else None for name, value in vars(self).items()}


@dataclass(frozen=True)
class Metric:
    """A named measure, in the unit of the target or without one.

    `compute` takes true values, predictions and weights of the n rows, shape (n, r), and gives r values at once: a resample of a
    bootstrap is a column that says how often each row was drawn. `is_loss` says whether less is better.
    """

    name: str
    tasks: tuple[Task, ...]
    compute: Callable[[np.ndarray, Prediction, np.ndarray], np.ndarray]
    is_loss: bool = True


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


def metric_names(task: Task) -> list[str]:
    """Name the metrics of a task."""
    return [metric.name for metric in _serving(task)]


def is_loss(name: str) -> bool:
    """Say whether less of a metric is better; so it is of those that are not listed, such as the cost."""
    return all(metric.is_loss for metric in METRICS if metric.name == name)


def metrics_of(task: Task, y: np.ndarray, prediction: Prediction, more: Sequence[Metric] = ()) -> dict[str, float]:
    """Compute every metric of a task, and more of them; NaN where the rows do not define one."""
    import numpy as np

    return {name: float(values[0]) for name, values in _weighted((*_serving(task), *more), y, prediction, np.ones((len(y), 1))).items()}


def intervals_of(
    task: Task, y: np.ndarray, prediction: Prediction, more: Sequence[Metric] = (), *, blocks: int, seed: int
) -> dict[str, Interval]:
    """Add 95 % bootstrap intervals to the metrics of a task.

    Args:
        task: What kind of prediction.
        y: True values, shape (n,).
        prediction: Of the same rows.
        more: Metrics beside those of the task.
        blocks: Contiguous blocks to draw where rows are ordered; 0 draws single rows.
        seed: Of the draws.
    """
    import numpy as np

    parts = [_weighted((*_serving(task), *more), y, prediction, weights) for weights in _resamples(len(y), blocks, seed)]
    intervals: dict[str, Interval] = {}
    for name, value in metrics_of(task, y, prediction, more).items():
        values = np.concatenate([part[name] for part in parts])
        values = values[np.isfinite(values)]
        low, high = np.quantile(values, (0.025, 0.975)) if len(values) else (np.nan, np.nan)
        # Draws miss rare classes, which are the worst predicted ones, so all of them may lie on one side of the value.
        intervals[name] = Interval(value, min(float(low), value), max(float(high), value))
    return intervals


def differences_of(
    task: Task, y: np.ndarray, one: Prediction, other: Prediction, *, blocks: int, seed: int
) -> dict[str, tuple[float, float, Interval]]:
    """Give each metric of two predictions of the same rows, and their difference with its 95 % bootstrap interval.

    Both are resampled with the same rows, so what the rows have in common is in no difference.

    Args:
        task: What kind of prediction.
        y: True values, shape (n,).
        one: A prediction.
        other: Another one; a difference is this less the first.
        blocks: Contiguous blocks to draw where rows are ordered; 0 draws single rows.
        seed: Of the draws.
    """
    import numpy as np

    metrics, values = _serving(task), (metrics_of(task, y, one), metrics_of(task, y, other))
    parts = [[_weighted(metrics, y, said, weights) for said in (one, other)] for weights in _resamples(len(y), blocks, seed)]
    told: dict[str, tuple[float, float, Interval]] = {}
    for name, value in values[0].items():
        drawn = np.concatenate([second[name] - first[name] for first, second in parts])
        drawn = drawn[np.isfinite(drawn)]
        low, high = np.quantile(drawn, (0.025, 0.975)) if len(drawn) else (np.nan, np.nan)
        told[name] = value, values[1][name], Interval(values[1][name] - value, float(low), float(high))
    return told


def mse(y: np.ndarray, prediction: Prediction, weights: np.ndarray) -> np.ndarray:
    """Mean squared error, in the square of the target's unit."""
    return weighted_mean(row_losses("squared_error", y, prediction), weights)


def rmse(y: np.ndarray, prediction: Prediction, weights: np.ndarray) -> np.ndarray:
    """Root mean squared error, in the target's unit."""
    return mse(y, prediction, weights) ** 0.5


def mae(y: np.ndarray, prediction: Prediction, weights: np.ndarray) -> np.ndarray:
    """Mean absolute error, in the target's unit."""
    return weighted_mean(row_losses("absolute_error", y, prediction), weights)


def r2(y: np.ndarray, prediction: Prediction, weights: np.ndarray) -> np.ndarray:
    """Share of the target's variance that is explained; NaN for a constant target."""
    import numpy as np

    centred = y - y.mean()
    variance = np.maximum(weighted_mean(centred**2, weights) - weighted_mean(centred, weights) ** 2, 0.0)
    variance[variance <= 1e-12 * weighted_mean(centred**2, weights)] = np.nan  # of equal numbers, what is left is rounding
    return 1 - mse(y, prediction, weights) / variance


def brier(y: np.ndarray, prediction: Prediction, weights: np.ndarray) -> np.ndarray:
    """Mean squared distance of the probabilities to the truth, in [0, 2]."""
    return weighted_mean(row_losses("brier", y, prediction), weights)


def log_loss(y: np.ndarray, prediction: Prediction, weights: np.ndarray) -> np.ndarray:
    """Mean negative log probability of the true class, in nats."""
    return weighted_mean(row_losses("log_loss", y, prediction), weights)


def accuracy(y: np.ndarray, prediction: Prediction, weights: np.ndarray) -> np.ndarray:
    """Share of rows whose most probable class is the true one."""
    return weighted_mean(y == prediction.values, weights)


def balanced_accuracy(y: np.ndarray, prediction: Prediction, weights: np.ndarray) -> np.ndarray:
    """Share of the rows of a class that are recognised, averaged over the classes that occur (Brodersen et al. 2010)."""
    true, _, both = _counts(y, prediction, weights)
    return _mean_where(true > 0, both, true)


def f1_macro(y: np.ndarray, prediction: Prediction, weights: np.ndarray) -> np.ndarray:
    """F1 of each class that occurs or is predicted, averaged over these classes."""
    true, said, both = _counts(y, prediction, weights)
    return _mean_where(true + said > 0, 2 * both, true + said)


def roc_auc(y: np.ndarray, prediction: Prediction, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve; one class against the rest and averaged where there are several.

    NaN where the rows hold one class only.
    """
    wins: list[np.ndarray] = []
    pairs: list[np.ndarray] = []
    for positive, negative in _steps_of(y, prediction, weights):
        below = negative.cumsum(axis=0) - negative / 2  # of those with the same probability, half count
        wins.append((positive * below).sum(axis=0))
        pairs.append(positive.sum(axis=0) * negative.sum(axis=0))
    return _mean_of_classes(wins, pairs)


def average_precision(y: np.ndarray, prediction: Prediction, weights: np.ndarray) -> np.ndarray:
    """Mean precision over the recalled rows of a class, without interpolation; of two classes that of the second, else averaged."""
    import numpy as np

    summed: list[np.ndarray] = []
    total: list[np.ndarray] = []
    for positive, negative in _steps_of(y, prediction, weights, of_second=True):
        found, said = (np.flip(np.flip(counts, axis=0).cumsum(axis=0), axis=0) for counts in (positive, positive + negative))
        summed.append((positive * found / np.maximum(said, 1e-300)).sum(axis=0))
        total.append(positive.sum(axis=0))
    return _mean_of_classes(summed, total)


def calibration_error(y: np.ndarray, prediction: Prediction, weights: np.ndarray) -> np.ndarray:
    """Distance between probability and frequency of a class, over bins of as many rows each, averaged over the classes.

    The adaptive calibration error of Nixon et al. 2019 with 10 bins, in which equal probabilities stay together. Few rows
    make it large by chance alone.
    """
    import numpy as np

    proba = _checked(prediction)
    gaps: list[np.ndarray] = []
    for place, label in enumerate(prediction.classes):
        bins = bins_of(proba[:, place])
        summed = _summed(bins, proba[:, place] - (y == label), weights)
        gaps.append(np.abs(summed).sum(axis=0) / weights.sum(axis=0))
    return np.mean(gaps, axis=0)


def calibration_gaps(y: np.ndarray, prediction: Prediction) -> np.ndarray:
    """Give what each row adds to the calibration error, shape (n,): their mean is that error.

    >>> import numpy as np
    >>> said = Prediction(np.array(["b", "b"]), np.array([[0.4, 0.6], [0.4, 0.6]]), ("a", "b"))
    >>> calibration_gaps(np.array(["b", "b"]), said).round(2).tolist()
    [0.4, 0.4]
    """
    import numpy as np

    proba = _checked(prediction)
    gaps = np.zeros(len(y))
    for place, label in enumerate(prediction.classes):
        off = proba[:, place] - (y == label)
        bins = bins_of(proba[:, place])
        gaps += np.sign(np.bincount(bins, off))[bins] * off
    return gaps / len(prediction.classes)


def bins_of(proba: np.ndarray) -> np.ndarray:
    """Number the bin of each probability, from 0: of as many rows each as ties allow.

    >>> import numpy as np
    >>> bins_of(np.array([0.1, 0.1, 0.5, 0.9])).tolist()
    [0, 0, 1, 2]
    """
    import numpy as np

    edges = np.unique(np.quantile(proba, np.linspace(0, 1, BINS + 1)[1:-1], method="lower"))
    return np.unique(np.searchsorted(edges, proba, side="left"), return_inverse=True)[1]


METRICS = (
    Metric("mse", ("regression",), mse),
    Metric("rmse", ("regression",), rmse),
    Metric("mae", ("regression",), mae),
    Metric("r2", ("regression",), r2, is_loss=False),
    Metric("brier", CLASSIFICATION, brier),
    Metric("log_loss", CLASSIFICATION, log_loss),
    Metric("calibration_error", CLASSIFICATION, calibration_error),
    Metric("roc_auc", CLASSIFICATION, roc_auc, is_loss=False),
    Metric("average_precision", CLASSIFICATION, average_precision, is_loss=False),
    Metric("accuracy", CLASSIFICATION, accuracy, is_loss=False),
    Metric("balanced_accuracy", CLASSIFICATION, balanced_accuracy, is_loss=False),
    Metric("f1_macro", CLASSIFICATION, f1_macro, is_loss=False),
)


def _serving(task: Task) -> list[Metric]:
    return [metric for metric in METRICS if task in metric.tasks]


def _weighted(metrics: Sequence[Metric], y: np.ndarray, prediction: Prediction, weights: np.ndarray) -> dict[str, np.ndarray]:
    return {metric.name: metric.compute(y, prediction, weights) for metric in metrics}


def _checked(prediction: Prediction) -> np.ndarray:
    if prediction.proba is None:
        message = "this loss needs probabilities, and a regression has none"
        raise ValueError(message)
    return prediction.proba


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average values of n rows by weights of shape (n, r)."""
    return values @ weights / weights.sum(axis=0)


def _counts(y: np.ndarray, prediction: Prediction, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weigh the rows of each class, those that are taken for it, and those that are both, of shape (k, r)."""
    import numpy as np

    labels, codes = np.unique(np.concatenate([y, prediction.values]), return_inverse=True)
    true, said = codes[: len(y)], codes[len(y) :]
    ones = np.ones(len(y))
    kept = (_summed(true, ones, weights, len(labels)), _summed(said, ones, weights, len(labels)))
    return *kept, _summed(true, (true == said).astype(np.float64), weights, len(labels))


def _summed(groups: np.ndarray, values: np.ndarray, weights: np.ndarray, count: int | None = None) -> np.ndarray:
    """Sum weighted values of n rows by their group, shape (groups, r)."""
    import numpy as np
    from scipy import sparse

    places = (groups, np.arange(len(groups)))
    members: Any = sparse.csr_array((values, places), shape=(count or int(groups.max()) + 1, len(groups)))
    return members @ weights


def _mean_where(counted: np.ndarray, part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    import numpy as np

    return (np.where(counted, part, 0.0) / np.where(counted, whole, 1.0)).sum(axis=0) / counted.sum(axis=0)


def _mean_of_classes(part: list[np.ndarray], whole: list[np.ndarray]) -> np.ndarray:
    """Average what part of a whole each class has, over the classes that have one; NaN where none has."""
    import numpy as np

    totals = np.array(whole)
    counted = totals > 0
    with np.errstate(invalid="ignore"):
        return _mean_where(counted, np.array(part), totals)


def _steps_of(
    y: np.ndarray, prediction: Prediction, weights: np.ndarray, *, of_second: bool = False
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield for each class the weights of its rows and of all others, by probability upwards.

    Rows between which there is none of the class make one step, so that a class of few rows has few.
    """
    import numpy as np

    proba = _checked(prediction)
    for place, label in enumerate(prediction.classes):
        if of_second and len(prediction.classes) == 2 and not place:
            continue
        scores, score = np.unique(proba[:, place], return_inverse=True)
        positive = (y == label).astype(np.float64)
        has_positive = np.bincount(score, positive, len(scores)) > 0
        step = np.append(0, np.cumsum(has_positive[1:] | has_positive[:-1]))[score]
        yield _summed(step, positive, weights), _summed(step, 1 - positive, weights)


def _resamples(rows: int, blocks: int, seed: int) -> Iterator[np.ndarray]:
    """Yield resamples as weights of the rows, shape (n, r), in parts that fit into memory."""
    import numpy as np

    rng = np.random.default_rng(seed)
    units = blocks or rows
    edges = np.linspace(0, rows, units + 1).astype(int)
    at_once = max(1, min(RESAMPLES, MOST_WEIGHTS // rows))
    for first in range(0, RESAMPLES, at_once):
        draws = rng.integers(0, units, (min(at_once, RESAMPLES - first), units))
        counts = np.array([np.bincount(draw, minlength=units) for draw in draws], dtype=np.float64)
        yield np.repeat(counts.T, np.diff(edges), axis=0)
