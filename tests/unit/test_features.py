from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from tasks.core import features
from tasks.core.candidates import CANDIDATES
from tasks.core.features import encoded, scaled
from tasks.core.recipe import MAX_CATEGORIES, Recipe
from tasks.core.table import Column, ColumnType, Schema, Task

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS = 60
HOURS = pd.Series(pd.date_range("2024-01-01 00:30", periods=ROWS, freq="305h", unit="us"))  # a Monday


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    with threadpool_limits(1):
        yield


def recipe_of(X: pd.DataFrame, y: np.ndarray, task: Task = "regression", clock: str = "", **types: ColumnType) -> Recipe:
    columns = [Column(name, kind, "time" if name == clock else "feature", "") for name, kind in types.items()]
    return Recipe.of(Schema((*columns, Column("y", "number", "target", "")), task), X, y, seed=0)


def dates(clock: str = "", **columns: pd.Series) -> np.ndarray:
    X = pd.DataFrame(columns)
    return encoded(recipe_of(X, np.zeros(len(X)), clock=clock, **dict.fromkeys(columns, "datetime"))).fit_transform(X)


def test_trees_are_told_of_a_date_how_late_it_is_and_its_place_in_a_day_and_a_week() -> None:
    late, day, week = dates(seen=HOURS).T
    assert late.tolist() == (HOURS.astype("int64")).tolist()
    assert day == pytest.approx(((HOURS.dt.hour + 0.5) / 24).to_numpy())
    assert week.tolist() == HOURS.dt.weekday.tolist()


def test_how_late_a_row_is_that_dates_order_is_not_told() -> None:
    assert dates(clock="seen", seen=HOURS).shape == (ROWS, 2)


def test_the_time_from_one_date_to_the_next_is_told() -> None:
    told = dates(seen=HOURS, paid=HOURS + pd.to_timedelta(np.arange(ROWS), unit="min"))
    assert told[:, 2].tolist() == (np.arange(ROWS) * 60e6).tolist()


def test_a_missing_date_is_missing_and_the_unit_makes_no_difference() -> None:
    X = pd.DataFrame({"seen": HOURS.where(np.arange(ROWS) != 3)})
    prepared = encoded(recipe_of(X, np.zeros(ROWS), seen="datetime")).fit(X)
    told = prepared.transform(X)
    assert np.isnan(told[3]).all()
    assert np.isfinite(np.delete(told, 3, axis=0)).all()
    assert np.array_equal(prepared.transform(X.astype("datetime64[ns]")), told, equal_nan=True)


def test_an_algorithm_that_weighs_sees_midnight_beside_midnight() -> None:
    X = pd.DataFrame({"seen": HOURS})
    prepared = scaled(recipe_of(X, np.zeros(ROWS), clock="seen", seen="datetime")).fit(X)
    before, after, noon = prepared.transform(
        pd.DataFrame({"seen": pd.to_datetime(["2024-01-07 23:59", "2024-01-08 00:01", "2024-01-04 12:00"])})
    )
    assert np.abs(before - after).max() < 0.1
    assert np.abs(before - noon).max() > 1


def test_that_a_number_is_often_missing_is_told_and_what_is_infinite_is_missing() -> None:
    X = pd.DataFrame({"size": np.where(np.arange(ROWS) % 4 == 0, np.nan, 1.0), "full": np.arange(ROWS, dtype=float)})
    prepared = scaled(recipe_of(X, np.zeros(ROWS), size="number", full="number")).fit(X)
    told = prepared.transform(pd.DataFrame({"size": [np.nan, np.inf, 1.0], "full": [1.0, np.nan, np.inf]}))
    assert told.shape == (3, 3)
    assert np.array_equal(told[0, 1:], told[1, 1:])
    assert told[1, 2] != told[2, 2]
    assert told[1, 0] == told[2, 0]


def test_texts_alike_are_told_alike_and_words_that_were_never_seen_say_nothing() -> None:
    words = ["blue oak table", "red pine chair", None]
    X = pd.DataFrame({"note": pd.Series([words[row % 3] for row in range(ROWS)], dtype="str")})
    prepared = encoded(recipe_of(X, np.zeros(ROWS), note="text")).fit(X)
    same, alike, other, unseen, missing = prepared.transform(
        pd.DataFrame({"note": pd.Series(["Blue oak table!", "an oak table", "a red chair", "zzz yyy", None], dtype="str")})
    )
    assert same @ alike > 0.2
    assert abs(same @ other) < 0.1
    assert np.allclose(unseen, missing)


def test_texts_of_single_letters_are_words_too() -> None:
    X = pd.DataFrame({"note": pd.Series([f"a {row % 9} ." for row in range(ROWS)], dtype="str")})
    assert np.isfinite(scaled(recipe_of(X, np.zeros(ROWS), note="text")).fit_transform(X)).all()


def many_places(rows: int, rng: np.random.Generator) -> pd.DataFrame:
    return pd.DataFrame({"place": pd.Series(rng.choice([f"p{at}" for at in range(rows // 4)], rows), dtype="str")})


@pytest.mark.parametrize("name", ["ridge", "extra_trees", "hist_gradient_boosting"])
def test_many_categories_that_say_nothing_of_the_target_teach_nothing(name: str) -> None:
    rng = np.random.default_rng(1)
    X, y = many_places(1600, rng), rng.normal(size=1600)
    model = next(c for c in CANDIDATES if c.name == name).build(recipe_of(X[:800], y[:800], place="category")).fit(X[:800], y[:800])
    lost = ((model.predict(X[800:]) - y[800:]) ** 2).mean() / ((y[:800].mean() - y[800:]) ** 2).mean()
    assert 0.97 < lost < 1.1
    # Fitted to what it had seen of its own rows, the same would lose far more.
    naive = make_pipeline(model[0], Ridge()).fit(X[:800], y[:800])[0].transform(X[:800])
    told = Ridge().fit(naive, y[:800])
    assert ((told.predict(model[0].transform(X[800:])) - y[800:]) ** 2).mean() / y[800:].var() > 1.15


def test_many_categories_that_matter_are_learned_and_a_new_one_is_given_the_average() -> None:
    rng = np.random.default_rng(2)
    X = many_places(1600, rng)
    y = X["place"].str[1:].astype(float).to_numpy() % 7
    recipe = recipe_of(X, y, place="category")
    assert X["place"].nunique() > MAX_CATEGORIES
    prepared = encoded(recipe).fit(X, y)
    assert np.corrcoef(prepared.fit_transform(X, y)[:, 0], y)[0, 1] > 0.6
    assert prepared.transform(pd.DataFrame({"place": pd.Series(["never seen"], dtype="str")}))[0, 0] == pytest.approx(y.mean())


def test_many_categories_take_a_column_for_each_class() -> None:
    X = many_places(800, np.random.default_rng(3))
    y = np.array(["a", "b", "c", "d"])[np.arange(800) % 4]
    told = encoded(recipe_of(X, y, "multiclass", place="category")).fit_transform(X, y)
    assert told.shape == (800, 4)
    assert told.sum(axis=1) == pytest.approx(1)


def test_a_recipe_counts_a_column_once_however_many_it_is_spread_to() -> None:
    X = pd.DataFrame({"seen": HOURS, "size": np.arange(ROWS, dtype=float)})
    assert features.width(recipe_of(X, np.zeros(ROWS), seen="datetime", size="number")) == 4
