from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tasks.core.comparing import Origin, Sides, build_page
from tasks.core.evidence import compare_predictions
from tasks.core.metrics import Interval, Prediction, differences_of

RNG = np.random.default_rng(0)
Y = RNG.choice(["no", "yes"], 200)


def origin(version: int, *, rows: int = 10, **params: str) -> Origin:
    return Origin(version, params, ("numpy==2.4.6", f"scikit-learn==1.9.{version}"), "", f"s{version}", np.arange(rows, dtype=np.uint64))


def classified(skill: float, seed: int) -> Prediction:
    chance = np.where(Y == "yes", skill, 1 - skill) + np.random.default_rng(seed).normal(0, 0.2, len(Y))
    yes = np.clip(chance, 0.01, 0.99)
    return Prediction(np.where(yes > 0.5, "yes", "no"), np.column_stack([1 - yes, yes]), ("no", "yes"))


def sides(one: Prediction, other: Prediction) -> Sides:
    metrics = differences_of("binary", Y, one, other, blocks=0, seed=0)
    compared = compare_predictions("brier", Y, other, one, blocks=0)
    rows = pd.DataFrame({"a": np.arange(200.0), "b": "<x>"})
    return Sides(
        "wine", origin(1, candidate="ridge"), origin(2, rows=15, candidate="mlp", seed="0"), rows, Y, (one, other), metrics, compared
    )


def test_the_one_that_is_better_beyond_noise_is_named() -> None:
    told = sides(classified(0.6, 1), classified(0.8, 2))
    assert told.verdict.startswith("version 2 is better (loss −")
    assert sides(classified(0.8, 2), classified(0.6, 1)).verdict.startswith("version 1 is better (loss +")
    assert sides(classified(0.7, 1), classified(0.7, 2)).verdict.startswith("no difference beyond noise (loss ")
    assert sides(classified(0.7, 1), classified(0.7, 1)).verdict == "they predict the same"


def test_rows_are_counted_by_who_is_right() -> None:
    one, other = classified(0.6, 1), classified(0.8, 2)
    flips = sides(one, other).flips
    assert flips["only_one"] == int(((one.values == Y) & (other.values != Y)).sum())
    assert flips["neither"] == int(((one.values != Y) & (other.values != Y)).sum())
    assert sum(flips.values()) == len(Y)


def test_numbers_are_counted_by_who_is_nearer() -> None:
    y, said = np.array([1.0, 2.0, 3.0]), (Prediction(np.array([1.0, 3.0, 4.0])), Prediction(np.array([2.0, 2.5, 4.0])))
    compared = compare_predictions("squared_error", y, said[1], said[0], blocks=0)
    told = replace(sides(classified(0.6, 1), classified(0.8, 2)), y=y, said=said, compared=compared, rows=pd.DataFrame({"a": y}))
    assert told.flips == {"only_one": 1, "only_other": 1, "both": 1}
    assert told.told_flips == "1 where only version 1 is nearer, 1 where only version 2 is, 1 where both are"


def test_only_what_differs_is_told_of_what_they_are_made_from() -> None:
    told = sides(classified(0.6, 1), classified(0.8, 2))
    assert told.changed == {"candidate": ("ridge", "mlp"), "seed": ("", "0"), "scikit-learn": ("1.9.1", "1.9.2")}
    assert told.data == {"both": 10, "only_one": 0, "only_other": 5}
    assert "differs     candidate: ridge → mlp\n            seed: nothing → 0\n" in told.as_text()
    assert json.loads(json.dumps(told.as_json(), allow_nan=False))["changed"]["seed"] == ["", "0"]


def test_a_difference_has_the_interval_of_paired_rows_and_not_of_two_samples() -> None:
    one = classified(0.7, 1)
    slightly = replace(one, proba=np.clip(one.proba + np.array([-0.01, 0.01]), 0, 1))
    paired = differences_of("binary", Y, one, slightly, blocks=0, seed=0)["brier"][2]
    alone = differences_of("binary", Y, one, classified(0.7, 3), blocks=0, seed=0)["brier"][2]
    assert (paired.high - paired.low) < (alone.high - alone.low) / 5


def test_the_page_shows_both_and_lets_no_cell_become_markup() -> None:
    page = build_page(sides(classified(0.6, 1), classified(0.8, 2)))
    assert all(word in page for word in ("version 2 is better", "The rows on which they differ most", "&lt;x&gt;", "scikit-learn"))
    assert "<x>" not in page


def test_without_a_row_that_judges_nothing_is_said() -> None:
    told = sides(classified(0.6, 1), classified(0.8, 2))
    nothing = tuple(said.take(np.array([], dtype=int)) for said in told.said)
    compared = compare_predictions("brier", Y[:0], nothing[1], nothing[0], blocks=0)
    told = replace(told, y=Y[:0], said=nothing, rows=told.rows[:0], compared=compared, metrics={})
    assert told.verdict == "there is no row that neither was fitted on, so nothing can be said of who is better"
    assert "Where they disagree" in build_page(told)


@pytest.mark.parametrize(("value", "shown"), [(0.5, "+0.5000 ("), (-0.5, "-0.5000 ("), (0.0, "0 (")])
def test_a_difference_is_told_with_its_sign(value: float, shown: str) -> None:
    told = sides(classified(0.6, 1), classified(0.8, 2))
    told = replace(told, metrics={"brier": (1.0, 1.0 + value, Interval(value, value - 1, value + 1))})
    assert shown in told.as_text()
