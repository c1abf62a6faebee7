"""Averages of candidates: those are taken that together lose least on rows that they were not fitted to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks.core.metrics import Prediction, row_losses

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from sklearn.pipeline import Pipeline

    from tasks.core.use_case import Loss

STEPS = 10  # members that are drawn; one may be drawn again and weighs more


def weights_of(loss: Loss, y: np.ndarray, said: Mapping[str, Prediction]) -> dict[str, float]:
    """Draw the members of an average one by one, each the one that helps those before it most (Caruana et al. 2004).

    Args:
        loss: That decides.
        y: True values, shape (n,).
        said: Of the same rows, by candidates that were not fitted to them, the best one first.

    Returns:
        The shares of those that were drawn; they sum to 1.

    >>> import numpy as np
    >>> high, low = Prediction(np.array([2.0, 4.0])), Prediction(np.array([0.0, 2.0]))
    >>> weights_of("squared_error", np.array([1.0, 3.0]), {"high": high, "low": low, "far": Prediction(np.array([9.0, 9.0]))})
    {'high': 0.5, 'low': 0.5}
    """
    drawn = dict.fromkeys(said, 0)

    def loss_with(name: str) -> float:
        counts = {**drawn, name: drawn[name] + 1}
        members = [other for other in counts if counts[other]]
        return float(row_losses(loss, y, blend([said[member] for member in members], [counts[member] for member in members])).mean())

    for _ in range(STEPS):
        drawn[min(said, key=loss_with)] += 1
    return {name: count / STEPS for name, count in drawn.items() if count}


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
