from __future__ import annotations

from typing import Any

import pytest

from tasks.core.parts import Part, Sight, merge, sight
from tasks.core.row_sets import RowSet
from tasks.core.validation import ExpectationResult

TYPES = {"size": "float64", "rooms": "float64", "colour": "str", "sold": "datetime64[us]", "count": "int64"}
ALL = tuple(TYPES)
COLUMN = "expect_column_values_to_"


def when(column: str) -> dict[str, Any]:
    return {"type": "comparison", "column": {"name": column}, "operator": ">", "parameter": 3}


@pytest.mark.parametrize(
    ("kind", "kwargs", "expected"),
    [
        (COLUMN + "not_be_null", {"column": "size"}, Sight("rows", ("size",))),
        (COLUMN + "not_be_null", {"column": "size", "row_condition": when("rooms")}, Sight("rows", ("size", "rooms"))),
        (
            COLUMN + "not_be_null",
            {"column": "size", "row_condition": {"type": "or", "conditions": [when("rooms")]}},
            Sight("rows", ("size", "rooms")),
        ),
        (COLUMN + "not_be_null", {"column": "size", "row_condition": "rooms > 3"}, Sight("columns", ALL)),
        (
            COLUMN + "not_be_null",
            {"column": "size", "row_condition": {"type": "and", "conditions": [{"type": "?"}]}},
            Sight("columns", ALL),
        ),
        (COLUMN + "not_be_null", {"column": "sise"}, Sight("names", ALL)),
        # An integer column with a gap has another type in the part that has the gap.
        (COLUMN + "not_be_null", {"column": "count"}, Sight("columns", ("count",))),
        (COLUMN + "match_regex", {"column": "colour", "regex": "a"}, Sight("rows", ("colour",))),
        (COLUMN + "match_regex", {"column": "sold", "regex": "a"}, Sight("columns", ("sold",))),
        ("expect_column_value_lengths_to_equal", {"column": "sold", "value": 10}, Sight("columns", ("sold",))),
        (COLUMN + "be_unique", {"column": "size"}, Sight("columns", ("size",))),
        (COLUMN + "be_increasing", {"column": "size"}, Sight("columns", ("size",))),
        (COLUMN + "be_of_type", {"column": "size", "type_": "float64"}, Sight("names", ALL)),
        (COLUMN + "be_of_type", {"column": "count", "type_": "int64"}, Sight("columns", ("count",))),
        ("expect_column_pair_values_to_be_equal", {"column_A": "size", "column_B": "rooms"}, Sight("rows", ("size", "rooms"))),
        ("expect_compound_columns_to_be_unique", {"column_list": ["size", "colour"]}, Sight("columns", ("size", "colour"))),
        ("expect_multicolumn_sum_to_equal", {"column_list": ["size", "rooms"]}, Sight("rows", ("size", "rooms"))),
        ("expect_column_mean_to_be_between", {"column": "size"}, Sight("columns", ("size",))),
        ("expect_table_columns_to_match_set", {"column_set": ["size"]}, Sight("names", ALL)),
        ("expect_table_row_count_to_equal", {"value": 3}, Sight("columns", ("size",))),
        ("expect_table_row_count_to_equal", {"value": 3, "row_condition": when("rooms")}, Sight("columns", ("rooms",))),
        ("expect_something_of_somebody", {}, Sight("columns", ALL)),
    ],
)
def test_an_expectation_sees_no_more_than_it_must(kind: str, kwargs: dict[str, Any], expected: Sight) -> None:
    assert sight(kind, kwargs, TYPES) == expected


def part(start: int, considered: int, *rows: int, **more: str) -> Part:
    return Part(start, considered, ExpectationResult("e", "warning", not rows, RowSet.of(rows), quarantine=True, notes="n", **more))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(("mostly", "success"), [(1.0, False), (0.9, False), (0.8, True), (0.0, True)])
def test_parts_add_up_and_the_share_is_of_the_total(mostly: float, success: bool) -> None:
    found = merge([part(0, 10, 1, 9), part(20, 5), part(40, 0), part(60, 5, 3)], mostly)
    assert found == ExpectationResult("e", "warning", success, RowSet.of([1, 9, 63]), quarantine=True, notes="n")


def test_a_problem_in_one_part_is_a_problem_of_the_whole() -> None:
    found = merge([part(0, 10, 1), part(20, 5, problem="no such thing", without_rule="no rule"), part(40, 5, problem="another")], 0.0)
    assert (found.success, list(found.failing_rows), found.problem, found.without_rule) == (False, [], "no such thing", "no rule")
