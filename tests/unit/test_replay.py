"""Policies on small histories whose best course is known."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tasks.core import backtest
from tasks.core.backtest import BacktestReport, Trials, build_page, describe, page_name, recommendation
from tasks.core.options import BacktestOptions
from tasks.core.replay import Course, Fit, History, by_policy, in_hindsight, on_flag, on_schedule, recovered
from tasks.core.use_case import Retraining

FIRST, SIZE, CHUNKS = 300, 200, 20


def history(truth: np.ndarray, *, delay: int = 0, seed: int = 0, noise: float = 0.3) -> History:
    """Give a history in which a fit predicts the mean of the latest 200 rows that it saw, and the loss is squared."""
    rows = FIRST + CHUNKS * SIZE
    y = np.repeat(truth, [FIRST, *[SIZE] * CHUNKS]) + np.random.default_rng(seed).normal(0, noise, rows)

    def fit(end: int, start: int) -> Fit:
        said = np.full(rows - start, y[max(0, end - 200) : end].mean())
        return Fit(start, (y[start:] - said) ** 2, said[:, None] + np.random.default_rng(1).normal(0, 1, (rows - start, 1)))

    def poor(start: int) -> Fit:
        return Fit(start, (y[start:] + 9) ** 2, np.zeros((rows - start, 1)))

    edges = [FIRST + SIZE * n for n in range(CHUNKS + 1)]
    return History(
        edges,
        shipped=lambda end: fit(end, end),
        judged=lambda end, size: fit(end - size, end - size),
        newer=lambda _, end, size: fit(end - size, end - size),
        baseline=lambda _, end, size: poor(end - size),
        dummy=1.0,
        delay=delay,
    )


STEP = history(np.repeat([0.0, 1.0], [10, CHUNKS - 9]))
CALM = history(np.zeros(CHUNKS + 1))
SLOW = history(np.linspace(0, 6, CHUNKS + 1))
ASK_NOTHING = Retraining(growth=1e9, staleness=10**6)


def test_schedules_predict_with_the_last_fit_and_count_their_fits() -> None:
    assert [step.fitted_at for step in on_schedule(STEP, None, "never").steps] == [0] * CHUNKS
    assert [step.fitted_at for step in on_schedule(STEP, 1, "every").steps] == list(range(CHUNKS))
    course = on_schedule(STEP, 5, "periodic_5")
    assert [step.fitted_at for step in course.steps[:11]] == [0] * 5 + [5] * 5 + [10]
    assert course.fits == 3, "after the last chunk there is nothing to predict"


def test_a_flag_is_asked_with_what_the_model_was_fitted_to() -> None:
    asked: list[tuple[int, int]] = []

    def flag(fitted: int, chunk: int) -> bool:
        asked.append((fitted, chunk))
        return chunk == 2

    course = on_flag(STEP, flag, "flag")
    assert asked[:4] == [(300, 1), (300, 2), (700, 3), (700, 4)]
    assert (course.fits, course.alarms, course.steps[1].decision) == (1, 1, "retrained")


def test_hindsight_finds_the_one_fit_that_matters_and_never_needs_more() -> None:
    best = in_hindsight(STEP, 1)
    assert [step.chunk for step in best.steps if step.decision] == [10]
    losses = [in_hindsight(STEP, fits).loss(STEP) for fits in range(4)]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] == on_schedule(STEP, None, "never").loss(STEP)


def test_the_policy_retrains_soon_after_a_step_and_recovers_most_of_what_can_be_gained() -> None:
    course = by_policy(STEP, ASK_NOTHING)
    never, every = on_schedule(STEP, None, "never"), on_schedule(STEP, 1, "every")
    first = next(step for step in course.steps if step.decision == "promoted")
    assert first.chunk in (10, 11, 12), "the gate wants enough rows of after the step"
    assert "the loss is above the reference" in first.reasons[0]
    assert course.fits <= 4
    share = recovered(STEP, course, never, every)
    assert share is not None
    assert share > 0.75


def test_where_nothing_changes_no_signal_of_damage_retrains() -> None:
    courses = [by_policy(history(np.zeros(CHUNKS + 1), seed=seed), ASK_NOTHING) for seed in range(20)]
    assert sum(course.fits for course in courses) <= 0.01 * CHUNKS * len(courses)
    never, every = on_schedule(CALM, None, "never"), on_schedule(CALM, 1, "every")
    assert recovered(CALM, courses[0], never, every) is None, "there is nothing to gain"


def test_what_was_true_before_brings_its_version_back_without_a_fit() -> None:
    there_and_back = history(np.repeat([0.0, 1.0, 0.0], [6, 6, CHUNKS - 11]))
    course = by_policy(there_and_back, ASK_NOTHING)
    (back,) = [step for step in course.steps if step.decision == "returned"]
    assert back.chunk == 12
    assert course.steps[back.chunk].fitted_at == 0
    without = by_policy(there_and_back, ASK_NOTHING.model_copy(update={"return_to": 0}))
    assert without.returns == 0
    assert without.fits > course.fits


def test_where_the_world_turns_a_fit_to_newer_rows_alone_replaces_the_champion() -> None:
    turned = opposed()
    course = by_policy(turned, ASK_NOTHING)
    (promoted,) = [step for step in course.steps if step.decision in ("promoted", "rejected")]
    assert (promoted.decision, promoted.reasons[-1]) == ("promoted", "a fit to the 200 newest rows alone")
    last = course.steps[-1]
    assert (last.since, turned.losses[0, CHUNKS]) == (FIRST + 10 * SIZE, pytest.approx(4.1, abs=0.5))
    assert course.losses(turned)[-1] < 0.5


def opposed() -> History:
    """Give a history whose target is what a feature says, and from the eleventh chunk on its opposite; a fit weighs all its rows alike."""
    rows = FIRST + CHUNKS * SIZE
    draw = np.random.default_rng(0)
    x = draw.choice([-1.0, 1.0], rows)
    y = x * np.where(np.arange(rows) < FIRST + 10 * SIZE, 1, -1) + draw.normal(0, 0.3, rows)

    def fit(since: int, end: int) -> Fit:
        said = x[end:] * (x[since:end] @ y[since:end]) / (end - since)
        return Fit(end, (y[end:] - said) ** 2, said[:, None])

    return History(
        [FIRST + SIZE * n for n in range(CHUNKS + 1)],
        shipped=lambda end: fit(0, end),
        judged=lambda end, size: fit(0, end - size),
        newer=lambda since, end, size: fit(since, end - size),
        baseline=lambda _, end, size: Fit(end - size, y[end - size :] ** 2, np.zeros((rows - end + size, 1))),
        dummy=1.0,
    )


def test_late_labels_delay_what_is_noticed() -> None:
    found = {}
    for delay in (0, 2, 5):
        late = history(np.repeat([0.0, 1.0], [10, CHUNKS - 9]), delay=delay)
        course = by_policy(late, ASK_NOTHING.model_copy(update={"prediction": 1.0}))
        found[delay] = next(step.chunk for step in course.steps if step.decision == "promoted")
        assert all(step.decision == "" for step in course.steps[:delay])
    assert found[0] < found[2] < found[5]


def told(of: History, *courses: Course, **facts: object) -> BacktestReport:
    """Report what courses came to, among them those that nothing is measured without."""
    ran = [on_schedule(of, None, "never"), on_schedule(of, 1, "every"), *courses]
    report = BacktestReport("steps", "steps.csv", "squared_error", "mean", "in order", of.edges, 0, backtest.measure(of, ran))
    return replace(report, **facts)  # type: ignore[arg-type]


def test_a_backtest_is_told_as_text_page_and_json() -> None:
    policy = by_policy(STEP, Retraining())
    report = told(STEP, policy, in_hindsight(STEP, policy.fits))
    text = describe(report, "")
    assert text.splitlines()[2].startswith("never ")
    assert "of what retraining after every chunk gains" in text
    document = json.loads(json.dumps(report.as_json()))
    assert document["policies"]["every"]["recovered"] == pytest.approx(1.0)
    assert document["policies"]["never"]["recovered"] is None
    assert [len(series) for series in document["series"].values()] == [CHUNKS] * 4
    assert document["series"]["policy"][0]["rows"] == SIZE
    assert sum(step["alarm"] for step in document["series"]["policy"]) == document["policies"]["policy"]["alarms"] > 0


def test_the_page_shows_a_curve_for_each_policy_and_a_mark_for_each_act() -> None:
    policy = by_policy(history(np.repeat([0.0, 1.0, 0.0], [6, 6, CHUNKS - 11]), seed=3), Retraining())
    assert {"promoted", "returned", "rejected"} <= {step.decision for step in policy.steps}
    page = build_page(told(STEP, policy, on_schedule(STEP, 5, "periodic_5"), in_hindsight(STEP, 3)))
    assert "After which chunk what was decided" in page
    assert "a fit after each 5 chunks" in page
    for caption in ("Loss that was saved so far", "Mean loss of each chunk"):
        chart = page.partition(f"<figcaption>{caption}")[2].partition("</svg>")[0]
        for name in ("policy", "never", "every", "periodic_5", "hindsight", "promoted", "returned", "rejected", "alarm"):
            assert f">{name}</text>" in chart
        assert chart.count('r="8.5"') == 1 + policy.alarms
        assert chart.count('r="4.5"') == 1 + policy.promotions
        assert chart.count("l6.5 6.5") == 1 + policy.returns
        assert chart.count("l9 9") == 1 + policy.fits - policy.promotions


def test_what_is_next_to_nothing_lost_or_chance_is_said_as_that_and_no_share_of_it_is_shown() -> None:
    calm = told(CALM, by_policy(CALM, Retraining()))
    assert calm.outcomes["every"].recovered is None
    assert calm.state_message.startswith("retraining gains next to nothing here, even after every chunk")
    back = history(np.tile([0.0, 1.0], CHUNKS)[: CHUNKS + 1])
    loses = told(back, by_policy(back, Retraining()))
    assert loses.outcomes["policy"].recovered is None
    assert loses.state_message.startswith("retraining after every chunk loses here (+")
    noisy = history(np.random.default_rng(13).normal(0, 1, CHUNKS + 1))
    chance = told(noisy, by_policy(noisy, Retraining()))
    change, error = chance.outcomes["every"].change
    assert -error < change < -0.02, "a gain, and within its interval"
    assert chance.state_message.startswith("what retraining after every chunk gains here may be chance")
    assert " % of what" not in chance.state_message
    assert [line.split()[-5] for line in describe(chance, "").splitlines()[2:5]] == ["–"] * 3


def test_budgets_of_the_calendar_hold_in_a_replay_that_knows_when_rows_came() -> None:
    weekly = replace(SLOW, times=[datetime(2031, 5, 5, tzinfo=UTC) + timedelta(weeks=n) for n in range(CHUNKS)])
    free = by_policy(weekly, Retraining(share=1.0, staleness=2))
    bound = by_policy(weekly, Retraining(share=1.0, staleness=2, per_month=1))
    months = [weekly.times[step.chunk - 1].month for step in bound.steps if step.decision in ("promoted", "rejected")]
    assert bound.fits == len(months) == len(set(months)) < free.fits
    assert any("attempts of this month (UTC)" in reason for step in bound.steps for reason in step.reasons)
    assert by_policy(SLOW, Retraining(share=1.0, staleness=2, per_month=1)) == free, "without times there are no months"


def test_nothing_is_recovered_where_nothing_is_lost() -> None:
    perfect = history(np.zeros(CHUNKS + 1), noise=0.0)
    assert recovered(perfect, *(on_schedule(perfect, every, "") for every in (2, None, 1))) is None


def test_text_and_page_say_when_labels_come_and_what_is_fitted_to() -> None:
    report = told(CALM, by_policy(CALM, Retraining()), delay=2, window=5)
    assert "fitted to the latest 5 chunks, labels come after 2 chunks" in describe(report, "").splitlines()[0]
    assert "the latest 5 chunks" in build_page(report)
    assert "after 2 chunks" in build_page(report)
    assert "fitted to all rows before, labels come at once" in describe(replace(report, delay=0, window=None), "")


def test_pages_of_different_questions_have_different_names() -> None:
    asked = [{}, {"chunks": 20}, {"delay": 2}, {"window": 2}, {"shuffle": True}, {"candidate": "logistic"}, {"target": "a b"}]
    asked += [{"target": "a-b"}, {"target": "b" * 200}, {"target": "c" * 200}, {"loss": "brier"}, {"data": "other.csv"}]
    found = [page_name(BacktestOptions.model_validate({"use_case": "steps", **each})) for each in asked]
    assert len(set(found)) == len(asked)
    assert found[:3] == ["backtest", "backtest-chunks-20", "backtest-delay-2"]
    assert page_name(BacktestOptions(loss="absolute_error")) == "backtest-loss-absolute_error"
    assert max(map(len, found)) < 140
    assert page_name(BacktestOptions(recommend=True)) == page_name(BacktestOptions(data="steps.csv")) == "backtest"


def test_a_simulation_is_called_that_in_title_text_and_state() -> None:
    report = told(CALM, by_policy(CALM, Retraining()), source="simulated:market_risk (a simulation)")
    assert "in this simulation" in report.state_message
    assert "(a simulation)" in describe(report, "").splitlines()[0]
    assert "(a simulation)</h1>" in build_page(report)


def trials(of: History, *settings: Retraining, own: Retraining | None = None) -> Trials:
    defaults = by_policy(of, Retraining())
    tried = [(limits, by_policy(of, limits)) for limits in (Retraining(), *settings)]
    return Trials(on_schedule(of, None, "never"), defaults, by_policy(of, own) if own else defaults, tried)


def test_settings_are_recommended_only_where_they_are_surely_better_than_the_defaults() -> None:
    few, more = Retraining(share=0.1), Retraining(share=1.0, staleness=2)
    found = recommendation(SLOW, trials(SLOW, few, more), "these 10 rows of a.csv")
    assert found.limits == more
    assert found.changed == {"share": 1.0, "staleness": 2}
    assert "on these 10 rows of a.csv, which chose this among 3 settings; the defaults come to loss" in found.told
    assert found.as_text().startswith("staleness 2, share 1.0: loss −")
    report = told(SLOW, by_policy(SLOW, Retraining()), recommended=found)
    assert "{" not in describe(report, "")
    assert report.as_json()["recommended"] == more.model_dump()
    assert "Recommended settings" in build_page(report)


def test_where_nothing_is_surely_better_nothing_is_recommended_and_both_are_told() -> None:
    found = recommendation(CALM, trials(CALM, Retraining(share=0.1)), "these rows")
    assert found.limits is None
    assert found.told.startswith("nothing, and nothing was written: of 2 settings none is better on these rows by more than its interval")
    assert "the defaults come to loss" in found.told
    more = Retraining(share=1.0, staleness=2)
    own = recommendation(SLOW, trials(SLOW, more, own=more), "these rows")
    assert own.limits is None, "it is what the use case has"
    assert "those of the use case to loss" in own.told
