"""Rows that were set aside, mended in their sheet as people do, and delivered again: each comes in once."""

from __future__ import annotations

import csv
import html
import itertools
import json
import shutil
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import yaml

from tasks.adapters import ledger
from tasks.adapters.lake import Lake
from tasks.core.deliveries import TAKEN, waiting

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Clerk, Desk

    Row = dict[str, str]

ROWS, ASIDE, STEP = 60, 5, 61
SIZES = {
    "type": "expect_column_values_to_be_between",
    "kwargs": {"column": "size", "min_value": 0, "max_value": 500, "mostly": 0.5},
    "severity": "critical",
}
# What a person finds out about the rows that were set aside, by their keys.
RIGHT = {"h10": {"size": "99.9"}, "h11": {"size": "55.5"}, "h20": {"rooms": "3"}, "h21": {"rooms": "4"}}
LOST = {"id": "h40", "size": "40.2", "rooms": "5", "kind": "flat", "price": "283.3"}


@dataclass(frozen=True)
class House:
    """A use case whose first batch had rows that do not fit."""

    desk: Desk
    clerk: Clerk

    def ingest(self, name: str, *arguments: str, code: int = 0) -> str:
        done = self.clerk.run("ingest", name, "--use-case", "houses", *arguments)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    def ingest_accepted(self, digest: str) -> None:
        done = self.clerk.run("ingest", "--use-case", "houses", "--accept", digest[:8], "--because", "they said so")
        assert done.returncode == 0, done.stderr

    @property
    def sheet(self) -> Path:
        (path,) = (self.desk.home / "quarantine" / "houses").glob("*.csv")
        return path

    def read_sheet(self) -> list[Row]:
        with self.sheet.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    def rows(self) -> pd.DataFrame:
        lake = Lake(str(self.desk.home / "lake"), "houses")
        lake = Lake(str(self.desk.home / "lake"), "houses", lake.begun_with())
        return lake.read(lake.snapshot()).sort_values("id", ignore_index=True)

    def quarantined(self) -> int:
        """Count what is set aside by the ledger and by the lake, which must agree."""
        entries = [e for e in ledger.batches(f"sqlite:///{self.desk.home / 'ledger.db'}", "houses") if e.decision in TAKEN]
        arrivals = Lake(str(self.desk.home / "lake"), "houses").batches()
        counted = sum(entry.rows.quarantined for entry in entries)
        assert counted == sum(arrival.quarantined for arrival in arrivals)
        assert sum(entry.rows.read for entry in entries) == counted + sum(arrival.observations for arrival in arrivals) == ROWS
        return counted


@pytest.fixture
def house(desk: Desk, clerk: Clerk) -> House:
    """Let a simulated batch come: two sizes that cannot be, two words among numbers, and a row of too many cells."""
    for folder, name, text in (
        ("deployments/use_cases", "houses.yaml", yaml.safe_dump({"key": ["id"], "target": "price"})),
        ("expectations", "houses.json", json.dumps({"name": "houses", "expectations": [SIZES]})),
    ):
        (desk.folder / folder).mkdir(parents=True)
        (desk.folder / folder / name).write_text(text, encoding="utf-8")
    draw = np.random.default_rng(5)
    size, rooms = draw.uniform(40, 140, ROWS).round(1), draw.integers(1, 7, ROWS)
    names, price = [f"h{n}" for n in range(ROWS)], (3 * size + 10 * rooms).round(1)
    df = pd.DataFrame({"id": names, "size": size, "rooms": rooms, "kind": "flat, old", "price": price}).astype({"rooms": "str"})
    df.loc[[10, 11], "size"], df.loc[[20, 21], "rooms"] = [9999, -5], ["many", "some"]
    lines = df.to_csv(index=False).splitlines(keepends=True)
    lines[41] = "h40,40.2,5,flat,283.3,more,and more\n"
    (desk.folder / "first.csv").write_text("".join(lines), encoding="utf-8")
    found = House(desk, clerk)
    told = found.ingest("first.csv")
    assert f"to mend     {found.sheet.relative_to(desk.folder)}" in told
    return found


def mended(row: Row) -> Row:
    """Correct a row of the sheet; that which could not be taken apart is typed anew."""
    return {**row, **(RIGHT[row["id"]] if row["id"] else LOST)}


def save(house: House, rows: list[Row], name: str = "mended.csv", **dialect: str) -> str:
    """Write a sheet as a spreadsheet does."""
    encoding = dialect.pop("encoding", "utf-8-sig")
    with (house.desk.folder / name).open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), **dialect)
        writer.writeheader()
        writer.writerows(rows)
    return name


def german(rows: list[Row]) -> list[Row]:
    return [{**row, **{name: row[name].replace(".", ",") for name in ("size", "price")}} for row in rows]


def reordered(rows: list[Row]) -> list[Row]:
    return [dict(reversed(row.items())) for row in rows]


def without_helpers(rows: list[Row]) -> list[Row]:
    return [{name: cell for name, cell in row.items() if name not in ("_line", "_reasons", "_text")} for row in rows]


def plain(rows: list[Row]) -> list[Row]:
    return rows


@pytest.mark.parametrize(
    ("change", "dialect"),
    [
        (plain, {}),
        (plain, {"lineterminator": "\n", "encoding": "utf-8", "quoting": csv.QUOTE_ALL}),
        (plain, {"delimiter": "\t", "encoding": "utf-16"}),
        (german, {"delimiter": ";"}),
        (reordered, {}),
        (without_helpers, {"delimiter": ";"}),
    ],
)
def test_a_mended_sheet_comes_in_as_a_spreadsheet_saves_it(
    house: House, change: Callable[[list[Row]], list[Row]], dialect: dict[str, str]
) -> None:
    before = house.rows()
    sheet = save(house, change([mended(row) for row in house.read_sheet()]), **dialect)
    assert f"mends batch {house.sheet.stem[:8]}: {ASIDE} rows that were set aside are taken in" in house.ingest(sheet)
    assert house.quarantined() == 0
    after = house.rows()
    came = after[~after["id"].isin(before["id"])].set_index("id")
    assert came.loc[["h10", "h11"], "size"].tolist() == [99.9, 55.5]
    assert came.loc[["h20", "h21"], "rooms"].tolist() == [3.0, 4.0]
    assert came.loc["h40", ["size", "rooms", "kind", "price"]].tolist() == [40.2, 5.0, "flat", 283.3]
    pd.testing.assert_frame_equal(after[after["id"].isin(before["id"])].reset_index(drop=True), before, check_exact=True)
    assert "is known" in house.ingest(sheet)
    pd.testing.assert_frame_equal(house.rows(), after, check_exact=True)


def test_what_is_mended_so_far_comes_in_and_the_rest_stays_set_aside(house: House) -> None:
    rows = house.read_sheet()
    # One size is still none, one word is left as it was, and the row of too many cells is deleted.
    kept = [row for row in rows if row["id"]]
    first = [
        mended(row) | ({"size": "800"} if row["id"] == "h11" else {}) | ({"rooms": "few"} if row["id"] == "h21" else {}) for row in kept
    ]
    told = house.ingest(save(house, first))
    assert "2 rows that were set aside are taken in; 2 rows are still set aside, the first on line 3 of mended.csv: 'size'" in told
    assert house.quarantined() == ASIDE - 2
    assert len(house.rows()) == ROWS - ASIDE + 2
    assert "line 3 of mended.csv" in house.ingest("mended.csv", code=3)
    assert house.quarantined() == ASIDE - 2
    told = house.ingest(save(house, [mended(row) for row in rows], "all.csv"))
    assert f"{ASIDE - 2} rows that were set aside are taken in; 2 had been mended before" in told
    assert (house.quarantined(), len(house.rows()), house.rows()["id"].is_unique) == (0, ROWS, True)
    assert "nothing was done" in house.ingest("mended.csv") + house.ingest("all.csv")


def test_a_sheet_is_told_as_known_whatever_it_says_of_rows_that_are_in(house: House) -> None:
    house.ingest(save(house, [mended(row) for row in house.read_sheet()]))
    before = house.rows()
    other = [mended(row) | {"size": "77"} for row in house.read_sheet()]
    assert "other.csv is known" in house.ingest(save(house, other, "other.csv"))
    pd.testing.assert_frame_equal(house.rows(), before, check_exact=True)


@pytest.mark.parametrize(("name", "left"), [("first.csv", ASIDE), ("mended.csv", 0)])
def test_a_kill_at_any_moment_costs_that_run_and_nothing_else(house: House, name: str, left: int) -> None:
    save(house, [mended(row) for row in house.read_sheet()])
    home, before = house.desk.home, house.desk.folder / "before"
    if name == "first.csv":
        shutil.rmtree(home)
        home.mkdir()
    shutil.copytree(home, before)
    for moment in itertools.count(1, STEP):
        killed = house.clerk.run("ingest", name, "--use-case", "houses", killed_after=moment)
        arrivals = Lake(str(home / "lake"), "houses").batches()
        assert (sum(a.observations for a in arrivals), sum(a.quarantined for a in arrivals)) in {(0, 0), (55, 5), (60, 0)}
        house.ingest(name)
        assert (house.quarantined(), len(house.rows()), house.rows()["id"].is_unique) == (left, ROWS - left, True)
        if killed.returncode != -signal.SIGKILL:
            break
        shutil.rmtree(home)
        shutil.copytree(before, home)
    assert moment > 5 * STEP


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda rows: [row | {"_row": ""} for row in rows], "line 2 does not say in '_row' which row it was; deliver new rows in"),
        (lambda rows: [*rows, rows[0]], "line 7 says in '_row' that it is a row that stands there already; keep one of the two"),
        (lambda rows: [row | {"_row": "0" * 16 + "-1"} for row in rows[:1]], "of batch 0000000000000000, which is none of houses"),
        (
            lambda rows: [row | {"_row": row["_row"].split("-")[0] + "-1"} for row in rows[:1]],
            "no row of mended.csv is set aside with batch",
        ),
        (lambda rows: [{name: cell for name, cell in row.items() if name != "size"} for row in rows], 'The column "size" in BatchData'),
        (lambda rows: [row | {"note": "by phone"} for row in rows], "the columns are not those of the lake (new: note); bring"),
    ],
)
def test_a_sheet_that_cannot_be_used_is_refused_in_one_sentence(
    house: House, change: Callable[[list[Row]], list[Row]], sentence: str
) -> None:
    told = house.ingest(save(house, change([mended(row) for row in house.read_sheet()])), code=3)
    assert sentence in told
    assert house.quarantined() == ASIDE


def test_rows_of_a_batch_with_other_columns_come_in_mended_as_that_batch_did(house: House) -> None:
    rooms = ["2"] * 20
    other = pd.DataFrame({"id": [f"n{n}" for n in range(20)], "rooms": rooms, "kind": "flat", "site": "north", "price": range(300, 320)})
    other.loc[7, "rooms"] = "some"
    other.to_csv(house.desk.folder / "other.csv", index=False)
    house.ingest("other.csv", code=3)
    (held,) = waiting(ledger.batches(f"sqlite:///{house.desk.home / 'ledger.db'}", "houses"))
    first = house.sheet
    house.ingest_accepted(held.digest)
    (sheet,) = {*(house.desk.home / "quarantine" / "houses").glob("*.csv")} - {first}
    sheet.write_text(sheet.read_text(encoding="utf-8-sig").replace("some", "4"), encoding="utf-8")
    told = house.ingest(str(sheet))
    assert "1 row that was set aside is taken in; column 'site' is left out: the lake keeps the columns" in told
    assert "column 'size' is taken as empty" in told
    row = house.rows().set_index("id").loc["n7"]
    assert (row["rooms"], row["price"], bool(np.isnan(row["size"]))) == (4.0, 307.0, True)


def test_the_page_says_where_the_rows_are_and_what_to_do(house: House) -> None:
    (page,) = (house.desk.home / "reports" / "houses" / "batches").glob("*.html")
    assert f"python -m flows.ingest {house.sheet} --use-case houses" in html.unescape(page.read_text(encoding="utf-8"))
