"""A dozen batches of a table, each delivered twice, with late labels, damage and kills: no row is lost and none is there twice."""

from __future__ import annotations

import json
import random
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import yaml

from tasks.adapters import ledger
from tasks.adapters.lake import Lake
from tasks.adapters.tracking import model_registry
from tasks.core.deliveries import TAKEN
from tasks.core.lake.values import LakeSnapshot

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from conftest import Clerk, Desk

SHARED = Path(__file__).parents[3] / "shared" / "data" / "bike_hour.csv"
KEY, TARGET, NUMBER = ["ts", "hour"], "count", "windspeed"
BATCHES, ROWS, LATE = 12, 200, 2
SCALED, DROPPED, MIDDLE, TEXT = 3, 6, 6, 9
KILLED = 3
SEED = 4
MOMENTS = 250  # at which what writes files and tables is called or returns in an ingestion


def simulated() -> pd.DataFrame:
    """Simulate the hours of a bicycle hire; nobody ever rented these."""
    draw, rows = np.random.default_rng(SEED), BATCHES * ROWS
    times = pd.date_range("2031-01-01", periods=rows, freq="h")
    warmth = 0.5 + 0.2 * np.sin(np.arange(rows) / 24 / 9) + draw.normal(0, 0.08, rows)
    table = {"ts": times.strftime("%Y-%m-%d"), "month": times.month, "hour": times.hour, "weekday": times.weekday, "temp": warmth.round(3)}
    table |= {"humidity": draw.uniform(0.2, 1, rows).round(2), NUMBER: draw.gamma(3, 0.07, rows).round(4)}
    busy = 90 + 70 * np.sin((times.hour - 8) / 4) + 120 * warmth - 40 * table["humidity"]
    return pd.DataFrame({**table, TARGET: np.maximum(0, busy + draw.normal(0, 15, rows)).round()})


def real() -> pd.DataFrame:
    if not SHARED.exists():
        pytest.skip("the table bike_hour is not here")
    return pd.read_csv(SHARED)


@dataclass(frozen=True)
class Life:
    """The batches of one table, and whoever delivers them."""

    desk: Desk
    clerk: Clerk
    table: pd.DataFrame
    draw: random.Random = field(default_factory=lambda: random.Random(SEED))
    kills: list[bool] = field(default_factory=list)

    def rows(self, batch: int) -> pd.DataFrame:
        places = np.array_split(np.arange(len(self.table)), BATCHES)[batch]
        return self.table.iloc[places].reset_index(drop=True)

    def delivered(self, batch: int) -> pd.DataFrame:
        """Give a batch as it comes: without labels, and three of them damaged."""
        df = self.rows(batch).drop(columns=TARGET)
        if batch == SCALED:
            return df.assign(**{NUMBER: df[NUMBER] * 1000})
        if batch == DROPPED:
            return df.drop(columns=NUMBER)
        return df.assign(**{NUMBER: df[NUMBER].astype(str).where(df.index >= 3, "calm")}) if batch == TEXT else df

    def write(self, name: str, df: pd.DataFrame) -> str:
        df.to_csv(self.desk.folder / name, index=False)
        return name

    def run(self, job: str, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = self.clerk.run(job, *arguments, "--use-case", "bikes")
        assert done.returncode == code, done.stderr
        return done

    def kill(self, batch: int, job: str, *arguments: str) -> None:
        """Let one of three deliveries meet a process that is killed."""
        if batch % KILLED:
            return
        done = self.clerk.run(job, *arguments, "--use-case", "bikes", killed_after=self.draw.randrange(1, MOMENTS))
        self.kills.append(done.returncode == -signal.SIGKILL)
        if self.lake.begun_with():
            self.check_sums(unrecorded=1)

    @property
    def address(self) -> str:
        return f"sqlite:///{self.desk.home / 'ledger.db'}"

    @property
    def lake(self) -> Lake:
        lake = Lake(str(self.desk.home / "lake"), "bikes")
        return Lake(str(self.desk.home / "lake"), "bikes", lake.begun_with())

    def check_sums(self, *, unrecorded: int = 0) -> int:
        """Require that ledger and lake agree on where every row is; after a kill the lake may know of one batch more."""
        taken = [e for e in ledger.batches(self.address, "bikes") if e.decision in TAKEN and e.kind == "rows"]
        arrivals = {arrival.batch: arrival for arrival in self.lake.batches() if arrival.observations or arrival.quarantined}
        assert len({entry.digest for entry in taken}) == len(taken)
        assert len(arrivals) - len(taken) in range(unrecorded + 1)
        for entry in taken:
            arrival, rows = arrivals[entry.digest], entry.rows
            assert rows.read == rows.labelled + rows.unlabelled + rows.quarantined
            assert (arrival.observations, arrival.quarantined) == (rows.labelled + rows.unlabelled, rows.quarantined)
        if unrecorded == 0:
            assert self.lake.snapshot().rows == sum(entry.rows.read - entry.rows.quarantined for entry in taken)
        return sum(entry.rows.read for entry in taken)

    def train(self) -> dict[str, int]:
        counts = json.loads(self.run("train", "--json").stdout)["rows"]
        assert counts["read"] == counts["used"] + counts["holdout"] + counts["unlabelled"] + counts["quarantined"]
        assert counts["read"] == self.check_sums()
        snapshot = self.lake.snapshot()
        assert (counts["unlabelled"], counts["read"] - counts["quarantined"]) == (snapshot.rows - snapshot.labelled, snapshot.rows)
        return counts


@pytest.mark.parametrize("source", [simulated, real])
def test_the_life_of_rows(desk: Desk, clerk: Clerk, source: Callable[[], pd.DataFrame]) -> None:
    life = Life(desk, clerk, source())
    folder = desk.folder / "deployments" / "use_cases"
    folder.mkdir(parents=True)
    (folder / "bikes.yaml").write_text(yaml.safe_dump({"key": KEY, "target": TARGET, "candidates": ["ridge"]}), encoding="utf-8")
    for batch in range(BATCHES):
        a_batch_comes_twice(life, batch)
        if batch >= LATE:
            labels_come_twice(life, batch - LATE)
        if batch == MIDDLE:
            life.train()
            then, snapshot = life.lake.read(life.lake.snapshot()), named_by_version(life, 1)
            predicted = predictions(life, "then")
    held = [len(life.rows(batch)) for batch in (SCALED, DROPPED)]
    assert life.check_sums() == len(life.table) - sum(held)
    the_scaled_batch_is_accepted(life)
    assert life.check_sums() == len(life.table) - held[1]
    late = sum(len(life.rows(BATCHES - 1 - n)) for n in range(LATE))
    counts = life.train()
    assert (counts["read"], counts["unlabelled"], counts["quarantined"]) == (len(life.table) - held[1], late, 3)
    assert life.kills.count(True) > BATCHES / KILLED
    life.clerk.run("maintain", "--retention-days", "1")
    pd.testing.assert_frame_equal(life.lake.read(snapshot), then, check_exact=True)
    assert snapshot.digest == named_by_version(life, 1).digest
    a_training_on_the_old_rows_predicts_the_same(life, then, predicted)


def a_batch_comes_twice(life: Life, batch: int) -> None:
    """Deliver a batch to a process that may be killed, and then twice."""
    name = life.write(f"rows-{batch:02}.csv", life.delivered(batch))
    life.kill(batch, "ingest", name)
    if batch in (SCALED, DROPPED):
        told = life.run("ingest", name, code=3).stderr
        assert (f"'{NUMBER}' came as 1,000 times" if batch == SCALED else f"column '{NUMBER}' is missing") in told
        assert f"{name} is held: " in life.run("ingest", name, code=3).stderr
    else:
        (outcome,) = json.loads(life.run("ingest", name, "--json").stdout)["batches"]
        assert outcome["rows"]["quarantined"] == (3 if batch == TEXT else 0)
        assert "nothing was done" in life.run("ingest", name).stdout
    life.check_sums()


def labels_come_twice(life: Life, batch: int) -> None:
    name = life.write(f"labels-{batch:02}.csv", life.rows(batch)[[*KEY, TARGET]])
    life.kill(batch, "ingest", name, "--labels")
    (outcome,) = json.loads(life.run("ingest", name, "--labels", "--json").stdout)["batches"]
    # Rows of a batch that is held are not there yet, nor are those that were set aside.
    gone = {SCALED: len(life.rows(batch)), DROPPED: len(life.rows(batch)), TEXT: 3}.get(batch, 0)
    assert outcome["rows"]["labelled"] == len(life.rows(batch)) - gone
    if batch % KILLED == 0:
        before = life.lake.count_labels()
        assert "nothing was done" in life.run("ingest", name, "--labels").stdout
        assert life.lake.count_labels() == before
    life.check_sums()


def the_scaled_batch_is_accepted(life: Life) -> None:
    digest = next(e.digest for e in ledger.batches(life.address, "bikes") if e.name == f"rows-{SCALED:02}.csv")
    life.run("ingest", "--accept", digest[:8], "--because", "the new sensors count millimetres")
    entry = next(e for e in ledger.batches(life.address, "bikes") if e.decision == "accepted")
    assert (entry.digest, entry.because) == (digest, "the new sensors count millimetres")


def named_by_version(life: Life, version: int) -> LakeSnapshot:
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{life.desk.home / 'mlflow.db'}")
    return LakeSnapshot.from_text(client.get_model_version("bikes", str(version)).tags[model_registry.LAKE_TAG])


def predictions(life: Life, name: str) -> pd.Series[float]:
    """Give what the first version says of the batch that was trained on last."""
    rows = life.write("questions.csv", life.rows(MIDDLE + 1).drop(columns=TARGET))
    life.run("score", rows, "--version", "1", "--out", f"{name}.parquet")
    return pd.read_parquet(life.desk.folder / f"{name}.parquet")["prediction"]


def a_training_on_the_old_rows_predicts_the_same(life: Life, rows: pd.DataFrame, predicted: pd.Series[float]) -> None:
    """Train in a home of its own, where nothing else is known."""
    rows.to_parquet(life.desk.folder / "old.parquet")
    home = {"EVERGREEN_HOME": str(life.desk.folder / "another")}
    for job, *arguments in (("train", "old.parquet"), ("score", "questions.csv", "--out", "again.parquet")):
        done = life.clerk.run(job, *arguments, "--use-case", "bikes", **home)
        assert done.returncode == 0, done.stderr
    pd.testing.assert_series_equal(pd.read_parquet(life.desk.folder / "again.parquet")["prediction"], predicted, check_exact=True)
