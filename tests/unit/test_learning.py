"""Which rows smaller fits see, and what is said of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.gate import Comparison
from tasks.core.learning import LearningPoint, fewer_rows, would_more_help


@given(st.integers(120, 500), st.booleans())
def test_a_quarter_lies_within_a_half_and_the_latest_are_taken_where_rows_are_ordered(count: int, is_ordered: bool) -> None:
    rows = 3 * np.arange(count)
    quarter, half = fewer_rows(rows, np.random.default_rng(count).permutation(count), is_ordered=is_ordered)
    assert (len(quarter), len(half)) == (count // 4, count // 2)
    assert {*quarter} < {*half} < {*rows}
    assert half.tolist() == sorted(half)
    if is_ordered:
        assert half.tolist() == rows[-(count // 2) :].tolist()


def test_what_is_too_few_to_learn_from_is_left_out() -> None:
    assert [len(part) for part in fewer_rows(np.arange(119), np.arange(119), is_ordered=False)] == [59]
    assert not [*fewer_rows(np.arange(59), np.arange(59), is_ordered=False)]


@pytest.mark.parametrize(
    ("difference", "error", "told"),
    [
        (0.1, 0.02, "more rows would probably help."),
        (0.0, 0.005, "more rows would hardly help."),
        (0.05, 0.1, "too few gate rows to say whether more would help."),
        (0.05, math.inf, "too few gate rows to say whether more would help."),
    ],
)
def test_only_what_the_gate_rows_can_tell_is_said_of_more_rows(difference: float, error: float, told: str) -> None:
    points = [LearningPoint(rows, 1.0, Comparison(90, difference, error, 1.0)) for rows in (200, 400)]
    assert would_more_help(points).endswith(told)
    assert would_more_help(points).startswith("Fitted to 400 rows it loses ")


def test_nothing_is_said_without_smaller_fits() -> None:
    assert would_more_help([]) == ""


def test_what_is_not_finite_has_no_number_in_json() -> None:
    found = LearningPoint(200, 1.0, Comparison(90, 0.05, math.inf, 1.0)).as_json()
    assert found == {"rows": 200, "loss": 1.0, "difference": 0.05, "low": None, "high": None}
