from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from tasks.core import honesty
from tasks.core.honesty import Doubt, Sides
from tasks.core.results import Score
from tasks.core.schema import infer_schema
from tasks.core.splits import Split, split_by_time
from tasks.core.table import Column, Schema

if TYPE_CHECKING:
    from collections.abc import Iterable

ROWS = 600
RNG = np.random.default_rng(0)
AGE = RNG.normal(40, 12, ROWS)
SICK = np.where(AGE + RNG.normal(0, 15, ROWS) > 45, "yes", "no")
PATIENTS = pd.DataFrame({"age": AGE, "town": RNG.choice(["a", "b", "c"], ROWS), "sick": SICK}).astype({"town": "str", "sick": "str"})


def sides(df: pd.DataFrame, target: str = "sick", personal: tuple[str, ...] = (), time: str | None = None) -> Sides:
    schema = infer_schema(df, target=target, time=time)
    cut = len(df) * 4 // 5
    split = split_by_time(df[time].to_numpy(), len(df) - cut) if time else Split(np.arange(cut), np.arange(cut, len(df)), is_ordered=False)
    return Sides(df, split, schema, personal)


def codes(doubts: Iterable[Doubt]) -> list[tuple[str, str]]:
    return [(doubt.code, doubt.column) for doubt in doubts]


def found(rows: Sides) -> list[tuple[str, str]]:
    return codes(honesty.doubts_of_rows(rows, honesty.skills(rows)))


def test_ordinary_rows_make_nothing_doubtful() -> None:
    assert found(sides(PATIENTS)) == []
    assert found(sides(PATIENTS.assign(when=pd.date_range("2024-01-01", periods=ROWS, unit="us")), time="when")) == []


# ------------------------------------------------------------------------------------------------------------- leaks


def test_the_target_in_other_words_is_doubtful_once() -> None:
    rows = sides(PATIENTS.assign(flag=np.where(SICK == "yes", 1.0, 0.0))[["age", "flag", "sick"]])
    (doubt,) = honesty.doubts_of_rows(rows, honesty.skills(rows))
    assert (doubt.code, doubt.column) == ("target_copy", "flag")
    assert doubt.message == "'flag' gives the target away ('sick' in other words); name it under drop: unless it is known beforehand"


def test_a_column_that_predicts_almost_perfectly_alone_is_doubtful_for_classes_and_numbers() -> None:
    score = np.where(SICK == "yes", 1.0, -1.0) * RNG.uniform(0.1, 1, ROWS)
    assert found(sides(PATIENTS.assign(score=score)[["age", "score", "sick"]])) == [("single_column", "score")]
    price = np.exp(RNG.normal(0, 1, ROWS))
    sold = pd.DataFrame({"size": RNG.normal(0, 1, ROWS), "tax": np.log(price) + RNG.normal(0, 0.01, ROWS), "price": price})
    rows = sides(sold, "price")
    (doubt,) = honesty.single_columns(rows.schema, honesty.skills(rows))
    assert doubt.message.startswith("'tax' alone predicts 'price' almost perfectly (9")
    assert doubt.message.endswith("name it under drop: if it is known only afterwards")


def test_a_category_that_predicts_almost_perfectly_alone_is_doubtful_where_it_is_empty_too() -> None:
    label = pd.Series(np.where(SICK == "yes", RNG.choice(["x", "y"], ROWS), "z"), dtype="str").mask(SICK == "no")
    rows = sides(PATIENTS.assign(label=label)[["age", "label", "sick"]])
    assert codes(honesty.single_columns(rows.schema, honesty.skills(rows))) == [("single_column", "label")]


def test_a_strong_honest_column_is_not_doubtful() -> None:
    strong = np.where(SICK == "yes", 1.0, -1.0) + RNG.normal(0, 0.7, ROWS)
    rows = sides(PATIENTS.assign(strong=strong)[["strong", "sick"]])
    assert honesty.skills(rows)["strong"] > 0.5
    assert found(rows) == []


def test_rows_too_few_to_hold_some_out_say_nothing_of_single_columns() -> None:
    assert honesty.skills(sides(PATIENTS.head(90))) == {}


def test_with_many_columns_fewer_rows_are_looked_at() -> None:
    wide = pd.DataFrame(RNG.normal(size=(300, 400))).rename(columns=str).assign(y=RNG.normal(size=300))
    assert len(honesty.skills(sides(wide, "y"))) == 400


@pytest.mark.parametrize("value", ["filled", "empty"])
def test_a_column_that_is_filled_or_empty_only_beside_one_value_is_doubtful(value: str) -> None:
    days = pd.Series(RNG.normal(size=ROWS)).mask((SICK == "yes") == (value == "empty"))
    # Half of the ill, so that the column alone does not tell all of them.
    days = days.mask(RNG.random(ROWS) < 0.5) if value == "filled" else days.fillna(0).mask((SICK == "yes") & (RNG.random(ROWS) < 0.5))
    rows = sides(PATIENTS.assign(days=days)[["age", "days", "sick"]])
    (doubt,) = [doubt for doubt in honesty.filled_by_target(rows) if value in doubt.message]
    assert doubt.message == f"'days' is {value} almost only where 'sick' is 'yes'; drop it unless it is known beforehand"
    (hidden,) = [doubt for doubt in honesty.filled_by_target(replace(rows, personal=("sick",))) if value in doubt.message]
    assert "'yes'" not in hidden.message


def test_a_column_that_is_empty_by_chance_is_not_doubtful() -> None:
    assert found(sides(PATIENTS.assign(days=pd.Series(AGE).mask(RNG.random(ROWS) < 0.3))[["age", "days", "sick"]])) == []


def dated(shift_days: int) -> Sides:
    when = pd.Series(pd.date_range("2024-01-01", periods=ROWS, unit="us"))
    df = PATIENTS.assign(when=when, other=when + pd.Timedelta(days=shift_days))
    columns = tuple(Column(name, "datetime" if name in ("when", "other") else "category", "feature", "") for name in df)
    roles = {"when": "time", "sick": "target"}
    schema = Schema(tuple(replace(column, role=roles.get(column.name, "feature")) for column in columns), "binary")  # type: ignore[arg-type]
    return Sides(df, split_by_time(df["when"].to_numpy(), 100), schema)


def test_a_date_after_its_own_row_is_doubtful() -> None:
    (doubt,) = honesty.later_dates(dated(3))
    assert (doubt.code, doubt.message) == (
        "later_than_row",
        "'other' is later than 'when' in 100 % of the rows; drop it unless it is known beforehand",
    )
    assert list(honesty.later_dates(dated(-3))) == list(honesty.later_dates(sides(PATIENTS))) == []


def test_a_numbering_that_goes_with_the_target_is_doubtful_whether_it_is_left_out_or_not() -> None:
    ordered = PATIENTS.sort_values("sick", ignore_index=True).sample(frac=1, random_state=0)
    for name, advice in (("patient_no", "it is left out"), ("place", "name it under drop:")):
        rows = sides(ordered.assign(**{name: ordered.index.to_numpy(dtype="float64")}).reset_index(drop=True)[[name, "town", "sick"]])
        (doubt,) = honesty.numberings(rows)
        assert (doubt.code, doubt.column) == ("telling_identifier", name)
        assert advice in doubt.message
        shuffled = rows.df.assign(**{name: RNG.permutation(ROWS).astype(float)})
        assert list(honesty.numberings(replace(rows, df=shuffled))) == []


def test_amounts_are_no_numbering_though_each_is_another() -> None:
    amounts = np.unique(RNG.integers(0, 10**6, 700))[:ROWS].astype(float)
    assert list(honesty.numberings(sides(PATIENTS.assign(amount=np.sort(amounts), sick=np.sort(SICK))[["amount", "town", "sick"]]))) == []


# -------------------------------------------------------------------------------------------------------------- rows


def test_rows_that_come_again_after_the_split_are_counted() -> None:
    when = pd.date_range("2024-01-01", periods=ROWS, unit="us")
    rows = sides(PATIENTS.assign(when=when), time="when")
    again = rows.df.copy()
    again.loc[ROWS - 30 :, ["age", "town", "sick"]] = again.loc[:29, ["age", "town", "sick"]].to_numpy()
    (doubt,) = honesty.repeated_rows(replace(rows, df=again))
    assert doubt.message == "30 of 120 gate rows stand among earlier rows too, with the same target; remove what came twice"
    assert list(honesty.repeated_rows(rows)) == []


def test_few_rows_to_judge_on_are_told() -> None:
    (doubt,) = honesty.few_rows(120, 49)
    assert doubt.code == "few_rows"
    assert doubt.message.startswith("120 rows were fitted and 49 judge")
    assert list(honesty.few_rows(200, 50)) == []


def test_classes_of_one_row_are_named_unless_they_are_personal() -> None:
    df = PATIENTS.assign(sick=PATIENTS["sick"].where(PATIENTS.index != 7, "perhaps"))
    rows = replace(sides(PATIENTS), df=df)
    (doubt,) = honesty.single_members(rows)
    assert doubt.message.startswith("1 class ('perhaps') has a single row, which")
    (hidden,) = honesty.single_members(replace(rows, personal=("sick",)))
    assert hidden.message.startswith("1 class has a single row, which")
    assert list(honesty.single_members(sides(PATIENTS))) == []


def test_no_fewer_columns_than_rows_are_doubtful() -> None:
    assert codes(honesty.many_columns(80, 80)) == [("more_columns_than_rows", "")]
    assert list(honesty.many_columns(79, 80)) == []


# ------------------------------------------------------------------------------------------------------------ scores


def score(loss: float, error: float = 0.01) -> Score:
    return Score("ridge", loss, error, 0.1)


def test_almost_no_loss_is_doubtful() -> None:
    assert codes(honesty.nearly_perfect(0.0009)) == [("nearly_perfect", "")]
    assert list(honesty.nearly_perfect(0.002)) == []


def test_a_gate_that_says_more_than_validation_beyond_noise_is_doubtful() -> None:
    losses = np.abs(RNG.normal(1.0, 0.2, 400))
    (doubt,) = honesty.inner_outer_gap(score(0.8), losses, blocks=0)
    assert doubt.code == "inner_outer_gap"
    assert "where validation said 0.8 (" in doubt.message
    for harmless in (score(0.99), score(1.3), score(0.8, error=0.2), score(0.95, error=0.001)):
        assert list(honesty.inner_outer_gap(harmless, losses, blocks=0)) == []
    assert codes(honesty.inner_outer_gap(score(0.8, error=math.nan), losses, blocks=0)) == [("inner_outer_gap", "")]


def test_rows_that_swing_together_are_noise() -> None:
    swinging = np.repeat([0.2, 1.8, 0.2, 1.8], 100)
    assert codes(honesty.inner_outer_gap(score(0.8), swinging, blocks=0)) == [("inner_outer_gap", "")]
    assert list(honesty.inner_outer_gap(score(0.8), swinging, blocks=4)) == []


def test_gate_rows_of_classes_that_were_never_fitted_are_counted() -> None:
    (doubt,) = honesty.doubts_of_scores(score(1.0), np.ones(40), 0.5, blocks=0, unseen=2)
    assert (doubt.code, doubt.message.startswith("2 of 40 gate rows are of a class")) == ("unseen_classes", True)


def test_scripts_get_code_and_message_alone() -> None:
    assert Doubt("few_rows", "bring more", "age").as_json() == {"code": "few_rows", "message": "bring more"}
