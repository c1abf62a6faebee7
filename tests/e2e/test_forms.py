"""One table as people deliver it in five formats: wherever its values come from, they are the same to lake and model."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import yaml

from tasks.adapters.lake import Lake

if TYPE_CHECKING:
    from conftest import Clerk, Desk

ROWS = 60


def flats(rows: int = ROWS, seed: int = 5) -> pd.DataFrame:
    """Simulate offers; the key holds digits alone."""
    draw = np.random.default_rng(seed)
    lift, size = draw.integers(0, 2, rows).astype(bool), draw.uniform(40, 140, rows).round(1)
    seen = pd.date_range("2024-01-01", periods=rows, freq="7D")
    keys = [str(1000 + n) for n in range(rows)]
    return pd.DataFrame({"id": keys, "lift": lift, "size": size, "seen": seen, "kind": draw.choice(["a", "b"], rows), "let": lift | (size > 90)})


def write(df: pd.DataFrame, folder: Path, name: str, kind: str) -> list[str]:
    """Write rows as programs of each kind do, some cells empty, and say how they are named."""
    df = df.astype({"lift": "boolean"})
    df.loc[df.index[3], ["lift", "size", "kind"]] = [None, None, None]
    path = folder / f"{name}.{kind}"
    if kind == "csv":
        df.to_csv(path, index=False)
    elif kind == "parquet":
        df.to_parquet(path, index=False)
    elif kind == "jsonl":
        df.to_json(path, orient="records", lines=True, date_format="iso")
    elif kind == "xlsx":
        df.astype({"id": "int64"}).to_excel(path, index=False)
    else:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE flats (id TEXT, lift BOOLEAN, size REAL, seen TEXT, kind TEXT, let BOOLEAN)")
            df.assign(seen=df["seen"].astype(str)).to_sql("flats", connection, if_exists="append", index=False)
        return [f"sqlite:///{path}", "--read", "query=SELECT * FROM flats"]
    return [str(path)]


FORMATS = ("csv", "parquet", "jsonl", "xlsx", "db")


def begin(desk: Desk, **values: object) -> None:
    path = desk.folder / "deployments" / "use_cases" / "flats.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump({"key": ["id"], "target": "let", **values}), encoding="utf-8")


def write_suite(desk: Desk, *expectations: dict[str, object]) -> None:
    path = desk.folder / "expectations" / "flats.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"name": "flats", "expectations": expectations}), encoding="utf-8")


def ingest(clerk: Clerk, *arguments: str) -> str:
    done = clerk.run("ingest", *arguments, "--use-case", "flats")
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def rows_of(desk: Desk) -> pd.DataFrame:
    lake = Lake(str(desk.home / "lake"), "flats")
    lake = Lake(str(desk.home / "lake"), "flats", lake.begun_with())
    return lake.read(lake.snapshot())


@pytest.mark.parametrize("first", FORMATS)
def test_a_table_that_was_taken_in_is_known_in_every_format(clerk: Clerk, first: str) -> None:
    begin(clerk.desk)
    ingest(clerk, *write(flats(), clerk.desk.folder, "first", first))
    for again in FORMATS:
        told = ingest(clerk, *write(flats(), clerk.desk.folder, f"again-{again}", again))
        assert "nothing was done" in told, (again, told)
    rows = rows_of(clerk.desk)
    assert (len(rows), set(rows["lift"].dropna()), set(rows["let"])) == (ROWS, {"true", "false"}, {"true", "false"})
