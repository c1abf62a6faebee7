"""When probabilities are mended, and that what mends them keeps true ones and costs nothing where it does not help."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.core.calibration import build_calibrated, calibration_for, layer_of, mended
from tasks.core.metrics import Prediction, row_losses
from tasks.core.thresholds import Threshold, build_thresholded

ROWS = 1000


def of_classes(proba: np.ndarray, classes: tuple[str, ...]) -> Prediction:
    return Prediction(np.array(classes)[proba.argmax(axis=1)], proba, classes)


def drawn(classes: tuple[str, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Give true probabilities, and labels that were drawn by them."""
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.full(len(classes), 0.7), ROWS)
    return proba, np.array([rng.choice(classes, p=each) for each in proba])


def sharpened(proba: np.ndarray) -> np.ndarray:
    """Make probabilities surer than they have a right to be."""
    sure = np.clip(proba, 1e-3, 1) ** 4
    return sure / sure.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("classes", [("no", "yes"), ("a", "b", "c")])
@pytest.mark.parametrize("loss", ["brier", "log_loss"])
@pytest.mark.parametrize("is_ordered", [False, True])
def test_what_is_too_sure_is_mended_on_rows_that_nothing_was_fitted_to(classes: tuple[str, ...], loss: str, *, is_ordered: bool) -> None:
    true, y = drawn(classes)
    found = calibration_for(loss, y, of_classes(sharpened(true), classes), is_ordered=is_ordered)
    assert found is not None
    assert found.after < found.before
    other, truth = drawn(classes, seed=1)
    losses = [
        row_losses(loss, truth, said).mean()
        for said in (of_classes(sharpened(other), classes), mended(found.layer, of_classes(sharpened(other), classes)))
    ]
    best = row_losses(loss, truth, of_classes(other, classes)).mean()
    assert losses[1] - best < (losses[0] - best) / 5, "most of what can be mended is"


@pytest.mark.parametrize("classes", [("no", "yes"), ("a", "b", "c")])
def test_true_probabilities_are_left_alone(classes: tuple[str, ...]) -> None:
    for seed in range(10):
        true, y = drawn(classes, seed)
        assert calibration_for("brier", y, of_classes(true, classes), is_ordered=False) is None


def test_few_rows_a_rare_class_an_unknown_one_and_numbers_are_left_alone() -> None:
    true, y = drawn(("no", "yes"))
    said = of_classes(sharpened(true), ("no", "yes"))
    assert calibration_for("brier", y[:199], said.take(np.arange(199)), is_ordered=False) is None
    rare = np.sort(np.concatenate([np.flatnonzero(y == "no"), np.flatnonzero(y == "yes")[:19]]))
    assert calibration_for("brier", y[rare], said.take(rare), is_ordered=False) is None
    unknown = np.where(np.arange(ROWS) < 50, "maybe", y)
    assert calibration_for("brier", unknown, said, is_ordered=False) is None
    assert calibration_for("squared_error", np.zeros(ROWS), Prediction(np.ones(ROWS)), is_ordered=False) is None


def test_a_class_that_comes_at_the_end_of_ordered_rows_cannot_be_mended() -> None:
    true, y = drawn(("no", "yes"))
    order = np.argsort(y, kind="stable")
    said = of_classes(sharpened(true), ("no", "yes")).take(order)
    late = np.where(np.arange(ROWS) < ROWS - 50, "no", "yes")
    assert calibration_for("brier", late, said, is_ordered=True) is None


def test_a_model_with_a_layer_predicts_what_the_layer_makes_of_its_probabilities() -> None:
    import pandas as pd
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline

    rng = np.random.default_rng(3)
    X = pd.DataFrame({"size": rng.normal(size=400)})
    y = np.where(X["size"] + rng.normal(size=400) > 0, "yes", "no")
    model = Pipeline([("model", LogisticRegression(C=1e-3).fit(X, y))])
    said = of_classes(model.predict_proba(X), ("no", "yes"))
    found = calibration_for("log_loss", y, said, is_ordered=False)
    assert found is not None, "what is too unsure is mended as well"
    together = build_calibrated(model, found.layer, X, y)
    assert list(together.classes_) == ["no", "yes"]
    assert np.array_equal(together.predict_proba(X), mended(found.layer, said).proba)
    deciding = build_thresholded(together, Threshold("yes", 0.3), X, y)
    for model_with_layer in (together, deciding):
        layer = layer_of(model_with_layer)
        assert layer is not None
        assert np.array_equal(mended(layer, said).proba, together.predict_proba(X))
    assert layer_of(model) is None
    assert layer_of(build_thresholded(model, Threshold("yes", 0.3), X, y)) is None
