from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tasks.core.recipe import MAX_CATEGORIES, MAX_ENCODINGS, Recipe
from tasks.core.table import Column, ColumnType, Schema, Task

ROWS = 40


def recipe_of(X: pd.DataFrame, y: np.ndarray | None = None, task: Task = "regression", clock: str = "", **types: ColumnType) -> Recipe:
    columns = [Column(name, kind, "time" if name == clock else "feature", "") for name, kind in types.items()]
    schema = Schema((*columns, Column("y", "number", "target", "")), task)
    return Recipe.of(schema, X, np.arange(len(X), dtype=float) if y is None else y, seed=5)


def cycles_of(moments: pd.DatetimeIndex) -> list[str]:
    found = recipe_of(pd.DataFrame({"seen": pd.Series(moments)}), seen="datetime").cycles
    return [cycle for cycle, names in found.items() if names]


def names(count: int) -> pd.Series:
    return pd.Series([f"place {row % count}" for row in range(2 * count)], dtype="str")


def test_a_recipe_names_the_columns_of_each_kind_in_the_order_of_the_table() -> None:
    X = pd.DataFrame(
        {
            "size": np.where(np.arange(ROWS) < 2, np.nan, 1.0),
            "age": np.where(np.arange(ROWS) < 1, np.nan, 1.0),
            "kind": pd.Series(["a", "b"] * 20, dtype="str"),
            "seen": pd.date_range("2024-01-01", periods=ROWS, unit="us"),
            "made": pd.date_range("2023-01-01", periods=ROWS, unit="us"),
            "note": pd.Series(["one or two words"] * ROWS, dtype="str"),
        }
    )
    types: dict[str, ColumnType] = {"size": "number", "age": "number", "kind": "category", "seen": "datetime", "made": "datetime"}
    recipe = recipe_of(X, clock="seen", **types, note="text")
    assert (recipe.numbers, recipe.gaps) == (("size", "age"), ("size",))
    assert (recipe.categories, recipe.texts) == (("kind",), ("note",))
    assert (recipe.dates, recipe.clock) == (("seen", "made"), "seen")
    assert (recipe.rows, recipe.rarest, recipe.seed) == (ROWS, ROWS, 5)


def test_the_features_without_any_value_in_the_rows_to_fit_are_left_out() -> None:
    empty = pd.DataFrame({"later": np.full(ROWS, np.nan), "seen": pd.Series([pd.NaT] * ROWS, dtype="datetime64[us]")})
    recipe = recipe_of(empty, later="number", seen="datetime")
    assert (recipe.numbers, recipe.dates, recipe.cycles["week"]) == ((), (), ())
    late = empty.assign(later=np.where(np.arange(ROWS) < ROWS - 1, np.nan, 1.0))
    assert recipe_of(late, later="number", seen="datetime").numbers == ("later",)


def test_categories_with_many_values_are_told_apart_by_the_target_unless_that_took_too_many_columns() -> None:
    few, many = pd.DataFrame({"place": names(MAX_CATEGORIES)}), pd.DataFrame({"place": names(MAX_CATEGORIES + 1)})
    assert recipe_of(few, place="category").many == ()
    assert recipe_of(many, place="category").many == ("place",)
    labels = [np.array([f"class {row % count}" for row in range(len(many))]) for count in (MAX_ENCODINGS, MAX_ENCODINGS + 1)]
    assert recipe_of(many, labels[0], "multiclass", place="category").many == ("place",)
    wide = recipe_of(many, labels[1], "multiclass", place="category")
    assert (wide.many, wide.categories) == ((), ("place",))


@pytest.mark.parametrize(
    ("moments", "cycles"),
    [
        (pd.date_range("2022-01-01", periods=800, unit="us"), ["week"]),
        (pd.date_range("2022-01-01", periods=300, unit="us"), []),
        (pd.date_range("2022-01-01 09:30", periods=30, unit="us"), []),
        (pd.date_range("2022-01-03", periods=30, freq="7D", unit="us"), []),
        (pd.date_range("1990-01-01", periods=30, freq="YS", unit="us"), ["week"]),
        (pd.date_range("2022-01-01", periods=170, freq="h", unit="us"), ["day"]),
        (pd.date_range("2022-01-01", periods=20, freq="h", unit="us"), []),
        (pd.date_range("2020-01-01", periods=900, freq="25h", unit="us"), ["day", "week"]),
        (pd.date_range("0001-01-01", periods=1100, freq="25h", unit="us"), ["day", "week", "year"]),
    ],
    ids=["days", "days of a year", "the same time each day", "Mondays", "new year", "hours", "hours of a day", "all", "long ago"],
)
def test_the_cycles_are_those_that_dates_went_through_and_lie_at_different_places_in(moments: pd.DatetimeIndex, cycles: list[str]) -> None:
    assert cycles_of(moments) == cycles
