from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.spaces import Choice, Log, Real, Space, Whole, sample

SPACES: list[Space] = [Real(0.2, 1.0), Log(1e-4, 10.0), Whole(1, 20), Whole(4, 4), Choice(((32,), (64, 32), "auto"))]


@given(st.sampled_from(SPACES), st.integers(0, 2**32))
def test_what_is_drawn_is_in_the_space_and_the_same_for_the_same_seed(space: Space, seed: int) -> None:
    drawn = space.sample(np.random.default_rng(seed))
    assert drawn in space
    assert drawn == space.sample(np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("space", "outside"),
    [(Real(0.2, 1.0), 1.1), (Real(0.2, 1.0), "0.5"), (Log(1.0, 10.0), 0.9), (Whole(1, 20), 2.0), (Whole(1, 20), 21), (Choice((1, 2)), 3)],
)
def test_what_is_outside_is_known(space: Space, outside: object) -> None:
    assert outside not in space


def test_every_value_of_a_range_is_reached_and_the_small_as_often_as_the_large_by_their_logarithm() -> None:
    rng = np.random.default_rng(0)
    whole = [Whole(1, 20).sample(rng) for _ in range(2000)]
    assert set(whole) == set(range(1, 21))
    assert np.median([Log(0.01, 100.0).sample(rng) for _ in range(2000)]) == pytest.approx(1, rel=0.3)
    assert np.median([Real(0.0, 100.0).sample(rng) for _ in range(2000)]) == pytest.approx(50, rel=0.1)
    assert {Choice(("a", "b")).sample(rng) for _ in range(50)} == {"a", "b"}


def test_settings_are_drawn_in_the_order_of_the_space() -> None:
    space = {"alpha": Log(0.001, 10.0), "leaves": Whole(4, 128)}
    settings = sample(space, np.random.default_rng(5))
    rng = np.random.default_rng(5)
    assert list(settings.items()) == [("alpha", space["alpha"].sample(rng)), ("leaves", space["leaves"].sample(rng))]
