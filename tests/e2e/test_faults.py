"""Whatever happens while people and the gate decide, the champion passed, loads, and is told by ledger and registry alike."""

from __future__ import annotations

import json
import signal
import sqlite3
import threading
from contextlib import closing
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests import invariants
from tests.houses import write_houses

if TYPE_CHECKING:
    import subprocess

    from conftest import Clerk

pytestmark = pytest.mark.fault
ROLLBACK = ("rollback", "--use-case", "houses", "--because", "it looks odd")
CROWNED = "return ledger.crown"
# What each job does, in this order, on its way to a new champion: those steps that are tried wherever tests run, and all of them.
BRIEFLY = {
    "train": ("call tracking.log_models", "return tracking.register", CROWNED),
    "promote": ("return evaluation.measure", CROWNED),
    "rollback": ("return versions.load_rival", "call ledger.crown", CROWNED, "return tracking.set_alias", "return tracking.set_seal"),
}
THOROUGHLY = {
    "train": (
        "return tracking.ensure_experiment",
        "return tracking.log_dataset",
        "call tracking.log_models",
        "return tracking.log_models",
        "call tracking.set_alias",
        "return tracking.register",
        "return promotion.smoke",
        "return ledger.decide",
        "call ledger.crown",
        CROWNED,
        "call tracking.set_seal",
        "return tracking.set_seal",
        "return tracking.tag_decision",
        "return evaluation.report_training",
    ),
    "promote": (
        "return versions.study_again",
        "return evaluation.measure",
        "return promotion.smoke",
        "call ledger.crown",
        CROWNED,
        "call tracking.set_alias",
        "return tracking.set_alias",
        "return tracking.set_seal",
        "call tracking.tag_decision",
        "return tracking.tag_decision",
    ),
    "rollback": ("return champions.earlier_champion", *BRIEFLY["rollback"], "call tracking.set_alias", "call tracking.set_seal"),
}


@pytest.fixture
def is_brief(request: pytest.FixtureRequest) -> bool:
    return request.config.getoption("--trials") == 1


def asked(job: str, champion: int, seed: int, clerk: Clerk) -> tuple[str, ...]:
    """Give a call of a job that makes another version champion, if nothing comes between."""
    if job == "train":
        write_houses(clerk.desk.folder, seed)
        return ("train", "--use-case", "houses")
    return ("promote", str(3 - champion), *ROLLBACK[1:]) if job == "promote" else ROLLBACK


def check(clerk: Clerk) -> list[int]:
    def score() -> subprocess.CompletedProcess[str]:
        return clerk.run("score", "houses.csv", "--use-case", "houses", "--json")

    return invariants.check(clerk.desk.home, "houses", score)


@pytest.mark.parametrize("job", BRIEFLY)
def test_a_kill_in_any_step_leaves_the_champion_of_before_or_the_next_one(heir: Clerk, job: str, trial: int, *, is_brief: bool) -> None:
    steps, line = (BRIEFLY if is_brief else THOROUGHLY)[job], check(heir)
    for number, step in enumerate(steps):
        killed = heir.run(*asked(job, line[-1], 10 + number + trial, heir), killed_in=(step, 1))
        assert killed.returncode == -signal.SIGKILL, (step, killed.stderr)
        before, line = line, check(heir)
        assert len(line) - len(before) == (number >= steps.index(CROWNED)), step
    done = heir.run(*asked(job, line[-1], 10 + len(steps) + trial, heir))
    assert done.returncode == 0, done.stderr
    assert check(heir) != line or job == "train"
    assert invariants.open_runs(heir.desk.home) == 0 or job != "train"


def test_of_those_who_decide_at_once_nobody_is_lost(heir: Clerk, trial: int, *, is_brief: bool) -> None:
    rounds = 2 if is_brief else 8
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
