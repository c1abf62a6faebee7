"""From a table to a use case that is trained and fed by its name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from conftest import Desk


def houses(seed: int) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    size, rooms = draw.uniform(40, 140, 150).round(1), draw.integers(1, 7, 150)
    return pd.DataFrame({"size": size, "rooms": rooms, "kind": draw.choice(["flat", "house"], 150), "price": 3 * size + 10 * rooms})


def test_what_init_writes_is_trained_and_ingested_by_its_name(desk: Desk) -> None:
    houses(0).to_csv(desk.folder / "houses.csv", index=False)
    houses(1).to_csv(desk.folder / "more.csv", index=False)
    done = desk.run("-m", "flows", "init", "--data", "houses.csv", "--name", "flats", "--json")
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)["files"].values()) == {"written"}
    trained = desk.trained("--use-case", "flats", "--trials", "1", "--no-record")
    assert (trained["use_case"], trained["target"], trained["version"]) == ("flats", "price", 1)
    ingested = desk.run("-m", "flows.ingest", "--use-case", "flats", "--data", "more.csv", "--no-record", "--json")
    assert ingested.returncode == 0, ingested.stderr
    assert [batch["outcome"] for batch in json.loads(ingested.stdout)["batches"]] == ["ingested"]
    again = desk.run("-m", "flows", "init", "houses.csv", "--name", "flats")
    assert (again.returncode, again.stdout.splitlines()[-1]) == (0, "  next      nothing changed")


def test_without_a_table_it_says_how_it_is_called(desk: Desk) -> None:
    done = desk.run("-m", "flows", "init", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "usage")
    assert done.stderr == "usage: name the table to propose from: python -m flows init FILE\n"
