from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tasks.core.rules import COMPILED, NoRuleError, compile_rule

COLUMN = "expect_column_values_to_"
LENGTH = "expect_column_value_lengths_to_"
PAIR = "expect_column_pair_values_"


def rows() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "size": [70.0, 82.0, np.nan, 4000.0, np.inf],
            "rooms": [2.0, 3.0, 2.0, 3.0, np.nan],
            "colour": pd.Series(["red", "blue", None, "rad", "red"], dtype="str"),
            "shade": pd.Series(["red", "", None, "Ω", "日本"], dtype="str"),
            "sold": pd.Series(["2024-01-01", None, "2024-01-03", "2024-01-04T12:00", "2024-01-01"], dtype="datetime64[us]"),
            "built": pd.Series(["2023-01-01", None, "2024-01-03", "2024-02-04", None], dtype="datetime64[us]"),
            "mixed": pd.Series([1, "1", None, 2.5, True], dtype="object"),
        }
    )


def failing(kind: str, **kwargs: object) -> list[int]:
    return np.flatnonzero(compile_rule(kind, kwargs).judge(rows()).failing).tolist()


NOT_READY = {"type": "comparison", "column": {"name": "rooms"}, "operator": "==", "parameter": 3}
KNOWN = {"type": "nullity", "column": {"name": "rooms"}, "is_null": False}
EXAMPLES: list[tuple[str, dict[str, Any], list[int]]] = [
    (COLUMN + "not_be_null", {"column": "size"}, [2]),
    (COLUMN + "be_null", {"column": "colour"}, [0, 1, 3, 4]),
    (COLUMN + "be_between", {"column": "size", "min_value": 70, "max_value": 4000}, [4]),
    (COLUMN + "be_between", {"column": "size", "min_value": 70, "max_value": "4000", "strict_min": True, "strict_max": True}, [0, 3, 4]),
    (COLUMN + "be_between", {"column": "size", "max_value": 82.0}, [3, 4]),
    (COLUMN + "be_between", {"column": "sold", "min_value": "2024-01-03T00:00:00"}, [0, 4]),
    (COLUMN + "be_between", {"column": "sold", "max_value": "2024-01-03T00:00:00", "strict_max": True}, [2, 3]),
    (COLUMN + "be_in_set", {"column": "colour", "value_set": ["red", "blue"]}, [3]),
    (COLUMN + "be_in_set", {"column": "rooms", "value_set": [2, "3"]}, [1, 3]),
    (COLUMN + "be_in_set", {"column": "sold", "value_set": ["2024-01-01"]}, [0, 2, 3, 4]),
    (COLUMN + "not_be_in_set", {"column": "sold", "value_set": ["2024-01-01"]}, [0, 4]),
    (COLUMN + "not_be_in_set", {"column": "colour", "value_set": ["red"]}, [0, 4]),
    (COLUMN + "match_regex", {"column": "colour", "regex": "^r(e|o)d$"}, [1, 3]),
    (COLUMN + "match_regex", {"column": "size", "regex": r"^\d+\.0$"}, [4]),
    (COLUMN + "not_match_regex", {"column": "colour", "regex": "^r"}, [0, 3, 4]),
    (COLUMN + "match_regex_list", {"column": "colour", "regex_list": ["^r", "d$"], "match_on": "all"}, [1]),
    (COLUMN + "match_regex_list", {"column": "colour", "regex_list": ["^b", "a"]}, [0, 4]),
    (COLUMN + "not_match_regex_list", {"column": "colour", "regex_list": ["^b", "a"]}, [1, 3]),
    (LENGTH + "be_between", {"column": "shade", "min_value": 1, "max_value": 2}, [0, 1]),
    (LENGTH + "be_between", {"column": "shade", "min_value": 1, "strict_min": True}, [1, 3]),
    (LENGTH + "equal", {"column": "shade", "value": 2}, [0, 1, 3]),
    (COLUMN + "be_unique", {"column": "colour"}, [0, 4]),
    (COLUMN + "be_of_type", {"column": "mixed", "type_": "int"}, [1, 3]),
    (COLUMN + "be_of_type", {"column": "mixed", "type_": "float"}, [0, 1, 4]),
    (PAIR + "a_to_be_greater_than_b", {"column_A": "sold", "column_B": "built", "ignore_row_if": "either_value_is_missing"}, [2, 3]),
    (PAIR + "a_to_be_greater_than_b", {"column_A": "sold", "column_B": "built", "or_equal": True}, [3, 4]),
    (PAIR + "to_be_equal", {"column_A": "colour", "column_B": "shade"}, [1, 3, 4]),
    (PAIR + "to_be_equal", {"column_A": "colour", "column_B": "shade", "ignore_row_if": "neither"}, [1, 2, 3, 4]),
    ("expect_compound_columns_to_be_unique", {"column_list": ["rooms", "colour"]}, []),
    ("expect_compound_columns_to_be_unique", {"column_list": ["rooms", "rooms"], "ignore_row_if": "never"}, [0, 1, 2, 3]),
    ("expect_select_column_values_to_be_unique_within_record", {"column_list": ["colour", "shade", "rooms"]}, [0, 2]),
    ("expect_select_column_values_to_be_unique_within_record", {"column_list": ["size", "colour", "sold"], "ignore_row_if": "never"}, [2]),
    ("expect_multicolumn_values_to_be_equal", {"column_list": ["colour", "shade"]}, [1, 3, 4]),
    ("expect_multicolumn_sum_to_equal", {"column_list": ["size", "rooms"], "sum_total": 72}, [1, 2, 3, 4]),
    (COLUMN + "not_be_null", {"column": "size", "row_condition": NOT_READY}, []),
    (COLUMN + "be_between", {"column": "size", "max_value": 1, "row_condition": NOT_READY}, [1, 3]),
    (COLUMN + "not_be_null", {"column": "colour", "row_condition": {"type": "or", "conditions": [NOT_READY, KNOWN]}}, [2]),
    (COLUMN + "be_null", {"column": "colour", "row_condition": {"type": "and", "conditions": [NOT_READY, KNOWN]}}, [1, 3]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "kwargs", "expected"), EXAMPLES)
def test_a_rule_finds_the_rows_that_fail(kind: str, kwargs: dict[str, Any], expected: list[int]) -> None:
    assert failing(kind, **kwargs) == expected


def test_every_rule_has_an_example() -> None:
    assert {kind for kind, _, _ in EXAMPLES} == COMPILED


def test_a_share_of_the_present_cells_must_hold() -> None:
    for mostly, success in [(0.75, True), (0.76, False), (None, False)]:
        found = compile_rule(COLUMN + "be_between", {"column": "size", "max_value": 4000, "mostly": mostly}).judge(rows())
        assert (found.considered, found.count, found.success) == (4, 1, success)


def test_where_no_row_is_considered_a_rule_holds() -> None:
    rule = compile_rule(COLUMN + "match_regex", {"column": "colour", "regex": "x"})
    for df in (rows().iloc[:0], rows().iloc[[2]]):
        found = rule.judge(df)
        assert (found.failing.tolist(), found.considered, found.success) == ([False] * len(df), 0, True)


def test_a_rule_is_compiled_once_and_judges_single_rows_like_the_whole() -> None:
    rule = compile_rule(COLUMN + "be_between", {"column": "size", "min_value": 71})
    assert [rule.judge(rows().iloc[[place]]).count for place in range(5)] == rule.judge(rows()).failing.astype(int).tolist()


def test_rows_are_judged_by_position_whatever_their_index() -> None:
    df = rows().set_index(pd.Index([7, 7, 1, 0, -1]))
    assert compile_rule(COLUMN + "be_null", {"column": "size"}).judge(df).failing.tolist() == [True, True, False, True, True]


@pytest.mark.parametrize(
    ("kind", "kwargs", "named"),
    [
        (
            "expect_column_values_to_be_dateutil_parseable",
            {"column": "colour"},
            "no rule for expect_column_values_to_be_dateutil_parseable",
        ),
        ("expect_column_mean_to_be_between", {"column": "size"}, "no rule for expect_column_mean_to_be_between"),
        (COLUMN + "be_null", {"column": "size", "row_condition": "rooms > 2"}, "no rule for a row_condition in the words of pandas"),
        (
            COLUMN + "be_null",
            {"column": "size", "row_condition": {"type": "pass_through"}},
            "no rule for a row_condition of type pass_through",
        ),
    ],
)
def test_what_has_no_rule_is_named(kind: str, kwargs: dict[str, Any], named: str) -> None:
    with pytest.raises(NoRuleError) as refused:
        compile_rule(kind, kwargs)
    assert str(refused.value) == named


TIMES = {"type": "comparison", "column": {"name": "sold"}, "operator": "==", "parameter": "2024-01-01"}


@pytest.mark.parametrize(
    ("kind", "kwargs", "named"),
    [
        (COLUMN + "be_between", {"column": "mixed", "min_value": 1}, "no rule for bounds on object"),
        (COLUMN + "be_of_type", {"column": "size", "type_": "float64"}, "no rule for the type of a whole column of float64"),
        (COLUMN + "be_of_type", {"column": "mixed", "type_": "object"}, "no rule for the type of a whole column of object"),
        (COLUMN + "be_null", {"column": "size", "row_condition": TIMES}, "no rule for a row_condition with == on times, .* finds no row"),
        (
            "expect_select_column_values_to_be_unique_within_record",
            {"column_list": ["size", "mixed"]},
            "no rule for different .* of object",
        ),
    ],
)
def test_a_type_of_column_without_a_rule_is_named(kind: str, kwargs: dict[str, Any], named: str) -> None:
    with pytest.raises(NoRuleError, match=named):
        compile_rule(kind, kwargs).judge(rows())


@pytest.mark.parametrize(
    ("kind", "kwargs", "told"),
    [
        (COLUMN + "be_null", {"column": "sise"}, "there is no column 'sise'"),
        (COLUMN + "be_between", {"column": "colour", "min_value": 1}, "str cannot be compared with 1.0"),
        (
            COLUMN + "be_between",
            {"column": "size", "min_value": "2024-01-01T00:00:00"},
            "float64 cannot be compared with 2024-01-01 00:00:00",
        ),
        (COLUMN + "be_between", {"column": "sold", "min_value": 5}, r"datetime64\[us\] cannot be compared with 5.0"),
        (
            COLUMN + "be_between",
            {"column": "sold", "min_value": "2024-01-01"},
            "2024-01-01; write a date with its time, as 2024-01-31T00:00:00",
        ),
        (COLUMN + "be_between", {"column": "sold", "min_value": "2024-01-01T00:00:00+00:00"}, "Invalid comparison"),
        (COLUMN + "be_between", {"column": "size"}, "min_value and max_value cannot both be missing"),
        (COLUMN + "be_between", {"column": "size", "min_value": 2, "max_value": 1}, "min_value cannot be greater than max_value"),
        (COLUMN + "be_between", {"column": "size", "min_value": "2024-01-01", "max_value": 1}, "not supported between"),
        (COLUMN + "be_of_type", {"column": "mixed", "type_": "homework"}, "there is no type 'homework'"),
        (COLUMN + "not_be_in_set", {"column": "sold", "value_set": ["tomorrowish"]}, "Unknown string format"),
        (PAIR + "a_to_be_greater_than_b", {"column_A": "size", "column_B": "colour"}, "Invalid comparison|not supported"),
        (
            PAIR + "to_be_equal",
            {"column_A": "size", "column_B": "rooms", "ignore_row_if": "sometimes"},
            "ignore_row_if='sometimes' is unknown",
        ),
        (COLUMN + "match_regex", {"column": "colour", "regex": "("}, "missing"),
        (COLUMN + "match_regex", {"column": "colour", "regex": "(?=a"}, "Invalid regular expression"),
    ],
)
def test_what_cannot_be_evaluated_never_passes(kind: str, kwargs: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        failing(kind, **kwargs)
