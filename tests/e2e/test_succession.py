"""Who is champion is never in doubt: whoever decides at once with others, or is killed while deciding."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
from contextlib import closing
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
import yaml

from tasks.adapters import ledger
from tasks.core.decisions import broken_link

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Clerk, Desk

DECIDERS = 3
ROLLBACK = ("rollback", "--use-case", "houses", "--because", "it looks odd")


def write_houses(folder: Path, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(200, 3)).round(3)
    table = "size,rooms,price\n" + "".join(f"{size},{room},{3 * size + room + noise:.3f}\n" for size, room, noise in rows)
    (folder / "houses.csv").write_text(table, encoding="utf-8")


@pytest.fixture(scope="module")
def two_champions(module_desk: Desk, clerk_at: Callable[[Desk], Clerk]) -> Path:
    """Give a folder with a use case that has had two champions."""
    folder = module_desk.folder / "deployments" / "use_cases"
    folder.mkdir(parents=True)
    values = {"data": "houses.csv", "candidates": ["ridge"], "gate": {"tolerance": 0.5}}
    (folder / "houses.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    for seed in (0, 1):
        write_houses(module_desk.folder, seed)
        done = clerk_at(module_desk).run("train", "--use-case", "houses")
        assert "alias champion of houses" in done.stderr, done.stderr
    return module_desk.folder


@pytest.fixture
def heir(clerk: Clerk, two_champions: Path) -> Clerk:
    shutil.copytree(two_champions, clerk.desk.folder, dirs_exist_ok=True)
    return clerk


def versions(desk: Desk) -> list[int]:
    """Give the champions so far, of which the last one is told by ledger and registry alike, in an unbroken chain."""
    address = f"sqlite:///{desk.home / 'ledger.db'}"
    line = ledger.line_of_champions(address, "houses")
    assert [epoch.epoch for epoch in line] == list(range(1, len(line) + 1))
    entries = ledger.decisions(address, "houses")
    assert broken_link(entries) is None
    assert [entry.version for entry in entries if entry.kind in ("promote", "approve", "rollback")] == [epoch.version for epoch in line]
    with closing(sqlite3.connect(desk.home / "mlflow.db")) as mlflow:
        aliases = dict(mlflow.execute("SELECT alias, version FROM registered_model_aliases WHERE name = 'houses'"))
    assert aliases["champion"] == line[-1].version
    return [epoch.version for epoch in line]


def test_rollbacks_and_promotions_at_once_all_happen_one_after_the_other(heir: Clerk) -> None:
    desk = heir.desk
    named = ("-m", "flows.rollback", "--use-case", "houses", "--because", "it looks odd", "--no-record", "--json")
    deciders = [desk.start(*named) for _ in range(DECIDERS)]
    ended = [(*decider.communicate(timeout=300), decider.returncode) for decider in deciders]
    assert [code for _, _, code in ended] == [0] * DECIDERS, [errors for _, errors, code in ended if code]
    line = versions(desk)
    assert len(line) == 2 + DECIDERS
    doctor = desk.run("-m", "flows", "doctor", "--json")
    assert (doctor.returncode, json.loads(doctor.stdout)["problems"]) == (0, []), doctor.stdout
    assert all(then != now for then, now in pairwise(line)), "each went back to another one than it found"


@pytest.mark.parametrize(("line", "has_happened"), [("starting", False), ("alias champion", True)])
def test_a_rollback_that_is_killed_has_happened_or_has_not(heir: Clerk, line: str, *, has_happened: bool) -> None:
    assert heir.run(*ROLLBACK, killed_at=(line, 0)).returncode == -signal.SIGKILL
    write_houses(heir.desk.folder, 2)
    done = heir.run("train", "--use-case", "houses", "--json")
    told = json.loads(done.stdout)["decision"]
    expected = ("hold", [1, 2, 1]) if has_happened else (told["code"], [1, 2, 3])
    assert (told["code"], versions(heir.desk)) == expected, done.stderr


@pytest.mark.parametrize(("line", "has_happened"), [("loading version 1", False), ("alias champion", True)])
def test_an_approval_that_is_killed_has_happened_or_has_not(heir: Clerk, line: str, *, has_happened: bool) -> None:
    approval = ("promote", "1", "--use-case", "houses", "--because", "it was better")
    assert heir.run(*approval, killed_at=(line, 0)).returncode == -signal.SIGKILL
    done = heir.run(*approval)
    assert done.returncode == (2 if has_happened else 0), done.stderr
    assert ("version 1 of houses is champion already" in done.stderr) is has_happened
    assert versions(heir.desk) == [1, 2, 1]
