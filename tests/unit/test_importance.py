from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from tasks.core.importance import (
    DEPENDENCE_ROWS,
    GRID,
    MAX_CATEGORIES,
    MAX_PREDICTED,
    MAX_ROWS,
    Dependence,
    partial_dependence,
    permutation_importance,
)
from tasks.core.metrics import Prediction

if TYPE_CHECKING:
    from collections.abc import Callable

RNG = np.random.default_rng(0)
ROWS = 800
X = pd.DataFrame(
    {"x": RNG.normal(size=ROWS), "kind": RNG.choice(["a", "b"], ROWS), "noise": RNG.normal(size=ROWS), "day": pd.Timestamp("2024-01-01")}
).astype({"kind": "str", "day": "datetime64[us]"})


def value(df: pd.DataFrame) -> np.ndarray:
    return 3 * df["x"].fillna(0).to_numpy() + (df["kind"] == "b").to_numpy()


def number(df: pd.DataFrame) -> Prediction:
    assert df.dtypes.equals(X.dtypes)
    return Prediction(value(df))


def classes(df: pd.DataFrame) -> Prediction:
    positive = 1 / (1 + np.exp(-value(df)))
    return Prediction(np.where(positive > 0.5, "yes", "no"), np.column_stack([1 - positive, positive]), ("no", "yes"))


def counted(predict: Callable[[pd.DataFrame], Prediction], sizes: list[int]) -> Callable[[pd.DataFrame], Prediction]:
    def count(df: pd.DataFrame) -> Prediction:
        sizes.append(len(df))
        return predict(df)

    return count


def test_what_a_model_depends_on_comes_first_and_what_it_ignores_is_worth_nothing() -> None:
    y = value(X) + RNG.normal(size=ROWS)
    found = permutation_importance(number, X, y, "squared_error", features=list(X), seed=0)
    assert [each.feature for each in found[:2]] == ["x", "kind"]
    assert found[0].rise.low > 5  # the loss is 1, and that of x about 2 * 9
    assert found[0].rise.low < found[0].rise.value < found[0].rise.high
    assert {each.rise.value for each in found[2:]} == {0.0}


def test_the_importance_of_a_classifier_is_the_rise_of_its_proper_loss() -> None:
    y = np.where(RNG.random(ROWS) < 1 / (1 + np.exp(-value(X))), "yes", "no")
    found = {each.feature: each.rise for each in permutation_importance(classes, X, y, "brier", features=["kind", "x"], seed=0)}
    assert found["x"].low > 0.5
    assert 0 < found["kind"].value < found["x"].value


def test_the_seed_makes_the_shuffles() -> None:
    first, again, other = (
        permutation_importance(number, X, value(X) + 1, "squared_error", features=["x"], seed=seed) for seed in (1, 1, 2)
    )
    assert first == again != other


@pytest.mark.parametrize(("features", "rows"), [(1, 800), (30, MAX_PREDICTED // 60), (2, 800)])
def test_the_rows_that_are_predicted_are_bounded(features: int, rows: int) -> None:
    sizes: list[int] = []
    wide = X.assign(**{f"n{place}": 0.0 for place in range(28)})
    names = list(wide)[:features]
    permutation_importance(counted(lambda df: Prediction(value(df)), sizes), wide, value(X), "squared_error", features=names, seed=0)
    assert sizes == [rows * (2 * features + 1)]
    assert rows <= MAX_ROWS


def test_a_dependence_follows_the_model() -> None:
    x, kind = partial_dependence(number, X, ["x", "kind"])
    assert x.is_number
    assert not kind.is_number
    assert len(x.values) == GRID
    mean, low, high = x.curves[""]
    numbers = [number for number in x.values if isinstance(number, float)]
    assert np.polyfit(numbers, mean, 1)[0] == pytest.approx(3.0)
    assert (low <= high).all()
    shares = dict(zip(kind.values, kind.curves[""][0], strict=True))
    assert shares["b"] - shares["a"] == pytest.approx(1.0)


def test_a_dependence_of_a_classifier_has_a_curve_for_each_shown_class() -> None:
    (found,) = partial_dependence(classes, X, ["x"], classes=["yes", "no"])
    assert list(found.curves) == ["yes", "no"]
    assert found.curves["yes"][0] + found.curves["no"][0] == pytest.approx(np.ones(GRID))
    assert (np.diff(found.curves["yes"][0]) > 0).all()


def test_features_of_one_value_have_no_dependence() -> None:
    assert partial_dependence(number, X, ["day"]) == []
    empty = X.assign(x=np.nan)
    assert partial_dependence(number, empty, ["x"]) == []


def test_a_number_that_is_mostly_zero_is_set_to_what_else_it_is() -> None:
    (found,) = partial_dependence(number, X.assign(x=np.where(np.arange(ROWS) % 12 == 0, np.arange(ROWS), 0.0)), ["x"])
    assert len(found.values) == GRID


def test_dates_are_set_like_numbers_and_told_as_dates() -> None:
    df = X.assign(day=pd.Series(pd.date_range("2024-01-01", periods=ROWS)).astype("datetime64[us]"))
    (found,) = partial_dependence(number, df, ["day"])
    assert str(found.values[0]).startswith("2024-02-")
    assert not found.is_number


def test_rare_categories_and_most_rows_are_left_out() -> None:
    sizes: list[int] = []
    many = X.assign(kind=pd.Series([f"k{place % 40}" for place in range(ROWS)], dtype="str"))
    (found,) = partial_dependence(counted(number, sizes), many, ["kind"])
    assert isinstance(found, Dependence)
    assert len(found.values) == MAX_CATEGORIES
    assert sizes == [MAX_CATEGORIES * DEPENDENCE_ROWS]
