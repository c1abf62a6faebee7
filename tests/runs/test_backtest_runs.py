"""History that is replayed through the flow: three changes that fool whoever watches inputs alone, and what a call may ask."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import yaml

from tasks.core.errors import DataRefusedError, UsageError
from tasks.core.use_case import UseCase

if TYPE_CHECKING:
    from conftest import Project, Run

FEATURES, CHUNKS, ROWS, CHANGE = 20, 10, 3000, 1500
UNIMPORTANT = slice(8, 20)


def table(kind: str) -> pd.DataFrame:
    """Draw rows of which one feature tells most; in the middle something changes."""
    draw = np.random.default_rng(5)
    X, late = draw.normal(size=(ROWS, FEATURES)), np.arange(ROWS) >= CHANGE
    score = 3 * X[:, 0] + X[:, 1]
    if kind == "the most important feature moves":  # where its scale begins anew
        X[late, 0] += 4
    if kind == "twelve unimportant features move":
        X[late, UNIMPORTANT] += 1.5
    if kind == "what is true turns round":
        score[late] = -score[late]
    y = np.where(score + draw.normal(size=ROWS) > 0, "yes", "no")
    times = pd.date_range("2031-01-01", periods=ROWS, freq="h")
    return pd.DataFrame(X.round(4), columns=[f"f{n}" for n in range(FEATURES)]).assign(ts=times, y=y)


def replayed(project: Project, kind: str) -> Run:
    project.write_use_case("signals", data="signals.csv", target="y", time="ts", retrain={"growth": 1000, "staleness": 1000})
    project.write_table("signals", table(kind))
    return project.backtest(use_case="signals", chunks=CHUNKS, candidate="logistic")


@pytest.mark.parametrize(
    ("kind", "is_retrained", "is_flagged"),
    [
        ("the most important feature moves", True, False),
        ("twelve unimportant features move", False, True),
        ("what is true turns round", True, False),
    ],
)
def test_retrained_is_what_loses_and_not_what_looks_different(project: Project, kind: str, *, is_retrained: bool, is_flagged: bool) -> None:
    run = replayed(project, kind)
    policies = run.report.outcomes
    assert (policies["policy"].course.promotions > 0) == is_retrained
    assert (policies["evidently"].course.alarms > 0) == is_flagged
    assert run.flow_run.state.name == "Replayed"
    if is_retrained:
        assert policies["policy"].recovered > 0.5
        assert policies["policy"].loss < policies["never"].loss
    page = Path(run.report.page).read_text(encoding="utf-8")
    assert "What retraining would have been worth" in page or "what retraining would have been worth" in page
    assert "signals-backtest" in run.artifacts


def test_what_would_have_been_better_is_written_into_the_use_case_with_what_it_was_worth(project: Project) -> None:
    project.write_use_case("signals", data="signals.csv", target="y", retrain={"growth": 3.0}, seed=3)
    project.write_table("signals", table("what is true turns round"))
    run = project.backtest(use_case="signals", chunks=CHUNKS, candidate="logistic", recommend=True)
    text = (project.folder / "deployments" / "use_cases" / "signals.yaml").read_text(encoding="utf-8")
    assert "retrain:  # recommended by flows.backtest on " in text
    assert "against never retraining" in text
    written = UseCase.from_values("signals", yaml.safe_load(text), where="signals.yaml")
    assert (written.retrain, written.seed) == (run.report.recommended, 3)


def test_what_cannot_be_replayed_is_one_sentence(project: Project) -> None:
    project.write_use_case("few", data="few.csv", target="y")
    project.write_table("few", table("nothing").head(60))
    error = project.backtest(use_case="few").error
    assert isinstance(error, DataRefusedError)
    assert error.message == "60 labelled rows are too few for 40 chunks of at least 5; ask for fewer with --chunks"
    project.write_table("few", table("nothing").head(400).sort_values("y").drop(columns="ts"))
    error = project.backtest(use_case="few", chunks=4, candidate="logistic").error
    assert isinstance(error, DataRefusedError)
    assert error.message.startswith("the first 40 rows hold one class of 'y' alone")
    error = project.backtest(use_case="few", chunks=4, candidate="logistc").error
    assert isinstance(error, UsageError)
    assert "did you mean 'logistic'?" in error.message
