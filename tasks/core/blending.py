"""Averages of candidates: each weighs the more, the less it lost on rows that it was not fitted to."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tasks.core.metrics import Prediction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from sklearn.pipeline import Pipeline

SOFTNESS = 0.1  # a loss that is larger by this share weighs 1/e as much; the best alone is often the luckiest
LEAST_WEIGHT = 0.02


def weights_of(losses: Mapping[str, float]) -> dict[str, float]:
    """Weigh candidates by their mean validation losses; the weights sum to 1, and what would hardly count is left out.

    >>> weights_of({"ridge": 1.0, "lasso": 1.1, "svm": 2.0})
    {'ridge': 0.731, 'lasso': 0.269}
    """
    finite = {name: loss for name, loss in losses.items() if math.isfinite(loss)}
    least = min(finite.values(), default=0.0)
    raw = {name: math.exp(-(loss / least - 1) / SOFTNESS) if least > 0 else float(loss == least) for name, loss in finite.items()}
    kept = {name: weight for name, weight in raw.items() if weight >= LEAST_WEIGHT * sum(raw.values())}
    return {name: round(weight / sum(kept.values()), 3) for name, weight in kept.items()}


def blend(predictions: Sequence[Prediction], weights: Sequence[float]) -> Prediction:
    """Average predictions of the same rows, of n rows and up to k classes; a class that one of them does not know has no chance there."""
    import numpy as np

    shares = np.asarray(weights) / np.sum(weights)
    if predictions[0].proba is None:
        return Prediction(np.sum([share * each.values for share, each in zip(shares, predictions, strict=True)], axis=0))
    classes = tuple(sorted({name for each in predictions for name in each.classes}))
    proba = np.sum([share * _spread(each, classes) for share, each in zip(shares, predictions, strict=True)], axis=0)
    return Prediction(np.array(classes)[proba.argmax(axis=1)], proba, classes)


def put_together(predictions: Sequence[Prediction]) -> Prediction:
    """Give predictions of different rows as one of all of them; a class that one of them does not know has no chance there."""
    import numpy as np

    values = np.concatenate([each.values for each in predictions])
    if predictions[0].proba is None:
        return Prediction(values)
    classes = tuple(sorted({name for each in predictions for name in each.classes}))
    return Prediction(values, np.concatenate([_spread(each, classes) for each in predictions]), classes)


def _spread(said: Prediction, classes: Sequence[str]) -> np.ndarray:
    """Give the probabilities of classes, of which a model need not know all."""
    import numpy as np

    spread = np.zeros((len(said.values), len(classes)))
    if said.proba is not None:
        spread[:, [classes.index(name) for name in said.classes]] = said.proba
    return spread


def build_blend(members: Mapping[str, Pipeline], weights: Mapping[str, float], *, is_regression: bool) -> Pipeline:
    """Give a pipeline that averages what fitted members say; fitting it to their target leaves them as they are."""
    from sklearn.ensemble import VotingClassifier, VotingRegressor
    from sklearn.frozen import FrozenEstimator
    from sklearn.pipeline import Pipeline

    named: list[Any] = [(name, FrozenEstimator(member)) for name, member in members.items()]
    shares = [weights[name] for name in members]
    voting: Any = VotingRegressor(named, weights=shares) if is_regression else VotingClassifier(named, weights=shares, voting="soft")
    return Pipeline([("model", voting)])
