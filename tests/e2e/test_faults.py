"""Whatever happens while people and the gate decide, the champion passed, loads, and is told by ledger and registry alike."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests import invariants
from tests.disks import filled, small_disk
from tests.houses import copy_home, write_houses

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Clerk, Desk

pytestmark = pytest.mark.fault
ROLLBACK = ("rollback", "--use-case", "houses", "--because", "it looks odd")
KIB = 1024
CROWNED = "return ledger.crown"
# What each job does, in this order, on its way to a new champion: those steps that are tried wherever tests run, and all of them.
# A training first decides that it begins; a new champion stands in its table, and the rows that say why are not written yet, when their
# values are asked for.
BRIEFLY = {
    "train": ("return ledger.decide", "return model_registry.register", CROWNED),
    "promote": (CROWNED,),
    "rollback": (
        "return versions.load_rival",
        "call ledger._values",
        CROWNED,
        "return model_registry.set_alias",
        "return model_registry.set_seal",
    ),
}
THOROUGHLY = {
    "train": (
        "return runs.ensure_experiment",
        "return runs.log_dataset",
        "call model_files.log_models",
        "return model_files.log_models",
        "call model_registry.set_alias",
        "return model_registry.register",
        "return promotion.smoke",
        "return ledger.decide",
        "call ledger.crown",
        CROWNED,
        "call model_registry.set_seal",
        "return model_registry.set_seal",
        "return model_registry.tag_decision",
        "return evaluation.report_training",
    ),
    "promote": (
        "return versions.study_again",
        "return evaluation.measure",
        "return promotion.smoke",
        "call ledger._values",
        "call ledger.crown",
        CROWNED,
        "call model_registry.set_alias",
        "return model_registry.set_alias",
        "return model_registry.set_seal",
        "call model_registry.tag_decision",
        "return model_registry.tag_decision",
    ),
    "rollback": (
        "return promotion.earlier_champion",
        "call ledger.crown",
        *BRIEFLY["rollback"],
        "call model_registry.set_alias",
        "call model_registry.set_seal",
    ),
}

# A tracking server that dies when it has done what a request asks, before it answers, so many requests after each start.
SERVER = """
import json, os, signal, sys
from werkzeug.serving import make_server
from mlflow.server import app

def dying(environ, start_response):
    global left
    answer = app(environ, start_response)
    left -= 1
    if not left:
        os._exit(0)
    return answer

def serve():
    os.environ.update(_MLFLOW_SERVER_FILE_STORE=store, _MLFLOW_SERVER_REGISTRY_STORE=store, _MLFLOW_SERVER_ARTIFACT_ROOT=store)
    server = make_server("127.0.0.1", 0, dying, threaded=True)
    print(server.port, flush=True)
    sys.stderr = open(os.devnull, "w")  # where it tells each request
    server.serve_forever()

def end():
    if life:
        os.kill(life, signal.SIGKILL)
        os.waitpid(life, 0)

life = 0
for order in sys.stdin:
    end()
    left, store = json.loads(order)
    life = os.fork()
    if not life:
        serve()
end()
"""

# Steps that are come to whatever the gate says; and whoever reads the champion sets a seal that lags behind, before anything is decided.
EITHER_WAY = (
    "return model_registry.tag_decision",
    "return evaluation.report_training",
    "call model_registry.set_seal",
    "return model_registry.set_seal",
)


@dataclass(frozen=True)
class MortalServer:
    """An MLflow server that can be started again and again."""

    process: subprocess.Popen[str]

    def start(self, home: Path, requests: int) -> str:
        """Serve a home's registry for so many requests, and give the address."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps([requests, f"sqlite:///{home / 'mlflow.db'}"]), file=self.process.stdin, flush=True)
        return f"http://127.0.0.1:{int(self.process.stdout.readline())}"


@pytest.fixture(scope="module")
def server() -> Iterator[MortalServer]:
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield MortalServer(process)
        assert process.stdin is not None
        process.stdin.close()


# How many requests a server answers; the first of a rollback dies on the way, and the last one when the ledger has decided.
LIVES = {"train": (45,), "promote": (16,), "rollback": (5, 11)}
# How many KiB of a disk are left; a training run meets the end of it in the ledger, in the registry, or among the artifacts.
ROOMS = {"train": (450,), "promote": (0,), "rollback": (0, 30)}


def asked(job: str, champion: int, seed: int, clerk: Clerk) -> tuple[str, ...]:
    """Give a call of a job that makes another version champion, if nothing comes between."""
    if job == "train":
        write_houses(clerk.desk.folder, seed)
        return ("train", "--use-case", "houses")
    return ("promote", str(3 - champion), *ROLLBACK[1:]) if job == "promote" else ROLLBACK


def kill(job: str, step: str, champion: int, seed: int, clerk: Clerk) -> tuple[str, ...]:
    """Kill a job in a step, and give its call; a challenger that the gate refuses does not come so far, and then another one is tried."""
    for another in range(seed, seed + 10):
        call = asked(job, champion, another, clerk)
        killed = clerk.run(*call, killed_in=step)
        if killed.returncode == -signal.SIGKILL:
            return call
        assert (killed.returncode, job) == (0, "train"), (step, killed.stderr)
    pytest.fail(f"no run came to {step}")


def check(clerk: Clerk) -> list[int]:
    def score() -> subprocess.CompletedProcess[str]:
        return clerk.run("score", "houses.csv", "--use-case", "houses", "--json")

    return invariants.check(clerk.desk.home, "houses", score)


@pytest.mark.parametrize("job", BRIEFLY)
def test_a_kill_in_any_step_leaves_the_champion_of_before_or_the_next_one(heir: Clerk, job: str, trial: int, *, is_brief: bool) -> None:
    steps, line, call = (BRIEFLY if is_brief else THOROUGHLY)[job], check(heir), tuple[str, ...]()
    for number, step in enumerate(steps):
        call = kill(job, step, line[-1], 100 * (trial + 1) + 10 * number, heir)
        before, line = line, check(heir)
        assert len(line) - len(before) == (number >= steps.index(CROWNED)) or step in EITHER_WAY, step
    told = heir.run("doctor", "--use-case", "houses").stdout
    assert ("is open, and its process was killed; the next `python -m flows.train --use-case houses` closes it" in told) is (job == "train")
    done = heir.run(*call)
    assert done.returncode == (2 if job == "promote" else 0), done.stderr
    assert (check(heir) == line) is (job != "rollback")
    assert heir.run("doctor", "--use-case", "houses").returncode == 0


def test_of_those_who_decide_at_once_nobody_is_lost(heir: Clerk, trial: int, *, is_brief: bool) -> None:
    rounds = 1 if is_brief else 8
    promotions = [("promote", str(version), *ROLLBACK[1:], "--json") for version in (1, 2)] * (not is_brief)
    people = [[ROLLBACK] * rounds] * 7
    endings = heir.run_at_once(*people, promotions or [("promote", "1", *ROLLBACK[1:], "--json")])
    rolled_back = [done for done in endings if done.args[0] == "rollback"]
    assert [done.returncode for done in rolled_back] == [0] * 7 * rounds, [done.stderr for done in rolled_back]
    told = [json.loads(done.stdout) for done in endings if done.args[0] == "promote"]
    promoted = [document for document in told if document.get("decision", {}).get("verdict") == "promoted"]
    line = check(heir)
    assert len(line) == 2 + len(rolled_back) + len(promoted), (trial, told)
    assert all(then != now for then, now in pairwise(line)), "each went on to another one than it found"


@pytest.mark.parametrize("store", ["ledger.db", "mlflow.db"])
def test_a_store_that_another_process_holds_for_a_while_is_waited_for(heir: Clerk, store: str, trial: int) -> None:
    with closing(sqlite3.connect(heir.desk.home / store, check_same_thread=False, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        release = threading.Timer((1, 5, 30)[trial % 3], other.rollback)
        release.start()
        done = heir.run(*ROLLBACK)
        release.join()
    assert done.returncode == 0, done.stderr
    assert check(heir) == [1, 2, 1]


@pytest.mark.parametrize("job", BRIEFLY)
def test_a_tracking_server_that_dies_costs_a_run_and_nothing_else(
    heir: Clerk, server: MortalServer, job: str, trial: int, *, is_brief: bool
) -> None:
    line = check(heir)
    for requests in LIVES[job] if is_brief else random.Random(trial).sample(range(1, 2 * max(LIVES[job])), 4):
        dying = {"EVERGREEN_TRACKING_URI": server.start(heir.desk.home, requests), "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
        done = heir.run(*asked(job, line[-1], 10 + trial, heir), **dying)
        before, line = line, check(heir)
        if done.returncode:
            assert (done.returncode, line == before or "promoted" in done.stderr) == (1, True), done.stderr
            assert done.stderr.splitlines()[-1].startswith(("store: ", "store silent: ")), done.stderr
        else:
            # A file that cannot be fetched does not load, and what does not load is not promoted.
            assert len(line) > len(before) or job == "train" or "kept champion" in done.stdout, done.stdout


@pytest.fixture
def heir_on_a_small_disk(clerk: Clerk, two_champions: Desk) -> Iterator[Clerk]:
    with small_disk(clerk.desk.home, 16):
        copy_home(two_champions.folder, clerk.desk.folder)
        yield clerk


@pytest.mark.parametrize("job", BRIEFLY)
def test_a_full_disk_costs_a_run_and_nothing_else(heir_on_a_small_disk: Clerk, job: str, trial: int, *, is_brief: bool) -> None:
    clerk = heir_on_a_small_disk
    line = check(clerk)
    for room in ROOMS[job] if is_brief else random.Random(trial).sample(range(2 * max(ROOMS["train"])), 4):
        with filled(clerk.desk.home, room * KIB):
            done = clerk.run(*asked(job, line[-1], 10 + trial, clerk))
        before, line = line, check(clerk)
        if done.returncode:
            assert (done.returncode, line == before or "promoted" in done.stderr) == (1, True), done.stderr
            told = done.stderr.splitlines()[-1]
            assert re.match(r"store: .*(full|no space left|disk I/O error).*; ", told, re.IGNORECASE), told
        else:
            # A file that cannot be fetched does not load, and what does not load is not promoted.
            assert len(line) > len(before) or job == "train" or "kept champion" in done.stdout, done.stdout
