"""Policies on small histories whose best course is known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tasks.core import backtest
from tasks.core.backtest import BacktestReport, build_page, describe
from tasks.core.replay import Fit, History, by_policy, in_hindsight, on_flag, on_schedule, recovered
from tasks.core.use_case import Retraining

FIRST, SIZE, CHUNKS = 300, 200, 20


def history(truth: np.ndarray, *, delay: int = 0, seed: int = 0, noise: float = 0.3) -> History:
    """Give a history in which a fit predicts the mean of the latest 200 rows that it saw, and the loss is squared."""
    rows = FIRST + CHUNKS * SIZE
    y = np.repeat(truth, [FIRST, *[SIZE] * CHUNKS]) + np.random.default_rng(seed).normal(0, noise, rows)

    def fit(end: int, start: int) -> Fit:
        said = np.full(rows - start, y[max(0, end - 200) : end].mean())
        return Fit(start, (y[start:] - said) ** 2, said[:, None] + np.random.default_rng(1).normal(0, 1, (rows - start, 1)))

    edges = [FIRST + SIZE * n for n in range(CHUNKS + 1)]
    return History(edges, lambda end: fit(end, end), lambda end, size: fit(end - size, end - size), dummy=1.0, delay=delay)


STEP = history(np.repeat([0.0, 1.0], [10, CHUNKS - 9]))
CALM = history(np.zeros(CHUNKS + 1))
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


def test_late_labels_delay_what_is_noticed() -> None:
    found = {}
    for delay in (0, 2, 5):
        late = history(np.repeat([0.0, 1.0], [10, CHUNKS - 9]), delay=delay)
        course = by_policy(late, ASK_NOTHING.model_copy(update={"prediction": 1.0}))
        found[delay] = next(step.chunk for step in course.steps if step.decision == "promoted")
        assert all(step.decision == "" for step in course.steps[:delay])
    assert found[0] < found[2] < found[5]


def test_a_backtest_is_told_as_text_page_and_json() -> None:
    policy = by_policy(STEP, Retraining())
    courses = [on_schedule(STEP, None, "never"), on_schedule(STEP, 1, "every"), policy, in_hindsight(STEP, policy.fits)]
    report = BacktestReport("steps", "steps.csv", "squared_error", "mean", "in order", STEP.edges, 0, backtest.measure(STEP, courses))
    text = describe(report, "")
    assert text.splitlines()[2].startswith("never ")
    assert "of what retraining after every chunk gains" in text
    document = json.loads(json.dumps(report.as_json()))
    assert document["policies"]["every"]["recovered"] == pytest.approx(1.0)
    assert document["policies"]["never"]["recovered"] is None
    assert [len(series) for series in document["series"].values()] == [CHUNKS] * 4
    assert document["series"]["policy"][0]["rows"] == SIZE
    page = build_page(report)
    assert "Loss over time" in page
    assert "After which chunk what was decided" in page


def test_nothing_to_gain_is_said_as_that() -> None:
    courses = [on_schedule(CALM, None, "never"), on_schedule(CALM, 1, "every"), by_policy(CALM, Retraining())]
    report = BacktestReport("calm", "calm.csv", "squared_error", "mean", "in order", CALM.edges, 0, backtest.measure(CALM, courses))
    assert report.state_message.startswith("retraining gains next to nothing here, even after every chunk")
