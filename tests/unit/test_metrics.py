from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from tasks.core.metrics import BINS, METRICS, RESAMPLES, Interval, Prediction, bins_of, intervals_of, metrics_of, row_losses

if TYPE_CHECKING:
    from tasks.core.table import Task
    from tasks.core.use_case import Loss

NUMBERS = st.floats(-1e6, 1e6)
REGRESSIONS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=20).map(lambda pairs: np.array(pairs).T)


@st.composite
def classifications(draw: st.DrawFn, min_classes: int = 2, max_classes: int = 4) -> tuple[np.ndarray, Prediction]:
    """Draw true classes and probabilities that add up to one, ties among them."""
    classes = tuple("abcd"[: draw(st.integers(min_classes, max_classes))])
    rows = draw(st.integers(1, 15))
    weights = np.array(draw(st.lists(st.integers(1, 20), min_size=rows * len(classes), max_size=rows * len(classes))), dtype="float64")
    proba = weights.reshape(rows, len(classes))
    proba /= proba.sum(axis=1, keepdims=True)
    y = np.array(draw(st.lists(st.sampled_from(classes), min_size=rows, max_size=rows)))
    return y, Prediction(np.array(classes)[proba.argmax(axis=1)], proba, classes)


def binary(*positive: float) -> Prediction:
    proba = np.column_stack([1 - np.array(positive), np.array(positive)])
    return Prediction(np.where(proba[:, 1] > 0.5, "yes", "no"), proba, ("no", "yes"))


def one_hot(y: np.ndarray, prediction: Prediction) -> np.ndarray:
    return y[:, None] == np.array(prediction.classes)[None, :]


# ----------------------------------------------------------------------------------------- against scikit-learn's own


@settings(deadline=None, max_examples=20)
@given(REGRESSIONS)
def test_regression_metrics_are_those_of_scikit_learn(values: np.ndarray) -> None:
    y, said = values
    found = metrics_of("regression", y, Prediction(said))
    assert list(found) == ["mse", "rmse", "mae", "r2"]
    assert found["mse"] == pytest.approx(reference.mean_squared_error(y, said))
    assert found["rmse"] == pytest.approx(reference.root_mean_squared_error(y, said))
    assert found["mae"] == pytest.approx(reference.mean_absolute_error(y, said))
    if np.ptp(y) > 1e-3:
        assert found["r2"] == pytest.approx(reference.r2_score(y, said), rel=1e-6, abs=1e-9)


@settings(deadline=None, max_examples=20)
@given(classifications())
def test_classification_metrics_are_those_of_scikit_learn(case: tuple[np.ndarray, Prediction]) -> None:
    y, prediction = case
    classes, proba = list(prediction.classes), prediction.proba
    found = metrics_of("multiclass", y, prediction)
    ranked, counted = ["roc_auc", "average_precision"], ["accuracy", "balanced_accuracy", "f1_macro"]
    assert list(found) == ["brier", "log_loss", "calibration_error", *ranked, *counted]
    recalls = reference.recall_score(y, prediction.values, labels=sorted(set(y)), average=None)
    assert found["balanced_accuracy"] == pytest.approx(np.mean(recalls))
    assert found["brier"] == pytest.approx(reference.brier_score_loss(y, proba, labels=classes, scale_by_half=False))
    assert found["log_loss"] == pytest.approx(reference.log_loss(y, proba, labels=classes))
    assert found["accuracy"] == pytest.approx(reference.accuracy_score(y, prediction.values))
    assert found["f1_macro"] == pytest.approx(reference.f1_score(y, prediction.values, average="macro"))


@settings(deadline=None, max_examples=20)
@given(classifications())
def test_the_area_under_the_curve_is_that_of_scikit_learn_over_the_classes_that_occur(case: tuple[np.ndarray, Prediction]) -> None:
    y, prediction = case
    assert prediction.proba is not None
    truth = one_hot(y, prediction)
    areas = [reference.roc_auc_score(truth[:, k], prediction.proba[:, k]) for k in range(truth.shape[1]) if 0 < truth[:, k].sum() < len(y)]
    found = metrics_of("multiclass", y, prediction)["roc_auc"]
    assert found == pytest.approx(np.mean(areas)) if areas else math.isnan(found)


@settings(deadline=None, max_examples=20)
@given(classifications(min_classes=3))
def test_the_average_precision_is_that_of_scikit_learn_over_the_classes_that_occur(case: tuple[np.ndarray, Prediction]) -> None:
    y, prediction = case
    assert prediction.proba is not None
    truth = one_hot(y, prediction)
    areas = [reference.average_precision_score(truth[:, k], prediction.proba[:, k]) for k in range(truth.shape[1]) if truth[:, k].any()]
    assert metrics_of("multiclass", y, prediction)["average_precision"] == pytest.approx(np.mean(areas))


def test_the_average_precision_of_two_classes_is_that_of_the_second() -> None:
    y = np.array(["no", "yes", "no", "yes", "yes"])
    scores = np.array([0.125, 0.75, 0.5, 0.5, 0.25])
    found = metrics_of("binary", y, binary(*scores))["average_precision"]
    assert found == pytest.approx(reference.average_precision_score(y == "yes", scores))


def test_a_calibration_error_is_the_distance_of_probability_and_frequency_in_bins_of_as_many_rows() -> None:
    y = np.array(["no", "yes"] * 50)
    assert metrics_of("binary", y, binary(*[0.5] * 100))["calibration_error"] == pytest.approx(0.0)
    assert metrics_of("binary", y, binary(*[0.8] * 100))["calibration_error"] == pytest.approx(0.3)
    # On the average right, and wrong in each half.
    assert metrics_of("binary", np.sort(y), binary(*[0.3] * 50, *[0.7] * 50))["calibration_error"] == pytest.approx(0.3)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_equal_probabilities_share_a_bin_and_bins_are_numbered_by_probability(proba: list[float]) -> None:
    values = np.array(proba)
    bins = bins_of(values)
    assert set(bins.tolist()) == set(range(bins.max() + 1))
    assert bins.max() < BINS
    assert all((bins[values == value] == bins[values == value][0]).all() for value in proba)
    assert (np.diff(bins[np.argsort(values, kind="stable")]) >= 0).all()


def test_many_different_probabilities_fill_the_bins_evenly() -> None:
    assert np.bincount(bins_of(np.random.default_rng(0).random(1000))).tolist() == [100] * BINS


@settings(deadline=None, max_examples=30)
@given(classifications(), st.data())
def test_a_row_that_is_drawn_twice_counts_like_two_rows_in_a_classification(
    case: tuple[np.ndarray, Prediction], data: st.DataObject
) -> None:
    check_weights("multiclass", *case, data)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=2, max_size=20), st.data())
def test_a_row_that_is_drawn_twice_is_two_rows_of_a_regression(pairs: list[tuple[int, int]], data: st.DataObject) -> None:
    y, said = np.array(pairs, dtype="float64").T
    check_weights("regression", y, Prediction(said), data)


def check_weights(task: Task, y: np.ndarray, prediction: Prediction, data: st.DataObject) -> None:
    times = np.array(data.draw(st.lists(st.integers(0, 3), min_size=len(y), max_size=len(y))))
    times[0] += 1
    rows = np.repeat(np.arange(len(y)), times)
    repeated = metrics_of(task, y[rows], prediction.take(rows))
    for metric in METRICS:
        if task in metric.tasks and metric.name != "calibration_error":  # whose bins are those of all rows
            weighted = metric.compute(y, prediction, times[:, None].astype("float64"))
            assert weighted.shape == (1,)
            assert weighted[0] == pytest.approx(repeated[metric.name], nan_ok=True), metric.name


def test_the_area_under_the_curve_of_two_classes_is_that_of_the_second() -> None:
    y = np.array(["no", "yes", "no", "yes", "yes"])
    scores = np.array([0.125, 0.75, 0.5, 0.5, 0.25])
    found = metrics_of("binary", y, binary(*scores))["roc_auc"]
    assert found == pytest.approx(reference.roc_auc_score(y == "yes", scores)) == pytest.approx(0.75)


def test_the_area_under_the_curve_of_all_classes_is_the_one_against_rest_average() -> None:
    rng = np.random.default_rng(0)
    proba = rng.dirichlet(np.ones(3), 60)
    y = np.resize(["a", "b", "c"], 60)
    found = metrics_of("multiclass", y, Prediction(y, proba, ("a", "b", "c")))["roc_auc"]
    assert found == pytest.approx(reference.roc_auc_score(y, proba, multi_class="ovr", average="macro"))


# ------------------------------------------------------------------------------------------------------- row losses


@given(REGRESSIONS)
def test_the_mean_of_the_row_losses_is_the_metric_of_a_regression(values: np.ndarray) -> None:
    y, prediction = values[0], Prediction(values[1])
    found = metrics_of("regression", y, prediction)
    assert row_losses("squared_error", y, prediction).mean() == pytest.approx(found["rmse"] ** 2)
    assert row_losses("absolute_error", y, prediction).mean() == pytest.approx(found["mae"])


@given(classifications(), st.sampled_from(["brier", "log_loss"]))
def test_the_mean_of_the_row_losses_is_the_metric_of_a_classification(case: tuple[np.ndarray, Prediction], loss: Loss) -> None:
    assert row_losses(loss, *case).mean() == pytest.approx(metrics_of("multiclass", *case)[loss])


def test_a_sure_prediction_costs_nothing_when_right_and_the_most_when_wrong() -> None:
    y = np.array(["yes", "no"])
    assert row_losses("brier", y, binary(1.0, 1.0)).tolist() == [0.0, 2.0]
    assert row_losses("log_loss", y, binary(1.0, 1.0)).tolist() == pytest.approx([0.0, -math.log(1e-15)])


def test_a_class_that_the_model_does_not_know_costs_as_much_as_a_wrong_one() -> None:
    y = np.array(["maybe", "yes"])
    assert row_losses("brier", y, binary(0.5, 0.5)).tolist() == [1.5, 0.5]
    assert row_losses("log_loss", y, binary(0.5, 0.5)).tolist() == pytest.approx([-math.log(1e-15), math.log(2)])
    found = metrics_of("binary", y, binary(0.25, 0.75))
    assert (found["accuracy"], found["roc_auc"]) == (0.5, 1.0)
    assert found["f1_macro"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("loss", ["brier", "log_loss"])
def test_the_best_probability_is_the_true_one(loss: Loss) -> None:
    y = np.array(["yes"] * 3 + ["no"] * 7)
    costs = {p: row_losses(loss, y, binary(*[p] * 10)).mean() for p in (0.1, 0.2, 0.3, 0.4, 0.5)}
    assert min(costs, key=lambda p: costs[p]) == 0.3


@pytest.mark.parametrize("loss", ["brier", "log_loss"])
def test_a_loss_of_probabilities_needs_some(loss: Loss) -> None:
    with pytest.raises(ValueError, match=r"^this loss needs probabilities, and a regression has none$"):
        row_losses(loss, np.array([1.0]), Prediction(np.array([1.0])))


# ------------------------------------------------------------------------------------ rows that do not define a metric


def test_rows_of_one_class_define_no_area_under_the_curve_and_everything_else() -> None:
    y = np.array(["yes", "yes", "yes"])
    found = metrics_of("binary", y, binary(0.75, 0.5, 1.0))
    assert math.isnan(found.pop("roc_auc"))
    assert found == pytest.approx(
        {
            "brier": 0.625 / 3,
            "log_loss": (math.log(4 / 3) + math.log(2)) / 3,
            "calibration_error": 0.25,
            "average_precision": 1.0,
            "accuracy": 2 / 3,
            "balanced_accuracy": 2 / 3,
            "f1_macro": 0.4,
        }
    )


def test_a_metric_that_the_rows_do_not_define_has_no_interval() -> None:
    found = intervals_of("binary", np.array(["yes"] * 5), binary(0.75, 0.5, 1.0, 0.25, 0.75), blocks=0, seed=0)
    assert all(math.isnan(end) for end in vars(found["roc_auc"]).values())
    assert all(math.isfinite(end) for name, interval in found.items() if name != "roc_auc" for end in vars(interval).values())


@given(st.floats(-1e9, 1e9), st.integers(1, 40))
def test_a_constant_target_has_no_variance_to_explain(constant: float, rows: int) -> None:
    assert math.isnan(metrics_of("regression", np.full(rows, constant), Prediction(np.zeros(rows)))["r2"])


def test_a_variance_too_small_for_a_number_is_none() -> None:
    assert math.isnan(metrics_of("regression", np.array([0.0, 1e-200]), Prediction(np.zeros(2)))["r2"])


# -------------------------------------------------------------------------------------------------------- intervals


def check_intervals(task: Task, y: np.ndarray, prediction: Prediction, blocks: int) -> None:
    found = intervals_of(task, y, prediction, blocks=blocks, seed=0)
    assert {name: interval.value for name, interval in found.items()} == pytest.approx(metrics_of(task, y, prediction), nan_ok=True)
    for interval in found.values():
        assert math.isnan(interval.value) or interval.low <= interval.value <= interval.high


@settings(deadline=None, max_examples=15)
@given(REGRESSIONS, st.integers(0, 2))
def test_an_interval_of_a_regression_contains_the_value(values: np.ndarray, blocks: int) -> None:
    check_intervals("regression", values[0], Prediction(values[1]), blocks)


@settings(deadline=None, max_examples=6)
@given(classifications())
def test_an_interval_of_a_classification_contains_the_value(case: tuple[np.ndarray, Prediction]) -> None:
    check_intervals("multiclass", *case, blocks=0)


def test_an_interval_contains_the_value_where_most_resamples_miss_the_rare_classes() -> None:
    rare = [f"c{number}" for number in range(10)]
    y, said = np.array(["z"] * 50 + rare), np.array(["z"] * 60)
    prediction = Prediction(said, np.tile(np.eye(11)[0], (60, 1)), ("z", *rare))
    check_intervals("multiclass", y, prediction, blocks=0)


def test_an_interval_is_as_wide_as_the_value_is_uncertain() -> None:
    rng = np.random.default_rng(0)
    y = np.zeros(400)
    found = [intervals_of("regression", y, Prediction(rng.normal(size=400)), blocks=0, seed=seed)["rmse"] for seed in range(8)]
    error = 1 / math.sqrt(2 * 400)
    assert np.mean([interval.high - interval.low for interval in found]) == pytest.approx(2 * 1.96 * error, rel=0.08)


def test_the_seed_makes_the_interval() -> None:
    y, prediction = np.arange(50.0), Prediction(np.arange(50.0) ** 1.1)
    first, again, other = (intervals_of("regression", y, prediction, blocks=0, seed=seed) for seed in (1, 1, 2))
    assert first == again != other


def error_interval(errors: np.ndarray, blocks: int) -> Interval:
    return intervals_of("regression", errors, Prediction(np.zeros(len(errors))), blocks=blocks, seed=0)["mae"]


def test_a_block_is_drawn_whole() -> None:
    halves = np.repeat([0.0, 1.0], 100)
    assert error_interval(halves, blocks=2) == Interval(0.5, 0.0, 1.0)
    alike = np.tile([0.0, 1.0], 100)
    assert error_interval(alike, blocks=20) == Interval(0.5, 0.5, 0.5)
    for errors in (halves, alike):
        by_row = error_interval(errors, blocks=0)
        assert 0.4 < by_row.low < 0.5 < by_row.high < 0.6


def test_blocks_of_unequal_length_cover_every_row() -> None:
    errors = np.array([0.0] * 6 + [100.0])
    assert error_interval(errors, blocks=2) == Interval(100 / 7, 0.0, 25.0)
    assert error_interval(errors, blocks=1) == Interval(100 / 7, 100 / 7, 100 / 7)


# --------------------------------------------------------------------------------------------------------- predictions


def test_rows_of_a_prediction_are_taken_by_position() -> None:
    taken = binary(0.75, 0.25, 1.0).take(np.array([2, 0]))
    assert taken.proba is not None
    assert (taken.values.tolist(), taken.proba.tolist(), taken.classes) == (["yes", "yes"], [[0.0, 1.0], [0.25, 0.75]], ("no", "yes"))
    numbers = Prediction(np.array([1.0, 2.0])).take(np.array([1]))
    assert (numbers.values.tolist(), numbers.proba, numbers.classes) == ([2.0], None, ())


def test_each_metric_has_one_name_and_serves_a_task() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    assert all(metric.tasks for metric in METRICS)
    assert RESAMPLES >= 200
