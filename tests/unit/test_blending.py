from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.blending import blend, put_together, weights_of
from tasks.core.metrics import Prediction, row_losses


@given(st.lists(st.lists(st.floats(-1e3, 1e3), min_size=4, max_size=4), min_size=1, max_size=5))
def test_shares_are_tenths_that_sum_to_one_and_weigh_whom_they_name(said: list[list[float]]) -> None:
    y, members = np.array([0.0, 1.0, 2.0, 3.0]), {f"m{place}": Prediction(np.array(values)) for place, values in enumerate(said)}
    weights = weights_of("squared_error", y, members)
    assert sum(weights.values()) == pytest.approx(1)
    assert all(weight >= 0.1 and round(10 * weight) == pytest.approx(10 * weight) for weight in weights.values())
    assert weights.keys() <= members.keys()


def test_who_errs_the_other_way_is_worth_more_than_who_errs_less_the_same_way() -> None:
    y = np.zeros(3)
    members = {"good": 1.0, "as good": 1.1, "the other way": -1.5}
    weights = weights_of("squared_error", y, {name: Prediction(np.full(3, error)) for name, error in members.items()})
    assert weights == {"good": 0.6, "the other way": 0.4}


def test_probabilities_are_chosen_by_the_loss_that_decides_and_may_know_different_classes() -> None:
    y = np.array(["a", "b"])
    knows_a = Prediction(y, np.array([[0.9, 0.1], [0.9, 0.1]]), ("a", "c"))
    knows_b = Prediction(y, np.array([[0.9, 0.1], [0.9, 0.1]]), ("b", "c"))
    assert weights_of("brier", y, {"first": knows_a, "second": knows_b}) == {"first": 0.5, "second": 0.5}


def test_who_is_first_is_taken_where_two_say_the_same() -> None:
    same = Prediction(np.zeros(2))
    assert weights_of("absolute_error", np.ones(2), {"one": same, "two": same}) == {"one": 1.0}


def test_predictions_of_different_rows_are_put_together_in_their_order() -> None:
    assert put_together([Prediction(np.array([1.0])), Prediction(np.array([2.0, 3.0]))]).values.tolist() == [1.0, 2.0, 3.0]
    first = Prediction(np.array(["no"]), np.array([[0.6, 0.4]]), ("no", "yes"))
    other = Prediction(np.array(["yes"]), np.array([[0.1, 0.9]]), ("maybe", "yes"))
    both = put_together([first, other])
    assert (both.classes, both.values.tolist()) == (("maybe", "no", "yes"), ["no", "yes"])
    assert both.proba is not None
    assert both.proba.tolist() == [[0.0, 0.6, 0.4], [0.1, 0.0, 0.9]]


def test_numbers_are_averaged() -> None:
    assert blend([Prediction(np.array([1.0, 2.0])), Prediction(np.array([3.0, 6.0]))], [0.75, 0.25]).values.tolist() == [1.5, 3.0]


def test_probabilities_are_averaged_class_by_class() -> None:
    first = Prediction(np.array(["no"]), np.array([[0.6, 0.4]]), ("no", "yes"))
    other = Prediction(np.array(["yes"]), np.array([[0.1, 0.9]]), ("maybe", "yes"))
    both = blend([first, other], [1, 1])
    assert both.classes == ("maybe", "no", "yes")
    assert both.proba is not None
    assert both.proba.round(3).tolist() == [[0.05, 0.3, 0.65]]
    assert both.values.tolist() == ["yes"]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5), st.floats(-1e6, 1e6))
def test_an_average_never_loses_more_than_its_members_do_on_average(said: list[float], truth: float) -> None:
    members = [Prediction(np.array([value])) for value in said]
    each = [row_losses("squared_error", np.array([truth]), member)[0] for member in members]
    together = row_losses("squared_error", np.array([truth]), blend(members, [1.0] * len(members)))[0]
    assert together <= np.mean(each) + 1e-6 * (1 + np.mean(each))
