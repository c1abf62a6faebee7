"""Eight processes that train at once on a fresh home: all of them end well, and one of them makes the champion."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from conftest import Desk

PROCESSES = 8
# `unchanged` came after another one had been judged; the others registered a version of their own.
ENDINGS = {"first_champion", "unchanged", "superseded", "identical"}


def test_eight_first_runs_at_once_all_end_well_with_one_champion(desk: Desk) -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(200, 2)).round(3)
    table = "size,rooms,price\n" + "".join(f"{size},{room},{3 * size + room:.3f}\n" for size, room in rows)
    (desk.folder / "houses.csv").write_text(table, encoding="utf-8")
    racers = [desk.start("-m", "flows.train", "houses.csv", "--trials", "1", "--no-record", "--json") for _ in range(PROCESSES)]
    ended = [(*racer.communicate(timeout=300), racer.returncode) for racer in racers]

    assert [code for _, _, code in ended] == [0] * PROCESSES, [errors for _, errors, code in ended if code]
    reports = [json.loads(output) for output, _, _ in ended]
    codes = [report["decision"]["code"] for report in reports]
    assert codes.count("first_champion") == 1
    assert set(codes) <= ENDINGS
    (winner,) = [report for report in reports if report["decision"]["code"] == "first_champion"]

    with closing(sqlite3.connect(desk.home / "ledger.db")) as ledger:
        line = ledger.execute("SELECT use_case, epoch, version, run_id FROM champion").fetchall()
    assert line == [("houses", 1, winner["version"], winner["run_id"])]
    with closing(sqlite3.connect(desk.home / "mlflow.db")) as mlflow:
        aliases = dict(mlflow.execute("SELECT alias, version FROM registered_model_aliases"))
        versions = [version for (version,) in mlflow.execute("SELECT version FROM model_versions ORDER BY version")]
        states = {state for (state,) in mlflow.execute("SELECT status FROM runs")}
    trained = sorted(report["version"] for report in reports if report["decision"]["code"] != "unchanged")
    assert versions == trained
    assert aliases == {"champion": winner["version"], "challenger": versions[-1]}
    assert states == {"FINISHED"}
