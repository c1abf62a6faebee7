from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tasks.core.behaviour import parse
from tasks.core.checks import CODES
from tasks.core.cron import EXPECTED
from tasks.core.errors import UsageError
from tasks.core.gate_settings import Gate, refuse_what_the_table_lacks
from tasks.core.options import TrainOptions
from tasks.core.reading.terms import ReadingOptions
from tasks.core.table import Column, Schema
from tasks.core.use_case import LAKE, MAX_NAME, Loss, UseCase

if TYPE_CHECKING:
    from tasks.core.table import Task

OPTIONS = st.builds(
    TrainOptions,
    data=st.none() | st.just("new.csv"),
    use_case=st.none() | st.just("flats"),
    target=st.none() | st.just("rent"),
    task=st.none() | st.just("binary"),
    time=st.none() | st.just("sold"),
    again=st.booleans(),
)


def houses(**values: object) -> UseCase:
    return UseCase.from_values("houses", {"data": "houses.csv", **values}, where="houses.yaml")


def refusal(name: str = "houses", **values: object) -> str:
    with pytest.raises(UsageError) as refused:
        UseCase.from_values(name, {"data": "houses.csv", **values}, where="houses.yaml")
    assert (refused.value.where, refused.value.exit_code) == ("houses.yaml", 2)
    return refused.value.message


# ----------------------------------------------------------------------------------------------------- what a call says


@given(OPTIONS)
def test_what_a_call_says_goes_before_the_file_and_nothing_else_changes(options: TrainOptions) -> None:
    use_case = houses(target="price", task="regression", time="built", drop=["id"], seed=7, gate={"tolerance": 0.1})
    found, before = use_case.with_options(options).model_dump(), use_case.model_dump()
    said = {key: value for key in ("data", "target", "task", "time") if (value := getattr(options, key)) is not None}
    assert found == {**before, **said}
    assert use_case.model_dump() == before


def test_a_call_that_says_nothing_leaves_the_use_case_as_it_is() -> None:
    assert houses(target="price").with_options(TrainOptions(again=True)) == houses(target="price")


# ----------------------------------------------------------------------------------------------------------------- loss


@pytest.mark.parametrize(
    ("task", "configured", "loss"),
    [
        ("regression", None, "squared_error"),
        ("regression", "absolute_error", "absolute_error"),
        ("binary", None, "brier"),
        ("binary", "log_loss", "log_loss"),
        ("multiclass", None, "brier"),
        ("multiclass", "brier", "brier"),
    ],
)
def test_the_configured_loss_is_used_and_otherwise_the_first_that_serves_the_task(task: Task, configured: Loss | None, loss: Loss) -> None:
    assert houses(loss=configured).loss_for(task) == loss


@pytest.mark.parametrize(
    ("task", "configured", "told"),
    [
        ("regression", "brier", "there is no regression loss 'brier' (available: absolute_error, squared_error)"),
        ("binary", "squared_error", "there is no binary loss 'squared_error' (available: brier, log_loss)"),
        ("multiclass", "absolute_error", "there is no multiclass loss 'absolute_error' (available: brier, log_loss)"),
    ],
)
def test_a_loss_that_does_not_serve_the_task_is_refused_with_those_that_do(task: Task, configured: Loss, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        houses(loss=configured).loss_for(task)
    assert (refused.value.message, refused.value.where) == (told, "loss")


# ---------------------------------------------------------------------------------------------------------------- keys

KEYS = "alarms, budget, candidates, card, costs, data, description, drop, gate, group, key, landing, loss, monitor, pii, reading, refit"
KEYS += ", retrain"
KEYS += ", schedule, score, seed, target, task, time"
GATE_KEYS = "approval, approval_days, behaviour, block, calibration_rise, error_rate, flips, floors, latency_factor, latency_ms"
GATE_KEYS += ", protected, protected_gap, size_factor, size_mb, skip, slice_loss, slice_rows, slices, tolerance"
READING_KEYS = "dates, decimal, delimiter, encoding, header, missing, names, query, quote, sheet, skip"


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"taget": "price"}, f"'taget'; did you mean 'target'? (available: {KEYS})"),
        (
            {"costs": {"false_positve": 2}},
            "'false_positve'; did you mean 'false_positive'? (available: false_negative, false_positive, positive)",
        ),
        ({"gate": {"tolerence": 0.1}}, f"'tolerence'; did you mean 'tolerance'? (available: {GATE_KEYS})"),
        ({"schedule": {"trian": "0 3 * * 1"}}, "'trian'; did you mean 'train'? (available: ingest, monitor, score, train)"),
        ({"reading": {"heade": "no"}}, f"'heade'; did you mean 'header'? (available: {READING_KEYS})"),
    ],
)
def test_a_key_that_does_not_exist_is_told_with_the_closest_one_beside_it(values: dict[str, object], told: str) -> None:
    assert refusal(**values) == f"there is no key in houses.yaml called {told}"


def test_a_use_case_is_called_like_its_file_and_not_by_a_key_in_it() -> None:
    with pytest.raises(UsageError) as refused:
        UseCase.from_values("houses", {"data": "houses.csv", "name": "flats"}, where="houses.yaml")
    assert refused.value.message == f"there is no key in houses.yaml called 'name' (available: {KEYS})"


def test_a_mistyped_key_is_told() -> None:
    with pytest.raises(UsageError, match=r"called 'dta'; did you mean 'data'\?"):
        UseCase.from_values("houses", {"dta": "houses.csv"}, where="houses.yaml")


def test_the_class_that_costs_are_about_may_be_written_as_a_number() -> None:
    assert houses(costs={"false_negative": 5, "positive": 1}).costs.positive == "1"


def test_an_error_costs_something() -> None:
    assert refusal(costs={"false_negative": 0}) == "houses.yaml: 'costs.false_negative' is 0: input should be greater than 0"


def test_a_use_case_without_data_is_about_the_rows_that_are_ingested() -> None:
    assert UseCase.from_values("houses", {}, where="houses.yaml").data == LAKE


def test_one_schedule_alone_is_that_of_training() -> None:
    assert houses(schedule="0 3 * * 1") == houses(schedule={"train": "0 3 * * 1"})
    assert houses(schedule=None) == houses()


def test_a_schedule_of_ingestion_needs_something_to_take() -> None:
    every_hour = {"schedule": {"ingest": "0 * * * *"}}
    assert houses(**every_hour).has_deliveries
    with pytest.raises(UsageError, match=r"'schedule.ingest' has nothing to take; set landing: to a folder, or data: to what comes"):
        UseCase.from_values("houses", every_hour, where="houses.yaml")


# -------------------------------------------------------------------------------------------------------------- reading


def test_what_a_call_says_about_reading_goes_before_the_file_key_by_key() -> None:
    use_case = houses(reading={"header": False, "delimiter": "tab", "skip": 2})
    reading = use_case.with_options(TrainOptions(read=("skip=3", "decimal=,"))).reading
    assert reading == ReadingOptions(header=False, delimiter="\t", skip=3, decimal=",")
    assert use_case.reading.skip == 2


@pytest.mark.parametrize(
    ("pair", "told"),
    [
        ("heade=no", f"there is no key of --read 'heade'; did you mean 'header'? (available: {READING_KEYS})"),
        ("header", "--read takes KEY=VALUE, such as header=no; got 'header'"),
        ("header=perhaps", "--read header is 'perhaps'; it takes whether the first row of the table names the columns: yes or no"),
    ],
)
def test_a_call_that_says_nothing_sensible_about_reading_is_refused(pair: str, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        houses().with_options(TrainOptions(read=(pair,)))
    assert (refused.value.message, refused.value.where) == (told, "--read")


# --------------------------------------------------------------------------------------------------------------- limits


@pytest.mark.parametrize("name", ["a", "7", "air-quality", "breast_cancer", "a" * MAX_NAME])
def test_a_name_is_lower_case_letters_digits_dashes_and_underscores(name: str) -> None:
    assert UseCase.from_values(name, {"data": "a.csv"}, where="a.yaml").name == name


@pytest.mark.parametrize("name", ["", "-a", "_a", "Flats", "a b", "a.b", "a/b", "..", "größe", "a\n"])
def test_any_other_name_is_refused(name: str) -> None:
    assert refusal(name) == f"houses.yaml: 'name' is {name!r}: string should match pattern '^[a-z0-9][a-z0-9_-]*$'"


def test_a_name_that_is_too_long_is_refused() -> None:
    assert refusal("a" * (MAX_NAME + 1)).endswith(f"string should have at most {MAX_NAME} characters")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"gate": {"tolerance": 0}}, "'gate.tolerance' is 0: input should be greater than 0"),
        ({"gate": {"tolerance": 0.51}}, "'gate.tolerance' is 0.51: input should be less than or equal to 0.5"),
        ({"gate": {"tolerance": float("nan")}}, "'gate.tolerance' is nan: input should be less than or equal to 0.5"),
        (
            {"gate": {"block": ["slice"]}},
            "'gate.block.0' is 'slice': there is no check 'slice'; did you mean 'slices'? (available: " + ", ".join(sorted(CODES)) + ")",
        ),
        (
            {"gate": {"floors": {"r2": "high"}}},
            "'gate.floors.r2' is 'high': input should be a valid number, unable to parse string as a number",
        ),
        ({"gate": {"slice_rows": 19}}, "'gate.slice_rows' is 19: input should be greater than or equal to 20"),
        ({"seed": 2**32}, "'seed' is 4294967296: input should be less than 4294967296"),
        ({"drop": ["id", 1]}, "'drop.1' is 1: input should be a valid string"),
        ({"loss": "mse"}, "'loss' is 'mse': input should be 'squared_error', 'absolute_error', 'brier' or 'log_loss'"),
        ({"reading": {"skip": -1}}, "'reading.skip' is -1: input should be greater than or equal to 0"),
        ({"schedule": "0 25 * * *"}, f"'schedule.train' is '0 25 * * *': the hour is '25', and goes from 0 to 23; {EXPECTED.lower()}"),
        ({"schedule": {"ingest": "hourly"}}, f"'schedule.ingest' is 'hourly': it has 1 field; {EXPECTED.lower()}"),
        ({"schedule": 5}, "'schedule' is 5: write keys and values, such as {key: value}"),
        ({"refit": "sometimes"}, "'refit' is 'sometimes': input should be 'never', 'ordered' or 'always'"),
    ],
)
def test_a_value_beyond_its_limits_is_told_with_its_key(values: dict[str, object], told: str) -> None:
    assert refusal(**values) == f"houses.yaml: {told}"


def test_the_limits_themselves_are_allowed() -> None:
    use_case = houses(seed=2**32 - 1, gate={"tolerance": 0.5})
    assert (use_case.seed, use_case.gate) == (2**32 - 1, Gate(tolerance=0.5))


TABLE = Schema(
    (Column("size", "number", "feature", ""), Column("town", "category", "unused", ""), Column("price", "number", "target", "")),
    "regression",
)
CASES = parse("town,at_most\nBern,3\n", "cases.csv")


@pytest.mark.parametrize(
    ("gate", "told"),
    [
        ({"floors": {"rsme": 1}}, "there is no metric of a regression under gate.floors called 'rsme'; did you mean 'rmse'?"),
        ({"floors": {"cost": 1}}, "there is no metric of a regression under gate.floors called 'cost' (available: mae, mse, r2, rmse)"),
        ({"slices": ["twon=Bern"]}, "there is no column under gate.slices called 'twon'; did you mean 'town'?"),
        ({"protected": ["sex"]}, "there is no column under gate.protected called 'sex' (available: price, size, town)"),
    ],
)
def test_a_gate_that_asks_for_what_a_table_lacks_is_told_before_anything_is_fitted(gate: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError) as refused:
        refuse_what_the_table_lacks(houses(gate=gate), TABLE, ["size", "town", "price"], ())
    assert refused.value.message.startswith(told)
    assert refused.value.where == f"gate.{next(iter(gate))}"


def test_slices_and_groups_may_be_of_columns_that_no_model_sees_and_cases_may_not() -> None:
    asked = houses(gate={"slices": ["town", "town=Bern"], "protected": ["town"], "floors": {"r2": 0.5}})
    refuse_what_the_table_lacks(asked, TABLE, ["size", "town", "price"], ())
    with pytest.raises(UsageError, match=r"no column of models in cases.csv, case 1 called 'town' \(available: size\)"):
        refuse_what_the_table_lacks(asked, TABLE, ["size", "town", "price"], CASES)


def test_a_use_case_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        houses().seed = 1  # pyright: ignore[reportAttributeAccessIssue]
