"""A run that is killed at any step costs that run and nothing else: the next one succeeds and closes what was left open."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest

from tasks import registry
from tasks.core import names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import Desk

SEED = 20
# What a run tells on its way, in this order; a kill strikes right after the line.
BEFORE_THE_VERSION = (
    "creating the MLflow store",
    "reading houses.csv",
    "no suite for houses",
    "split ",
    ", hist_gradient_boosting: ",
    "fitting ",
)
FROM_THE_VERSION_ON = ("evaluating", "registered version 1", "loading version 1", "alias champion", "promoted")


@dataclass(frozen=True)
class Kill:
    """After which line of progress, and how many seconds later, a run is killed."""

    line: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Story:
    """Runs of one home that are killed one after the other, before one that is left alone."""

    kills: tuple[Kill, ...]
    record: bool = False
    fresh: bool = False


def in_between(count: int) -> Iterator[Kill]:
    """Draw moments between two lines, most of them where files, registry and ledger are written."""
    draw = random.Random(SEED)
    spans = {"evaluating": 1.0, "registered version 1": 0.1, "loading version 1": 2.5, "alias champion": 0.2, "opening the stores": 0.5}
    for line in draw.sample(sorted(spans), k=count):
        yield Kill(line, draw.uniform(0, spans[line]))


STORIES = {
    "each step before the version": Story(tuple(Kill(line) for line in BEFORE_THE_VERSION), fresh=True),
    **{line: Story((Kill(line),)) for line in FROM_THE_VERSION_ON},
    **{f"{kill.seconds:.2f} s after {kill.line}": Story((kill,)) for kill in in_between(3)},
    "recorded, at the baseline": Story((Kill("the baseline, dummy"),), record=True),
    "recorded, at registered version 1": Story((Kill("registered version 1"),), record=True),
}


def start_and_kill(desk: Desk, kill: Kill, *arguments: str) -> None:
    process = desk.start("-m", "flows.train", *arguments)
    assert process.stderr is not None
    told: list[str] = []
    for line in process.stderr:
        told.append(line)
        if kill.line in line:
            break
    assert told, process.returncode
    assert kill.line in told[-1], "".join(told)
    time.sleep(kill.seconds)  # the moment of the kill, not a wait for something
    process.kill()
    process.communicate(timeout=60)


def live(story: Story, desk: Desk, template: Path, wait_for: Callable[..., None]) -> dict[str, object]:
    """Kill what the story kills, and give the report of the run after that."""
    shutil.copytree(template, desk.folder, dirs_exist_ok=True)
    if story.fresh:
        shutil.rmtree(desk.home)
    arguments = ["houses.csv", *([] if story.record else ["--no-record"])]
    for kill in story.kills:
        start_and_kill(desk, kill, *arguments)
        if story.record:
            server = json.loads((desk.home / "prefect" / "server.json").read_text(encoding="utf-8"))
            wait_for(lambda server=server: not psutil.pid_exists(server["pid"]), "the server of a killed run has ended", 60)
    return desk.trained(*arguments)


@pytest.fixture(scope="module")
def desks(module_desk: Desk) -> dict[str, Desk]:
    places = {name: module_desk.folder.parent / f"story-{number}" for number, name in enumerate(STORIES)}
    return {name: type(module_desk)(place) for name, place in places.items()}


@pytest.fixture(scope="module")
def endings(module_desk: Desk, desks: dict[str, Desk], wait_for: Callable[..., None]) -> Iterator[dict[str, Future[dict[str, object]]]]:
    """Live all stories, two at a time, each on a home of its own with stores that another use case has created."""
    rows = np.random.default_rng(0).normal(size=(200, 2)).round(3)
    table = "size,rooms,price\n" + "".join(f"{size},{room},{3 * size + room:.3f}\n" for size, room in rows)
    (module_desk.folder / "houses.csv").write_text(table, encoding="utf-8")
    start_and_kill(module_desk, Kill("reading"), "houses.csv", "--use-case", "another", "--no-record")
    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(live, story, desks[name], module_desk.folder, wait_for) for name, story in STORIES.items()}


@pytest.mark.parametrize("name", STORIES)
def test_the_run_after_a_kill_succeeds_and_nothing_stays_open(
    endings: dict[str, Future[dict[str, object]]], desks: dict[str, Desk], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    report, home = endings[name].result(), desks[name].home

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


def test_a_search_goes_on_with_what_it_had_found_before_the_kill(desk: Desk) -> None:
    rows = np.random.default_rng(1).normal(size=(200, 2)).round(3)
    table = "size,rooms,price\n" + "".join(f"{size},{room},{3 * size + room:.3f}\n" for size, room in rows)
    (desk.folder / "houses.csv").write_text(table, encoding="utf-8")
    trials = desk.home / "trials"
    start_and_kill(desk, Kill(", shallow_boosting: "), "houses.csv", "--no-record")
    known: dict[str, float] = {}
    for path in trials.glob("*.npz"):
        with np.load(path) as kept:
            known[path.stem.partition("-")[2]] = float(kept["seconds"])
    report = desk.trained("houses.csv", "--no-record")
    spent = {score["candidate"]: score["seconds"] for score in report["leaderboard"]}
    # Had it been fitted again, it would not have taken the very same time.
    before = sum(known[names.digest("shallow_boosting", "{}", str(fold))[:32]] for fold in range(5))
    assert spent["shallow_boosting"] == round(before, 3)
    assert not [*trials.iterdir()], "nothing is kept of a search that has ended"


@pytest.mark.parametrize("name", [name for name, story in STORIES.items() if story.record])
def test_no_flow_or_task_of_a_killed_run_stays_running_in_prefect(
    endings: dict[str, Future[dict[str, object]]], desks: dict[str, Desk], name: str
) -> None:
    endings[name].result()
    with closing(sqlite3.connect(desks[name].home / "prefect" / "prefect.db")) as prefect:
        flows = [state for (state,) in prefect.execute("SELECT state_type FROM flow_run ORDER BY created")]
        tasks = {state for (state,) in prefect.execute("SELECT state_type FROM task_run")}
    assert flows == ["CRASHED", "COMPLETED"]
    assert "RUNNING" not in tasks
