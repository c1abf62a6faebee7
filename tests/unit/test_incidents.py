from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.findings import Arrival, Finding, Inspection, Limits
from tasks.core.incidents import inspect_batch, inspect_delivery
from tasks.core.profiles import profile_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

HOUR = 3_600_000_000
DAY = 24 * HOUR


def rows(size: int = 500, seed: int = 0, day: int = 0) -> pd.DataFrame:
    """Draw a day of a stream: columns of every kind, one of them signed, one rounded, one mostly zero."""
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "ts": (np.sort(random.integers(0, DAY, size)) + day * DAY).astype("datetime64[us]"),
            "weight": random.lognormal(4, 0.4, size),
            "temp": random.normal(15, 6, size),
            "profit": random.normal(0, 3, size),
            "age": np.round(random.normal(8, 2, size)).clip(1),
            "gain": np.where(random.random(size) < 0.15, random.lognormal(7, 1, size), 0.0),
            "flag": (random.random(size) < 0.02).astype("float64"),
            "kind": pd.Series(random.choice(["a", "b", "c"], size), dtype="str"),
        }
    )


def arrival(df: pd.DataFrame, name: str = "now", *, arrived: float | None = None, pii: Collection[str] = ()) -> Arrival:
    return Arrival(name, profile_rows([df], pii=pii), arrived)


REFERENCE = profile_rows([rows(3000, seed=99, day=-10)])
HISTORY = [arrival(rows(seed=day, day=day), f"day {day}", arrived=(day + 1) * DAY + HOUR) for day in range(5)]
TODAY = rows(seed=7, day=5)


def inspect(df: pd.DataFrame, history: Sequence[Arrival] = HISTORY, *, arrived: float | None = None) -> Inspection:
    return inspect_batch(arrival(df, arrived=arrived), REFERENCE, history, time="ts")


def only(inspection: Inspection) -> Finding:
    (found,) = inspection.findings
    return found


def codes(inspection: Inspection) -> list[tuple[str, str, str]]:
    return [(finding.code, finding.severity, finding.column) for finding in inspection.findings]


# --------------------------------------------------------------------------------------------------------- nothing wrong


@settings(max_examples=15)
@given(st.integers(100, 10_000), st.integers(170, 1500))
def test_batches_of_the_same_stream_have_no_incident(seed: int, size: int) -> None:
    assert inspect(rows(size, seed, day=5)).findings == ()


DRIFTS: dict[str, Callable[[pd.Series], pd.Series]] = {
    "shift": lambda values: values + 1.5 * values.std(),
    "far shift": lambda values: values + 40 * values.std(),
    "growth": lambda values: values * 1.37,
    "twice": lambda values: values * 2.03,
    "wider": lambda values: values.mean() + (values - values.mean()) * 3,
    "calmer": lambda values: values.mean() + (values - values.mean()) / 5,
    "another regime": lambda values: pd.Series(np.random.default_rng(1).exponential(values.std() * 2, len(values))),
    "two regimes": lambda values: values.where(values.index % 2 == 0, values + 5 * values.std()),
    "the upper half": lambda values: values.clip(lower=values.median()),
}


@pytest.mark.parametrize(("name", "history"), [("weight", HISTORY), ("temp", HISTORY), ("profit", HISTORY), ("temp", [])])
@pytest.mark.parametrize("drift", DRIFTS)
def test_a_sudden_drift_is_no_incident(name: str, drift: str, history: list[Arrival]) -> None:
    assert inspect(TODAY.assign(**{name: DRIFTS[drift](TODAY[name])}), history).findings == ()


@pytest.mark.parametrize("times", [2.0, 3.0, 5.0, 8.0, 12.0])
def test_scaled_volatility_is_no_incident(times: float) -> None:
    assert inspect(TODAY.assign(profit=TODAY["profit"] * times)).findings == ()


def test_growth_of_rounded_values_is_no_incident() -> None:
    assert inspect(TODAY.assign(age=(TODAY["age"] * 1.3).round())).findings == ()


def test_drift_of_everything_is_no_incident_even_where_one_column_would_return() -> None:
    moved = TODAY.assign(**{name: TODAY[name] + 3 * TODAY[name].std() for name in ("weight", "profit", "age", "gain")})
    assert inspect(moved.assign(temp=moved["temp"] * 1.8 + 32)).findings == ()


# ----------------------------------------------------------------------------------------------------------------- units


@pytest.mark.parametrize("name", ["weight", "temp", "profit", "age", "gain", "flag"])
@pytest.mark.parametrize(
    ("factor", "history"), [(1e6, HISTORY), (10.0, HISTORY), (0.1, HISTORY), (0.001, HISTORY), (1000.0, []), (0.1, [])]
)
def test_a_power_of_ten_is_an_incident(name: str, factor: float, history: list[Arrival]) -> None:
    found = only(inspect(TODAY.assign(**{name: TODAY[name] * factor}), history))
    assert (found.code, found.severity, found.column) == ("unit-changed", "critical", name)
    assert found.inputs["factor"] == pytest.approx(factor)
    spelled = f"{factor:,.0f} times" if factor > 1 else f"1/{1 / factor:,.0f} of"
    assert found.message.startswith(f"'{name}' came as {spelled} its values: median ")


@pytest.mark.parametrize(("one", "other"), [("weight", "temp"), ("profit", "weight"), ("flag", "age"), ("gain", "temp")])
@pytest.mark.parametrize("history", [HISTORY, []])
def test_columns_under_one_anothers_names_are_an_incident(one: str, other: str, history: list[Arrival]) -> None:
    found = inspect(TODAY.assign(**{one: TODAY[other], other: TODAY[one]}), history)
    swapped = [each for each in found.findings if each.code in ("columns-swapped", "unit-changed")]
    assert [(each.severity, {each.column, each.inputs["other"]}) for each in swapped] == [("critical", {one, other})]
    assert swapped[0].message.endswith("came under one another's names: each holds what the other held")


def test_a_column_that_becomes_like_another_one_is_no_swap() -> None:
    assert "columns-swapped" not in {found.code for found in inspect(TODAY.assign(temp=TODAY["weight"] + 0.1)).findings}


@pytest.mark.parametrize(
    ("name", "convert"),
    [
        ("°C to °F", lambda celsius: celsius * 1.8 + 32),
        ("°F to °C", lambda fahrenheit: (fahrenheit - 32) / 1.8),
        ("°C to K", lambda celsius: celsius + 273.15),
    ],
)
def test_temperatures_in_another_unit_are_an_incident(name: str, convert: Callable[[pd.Series], pd.Series]) -> None:
    # What a °F column holds is about where the °C column of the stream is, cold as that may be.
    found = only(inspect(TODAY.assign(temp=convert(TODAY["temp"]))))
    assert (found.code, found.severity, found.column) == ("unit-changed", "critical", "temp")
    assert found.message.startswith(f"'temp' seems to have gone from {name}: median ")
    assert float(found.inputs["gap_after"]) < float(found.inputs["gap_before"]) / 4


def test_another_factor_is_an_incident_where_rounded_values_show_it_exactly() -> None:
    found = only(inspect(TODAY.assign(age=TODAY["age"] * 12)))
    assert (found.severity, found.column, found.inputs["conversion"]) == ("critical", "age", "12 times")


def test_a_common_factor_looks_like_growth() -> None:
    assert inspect(TODAY.assign(weight=TODAY["weight"] / 0.45359237)).findings == ()


def test_columns_that_change_together_are_found_together() -> None:
    changed = TODAY.assign(**{name: TODAY[name] * 1000 for name in ("weight", "temp", "profit", "age")})
    assert codes(inspect(changed)) == [("unit-changed", "critical", name) for name in ("weight", "temp", "profit", "age")]


def test_a_unit_that_was_accepted_is_usual_from_then_on() -> None:
    changed = [rows(seed=day, day=day) for day in (5, 6)]
    first, second = (df.assign(weight=df["weight"] * 1000) for df in changed)
    assert codes(inspect(first)) == [("unit-changed", "critical", "weight")]
    assert inspect(second, [*HISTORY, arrival(first)]).findings == ()


def test_huge_and_infinite_values_are_survived() -> None:
    assert inspect(TODAY.assign(weight=TODAY["weight"] * 1e306, profit=np.inf)).is_damaged


# ---------------------------------------------------------------------------------------------------------------- schema


def test_columns_that_are_missing_new_or_of_another_kind() -> None:
    changed = TODAY.drop(columns="age").rename(columns={"gain": "Gain "}).assign(temp=TODAY["temp"].astype("str"), extra=1.0)
    inspection = inspect(changed)
    assert codes(inspection) == [
        ("column-missing", "critical", "age"),
        ("column-missing", "critical", "gain"),
        ("column-new", "critical", "Gain "),
        ("column-new", "critical", "extra"),
        ("column-kind", "critical", "temp"),
    ]
    assert [finding.message for finding in inspection.findings] == [
        "column 'age' is missing; accepted, the batch is taken with it empty",
        "column 'gain' is missing; 'Gain ' came, which is written almost like it; accepted, the batch is taken with it empty",
        "column 'Gain ' is new; accepted, the batch is taken without it",
        "column 'extra' is new; accepted, the batch is taken without it",
        "'temp' holds text now, and held numbers",
    ]


def test_columns_of_the_last_batch_that_was_accepted_are_no_news() -> None:
    last = arrival(rows(seed=6, day=4).drop(columns="age").assign(extra=1.0), "accepted", arrived=5 * DAY + HOUR)
    inspection = inspect(TODAY.drop(columns="age").assign(extra=1.0), [*HISTORY, last])
    assert codes(inspection) == [("column-missing", "warning", "age"), ("column-new", "warning", "extra")]
    assert [finding.message for finding in inspection.findings] == [
        "column 'age' is missing; as in the last batch, its cells are taken as empty",
        "column 'extra' is new; as in the last batch, it is left out",
    ]


def test_columns_that_differ_only_in_writing() -> None:
    inspection = inspect(TODAY.assign(Age=TODAY["age"]))
    assert codes(inspection) == [("column-twins", "critical", "Age"), ("column-new", "critical", "Age")]
    assert inspection.findings[0].message == "columns 'age' and 'Age' differ only in how they are written; rename one"


def test_an_empty_column_has_no_kind() -> None:
    assert codes(inspect(TODAY.assign(kind=np.nan))) == [("values-missing", "critical", "kind")]


# ----------------------------------------------------------------------------------------------------- missing, constant


@pytest.mark.parametrize(("share", "severity"), [(0.05, None), (0.2, "warning"), (0.6, "critical"), (1.0, "critical")])
@pytest.mark.parametrize("name", ["weight", "kind", "flag"])
def test_a_burst_of_missing_values(name: str, share: float, severity: str | None) -> None:
    lost = TODAY.assign(**{name: TODAY[name].where(TODAY.index >= share * len(TODAY))})
    assert codes(inspect(lost)) == ([("values-missing", severity, name)] if severity else [])


def test_missing_values_are_told_with_their_numbers_and_infinities_count() -> None:
    found = only(inspect(TODAY.assign(weight=TODAY["weight"].where(TODAY.index >= 300, np.inf))))
    assert found.message == "'weight' has no value in 300 of 500 rows (60.0%), where 0.0% was the most before"


def test_what_was_often_missing_may_be_missing_again() -> None:
    holes = TODAY.assign(weight=TODAY["weight"].where(TODAY.index >= 300))
    assert inspect(holes, [*HISTORY, arrival(holes.iloc[1:])]).findings == ()


def test_few_rows_prove_little() -> None:
    few = TODAY.head(200).assign(weight=TODAY["weight"].where(TODAY.index % 7 > 0))
    assert inspect(few).findings == ()


@pytest.mark.parametrize(("name", "value", "told"), [("weight", 7.5, "is 7.5"), ("kind", "a", "is 'a'"), ("age", 0.0, "is 0")])
def test_a_column_that_varied_and_is_constant_now(name: str, value: float | str, told: str) -> None:
    found = only(inspect(TODAY.assign(**{name: value})))
    assert (found.code, found.severity, found.column) == ("values-constant", "critical", name)
    assert found.message.startswith(f"'{name}' {told} in all 500 rows, where ")


def test_more_rows_of_a_day_than_ever_are_no_clock_that_stands() -> None:
    standing = ("values-constant", "critical", "ts")
    days = pd.date_range("2031-01-01", periods=10).as_unit("us").repeat(50)
    before = [arrival(rows(seed=day, day=day).assign(ts=days), f"day {day}") for day in range(2)]
    today = TODAY.assign(ts=days[-1])
    assert standing not in codes(inspect_batch(arrival(today), profile_rows([today.assign(ts=days)]), before, time="ts"))
    assert standing in codes(inspect(TODAY.assign(ts=TODAY["ts"].iloc[-1])))


def test_a_batch_of_one_row_does_not_make_a_constant_usual() -> None:
    history = [*HISTORY, arrival(rows(1, seed=8, day=5), "one row")]
    assert codes(inspect(TODAY.assign(weight=7.5), history))[0] == ("values-constant", "critical", "weight")


def test_labels_are_held_against_labels_whichever_way_they_came() -> None:
    labelled, late = (arrival(rows(300, seed=seed).rename(columns={"weight": "y"}), str(seed)) for seed in (20, 21))
    alone = Arrival("alone", labelled.profile.only("y"), is_labels=True)
    thousand = profile_rows([rows(300, seed=22)[["weight"]].rename(columns={"weight": "y"}) * 1000])
    for past in ([labelled], [alone]):
        found = only(inspect_delivery(Arrival("now", thousand), past, None, target="y"))
        assert (found.code, found.column) == ("unit-changed", "y")
    assert inspect_delivery(late, [labelled], None, target="y").findings == ()
    assert inspect_delivery(Arrival("first", thousand), [labelled.without("y")], None, target="y").findings == ()


@pytest.mark.parametrize(("alone", "code"), [(True, "values-missing"), (False, None)])
def test_rows_that_have_no_label_yet_are_no_damage_and_labels_that_are_none_are(*, alone: bool, code: str | None) -> None:
    labels = rows(300)[["weight"]]
    empty = labels.assign(weight=labels["weight"].where(labels.index > 150))
    past, now = (Arrival(name, profile_rows([df]), is_labels=alone) for name, df in (("then", labels), ("now", empty)))
    assert [found.code for found in inspect_delivery(now, [past], None, target="weight").findings] == ([code] if code else [])


def test_a_value_that_used_to_last_may_last() -> None:
    seasons = [rows(seed=day, day=day).assign(flag=float(day > 2)) for day in range(5)]
    reference = profile_rows([pd.concat(seasons, ignore_index=True)])
    assert inspect_batch(arrival(TODAY.assign(flag=1.0)), reference, [], time="ts").findings == ()
    assert inspect(TODAY.assign(flag=0.0)).findings == ()  # flags are rare


# ------------------------------------------------------------------------------------------------------- batches, volume


def test_a_batch_that_comes_again() -> None:
    again = rows(seed=3, day=3)
    repeated, shuffled = inspect(again), inspect(again.sample(frac=1, random_state=0))
    assert [found.message for found in repeated.findings if found.code == "batch-repeated"] == [
        "the 500 rows are those of batch 'day 3' again"
    ]
    assert repeated.is_damaged
    assert shuffled.findings[0].message == "the 500 rows are those of batch 'day 3' again, in another order"
    found = only(inspect(again.assign(ts=TODAY["ts"])))
    assert (found.severity, found.message) == ("critical", "the 500 rows are those of batch 'day 3' again, under other times")
    untimed = [arrival(rows(seed=day).drop(columns="ts").assign(y=float(day)), "before").without("y") for day in (1, 2)]
    again = arrival(rows(seed=1).drop(columns="ts").assign(y=9.0)).without("y")
    assert (
        inspect_batch(again, untimed[1].profile, untimed).findings[0].message
        == "the 500 rows are those of batch 'before' again, with other labels"
    )


def test_rows_that_come_again_under_other_keys() -> None:
    days = [rows(seed=day).drop(columns="ts").assign(id=np.arange(500.0) + 500 * day) for day in range(3)]
    again = days[1].assign(id=days[2]["id"] + 500)
    past = [arrival(day, f"day {place}") for place, day in enumerate(days)]
    found = inspect_batch(arrival(again), past[0].profile, past, key=["id"]).findings[0]
    assert (found.severity, found.message) == ("critical", "the 500 rows are those of batch 'day 1' again, under other keys")


def test_few_equal_rows_may_be_chance() -> None:
    flags = pd.DataFrame({"x": [1.0, 0.0, 1.0]})
    inspection = inspect_batch(arrival(flags), profile_rows([flags]), [arrival(flags, "before")])
    assert codes(inspection) == [("batch-repeated", "warning", "")]


@pytest.mark.parametrize(("size", "code"), [(166, "rows-few"), (167, None), (1500, None), (1501, "rows-many")])
def test_far_fewer_or_more_rows(size: int, code: str | None) -> None:
    assert codes(inspect(rows(size, seed=8, day=5))) == ([(code, "warning", "")] if code else [])


def test_known_rows_count_for_how_much_came() -> None:
    history = [replace(past, delivered=10_000) for past in HISTORY]
    assert inspect_batch(Arrival("now", profile_rows([TODAY]), delivered=10_500), REFERENCE, history, time="ts").findings == ()
    (found,) = inspect_batch(Arrival("now", profile_rows([TODAY]), delivered=500), REFERENCE, history, time="ts").findings
    assert found.code == "rows-few"


def test_a_batch_without_rows_is_one_finding() -> None:
    assert only(inspect(TODAY.head(0))).message == "the batch holds no rows; look whether its source failed"


# ------------------------------------------------------------------------------------------------------------------ time


def test_a_batch_that_lies_before_what_has_come() -> None:
    found = only(inspect(rows(seed=8, day=2)))
    assert (found.code, found.severity, found.column) == ("time-past", "warning", "ts")
    assert found.message.startswith("the whole batch lies in the past: its newest row is of 1970-01-03T23:")


@pytest.mark.parametrize(("hours_late", "is_late"), [(1, False), (70, False), (75, True)])
def test_the_newest_row_may_not_be_much_older_than_ever(hours_late: int, is_late: bool) -> None:
    inspection = inspect(TODAY, arrived=6 * DAY + hours_late * HOUR)
    assert codes(inspection) == ([("time-late", "warning", "ts")] if is_late else [])
    if is_late:
        assert only(inspection).message.startswith("the newest row is 75.")


def test_labels_that_always_come_late_are_not_late() -> None:
    late = [Arrival(past.name, past.profile, (past.arrived_us or 0) + 40 * DAY) for past in HISTORY]
    assert inspect(TODAY, late, arrived=46 * DAY).findings == ()


# ---------------------------------------------------------------------------------------------------- what is not looked for


def test_what_could_not_be_looked_for_is_said() -> None:
    inspection = inspect_batch(arrival(TODAY, pii=["weight"]), REFERENCE, [])
    assert inspection.not_applicable == (
        ("rows", "no batch came before"),
        ("time", "no column orders the rows"),
        ("unit-changed", "no values are kept of 'weight'"),
    )
    assert not inspection.is_damaged


def test_findings_about_pii_columns_tell_no_value() -> None:
    pii = ["kind", "weight", "ts"]
    reference = profile_rows([rows(3000, seed=99)], pii=pii)
    changed = TODAY.assign(kind="secret", weight=12345.0, ts=TODAY["ts"].where(TODAY.index > 300))
    inspection = inspect_batch(arrival(changed, pii=pii), reference, time="ts")
    assert {found.column for found in inspection.findings} == set(pii)
    told = json.dumps([asdict(found) for found in inspection.findings])
    assert "secret" not in told
    assert "12345" not in told
    assert "'kind' holds one value in all 500 rows" in told


def test_limits_are_given_by_the_caller() -> None:
    strict = inspect_batch(arrival(rows(400, seed=8, day=5)), REFERENCE, HISTORY, time="ts", limits=Limits(volume=1.1))
    assert codes(strict) == [("rows-few", "warning", "")]


def season(day: int, seed: int) -> pd.DataFrame:
    """Draw a batch of a stream in which the temperature goes up and down by its own spread from batch to batch."""
    df = rows(seed=seed, day=day)
    return df.assign(temp=df["temp"] + 6 * np.sin(day))


def test_seasons_are_no_incident_and_fahrenheit_within_them_is() -> None:
    history = [arrival(season(day, day), f"day {day}") for day in range(12)]
    now = season(12, 12)
    assert inspect(now, history).findings == ()
    assert inspect(now.assign(temp=now["temp"] + 12), history).findings == ()
    found = only(inspect(now.assign(temp=now["temp"] * 1.8 + 32), history))
    assert (found.code, found.column, found.inputs["conversion"]) == ("unit-changed", "temp", "°C to °F")


def test_numbers_that_name_rows_go_on_by_any_factor() -> None:
    ends = ((0, 500), (500, 25_500))
    first, then = (pd.DataFrame({"id": np.arange(*each, dtype="float64"), "x": np.arange(*each) % 17.0}) for each in ends)
    reference, now = profile_rows([first]), Arrival("now", profile_rows([then]))
    assert "unit-changed" in [finding.code for finding in inspect_batch(now, reference).findings]
    assert "unit-changed" not in [finding.code for finding in inspect_batch(now, reference, key=["id"]).findings]
