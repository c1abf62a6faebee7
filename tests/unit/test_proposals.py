from __future__ import annotations

import functools
import json
import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.errors import UsageError
from tasks.core.profiles import profile_rows
from tasks.core.proposals import FEW_ROWS, propose_suite
from tasks.core.schema import infer_schema
from tasks.core.suites import Expectation, Suite, apply_changes, compare_suites, describe_changes

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

BETWEEN, PRESENT = "expect_column_values_to_be_between", "expect_column_values_to_not_be_null"


def houses(rows: int = 200) -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "id": np.arange(rows) + 7_770_000.0,
            "ts": pd.date_range("2024-01-01", periods=rows, freq="h").as_unit("us"),
            "size": random.normal(80, 15, rows).round(1),
            "loss": -random.integers(0, 9, rows).astype("float64"),
            "colour": pd.Series(random.choice(["red", "blue"], rows), dtype="str"),
            "owner": pd.Series(random.choice(["Ann Smith", "Bob Jones"], rows), dtype="str"),
            "lift": pd.Series(np.where(np.arange(rows) % 4 == 0, None, "yes"), dtype="str"),
            "price": random.lognormal(12, 0.3, rows).round(),
        }
    )


def propose(df: pd.DataFrame, *, key: Sequence[str] = (), pii: Collection[str] = (), hidden: Collection[str] = ()) -> Suite:
    return propose_suite("houses", profile_rows([df], pii=hidden), infer_schema(df), key=key, pii=pii)


def of(suite: Suite, column: str) -> dict[str, Expectation]:
    return {e.type.removeprefix("expect_column_"): e for e in suite.expectations if e.kwargs.get("column") == column}


# ------------------------------------------------------------------------------------------------------------- proposing


def test_what_cannot_be_drift_blocks_and_all_else_warns() -> None:
    suite = propose(houses(), key=["id"])
    critical = {e.title for e in suite.expectations if e.severity == "critical"}
    types = {f"'{name}': column values to be of type" for name in houses().columns}
    assert critical == {"table columns to match set", *types}
    assert {e.severity for e in suite.expectations} == {"critical", "warning"}
    assert [e.title for e in suite.expectations if (e.meta or {}).get("quarantine")] == ["'id': column values to not be null"]
    assert all(e.severity == "warning" for e in of(suite, "price").values() if "type" not in e.type)


def test_types_are_those_that_great_expectations_knows() -> None:
    suite = propose(houses())
    types = {name: of(suite, name)["values_to_be_of_type"].kwargs["type_"] for name in houses().columns}
    assert types == {
        **dict.fromkeys(["id", "size", "loss", "price"], "float64"),
        **dict.fromkeys(["colour", "owner", "lift"], "str"),
        "ts": "datetime64[us]",
    }


def test_every_expectation_says_why_and_from_what_numbers() -> None:
    suite = propose(houses(), key=["id"])
    assert all(e.notes for e in suite.expectations)
    assert of(suite, "id")["values_to_be_unique"].notes == "The key: it names a row. 200 distinct values were in 200 rows."
    assert (
        of(suite, "loss")["values_to_be_between"].notes
        == "It was -8 to 0 in 200 rows; the slack is 8 on each side, and it never was positive."
    )
    assert "What is predicted. " in str(of(suite, "price")["values_to_be_between"].notes)


def test_a_key_of_two_columns_is_unique_together() -> None:
    suite = propose(houses(), key=["ts", "colour"])
    (unique,) = [e for e in suite.expectations if "unique" in e.type]
    assert (unique.type, unique.severity, unique.kwargs) == (
        "expect_compound_columns_to_be_unique",
        "warning",
        {"column_list": ["ts", "colour"]},
    )
    assert of(suite, "colour")["values_to_not_be_null"].meta["quarantine"] is True  # pyright: ignore[reportOptionalSubscript]


def test_ranges_stay_on_their_side_of_zero_and_times_have_none() -> None:
    suite = propose(houses(), key=["id"])
    assert of(suite, "size")["values_to_be_between"].kwargs == {"column": "size", "min_value": 0.0, "max_value": 176.0}
    assert of(suite, "price")["values_to_be_between"].kwargs["min_value"] == 0.0
    assert of(suite, "loss")["values_to_be_between"].kwargs == {"column": "loss", "min_value": -16.0, "max_value": 0.0}
    assert "values_to_be_between" not in {**of(suite, "ts"), **of(suite, "id")}


@settings(max_examples=20)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=9))
def test_a_range_holds_all_that_it_was_made_from(values: list[float]) -> None:
    df = pd.DataFrame({"x": values, "y": 1.0})
    schema = infer_schema(pd.DataFrame({"x": [0.0, 1.0, 3.0], "y": [1.0, 2.0, 4.0]}))
    between = of(propose_suite("s", profile_rows([df]), schema), "x").get("values_to_be_between")
    bounds = between.kwargs if between else {}
    assert float(str(bounds.get("min_value", -math.inf))) <= min(values)
    assert float(str(bounds.get("max_value", math.inf))) >= max(values)


def test_the_slack_is_twice_as_wide_where_few_rows_have_not_seen_the_tails() -> None:
    few, many = (of(propose(houses(rows).assign(size=lambda df: 500.0 + df.index % 100)), "size") for rows in (FEW_ROWS - 1, FEW_ROWS))
    assert few["values_to_be_between"].kwargs == {"column": "size", "min_value": 401.0, "max_value": 698.0}
    assert many["values_to_be_between"].kwargs == {"column": "size", "min_value": 450.0, "max_value": 649.0}


def test_one_value_alone_makes_no_range() -> None:
    df = houses()
    assert "values_to_be_between" not in of(propose(df.assign(loss=np.where(df.index < 9, np.nan, 2.0))), "loss")


def test_where_nothing_was_missing_the_slack_is_what_so_few_rows_can_hide() -> None:
    few, many = (of(propose(houses(rows)), "size")["values_to_not_be_null"] for rows in (30, 3000))
    assert (few.kwargs["mostly"], many.kwargs["mostly"]) == (0.9, 0.99)
    assert few.notes == "None of 30 rows lacked it; the slack is 10%."


def test_what_no_model_sees_has_a_type_and_no_more_and_late_labels_are_no_news() -> None:
    suite = propose(houses())
    assert set(of(suite, "id")) == {"values_to_be_of_type"}
    assert set(of(suite, "price")) == {"values_to_be_of_type", "values_to_be_between"}


def test_a_column_with_infinities_has_no_range_and_an_empty_one_nothing() -> None:
    df = houses().assign(size=np.where(np.arange(200) == 3, np.inf, 1.5), extra=np.nan)[["size", "extra", "loss", "price"]]
    suite = propose(df)
    assert set(of(suite, "size")) == {"values_to_be_of_type", "values_to_not_be_null"}
    assert of(suite, "extra") == {}


def test_sets_are_for_few_texts_that_came_often() -> None:
    suite = propose(houses())
    assert of(suite, "colour")["values_to_be_in_set"].kwargs["value_set"] == ["blue", "red"]
    many = houses().assign(colour=pd.Series([f"c{place % 60}" for place in range(200)], dtype="str"))
    rare = houses().assign(colour=pd.Series(["c"] * 185 + [f"c{place}" for place in range(15)] + ["c"] * 0, dtype="str"))
    long = houses().assign(colour=pd.Series(["c", "x" * 200] * 100, dtype="str"))
    assert all("values_to_be_in_set" not in of(propose(df), "colour") for df in (many, long))
    assert "values_to_be_in_set" in of(propose(rare), "colour")
    assert "values_to_be_in_set" not in of(propose(rare.iloc[50:]), "colour")


def test_a_share_of_missing_values_has_slack() -> None:
    share = of(propose(houses()), "lift")["proportion_of_non_null_values_to_be_between"]
    assert (share.severity, share.kwargs) == ("warning", {"column": "lift", "min_value": 0.65})
    assert share.notes == "50 of 200 rows had no value (25.0%); the slack is 9.2%."


@pytest.mark.parametrize("way", ["hidden", "pii"])
def test_no_value_of_a_pii_column_stands_in_the_suite(way: str) -> None:
    names = ["owner", "id", "ts"]
    suite = propose(houses(), key=["id"], **{way: names})
    text = suite.to_json()
    assert all(secret not in text for secret in ("Ann", "Bob", "777", "2024"))
    assert set(of(suite, "owner")) == {"values_to_be_of_type", "values_to_not_be_null"}


def test_names_that_are_no_columns_are_refused() -> None:
    with pytest.raises(UsageError, match=r"there is no column 'ownr'; did you mean 'owner'\?"):
        propose(houses(), pii=["ownr"])
    with pytest.raises(UsageError, match="there is no column 'key'"):
        propose(houses(), key=["key"])


# ------------------------------------------------------------------------------------------------------------- comparing


def edited(suite: Suite, title: str, **values: object) -> Suite:
    """Edit one expectation as a person does in the file."""
    document = json.loads(suite.to_json())
    for expectation in document["expectations"]:
        if Expectation.model_validate(expectation).title == title:
            expectation["kwargs"].update({name: value for name, value in values.items() if name != "severity"})
            expectation["severity"] = values.get("severity", expectation["severity"])
    return Suite.from_json(json.dumps(document), where="houses.json")


def test_a_suite_comes_back_from_its_file_and_equals_itself() -> None:
    suite = propose(houses(), key=["id"])
    assert Suite.from_json(suite.to_json(), where="houses.json") == suite
    assert compare_suites(suite, suite) == ()
    assert {e.origin for e in suite.expectations} == {"proposed"}


def test_a_new_proposal_tells_what_moved_with_before_and_after() -> None:
    df = houses()
    later = df.assign(loss=df["loss"] * 2, colour=df["colour"].replace("red", "green")).drop(columns="lift").assign(attic=1.5)
    later["attic"] += np.arange(200)
    changes = compare_suites(propose(df), propose(later[[*later.columns[:-2], "attic", "price"]]))
    assert describe_changes(changes).splitlines() == [
        "3 added, 3 removed, 3 changed; 0 of them by hand before",
        "~ table columns to match set: column_set +'attic' -'lift'",
        "~ 'loss': column values to be between: min_value -16.0 → -32.0",
        "~ 'colour': column values to be in set: value_set +'green' -'red'",
        "- 'lift': column values to be of type (critical)",
        "- 'lift': column values to be in set (warning)",
        "- 'lift': column proportion of non null values to be between (warning)",
        "+ 'attic': column values to be of type (critical)",
        "+ 'attic': column values to be between (warning)",
        "+ 'attic': column values to not be null (warning)",
    ]


def test_what_a_person_edited_is_told_apart() -> None:
    suite = propose(houses())
    by_hand = edited(suite, "'loss': column values to be between", min_value=-20.0, severity="critical")
    (change,) = compare_suites(by_hand, suite)
    told = "~ 'loss': column values to be between: min_value -20.0 → -16.0; severity 'critical' → 'warning' [edited by hand]"
    assert (change.origin, str(change)) == ("edited by hand", told)


def test_what_a_person_wrote_is_told_apart_and_notes_do_not_count() -> None:
    suite = propose(houses())
    own = Expectation(type="expect_column_mean_to_be_between", kwargs={"column": "size", "max_value": 90}, notes="by law")
    noted = suite.expectations[0].model_copy(update={"notes": ["agreed", "on Monday"]})
    changes = compare_suites(suite.model_copy(update={"expectations": (noted, *suite.expectations[1:], own)}), suite)
    assert [str(change) for change in changes] == ["- 'size': column mean to be between (critical) [written by hand]"]


def test_expectations_of_one_type_and_column_are_paired_one_by_one() -> None:
    low, high, wide = (Expectation(type=BETWEEN, kwargs={"column": "x", "max_value": most}) for most in (1, 2, 3))
    changes = compare_suites(Suite(name="s", expectations=(low, high)), Suite(name="s", expectations=(high, wide)))
    assert [(change.before, change.after) for change in changes] == [(low, wide)]


def test_a_file_that_is_no_suite_is_refused_by_its_place() -> None:
    with pytest.raises(UsageError) as refused:
        Suite.from_json('{"name": "s", "expectations": [{"type": "expect_x", "severety": "info"}]}', where="s.json")
    assert refused.value.message == ("s.json is not a Great Expectations suite: 'expectations.0.severety': extra inputs are not permitted")


# -------------------------------------------------------------------------------------------------------------- updating

LOSS = "'loss': column values to be between"


@functools.cache
def later() -> Suite:
    """Propose again, of a table in which much has moved."""
    df = houses()
    return propose(df.assign(loss=df["loss"] * 2, size=df["size"] * 3, colour=df["colour"].replace("red", "green")))


def updated(suite: Suite) -> Suite:
    return apply_changes(suite, later(), compare_suites(suite, later()))


def expected(suite: Suite) -> dict[str, Expectation]:
    return {expectation.title: expectation for expectation in suite.expectations}


def test_what_stands_as_it_was_proposed_follows_the_new_proposal() -> None:
    assert expected(updated(propose(houses()))) == expected(later())
    assert [e.title for e in updated(propose(houses())).expectations] == [e.title for e in propose(houses()).expectations]


@pytest.mark.parametrize("values", [{"min_value": -20.0}, {"severity": "critical"}, {"mostly": 0.9}])
def test_what_a_person_edited_stays(values: dict[str, object]) -> None:
    suite = edited(propose(houses()), LOSS, **values)
    assert expected(updated(suite))[LOSS] == expected(suite)[LOSS]
    assert {title for title, e in expected(updated(suite)).items() if e != expected(later())[title]} == {LOSS}


def test_the_notes_that_a_person_wrote_stay_with_what_they_are_about() -> None:
    suite = propose(houses())
    noted = tuple(e.model_copy(update={"notes": "agreed on Monday"}) if e.title == LOSS else e for e in suite.expectations)
    kept = expected(updated(suite.model_copy(update={"expectations": noted})))[LOSS]
    assert (kept.origin, kept.notes, kept.kwargs["min_value"]) == ("edited by hand", "agreed on Monday", -16.0)


def test_what_a_person_wrote_stays_and_what_a_person_took_out_stays_out() -> None:
    suite = propose(houses())
    own = Expectation(type="expect_column_mean_to_be_between", kwargs={"column": "size", "max_value": 90})
    without = tuple(e for e in suite.expectations if e.title != LOSS)
    suite = Suite.from_json(suite.model_copy(update={"expectations": (*without, own)}).to_json(), where="houses.json")
    found = updated(updated(suite))
    assert LOSS not in expected(found)
    assert own in found.expectations
    told = [str(change) for change in compare_suites(found, later())]
    assert told == [
        "- 'size': column mean to be between (critical) [written by hand]",
        f"+ {LOSS} (warning) [taken out by hand]",
    ]


def test_what_is_proposed_no_more_goes_and_what_is_new_comes() -> None:
    df = houses()
    suite, proposal = propose(df.drop(columns="loss")), propose(df.drop(columns="lift"))
    found = apply_changes(suite, proposal, compare_suites(suite, proposal))
    assert expected(found) == expected(proposal)
    assert compare_suites(found, proposal) == ()
    assert apply_changes(found, proposal, ()) == found
