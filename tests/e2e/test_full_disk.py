"""Ingestion where there is too little room: one sentence, and the next run takes in what came, once."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import yaml

from tasks.adapters import ledger
from tasks.adapters.lake import Lake
from tests.disks import filled, small_disk

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from conftest import Clerk

ROWS, ASIDE = 4000, 1500
KIB = 1024
# From hardly any room to nearly enough, so that each store is once the one that is full.
ROOMS = range(0, 800, 40)
SUITE = """{"name": "houses", "expectations": [{"type": "expect_column_values_to_be_between", "severity": "critical",
"kwargs": {"column": "size", "min_value": 0, "max_value": 500, "mostly": 0.5}}]}"""
STORES = {
    "ledger": "the ledger",
    "snapshots": "/snapshots:",
    "lake": "the lake",
    "sheet": "/quarantine/",
    "page": "/reports/",
    "home": "the home",
}


def noise() -> pd.DataFrame:
    """Simulate rows that do not compress, and many of which cannot be right."""
    draw = np.random.default_rng(3)
    df = pd.DataFrame({"id": [f"k{n}" for n in range(ROWS)], "size": draw.uniform(40, 140, ROWS), "price": draw.normal(size=ROWS)})
    return df.assign(size=df["size"].where(df.index >= ASIDE, 9999.0))


def words() -> pd.DataFrame:
    """Simulate rows whose sheet is far longer than any other file of them."""
    return noise().assign(size=lambda df: df["size"].round(-2), price=7.0, note="as it was told on the telephone " * 2)


@dataclass(frozen=True)
class Disk:
    """A folder that holds the home and the landing folder of a use case."""

    folder: Path
    clerk: Clerk

    def deliver(self, df: pd.DataFrame) -> None:
        incoming = self.folder / "landing" / "incoming"
        use_case = yaml.safe_dump({"key": ["id"], "target": "price", "landing": str(incoming.parent)})
        for name, text in (("deployments/use_cases/houses.yaml", use_case), ("expectations/houses.json", SUITE)):
            path = self.clerk.desk.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        incoming.mkdir(parents=True)
        df.to_csv(incoming / "first.csv", index=False)

    def ingest(self, room: int = 0) -> tuple[int, str]:
        done = self.clerk.run("ingest", "--use-case", "houses", room=room, EVERGREEN_HOME=str(self.folder / "home"))
        return done.returncode, done.stderr.splitlines()[-1]

    def check_refused(self, room: int = 0) -> str:
        """Require one sentence where there is no room, and all rows once there is; give the store that was full."""
        code, told = self.ingest(room)
        assert (code, told.startswith("store: ")) == (1, True), told
        return next(store for store, sign in STORES.items() if sign in told)

    def check_all_is_in(self) -> None:
        code, told = self.ingest()
        assert code == 0, told
        (arrival,) = Lake(str(self.folder / "home" / "lake"), "houses").batches()
        (entry,) = ledger.batches(f"sqlite:///{self.folder / 'home' / 'ledger.db'}", "houses")
        assert (arrival.observations, arrival.quarantined, entry.rows.quarantined) == (ROWS - ASIDE, ASIDE, ASIDE)
        assert (self.landed("incoming"), self.landed("done")) == ([], ["first.csv"])
        assert len(list((self.folder / "home" / "quarantine" / "houses").glob("*.csv"))) == 1
        assert not list((self.folder / "home").rglob("*.partial"))

    def landed(self, where: str) -> list[str]:
        return sorted(path.name for path in (self.folder / "landing" / where).iterdir())

    def empty(self) -> None:
        for path in self.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.fixture
def disk(clerk: Clerk, tmp_path: Path) -> Generator[Disk]:
    with small_disk(tmp_path / "small", 4) as folder:
        yield Disk(folder, clerk)


@pytest.mark.parametrize(("table", "room", "store"), [(noise, 20_000, "ledger"), (noise, 50_000, "snapshots"), (words, 100_000, "sheet")])
def test_where_a_file_may_not_grow_nothing_is_lost(
    clerk: Clerk, tmp_path: Path, table: Callable[[], pd.DataFrame], room: int, store: str
) -> None:
    disk = Disk(tmp_path / "disk", clerk)
    disk.deliver(table())
    assert disk.check_refused(room) == store
    disk.check_all_is_in()


def test_whichever_store_is_the_one_that_fills_the_disk_nothing_is_lost(disk: Disk) -> None:
    found = set[str]()
    for room in ROOMS:
        disk.empty()
        disk.deliver(noise())
        with filled(disk.folder, room * KIB):
            code, told = disk.ingest()
        if code:
            assert re.match(r"store: .*(full|no space left|disk I/O error).*; ", told, re.IGNORECASE), told
            found.add(next(store for store, sign in STORES.items() if sign in told))
        disk.check_all_is_in()
    assert found >= {"ledger", "snapshots", "lake", "sheet"}


def test_a_reason_that_cannot_be_written_leaves_the_delivery_where_it_is(disk: Disk) -> None:
    disk.deliver(noise())
    (disk.folder / "landing" / "incoming" / "first.csv").write_text("<html><body>No such page</body></html>", encoding="utf-8")
    with filled(disk.folder, 0):
        done = disk.clerk.run("ingest", "--use-case", "houses")
    assert (done.returncode, "first.csv is decided on, and cannot be moved to" in done.stderr) == (1, True), done.stderr
    assert disk.landed("incoming") == ["first.csv"]
    assert disk.clerk.run("ingest", "--use-case", "houses").returncode == 3
    assert disk.landed("refused") == ["first.csv", "first.csv.reason.txt"]
    assert len(ledger.batches(f"sqlite:///{disk.clerk.desk.home / 'ledger.db'}", "houses")) == 1
