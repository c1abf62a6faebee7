"""History that is replayed through the flow: three changes that fool whoever watches inputs alone, and what a call may ask."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import yaml

from tasks.core.backtest import describe
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


def turning() -> pd.DataFrame:
    """Draw rows of which what is true turns slowly and all the time."""
    draw, angle = np.random.default_rng(5), 6 * np.arange(ROWS) / ROWS
    X = draw.normal(size=(ROWS, 3))
    score = 3 * (np.cos(angle) * X[:, 0] + np.sin(angle) * X[:, 1]) + draw.normal(size=ROWS) / 2
    return pd.DataFrame(X.round(3), columns=list("abc")).assign(y=np.where(score > 0, "yes", "no"))


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
    project.write_use_case("turning", data="turning.csv", target="y", retrain={"share": 1.0}, seed=3)
    project.write_table("turning", turning())
    path = project.folder / "deployments" / "use_cases" / "turning.yaml"
    run = project.backtest(use_case="turning", chunks=20, candidate="logistic", window=2, recommend=True)
    found, text = run.report.recommended, path.read_text(encoding="utf-8")
    written = UseCase.from_values("turning", yaml.safe_load(text), where="turning.yaml")
    assert found.limits is not None
    assert (written.retrain, written.retrain.share, written.seed) == (found.limits, 1.0, 3)
    lines = [line.strip() for line in text.splitlines()]
    comment = " ".join(line.removeprefix("retrain:").strip().removeprefix("# ") for line in lines if "# " in line)
    assert max(map(len, lines)) < 140
    assert comment.startswith("recommended by flows.backtest on ")
    assert f"these {ROWS:,} rows of " in comment
    assert "20 chunks, fitted to the latest 2 chunks, labels come at once; logistic, brier" in comment
    assert "which chose this among 48 settings; the defaults come to loss " in comment
    assert yaml.safe_load(text)["retrain"] == found.changed, "only what differs from the defaults"


def test_where_nothing_is_surely_better_the_use_case_stays_as_it_is(project: Project) -> None:
    project.write_use_case("calm", data="calm.csv", target="y", retrain={"growth": 3.0})
    project.write_table("calm", table("nothing"))
    path = project.folder / "deployments" / "use_cases" / "calm.yaml"
    before = path.read_text(encoding="utf-8")
    found = project.backtest(use_case="calm", chunks=5, candidate="logistic", recommend=True).report.recommended
    assert found.limits is None
    assert found.told.startswith("nothing, and nothing was written")
    assert path.read_text(encoding="utf-8") == before


def test_what_cannot_be_replayed_is_one_sentence(project: Project) -> None:
    project.write_use_case("few", data="few.csv", target="y")
    project.write_table("few", table("nothing").head(60))
    error = project.backtest(use_case="few").error
    assert isinstance(error, DataRefusedError)
    assert error.message == "60 labelled rows are too few for 40 chunks of at least 5; ask for fewer with --chunks"
    project.write_table("few", table("nothing").head(400).sort_values("y").drop(columns="ts"))
    error = project.backtest(use_case="few", chunks=4, candidate="logistic").error
    assert isinstance(error, DataRefusedError)
    assert error.message.startswith("rows 1 to 40 hold one class of 'y' alone")
    assert "shuffle" not in error.message
    error = project.backtest(use_case="few", chunks=4, candidate="logistc").error
    assert isinstance(error, UsageError)
    assert "did you mean 'logistic'?" in error.message


@pytest.mark.parametrize(
    ("asked", "where", "message"),
    [
        (
            {"delay": 3},
            "--delay",
            "--delay is 3, so that no label comes before the last of 4 chunks is predicted; take at most 2, or more --chunks",
        ),
        ({"recommend": True, "shuffle": True}, "--recommend", "leave one of them out"),
        ({"recommend": True, "data": "unknown.csv", "use_case": None}, "--recommend", "write it with python -m flows init"),
    ],
)
def test_what_would_come_to_nothing_is_refused_before_anything_is_fitted(
    project: Project, asked: dict[str, object], where: str, message: str
) -> None:
    project.write_use_case("late", data="late.csv", target="y")
    for name in ("late", "unknown"):
        project.write_table(name, table("nothing").head(400))
    error = project.backtest(**{"use_case": "late", "chunks": 4, "candidate": "logistic", **asked}).error
    assert isinstance(error, UsageError)
    assert error.where == where
    assert message in error.message


def test_a_simulation_says_so_wherever_it_appears(project: Project) -> None:
    run = project.backtest(data="simulated:market_risk", chunks=3, candidate="logistic", delay=1)
    told = describe(run.report, "").splitlines()[0]
    assert told.startswith("market_risk_simulation · 3 chunks of simulated:market_risk (a simulation)")
    assert "labels come after 1 chunk;" not in told
    assert "in this simulation" in run.flow_run.state.message
    assert Path(run.report.page).name == "backtest-chunks-3-delay-1-candidate-logistic.html"
    assert "(a simulation)</h1>" in Path(run.report.page).read_text(encoding="utf-8")
    assert "in this simulation" in run.artifacts["market-risk-simulation-backtest"].description
