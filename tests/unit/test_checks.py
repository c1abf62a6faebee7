from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from tasks.core import checks
from tasks.core.behaviour import parse
from tasks.core.checks import CHECKS, Material, Pair
from tasks.core.gate import NEVER_WAIVED
from tasks.core.gate_settings import Gate
from tasks.core.honesty import Doubt
from tasks.core.metrics import Interval, Prediction, calibration_error, calibration_gaps
from tasks.core.table import Column, Schema

if TYPE_CHECKING:
    from tasks.core.gate import Check
    from tasks.core.table import Task

ROWS = 2000
RANDOM = np.random.default_rng(0)
DF = pd.DataFrame({"region": RANDOM.choice(["north", "south", "east"], ROWS), "sex": RANDOM.choice(["f", "m"], ROWS)}, dtype="str")
DF = DF.assign(age=RANDOM.normal(40, 10, ROWS))
NORTH = (DF["region"] == "north").to_numpy()
WOMEN = (DF["sex"] == "f").to_numpy()
NUMBERS = RANDOM.normal(size=ROWS)
LABELS = RANDOM.choice(["no", "yes"], ROWS)


def schema(task: Task) -> Schema:
    features = (
        Column("region", "category", "feature", ""),
        Column("sex", "category", "feature", ""),
        Column("age", "number", "feature", ""),
    )
    return Schema((*features, Column("y", "number", "target", "")), task)


def of_yes(proba: np.ndarray) -> Prediction:
    return Prediction(np.where(proba >= 0.5, "yes", "no"), np.stack([1 - proba, proba], axis=1), ("no", "yes"))


def right_but(wrong: np.ndarray) -> Prediction:
    """Say the true class at 0.8, and the other one where it shall be wrong."""
    return of_yes(np.where((LABELS == "yes") ^ wrong, 0.8, 0.2))


def numbers(error: np.ndarray) -> Prediction:
    return Prediction(NUMBERS + error)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=ROWS)


def few(seed: int, share: float = 0.1) -> np.ndarray:
    return np.random.default_rng(seed).random(ROWS) < share


def classes(new: Prediction, old: Prediction) -> Pair:
    return Pair(DF, LABELS, new, old, "brier", blocks=0)


def of_numbers(new: Prediction, old: Prediction) -> Pair:
    return Pair(DF, NUMBERS, new, old, "squared_error", blocks=0)


def asked(pair: Pair | None = None, *, gate: dict[str, object] | None = None, **values: Any) -> dict[str, Check]:  # noqa: ANN401
    """Ask all checks, by their codes."""
    task: Task = "regression" if pair and pair.is_regression else "binary"
    told: dict[str, Any] = {"predict": lambda _: right_but(few(0)), "seconds": lambda: (0.01, 0.01), "sizes": lambda: (10**6, 10**6)}
    told |= {"pair": pair, "why_alone": "there is no champion", "positive": "yes", **values}
    material = Material(Gate.model_validate(gate or {}), schema(task), **told)
    return {check.code: check for check in checks.run(material)}


def hard_but(seed: int) -> np.ndarray:
    """Be wrong on the rows that every model is wrong on, and on a few of one's own."""
    return few(0) | few(seed, 0.03)


ALIKE = classes(right_but(hard_but(1)), right_but(hard_but(2)))
NORTH_FAILS = classes(right_but(hard_but(1) | (NORTH & few(3, 0.3))), right_but(hard_but(2)))


# ----------------------------------------------------------------------------------------------------------- outcomes


def test_without_a_champion_what_compares_is_not_applicable_and_the_rest_is_asked() -> None:
    found = asked(gate={"floors": {"roc_auc": 0.5}}, metrics={"roc_auc": Interval(0.8, 0.7, 0.9)})
    assert {code: check.outcome for code, check in found.items() if check.outcome != "not applicable"} == {
        "floors": "passed",
        "leakage": "passed",
    }
    assert found["slices"].value == "there is no champion"


def test_what_is_alike_passes_and_what_nobody_asked_for_is_not_applicable() -> None:
    outcomes = {code: check.outcome for code, check in asked(ALIKE).items()}
    assert {code for code, outcome in outcomes.items() if outcome == "not applicable"} == {"floors", "behaviour", "slices", "protected"}
    assert set(outcomes.values()) == {"passed", "not applicable"}


def test_a_check_warns_and_refuses_where_the_use_case_says_so_and_is_skipped_where_it_says_that() -> None:
    outcomes = [
        asked(NORTH_FAILS, gate=gate)["worst_slice"].outcome for gate in ({}, {"block": ["worst_slice"]}, {"skip": ["worst_slice"]})
    ]
    assert outcomes == ["warned", "failed", "skipped"]


def test_what_is_not_asked_costs_nothing() -> None:
    def refuse() -> tuple[float, float]:
        pytest.fail("nobody asked")

    found = asked(ALIKE, gate={"skip": ["latency", "size"]}, seconds=refuse, sizes=refuse)
    assert (found["latency"].outcome, found["size"].outcome) == ("skipped", "skipped")
    assert asked(seconds=refuse, sizes=refuse)["latency"].outcome == "not applicable"


def test_every_check_has_a_code_of_its_own_and_says_how_to_pass_and_whether_it_asks_for_chance() -> None:
    assert len({*checks.CODES, *NEVER_WAIVED}) == len(CHECKS) + len(NEVER_WAIVED)
    material = Material(
        Gate(slices=("region",), protected=("sex",), floors={"brier": 1.0}),
        schema("binary"),
        predict=lambda _: of_yes(np.array([0.9])),
        seconds=lambda: (1.0, 1.0),
        sizes=lambda: (1, 1),
        metrics={"brier": Interval(0.5, 0.5, 0.5)},
        pair=NORTH_FAILS,
        positive="yes",
        expected=parse("age,expected\n3,yes\n", "cases.csv"),
    )
    for rule in CHECKS:
        found = rule.look(material)
        assert rule.how_to_pass
        assert found.limit, rule.code
        assert (found.chance is not None) == rule.by_chance, rule.code


def test_one_budget_is_shared_so_that_the_same_finding_needs_to_be_surer_beside_others() -> None:
    """A slice that is worse at 3 % alone is not so beside four other checks that ask for chance."""
    pair = classes(right_but(few(1) | (NORTH & few(5, 0.18))), right_but(few(2)))
    others = ["worst_slice", "calibration", "negative_flips", "protected"]
    chosen = {"slices": ["region=north"], "slice_loss": 0.0, "protected": ["sex"]}
    material = Material(Gate.model_validate(chosen), schema("binary"), lambda _: pair.new, lambda: (0, 0), lambda: (0, 0), pair=pair)
    chance = checks.of_slices(material).chance
    assert chance is not None
    rate = min(0.5, 2 * chance)
    alone, beside = (asked(pair, gate={**chosen, "error_rate": rate, "skip": skip})["slices"] for skip in (others, []))
    assert (alone.outcome, beside.outcome) == ("warned", "passed")


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_models_that_are_alike_meet_a_warning_at_most_at_the_stated_rate_even_where_no_limit_helps(task: Task) -> None:
    strict = {"slices": ["region"], "protected": ["sex"], "slice_loss": 0, "calibration_rise": 0, "protected_gap": 0, "flips": 0}
    warned = 0
    for seed in range(120):
        if task == "binary":
            pair = classes(right_but(hard_but(2 * seed + 1)), right_but(hard_but(2 * seed + 2)))
        else:
            new, old = (numbers(noise(0) + 0.3 * noise(2 * seed + place)) for place in (1, 2))
            pair = of_numbers(new, old)
        warned += any(check.outcome == "warned" for check in asked(pair, gate=strict).values())
    assert warned <= 11, "5 % of 120, and what chance adds to it once in 40 times"


# -------------------------------------------------------------------------------------------------- what knows no chance


@pytest.mark.parametrize(
    ("floors", "outcome", "value", "limit"),
    [
        ({"roc_auc": 0.8}, "passed", "roc_auc 0.8", "roc_auc at least 0.8"),
        ({"roc_auc": 0.81, "brier": 0.4}, "failed", "roc_auc 0.8", "roc_auc at least 0.81"),
        ({"brier": 0.29}, "failed", "brier 0.3", "brier at most 0.29"),
        ({"accuracy": 0.1}, "failed", "accuracy nan", "accuracy at least 0.1"),
    ],
)
def test_a_floor_is_the_least_of_a_score_and_the_most_of_a_loss_and_always_refuses(
    floors: dict[str, float], outcome: str, value: str, limit: str
) -> None:
    metrics = {name: Interval(value, value, value) for name, value in (("roc_auc", 0.8), ("brier", 0.3), ("accuracy", float("nan")))}
    found = asked(gate={"floors": floors}, metrics=metrics)["floors"]
    assert (found.outcome, found.value, found.limit) == (outcome, value, limit)


def test_a_column_that_gives_the_target_away_warns_and_other_doubts_do_not() -> None:
    doubts = [Doubt("few_rows", "bring more"), Doubt("single_column", "'tax' tells all"), Doubt("target_copy", "'copy' does")]
    assert asked(doubts=doubts)["leakage"].value == "'tax' tells all (and 1 more)"
    assert [asked(doubts=some)["leakage"].outcome for some in (doubts, doubts[:1])] == ["warned", "passed"]


def test_each_case_of_a_person_must_hold_and_those_that_do_not_are_named() -> None:
    cases = parse("age,expected\n30,no\n40,yes\n50,yes\n", "cases.csv")
    found = asked(expected=cases, predict=lambda X: of_yes((X["age"] / 100).to_numpy()))["behaviour"]
    assert (found.outcome, found.value) == ("warned", "2 of 3 cases hold, but not: cases.csv, case 2")
    assert asked(expected=cases[:1], predict=lambda X: of_yes((X["age"] / 100).to_numpy()))["behaviour"].value == "1 of 1 cases hold"


@pytest.mark.parametrize(("new", "old", "outcome"), [(0.049, 0.001, "passed"), (0.06, 0.019, "warned"), (0.06, 0.021, "passed")])
def test_a_slow_model_is_one_that_is_slow_and_much_slower_than_the_champion(new: float, old: float, outcome: str) -> None:
    found = asked(ALIKE, seconds=lambda: (new, old))["latency"]
    assert (found.outcome, found.limit) == (outcome, "3 times the champion's, or 50 ms")
    assert found.value == f"{1000 * new:.3g} ms for one row, the champion {1000 * old:.3g} ms"


@pytest.mark.parametrize(("new", "old", "outcome"), [(49, 1, "passed"), (60, 19, "warned"), (60, 21, "passed")])
def test_a_large_model_is_one_that_is_large_and_much_larger_than_the_champion(new: int, old: int, outcome: str) -> None:
    found = asked(ALIKE, sizes=lambda: (new * 10**6, old * 10**6))["size"]
    assert (found.outcome, found.value) == (outcome, f"{new} MB, the champion {old} MB")


# ------------------------------------------------------------------------------------------------------ what asks for chance


def test_a_slice_that_got_worse_is_named_with_its_rows_whether_a_person_or_the_search_looked_there() -> None:
    found = asked(NORTH_FAILS, gate={"slices": ["region=north", "sex"]})
    assert found["slices"].outcome == found["worst_slice"].outcome == "warned"
    assert f"where region is 'north' ({int(NORTH.sum())} rows), the worst of 3 parts" in found["slices"].value
    assert "where region is 'north'" in found["worst_slice"].value
    assert found["slices"].limit == "+5.0 % beyond chance"
    assert found["slices"].how_to_pass == "bring more rows of this slice, or raise gate.slice_loss"


def test_a_slice_that_got_better_or_that_few_rows_are_of_is_no_finding() -> None:
    better = classes(NORTH_FAILS.old, NORTH_FAILS.new)
    assert asked(better, gate={"slices": ["region"]})["slices"].outcome == "passed"
    few_rows = asked(NORTH_FAILS, gate={"slices": ["region=north"], "slice_rows": ROWS})["slices"]
    assert (few_rows.outcome, few_rows.value) == ("not applicable", f"no part has {ROWS} gate rows")
    assert asked(NORTH_FAILS, gate={"slices": ["region=nowhere"]})["slices"].outcome == "not applicable"


def test_of_a_personal_column_no_value_is_told_and_the_search_passes_over_it() -> None:
    found = asked(NORTH_FAILS, gate={"slices": ["region"]}, personal=("region",))
    assert found["slices"].outcome == "warned"
    assert "north" not in found["slices"].value
    assert "where region" not in found["worst_slice"].value


def test_a_cell_that_steers_a_terminal_is_written_as_what_it_is() -> None:
    odd = DF.assign(region=DF["region"].replace("north", "n\x1b[2J" + 60 * "o"))
    value = asked(replace(NORTH_FAILS, rows=odd), gate={"slices": ["region"]})["slices"].value
    assert "\x1b" not in value
    assert "\\x1b" in value
    assert len(value) < 160


def test_probabilities_that_come_true_less_than_the_champions_are_found() -> None:
    sure, honest = of_yes(np.where(LABELS == "yes", 0.8, 0.2)), of_yes(np.where(LABELS == "yes", 0.99, 0.01))
    assert asked(classes(sure, honest))["calibration"].outcome == "warned"
    assert asked(classes(honest, sure))["calibration"].outcome == "passed"
    assert (
        asked(Pair(DF, NUMBERS, numbers(noise(1)), numbers(noise(2)), "squared_error", blocks=0))["calibration"].outcome == "not applicable"
    )


def test_what_rows_add_to_the_calibration_error_is_that_error_in_the_mean() -> None:
    said = of_yes(np.random.default_rng(4).random(ROWS))
    assert calibration_gaps(LABELS, said).mean() == pytest.approx(calibration_error(LABELS, said, np.ones((ROWS, 1)))[0])


def test_rows_that_were_right_and_are_wrong_now_are_counted_against_the_limit_and_what_unrelated_models_do() -> None:
    none, tenth = np.zeros(ROWS, dtype=bool), few(1, 0.12)
    lost = asked(classes(right_but(tenth), right_but(none)))["negative_flips"]
    assert (lost.outcome, lost.value) == (
        "warned",
        f"{100 * tenth.mean():.1f} % of the rows wrong where the champion is right, 0.0 % the other way",
    )
    assert asked(classes(right_but(none), right_but(tenth)))["negative_flips"].outcome == "passed"
    assert asked(classes(right_but(tenth), right_but(none)), gate={"flips": 0.15})["negative_flips"].outcome == "passed"
    noisy, other = few(1, 0.4), few(2, 0.4)
    related = classes(right_but(noisy), right_but(noisy ^ few(3, 0.15)))
    assert asked(related)["negative_flips"].outcome == "passed", "of a noisy target that is little"
    unrelated = asked(classes(right_but(noisy), right_but(other)))["negative_flips"]
    assert (unrelated.outcome, unrelated.limit) == ("warned", f"{50 * noisy.mean() * (1 - other.mean()):.1f} % beyond chance")


def test_a_number_flips_when_it_is_wrong_by_the_champions_mean_error_more() -> None:
    pairs = (of_numbers(numbers(1 + worse * few(1, 0.2)), numbers(np.ones(ROWS))) for worse in (0.9, 1.1))
    outcomes = [asked(pair, gate={"block": ["negative_flips"]})["negative_flips"].outcome for pair in pairs]
    assert outcomes == ["passed", "failed"]


def test_a_group_that_is_treated_more_differently_than_before_is_named_with_both_gaps() -> None:
    worse = classes(right_but(few(1) | (WOMEN & few(3, 0.2))), right_but(few(2)))
    found = asked(worse, gate={"protected": ["sex"]})["protected"]
    assert found.outcome == "warned"
    assert found.value.startswith("error rate where sex is '")
    assert asked(ALIKE, gate={"protected": ["sex"]})["protected"].outcome == "passed"
    assert asked(classes(worse.old, worse.new), gate={"protected": ["sex"]})["protected"].outcome == "passed", "a gap that closes"


def test_a_group_that_is_said_yes_of_more_often_is_found_though_nobody_is_wrong_more_often() -> None:
    """Of women the challenger errs towards yes, of men towards no, as often as the champion errs either way."""
    wrong = few(1, 0.3)
    towards = np.where(WOMEN, LABELS == "no", LABELS == "yes")
    old = right_but(wrong & few(2, 0.5))
    new = right_but(wrong & towards)
    value = asked(classes(new, old), gate={"protected": ["sex"]})["protected"].value
    assert value.startswith("rate of positive predictions where sex is '")


def test_where_rows_follow_one_another_blocks_of_them_count_once() -> None:
    """A slice that is worse in one stretch of time alone is no slice that is worse."""
    stretch = np.arange(ROWS) < ROWS // 20
    pair = classes(right_but(few(2) | (NORTH & stretch)), right_but(few(2)))
    outcomes = [
        asked(replace(pair, blocks=blocks), gate={"slices": ["region=north"], "slice_loss": 0.0})["slices"].outcome for blocks in (0, 20)
    ]
    assert outcomes == ["warned", "passed"]


def test_a_single_block_shows_nothing_and_equal_predictions_are_no_finding() -> None:
    assert asked(replace(NORTH_FAILS, blocks=1))["worst_slice"].outcome == "passed"
    assert asked(classes(ALIKE.new, ALIKE.new), gate={"slice_loss": 0.0, "flips": 0.0})["worst_slice"].outcome == "passed"
