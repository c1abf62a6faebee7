"""Batch after batch into the lake, as people deliver them: twice, late, broken, and with processes that are killed."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import yaml

from tasks.adapters import ledger
from tasks.adapters.lake import Lake
from tasks.adapters.tracking import model_registry
from tasks.core.lake.values import LakeSnapshot

if TYPE_CHECKING:
    from conftest import Clerk

SHARED = Path(__file__).parents[3] / "shared" / "data" / "bike_hour.csv"
ROWS = 150
HELD = 3


def rows(batch: int, count: int = ROWS) -> pd.DataFrame:
    """Simulate sales of houses; each batch has rows of its own."""
    draw = np.random.default_rng(batch)
    size, rooms = draw.uniform(40, 140, count).round(1), draw.integers(1, 7, count)
    price = (3 * size + 10 * rooms + draw.normal(0, 9, count)).round(1)
    names = [f"h{batch}-{n}" for n in range(count)]
    return pd.DataFrame({"id": names, "size": size, "rooms": rooms, "kind": draw.choice(["flat", "house"], count), "price": price})


def write_use_case(clerk: Clerk, **values: object) -> Path:
    folder = clerk.desk.folder / "deployments" / "use_cases"
    folder.mkdir(parents=True)
    (folder / "houses.yaml").write_text(yaml.safe_dump({"key": ["id"], "target": "price", **values}), encoding="utf-8")
    incoming = clerk.desk.folder / "landing" / "incoming"
    incoming.mkdir(parents=True)
    return incoming


def ingest(clerk: Clerk, *arguments: str) -> tuple[int, str]:
    done = clerk.run("ingest", "--use-case", "houses", *arguments)
    return done.returncode, done.stdout + done.stderr


def sums(clerk: Clerk) -> dict[str, int]:
    """Add up where the rows of all batches went, by the ledger and by the lake, which must agree."""
    entries = [e for e in ledger.batches(f"sqlite:///{clerk.desk.home / 'ledger.db'}", "houses") if e.decision in ("ingested", "accepted")]
    by_rows = [e.rows for e in entries if e.kind == "rows"]
    arrivals = {arrival.batch: arrival for arrival in Lake(str(clerk.desk.home / "lake"), "houses").batches()}
    assert len({entry.digest for entry in entries}) == len(entries)
    for entry in entries:
        if entry.kind == "rows":
            arrival = arrivals[entry.digest]
            assert (arrival.observations, arrival.quarantined) == (entry.rows.labelled + entry.rows.unlabelled, entry.rows.quarantined)
    assert all(r.read == r.labelled + r.unlabelled + r.quarantined for r in by_rows)
    return {"batches": len(by_rows), "read": sum(r.read for r in by_rows), "quarantined": sum(r.quarantined for r in by_rows)}


def train(clerk: Clerk) -> dict[str, object]:
    done = clerk.run("train", "--use-case", "houses", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    counts = told["rows"]
    assert counts["read"] == counts["used"] + counts["holdout"] + counts["unlabelled"] + counts["quarantined"]
    return told


def test_the_life_of_rows_with_broken_batches_late_labels_and_kills(clerk: Clerk) -> None:
    incoming = write_use_case(clerk, landing="landing")
    good = broken_and_good_batches_are_told_apart(clerk, incoming)
    what_came_before_changes_nothing(clerk, incoming, good)
    before = train(clerk)
    assert before["rows"]["unlabelled"] == ROWS
    late_labels_arrive_once(clerk)
    after = train(clerk)
    assert (after["rows"]["unlabelled"], after["snapshot"]["digest"] != before["snapshot"]["digest"]) == (0, True)
    maintenance_removes_nothing_that_is_needed(clerk)
    a_held_batch_is_accepted_with_a_reason(clerk)
    lake = Lake(str(clerk.desk.home / "lake"), "houses")
    for version, report in ((1, before), (2, after)):
        snapshot = LakeSnapshot.from_text(tags_of(clerk, version)[model_registry.LAKE_TAG])
        assert (snapshot.digest, len(lake.read(snapshot))) == (report["snapshot"]["digest"], snapshot.rows)


def broken_and_good_batches_are_told_apart(clerk: Clerk, incoming: Path) -> list[str]:
    good = {f"b{n}.csv": rows(n) for n in range(6)}
    good["b4.csv"] = good["b4.csv"].drop(columns="price")
    broken = {"c1.csv": rows(11).assign(size=lambda df: df["size"] * 1000), "c2.csv": rows(12).drop(columns="rooms")}
    broken["c3.csv"] = rows(13).assign(size=lambda df: df["size"].astype(str).where(df.index % 2 == 0, "unknown"))
    for name, df in {**good, **broken}.items():
        df.to_csv(incoming / name, index=False)
    with (incoming / "b5.csv").open("a", encoding="utf-8") as file:
        file.write("h5-x,many,3,flat,200\n")
    draw = random.Random(1)
    for _ in range(5):
        process = clerk.desk.start("-m", "flows.ingest", "--use-case", "houses", "--no-record")
        time.sleep(draw.uniform(1.0, 3.0))
        process.send_signal(signal.SIGKILL)
        process.communicate()
    _, told = ingest(clerk)
    assert not list(incoming.iterdir()), told
    assert sums(clerk) == {"batches": 6, "read": 6 * ROWS + 1, "quarantined": 1}
    refused = sorted(path.name for path in (clerk.desk.folder / "landing" / "refused").iterdir())
    assert refused == sorted([*broken, *(f"{name}.reason.txt" for name in broken)])
    assert "1,000 times" in (clerk.desk.folder / "landing" / "refused" / "c1.csv.reason.txt").read_text(encoding="utf-8")
    assert sorted(path.name for path in (clerk.desk.folder / "landing" / "done").iterdir()) == sorted(good)
    return list(good)


def what_came_before_changes_nothing(clerk: Clerk, incoming: Path, good: list[str]) -> None:
    for name in good:
        (clerk.desk.folder / "landing" / "done" / name).rename(incoming / name)
    code, told = ingest(clerk)
    assert (code, told.count("nothing was done")) == (0, 6)
    assert sums(clerk)["read"] == 6 * ROWS + 1


def late_labels_arrive_once(clerk: Clerk) -> None:
    rows(4)[["id", "price"]].assign(price=lambda df: df["price"] + 1).to_csv(clerk.desk.folder / "labels.csv", index=False)
    code, told = ingest(clerk, "--labels", "labels.csv")
    assert (code, f"{ROWS} labelled" in told) == (0, True)
    assert ingest(clerk, "--labels", "labels.csv")[1].count("nothing was done") == 1


def maintenance_removes_nothing_that_is_needed(clerk: Clerk) -> None:
    """Maintain with two processes at once, one of which is killed, where all stored rows are a month old."""
    for path in [*(clerk.desk.home / "snapshots").iterdir(), *(clerk.desk.home / "held").iterdir()]:
        os.utime(path, (time.time() - 30 * 86400,) * 2)
    stored = len(list((clerk.desk.home / "snapshots").iterdir()))
    command = ("-m", "flows.maintain", "--no-record", "--json")
    killed, other = clerk.desk.start(*command), clerk.desk.start(*command)
    time.sleep(random.Random(2).uniform(1.0, 3.0))
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    told, errors = other.communicate()
    assert other.returncode == 0, errors
    assert json.loads(told)["lakes"][0]["kept_snapshots"] == 2
    # Two versions name theirs, and the three broken batches may still be accepted.
    assert len(list((clerk.desk.home / "snapshots").iterdir())) == 2 + HELD < stored


def a_held_batch_is_accepted_with_a_reason(clerk: Clerk) -> None:
    held = next(e for e in ledger.batches(f"sqlite:///{clerk.desk.home / 'ledger.db'}", "houses") if e.name == "c1.csv")
    assert ingest(clerk, "--accept", held.digest[:8])[0] == 2
    code, told = ingest(clerk, "--accept", held.digest[:8], "--because", "the sensor reports millimetres now")
    assert code == 0, told
    assert sums(clerk)["read"] == 7 * ROWS + 1


def tags_of(clerk: Clerk, version: int) -> dict[str, str]:
    import mlflow

    return dict(mlflow.MlflowClient(f"sqlite:///{clerk.desk.home / 'mlflow.db'}").get_model_version("houses", str(version)).tags)


def test_two_ingestions_at_once_take_each_batch_once(clerk: Clerk) -> None:
    incoming = write_use_case(clerk, landing="landing")
    for n in range(3):
        rows(n).to_csv(incoming / f"b{n}.csv", index=False)
    both = [clerk.desk.start("-m", "flows.ingest", "--use-case", "houses", "--no-record") for _ in range(2)]
    told = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert ingest(clerk)[0] == 0
    assert sums(clerk) == {"batches": 3, "read": 3 * ROWS, "quarantined": 0}


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("nowhere.csv",), 2, "there is no file 'nowhere.csv'"),
        (("--because", "x"), 2, "--because says why a batch is accepted or dismissed; name it with --accept or --dismiss"),
        (("--accept", "abc"), 2, "say why the batch is accepted, with --because TEXT"),
        (("--accept", "abc", "--because", "x"), 2, "no batch of houses waits that begins with 'abc'; waiting are: none"),
        (("labels.csv", "--labels"), 3, "houses has no rows that labels could belong to; ingest rows first"),
    ],
)
def test_what_a_person_can_mistake_is_one_sentence(clerk: Clerk, arguments: tuple[str, ...], code: int, sentence: str) -> None:
    write_use_case(clerk)
    (clerk.desk.folder / "labels.csv").write_text("id,price\na,1\nb,2\nc,3\n", encoding="utf-8")
    found, told = ingest(clerk, *arguments)
    assert (found, sentence in told) == (code, True), told


def test_training_on_a_lake_without_rows_says_how_they_come(clerk: Clerk) -> None:
    write_use_case(clerk)
    done = clerk.run("train", "--use-case", "houses")
    assert (done.returncode, "names no data and nothing was ingested for it; set data: in its file" in done.stderr) == (2, True), (
        done.stderr
    )


def test_a_mistyped_target_is_told_before_anything_is_stored(clerk: Clerk) -> None:
    incoming = write_use_case(clerk, landing="landing", target="prices")
    rows(0).to_csv(incoming / "b0.csv", index=False)
    code, told = ingest(clerk)
    assert (code, "there is no column 'prices'; did you mean 'price'?" in told) == (2, True), told
    assert "; if labels come later, begin with rows that have theirs" in told
    assert [path.name for path in incoming.iterdir()] == ["b0.csv"]


@pytest.mark.skipif(not SHARED.exists(), reason="the table bike_hour is not here")
def test_a_real_table_comes_in_batches(clerk: Clerk) -> None:
    incoming = write_use_case(clerk, landing="landing", key=[], target="count")
    table = pd.read_csv(SHARED)
    for place, part in enumerate(np.array_split(np.arange(len(table)), 8)):
        table.iloc[part].to_csv(incoming / f"part{place}.csv", index=False)
    code, told = ingest(clerk)
    assert code == 0, told
    assert sums(clerk)["read"] == len(table)
