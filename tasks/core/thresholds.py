"""From which probability on a row is said to be of a class, where one error costs more than the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from tasks.core.errors import UsageError
from tasks.core.metrics import Metric, weighted_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd
    from sklearn.pipeline import Pipeline

    from tasks.core.metrics import Prediction
    from tasks.core.table import Task
    from tasks.core.use_case import Costs

COST = "cost"
MOST_TRIED = 200
SURE = 3.0  # standard errors: the best of many thresholds is mostly luck


@dataclass(frozen=True)
class Threshold:
    """From which probability on a row is said to be of a class.

    Attributes:
        positive: The class; empty where it may not be told.
        value: The probability.
        is_measured: Whether rows that were not fitted to chose it; else it follows from the costs alone.
    """

    positive: str
    value: float
    is_measured: bool = False

    def without_name(self) -> Threshold:
        """Give what may be told of it where the target is personal."""
        return replace(self, positive="")

    def as_json(self) -> dict[str, object]:
        """Give what scripts read."""
        return dict(vars(self))

    def __str__(self) -> str:
        """Write it for a person."""
        who = f"'{self.positive}'" if self.positive else "the class that is looked for"
        return f"{who} is said from a probability of {self.value:.3g} on"


def positive_of(costs: Costs, classes: Sequence[str]) -> str:
    """Name the class that is looked for; nothing where there are no classes."""
    return costs.positive or (classes[-1] if classes else "")


def threshold_of(costs: Costs, task: Task, y: np.ndarray, *, is_personal: bool = False) -> Threshold | None:
    """Give the threshold that is cheapest where probabilities come true; None where both errors cost the same.

    Args:
        costs: Of each error.
        task: That the target sets.
        y: Labels; the last one in order is the positive one where the costs name none.
        is_personal: Whether no message may name them.

    Raises:
        UsageError: the task has no two classes, or the costs name none of them.

    >>> import numpy as np
    >>> from tasks.core.use_case import Costs
    >>> threshold_of(Costs(false_negative=4), "binary", np.array(["no", "yes", "no"]))
    Threshold(positive='yes', value=0.2, is_measured=False)
    """
    import numpy as np

    if costs.are_equal:
        return None
    if task != "binary":
        message = f"costs: are for targets of two values, and the task is {task}; leave them out"
        raise UsageError(message, where="costs")
    classes = np.unique(y).tolist()
    if is_personal and costs.positive not in (None, *classes):
        message = "costs.positive names no class of the target, whose classes are personal; name one that it has"
        raise UsageError(message, where="costs.positive")
    if costs.positive not in (None, *classes):
        raise UsageError.unknown("class", str(costs.positive), classes, where="costs.positive")
    return Threshold(positive_of(costs, classes), costs.false_positive / (costs.false_positive + costs.false_negative))


def measure_threshold(first: Threshold, costs: Costs, y: np.ndarray, said: Prediction) -> Threshold:
    """Choose the threshold that costs least, or keep the first one unless that costs more beyond chance.

    Args:
        first: What the costs alone ask for.
        costs: Of each error.
        y: True labels, shape (n,).
        said: Of the same rows, by models that were not fitted to them.
    """
    import numpy as np

    scores, is_positive = said.of_class(first.positive), y == first.positive
    known = np.unique(scores)
    between = (known[1:] + known[:-1]) / 2
    tried = between[np.unique(np.linspace(0, len(between) - 1, min(MOST_TRIED, len(between))).astype(int))]
    if not len(tried):
        return first
    spent = [_costs_of(costs, is_positive, scores >= value) for value in tried]
    best = int(np.argmin([each.mean() for each in spent]))
    saved = _costs_of(costs, is_positive, scores >= first.value) - spent[best]
    is_sure = saved.mean() > SURE * saved.std(ddof=1) / len(saved) ** 0.5
    return Threshold(first.positive, float(tried[best]), is_measured=True) if is_sure else first


def cost_metric(costs: Costs, positive: str) -> Metric:
    """Give the mean cost of a row as a metric."""

    def compute(y: np.ndarray, prediction: Prediction, weights: np.ndarray) -> np.ndarray:
        return weighted_mean(_costs_of(costs, y == positive, prediction.values == positive), weights)

    return Metric(COST, ("binary",), compute)


def build_thresholded(model: Pipeline, threshold: Threshold, X: pd.DataFrame, y: np.ndarray) -> Pipeline:
    """Let a fitted model say a class from a threshold on; the rows tell the classes, and nothing is fitted to them."""
    from sklearn.frozen import FrozenEstimator
    from sklearn.model_selection import FixedThresholdClassifier
    from sklearn.pipeline import Pipeline

    settings: dict[str, Any] = {"threshold": threshold.value, "pos_label": threshold.positive}
    deciding: Any = FixedThresholdClassifier(FrozenEstimator(model), **settings)
    return Pipeline([("model", deciding.fit(X, y))])


def labels_of(model: Pipeline, proba: np.ndarray) -> np.ndarray:
    """Give the label of each row by its probabilities: the most likely one, or that of a threshold where the model has one."""
    import numpy as np
    from sklearn.model_selection import FixedThresholdClassifier

    classes, deciding = np.asarray(cast("Any", model).classes_), cast("Any", model)[-1]
    if not issubclass(type(deciding), FixedThresholdClassifier):
        return classes[proba.argmax(axis=1)]
    at = int(np.flatnonzero(classes == deciding.pos_label)[0])
    return classes[np.where(proba[:, at] >= deciding.threshold, at, 1 - at)]


def _costs_of(costs: Costs, is_positive: np.ndarray, is_said: np.ndarray) -> np.ndarray:
    return costs.false_positive * (is_said & ~is_positive) + costs.false_negative * (is_positive & ~is_said)
