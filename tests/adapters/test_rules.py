from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import great_expectations as gx
import numpy as np
import pandas as pd
import pytest
from great_expectations.data_context.types.base import ProgressBarsConfig
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.rules import COMPILED, compile_rule

if TYPE_CHECKING:
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.core.batch_definition import BatchDefinition

# Patterns with groups make pandas warn, and a warning inside GX is an exception here.
pytestmark = pytest.mark.filterwarnings("ignore:This pattern is interpreted as a regular expression")

Asked = tuple[str, dict[str, Any]]

NUMBERS = [1.0, 2.0, 3.5, -0.0, 0.0, -1.0, 1e300, 0.1, np.inf, -np.inf, np.nan]
TEXTS = ["", " ", "a", "ab", "A1", "12", "1.0", "Ω", "é", "日本", "👍", "x\ny", "nan", None]
TIMES = ["2024-01-01", "2024-01-02", "2024-01-01T12:30:00", "2024-01-01T00:00:00.000001", "1969-12-31T23:59:59", None]
MOSTLY = st.sampled_from([None, 0.0, 0.25, 0.5, 2 / 3, 0.9, 1.0])


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    size = draw(st.integers(0, 7))

    def column(cells: list[Any], dtype: str) -> pd.Series:
        usual = draw(st.sampled_from([cells, cells[:3], [cells[-1]]]))
        return pd.Series(draw(st.lists(st.sampled_from(usual), min_size=size, max_size=size)), dtype=dtype)

    return pd.DataFrame(
        {
            "number": column(NUMBERS, "float64"),
            "other number": column(NUMBERS, "float64"),
            "count": column([0, 1, 2, -5, 7], "int64"),
            "text": column(TEXTS, "str"),
            "other text": column(TEXTS, "str"),
            "time": column(TIMES, "datetime64[us]"),
            "other time": column(TIMES, "datetime64[us]"),
            "moment": column(TIMES, "datetime64[us, UTC]"),
            "mixed": column([1, "1", 2.5, True, b"x", None], "object"),
        }
    )


NAMES = ["number", "other number", "count", "text", "other text", "time", "other time", "moment"]
NUMERIC, COLUMN = st.sampled_from(NAMES[:3]), st.sampled_from(NAMES)
PATTERNS = st.sampled_from(["a", "^a", "b$", r"\d", r"\w+", "^$", "(a|1)", "(?i)A", r"^\S*$", "é", "2024-01-01$", r"\.0$", "(?=a)", "."])
LENGTHS = st.integers(0, 12)
SETS = st.lists(st.sampled_from([*NUMBERS[:6], 1, 2, *TEXTS[:8], "2024-01-01", "2024-01-01T12:30:00"]), max_size=5)
TIME_SETS = st.lists(st.sampled_from([text for text in TIMES if text]), max_size=3)
IGNORED_PAIRS = st.sampled_from([None, "both_values_are_missing", "either_value_is_missing", "neither"])
IGNORED_GROUPS = st.sampled_from([None, "all_values_are_missing", "any_value_is_missing", "never"])
GROUPS = st.lists(COLUMN, min_size=2, max_size=4, unique=True)
BOUNDS = st.sampled_from([0, 1, 2, -1.0, 0.1, 3.5, 1e300, "2", None])
TIME_BOUNDS = st.sampled_from(["2024-01-01T00:00:00", "2024-01-02 00:00", "2024-01-01T12:30:00.000001", "1970-01-01T00:00:00", None])
MOMENT_BOUNDS = TIME_BOUNDS.map(lambda bound: bound and f"{bound}+00:00")


@st.composite
def bounds(draw: st.DrawFn, column: st.SearchStrategy[str], values: st.SearchStrategy[Any], *, ordered: bool) -> dict[str, Any]:
    low, high = draw(values), draw(values)
    if low is None and high is None:
        low = draw(values.filter(lambda bound: bound is not None))
    if ordered and low is not None and high is not None:
        low, high = sorted((low, high), key=lambda value: datetime.fromisoformat(value) if values is not BOUNDS else float(value))
    flags = draw(st.fixed_dictionaries({"strict_min": st.booleans(), "strict_max": st.booleans()}))
    return {"column": draw(column), "min_value": low, "max_value": high, **flags}


def of(**kwargs: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(kwargs)


ASKED: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "expect_column_values_to_not_be_null": of(column=COLUMN | st.just("mixed")),
    "expect_column_values_to_be_null": of(column=COLUMN | st.just("mixed")),
    "expect_column_values_to_be_between": bounds(NUMERIC, BOUNDS, ordered=True)
    | bounds(st.sampled_from(["time", "other time"]), TIME_BOUNDS, ordered=True)
    | bounds(st.just("moment"), MOMENT_BOUNDS, ordered=True),
    "expect_column_values_to_be_in_set": of(column=COLUMN, value_set=SETS),
    "expect_column_values_to_not_be_in_set": of(column=st.sampled_from(NAMES[:5]), value_set=SETS)
    | of(column=st.sampled_from(["time", "moment"]), value_set=TIME_SETS),
    "expect_column_values_to_match_regex": of(column=COLUMN, regex=PATTERNS),
    "expect_column_values_to_not_match_regex": of(column=COLUMN, regex=PATTERNS),
    "expect_column_values_to_match_regex_list": of(
        column=COLUMN, regex_list=st.lists(PATTERNS, min_size=1, max_size=3), match_on=st.sampled_from(["any", "all", None])
    ),
    "expect_column_values_to_not_match_regex_list": of(column=COLUMN, regex_list=st.lists(PATTERNS, min_size=1, max_size=3)),
    "expect_column_value_lengths_to_be_between": bounds(COLUMN, LENGTHS, ordered=False),
    "expect_column_value_lengths_to_equal": of(column=COLUMN, value=LENGTHS),
    "expect_column_values_to_be_unique": of(column=COLUMN),
    "expect_column_values_to_be_of_type": of(
        column=st.just("mixed"), type_=st.sampled_from(["str", "int", "float", "bool", "float64", "bytes"])
    ),
    "expect_column_pair_values_a_to_be_greater_than_b": st.sampled_from([NAMES[:3], NAMES[3:5], NAMES[5:7], NAMES[7:]]).flatmap(
        lambda alike: of(
            column_A=st.sampled_from(alike),
            column_B=st.sampled_from(alike),
            or_equal=st.booleans() | st.none(),
            ignore_row_if=IGNORED_PAIRS,
        )
    ),
    "expect_column_pair_values_to_be_equal": of(column_A=COLUMN, column_B=COLUMN, ignore_row_if=IGNORED_PAIRS),
    "expect_compound_columns_to_be_unique": of(column_list=GROUPS, ignore_row_if=IGNORED_GROUPS),
    "expect_select_column_values_to_be_unique_within_record": of(column_list=GROUPS, ignore_row_if=IGNORED_GROUPS),
    "expect_multicolumn_values_to_be_equal": of(column_list=GROUPS, ignore_row_if=IGNORED_GROUPS),
    "expect_multicolumn_sum_to_equal": of(
        column_list=st.lists(NUMERIC, min_size=2, max_size=3, unique=True),
        sum_total=st.sampled_from([0, 1, 3, 5.5]),
        ignore_row_if=IGNORED_GROUPS,
    ),
}


KINDS = sorted(ASKED)


def compared(column: st.SearchStrategy[str], values: list[Any], signs: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    name = st.fixed_dictionaries({"name": column})
    one = of(type=st.just("comparison"), column=name, operator=st.sampled_from(signs), parameter=st.sampled_from(values))
    several = of(
        type=st.just("comparison"), column=name, operator=st.sampled_from(["IN", "NOT_IN"]), parameter=st.lists(st.sampled_from(values))
    )
    return one if "2024-01-01" in values else one | several


ORDER = ["==", "!=", "<", "<=", ">", ">="]
SIMPLE = (
    compared(NUMERIC, [0, 1, 2.0, -1], ORDER)
    | compared(st.sampled_from(["text", "other text"]), ["", "a", "Ω", "12"], ORDER)
    | compared(st.just("time"), ["2024-01-01", "2024-01-01T12:30:00"], ORDER[2:])
    | of(type=st.just("nullity"), column=st.fixed_dictionaries({"name": COLUMN}), is_null=st.booleans())
)
CONDITIONS = (
    SIMPLE
    | of(type=st.just("and"), conditions=st.lists(SIMPLE, min_size=1, max_size=3))
    | of(
        type=st.just("or"),
        conditions=st.lists(SIMPLE | of(type=st.just("and"), conditions=st.lists(SIMPLE, min_size=2, max_size=2)), min_size=1, max_size=3),
    )
)


@cache
def batches() -> BatchDefinition:
    made = gx.get_context(mode="ephemeral")
    made.variables.progress_bars = ProgressBarsConfig(globally=False)
    return made.data_sources.add_pandas("rows").add_dataframe_asset("batch").add_batch_definition_whole_dataframe("all")


def judged_by_gx(df: pd.DataFrame, asked: list[Asked]) -> list[ExpectationValidationResult]:
    """Judge expectations all at once, which is cheaper, and give the results in the order asked."""
    expectations = [{"type": kind, "kwargs": kwargs, "meta": {"place": place}} for place, (kind, kwargs) in enumerate(asked)]
    suite = gx.ExpectationSuite(name="all", expectations=expectations)
    results = batches().get_batch({"dataframe": df}).validate(suite, result_format={"result_format": "COMPLETE"}).results
    return sorted(results, key=lambda result: result.expectation_config.meta["place"])


def problem_of(result: ExpectationValidationResult) -> str:
    info = result.exception_info
    told = [info] if "raised_exception" in info else list(info.values())
    return next((one["exception_message"] for one in told if one["raised_exception"]), "")


def test_every_compiled_expectation_is_compared() -> None:
    assert set(ASKED) == COMPILED


@settings(max_examples=12)
@given(df=frames(), asked=st.tuples(*(of(kwargs=ASKED[kind], mostly=MOSTLY, row_condition=st.none() | CONDITIONS) for kind in KINDS)))
def test_a_rule_and_great_expectations_find_the_same_rows(df: pd.DataFrame, asked: tuple[dict[str, Any], ...]) -> None:
    questions = [
        (kind, {name: value for name, value in {**more["kwargs"], **more}.items() if value is not None and name != "kwargs"})
        for kind, more in zip(KINDS, asked, strict=True)
    ]
    for (kind, kwargs), result in zip(questions, judged_by_gx(df, questions), strict=True):
        found = compile_rule(kind, kwargs).judge(df)
        assert problem_of(result) == "", kwargs
        assert np.flatnonzero(found.failing).tolist() == result.result["unexpected_index_list"], kwargs
        assert (found.count, found.success) == (result.result["unexpected_count"], result.success), kwargs


def one_of_each() -> pd.DataFrame:
    return pd.DataFrame({"number": [1.0], "text": pd.Series(["a"], dtype="str"), "time": pd.Series(["2024-01-01"], dtype="datetime64[us]")})


BETWEEN = "expect_column_values_to_be_between"
GREATER = "expect_column_pair_values_a_to_be_greater_than_b"
WRONG: list[Asked] = [
    ("expect_column_values_to_not_be_null", {"column": "nobody"}),
    (BETWEEN, {"column": "text", "min_value": 1}),
    (BETWEEN, {"column": "text", "min_value": "2024-01-01T00:00:00"}),
    (BETWEEN, {"column": "number", "min_value": "2024-01-01T00:00:00"}),
    (BETWEEN, {"column": "number", "min_value": "2024-01-01"}),
    (BETWEEN, {"column": "number", "min_value": 2, "max_value": 1}),
    (BETWEEN, {"column": "number", "min_value": 2, "max_value": "2024-01-01"}),
    (BETWEEN, {"column": "time", "min_value": 1}),
    (BETWEEN, {"column": "time", "min_value": "2024-01-01"}),
    (BETWEEN, {"column": "time", "min_value": "2024-01-01T00:00:00Z"}),
    (GREATER, {"column_A": "number", "column_B": "text"}),
    (GREATER, {"column_A": "number", "column_B": "time"}),
    ("expect_column_values_to_not_be_in_set", {"column": "time", "value_set": ["tomorrowish"]}),
    ("expect_column_values_to_match_regex", {"column": "text", "regex": "("}),
    ("expect_multicolumn_sum_to_equal", {"column_list": ["number", "text"], "sum_total": 1}),
    (
        "expect_column_values_to_be_null",
        {"column": "text", "row_condition": {"type": "comparison", "column": {"name": "text"}, "operator": "<", "parameter": 1}},
    ),
]


def test_what_great_expectations_cannot_evaluate_a_rule_cannot_either() -> None:
    for (kind, kwargs), result in zip(WRONG, judged_by_gx(one_of_each(), WRONG), strict=True):
        assert problem_of(result), kwargs
        with pytest.raises(ValueError, match=r"\w"):
            compile_rule(kind, kwargs).judge(one_of_each())
