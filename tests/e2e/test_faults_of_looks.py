"""A look at a champion that is killed anywhere: the next one goes on, and what was wanted happens once."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml

from tasks.adapters import ledger
from tests import invariants

if TYPE_CHECKING:
    from conftest import Clerk

pytestmark = pytest.mark.fault
ROWS = 480
HOUSES = ("--use-case", "houses")
# What a look does, in this order: it stands in the ledger, on a page, among the metrics; then a training is claimed, begins, and ends.
BRIEFLY = ("return ledger.decide", "return snapshots.write_text", "return ledger.claim", "call choosing.choose")
THOROUGHLY = (
    "call ledger.decide",
    "return ledger.decide",
    "call snapshots.write_text",
    "return snapshots.write_text",
    "return telling.report",
    "call ledger.claim",
    "return ledger.claim",
    "call choosing.choose",
    "return training.fit_judged",
    "return model_registry.register",
)


def write_rows(clerk: Clerk, name: str, seed: int, turn: float) -> None:
    """Write rows whose price depends on their size, and with another turn otherwise."""
    size, noise = np.random.default_rng(seed).normal(size=(2, ROWS)).round(3)
    lines = (f"{name}{n},{a},{turn * a + 0.3 * b:.4f}" for n, (a, b) in enumerate(zip(size, noise, strict=True)))
    (clerk.desk.folder / f"{name}.csv").write_text("\n".join(["id,size,price", *lines]) + "\n", encoding="utf-8")


def begin(clerk: Clerk) -> None:
    """Let a champion be watched that what came since proves wrong."""
    folder = clerk.desk.folder / "deployments" / "use_cases"
    folder.mkdir(parents=True)
    values = {"key": ["id"], "target": "price", "candidates": ["ridge"], "monitor": {"pictures": False}}
    (folder / "houses.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    for name, seed, turn in (("first", 1, 1.0), ("later", 2, -1.0)):
        write_rows(clerk, name, seed, turn)
        for call in [("ingest", f"{name}.csv", *HOUSES), ("train", *HOUSES)][: 1 + (name == "first")]:
            done = clerk.run(*call)
            assert done.returncode == 0, done.stderr


def test_a_look_that_is_killed_anywhere_is_gone_on_with_and_what_it_wanted_happens_once(
    clerk: Clerk, trial: int, *, is_brief: bool
) -> None:
    begin(clerk)
    for step in BRIEFLY if is_brief else THOROUGHLY:
        killed = clerk.run("monitor", *HOUSES, killed_in=step)
        assert killed.returncode == -signal.SIGKILL, (trial, step, killed.stdout + killed.stderr)
        assert invariants.line_of(clerk.desk.home, "houses")
    done = clerk.run("monitor", *HOUSES)
    assert "version 2 was trained" in done.stdout, done.stdout + done.stderr
    entries = ledger.decisions(f"sqlite:///{clerk.desk.home / 'ledger.db'}", "houses")
    looks = [entry for entry in entries if entry.kind == "monitor"]
    assert sum(entry.inputs["window"]["folded"] for entry in looks) == ROWS, "each row counts once"
    assert len({entry.code for entry in entries if entry.kind == "trigger"}) == 1
    assert [entry.version for entry in entries if entry.kind == "gate"] == [1, 2]
    page = (clerk.desk.home / "reports" / "houses" / "monitor.html").read_text(encoding="utf-8")
    assert "version 2 was trained" in page
    assert list(clerk.desk.home.rglob("*.partial")) == []
    with closing(sqlite3.connect(clerk.desk.home / "mlflow.db")) as mlflow:
        assert {state for (state,) in mlflow.execute("SELECT status FROM runs")} == {"FINISHED", "KILLED"}
    invariants.check(clerk.desk.home, "houses", lambda: clerk.run("score", "first.csv", *HOUSES, "--json"))
    assert clerk.run("doctor", *HOUSES).returncode == 0
