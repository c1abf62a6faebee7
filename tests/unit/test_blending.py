from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.blending import blend, weights_of
from tasks.core.metrics import Prediction, row_losses

LOSSES = st.dictionaries(st.text(min_size=1, max_size=3), st.floats(0, 1e9) | st.just(math.inf), min_size=1, max_size=6)


@given(LOSSES)
def test_weights_sum_to_one_and_follow_the_losses(losses: dict[str, float]) -> None:
    weights = weights_of(losses)
    if all(math.isinf(loss) for loss in losses.values()):
        assert weights == {}
        return
    assert sum(weights.values()) == pytest.approx(1, abs=0.01)
    assert min(weights.values()) > 0
    assert all(weights[a] >= weights[b] for a in weights for b in weights if losses[a] < losses[b])
    assert min(losses, key=losses.__getitem__) in weights


def test_a_tenth_more_loss_weighs_a_third_and_twice_the_loss_nothing() -> None:
    assert weights_of({"a": 2.0, "b": 2.2, "c": 4.0, "failed": math.inf}) == {"a": 0.731, "b": 0.269}


def test_who_loses_nothing_is_all_that_counts() -> None:
    assert weights_of({"a": 0.0, "b": 0.1}) == {"a": 1.0}


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
