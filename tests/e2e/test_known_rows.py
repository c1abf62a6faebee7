"""Rows that come again under their key: known, late with their label, or with other values; labels that come alone, twice or broken."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import yaml

from tasks.adapters import ledger
from tasks.adapters.lake import Lake
from tasks.core.deliveries import TAKEN
from tasks.rows import SAME_KEY

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Clerk

    from tasks.core.deliveries import BatchEntry

ROWS = 40
POSITIVE = {
    "type": "expect_column_values_to_be_between",
    "kwargs": {"column": "size", "min_value": 0, "mostly": 0.5},
    "severity": "critical",
}
LATE = "known rows bring the label that they lacked"


@dataclass(frozen=True)
class House:
    """A use case whose rows have a key, and whoever delivers them."""

    clerk: Clerk

    def begin(self, *expectations: dict[str, object], **values: object) -> None:
        self.write("deployments/use_cases/houses.yaml", yaml.safe_dump({"key": ["id"], "target": "price", **values}))
        if expectations:
            self.write("expectations/houses.json", json.dumps({"name": "houses", "expectations": expectations}))

    def write(self, name: str, content: str | pd.DataFrame) -> str:
        path = self.clerk.desk.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else content.to_csv(index=False), encoding="utf-8")
        return name

    def ingest(self, name: str, content: str | pd.DataFrame, *arguments: str, code: int = 0) -> str:
        done = self.clerk.run("ingest", self.write(name, content), "--use-case", "houses", *arguments)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    def accept(self, because: str) -> str:
        """Accept the batch that was held last."""
        entry = self.entries()[-1]
        done = self.clerk.run("ingest", "--use-case", "houses", "--accept", entry.digest[:8], "--because", because)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    @property
    def home(self) -> Path:
        return self.clerk.desk.home

    @property
    def lake(self) -> Lake:
        lake = Lake(str(self.home / "lake"), "houses")
        return Lake(str(self.home / "lake"), "houses", lake.begun_with())

    def rows(self) -> pd.DataFrame:
        return self.lake.read(self.lake.snapshot())

    def prices(self, *ids: str) -> list[float]:
        return self.rows().set_index("id").loc[[*ids], "price"].fillna(-1).tolist()

    def check_sums(self) -> dict[str, int]:
        """Require that ledger and lake agree on where every row is, and add up what the ledger says."""
        entries = [entry.rows for entry in self.entries() if entry.decision in TAKEN and entry.kind == "rows"]
        sums = {name: sum(getattr(rows, name) for rows in entries) for name in ("read", "labelled", "unlabelled", "quarantined", "known")}
        assert all(rows.read == rows.labelled + rows.unlabelled + rows.quarantined + rows.known for rows in entries)
        arrivals = self.lake.batches()
        assert sum(arrival.observations for arrival in arrivals) == sums["labelled"] + sums["unlabelled"] == len(self.rows())
        assert sum(arrival.quarantined for arrival in arrivals) == sums["quarantined"]
        return sums

    def entries(self) -> list[BatchEntry]:
        return ledger.batches(f"sqlite:///{self.home / 'ledger.db'}", "houses")

    def reasons(self) -> list[str]:
        """Give what is told of the last batch beside its rows."""
        return list(self.entries()[-1].reasons)

    def sheet(self, use: str = "*") -> pd.DataFrame:
        *_, path = sorted((self.home / "quarantine" / "houses").glob(f"{use}.csv"), key=lambda path: path.stat().st_mtime_ns)
        return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")


@pytest.fixture
def house(clerk: Clerk) -> House:
    return House(clerk)


def houses(rows: int = ROWS, seed: int = 3) -> pd.DataFrame:
    """Simulate sales; the first rows are the same however many are asked for."""
    draw = np.random.default_rng(seed)
    size, rooms = draw.uniform(40, 140, 10 * ROWS).round(1), draw.integers(1, 7, 10 * ROWS)
    names = [f"h{n}" for n in range(10 * ROWS)]
    return pd.DataFrame({"id": names, "size": size, "rooms": rooms, "price": (3 * size + 10 * rooms).round(1)}).head(rows)


def test_a_table_that_grows_brings_its_new_rows_alone(house: House) -> None:
    house.begin()
    house.ingest("day1.csv", houses(ROWS))
    told = house.ingest("day2.csv", houses(ROWS + 9))
    assert f"{ROWS + 9} read = 9 labelled + 0 unlabelled + 0 quarantined + {ROWS} known" in told
    told = house.ingest("sorted.csv", houses(ROWS + 9).sort_values("size"))
    assert f"sorted.csv is known; each of its {ROWS + 9} rows is in the lake; nothing was done" in told
    assert house.check_sums() == {"read": 2 * ROWS + 9, "labelled": ROWS + 9, "unlabelled": 0, "quarantined": 0, "known": ROWS}
    pd.testing.assert_frame_equal(house.rows(), houses(ROWS + 9).astype({"rooms": "float64"}), check_exact=True)


def test_a_row_that_comes_again_with_other_values_is_set_aside(house: House) -> None:
    house.begin()
    house.ingest("day1.csv", houses())
    again = houses(ROWS + 2)
    again.loc[4, "size"], again.loc[5, ["rooms", "price"]], again.loc[6, "price"] = 99.9, [7, 11.0], 1.5
    told = house.ingest("day2.csv", again)
    assert f"{ROWS + 2} read = 2 labelled + 0 unlabelled + 3 quarantined + {ROWS - 3} known" in told
    sheet = house.sheet()
    assert sheet["id"].tolist() == ["h4", "h5", "h6"]
    assert sheet["_line"].tolist() == ["6", "7", "8"]
    told = "its key came before with other values in column"
    assert sheet["_reasons"].tolist() == [f"{told} 'size'", f"{told}s 'rooms', 'price'", f"{told} 'price'"]
    house.check_sums()
    assert house.prices("h4", "h5", "h6") == houses()["price"][4:7].tolist()
    # Mended to what came first, a row brings nothing; under a key of its own it comes in.
    mended = sheet.assign(id=["h4", "h5b", "h6"], size=[str(houses()["size"][4]), *sheet["size"][1:]])
    told = house.ingest("mended.csv", mended)
    assert (
        "1 row that was set aside is taken in; 2 rows are still set aside, the first on line 2 of mended.csv: its key came before" in told
    )
    house.check_sums()
    assert house.prices("h5b", "h6") == [11.0, houses()["price"][6]]
    assert "with the same values; take it out of the sheet" in house.ingest("mended.csv", mended, code=3)


def test_of_rows_of_one_key_in_a_batch_the_first_stands_that_is_not_set_aside_for_itself(house: House) -> None:
    house.begin(POSITIVE)
    rows = pd.concat([houses(10), houses(10).iloc[[2, 3, 4, 5, 5]]], ignore_index=True)
    rows.loc[3, "size"], rows.loc[4, "price"], rows.loc[14, "rooms"] = -1, None, 99
    told = house.ingest("first.csv", rows)
    assert "15 read = 10 labelled + 0 unlabelled + 2 quarantined + 3 known" in told
    assert house.reasons() == [SAME_KEY]
    assert house.sheet()["_line"].tolist() == ["5", "16"]
    assert house.sheet()["_reasons"].tolist()[1] == "its key came before with other values in column 'rooms'"
    assert sorted(house.rows()["id"]) == sorted(houses(10)["id"])
    assert house.prices("h3", "h4", "h5") == houses()["price"][3:6].tolist()
    house.check_sums()


def test_a_known_row_brings_its_label_late(house: House) -> None:
    house.begin()
    house.ingest("day1.csv", houses().assign(price=lambda df: df["price"].where(df.index >= 3)))
    assert house.prices("h0", "h2", "h3") == [-1, -1, houses()["price"][3]]
    told = house.ingest("day2.csv", houses())
    assert f"{ROWS} read = 0 labelled + 0 unlabelled + 0 quarantined + {ROWS} known" in told
    assert house.reasons() == [f"3 {LATE}"]
    assert house.prices("h0", "h2") == houses()["price"][[0, 2]].tolist()
    assert "nothing was done" in house.ingest("day3.csv", houses().iloc[::-1])
    assert "nothing was done" in house.ingest("day4.csv", houses().drop(columns="price").head(9))
    house.check_sums()


DEAR = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "price", "max_value": 1000, "mostly": 0.5}}


def test_late_labels_that_fail_are_set_aside_with_their_rows_and_come_in_mended(house: House) -> None:
    house.begin(DEAR)
    house.ingest("day1.csv", houses().drop(columns="price"))
    told = house.ingest("dear.csv", houses().assign(price=5000.0 + houses()["price"]), code=3)
    assert "dear.csv is refused: houses.json: 'price': column values to be between" in told
    told = house.ingest("day2.csv", houses().assign(price=lambda df: df["price"].where(df.index > 1, 5000.0)))
    assert f"{ROWS} read = 0 labelled + 0 unlabelled + 2 quarantined + {ROWS - 2} known" in told
    assert house.reasons() == [f"{ROWS - 2} {LATE}"]
    assert house.prices("h0", "h1", "h2") == [-1, -1, houses()["price"][2]]
    sheet = house.sheet()
    assert (sheet["id"].tolist(), sheet["_line"].tolist()) == (["h0", "h1"], ["2", "3"])
    assert "'price': column values to be between" in sheet["_reasons"][0]
    house.check_sums()
    prices = [str(price) for price in houses()["price"][:2]]
    assert "1 row is still set aside" in house.ingest("half.csv", sheet.assign(price=[prices[0], "5000"]))
    assert "1 had been mended before" in house.ingest("mended.csv", sheet.assign(price=prices))
    one, other = (entry.digest[:8] for entry in house.entries()[-2:])
    for row, batch in enumerate((one, other)):
        assert f"as batch {batch}; nothing was done" in house.ingest("again.csv", sheet[row : row + 1].assign(price=prices[row]))
    assert house.prices("h0", "h1") == houses()["price"][:2].tolist()
    assert house.check_sums() == {"read": 2 * ROWS, "labelled": 0, "unlabelled": ROWS, "quarantined": 0, "known": ROWS}


@pytest.mark.parametrize("are_alone", [False, True])
def test_a_unit_fault_in_late_labels_holds_them_until_a_person_accepts_it(house: House, *, are_alone: bool) -> None:
    house.begin()
    house.ingest("day1.csv", houses(200).assign(price=lambda df: df["price"].where(df.index < 100)))
    late = houses(200).iloc[100:].assign(price=lambda df: df["price"] * 1000)
    late, flags = (late[["id", "price"]], ["--labels"]) if are_alone else (late, [])
    told = house.ingest("late.csv", late, *flags, code=3)
    assert "'price' came as 1,000 times its values" in told
    assert house.prices("h100") == [-1]
    told = house.accept("prices are in pence now")
    assert f"{100} " in told
    assert house.prices("h100") == [houses(200)["price"][100] * 1000]
    house.check_sums()


def test_labels_of_new_rows_are_looked_at_as_late_ones_are(house: House) -> None:
    house.begin()
    house.ingest("day1.csv", houses(200).head(100))
    told = house.ingest("day2.csv", houses(200).tail(100).assign(price=lambda df: df["price"] * 1000), code=3)
    assert "'price' came as 1,000 times its values" in told


def test_a_column_that_does_not_name_one_row_is_no_key(house: House) -> None:
    devices = houses().assign(id=lambda df: "d" + (df.index % 3).astype(str), day=lambda df: (df.index // 3).astype(str))
    house.begin()
    told = house.ingest("devices.csv", devices, code=3)
    assert f"{ROWS - 3} of {ROWS} rows have a key that another row has with other values: 'id' names more than one row" in told
    assert "name in key: all columns that do so together, and another use case where its lake was begun already" in told
    house.begin(key=["id", "day"])
    house.ingest("devices.csv", devices)
    assert "nothing was done" in house.ingest("again.csv", devices.iloc[::-1])
    assert house.check_sums()["labelled"] == ROWS


def test_a_table_grows_under_one_name_where_a_key_tells_its_rows_apart(house: House) -> None:
    house.begin()
    house.ingest("sales.csv", houses(ROWS))
    told = house.ingest("sales.csv", houses(ROWS + 9))
    assert f"{ROWS + 9} read = 9 labelled + 0 unlabelled + 0 quarantined + {ROWS} known" in told
    assert "nothing was done" in house.ingest("sales.csv", houses(ROWS + 9))


@pytest.mark.parametrize(
    ("rows", "column", "told"),
    [
        (ROWS, "size", "have a key that came before with other values in 'size'; mend the source; rows cannot be changed in a lake"),
        (ROWS + 5, "price", "bring another 'price' than the one that came under their key; to correct it, deliver 'id' and 'price'"),
    ],
)
def test_a_column_that_differs_in_most_rows_is_named_and_the_key_is_not_blamed(house: House, rows: int, column: str, told: str) -> None:
    house.begin()
    house.ingest("day1.csv", houses())
    again = houses(rows).assign(**{column: lambda df: df[column] * 1000})
    assert f"{ROWS} of {rows} rows {told}" in house.ingest("day2.csv", again, code=3)


def test_of_a_table_that_restates_a_column_a_person_takes_the_new_rows(house: House) -> None:
    house.begin()
    house.ingest("day1.csv", houses())
    restated = houses(ROWS + 5).assign(size=lambda df: df["size"] + 7)
    told = house.ingest("day2.csv", restated, code=3)
    assert f"{ROWS} of {ROWS + 5} rows have a key that came before with other values in 'size'; mend the source, or accepted," in told
    assert f"5 labelled + 0 unlabelled + {ROWS} quarantined" in house.accept("sizes are measured anew")
    pd.testing.assert_frame_equal(house.rows()[["id", "size"]], pd.concat([houses(), restated[ROWS:]])[["id", "size"]], check_exact=True)
    house.check_sums()


COLUMNS = {"type": "expect_table_columns_to_match_set", "kwargs": {"column_set": [*houses().columns]}}
ROOMS = (
    {"type": "expect_column_values_to_be_between", "kwargs": {"column": "rooms", "min_value": 1}},
    {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "rooms"}, "severity": "warning", "meta": {"quarantine": True}},
)


def test_columns_that_a_person_has_accepted_hold_no_more(house: House) -> None:
    house.begin(COLUMNS, *ROOMS)
    house.ingest("day1.csv", houses(30))
    others = houses(300).drop(columns="rooms").assign(yard=1.5)
    told = house.ingest("day2.csv", others[30:60], code=3)
    assert "houses.json: table columns to match set: unexpected 'yard'; missing 'rooms'" in told
    house.accept("yards are measured now, and rooms no more")
    house.ingest("day3.csv", others[60:90].astype({"size": "str"}).assign(size=lambda df: df["size"].where(df.index != 64, "many")))
    assert "mends batch" in house.ingest("mended.csv", house.sheet().assign(size="70"))
    house.ingest("day4.csv", houses(300)[90:120])  # as at first; what is back is judged again
    told = house.ingest("day5.csv", houses(300)[120:150].assign(rooms=0), code=3)
    assert "'rooms': column values to be between" in told
    assert "table columns to match set" in house.ingest("day6.csv", others[150:180], code=3)


def test_no_acceptance_is_offered_that_cannot_succeed(house: House) -> None:
    house.begin()
    house.ingest("day1.csv", houses())
    told = house.ingest("day2.csv", houses(60)[40:].assign(size="large"), code=3)
    assert "'size' holds text now, and held numbers; nor can it be accepted: column 'size', row 1: 'large' is no number" in told
    assert "--accept" not in told
    done = house.clerk.run("ingest", "--use-case", "houses", "--accept", "a", "--because", "x")
    assert "waiting are: none" in done.stderr


def test_a_growing_table_is_as_long_as_it_was(house: House) -> None:
    house.begin()
    house.ingest("sales.csv", houses(300))
    house.ingest("sales.csv", houses(306))
    house.ingest("sales.csv", houses(312))
    assert house.reasons() == []
    house.ingest("sales.csv", pd.concat([houses(70), houses(330)[312:]]))
    assert house.reasons() == ["88 rows came, where 300 to 312 came before; look whether the batch was cut off"]


def test_a_few_corrections_are_set_aside_however_small_their_file(house: House) -> None:
    house.begin()
    house.ingest("day1.csv", houses())
    told = house.ingest("mended.csv", houses(3).assign(size=[99.9, 88.8, 77.7]))
    assert "3 read = 0 labelled + 0 unlabelled + 3 quarantined" in told
    assert house.sheet()["_reasons"].unique().tolist() == ["its key came before with other values in column 'size'"]
    house.check_sums()


def test_rows_that_come_again_without_a_column_are_known_by_the_others(house: House) -> None:
    house.begin()
    house.ingest("day1.csv", houses())
    assert "nothing was done" in house.ingest("day2.csv", houses().drop(columns="rooms"))
    told = house.ingest("day3.csv", houses(ROWS + 30).drop(columns="rooms"), code=3)
    assert "column 'rooms' is missing; accepted, the batch is taken with it empty" in told
    house.accept("the source counts no rooms any more")
    told = house.ingest("day4.csv", houses(ROWS + 60).drop(columns="rooms"))
    assert f"{ROWS + 60} read = 30 labelled + 0 unlabelled + 0 quarantined + {ROWS + 30} known" in told
    assert house.rows()["rooms"].isna().sum() == 60
    house.check_sums()


@pytest.mark.parametrize("is_rounded_first", [True, False])
def test_numbers_of_32_bits_are_those_that_they_were_rounded_from(house: House, *, is_rounded_first: bool) -> None:
    house.begin()
    columns = ["size", "price"]
    rounded = houses().assign(**houses()[columns].astype("float32").astype("float64"))
    first, then = (rounded, houses(ROWS + 2)) if is_rounded_first else (houses(), rounded)
    house.ingest("day1.csv", first)
    again = then.assign(size=lambda df: df["size"].where(df.index != 3, 77.5))
    told = house.ingest("day2.csv", again)
    assert f"1 quarantined + {ROWS - 1} known" in told
    assert house.sheet()["id"].tolist() == ["h3"]


def test_without_a_key_equal_rows_are_rows_of_their_own(house: House) -> None:
    house.begin(key=[])
    house.ingest("day1.csv", pd.concat([houses(), houses(3)]))
    told = house.ingest("day1.csv", houses(9), code=3)
    assert "with other content" in told
    assert "give this file a name of its own; a table that grows under one name needs a use case with key:" in told
    house.ingest("day2.csv", houses(9))
    assert house.check_sums() == {"read": ROWS + 12, "labelled": ROWS + 12, "unlabelled": 0, "quarantined": 0, "known": 0}


def test_rows_that_are_mended_to_one_key_do_not_both_come_in(house: House) -> None:
    house.begin(POSITIVE)
    rows = houses()
    rows.loc[[7, 8], "size"] = -5.0
    house.ingest("first.csv", rows)
    told = house.ingest("mended.csv", house.sheet().assign(size="70", id="h7"))
    assert "1 row that was set aside is taken in; 1 row is still set aside, the first on line 3 of mended.csv: its key came before" in told
    assert (len(house.rows()), house.check_sums()["quarantined"]) == (ROWS - 1, 1)


def test_personal_keys_stand_in_no_message(house: House) -> None:
    house.begin(pii=["id", "size"])
    house.ingest("day1.csv", houses())
    again = houses()
    again.loc[4, "size"] = 99.97
    told = house.ingest("day2.csv", again)
    pages = [path.read_text(encoding="utf-8") for path in (house.home / "reports" / "houses" / "batches").iterdir()]
    assert house.reasons()[-1] == SAME_KEY
    assert house.sheet()["_reasons"].tolist() == ["its key came before with other values in column 'size'"]
    assert not [text for text in (told, *pages) if "99.97" in text or "h4" in text]


# ---------------------------------------------------------------------------------------------------------------- labels


def labels(start: int, stop: int, more: float = 0.0) -> pd.DataFrame:
    return houses().iloc[start:stop].assign(price=lambda df: df["price"] + more)[["id", "price"]]


def test_labels_that_do_not_fit_are_set_aside_and_come_in_mended_once(house: House) -> None:
    house.begin()
    house.ingest("rows.csv", houses().drop(columns="price"))
    some = labels(0, 10).astype({"price": "str"})
    some.loc[[3, 6], "id"], some.loc[5, "price"] = None, "many"
    told = house.ingest("labels.csv", some, "--labels")
    assert "10 read = 7 labelled + 0 unlabelled + 3 quarantined" in told
    assert "to mend" in told
    sheet = house.sheet()
    assert sheet["_line"].tolist() == ["5", "8", "7"]
    assert sheet["_reasons"].tolist()[:2] == ["'id' is empty, and it names the row"] * 2
    assert [(a.labels, a.labels_quarantined) for a in house.lake.batches() if a.labels] == [(7, 3)]
    assert house.check_sums()["quarantined"] == 0  # of rows
    half = sheet.assign(id=["h3", "", "h5"], price=[sheet["price"][0], sheet["price"][1], str(houses()["price"][5])])
    told = house.ingest("half.csv", half, "--labels")
    assert "2 rows that were set aside are taken in; 1 row is still set aside, the first on line 3 of half.csv: 'id' is empty" in told
    told = house.ingest("all.csv", half.assign(id=["h3", "h6", "h5"], price=lambda df: df["price"]), "--labels")
    assert "1 row that was set aside is taken in; 2 had been mended before" in told
    assert "nothing was done" in house.ingest("all.csv", half.assign(id=["h3", "h6", "h5"]))
    assert house.prices(*labels(0, 10)["id"]) == labels(0, 10)["price"].tolist()
    assert [a.labels_quarantined for a in house.lake.batches() if a.labels_quarantined] == []
    counts = json.loads(house.clerk.run("ingest", "labels.csv", "--labels", "--use-case", "houses", "--json").stdout)["batches"][0]
    assert (counts["outcome"], house.lake.count_labels().total) == ("known", 10)


def test_labels_alone_are_judged_by_what_the_suite_asks_of_them(house: House) -> None:
    house.begin(DEAR, POSITIVE, {"type": "expect_table_columns_to_match_set", "kwargs": {"column_set": [*houses().columns]}})
    house.ingest("rows.csv", houses().drop(columns="price"))
    some = labels(0, 10)
    some.loc[[3, 6], "price"] = 5000.0
    told = house.ingest("labels.csv", some, "--labels")
    assert "10 read = 8 labelled + 0 unlabelled + 2 quarantined" in told
    sheet = house.sheet()
    assert (sheet["id"].tolist(), sheet["_line"].tolist()) == (["h3", "h6"], ["5", "8"])
    assert "'price': column values to be between" in sheet["_reasons"][0]
    told = house.ingest("mended.csv", sheet.assign(price=["700", "5000"]))
    assert "1 row is still set aside, the first on line 3 of mended.csv: 'price': column values to be between" in told
    assert house.prices("h3", "h6") == [700, -1]
    told = house.ingest("most.csv", labels(10, 20, 5000.0), "--labels", code=3)
    assert "most.csv is refused: houses.json: 'price': column values to be between" in told
    house.accept("prices rose")
    assert house.prices("h10") == [labels(10, 11, 5000.0)["price"].item()]


def test_labels_that_burst_into_nothing_are_held(house: House) -> None:
    house.begin()
    house.ingest("rows.csv", houses(300).drop(columns="price"))

    def some(start: int, stop: int) -> pd.DataFrame:
        return houses(300)[["id", "price"]].iloc[start:stop]

    house.ingest("one.csv", some(0, 100), "--labels")
    empty = some(100, 200).assign(price=lambda df: df["price"].where(df.index % 2 == 0))
    assert "'price' has no value in 50 of 100 rows (50.0%)" in house.ingest("two.csv", empty, "--labels", code=3)
    assert "100 read = 50 labelled + 50 unlabelled" in house.accept("half of the deals are open")


def test_a_label_without_a_row_labels_none(house: House) -> None:
    house.begin()
    house.ingest("rows.csv", houses().drop(columns="price"))
    some = labels(0, 5).assign(id=lambda df: df["id"].where(df.index < 3, "h900"))
    assert "5 read = 3 labelled + 2 unlabelled + 0 quarantined" in house.ingest("labels.csv", some, "--labels")
    assert house.reasons()[1] == "labels of this batch that name no row: 'h900'; they count as soon as their rows come"


def test_other_columns_than_key_and_label_are_left_out_of_labels_and_told(house: House) -> None:
    house.begin()
    house.ingest("rows.csv", houses().drop(columns="price"))
    some = houses(5).assign(size="large")
    house.ingest("labels.csv", some, "--labels")
    assert house.reasons()[1:] == ["left out of what came with the labels: 'size', 'rooms'; they are taken from 'id', 'price' alone"]
    assert house.prices(*some["id"]) == some["price"].tolist()
    house.ingest("newer.csv", labels(0, 4, 2.0), "--labels")
    assert "for 4 of its keys another label came by now" in house.ingest("labels.csv", some, "--labels")
    assert "missing: price; new: size" in house.ingest("rows.csv", houses(5).drop(columns="price"), "--labels", code=3)


def test_labels_of_which_none_can_be_kept_are_refused(house: House) -> None:
    house.begin()
    house.ingest("rows.csv", houses().drop(columns="price"))
    told = house.ingest("labels.csv", labels(0, 4).assign(id=None), "--labels", code=3)
    assert "none of these labels can be kept, the first on line 2 because 'id' is empty, and it names the row" in told
    told = house.ingest("empty.csv", labels(0, 4).assign(price=None), "--labels", code=3)
    assert "none of these labels can be kept, the first on line 2 because 'price' is empty" in told


def test_labels_that_hold_no_more_can_be_set_again_under_another_name(house: House) -> None:
    house.begin()
    house.ingest("rows.csv", houses())
    one, two = labels(0, 5, 1.0), labels(0, 4, 2.0)
    house.ingest("one.csv", one, "--labels")
    assert "nothing was done" in house.ingest("same.csv", one, "--labels")
    house.ingest("two.csv", two, "--labels")
    told = house.ingest("one.csv", one, "--labels")
    assert (
        "nothing was done; for 4 of its keys another label came by now, and to set these again, deliver the file under another name" in told
    )
    assert house.prices(*two["id"]) == two["price"].tolist()
    assert "5 labelled" in house.ingest("one-again.csv", one, "--labels")
    assert house.prices(*one["id"]) == one["price"].tolist()
    assert "nothing was done" in house.ingest("one-again.csv", one, "--labels")
    house.ingest("two-again.csv", two, "--labels")
    told = house.ingest("one-again.csv", one, "--labels")
    assert "nothing was done; for 4 of its keys another label came by now" in told
    assert house.prices(*two["id"]) == two["price"].tolist()


def test_the_label_that_was_observed_last_holds_whatever_came_last(house: House) -> None:
    house.begin()
    house.ingest("rows.csv", houses().drop(columns="price"))
    days = ["2024-03-05", "2024-03-05", "2024-03-05", "2062-01-01"]
    told = house.ingest("new.csv", labels(0, 4, 2.0).assign(observed_at=days), "--labels")
    assert "4 read = 3 labelled + 0 unlabelled + 1 quarantined" in told
    assert house.sheet()["_reasons"].tolist() == ["'observed_at' is never in the future"]
    old = labels(0, 5, 1.0).assign(observed_at=["2024-03-01", "2024-03-05", "2024-03-09", "2024-03-01", "2024-03-01"])
    house.ingest("old.csv", old, "--labels")
    assert house.prices(*old["id"]) == labels(0, 1, 2.0)["price"].tolist() + labels(1, 5, 1.0)["price"].tolist()
    assert house.reasons()[-1] == "for 1 of these keys a label holds that was observed later"
    assert "nothing was done; for 1 of its keys another label was observed later" in house.ingest("other.csv", old, "--labels")
    house.ingest("undated.csv", labels(0, 1, 3.0), "--labels")  # observed when it arrived
    assert house.prices("h0") == labels(0, 1, 3.0)["price"].tolist()


# ----------------------------------------------------------------------------------------------------------------- kills


def test_what_a_killed_run_took_in_is_in_whatever_the_suite_says_by_now(house: House) -> None:
    house.begin(POSITIVE)
    rows = houses()
    rows.loc[[7, 8], "size"] = -5.0
    house.ingest("first.csv", rows)
    before, sheet = house.rows(), house.sheet()
    # As a kill right after the commit of the lake leaves it.
    with closing(sqlite3.connect(house.home / "ledger.db")) as connection, connection:
        connection.execute("DELETE FROM batch")
    for path in [*(house.home / "quarantine" / "houses").iterdir(), *(house.home / "reports" / "houses" / "batches").iterdir()]:
        path.unlink()
    house.begin({**POSITIVE, "kwargs": {"column": "size", "min_value": 100, "mostly": 1}})
    told = house.ingest("first.csv", rows)
    assert f"{ROWS} read = {ROWS - 2} labelled + 0 unlabelled + 2 quarantined" in told
    pd.testing.assert_frame_equal(house.rows(), before, check_exact=True)
    pd.testing.assert_frame_equal(house.sheet(), sheet)
    house.check_sums()
    (page,) = (house.home / "reports" / "houses" / "batches").glob("*.html")
    assert "a run that was cut off had taken it in" in page.read_text(encoding="utf-8")
    assert "nothing was done" in house.ingest("first.csv", rows)
    house.begin(POSITIVE)
    assert "2 rows that were set aside are taken in" in house.ingest("mended.csv", house.sheet().assign(size="70"))
    assert house.check_sums()["quarantined"] == 0
