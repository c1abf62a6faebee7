"""From which probability on a class is said, and that this costs least."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from tasks.core.errors import UsageError
from tasks.core.metrics import Prediction, intervals_of
from tasks.core.thresholds import Threshold, build_thresholded, cost_metric, labels_of, measure_threshold, threshold_of
from tasks.core.use_case import Costs

LABELS = np.array(["no", "yes"])
COSTS = Costs(false_positive=1, false_negative=4)


def said(proba: np.ndarray) -> Prediction:
    return Prediction(LABELS[(proba > 0.5).astype(int)], np.stack([1 - proba, proba], axis=1), ("no", "yes"))


def test_equal_costs_ask_for_no_threshold_whatever_the_task() -> None:
    assert threshold_of(Costs(), "regression", np.zeros(3)) is None
    assert threshold_of(Costs(false_positive=3, false_negative=3), "binary", LABELS) is None


def test_the_class_that_is_looked_for_may_be_either() -> None:
    assert threshold_of(COSTS, "binary", LABELS) == Threshold("yes", 0.2)
    assert threshold_of(COSTS.model_copy(update={"positive": "no"}), "binary", LABELS) == Threshold("no", 0.2)


def test_costs_that_do_not_fit_the_target_are_refused_with_the_way_out() -> None:
    with pytest.raises(UsageError, match="costs: are for targets of two values, and the task is multiclass; leave them out"):
        threshold_of(COSTS, "multiclass", np.array(["a", "b", "c"]))
    with pytest.raises(UsageError, match="there is no class 'yse'; did you mean 'yes'"):
        threshold_of(COSTS.model_copy(update={"positive": "yse"}), "binary", LABELS)

    with pytest.raises(UsageError, match=r"costs\.positive names no class of the target, whose classes are personal; name one that it has"):
        threshold_of(COSTS.model_copy(update={"positive": "yse"}), "binary", LABELS, is_personal=True)


def test_true_probabilities_keep_the_threshold_of_the_costs() -> None:
    rng, first = np.random.default_rng(0), Threshold("yes", 0.2)
    kept = 0
    for _ in range(20):
        proba = rng.uniform(size=500)
        y = LABELS[(rng.uniform(size=500) < proba).astype(int)]
        kept += measure_threshold(first, COSTS, y, said(proba)) == first
    assert kept >= 16


def test_probabilities_that_do_not_come_true_get_the_threshold_that_costs_least() -> None:
    proba = np.linspace(0, 1, 500)
    y = LABELS[(proba > 0.7).astype(int)]
    found = measure_threshold(Threshold("yes", 0.2), COSTS, y, said(proba))
    assert found.is_measured
    assert found.value == pytest.approx(0.7, abs=0.01)


def test_one_probability_for_all_rows_keeps_the_threshold_of_the_costs() -> None:
    assert measure_threshold(Threshold("yes", 0.2), COSTS, LABELS[[0, 1, 1]], said(np.full(3, 0.4))) == Threshold("yes", 0.2)


@pytest.mark.parametrize("positive", ["yes", "no"])
def test_a_model_says_a_class_from_its_threshold_on_and_keeps_its_probabilities(positive: str) -> None:
    X = pd.DataFrame({"size": np.linspace(-2, 2, 100)})
    y = LABELS[(X["size"].to_numpy() > 0).astype(int)]
    model = Pipeline([("model", LogisticRegression().fit(X, y))])
    deciding = build_thresholded(model, Threshold(positive, 0.2), X, y)
    proba = model.predict_proba(X)
    assert np.array_equal(deciding.predict_proba(X), proba)
    assert labels_of(model, proba).tolist() == model.predict(X).tolist()
    assert labels_of(deciding, proba).tolist() == deciding.predict(X).tolist()
    of_positive = proba[:, list(LABELS).index(positive)]
    assert ((deciding.predict(X) == positive) == (of_positive >= 0.2)).all()


def test_the_cost_of_a_row_is_a_metric_with_an_interval() -> None:
    y = LABELS[[0, 0, 1, 1]]
    found = intervals_of("binary", y, said(np.array([0.1, 0.9, 0.1, 0.9])), [cost_metric(COSTS, "yes")], blocks=0, seed=0)["cost"]
    assert found.value == pytest.approx((1 + 4) / 4)
    assert found.low < found.value < found.high
