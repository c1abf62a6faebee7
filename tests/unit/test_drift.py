"""Features that have moved, for people."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tasks.core.drift import find_drift, separation
from tasks.core.profiles import Profile, profile_rows


def profile(seed: int, count: int = 2000, **changed: object) -> Profile:
    draw = np.random.default_rng(seed)
    df = pd.DataFrame(
        {
            "size": draw.normal(70, 9, count),
            "age": draw.exponential(8, count),
            "town": pd.Series(draw.choice(["a", "b", "c"], count), dtype="str"),
            "sold": pd.Timestamp("2026-01-01") + pd.to_timedelta(draw.integers(0, 99, count), unit="D"),
        }
    )
    return profile_rows([df.assign(**changed)], pii=["age"] if seed < 0 else [])


def test_a_feature_that_moved_is_told_with_how_far_and_the_one_that_matters_comes_first() -> None:
    moved = [profile(seed, size=np.random.default_rng(seed).normal(79, 9, 2000), town="c") for seed in (1, 2)]
    found = find_drift(profile(0), moved, {"size": 0.5, "town": 0.01, "age": 0.2})
    assert [(each.name, each.is_drifted) for each in found] == [("size", True), ("town", True), ("age", False)]
    assert 0.3 < found[0].effect < 0.5
    assert 0.6 < found[1].effect < 0.75


def test_values_that_are_missing_count_and_dates_and_personal_columns_do_not() -> None:
    gone = profile(1, age=np.where(np.arange(2000) % 4 == 0, np.nan, 5.0))
    assert {each.name for each in find_drift(profile(0), [gone], {}) if each.is_drifted} == {"age"}
    df = pd.DataFrame({"x": np.arange(300.0)})
    assert find_drift(profile_rows([df], pii=["x"]), [profile_rows([df + 500], pii=["x"])], {}) == []


def test_rows_like_those_before_hardly_ever_count_as_moved_in_any_size() -> None:
    for rows in (60, 500, 5000):
        drifted = sum(each.is_drifted for seed in range(20) for each in find_drift(profile(99, 5000), [profile(seed, rows)], {}))
        assert drifted == 0


def test_a_large_table_shows_small_moves_and_they_are_below_what_counts() -> None:
    (size, *_) = [
        each
        for each in find_drift(profile(0, 20_000), [profile(1, 20_000, size=np.random.default_rng(1).normal(71, 9, 20_000))], {})
        if each.name == "size"
    ]
    assert size.q < 0.01
    assert not size.is_drifted


def test_scores_that_tell_rows_apart_are_told_from_those_that_do_by_chance() -> None:
    is_new, draw = np.repeat([False, True], 600), np.random.default_rng(0)
    assert not separation(is_new, draw.normal(size=1200)).is_drifted
    assert not separation(is_new, np.zeros(1200)).is_drifted
    told = separation(is_new, draw.normal(size=1200) + is_new)
    assert told.is_drifted
    assert 0.7 < told.auc < 0.8
    few = np.array([False, True, True])
    assert not separation(few, np.array([0.0, 1.0, -1.0])).is_drifted
