from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.sketches import BLOCK, DISTINCT, FREQUENT, KEPT, LONG_TEXT, Distinct, Frequent, Moments, Quantiles, Runs, unique

SHARES = [0.0, 0.001, 0.01, 0.07, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0]
FINITE = st.floats(allow_nan=False, allow_infinity=False)
SHAPES = ["normal", "few", "rising", "falling", "heavy"]


def draw(shape: str, size: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    if shape == "few":
        return random.integers(0, 7, size).astype("float64")
    if shape == "heavy":
        return random.standard_cauchy(size) ** 3
    values = random.normal(size=size)
    return np.sort(values) if shape == "rising" else np.sort(values)[::-1] if shape == "falling" else values


def sketch_of(values: np.ndarray, *cuts: int) -> Quantiles:
    sketch = Quantiles()
    for start, end in pairwise([0, *cuts, len(values)]):
        sketch.add(values[start:end])
    return sketch


def worst_rank_error(sketch: Quantiles, values: np.ndarray) -> float:
    """Say how far the rank of an estimate lies from the one asked for, by the nearest rank that its value has."""
    ordered = np.sort(values)
    found = sketch.at(SHARES)
    first, last = np.searchsorted(ordered, found) + 1, np.searchsorted(ordered, found, side="right")
    wanted = np.ceil(np.array(SHARES) * len(values) - 1e-6).clip(1)
    return float(np.maximum(first - wanted, wanted - last).max())


# ------------------------------------------------------------------------------------------------------------- quantiles


@given(st.lists(FINITE, min_size=1, max_size=60), st.floats(0, 1))
def test_quantiles_of_few_values_are_exact(values: list[float], share: float) -> None:
    sketch = sketch_of(np.array(values))
    assert sketch.rank_error == 0
    wanted = max(1, math.ceil(share * len(values) - 1e-6))
    assert sketch.at([share])[0] == sorted(values)[wanted - 1]


@given(st.sampled_from(SHAPES), st.integers(1, 12 * BLOCK), st.integers(0, 99))
def test_the_rank_of_a_quantile_is_as_near_as_it_says(shape: str, size: int, seed: int) -> None:
    values = draw(shape, size, seed)
    sketch = sketch_of(values)
    assert worst_rank_error(sketch, values) <= sketch.rank_error
    assert sketch.rank_error <= (size * (1 + math.log2(size / BLOCK)) / (2 * KEPT) if size >= BLOCK else 0)


@given(st.sampled_from(SHAPES), st.lists(st.integers(0, 5 * BLOCK), min_size=2, max_size=4))
def test_merged_quantiles_keep_their_bound(shape: str, sizes: list[int]) -> None:
    parts = [draw(shape, size + 1, seed) for seed, size in enumerate(sizes)]
    merged = sketch_of(parts[0])
    for part in parts[1:]:
        merged.merge(sketch_of(part))
    values = np.concatenate(parts)
    assert merged.count == len(values)
    assert worst_rank_error(merged, values) <= merged.rank_error <= len(values) * (2 + math.log2(len(values))) / (2 * KEPT)


def test_a_quantile_sketch_does_not_depend_on_how_values_come() -> None:
    values = draw("normal", 5 * BLOCK + 7)
    whole, cut = sketch_of(values), sketch_of(values, 3, BLOCK + 1, 4 * BLOCK)
    assert whole.at(SHARES).tolist() == cut.at(SHARES).tolist()
    assert whole.rank_error == cut.rank_error


def test_memory_of_a_quantile_sketch_grows_with_the_logarithm_only() -> None:
    sketch = sketch_of(draw("normal", 64 * BLOCK))
    held = [len(kept) for kept in sketch._levels if kept is not None]  # noqa: SLF001 (memory is what this is about)
    assert sum(held) <= KEPT * 7


# ---------------------------------------------------------------------------------------------------------------- others


@given(st.lists(st.integers(0, 50)))
def test_unique_is_numpys(values: list[int]) -> None:
    assert unique(np.array(values, dtype="int64")).tolist() == np.unique(np.array(values, dtype="int64")).tolist()


@pytest.mark.parametrize("distinct", [0, 1, DISTINCT, DISTINCT + 1, 30_000, 200_000])
def test_distinct_values_are_counted_or_estimated_and_said_so(distinct: int) -> None:
    hashes = pd.util.hash_array(np.arange(distinct, dtype="int64"))
    whole, left, right = Distinct(), Distinct(), Distinct()
    for chunk in np.array_split(np.concatenate([hashes, hashes[::-1]]), 7):
        whole.add(chunk)
    left.add(hashes[: 2 * distinct // 3])
    right.add(hashes[distinct // 3 :])
    left.merge(right)
    for sketch in (whole, left):
        assert sketch.is_exact == (distinct <= DISTINCT)
        assert abs(sketch.count - distinct) <= (0 if sketch.is_exact else 0.06 * distinct)


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 50)), max_size=4000))
def test_counts_of_frequent_texts_are_never_too_high_and_rarely_too_low(items: list[tuple[int, int]]) -> None:
    sketches = [Frequent(), Frequent()]
    truth: Counter[str] = Counter()
    for place, (value, count) in enumerate(items):
        sketches[place % 2].add([str(value)], [count])
        truth[str(value)] += count
    first, second = sketches
    first.merge(second)
    held = dict(first.most(FREQUENT))
    assert first.error <= truth.total() / FREQUENT
    for text, count in truth.items():
        assert count - first.error <= held.get(text, 0) <= count


def test_many_texts_do_not_hide_the_one_that_comes_often() -> None:
    sketch = Frequent()
    for start in range(0, 20_000, 1000):
        sketch.add(["often", *map(str, range(start, start + 1000))], [100, *[1] * 1000])
    ((text, count),) = sketch.most(1)
    assert text == "often"
    assert 2000 - sketch.error <= count <= 2000
    assert 0 < sketch.error <= 22_000 / FREQUENT


def test_long_texts_are_not_kept_and_equal_counts_go_by_text() -> None:
    sketch = Frequent()
    sketch.add(["b", "a", "x" * (LONG_TEXT + 1)], [1, 1, 9])
    assert sketch.most(5) == [("a", 1), ("b", 1)]


@given(st.lists(st.lists(st.floats(-1e6, 1e6), max_size=20), max_size=4), st.sampled_from([1e-300, 1.0, 1e300]))
def test_mean_and_spread_are_numpys_whatever_the_magnitude(parts: list[list[float]], scale: float) -> None:
    moments = Moments()
    for part in parts:
        moments.add(np.array(part) * scale)
    values = np.array([value for part in parts for value in part])
    if len(values):
        assert moments.mean / scale == pytest.approx(values.mean(), rel=1e-9, abs=1e-7)
        assert moments.spread / scale == pytest.approx(values.std(), rel=1e-9, abs=1e-7)
    assert moments.count == len(values)


@given(st.lists(FINITE, min_size=1), st.integers(0, 20))
def test_mean_and_spread_never_leave_what_float64_holds(values: list[float], cut: int) -> None:
    moments = Moments()
    moments.add(np.array(values[:cut]))
    moments.add(np.array(values[cut:]))
    assert math.isfinite(moments.mean)
    assert math.isfinite(moments.spread)


@given(st.lists(st.integers(0, 2), max_size=40), st.integers(0, 40))
def test_the_longest_run_goes_over_the_border_of_chunks(values: list[int], cut: int) -> None:
    runs, longest, length = Runs(), 0, 0
    runs.add(np.array(values[:cut], dtype="float64"))
    runs.add(np.array(values[cut:], dtype="float64"))
    for place, value in enumerate(values):
        length = length + 1 if place and value == values[place - 1] else 1
        longest = max(longest, length)
    assert runs.longest == longest
