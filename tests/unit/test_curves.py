from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from tasks.core.curves import MAX_POINTS, precision_recall, reliability, roc

CASES = st.lists(st.tuples(st.booleans(), st.integers(0, 8)), min_size=2, max_size=40).filter(
    lambda rows: 0 < sum(is_positive for is_positive, _ in rows) < len(rows)
)


def arrays(rows: list[tuple[bool, int]]) -> tuple[np.ndarray, np.ndarray]:
    positive, score = zip(*rows, strict=True)
    return np.array(positive), np.array(score) / 8


@given(CASES)
def test_the_roc_curve_is_that_of_scikit_learn(rows: list[tuple[bool, int]]) -> None:
    positive, score = arrays(rows)
    wrong, found, _ = reference.roc_curve(positive, score, drop_intermediate=False)
    curve = roc(positive, score)
    assert (curve.x, curve.y) == (pytest.approx(wrong.tolist()), pytest.approx(found.tolist()))


@given(CASES)
def test_the_precision_recall_curve_is_that_of_scikit_learn_where_any_is_found(rows: list[tuple[bool, int]]) -> None:
    positive, score = arrays(rows)
    precision, recall, _ = reference.precision_recall_curve(positive, score)
    is_shown = recall[:-1] > 0
    curve = precision_recall(positive, score)
    assert curve.x == pytest.approx(recall[:-1][is_shown][::-1].tolist())
    assert curve.y == pytest.approx(precision[:-1][is_shown][::-1].tolist())


def test_probabilities_that_come_true_lie_on_the_diagonal() -> None:
    rng = np.random.default_rng(0)
    score = rng.random(20_000)
    curve = reliability(rng.random(20_000) < score, score)
    assert len(curve.x) == 10
    assert curve.y == pytest.approx(curve.x, abs=0.03)


def test_a_curve_of_many_rows_keeps_its_ends_and_few_points() -> None:
    rng = np.random.default_rng(0)
    curve = roc(rng.random(5000) < 0.5, rng.random(5000))
    assert len(curve.x) <= MAX_POINTS
    assert (curve.x[0], curve.y[0], curve.x[-1], curve.y[-1]) == (0.0, 0.0, 1.0, 1.0)
