from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from tasks.adapters import sources, suites
from tasks.core import rules
from tasks.core.errors import DataRefusedError, UsageError
from tasks.core.reading.terms import ReadingOptions
from tasks.core.validation import Validation

if TYPE_CHECKING:
    from collections.abc import Callable

    from tasks.core.validation import ExpectationResult

EXPECTATIONS = Path(__file__).parents[2] / "expectations"
BUNDLED = sorted(path.stem for path in EXPECTATIONS.glob("*.json"))
NOT_NULL = "expect_column_values_to_not_be_null"
BETWEEN = "expect_column_values_to_be_between"


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    return tmp_path / "houses.json"


def rows() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "size": [70.0, 82.0, np.nan, 4000.0, 64.0],
            "rooms": [2.0, 3.0, 2.0, 3.0, 2.0],
            "colour": pd.Series(["red", "blue", None, "rad", "red"], dtype="str"),
            "sold": pd.Series(["2024-01-01", None, "2024-01-03", "2024-01-04", "2024-01-05"], dtype="datetime64[us]"),
        }
    )


def expectation(
    kind: str, severity: str = "critical", *, quarantine: bool = False, notes: str | list[str] = "", **kwargs: object
) -> dict[str, Any]:
    meta = {"quarantine": True} if quarantine else {}
    return {"type": kind, "kwargs": kwargs, "severity": severity, "meta": meta, "notes": notes or None}


def evaluate(suite: Path, *expectations: dict[str, Any]) -> tuple[ExpectationResult, ...]:
    suite.write_text(json.dumps({"name": "houses", "expectations": expectations}), encoding="utf-8")
    return suites.evaluate(rows(), suite)


def refusal(suite: Path, content: str | bytes) -> str:
    suite.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError) as refused:
        suites.evaluate(rows(), suite)
    assert refused.value.where == str(suite)
    assert "\n" not in refused.value.message
    return refused.value.message.removeprefix(f"{suite} is not a Great Expectations suite: ")


# ----------------------------------------------------------------------------------------------------------- consequences


@pytest.mark.parametrize(
    ("severity", "quarantine", "mostly", "success", "consequence"),
    [
        ("critical", False, 1.0, False, "refused"),
        ("critical", False, 0.8, True, "quarantined"),
        ("critical", False, 0.81, False, "refused"),
        ("critical", True, 1.0, False, "refused"),
        ("warning", True, 1.0, False, "quarantined"),
        ("warning", True, 0.8, True, "quarantined"),
        ("warning", False, 1.0, False, "reported"),
        ("warning", False, 0.8, True, "reported"),
        ("info", False, 1.0, False, "reported"),
        ("info", True, 1.0, False, "reported"),
        ("info", True, 0.8, True, "reported"),
    ],
)
def test_what_follows_from_failing_rows(
    suite: Path, severity: str, quarantine: bool, mostly: float, success: bool, consequence: str
) -> None:
    (result,) = evaluate(suite, expectation(NOT_NULL, severity, quarantine=quarantine, column="size", mostly=mostly))
    assert (result.severity, result.success, tuple(result.failing_rows), result.problem) == (severity, success, (2,), "")
    assert result.consequence == consequence


@pytest.mark.parametrize("severity", ["critical", "warning", "info"])
def test_nothing_follows_when_all_rows_pass(suite: Path, severity: str) -> None:
    (result,) = evaluate(suite, expectation(NOT_NULL, severity, quarantine=True, column="rooms"))
    assert (result.success, tuple(result.failing_rows), result.consequence) == (True, (), "none")


def test_an_expectation_without_a_severity_is_critical(suite: Path) -> None:
    (result,) = evaluate(suite, {"type": NOT_NULL, "kwargs": {"column": "size"}})
    assert (result.severity, result.consequence) == ("critical", "refused")


@pytest.mark.parametrize(("severity", "consequence"), [("critical", "refused"), ("warning", "reported"), ("info", "reported")])
def test_what_follows_when_a_whole_column_fails(suite: Path, severity: str, consequence: str) -> None:
    (result,) = evaluate(suite, expectation("expect_column_mean_to_be_between", severity, quarantine=True, column="rooms", max_value=1))
    assert (result.success, tuple(result.failing_rows), result.consequence) == (False, (), consequence)


@pytest.mark.parametrize("severity", ["critical", "warning", "info"])
def test_a_missing_column_is_a_problem_and_refuses(suite: Path, severity: str) -> None:
    missing, present = evaluate(suite, expectation(NOT_NULL, severity, column="sise"), expectation(NOT_NULL, severity, column="rooms"))
    assert 'The column "sise" in BatchData does not exist' in missing.problem
    assert (missing.success, tuple(missing.failing_rows), missing.consequence) == (False, (), "refused")
    assert present.consequence == "none"
    told = "houses.csv is refused by houses.json: 'sise': column values to not be null: .* does not exist.*; mend the data, change"
    with pytest.raises(DataRefusedError, match=told):
        Validation("houses.json", (missing, present)).raise_if_refused("houses.csv")


def test_an_expectation_that_cannot_be_evaluated_is_a_problem_and_refuses(suite: Path) -> None:
    (result,) = evaluate(suite, expectation(BETWEEN, "info", column="colour", max_value=3))
    assert result.problem
    assert result.consequence == "refused"


def test_expectations_may_carry_the_ids_that_other_tools_write(suite: Path) -> None:
    asked = {**expectation(NOT_NULL, column="size"), "id": "0f5b2f5c-5b7e-4f4e-9a53-8f3d2f0d3c11"}
    (result,) = evaluate(suite, asked)
    assert (tuple(result.failing_rows), result.consequence) == ((2,), "refused")


def test_every_failing_row_is_found_whatever_the_number(suite: Path) -> None:
    suite.write_text(json.dumps({"name": "n", "expectations": [expectation(NOT_NULL, "info", column="n")]}), encoding="utf-8")
    (result,) = suites.evaluate(pd.DataFrame({"n": [np.nan] * 1000 + [1.0]}), suite)
    assert tuple(result.failing_rows) == tuple(range(1000))


def test_rows_are_found_for_conditions_pairs_and_groups_of_columns(suite: Path) -> None:
    condition = {"type": "comparison", "column": {"name": "rooms"}, "operator": "==", "parameter": 3}
    results = evaluate(
        suite,
        expectation(BETWEEN, column="size", max_value=100, row_condition=condition),
        expectation("expect_column_values_to_be_unique", column="colour"),
        expectation("expect_column_pair_values_a_to_be_greater_than_b", column_A="size", column_B="rooms", ignore_row_if="neither"),
        expectation("expect_compound_columns_to_be_unique", column_list=["rooms", "colour"]),
    )
    assert [tuple(result.failing_rows) for result in results] == [(3,), (0, 4), (2,), (0, 4)]


def test_an_expectation_without_a_rule_is_named_and_great_expectations_gives_its_rows(suite: Path) -> None:
    kind = "expect_column_values_to_be_dateutil_parseable"
    failing, passing, ruled, whole = evaluate(
        suite,
        expectation(kind, "warning", quarantine=True, column="colour"),
        expectation(
            kind, row_condition={"type": "comparison", "column": {"name": "size"}, "operator": "<", "parameter": 0}, column="colour"
        ),
        expectation(NOT_NULL, column="rooms"),
        expectation("expect_column_mean_to_be_between", column="rooms", max_value=9),
    )
    assert (tuple(failing.failing_rows), failing.consequence, failing.without_rule) == ((0, 1, 3, 4), "quarantined", f"no rule for {kind}")
    assert (tuple(passing.failing_rows), passing.consequence, passing.without_rule) == ((), "none", f"no rule for {kind}")
    assert (ruled.without_rule, whole.without_rule) == ("", "")
    assert Validation("houses.json", (passing, ruled, whole)).summary == f"3 of 3 expectations hold; no rule for {kind}"


def test_a_row_condition_that_finds_no_time_is_named(suite: Path) -> None:
    condition = {"type": "comparison", "column": {"name": "sold"}, "operator": "==", "parameter": "2024-01-03"}
    (result,) = evaluate(suite, expectation(NOT_NULL, column="size", row_condition=condition))
    assert result.without_rule == "no rule for a row_condition with == on times, in which Great Expectations finds no row"


def test_a_rule_that_disagrees_with_great_expectations_is_a_problem_and_refuses(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = rules.compile_rule
    monkeypatch.setattr(rules, "compile_rule", lambda kind, kwargs: right(kind, {**kwargs, "min_value": 75}))
    (result,) = evaluate(suite, expectation(BETWEEN, "info", column="size", min_value=65))
    assert result.problem == "Great Expectations counts 1 failing rows, and 2 are found"
    assert (tuple(result.failing_rows), result.consequence) == ((), "refused")


def test_a_rule_that_cannot_be_evaluated_where_great_expectations_can_is_a_problem(suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = rules.compile_rule
    monkeypatch.setattr(rules, "compile_rule", lambda kind, kwargs: right(kind, {**kwargs, "column": "colour"}))
    (result,) = evaluate(suite, expectation(BETWEEN, "info", column="size", min_value=65))
    assert result.problem == "Great Expectations counts 1 failing rows, and our rule says: str cannot be compared with 65.0"
    assert result.consequence == "refused"


def test_results_stand_in_the_order_of_the_suite_with_all_reasons_of_a_row(suite: Path) -> None:
    results = evaluate(
        suite,
        expectation("expect_column_values_to_be_in_set", "warning", quarantine=True, column="colour", value_set=["red", "blue"]),
        expectation(NOT_NULL, "info", column="rooms"),
        expectation(BETWEEN, "warning", quarantine=True, column="size", min_value=10, max_value=900, notes="m²"),
        expectation(NOT_NULL, "warning", quarantine=True, column="size", notes=["A size", "is measured."]),
    )
    assert [result.expectation.partition(":")[0] for result in results] == ["'colour'", "'rooms'", "'size'", "'size'"]
    assert [result.notes for result in results] == ["", "", "m²", "A size is measured."]
    rows, reasons = Validation("houses.json", results).set_aside(0, 5)
    assert dict(zip(rows.tolist(), reasons.tolist(), strict=True)) == {
        2: "'size': column values to not be null",
        3: "'colour': column values to be in set value_set=['red', 'blue'];"
        " 'size': column values to be between min_value=10.0 max_value=900.0",
    }


def test_one_question_may_be_asked_with_two_consequences(suite: Path) -> None:
    expected = [("info", False, "reported"), ("critical", False, "refused"), ("warning", True, "quarantined")]
    results = evaluate(suite, *(expectation(NOT_NULL, severity, quarantine=aside, column="size") for severity, aside, _ in expected))
    assert [(result.severity, result.quarantine, result.consequence) for result in results] == expected


def test_rows_are_not_changed_and_nothing_is_written(suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    df = rows()
    suite.write_text(json.dumps({"name": "houses", "expectations": [expectation(NOT_NULL, column="size")]}), encoding="utf-8")
    suites.evaluate(df, suite)
    pd.testing.assert_frame_equal(df, rows())
    assert list(folder.iterdir()) == []


# ------------------------------------------------------------------------------------------------------- tables read in parts


def in_parts() -> list[dict[str, Any]]:
    """Ask for what is found row by row, in the names, and in whole columns; each fails somewhere, some hold by their share."""
    later = {"type": "comparison", "column": {"name": "sold"}, "operator": ">", "parameter": "2024-01-01T12:00:00"}
    return [
        expectation("expect_column_mean_to_be_between", column="size", max_value=1),
        *(expectation(NOT_NULL, column="size", mostly=mostly) for mostly in (1.0, 0.9, 0.5)),
        expectation("expect_column_values_to_be_unique", column="size"),
        *(expectation(BETWEEN, column="size", max_value=5, mostly=mostly, row_condition=later) for mostly in (1.0, 0.5)),
        expectation(BETWEEN, column="sold", max_value="2024-01-01T20:00:00", mostly=0.6),
        expectation("expect_column_values_to_be_null", column="rooms"),
        expectation("expect_column_values_to_match_regex", column="colour", regex="^(r|b)", mostly=0.7),
        expectation("expect_column_values_to_match_regex", column="sold", regex=":30"),
        expectation("expect_column_value_lengths_to_equal", column="sold", value=10),
        expectation("expect_column_values_to_be_of_type", column="colour", type_="float64"),
        expectation("expect_column_values_to_be_dateutil_parseable", column="colour"),
        expectation("expect_column_values_to_be_increasing", column="size"),
        expectation("expect_column_pair_values_a_to_be_greater_than_b", column_A="size", column_B="rooms", mostly=0.5),
        expectation("expect_compound_columns_to_be_unique", column_list=["size", "colour"]),
        expectation("expect_select_column_values_to_be_unique_within_record", column_list=["size", "rooms"]),
        expectation("expect_table_columns_to_match_set", column_set=["size", "colour"]),
        expectation("expect_table_row_count_to_equal", value=50),
        expectation("expect_column_to_exist", column="surprise"),
        expectation(NOT_NULL, column="sise"),
        expectation(BETWEEN, "info", column="colour", max_value=3),
        expectation(NOT_NULL, "info", column="rooms", mostly=0.1),
    ]


@pytest.mark.parametrize(("seed", "length", "rows_at_once"), [(0, 50, 7), (1, 50, 49), (2, 50, 50)])
def test_a_table_read_in_parts_is_judged_as_the_whole(tmp_path: Path, suite: Path, seed: int, length: int, rows_at_once: int) -> None:
    rng = np.random.default_rng(seed)
    df = pd.DataFrame(
        {
            "size": rng.choice([1.0, 2.0, 7.0, np.inf, np.nan], length),
            "rooms": rng.choice([1.0, 2.0, np.nan], length),
            "colour": pd.Series(rng.choice(["red", "blue", "", "Ω", None], length), dtype="str"),
            "sold": pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 72, length) * 30, unit="min")),
        }
    ).astype({"sold": "datetime64[us]"})
    df.loc[:9, ["rooms", "sold"]] = [np.nan, pd.Timestamp("2024-01-01")]
    df.to_parquet(tmp_path / "houses.parquet", index=False, row_group_size=20)
    suite.write_text(json.dumps({"name": "houses", "expectations": in_parts()}), encoding="utf-8")
    whole = suites.evaluate(df, suite)
    assert {result.success for result in whole} == {True, False}
    for found, expected in zip(suites.evaluate_file(tmp_path / "houses.parquet", suite, rows_at_once), whole, strict=True):
        assert found == expected


def test_no_more_rows_than_said_are_judged_at_once(tmp_path: Path, suite: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pd.DataFrame({"size": [1.0] * 100, "rooms": [1.0] * 100}).to_parquet(tmp_path / "houses.parquet", index=False)
    suite.write_text(json.dumps({"name": "n", "expectations": [expectation(BETWEEN, column="size", max_value=0)]}), encoding="utf-8")
    seen: list[tuple[int, int]] = []
    judge = rules.Rule.judge
    monkeypatch.setattr(rules.Rule, "judge", lambda rule, df: seen.append(df.shape) or judge(rule, df))
    (result,) = suites.evaluate_file(tmp_path / "houses.parquet", suite, 30)
    assert (list(result.failing_rows), seen) == (list(range(100)), [(30, 1), (30, 1), (30, 1), (10, 1)])


# ---------------------------------------------------------------------------------------------------------- malformed files


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "line 1 column 2"),
        (b'{"name": "M\xfcller"}', "can't decode byte 0xfc in position 11"),
        ("[]", "must be a mapping, not list"),
        ("null", "must be a mapping, not NoneType"),
        ('{"expectations": []}', "name must be provided as a non-empty string"),
        ('{"name": 5, "expectations": []}', "name must be provided as a non-empty string"),
        ('{"name": "a", "expectation": []}', "unexpected keyword argument 'expectation'"),
        ('{"name": "a", "expectations": [5]}', "received type <class 'int'>"),
        ('{"name": "a", "expectations": [{"type": "expect_something"}]}', "missing 1 required positional argument: 'kwargs'"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_suite_is_told_in_one_sentence(suite: Path, content: str | bytes, told: str) -> None:
    assert told in refusal(suite, content)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (expectation("expect_column_values_to_be_betwen", column="size"), "expect_column_values_to_be_betwen not found"),
        (expectation(BETWEEN, column="size", minimum=3, max_value=9), "minimum extra fields not permitted"),
        (expectation(BETWEEN, max_value=9), "column field required"),
        (expectation(BETWEEN, column="size"), "min_value and max_value cannot both be None"),
        (expectation(NOT_NULL, "fatal", column="size"), "Invalid severity 'fatal'. Must be one of: critical, warning, info"),
        (expectation(NOT_NULL, column="size", mostly=80), "mostly"),
        (expectation(BETWEEN, column="size", min_value={"$PARAMETER": "smallest"}), "No value found for $PARAMETER smallest"),
    ],
)  # fmt: skip
def test_a_wrong_expectation_is_told_with_what_is_wrong_in_it(
    suite: Path, caplog: pytest.LogCaptureFixture, wrong: dict[str, Any], told: str
) -> None:
    assert told in refusal(suite, json.dumps({"name": "houses", "expectations": [wrong]}))
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_wrong_expectation_is_not_left_out_of_an_otherwise_right_suite(suite: Path) -> None:
    right, wrong = expectation(NOT_NULL, column="rooms"), expectation("expect_column_values_to_be_betwen", column="size")
    assert "expect_column_values_to_be_betwen not found" in refusal(
        suite, json.dumps({"name": "houses", "expectations": [right, wrong, right]})
    )


# ------------------------------------------------------------------------------------------------------- the bundled suites


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return {name: table.df for name in BUNDLED if (table := sources.load(f"sklearn:{name}", ReadingOptions())[0].table) is not None}


def expectations_of(name: str) -> list[dict[str, Any]]:
    return json.loads((EXPECTATIONS / f"{name}.json").read_text(encoding="utf-8"))["expectations"]


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_suite_holds_on_its_table(tables: dict[str, pd.DataFrame], name: str) -> None:
    results = suites.evaluate(tables[name], EXPECTATIONS / f"{name}.json")
    assert len(results) == len(expectations_of(name))
    assert [result for result in results if result.consequence != "none"] == []
    assert Validation(f"{name}.json", results).summary == f"{len(results)} of {len(results)} expectations hold"


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_suite_checks_every_column(tables: dict[str, pd.DataFrame], name: str) -> None:
    for kind in ("expect_column_values_to_be_of_type", BETWEEN):
        checked = [e["kwargs"]["column"] for e in expectations_of(name) if e["type"] == kind]
        without_range = {"target"} if kind == BETWEEN and tables[name]["target"].dtype == "str" else set()
        assert sorted(checked) == sorted(set(tables[name].columns) - without_range)


def with_a_cell(column: str, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(df: pd.DataFrame) -> pd.DataFrame:
        changed = df.copy()
        changed.loc[7, column] = value
        return changed

    return change


def damage(asked: dict[str, Any]) -> tuple[Callable[[pd.DataFrame], pd.DataFrame], tuple[int, ...]]:
    """Give what breaks an expectation, and the rows that then fail it."""
    kwargs = asked["kwargs"]
    match asked["type"]:
        case "expect_table_columns_to_match_set":
            return (lambda df: df.assign(surprise=1.0)), ()
        case "expect_column_values_to_be_of_type":
            other = {"float64": "str", "str": "datetime64[us]"}[kwargs["type_"]]
            value = "x" if other == "str" else "2024-01-01"
            return (lambda df: df.assign(**{kwargs["column"]: pd.Series([value] * len(df), dtype=other)})), ()
        case "expect_column_values_to_be_between":
            return with_a_cell(kwargs["column"], kwargs["max_value"] + 1), (7,)
        case "expect_column_values_to_not_be_null":
            return with_a_cell(kwargs["column"], np.nan), (7,)
        case "expect_column_values_to_be_in_set":
            return with_a_cell(kwargs["column"], "surprise"), (7,)
    pytest.fail(f"no case fails {asked['type']}")


KINDS = {(name, asked["type"]): asked for name in BUNDLED for asked in reversed(expectations_of(name))}


@pytest.mark.parametrize(("name", "kind"), sorted(KINDS), ids=lambda part: part.removeprefix("expect_"))
def test_every_kind_of_bundled_expectation_has_a_case_that_it_fails(tables: dict[str, pd.DataFrame], name: str, kind: str) -> None:
    asked = KINDS[name, kind]
    change, failing = damage(asked)
    results = suites.evaluate(change(tables[name]), EXPECTATIONS / f"{name}.json")
    result = results[expectations_of(name).index(asked)]
    is_aside = asked.get("meta", {}).get("quarantine", False)
    expected = "refused" if asked["severity"] == "critical" else "quarantined" if is_aside else "reported"
    assert (result.success, tuple(result.failing_rows), result.problem, result.consequence) == (False, failing, "", expected)
    if expected != "refused":
        assert [other for other in results if other not in (result, replace(other, success=True))] == []


@pytest.mark.parametrize("name", BUNDLED)
def test_a_bundled_suite_refuses_a_table_without_one_of_its_columns(tables: dict[str, pd.DataFrame], name: str) -> None:
    results = suites.evaluate(tables[name].drop(columns="target"), EXPECTATIONS / f"{name}.json")
    with pytest.raises(DataRefusedError, match=f"sklearn:{name} is refused by {name}.json: table columns to match set"):
        Validation(f"{name}.json", results).raise_if_refused(f"sklearn:{name}")
    assert all(result.problem for result in results if result.expectation.startswith("'target':"))
