from __future__ import annotations

import json
import math

import numpy as np
import pytest

from tasks.core.errors import StoreError
from tasks.core.metrics import Prediction
from tasks.core.reproducing import CLOSE, Match, Recorded, Reproduction, describe, match
from tasks.core.results import Leaderboard, Score
from tasks.core.thresholds import Threshold
from tasks.core.use_case import UseCase

THEN = UseCase(name="wine", data="then.csv", group="maker", seed=7, pii=("who",))
RIDGE = Score("ridge-2", 1.0, 0.1, 2.0, recipe="ridge", settings={"alpha": 1, "fit_intercept": True, "solver": "svd"}, folds=5)
MLP = Score("mlp", 2.0, math.nan, 2.0, recipe="mlp", folds=1)
BLEND = Score("blend", 0.9, 0.1, 4.0, weights={"ridge-2": 0.7, "mlp": 0.3}, folds=5)
DUMMY = Score("dummy", math.inf, math.nan, 0.0)


def test_what_a_run_kept_is_read_as_it_was_with_what_it_need_not_keep_from_today() -> None:
    scores = (BLEND, RIDGE, MLP, DUMMY)
    text = Recorded(THEN, Leaderboard(scores, threshold=Threshold("yes", 0.25, is_measured=True))).as_text()
    found = Recorded.from_text(text, UseCase(name="wine", data="now.csv", seed=1, description="Today."))
    assert found.use_case == THEN.model_copy(update={"data": "now.csv", "description": "Today."})
    assert found.leaderboard.best == BLEND
    assert [member.candidate for member in found.leaderboard.members(found.leaderboard.best)] == ["ridge-2", "mlp"]
    assert found.leaderboard.scores[1] == RIDGE
    assert [type(value) for value in found.leaderboard.scores[1].settings.values()] == [int, bool, str]
    assert found.leaderboard.threshold == Threshold("yes", 0.25, is_measured=True)


@pytest.mark.parametrize("text", ["no JSON", "[]", '{"use_case": {}}', '{"use_case": {"sed": 1}, "scores": [], "threshold": null}'])
def test_what_is_no_recipe_is_one_sentence(text: str) -> None:
    with pytest.raises(StoreError, match="the run of this version of wine keeps no recipe that can be read: "):
        Recorded.from_text(text, UseCase(name="wine"))


@pytest.mark.parametrize(
    ("apart", "digest", "likeness"),
    [(0.0, "a", "identical"), (CLOSE, "b", "close"), (2 * CLOSE, "b", "different"), (math.inf, "b", "different")],
)
def test_fits_are_identical_close_or_different(apart: float, digest: str, likeness: str) -> None:
    assert Match("judged", "a", digest, apart).likeness == likeness


def test_numbers_are_apart_as_a_share_of_their_spread_and_probabilities_as_they_are() -> None:
    one = Prediction(np.array([0.0, 200.0]))
    assert match("judged", (one, "a"), (Prediction(np.array([0.0, 201.0])), "b")).apart == pytest.approx(0.01)
    chances = [Prediction(np.array(["no"]), np.array([[1 - p, p]]), ("no", "yes")) for p in (0.2, 0.3)]
    assert match("shipped", (chances[0], "a"), (chances[1], "b")).apart == pytest.approx(0.1)
    assert match("judged", (chances[0], "a"), (one, "b")).apart == math.inf


def test_the_worst_is_told_with_what_may_be_why() -> None:
    same, close = Match("judged", "a" * 64, "a" * 64, 0.0), Match("shipped", "a" * 64, "b" * 64, 1e-9)
    found = Reproduction("wine", 3, 35, (same, close), is_as_recorded=True, changed={"numpy": ("2.4.6", "2.5.0")})
    assert found.likeness == "close"
    assert "the shipped fit is close, at most 1e-09 apart" in found.reason
    assert found.reason.endswith("since then numpy changed from 2.4.6 to 2.5.0")
    assert describe(found, "").splitlines()[0] == "reproduced  version 3 of wine: close, on 35 gate rows"
    assert json.loads(json.dumps(found.as_json()))["verdict"] == "close"
    swapped = Reproduction("wine", 3, 35, (same, same), is_as_recorded=False)
    assert swapped.likeness == "different"
    assert "the stored fit no longer says what it said when it was made" in swapped.reason
