"""A run that is killed at any step costs that run and nothing else: the next one succeeds and closes what was left open."""

from __future__ import annotations

import json
import random
import shutil
import signal
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest

from tasks import registry
from tasks.core import names

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Clerk, Desk

SEED = 20
TRAIN = ("train", "houses.csv", "--trials", "1")
CREATING = "creating the MLflow store"
# What a run tells on its way, in this order; a kill strikes right after the line.
BEFORE_THE_VERSION = (
    CREATING,
    "reading houses.csv",
    "no suite for houses",
    "split ",
    "trial 1 of 1",
    "fitting ",
)
FROM_THE_VERSION_ON = ("registered version 1", "alias champion")


@dataclass(frozen=True)
class Kill:
    """After which line of progress, and how many seconds later, a run is killed."""

    line: str
    seconds: float = 0.0


# Kills of one home that come one after the other, before a run that is left alone.
STORIES = {
    "each step before the version": tuple(Kill(line) for line in BEFORE_THE_VERSION),
    **{line: (Kill(line),) for line in FROM_THE_VERSION_ON},
    "while the version is registered": (Kill("evaluating", random.Random(SEED).uniform(0, 1)),),
}


def write_houses(folder: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(200, 2)).round(3)
    table = "size,rooms,price\n" + "".join(f"{size},{room},{3 * size + room:.3f}\n" for size, room in rows)
    (folder / "houses.csv").write_text(table, encoding="utf-8")


@pytest.fixture(scope="module")
def used_home(module_desk: Desk, clerk_at: Callable[[Desk], Clerk]) -> Path:
    """Give a home with stores that another use case has created."""
    write_houses(module_desk.folder)
    clerk_at(module_desk).run(*TRAIN, "--use-case", "another", killed_at=("reading", 0))
    return module_desk.home


@pytest.mark.parametrize("name", STORIES)
def test_the_run_after_a_kill_succeeds_and_nothing_stays_open(
    clerk: Clerk, used_home: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_houses(clerk.desk.folder)
    if STORIES[name][0].line != CREATING:
        shutil.copytree(used_home, clerk.desk.home)
    for kill in STORIES[name]:
        killed = clerk.run(*TRAIN, killed_at=(kill.line, kill.seconds))
        assert killed.returncode == -signal.SIGKILL, killed.stderr
    done = clerk.run(*TRAIN, "--json")
    assert done.returncode == 0, done.stderr
    nothing_stays_open(clerk.desk.home, json.loads(done.stdout), monkeypatch)


def test_no_flow_or_task_of_a_killed_run_stays_running_in_prefect(
    desk: Desk, wait_for: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_houses(desk.folder)
    process = desk.start("-m", "flows.train", *TRAIN[1:])
    assert process.stderr is not None
    assert any("registered version 1" in told for told in process.stderr)
    process.kill()
    process.communicate(timeout=60)
    server = json.loads((desk.home / "prefect" / "server.json").read_text(encoding="utf-8"))
    wait_for(lambda: not psutil.pid_exists(server["pid"]), "the server of a killed run has ended", 60)
    report = desk.trained(*TRAIN[1:])
    with closing(sqlite3.connect(desk.home / "prefect" / "prefect.db")) as prefect:
        flows = [state for (state,) in prefect.execute("SELECT state_type FROM flow_run ORDER BY created")]
        tasks = {state for (state,) in prefect.execute("SELECT state_type FROM task_run")}
    assert flows == ["CRASHED", "COMPLETED"]
    assert "RUNNING" not in tasks
    nothing_stays_open(desk.home, report, monkeypatch)


def nothing_stays_open(home: Path, report: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(home / "mlflow.db")) as mlflow:
        states = [state for (state,) in mlflow.execute("SELECT status FROM runs")]
        models = {model for (model,) in mlflow.execute("SELECT name FROM registered_models")}
        versions = mlflow.execute("SELECT name, version FROM model_versions").fetchall()
        aliases = dict(mlflow.execute("SELECT alias, version FROM registered_model_aliases"))
        kept = mlflow.execute("SELECT count(*) FROM logged_models WHERE lifecycle_stage = 'active'").fetchone()
    assert "RUNNING" not in states
    assert models == {model for model, _ in versions} == {"houses"}
    assert kept == (len(versions),)
    assert aliases["challenger"] == max(version for _, version in versions) == report["version"]

    with closing(sqlite3.connect(home / "ledger.db")) as ledger:
        line = ledger.execute("SELECT epoch, version FROM champion WHERE use_case = 'houses' ORDER BY epoch").fetchall()
    assert [epoch for epoch, _ in line] == list(range(1, len(line) + 1))
    assert aliases["champion"] == line[-1][1]
    monkeypatch.setenv("EVERGREEN_HOME", str(home))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home / 'mlflow.db'}")
    assert registry.load_model("houses").feature_names_in_.tolist() == ["size", "rooms"]

    assert list(home.rglob("*.partial")) == []


def test_a_search_goes_on_with_what_it_had_found_before_the_kill(clerk: Clerk) -> None:
    write_houses(clerk.desk.folder)
    trials = clerk.desk.home / "trials"
    clerk.run("train", "houses.csv", killed_at=(", shallow_boosting: ", 0))
    known: dict[str, float] = {}
    for path in trials.glob("*.npz"):
        with np.load(path) as kept:
            known[path.stem.partition("-")[2]] = float(kept["seconds"])
    report = json.loads(clerk.run("train", "houses.csv", "--json").stdout)
    spent = {score["candidate"]: score["seconds"] for score in report["leaderboard"]}
    # Had it been fitted again, it would not have taken the very same time.
    before = sum(known[names.digest("shallow_boosting", "{}", str(fold))[:32]] for fold in range(5))
    assert spent["shallow_boosting"] == round(before, 3)
    assert not [*trials.iterdir()], "nothing is kept of a search that has ended"
