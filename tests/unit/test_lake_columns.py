from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.errors import DataRefusedError
from tasks.core.lake.columns import Column, Columns, Kind, check_cast, check_names, declare

MEND = "mend the value, or set the row aside"


def cast(values: object, kind: Kind) -> pd.Series[Any]:
    df = pd.DataFrame({"x": values})
    before = df.copy(deep=True)
    made = check_cast(df, Columns((Column("x", kind),)))["x"]
    pd.testing.assert_frame_equal(df, before)
    assert str(made.dtype) == kind
    return made


def refusal(values: object, kind: Kind) -> str:
    with pytest.raises(DataRefusedError) as refused:
        cast(values, kind)
    assert refused.value.where == "x"
    return refused.value.message


def objects(*values: object) -> pd.Series[Any]:
    return pd.Series(values, dtype=object)


# ------------------------------------------------------------------------------------------------------------ declaring


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], "float64"),
        ([1.5, None], "float64"),
        (np.array([1, 2], dtype="uint64"), "float64"),
        (pd.array([1, None], dtype="Int64"), "float64"),
        (objects(Decimal("1.5"), None), "float64"),
        ([math.nan, math.nan], "float64"),
        (["a", None], "str"),
        (pd.Categorical(["a", None]), "str"),
        (objects(None, None), "str"),
        ([True, False], "bool"),
        (np.array(["2024-01-01"], dtype="M8[s]"), "datetime64[us]"),
        ([pd.Timestamp("2024-01-01", tz="Asia/Tokyo")], "datetime64[us, UTC]"),
    ],
)
def test_the_first_rows_declare_the_columns(values: object, kind: Kind) -> None:
    assert declare(pd.DataFrame({"x": values})).kind("x") == kind


def test_whole_numbers_are_kept_as_such_only_on_request() -> None:
    assert declare(pd.DataFrame({"id": [1], "n": [2]}), integers=["id"]).columns == (Column("id", "int64"), Column("n", "float64"))
    with pytest.raises(DataRefusedError, match=r"there is no column 'idd' to keep as whole numbers \(available: id\)"):
        declare(pd.DataFrame({"id": [1]}), integers=["idd"])


@pytest.mark.parametrize(
    "values", [objects(1, "a"), objects([1], [2]), objects(b"a"), objects(True, None), objects(date(2024, 1, 1)), [1 + 2j]]
)
def test_a_column_of_no_kind_is_refused(values: object) -> None:
    with pytest.raises(DataRefusedError, match=r"column 'x' holds .* values, which are neither numbers, text, times nor true and false"):
        declare(pd.DataFrame({"x": values}))


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["A", "b", "a"], "two columns differ only in case: 'A' and 'a', which a Delta table cannot tell apart; rename one"),
        (["ÄB", "äb"], "two columns differ only in case: 'ÄB' and 'äb'"),
        (["a", "a"], "two columns are both called 'a'"),
        (["a", 1], "a column is called 1, and the lake needs a text"),
        (["a", ""], "a column is called '', and the lake needs a text that is not empty"),
        (["_batch"], "a column is called '_batch', which is a name of the lake's own; rename it"),
        (["x", "_Batch"], "a column is called '_Batch', which is a name of the lake's own"),
        ([], "the table has no columns"),
    ],
)
def test_names_that_a_table_cannot_hold_are_refused(names: list[object], told: str) -> None:
    with pytest.raises(DataRefusedError) as refused:
        check_names(names)
    assert told in refused.value.message


# --------------------------------------------------------------------------------------------------------------- casting


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1, 2**53, -(2**53), 2**60], "float64", [1.0, 2.0**53, -(2.0**53), 2.0**60]),
        (np.array([1.5, math.inf], dtype="float32"), "float64", [1.5, math.inf]),
        (np.array([2**63], dtype="uint64"), "float64", [2.0**63]),
        (objects(1, 2.5, Decimal("0.5"), np.int8(3), np.float32(0.25)), "float64", [1.0, 2.5, 0.5, 3.0, 0.25]),
        (pd.array([1, 2], dtype="Int64"), "float64", [1.0, 2.0]),
        (pd.Categorical([1, 2]), "float64", [1.0, 2.0]),
        ([1.0, -3.0], "int64", [1, -3]),
        (np.array([2**63 - 1], dtype="uint64"), "int64", [2**63 - 1]),
        ([2**63 - 1, -(2**63)], "int64", [2**63 - 1, -(2**63)]),
        (np.array([7], dtype="int8"), "int64", [7]),
        (objects(Decimal(7)), "int64", [7]),
        (pd.array([True, False], dtype="boolean"), "bool", [True, False]),
        (objects("a", ""), "str", ["a", ""]),
        (pd.Categorical(["b", "a"]), "str", ["b", "a"]),
    ],
)
def test_equal_values_are_cast(values: object, kind: Kind, expected: list[object]) -> None:
    assert cast(values, kind).tolist() == expected


@pytest.mark.parametrize(
    ("values", "kind", "told"),
    [
        ([1.0, 1.75], "int64", "column 'x', row 2: 1.75 has a fraction, and the lake keeps whole numbers there; " + MEND),
        ([1.0, math.inf], "int64", "row 2: inf is no whole number"),
        ([1.0, math.nan], "int64", "row 2: nan is missing"),
        ([2.0**63], "int64", "has more digits than 64 bits keep"),
        (np.array([1, 2**63], dtype="uint64"), "int64", "row 2: 9223372036854775808 has more digits than 64 bits keep"),
        ([1, 2**53 + 1], "float64", "row 2: 9007199254740993 has more digits than a 64-bit float keeps, and the lake keeps numbers there"),
        ([2**63 - 1], "float64", "9223372036854775807 has more digits"),
        (np.array([2**64 - 1], dtype="uint64"), "float64", "18446744073709551615 has more digits"),
        (objects(1, 10**400), "float64", "row 2: 1000000000000000000000000000000000000000… has more digits"),
        (objects(Decimal("0.1")), "float64", "0.1 has more digits"),
        (np.array([0.1], dtype=np.longdouble) + np.longdouble(2) ** -60, "float64", "has more digits"),
        (["1"], "float64", "row 1: '1' is no number"),
        ([True], "float64", "True is no number"),
        (objects(1.0, True), "float64", "row 2: True is no number"),
        (objects(1.0, "a"), "float64", "row 2: 'a' is no number"),
        (np.array(["2024-01-01"], dtype="M8[s]"), "float64", "is no number"),
        ([1], "bool", "1 is neither true nor false"),
        (["true"], "bool", "'true' is neither true nor false"),
        (objects(True, None), "bool", "row 2: None is missing"),
        ([1.5], "str", "1.5 is no text"),
        (objects("a", b"b"), "str", "row 2: b'b' is no text"),
        (objects("a", "\ud800"), "str", "row 2: '\\ud800' holds half a character"),
        (["2024-01-01"], "datetime64[us]", "'2024-01-01' is no time"),
        (objects(date(2024, 1, 1)), "datetime64[us]", "2024-01-01 is no time"),
        (pd.to_datetime(["2024-01-01 00:00:00.000000001"]), "datetime64[us]", "is finer than a microsecond"),
        (np.array([2**62], dtype="M8[s]"), "datetime64[us]", "is outside the years 1 to 9999"),
        (np.array(["10000-01-01"], dtype="M8[us]"), "datetime64[us]", "is outside the years 1 to 9999"),
        ([pd.Timestamp("2024-01-01", tz="UTC")], "datetime64[us]", "2024-01-01 00:00:00+00:00 has a time zone"),
        (objects(datetime(2024, 1, 1, tzinfo=UTC)), "datetime64[us]", "has a time zone"),
        ([None, pd.Timestamp("2024-01-01")], "datetime64[us, UTC]", "row 2: 2024-01-01 00:00:00 has no time zone"),
        (objects(datetime(2024, 1, 1)), "datetime64[us, UTC]", "has no time zone"),  # noqa: DTZ001
    ],
)
def test_a_value_that_would_change_is_refused_with_its_row(values: object, kind: Kind, told: str) -> None:
    assert told in refusal(values, kind)


def test_rows_are_counted_from_the_first_of_the_batch_and_personal_values_are_not_shown() -> None:
    columns = Columns((Column("wage", "int64"),))
    with pytest.raises(DataRefusedError) as refused:
        check_cast(pd.DataFrame({"wage": [1.0, 99.5]}), columns, first_row=1_000_001, hidden=["wage"])
    assert "row 1,000,002: a value (not shown: personal) has a fraction" in refused.value.message
    assert "99.5" not in refused.value.message


@pytest.mark.parametrize("kind", ["float64", "str", "datetime64[us]", "datetime64[us, UTC]"])
@pytest.mark.parametrize("values", [objects(None, None), [math.nan, math.nan], pd.Series([None, None], dtype="str")])
def test_a_column_without_any_value_fits_every_kind_that_has_gaps(values: object, kind: Kind) -> None:
    assert cast(values, kind).isna().all()


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York", timezone(timedelta(hours=5, minutes=45))])
def test_a_time_with_a_zone_becomes_the_same_instant_in_utc(zone: str | timezone) -> None:
    instants = pd.to_datetime(["2024-03-31 01:30:00.000001", "2024-10-27 02:30:00.000000"], utc=True)
    times = pd.Series(instants).dt.tz_convert(zone)
    assert cast(times, "datetime64[us, UTC]").tolist() == times.tolist()
    assert cast(times.astype(object), "datetime64[us, UTC]").tolist() == times.tolist()


def test_times_of_several_zones_become_instants() -> None:
    times = objects(pd.Timestamp("2024-01-01", tz="Asia/Tokyo"), datetime(2024, 1, 1, tzinfo=UTC), None)
    assert cast(times, "datetime64[us, UTC]").astype(str).tolist()[:2] == ["2023-12-31 15:00:00+00:00", "2024-01-01 00:00:00+00:00"]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_any_unit_are_kept(unit: str) -> None:
    times = np.array(["1970-01-01", "2024-02-29", "NaT"], dtype=f"M8[{unit}]")
    assert cast(times, "datetime64[us]").astype(str).tolist()[:2] == ["1970-01-01", "2024-02-29"]


def test_the_columns_come_back_in_the_declared_order_and_missing_and_new_ones_are_named() -> None:
    columns = declare(pd.DataFrame({"a": [1.0], "b": [1.0], "y": [1.0]}))
    assert check_cast(pd.DataFrame({"b": [1], "a": [2], "y": [3]}), columns).columns.tolist() == ["a", "b", "y"]
    assert check_cast(pd.DataFrame({"b": [1], "a": [2]}), columns, optional=["y"]).columns.tolist() == ["a", "b"]
    with pytest.raises(DataRefusedError) as refused:
        check_cast(pd.DataFrame({"b": [1], "A": [2], "c": [3]}), columns)
    told = "the columns are not those of the lake (missing: a, y; new: A, c); bring the declared ones: a, b, y"
    assert refused.value.message == told


NUMBERS = st.one_of(st.integers(-(2**70), 2**70), st.floats(), st.booleans(), st.none(), st.text(max_size=2), st.decimals(allow_nan=False))


@given(st.lists(NUMBERS, min_size=1, max_size=8), st.sampled_from(["float64", "int64", "str", "bool"]))
def test_a_cast_keeps_every_value_or_refuses(values: list[Any], kind: Kind) -> None:
    try:
        made = cast(pd.Series(values, dtype=object), kind)
    except DataRefusedError:
        return
    for before, after in zip(values, made.tolist(), strict=True):
        is_missing = before is None or before != before  # noqa: PLR0124 - NaN
        assert pd.isna(after) if is_missing else (after == before and isinstance(after, bool) == isinstance(before, bool))


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1), st.sampled_from(["int64", "float64"]))
def test_integers_keep_every_digit_or_are_refused(values: list[int], kind: Kind) -> None:
    try:
        made = cast(np.array(values, dtype=np.int64), kind)
    except DataRefusedError:
        assert kind == "float64"
        assert any(int(float(value)) != value for value in values)
        return
    assert [int(value) for value in made.tolist()] == values
