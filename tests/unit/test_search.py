"""Which trials a search makes, who goes on, and when it is enough."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core import search
from tasks.core.candidates import BASELINE, CANDIDATES, Candidate, candidates_for
from tasks.core.search import Trial

REGRESSION = candidates_for("regression")
BY_NAME = {candidate.name: candidate for candidate in CANDIDATES}


def trial(name: str, number: int = 0) -> Trial:
    return Trial(BY_NAME[name], number)


def test_the_cheapest_come_first_and_the_baseline_before_them_all_and_beside_the_budget() -> None:
    trials = search.first_trials(REGRESSION, rows=10_000, most=2)
    assert [each.name for each in trials] == [BASELINE, "ridge", "shallow_boosting"]
    seconds = [each.candidate.seconds(10_000) for each in search.first_trials(REGRESSION, rows=10_000, most=None)]
    assert seconds == sorted(seconds)


@pytest.mark.parametrize("candidate", [candidate for candidate in CANDIDATES if candidate.space], ids=lambda candidate: candidate.name)
def test_a_variation_is_the_same_for_its_number_and_seed_and_within_its_space(candidate: Candidate) -> None:
    variation = search.vary(candidate, 1, seed=7)
    assert variation == search.vary(candidate, 1, seed=7)
    assert variation.settings != search.vary(candidate, 2, seed=7).settings
    assert variation.name == f"{candidate.name}-1"
    assert all(value in candidate.space[name] for name, value in variation.settings.items())


def test_variations_are_made_of_the_best_candidates_that_have_something_to_vary_each_named_once() -> None:
    ranked = [trial("lasso"), trial("mlp"), trial("mlp", 1), trial("ridge"), trial("extra_trees"), trial("shallow_boosting")]
    assert [candidate.name for candidate in search.parents(ranked)] == ["mlp", "ridge", "extra_trees"]


def test_the_better_half_goes_on_but_no_fewer_than_can_be_averaged() -> None:
    many = [trial("ridge", number) for number in range(21)]
    assert search.finalists(many, [1.0] * 21) == many[:11]
    assert search.finalists(many[:8], [1.0] * 8) == many[: search.FINALISTS]
    assert search.finalists(many[:2], [1.0] * 2) == many[:2]
    assert search.finalists([], []) == []


def test_who_is_far_behind_does_not_go_on_unless_hardly_any_other_does() -> None:
    five = [trial("ridge", number) for number in range(5)]
    assert search.finalists(five, [1.0, 1.1, 1.2, 1.5, 1.6]) == five[:4]
    assert search.finalists(five, [0.0, 1.0, 2.0, 3.0, 4.0]) == five[:3]


@given(st.lists(st.integers(0, 50_000), min_size=5, max_size=5), st.booleans())
def test_folds_are_compared_once_the_latest_first_and_empty_ones_not_at_all(validated: list[int], is_ordered: bool) -> None:
    first, further = search.rungs(validated, is_ordered=is_ordered)
    compared = [*first, *further]
    assert compared == sorted(set(compared), reverse=True)
    assert all(validated[fold] for fold in compared)
    assert bool(first) == any(validated)
    rows = sum(validated[fold] for fold in compared)
    assert is_ordered or rows >= search.ROWS_TO_COMPARE or len(compared) == np.count_nonzero(validated)
    assert not is_ordered or len(compared) >= np.count_nonzero(validated) / 2
