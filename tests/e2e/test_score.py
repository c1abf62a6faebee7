"""Scoring of a large file by a process that is killed, and by the one after it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from conftest import Desk

ROWS = 350_000


def test_after_a_kill_the_next_run_goes_on_and_each_row_is_there_once(desk: Desk) -> None:
    draw = np.random.default_rng(0)
    size = draw.normal(100, 20, ROWS).round(2)
    table = pd.DataFrame({"size": size, "price": (3 * size + draw.normal(size=ROWS)).round(2)})
    table[:300].to_csv(desk.folder / "houses.csv", index=False)
    table[["size"]].to_csv(desk.folder / "new.csv", index=False)
    desk.trained("houses.csv", "--trials", "1", "--no-record")
    call = ("-m", "flows.score", "new.csv", "--use-case", "houses", "--no-record", "--json")
    killed = desk.start(*call)
    folder = desk.home / "scores" / "houses"
    while killed.poll() is None and not list(folder.glob("*/000001-scored.parquet")):
        time.sleep(0.01)
    killed.kill()
    killed.communicate()
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("*/*-scored.parquet")}
    assert 2 <= len(kept) < 4, "the process was to be killed between two parts"
    goes_on = desk.run(*call)
    assert goes_on.returncode == 0, goes_on.stderr
    answer = json.loads(goes_on.stdout)
    assert answer["rows"] == {"read": ROWS, "scored": ROWS, "quarantined": 0}
    assert goes_on.stderr.count("scored ") < 4, "parts that were there were made again"
    scored = pd.read_parquet(answer["out"])
    assert scored["line"].tolist() == list(range(2, ROWS + 2))
    assert scored["prediction_id"].is_unique
    assert [path.name for path in folder.iterdir() if path.is_dir()] == []
