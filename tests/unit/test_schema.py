from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.errors import DataRefusedError, UsageError
from tasks.core.schema import infer_schema
from tasks.core.table import Column, Schema

ROWS = 40


def numbers(*values: float) -> np.ndarray:
    """Repeat values until the rows of a table are full."""
    return np.resize(np.array(values, dtype="float64"), ROWS)


def texts(*values: str | None) -> pd.Series:
    return pd.Series(np.resize(np.array(values, dtype=object), ROWS), dtype="str")


def days(order: int = 1) -> pd.Series:
    return pd.Series(pd.date_range("2024-01-01", periods=ROWS, unit="us")[::order])


def table(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"x": np.linspace(0.5, 9.75, ROWS), **columns})


def column(schema: Schema, name: str) -> Column:
    return next(c for c in schema.columns if c.name == name)


@pytest.mark.parametrize(
    ("target", "task", "evidence"),
    [
        (texts("no", "yes"), "binary", "last column; 2 distinct values"),
        (texts("a", "b", "c"), "multiclass", "last column; 3 distinct values"),
        (texts("a", None, "b", "a"), "binary", "last column; 2 distinct values, 10 of 40 missing"),
        (numbers(0, 1), "binary", "last column; 2 distinct values"),
        (numbers(0.25, 0.5), "binary", "last column; 2 distinct values"),
        (numbers(3, 4, 5, 9), "multiclass", "last column; whole numbers 3 to 9, 4 distinct"),
        (numbers(*range(8)), "multiclass", "last column; whole numbers 0 to 7, 8 distinct"),
        (numbers(*range(9)), "regression", "last column; whole numbers 0 to 8, 9 distinct"),
        (numbers(*range(11)), "regression", "last column; whole numbers 0 to 10, 11 distinct"),
        (numbers(0.5, 1, 2), "regression", "last column; numbers 0.5 to 2"),
        (numbers(7129300520, 1, 2, 3, 4, 5, 6, 7, 8, 9), "regression", "last column; whole numbers 1 to 7129300520, 10 distinct"),
    ],
)
def test_the_target_sets_the_task(target: object, task: str, evidence: str) -> None:
    schema = infer_schema(table(y=target))
    assert (schema.task, schema.target, column(schema, "y").evidence) == (task, "y", evidence)


def test_eleven_whole_numbers_are_no_classes_however_many_rows_there_are() -> None:
    df = pd.DataFrame({"x": np.linspace(0, 1.5, 1100), "y": np.resize(np.arange(11.0), 1100)})
    assert infer_schema(df).task == "regression"
    assert infer_schema(df[df["y"] < 10]).task == "multiclass"


def test_the_last_column_that_is_free_is_the_target() -> None:
    df = table(y=texts("a", "b"), when=days(), note=texts("p", "q"))
    assert infer_schema(df).target == "note"
    schema = infer_schema(df, drop=["note"], time="when")
    assert column(schema, "y") == Column("y", "category", "target", "last column left; 2 distinct values")
    assert column(schema, "when") == Column("when", "datetime", "time", "given")
    assert column(schema, "note") == Column("note", "category", "unused", "dropped as given")


def test_a_given_target_and_task_are_kept() -> None:
    schema = infer_schema(table(y=numbers(0, 1), z=texts("p", "q")), target="y", task="regression")
    assert (schema.target, schema.task, schema.features) == ("y", "regression", ["x", "z"])
    assert column(schema, "y").evidence == "given; 2 distinct values"


@pytest.mark.parametrize(
    ("target", "task", "message"),
    [
        (texts("a", "b"), "regression", "task regression cannot be: target column 'y' holds text; leave --task out for binary"),
        (texts("a", "b", "c"), "binary", "task binary cannot be: target column 'y' has 3 distinct values; leave --task out for multiclass"),
        (numbers(0, 1), "multiclass", "task multiclass cannot be: target column 'y' has 2 distinct values; leave --task out for binary"),
        (
            numbers(0.5, 1, 2),
            "multiclass",
            "task multiclass cannot be: target column 'y' has 3 distinct numbers in 40 rows; leave --task out for regression",
        ),
        (
            numbers(*range(40)),
            "multiclass",
            "task multiclass cannot be: target column 'y' has 40 distinct numbers in 40 rows; leave --task out for regression",
        ),
    ],
)
def test_a_task_that_cannot_be_is_wrong_usage(target: object, task: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        infer_schema(table(y=target), task=task)  # pyright: ignore[reportArgumentType]
    assert refused.value.message == message


def test_eleven_whole_numbers_may_be_called_classes() -> None:
    assert infer_schema(table(y=numbers(*range(11))), task="multiclass").task == "multiclass"


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (days(), "holds dates, which cannot be predicted"),
        (numbers(np.nan), "is empty in all rows"),
        (texts(None), "is empty in all rows"),
        (texts("a"), "is 'a' in all rows, so there is nothing to predict"),
        (texts("a", None), "is 'a' in all rows, so there is nothing to predict"),
        (numbers(4), "is '4.0' in all rows, so there is nothing to predict"),
        (texts(*(f"id{i}" for i in range(ROWS))), "has 40 distinct texts in 40 rows and looks like text or an identifier"),
        (texts(*(f"id{i}" for i in range(21))), "has 21 distinct texts in 40 rows and looks like text or an identifier"),
    ],
)
def test_a_target_without_anything_to_learn_is_refused(target: object, why: str) -> None:
    with pytest.raises(DataRefusedError) as refused:
        infer_schema(table(y=target))
    assert refused.value.message == f"target column 'y' {why}; name the column to predict with --target"


def test_a_hundred_and_one_classes_are_refused_and_a_hundred_are_not() -> None:
    labels = pd.Series([f"c{i % 101}" for i in range(1000)], dtype="str")
    df = pd.DataFrame({"x": np.linspace(0, 1.5, 1000), "y": labels})
    with pytest.raises(DataRefusedError, match="has 101 distinct texts in 1000 rows"):
        infer_schema(df)
    assert infer_schema(df[df["y"] != "c100"]).task == "multiclass"


@pytest.mark.parametrize("given", [{"target": "siez"}, {"time": "siez"}, {"group": "siez"}, {"drop": ["siez"]}])
def test_an_unknown_name_gets_the_closest_column(given: dict[str, str]) -> None:
    with pytest.raises(UsageError) as refused:
        infer_schema(table(size=numbers(1, 2), y=texts("a", "b")), **given)  # pyright: ignore[reportArgumentType]
    assert refused.value.message == "there is no column 'siez'; did you mean 'size'? (available: size, x, y)"


@pytest.mark.parametrize(
    "given", [{"target": "x", "time": "x"}, {"target": "x", "drop": ["x"]}, {"time": "x", "drop": ["x"]}, {"group": "x", "target": "x"}]
)
def test_a_column_is_given_one_role(given: dict[str, str]) -> None:
    with pytest.raises(UsageError) as refused:
        infer_schema(table(y=texts("a", "b")), **given)  # pyright: ignore[reportArgumentType]
    assert refused.value.message == "column 'x' is given two roles; it can be only one of target, time column, group and dropped"


def test_a_group_is_no_feature_and_no_time_is_looked_for_beside_it() -> None:
    df = table(when=days(), shop=texts("a", "b", "c"), y=texts("a", "b"))
    assert infer_schema(df).time == "when"
    schema = infer_schema(df, group="shop")
    assert (schema.group, schema.time, "shop" in schema.features, "when" in schema.features) == ("shop", None, False, True)
    assert column(schema, "shop") == Column("shop", "category", "group", "given; 3 distinct values")


def test_rows_are_divided_by_time_or_by_group_and_by_one_that_has_several_values() -> None:
    df = table(when=days(), shop=texts("a"), y=texts("a", "b"))
    with pytest.raises(UsageError, match="by the time in 'when' or by the groups in 'shop', not by both; leave one out"):
        infer_schema(df, time="when", group="shop")
    with pytest.raises(DataRefusedError, match="'shop' cannot tell which rows belong together: it has no two values; leave --group out"):
        infer_schema(df, group="shop")


def test_dropping_every_column_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="no column is left to predict; drop fewer"):
        infer_schema(table(), drop=["x"])


YEARS = pd.Series(pd.date_range("2020-01-01", periods=ROWS, freq="20D", unit="us"))
DATES = f"dates {days().min():%Y-%m-%d} to {days().max():%Y-%m-%d}"
SHUFFLED = days().sample(frac=1, random_state=1).reset_index(drop=True)


@pytest.mark.parametrize(
    "name", ["ts", "time", "timestamp", "date", "datetime", "sold_at", "order_date", "Order Date", "createdAt", "log_ts"]
)
def test_one_datetime_column_with_the_name_of_a_time_orders_the_rows(name: str) -> None:
    schema = infer_schema(table(**{name: SHUFFLED}, y=texts("a", "b")))
    assert (schema.time, schema.is_ordered) == (name, True)
    assert column(schema, name) == Column(name, "datetime", "time", "orders the rows")


@pytest.mark.parametrize("name", ["when", "fate", "birth_date", "updates"])
def test_another_name_does_not_make_shuffled_dates_an_order(name: str) -> None:
    schema = infer_schema(table(**{name: SHUFFLED}, y=texts("a", "b")))
    assert schema.time is None
    assert column(schema, name) == Column(name, "datetime", "feature", DATES)


def test_rows_in_the_order_of_a_datetime_column_are_ordered_by_it() -> None:
    assert infer_schema(table(when=days(), y=texts("a", "b"))).time == "when"
    assert infer_schema(table(when=days(-1), y=texts("a", "b"))).time is None
    assert infer_schema(table(birthday=days(), y=texts("a", "b"))).time is None


def test_no_time_is_found_among_several_candidates_or_with_missing_values_or_without_change() -> None:
    y = texts("a", "b")
    assert infer_schema(table(sold_at=SHUFFLED, paid_at=SHUFFLED, y=y)).time is None
    assert infer_schema(table(ts=days().where(days() > "2024-01-05"), y=y)).time is None
    assert infer_schema(table(ts=days().where(days() < "2000-01-01", pd.Timestamp("2024-01-01")), y=y)).time is None


@pytest.mark.parametrize(
    ("name", "values", "found"),
    [
        ("ts", np.arange(ROWS) // 3, "ts"),
        ("timestamp", np.arange(ROWS), "timestamp"),
        ("ts", np.arange(ROWS)[::-1], None),
        ("ts", np.zeros(ROWS), None),
        ("run_time", np.arange(ROWS), None),
        ("date", np.arange(ROWS), None),
    ],
)
def test_numbers_order_rows_only_under_a_clock_name_and_in_order(name: str, values: np.ndarray, found: str | None) -> None:
    assert infer_schema(table(**{name: values.astype("float64")}, y=texts("a", "b"))).time == found


def test_a_dropped_or_predicted_column_does_not_order_rows() -> None:
    df = table(ts=np.arange(ROWS, dtype="float64"), y=texts("a", "b"))
    assert infer_schema(df, drop=["ts"]).time is None
    assert infer_schema(df, target="ts").time is None


def test_a_given_time_column_must_order_the_rows() -> None:
    df = table(word=texts("p", "q"), gap=numbers(1, np.nan), flat=numbers(1), y=texts("a", "b"))
    with pytest.raises(UsageError, match="column 'word' cannot order the rows: it holds text; write dates as 2024-12-31"):
        infer_schema(df, time="word")
    with pytest.raises(
        DataRefusedError, match=r"column 'gap' cannot order the rows: it is empty in 20 of 40; leave --time out or fill them"
    ):
        infer_schema(df, time="gap")
    with pytest.raises(DataRefusedError, match="column 'flat' cannot order the rows: it is the same in all of them; leave --time out"):
        infer_schema(df, time="flat")
    assert infer_schema(df, time="x").time == "x"


def ids(rows: int, distinct: int) -> pd.Series:
    return pd.Series([f"v{i % distinct}" for i in range(rows)], dtype="str")


@pytest.mark.parametrize(
    ("values", "role", "evidence"),
    [
        (ids(21, 21), "unused", "an identifier: 21 distinct values in 21 rows"),
        (ids(20, 20), "feature", "20 distinct values"),
        (ids(2001, 1001), "unused", "hardly a value returns: 1001 distinct values in 2001 rows"),
        (ids(2100, 1001), "feature", "1001 distinct values"),
        (ids(1500, 1000), "feature", "1000 distinct values"),
        (ids(30, 1), "unused", "the same in all rows"),
        (ids(30, 1).where(np.arange(30) > 0), "feature", "1 distinct value, 1 of 30 missing"),
        (pd.Series([np.nan] * 30), "unused", "missing in all rows"),
        (pd.Series([2.0] * 30), "unused", "the same in all rows"),
        (pd.Series(np.arange(30.0)), "feature", "whole numbers 0 to 29, 30 distinct"),
        (pd.Series(pd.date_range("2024-01-01", periods=30, unit="us")[::-1]), "feature", "dates 2024-01-01 to 2024-01-30"),
    ],
)
def test_columns_that_teach_nothing_are_not_features(values: pd.Series, role: str, evidence: str) -> None:
    rows = len(values)
    schema = infer_schema(pd.DataFrame({"c": values, "x": np.linspace(0, 1.5, rows), "y": ids(rows, 2)}))
    assert (column(schema, "c").role, column(schema, "c").evidence) == (role, evidence)
    assert "x" in schema.features


def sentences(rows: int, distinct: int, words: int = 4) -> pd.Series:
    return pd.Series([" ".join([f"w{i % distinct}", *["and"] * (words - 1)]) for i in range(rows)], dtype="str")


@pytest.mark.parametrize(
    ("values", "kind", "evidence"),
    [
        (sentences(40, 40), "text", "text of 4 words, 40 distinct values"),
        (sentences(40, 40).where(np.arange(40) > 3), "text", "text of 4 words, 36 distinct values, 4 of 40 missing"),
        (sentences(40, 20), "category", "20 distinct values"),
        (sentences(20, 20, words=2), "category", "20 distinct values"),
        (sentences(30, 30, words=2), "category", "an identifier: 30 distinct values in 30 rows"),
    ],
    ids=["sentences", "some missing", "sentences that return", "names", "names that are many"],
)
def test_a_column_of_several_words_that_hardly_return_is_text(values: pd.Series, kind: str, evidence: str) -> None:
    schema = infer_schema(pd.DataFrame({"c": values, "x": np.arange(len(values)) / 2, "y": ids(len(values), 2)}))
    assert (column(schema, "c").type, column(schema, "c").evidence) == (kind, evidence)


def test_a_date_that_orders_the_rows_is_seen_by_models_for_its_hour_and_weekday_and_a_counter_is_not() -> None:
    assert infer_schema(table(ts=YEARS, y=texts("a", "b"))).features == ["x", "ts"]
    assert "ts" not in infer_schema(table(ts=np.arange(ROWS, dtype="float64"), y=texts("a", "b"))).features


def test_a_date_that_orders_the_rows_is_enough_where_it_tells_a_weekday() -> None:
    assert infer_schema(pd.DataFrame({"when": YEARS, "y": texts("a", "b")})).features == ["when"]


def test_a_table_without_features_is_refused() -> None:
    minutes = pd.Series(pd.date_range("2024-01-01", periods=ROWS, freq="min", unit="us"))
    df = pd.DataFrame(
        {"id": texts(*(f"i{n}" for n in range(ROWS))), "when": minutes, "c": numbers(1), "e": numbers(np.nan), "y": texts("a", "b")}
    )
    with pytest.raises(DataRefusedError) as refused:
        infer_schema(df)
    assert refused.value.message == (
        "no column is left to predict from ('id' is unused, an identifier: 40 distinct values in 40 rows; 'when' is time, orders the rows; "
        "'c' is unused, the same in all rows; and 1 more); add a column of numbers or categories"
    )
    with pytest.raises(DataRefusedError, match=re.escape("no column is left to predict from (the target is the only column)")):
        infer_schema(df[["y"]])


@given(st.permutations(["a", "b", "when", "y"]))
def test_columns_keep_the_order_of_the_table(order: list[str]) -> None:
    df = pd.DataFrame({"a": numbers(1, 2), "b": texts("p", "q", "r"), "when": days(), "y": texts("a", "b")})[order]
    schema = infer_schema(df, target="y")
    assert [c.name for c in schema.columns] == order
    assert {c.name: (c.type, c.role) for c in schema.columns} == {
        "a": ("number", "feature"),
        "b": ("category", "feature"),
        "when": ("datetime", "time"),
        "y": ("category", "target"),
    }


@pytest.mark.parametrize("name", ["id", "PassengerId", "index", "customer_no", "key", "Row", "Unnamed: 0", "row_number"])
@pytest.mark.parametrize("order", [1, -1])
def test_unique_whole_numbers_under_the_name_of_an_identifier_are_one(name: str, order: int) -> None:
    schema = infer_schema(table(**{name: np.arange(1.0, ROWS + 1)[::order]}, y=texts("a", "b")))
    assert column(schema, name) == Column(name, "number", "unused", "an identifier: 40 distinct values in 40 rows")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("rank", np.arange(1.0, ROWS + 1)),
        ("id", numbers(*range(20))),
        ("id", np.linspace(0.5, 9.5, ROWS)),
        ("idea", np.arange(1.0, ROWS + 1)),
        ("id", np.where(np.arange(ROWS) > 0, np.arange(ROWS), np.nan)),
    ],
)
def test_other_numbers_are_no_identifiers(name: str, values: np.ndarray) -> None:
    assert name in infer_schema(table(**{name: values}, y=texts("a", "b"))).features


@pytest.mark.parametrize(("steps_back", "found"), [(0, "ts"), (2, "ts"), (3, None)])
def test_a_clock_may_go_back_once_in_a_thousand_rows(steps_back: int, found: str | None) -> None:
    clock = np.arange(2000.0)
    for step in range(steps_back):
        clock[100 * (step + 1)] = 0
    schema = infer_schema(pd.DataFrame({"x": np.linspace(0, 1.5, 2000), "ts": clock, "y": np.resize(["a", "b"], 2000)}))
    assert schema.time == found
    if steps_back and found:
        assert column(schema, "ts").evidence == "orders the rows, 2 steps back in 2,000"


NOISE = np.random.default_rng(0).normal(size=ROWS)


@pytest.mark.parametrize(
    ("values", "target", "leak"),
    [
        (NOISE, NOISE, "equals 'y'"),
        (texts("a", "b", "c"), texts("a", "b", "c"), "equals 'y'"),
        (texts("p", "q", "r"), texts("a", "b", "c"), "'y' in other words"),
        (numbers(1, 0), texts("yes", "no"), "'y' in other words"),
        (texts("p", None, "q", "p"), texts("a", "b", "b", "a"), "'y' in other words"),
        (NOISE * 2.54 + 1, NOISE, "correlation 1.00000 with 'y'"),
        (-NOISE, NOISE, "correlation -1.00000 with 'y'"),
        (NOISE + NOISE[::-1] / 20, NOISE, None),
        (numbers(1, 0, 0), texts("yes", "no"), None),
        (texts("a", "b", "c"), texts("a", "b"), None),
    ],
)
def test_a_feature_that_gives_the_target_away_is_suspected_and_kept(values: object, target: object, leak: str | None) -> None:
    feature = column(infer_schema(table(f=values, y=target)), "f")
    assert feature.role == "feature"
    assert feature.evidence.startswith(f"suspected leak: {leak}; ") if leak else "leak" not in feature.evidence


def test_numbers_too_large_to_square_are_no_evidence_of_a_leak() -> None:
    assert "leak" not in column(infer_schema(table(f=NOISE * 1e300, y=NOISE * 1e300 + 1e290)), "f").evidence


@pytest.mark.parametrize(
    ("name", "values", "is_group"),
    [
        ("customer", numbers(*range(8)), True),
        ("user_id", texts("a", "b", "c", "d", "e"), True),
        ("StoreNo", numbers(*range(10)), True),
        ("user_id", texts("a", "b", "c", "d"), False),
        ("size", numbers(*range(8)), False),
        ("customer", numbers(*(n + 0.5 for n in range(8))), False),
    ],
)
def test_a_group_is_suspected_by_its_name_and_values_that_return(name: str, values: object, is_group: bool) -> None:
    found = column(infer_schema(table(**{name: values}, y=texts("a", "b", "b"))), name)
    assert found.role == "feature"
    assert found.evidence.endswith("values return") == is_group
