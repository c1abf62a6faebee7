from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.pipeline import Pipeline

from tasks.core.errors import UsageError
from tasks.core.evidence import ChampionFit, Evidence, Explanation, Rival, compare_predictions
from tasks.core.gate import (
    Check,
    Comparison,
    Decision,
    check_anchor,
    check_baseline,
    check_loads,
    check_looks,
    check_not_worse,
    check_refit,
    check_rows,
    compare,
    decide,
    refuse_waivers,
    superseded,
    unchanged,
    waive,
    waiving,
    with_check,
)
from tasks.core.honesty import Doubt
from tasks.core.importance import Importance
from tasks.core.looks import GateRows
from tasks.core.metrics import Interval, Prediction
from tasks.core.slices import Slice

TOLERANCE = 0.02
LOSSES = st.lists(st.tuples(st.floats(0.01, 100), st.floats(0.01, 100)), min_size=2, max_size=20).map(lambda pairs: np.array(pairs).T)


def comparison(difference: float, error: float = 0.01, *, identical: bool = False) -> Comparison:
    return Comparison(rows=100, difference=difference, error=error, spread=0.1, identical=identical)


def outcomes(decision: Decision) -> dict[str, str]:
    return {check.code: check.outcome for check in decision.checks}


# --------------------------------------------------------------------------------------------------------- comparison


def test_a_difference_is_a_share_of_the_other_models_mean_loss() -> None:
    found = compare(np.array([3.0, 1.0, 2.0, 4.0]), np.array([2.0, 2.0, 2.0, 2.0]), blocks=0)
    assert found.rows == 4
    assert found.difference == 0.25
    assert found.spread == pytest.approx(np.std([0.5, -0.5, 0.0, 1.0], ddof=1))
    assert found.error == pytest.approx(found.spread / 2)
    assert not found.identical


@given(LOSSES, st.floats(0.01, 1000))
def test_the_unit_of_the_loss_does_not_matter(losses: np.ndarray, unit: float) -> None:
    found, scaled = compare(*losses, blocks=0), compare(*(unit * losses), blocks=0)
    assert (scaled.difference, scaled.error, scaled.spread) == pytest.approx((found.difference, found.error, found.spread), abs=1e-9)


@given(LOSSES)
def test_a_model_is_not_worse_than_itself(losses: np.ndarray) -> None:
    found = compare(losses[0], losses[0], blocks=0)
    assert (found.difference, found.error, found.spread) == (0.0, 0.0, 0.0)
    assert check_not_worse(found, TOLERANCE).outcome == "passed"


@given(LOSSES)
def test_a_block_of_each_row_is_no_block(losses: np.ndarray) -> None:
    rows = compare(*losses, blocks=0)
    assert compare(*losses, blocks=rows.rows) == rows


def test_the_error_grows_with_blocks_where_neighbours_lose_alike() -> None:
    wave = np.sin(np.arange(400) / 60)
    by_row, *by_blocks = [compare(1 + wave, np.ones(400), blocks=blocks).error for blocks in (0, 40, 20, 10)]
    assert by_row < by_blocks[0] < by_blocks[1] < by_blocks[2]
    assert by_blocks[1] > 3 * by_row


def test_blocks_change_the_error_and_neither_the_difference_nor_the_spread() -> None:
    losses = np.random.default_rng(1).exponential(size=(2, 403))
    by_row, by_block = (compare(*losses, blocks=blocks) for blocks in (0, 20))
    assert by_row.error != by_block.error
    assert (by_row.rows, by_row.difference, by_row.spread) == (by_block.rows, by_block.difference, by_block.spread)


def test_against_a_perfect_model_the_difference_is_the_loss_itself() -> None:
    assert compare(np.array([0.5, 1.5]), np.zeros(2), blocks=0).difference == 1.0


@pytest.mark.parametrize(("rows", "blocks"), [(1, 0), (7, 1)])
def test_a_single_mean_has_no_known_error(rows: int, blocks: int) -> None:
    found = compare(np.full(rows, 2.0), np.ones(rows), blocks=blocks)
    assert (found.rows, found.difference, found.error) == (rows, 1.0, math.inf)
    assert found.spread == (math.inf if rows == 1 else 0.0)


def test_a_comparison_on_no_row_passes_nothing() -> None:
    found = compare(np.array([]), np.array([]), blocks=0)
    assert found.rows == 0
    check = check_not_worse(found, TOLERANCE)
    assert (check.outcome, check.value, check.limit) == (
        "failed",
        "loss unknown against the champion's, ± ∞",
        "+∞ (would have noticed ∞ four times out of five)",
    )
    assert check_baseline(found).outcome == "failed"


@pytest.mark.parametrize(
    ("error", "limit"),
    [
        (0.0, 0.0),
        (0.01, 0.01645),
        (0.0125, 0.02),
        (0.015, 0.02),
        (0.02, 0.0256),
        (0.1, 0.128),
        (math.inf, math.inf),
    ],
)
def test_the_limit_is_the_noise_but_at_least_the_tolerance_and_at_most_what_is_significant(error: float, limit: float) -> None:
    assert comparison(0.0, error).limit(TOLERANCE) == pytest.approx(limit)
    assert comparison(0.0, error).resolution(TOLERANCE) == pytest.approx(limit + 0.84 * error)


@given(st.floats(0, 1), st.floats(0.001, 0.5))
def test_a_significant_loss_is_always_over_the_limit(error: float, tolerance: float) -> None:
    limit = comparison(0.0, error).limit(tolerance)
    assert 1.28 * error <= limit * (1 + 1e-9)
    assert limit <= 1.645 * error * (1 + 1e-9)


# ------------------------------------------------------------------------------------------------------------- checks


def test_thirty_gate_rows_are_enough_and_twenty_nine_are_not() -> None:
    assert check_rows(30, 0) == Check("gate_rows", "passed", "30 gate rows", "at least 30", "bring more labelled rows")
    assert check_rows(29, 12) == Check(
        "gate_rows",
        "failed",
        "29 gate rows, 12 more are among those that one of the models was fitted on",
        "at least 30",
        "bring more labelled rows",
    )


@pytest.mark.parametrize(
    ("difference", "error", "outcome", "value"),
    [
        (-0.5, 0.1, "passed", "loss −50.0 % against the dummy, ± 19.6 %"),
        (-0.1, 0.1, "failed", "loss −10.0 % against the dummy, ± 19.6 %"),
        (0.25, 0.1, "failed", "loss +25.0 % against the dummy, ± 19.6 %"),
        (0.0, 0.0, "failed", "loss +0.0 % against the dummy, ± 0.0 %"),
        (-0.5, math.inf, "failed", "loss −50.0 % against the dummy, ± ∞"),
    ],
)
def test_a_model_beats_the_dummy_by_more_than_noise_can(difference: float, error: float, outcome: str, value: str) -> None:
    check = check_baseline(comparison(difference, error))
    assert (check.code, check.outcome, check.value) == ("baseline", outcome, value)
    assert check.limit == "surely below the dummy's"
    assert check.how_to_pass == "bring rows or columns that tell more about the target"


@pytest.mark.parametrize(
    ("champion", "rows", "challenger", "outcome"),
    [
        (-0.5, 100, -0.01, "failed"),
        (0.5, 100, -0.01, "not applicable"),
        (-0.01, 100, -0.01, "not applicable"),
        (-0.01, 100, -0.5, "passed"),
        (-0.01, 100, 0.5, "failed"),
        (-0.01, 29, -0.01, "failed"),
    ],
)
def test_where_the_champion_does_not_surely_beat_the_dummy_a_challenger_need_not(
    champion: float, rows: int, challenger: float, outcome: str
) -> None:
    check = check_baseline(comparison(challenger, 0.02), replace(comparison(champion, 0.02), rows=rows))
    assert check.outcome == outcome


def test_without_a_champion_not_worse_is_not_applicable_and_not_passed() -> None:
    assert check_not_worse(None, TOLERANCE) == Check("not_worse", "not applicable", "there is no champion", "")


@pytest.mark.parametrize(
    ("difference", "outcome", "value"),
    [
        (-0.03, "passed", "loss −3.0 % against the champion's, ± 2.9 %"),
        (0.02, "passed", "loss +2.0 % against the champion's, ± 2.9 %"),
        (0.021, "failed", "loss +2.1 % against the champion's, ± 2.9 %"),
        (math.nan, "failed", "loss unknown against the champion's, ± 2.9 %"),
    ],
)
def test_a_challenger_may_lose_up_to_the_limit(difference: float, outcome: str, value: str) -> None:
    check = check_not_worse(comparison(difference, 0.015), TOLERANCE)
    assert (check.code, check.outcome, check.value) == ("not_worse", outcome, value)
    assert check.limit == "+2.0 % (would have noticed 3.3 % four times out of five)"
    assert check.how_to_pass == "train on more or newer rows, or raise gate.tolerance in the use case"


def test_a_higher_tolerance_lets_more_through_but_nothing_significant() -> None:
    assert check_not_worse(comparison(0.04, 0.03), 0.02).outcome == "failed"
    assert check_not_worse(comparison(0.04, 0.03), 0.04).outcome == "passed"
    assert check_not_worse(comparison(0.05, 0.03), 0.5).outcome == "failed"


@given(LOSSES, st.floats(1.1, 10))
def test_a_challenger_that_loses_more_on_every_row_is_refused(losses: np.ndarray, factor: float) -> None:
    champion = losses[0].mean() * np.ones_like(losses[0])
    assert check_not_worse(compare(factor * champion, champion, blocks=0), TOLERANCE).outcome == "failed"


def share_refused(loss: float, spread: float = 0.5, rows: int = 1111, tries: int = 1000) -> float:
    """Simulate challengers whose true loss is the given share above the champion's."""
    rng = np.random.default_rng(7)
    champion = np.ones(rows)
    drawn = (compare(champion + loss + spread * rng.standard_normal(rows), champion, blocks=0) for _ in range(tries))
    return float(np.mean([check_not_worse(found, TOLERANCE).outcome == "failed" for found in drawn]))


def test_an_equal_challenger_is_refused_at_most_one_time_in_ten() -> None:
    assert 0.06 < share_refused(0.0) < 0.12
    assert 0.03 < share_refused(0.0, spread=0.2) < 0.07


def test_the_printed_resolution_is_noticed_four_times_out_of_five() -> None:
    for spread in (0.2, 0.5):
        error = spread / math.sqrt(1111)
        assert 0.76 < share_refused(comparison(0.0, error).resolution(TOLERANCE), spread) < 0.84


@pytest.mark.parametrize(
    ("judged", "shipped", "outcome", "value"),
    [
        (1.0, 0.9, "passed", "loss of the shipped fit −10.0 % against the judged fit's"),
        (100.0, 102.0, "passed", "loss of the shipped fit +2.0 % against the judged fit's"),
        (100.0, 102.1, "failed", "loss of the shipped fit +2.1 % against the judged fit's"),
        (0.0, 0.0, "passed", "loss of the shipped fit +0.0 % against the judged fit's"),
        (0.0, 0.5, "failed", "loss of the shipped fit +50.0 % against the judged fit's"),
        (1.0, math.nan, "failed", "loss of the shipped fit unknown against the judged fit's"),
    ],
)
def test_the_shipped_fit_may_lose_two_percent_of_the_judged_one(judged: float, shipped: float, outcome: str, value: str) -> None:
    assert check_refit(judged, shipped) == Check("refit", outcome, value, "+2.0 %", "set refit: never in the use case")  # pyright: ignore[reportArgumentType]


def test_a_model_that_does_not_load_elsewhere_fails() -> None:
    how_to_pass = "mend the installation and train again"
    assert check_loads("") == Check("loads_and_predicts", "passed", "a fresh process predicts the same", "equal predictions", how_to_pass)
    assert check_loads("no module") == Check("loads_and_predicts", "failed", "no module", "equal predictions", how_to_pass)


# ----------------------------------------------------------------------------------------------------------- decision


PASSED_ROWS = check_rows(100, 0)
PASSED_BASELINE = check_baseline(comparison(-0.5))


def test_a_first_version_that_beats_the_dummy_is_promoted() -> None:
    checks = (PASSED_ROWS, PASSED_BASELINE, check_not_worse(None, TOLERANCE))
    decision = decide(checks, None)
    assert decision == Decision("first_champion", "promoted", ("first version", "loss −50.0 % against the dummy, ± 2.0 %"), checks)
    assert decision.reason == "first version; loss −50.0 % against the dummy, ± 2.0 %"


def test_a_challenger_that_is_not_worse_is_promoted() -> None:
    against = comparison(0.001)
    checks = (PASSED_ROWS, PASSED_BASELINE, check_not_worse(against, TOLERANCE))
    assert decide(checks, against) == Decision("not_worse", "promoted", ("loss +0.1 % against the champion's, ± 2.0 %",), checks)


def test_a_worse_challenger_keeps_the_champion_and_is_told_how_to_pass() -> None:
    against = comparison(0.05)
    decision = decide((PASSED_ROWS, PASSED_BASELINE, check_not_worse(against, TOLERANCE)), against)
    assert (decision.code, decision.verdict) == ("not_worse", "kept")
    assert decision.reason == (
        "loss +5.0 % against the champion's, ± 2.0 % (limit: +1.6 % (would have noticed 2.5 % four times out of five));"
        " to pass, train on more or newer rows, or raise gate.tolerance in the use case"
    )


def test_a_first_version_that_fails_is_refused_with_every_reason() -> None:
    checks = (check_rows(20, 0), check_baseline(comparison(0.5)), check_not_worse(None, TOLERANCE))
    decision = decide(checks, None)
    assert (decision.code, decision.verdict, decision.checks) == ("gate_rows", "refused", checks)
    assert decision.reasons == (
        "20 gate rows (limit: at least 30); to pass, bring more labelled rows",
        "loss +50.0 % against the dummy, ± 2.0 % (limit: surely below the dummy's);"
        " to pass, bring rows or columns that tell more about the target",
    )


def test_equal_predictions_keep_the_champion_unless_too_few_rows_say_so() -> None:
    against = comparison(0.0, 0.0, identical=True)
    checks = (check_rows(100, 0), PASSED_BASELINE, check_not_worse(against, TOLERANCE))
    assert decide(checks, against) == Decision("identical", "kept", ("its predictions on the gate rows equal the champion's",), checks)
    few = decide((check_rows(20, 0), *checks[1:]), against)
    assert (few.code, few.verdict) == ("gate_rows", "kept")


@given(st.booleans(), st.booleans(), st.booleans())
def test_nothing_is_promoted_over_a_failed_check(rows: bool, baseline: bool, not_worse: bool) -> None:
    against = comparison(0.0 if not_worse else 0.5)
    checks = (
        check_rows(100 if rows else 10, 0),
        check_baseline(comparison(-0.5 if baseline else 0.5)),
        check_not_worse(against, TOLERANCE),
    )
    assert (decide(checks, against).verdict == "promoted") == (rows and baseline and not_worse)
    assert (decide((*checks[:2], check_not_worse(None, TOLERANCE)), None).verdict == "promoted") == (rows and baseline)


SLOW = Check("latency", "failed", "90 ms", "50 ms", "name faster candidates")
BELOW = Check("floors", "failed", "r2 0.4", "r2 at least 0.5", "bring more rows")


@pytest.mark.parametrize(
    ("difference", "failed", "code"),
    [(0.05, (), "waived"), (0.001, (SLOW,), "not_worse"), (-0.05, (SLOW, BELOW), "better"), (0.05, (SLOW,), "waived")],
)
def test_what_a_person_waives_refuses_nothing_and_stands_among_the_reasons(difference: float, failed: tuple[Check, ...], code: str) -> None:
    against = comparison(difference)
    checks = (PASSED_ROWS, PASSED_BASELINE, check_not_worse(against, TOLERANCE), *failed)
    decision = decide(waive(checks, ("not_worse", "latency", "floors")), against)
    assert (decision.code, decision.verdict) == (code, "promoted")
    waived = [check.code for check in decision.checks if check.outcome == "waived"]
    assert waived == [check.code for check in checks if check.outcome == "failed"]
    assert [reason.split(" (")[0] for reason in decision.reasons[1:]] == [f"waived by a person: {each}" for each in waived]


def test_what_a_person_does_not_waive_still_refuses_and_what_passed_is_not_waived() -> None:
    checks = (PASSED_ROWS, PASSED_BASELINE, check_not_worse(None, TOLERANCE), SLOW, BELOW)
    decision = decide(waive(checks, ("latency", "size")), None)
    assert (decision.code, decision.verdict) == ("floors", "refused")
    assert decision.reasons == ("r2 0.4 (limit: r2 at least 0.5); to pass, bring more rows",)
    assert waive((PASSED_BASELINE,), ("baseline",)) == (PASSED_BASELINE,)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("baseline", "baseline cannot be waived: what does not beat the dummy is no model"),
        ("gate_rows", "gate_rows cannot be waived: nothing is known of a version without rows that it was not fitted on"),
        ("loads_and_predicts", "loads_and_predicts cannot be waived: what does not load predicts nothing"),
        ("latncy", "there is no check that can be waived called 'latncy'; did you mean 'latency'? (available: floors, latency)"),
    ],
)
def test_what_nobodys_word_replaces_cannot_be_waived(code: str, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        refuse_waivers((code,), ("floors", "latency"))
    assert (refused.value.message, refused.value.where) == (told, "--waive")


def test_a_refusal_that_can_be_waived_says_how() -> None:
    against = comparison(0.0)
    passed = (PASSED_ROWS, PASSED_BASELINE, check_not_worse(against, TOLERANCE))
    command = "python -m flows.promote 7 --use-case iris --waive latency --waive floors --because TEXT"
    assert waiving(decide((*passed, SLOW, BELOW), against), "iris", 7) == command
    assert waiving(decide((*passed, replace(SLOW, outcome="waived"), BELOW), against), "iris", 7) == command  # what was waived stays so
    assert waiving(decide(passed, against), "iris", 7) == ""
    assert waiving(decide((*passed, SLOW, check_baseline(comparison(0.5))), against), "iris", 7) == ""
    assert waiving(decide((*passed, replace(SLOW, outcome="warned")), against), "iris", 7) == ""


PROMOTED = Decision("not_worse", "promoted", ("fine",), (PASSED_ROWS,))


def test_a_later_check_that_passes_is_added() -> None:
    check = check_loads("")
    assert with_check(PROMOTED, check, has_champion=True) == replace(PROMOTED, checks=(PASSED_ROWS, check))


@pytest.mark.parametrize(("has_champion", "verdict"), [(True, "kept"), (False, "refused")])
def test_a_later_check_that_fails_undoes_a_promotion(has_champion: bool, verdict: str) -> None:
    check = check_refit(1.0, 1.5)
    reason = "loss of the shipped fit +50.0 % against the judged fit's (limit: +2.0 %); to pass, set refit: never in the use case"
    assert with_check(PROMOTED, check, has_champion=has_champion) == Decision("refit", verdict, (reason,), (PASSED_ROWS, check))  # pyright: ignore[reportArgumentType]


def test_a_later_check_does_not_replace_the_reason_of_a_refusal() -> None:
    kept = Decision("baseline", "kept", ("too noisy",))
    check = check_loads("no module")
    assert with_check(kept, check, has_champion=True) == replace(kept, checks=(check,))


def test_a_promotion_that_was_overtaken_keeps_the_other_one() -> None:
    decision = superseded(PROMOTED)
    assert (decision.code, decision.verdict, decision.checks) == ("superseded", "kept", PROMOTED.checks)
    assert decision.reason == "another run promoted its version while this one was judged; train again to be compared with it"


def test_an_unchanged_attempt_says_what_to_do() -> None:
    decision = unchanged(4)
    assert (decision.code, decision.verdict, decision.checks) == ("unchanged", "unchanged", ())
    assert decision.reason == "rows and configuration are those of version 4; --again trains all the same"


# ----------------------------------------------------------------------------------------------------------- evidence


ROWS = 200
TRUTH = np.random.default_rng(3).normal(size=ROWS)
DUMMY = Prediction(np.zeros(ROWS))


def predicted(noise: float, seed: int = 0) -> Prediction:
    """Predict the truth with an error of the given size."""
    return Prediction(TRUTH + noise * np.random.default_rng(seed).normal(size=ROWS))


def evidence(challenger: Prediction, champion: Prediction | None, contaminated: int = 0, look: int = 1) -> Evidence:
    """Compare on the rows that the champion was not fitted on: all but the first `contaminated` ones."""
    left = np.arange(contaminated, ROWS)
    against = compare_predictions("squared_error", TRUTH[left], challenger.take(left), champion.take(left), blocks=0) if champion else None
    return Evidence(
        y=TRUTH,
        prediction=challenger,
        metrics={},
        baseline={},
        fitted_rows=np.arange(800, dtype=np.uint64),
        gate_rows=GateRows.of(np.arange(ROWS, dtype=np.uint64)),
        against_dummy=compare_predictions("squared_error", TRUTH, challenger, DUMMY, blocks=0),
        against_champion=against,
        contaminated=contaminated,
        look=look,
    )


@pytest.mark.parametrize(
    ("found", "code", "verdict", "checks"),
    [
        (evidence(predicted(0.3), None), "first_champion", "promoted", ("passed", "passed", "not applicable")),
        (evidence(predicted(2.0), None), "baseline", "refused", ("passed", "failed", "not applicable")),
        (evidence(predicted(0.3), predicted(0.3, seed=1)), "not_worse", "promoted", ("passed", "passed", "passed")),
        (evidence(predicted(0.3), predicted(0.6, seed=1)), "better", "promoted", ("passed", "passed", "passed")),
        (evidence(predicted(0.6), predicted(0.3, seed=1)), "not_worse", "kept", ("passed", "passed", "failed")),
        (evidence(predicted(0.3), predicted(0.3)), "identical", "kept", ("passed", "passed", "passed")),
        (evidence(predicted(0.3), predicted(0.6, seed=1), contaminated=171), "gate_rows", "kept", ("failed", "passed", "passed")),
        (evidence(predicted(0.3), predicted(0.6, seed=1), contaminated=170), "better", "promoted", ("passed", "passed", "passed")),
    ],
)
def test_evidence_goes_through_the_gate(found: Evidence, code: str, verdict: str, checks: tuple[str, ...]) -> None:
    decision = found.judge(TOLERANCE)
    assert (decision.code, decision.verdict) == (code, verdict)
    first = dict(zip(("gate_rows", "baseline", "not_worse"), checks, strict=True))
    assert outcomes(decision) == first | {"anchor": "not applicable", "repeated_looks": "not applicable"}


@pytest.mark.parametrize(
    ("difference", "outcome"),
    [(-0.03, "passed"), (0.0, "passed"), (0.020, "passed"), (0.022, "failed"), (0.05, "failed"), (math.nan, "failed")],
)
def test_a_challenger_must_be_within_two_tolerances_of_the_anchor_beyond_noise(difference: float, outcome: str) -> None:
    found = check_anchor(comparison(difference, 0.015), TOLERANCE)
    assert (found.code, found.outcome) == ("anchor", outcome)
    assert "+2.1 % on at least 30 rows" in found.limit


@pytest.mark.parametrize(("error", "limit"), [(0.0, 0.04), (0.01, 0.0272), (0.02, 0.0256), (0.1, 0.128)])
def test_noise_alone_refuses_an_anchors_equal_at_most_once_in_ten_times(error: float, limit: float) -> None:
    assert [check_anchor(comparison(limit + shift, error), TOLERANCE).outcome for shift in (-1e-9, 1e-9)] == ["passed", "failed"]


def test_an_anchor_that_saw_nearly_every_gate_row_judges_nothing() -> None:
    assert check_anchor(replace(comparison(-0.5), rows=29), TOLERANCE).outcome == "failed"


@pytest.mark.parametrize(("look", "needed"), [(2, 2.394), (3, 2.638), (20, 3.67)])
def test_each_further_look_at_the_same_rows_asks_for_more(look: int, needed: float) -> None:
    """Quantiles of the normal distribution at 5 % / (k (k + 1))."""
    outcomes = [check_looks(comparison(-0.01 * needed - shift, 0.01), look).outcome for shift in (1e-4, -1e-4)]
    assert outcomes == ["passed", "failed"]


def test_all_looks_together_err_at_most_once_in_twenty_times() -> None:
    assert sum(0.05 / (k * (k + 1)) for k in range(1, 10_000)) < 0.05


def test_other_checks_refuse_with_the_comparisons_and_may_be_waived() -> None:
    found = evidence(predicted(0.3), predicted(0.6, seed=1))
    assert [found.judge(TOLERANCE, (SLOW,), waived).verdict for waived in ((), ("latency",))] == ["kept", "promoted"]


def test_what_was_looked_at_before_must_be_better_and_not_only_no_worse() -> None:
    first, second = (evidence(predicted(0.3), predicted(0.3, seed=1), look=look).judge(TOLERANCE) for look in (1, 2))
    assert (first.verdict, second.verdict, second.code) == ("promoted", "kept", "repeated_looks")
    assert "this is look 2 at rows that judged before" in second.reason
    assert second.reason.endswith("on rows that no challenger was chosen by")
    assert evidence(predicted(0.3), predicted(0.6, seed=1), look=2).judge(TOLERANCE).verdict == "promoted"


def test_the_ledger_keeps_of_a_judgement_all_that_it_was_made_from() -> None:
    nothing = compare(np.array([]), np.array([]), blocks=0)
    found = replace(evidence(predicted(0.3), None, look=2), against_champion=nothing)
    rival = Rival(3, Pipeline([("model", "passthrough")]), np.array([], dtype=np.uint64))
    told = found.as_json(found.judge(TOLERANCE), ChampionFit(7, rival))
    assert told["rows"] == {"fit": 800, "gate": ROWS, "contaminated": 0}
    assert told["against_champion"] == {"version": 3, "rows": 0, "difference": None, "error": None, "spread": None}
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert GateRows.from_json(told["gate_rows"]).share_seen(found.gate_rows) == 1


def test_a_champion_that_saw_every_gate_row_is_kept_for_want_of_rows_and_not_as_identical() -> None:
    decision = evidence(predicted(0.3), predicted(0.3), contaminated=ROWS).judge(TOLERANCE)
    assert (decision.code, decision.verdict) == ("gate_rows", "kept")
    assert decision.reasons[0] == (
        "0 gate rows, 200 more are among those that one of the models was fitted on (limit: at least 30); to pass, bring more labelled rows"
    )


def test_predictions_are_identical_when_every_number_is() -> None:
    y, values = np.array([1.0, 2.0]), np.array([1.5, 2.5])
    same = compare_predictions("absolute_error", y, Prediction(values), Prediction(values.copy()), blocks=0)
    mirrored = compare_predictions("absolute_error", y, Prediction(values), Prediction(np.array([0.5, 1.5])), blocks=0)
    assert same.identical
    assert not mirrored.identical
    assert (same.difference, same.error) == (mirrored.difference, mirrored.error) == (0.0, 0.0)


def test_classes_are_identical_when_their_probabilities_are_and_not_only_the_most_probable_one() -> None:
    y, said = np.array(["no", "yes"]), np.array(["no", "yes"])
    sure = Prediction(said, np.array([[0.9, 0.1], [0.2, 0.8]]), ("no", "yes"))
    unsure = Prediction(said, np.array([[0.6, 0.4], [0.4, 0.6]]), ("no", "yes"))
    other_classes = replace(sure, classes=("no", "maybe"))
    assert compare_predictions("brier", y, sure, replace(sure), blocks=0).identical
    assert not compare_predictions("brier", y, unsure, sure, blocks=0).identical
    assert not compare_predictions("brier", y, other_classes, sure, blocks=0).identical


def test_a_champion_that_does_not_know_a_class_is_compared_on_it_too() -> None:
    y = np.array(["a", "b", "new", "new"])
    old = Prediction(np.array(["a", "b", "a", "b"]), np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]), ("a", "b"))
    new = Prediction(y, np.eye(3)[[0, 1, 2, 2]], ("a", "b", "new"))
    assert compare_predictions("brier", y, new, old, blocks=0).difference == -1.0


def test_an_explanation_is_json_whatever_is_not_finite() -> None:
    nothing = Interval(0.5, float("nan"), float("inf"))
    slices = (Slice("town", "'a'", 30, nothing, is_worse=True),)
    document = Explanation((Doubt("few_rows", "bring more"),), (Importance("town", nothing),), 0, (), slices).as_json()
    assert json.loads(json.dumps(document, allow_nan=False)) == {
        "warnings": [{"code": "few_rows", "message": "bring more"}],
        "learning_curve": [],
        "importance": [{"feature": "town", "value": 0.5, "low": None, "high": None}],
        "slices": [{"feature": "town", "values": "'a'", "rows": 30, "loss": {"value": 0.5, "low": None, "high": None}, "is_worse": True}],
    }


def test_rows_of_classes_that_the_judged_fit_does_not_know_are_counted() -> None:
    found = evidence(predicted(0.3), None)
    assert found.unseen == 0
    said = Prediction(np.array(["a", "b"]), np.full((2, 2), 0.5), ("a", "b"))
    assert replace(found, y=np.array(["a", "c"]), prediction=said).unseen == 1
