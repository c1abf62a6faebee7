"""Whether probabilities come true on rows that were not fitted to, and what mends them where they do not.

Mended is by logistic regression on the logarithms of all probabilities: beta calibration of two classes (Kull et al. 2017),
Dirichlet calibration of more (Kull et al. 2019). It can stretch, shrink and shift them, and leaves true ones as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from tasks.core.metrics import Prediction, row_losses

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from sklearn.pipeline import Pipeline

    from tasks.core.use_case import Loss

LEAST_ROWS = 200
LEAST_OF_A_CLASS = 20
PARTS = 5
BLOCKS = 20
WORTH_MENDING = 0.005  # of the loss
SURE = 1.645  # standard errors
LEAST_PROBABILITY = 1e-6


@dataclass(frozen=True)
class Calibration:
    """What mends the probabilities of a model.

    Attributes:
        layer: Takes probabilities, of shape (n, k), and predicts better ones.
        before: Mean loss on rows that were not fitted to, as they are.
        after: The same, mended by what was fitted to the others of these rows.
    """

    layer: Pipeline
    before: float
    after: float

    def as_json(self) -> dict[str, float]:
        """Give what scripts read."""
        return {"before": self.before, "after": self.after}


def calibration_for(loss: Loss, y: np.ndarray, said: Prediction, *, is_ordered: bool) -> Calibration | None:
    """Fit what mends probabilities; None where it does not help on rows that it was not fitted to, or these are too few to tell.

    Args:
        loss: That decides.
        y: True labels, shape (n,).
        said: Of the same rows, by models that were not fitted to them.
        is_ordered: Whether the rows are in the order of their time.
    """
    import numpy as np

    if said.proba is None or len(y) < LEAST_ROWS or not _has_enough_of_each_class(y, said):
        return None
    before, after = row_losses(loss, y, said), np.zeros(len(y))
    for part in _parts(len(y), is_ordered=is_ordered):
        rest = np.setdiff1d(np.arange(len(y)), part)
        if len(np.unique(y[rest])) < len(said.classes):
            return None
        after[part] = row_losses(loss, y[part], mended(fit_layer(said.take(rest), y[rest]), said.take(part)))
    gained = np.array([block.mean() for block in np.array_split(before - after, BLOCKS)])
    if gained.mean() <= max(SURE * gained.std(ddof=1) / BLOCKS**0.5, WORTH_MENDING * before.mean()):
        return None
    return Calibration(fit_layer(said, y), float(before.mean()), float(after.mean()))


def mended(layer: Pipeline, said: Prediction) -> Prediction:
    """Give what a layer makes of probabilities."""
    import numpy as np

    proba = np.asarray(cast("Any", layer).predict_proba(said.proba))
    return Prediction(np.array(said.classes)[proba.argmax(axis=1)], proba, said.classes)


def build_calibrated(model: Pipeline, layer: Pipeline, X: pd.DataFrame, y: np.ndarray) -> Pipeline:
    """Put a fitted layer behind a fitted model that knows the same classes; the rows tell them, and nothing is fitted to the rows."""
    from sklearn.ensemble import VotingClassifier
    from sklearn.frozen import FrozenEstimator
    from sklearn.pipeline import Pipeline

    voting: Any = VotingClassifier([("chosen", FrozenEstimator(model))], voting="soft")
    steps: list[Any] = [("model", voting.fit(X, y)), *cast("Any", layer).steps]
    return Pipeline(steps)


def layer_of(model: Pipeline) -> Pipeline | None:
    """Give what mends the probabilities of a fitted model, with or without a threshold; None where nothing does."""
    from sklearn.model_selection import FixedThresholdClassifier
    from sklearn.pipeline import Pipeline

    mended: Any = model
    if issubclass(type(mended[-1]), FixedThresholdClassifier):
        mended = mended[-1].estimator.estimator
    return Pipeline(mended.steps[1:]) if mended.steps[-1][0] == "calibration" else None


def _has_enough_of_each_class(y: np.ndarray, said: Prediction) -> bool:
    import numpy as np

    labels, counts = np.unique(y, return_counts=True)
    return labels.tolist() == [*said.classes] and counts.min() >= LEAST_OF_A_CLASS


def _parts(rows: int, *, is_ordered: bool) -> list[np.ndarray]:
    import numpy as np

    places = np.arange(rows)
    return np.array_split(places, PARTS) if is_ordered else [places[part::PARTS] for part in range(PARTS)]


def fit_layer(said: Prediction, y: np.ndarray) -> Pipeline:
    """Fit what mends probabilities, which must know the classes of the labels and no others."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer

    bounds = {"a_min": LEAST_PROBABILITY, "a_max": 1.0}
    steps: list[Any] = [("clip", FunctionTransformer(np.clip, kw_args=bounds)), ("logarithm", FunctionTransformer(np.log))]
    layer: Any = Pipeline([*steps, ("calibration", LogisticRegression(max_iter=1000))])
    return layer.fit(said.proba, y)
