"""What trials predicted, as files that outlive a kill and vanish when nobody goes on with them."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tasks.adapters.trials import TrialStore, remove_unused
from tasks.core.metrics import Prediction

if TYPE_CHECKING:
    from pathlib import Path

WEEK = timedelta(days=7)
NUMBERS = Prediction(np.array([1.0, 2.5]))
CLASSES = Prediction(np.array(["no", "yes"]), np.array([[0.75, 0.25], [0.1, 0.9]]), ("no", "yes"))


def age(folder: Path, search: str = "*", days: int = 8) -> None:
    """Make files as old as if nothing had used them for some days."""
    for path in folder.glob(f"{search}-*"):
        os.utime(path, (0, time.time() - days * 86_400))


@pytest.mark.parametrize("said", [NUMBERS, CLASSES], ids=["numbers", "classes"])
def test_what_was_predicted_is_known_again_bit_by_bit(tmp_path: Path, said: Prediction) -> None:
    store = TrialStore(tmp_path / "trials", "a")
    assert store.load("one") is None
    store.keep("one", said, 1.5)
    known = store.load("one")
    assert known is not None
    assert known[1] == 1.5
    assert known[0].values.tolist() == said.values.tolist()
    assert known[0].classes == said.classes
    assert (known[0].proba is None) == (said.proba is None)
    if said.proba is not None:
        assert known[0].proba is not None
        assert known[0].proba.tobytes() == said.proba.tobytes()


def test_what_a_kill_cut_off_is_not_known(tmp_path: Path) -> None:
    store = TrialStore(tmp_path, "a")
    store.keep("one", NUMBERS, 1.0)
    (path,) = tmp_path.glob("*.npz")
    path.write_bytes(path.read_bytes()[:100])
    assert store.load("one") is None


def test_a_search_that_has_ended_forgets_its_own_trials_alone(tmp_path: Path) -> None:
    ended, other = TrialStore(tmp_path, "a"), TrialStore(tmp_path, "b")
    for store in (ended, other):
        store.keep("one", NUMBERS, 1.0)
    ended.forget()
    assert (ended.load("one"), other.load("one") is None) == (None, False)


def test_what_nobody_went_on_with_is_removed_with_what_a_kill_left_half_written(tmp_path: Path) -> None:
    dead, alive = TrialStore(tmp_path, "a"), TrialStore(tmp_path, "b")
    for store in (dead, alive):
        for trial in ("one", "two"):
            store.keep(trial, NUMBERS, 1.0)
    (tmp_path / "a-three.1.partial").write_bytes(b"half")
    age(tmp_path, "a")
    done = remove_unused(tmp_path, WEEK)
    assert (done.removed, done.removed_bytes > 4) == (3, True)
    assert dead.load("one") is None
    assert alive.load("one") is not None


@pytest.mark.parametrize("use", ["load", "keep"])
def test_of_a_search_that_goes_on_nothing_is_removed(tmp_path: Path, use: str) -> None:
    store = TrialStore(tmp_path, "a")
    store.keep("one", NUMBERS, 1.0)
    store.keep("two", NUMBERS, 1.0)
    age(tmp_path)
    if use == "load":
        assert store.load("one") is not None
    else:
        store.keep("three", NUMBERS, 1.0)
    assert remove_unused(tmp_path, WEEK).removed == 0
    assert store.load("two") is not None


def test_where_nothing_was_ever_tried_nothing_is_removed(tmp_path: Path) -> None:
    assert remove_unused(tmp_path / "trials", WEEK).removed == 0
