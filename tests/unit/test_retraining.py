"""Signals of a champion's newest rows, and what is done about them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from tasks.core import gate
from tasks.core.retraining import (
    Better,
    Choice,
    Circumstances,
    Labelled,
    Reference,
    Sample,
    Signal,
    Watch,
    better_again,
    decide,
    distance,
    excess_alone,
    in_words,
    look,
    spent,
    standing_signals,
)
from tasks.core.use_case import Retraining

LIMITS = Retraining()
RNG = np.random.default_rng(0)
REFERENCE = Reference.of(RNG.exponential(1.0, 1000), RNG.normal(size=(1000, 1)))
QUIET = Watch(tried_rows=1000, allowance=3.0)


def came(loss: float = 1.0, shift: float = 0.0, rows: int = 1010, n: int = 400, seed: int = 1) -> Labelled:
    draw = np.random.default_rng(seed)
    return Labelled(draw.exponential(loss, n), draw.normal(shift, 1, size=(n, 1)), rows, dummy=2.0)


def fired(watch: Watch, seen: Labelled) -> set[str]:
    return {signal.name for signal in look(watch, REFERENCE, seen, LIMITS)[1] if signal.fired}


def test_each_signal_fires_by_what_it_is_about() -> None:
    assert fired(QUIET, came()) == set()
    assert fired(QUIET, came(loss=2.0)) == {"performance"}
    assert fired(QUIET, came(shift=1.0)) == {"prediction"}
    assert fired(QUIET, came(rows=1200)) == {"growth"}
    assert fired(replace(QUIET, batch=4), came()) == {"staleness"}


def test_a_small_rise_that_lasts_is_as_bad_as_a_large_one() -> None:
    watch, noticed = QUIET, []
    for seed in range(12):
        watch, signals = look(watch, REFERENCE, came(loss=1.15, n=2000, seed=seed), LIMITS)
        noticed.append(signals[0].fired)
    assert not noticed[0]
    assert noticed[-1]


def test_exchangeable_rows_hardly_ever_fire() -> None:
    fires = 0
    for seed in range(500):
        draw = np.random.default_rng(seed)
        reference = Reference.of(draw.exponential(1, 1000), draw.normal(size=(1000, 1)))
        _, signals = look(QUIET, reference, Labelled(draw.exponential(1, 200), draw.normal(size=(200, 1)), 1010, 2.0), LIMITS)
        fires += any(signal.fired for signal in signals)
    assert fires <= 5


def test_few_predictions_show_no_shift_and_several_columns_ask_for_more() -> None:
    assert fired(QUIET, came(shift=3.0, n=199)) == set()
    assert distance(np.array([0.0, 1.0, 2.0, 3.0]), np.array([2.0, 3.0, 4.0, 5.0])) == 0.5
    assert distance(np.ones(3), np.ones(5)) == 0.0


def test_a_loss_of_next_to_nothing_is_held_against_the_dummys() -> None:
    exact = Reference.of(np.zeros(500), np.zeros((500, 1)))
    _, signals = look(QUIET, exact, Labelled(np.full(500, 1e-6), np.zeros((500, 1)), 1010, dummy=1.0), LIMITS)
    assert not signals[0].fired


def test_an_attempt_that_is_promoted_begins_anew_and_one_that_is_not_waits_longer_each_time() -> None:
    watch = replace(QUIET, batch=10, excess=0.5)
    promoted = watch.attempted(2000, is_promoted=True)
    assert (promoted.excess, promoted.tried_at, promoted.tried_rows, promoted.setbacks, promoted.allowance) == (0.0, 10, 2000, 0, 2.0)
    rejected = watch.attempted(2000, is_promoted=False).attempted(2000, is_promoted=False)
    assert (rejected.excess, rejected.setbacks) == (0.5, 2)
    asked = (Signal("performance", 0.5, 0.1, fired=True),)
    waited = [decide(replace(rejected, batch=10 + n, allowance=3.0), asked, LIMITS).code for n in (1, 3, 4)]
    assert waited == ["cooldown", "cooldown", "performance"]


FIRED = (Signal("performance", 0.5, 0.1, fired=True),)
SHIFTED = (Signal("prediction", 0.5, 0.1, fired=True),)
CALM = (Signal("performance", 0.0, 0.1, fired=False),)


@pytest.mark.parametrize(
    ("signals", "facts", "watch", "outcome", "code"),
    [
        (CALM, Circumstances(), QUIET, "keep", "keep"),
        (FIRED, Circumstances(), replace(QUIET, batch=3), "retrain", "performance"),
        (FIRED, Circumstances(incident="column 'a' is a thousand times as large"), QUIET, "blocked", "data_broken"),
        (FIRED, Circumstances(suspect_labels=True), QUIET, "blocked", "labels_suspect"),
        (SHIFTED, Circumstances(suspect_labels=True), replace(QUIET, batch=3), "retrain", "prediction"),
        (SHIFTED, Circumstances(is_labelled=False), QUIET, "alarm", "labels_needed"),
        (CALM, Circumstances(is_labelled=False), QUIET, "keep", "keep"),
        (FIRED, Circumstances(hold="ann rolled back"), replace(QUIET, batch=3), "blocked", "hold"),
        (FIRED, Circumstances(), QUIET, "blocked", "cooldown"),
        (FIRED, Circumstances(), replace(QUIET, batch=3, allowance=0.75), "blocked", "budget"),
        (FIRED, Circumstances(spent="2 of 2 retrains of today are done"), replace(QUIET, batch=3), "blocked", "budget"),
    ],
)
def test_what_is_decided_has_a_stable_code_and_says_why(
    signals: tuple[Signal, ...], facts: Circumstances, watch: Watch, outcome: str, code: str
) -> None:
    choice = decide(watch, signals, LIMITS, facts)
    assert (choice.outcome, choice.code) == (outcome, code)
    assert all(choice.reasons)
    assert isinstance(choice, Choice)
    assert choice.as_json()["signals"] == [vars(signal) for signal in signals]


def test_budgets_count_the_attempts_of_this_day_and_month_in_utc() -> None:
    now = datetime(2031, 5, 20, 1, tzinfo=UTC)
    attempts = [now - timedelta(hours=hours) for hours in (0.5, 2, 48, 24 * 25)]
    there = timezone(timedelta(hours=9))
    assert spent(attempts, now, LIMITS) == ""
    assert spent(attempts, now, Retraining(per_day=2, per_month=4)) == ""
    one = spent([each.astimezone(there) for each in attempts], now, Retraining(per_day=1))
    assert one == "1 of 1 attempts of this day (UTC) is made; retrain.per_day says how many there may be"
    month = spent(attempts, now, Retraining(per_day=2, per_month=3))
    assert month == "3 of 3 attempts of this month (UTC) are made; retrain.per_month says how many there may be"
    assert spent([now.replace(year=2030)], now, Retraining(per_month=1)) == ""
    blocked = decide(replace(QUIET, batch=3), FIRED, LIMITS, Circumstances(spent=month))
    assert (blocked.code, blocked.reasons[-1]) == ("budget", month)


def test_a_large_rise_is_told_in_times_of_the_reference() -> None:
    told = in_words(Signal("performance", 25.65, 0.1, fired=True))
    assert told == "the loss is above the reference, and what is beyond noise adds up to 25.6 times the reference (limit 0.1 times)"
    assert in_words(Signal("performance", 0.0, 0.1, fired=False)) == "the loss is not above the reference beyond noise (limit 0.1 times)"


def test_in_the_long_run_no_more_attempts_are_made_than_allowed() -> None:
    watch, attempts = Watch(tried_rows=1000), 0
    for _ in range(100):
        watch, signals = look(watch, REFERENCE, came(loss=3.0), LIMITS)
        if decide(watch, signals, LIMITS).outcome == "retrain":
            watch, attempts = watch.attempted(1010, is_promoted=True), attempts + 1
    assert attempts in (26, 27), "a quarter of the looks, what is there at first, and one that is made ahead"


def test_a_loss_that_doubles_is_not_made_to_wait_for_the_allowance_once() -> None:
    spent_up = replace(QUIET, batch=5, tried_at=4, allowance=0.25)
    for excess, outcome in ((0.9, "blocked"), (1.1, "retrain")):
        watch = replace(spent_up, excess=excess)
        assert decide(watch, standing_signals(watch, 1010, LIMITS), LIMITS).outcome == outcome
    ahead = replace(spent_up, excess=1.1).attempted(1010, is_promoted=False)
    assert ahead.allowance == -0.75
    assert decide(replace(ahead, batch=9), FIRED, LIMITS).code == "budget"


def as_good_as_ever(version: int) -> float:
    del version
    return 0.0


def test_an_earlier_version_comes_back_where_it_is_surely_better_and_the_best_of_them() -> None:
    champion = np.random.default_rng(3).exponential(1, 400)
    assert better_again(champion, {}, as_good_as_ever, 0.02) is None
    assert better_again(champion, {1: champion * 1.2, 2: champion}, as_good_as_ever, 0.02) is None
    found = better_again(champion, {1: champion * 0.9, 2: champion * 0.7}, as_good_as_ever, 0.02)
    assert found is not None
    assert found.version == 2
    assert better_again(champion, {1: champion * 0.99}, as_good_as_ever, 0.02) is None, "it is surely better, and by next to nothing"


def test_an_earlier_version_that_is_not_what_it_was_either_comes_back_only_where_nothing_else_is_to_be_done() -> None:
    better = Better(1, gate.Comparison(400, -0.1, 0.01, 0.5), excess=3.0)
    as_ever = replace(better, excess=0.0)
    watch = replace(QUIET, batch=3)
    assert decide(watch, FIRED, LIMITS, better=as_ever).outcome == "return"
    assert decide(watch, FIRED, LIMITS, better=better).outcome == "retrain"
    assert decide(watch, FIRED, LIMITS, Circumstances(suspect_labels=True), better).code == "labels_suspect"
    waits = replace(watch, allowance=0.0)
    for choice in (decide(waits, FIRED, LIMITS, better=better), decide(watch, (), LIMITS, better=better)):
        assert (choice.outcome, choice.version) == ("return", 1)
        assert "loss −10.0 %, though its own is above its reference" in choice.reasons[0]


def test_what_came_back_as_a_lesser_evil_still_asks_to_be_retrained() -> None:
    losses = np.random.default_rng(4).exponential(3.0, 400)
    excess = excess_alone(losses, REFERENCE.losses, 2.0)
    assert excess > 1
    assert excess_alone(losses / 3, REFERENCE.losses, 2.0) == 0
    evil, sound = QUIET.returned(excess), QUIET.returned(0.0)
    assert (evil.setbacks, sound.setbacks) == (0, 1)
    assert [signal.name for signal in standing_signals(evil, 1010, LIMITS) if signal.fired] == ["performance"]
    assert not any(signal.fired for signal in standing_signals(sound, 1010, LIMITS))


def test_a_sample_takes_neighbours_for_alike() -> None:
    steps = np.repeat([0.0, 1.0], 500)
    assert Sample.of(steps).error > 5 * Sample.of(RNG.permutation(steps)).error
    assert Sample.of(np.ones(1)).error == np.inf
