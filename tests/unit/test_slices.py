from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tasks.core.slices import MAX_CATEGORIES, MIN_ROWS, error_by_slice

RNG = np.random.default_rng(0)
ROWS = 1000


def test_the_part_with_the_largest_loss_comes_first_and_is_marked_when_that_is_no_chance() -> None:
    X = pd.DataFrame({"kind": RNG.choice(["a", "b", "c"], ROWS)}, dtype="str")
    losses = RNG.random(ROWS) + 0.5 * (X["kind"] == "c").to_numpy()
    first, *others = error_by_slice(X, losses, ["kind"])
    inside = (X["kind"] == "c").to_numpy()
    assert (first.feature, first.values, first.rows, first.is_worse) == ("kind", "'c'", int(inside.sum()), True)
    assert first.loss.value == pytest.approx(losses[inside].mean())
    assert first.loss.low < first.loss.value < first.loss.high
    assert not any(part.is_worse for part in others)


def test_numbers_are_cut_into_quarters_that_hold_every_row_once() -> None:
    X = pd.DataFrame({"size": RNG.normal(100, 10, ROWS)})
    parts = error_by_slice(X, X["size"].to_numpy(), ["size"])
    assert [part.rows for part in parts] == pytest.approx([250] * 4, abs=1)
    assert sum(part.rows for part in parts) == ROWS
    assert [part.values.split()[0] for part in parts] == ["above", "above", "above", "up"]
    assert parts[0].is_worse


def test_a_number_that_is_mostly_zero_is_cut_where_that_ends() -> None:
    X = pd.DataFrame({"gain": np.where(RNG.random(ROWS) < 0.9, 0.0, RNG.uniform(1, 9, ROWS))})
    assert sorted(part.values for part in error_by_slice(X, RNG.random(ROWS), ["gain"])) == ["above 0", "up to 0"]


def test_few_numbers_are_parts_of_their_own_and_missing_ones_are_another() -> None:
    X = pd.DataFrame({"rooms": RNG.choice([1.0, 2.0, 3.5, np.nan], ROWS)})
    assert sorted(part.values for part in error_by_slice(X, RNG.random(ROWS), ["rooms"])) == ["1", "2", "3.5", "missing"]


def test_dates_are_cut_like_numbers() -> None:
    X = pd.DataFrame({"day": pd.Series(pd.date_range("2024-01-01", periods=ROWS)).astype("datetime64[us]")})
    parts = error_by_slice(X, np.arange(float(ROWS)), ["day"])
    assert [part.rows for part in parts] == pytest.approx([250] * 4, abs=1)
    assert sum(part.rows for part in parts) == ROWS
    assert parts[-1].values == "up to 2024-09-07 00:00"


def test_parts_of_few_rows_and_rare_categories_are_left_out() -> None:
    kinds = ["rare"] * (MIN_ROWS - 1) + [f"k{place % 15}" for place in range(ROWS)]
    parts = error_by_slice(pd.DataFrame({"kind": kinds}, dtype="str"), RNG.random(len(kinds)), ["kind"])
    assert len(parts) == MAX_CATEGORIES
    assert "'rare'" not in {part.values for part in parts}
    constant = pd.DataFrame({"kind": ["a"] * ROWS}, dtype="str")
    assert error_by_slice(constant, RNG.random(ROWS), ["kind"]) == []


def test_among_many_equal_parts_hardly_ever_one_is_called_worse() -> None:
    X = pd.DataFrame({f"x{place}": RNG.normal(size=ROWS) for place in range(8)})
    called = sum(any(part.is_worse for part in error_by_slice(X, RNG.random(ROWS), list(X))) for _ in range(40))
    assert called <= 5


def test_equal_losses_are_no_evidence() -> None:
    X = pd.DataFrame({"kind": ["a", "b"] * 50}, dtype="str")
    assert not any(part.is_worse for part in error_by_slice(X, np.zeros(100), ["kind"]))
