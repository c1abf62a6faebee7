"""What people and programs do to a landing folder: replace, break and nest what lies there, at any time, from two sides."""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import yaml
from deltalake import DeltaTable

from tasks.adapters import ledger
from tasks.adapters.lake import Lake

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Generator
    from pathlib import Path

    from conftest import Clerk, Desk

ROWS = 60


def rows(batch: int, count: int = ROWS) -> pd.DataFrame:
    """Simulate houses; their postal codes are text, some of them with leading zeros."""
    draw = np.random.default_rng(batch)
    size = draw.uniform(40, 140, count).round(1)
    table = {"id": [f"h{batch}-{n}" for n in range(count)], "zip": [f"{n % 30 + 1:05}" for n in range(count)], "size": size}
    return pd.DataFrame({**table, "price": (3 * size + draw.normal(0, 9, count)).round(1)})


def begin(clerk: Clerk, **values: object) -> Path:
    """Write a use case with a landing folder, and let its first batch come."""
    folder = clerk.desk.folder / "deployments" / "use_cases"
    folder.mkdir(parents=True)
    told = {"key": ["id"], "target": "price", "landing": "landing", **values}
    (folder / "houses.yaml").write_text(yaml.safe_dump(told), encoding="utf-8")
    rows(0).to_csv(clerk.desk.folder / "first.csv", index=False)
    ingest(clerk, "first.csv")
    incoming = clerk.desk.folder / "landing" / "incoming"
    incoming.mkdir(parents=True)
    return incoming


def ingest(clerk: Clerk, *arguments: str, code: int = 0) -> str:
    done = clerk.run("ingest", "--use-case", "houses", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def start(desk: Desk, *arguments: str) -> subprocess.Popen[str]:
    return desk.start("-m", "flows.ingest", "--use-case", "houses", "--no-record", *arguments)


def lake_of(desk: Desk) -> Lake:
    lake = Lake(str(desk.home / "lake"), "houses")
    return Lake(str(desk.home / "lake"), "houses", lake.begun_with())


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() or path.is_symlink())


@contextmanager
def no_decision_is_written(desk: Desk) -> Generator[None]:
    """Keep whoever decides on a batch waiting, after the lake has taken it and before the ledger has."""
    with sqlite3.connect(desk.home / "ledger.db", isolation_level=None) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")
    connection.close()


def test_what_replaces_a_file_while_it_is_taken_is_not_put_away_unread(clerk: Clerk, wait_for: Callable[..., None]) -> None:
    incoming = begin(clerk)
    rows(1).to_csv(incoming / "day.csv", index=False)
    rows(2).to_csv(clerk.desk.folder / "newer.csv", index=False)
    with no_decision_is_written(clerk.desk):
        process = start(clerk.desk)
        wait_for(lambda: len(lake_of(clerk.desk).batches()) == 2, "the lake has the first content")
        (clerk.desk.folder / "newer.csv").rename(incoming / "day.csv")
    _, told = process.communicate()
    assert (process.returncode, "day.csv is not what was read any more; it stays where it is" in told) == (0, True), told
    assert names(incoming.parent) == ["incoming/day.csv"]
    assert pd.read_csv(incoming / "day.csv", dtype={"zip": str}).equals(rows(2))
    assert "60 read = 60 labelled" in ingest(clerk)
    assert names(incoming.parent) == ["done/day.csv"]


def test_what_cannot_be_read_is_put_away_and_stops_nothing(clerk: Clerk) -> None:
    incoming = begin(clerk)
    (incoming / "a-link.csv").symlink_to("nowhere")
    (incoming / "b-empty").mkdir()
    (incoming / "c-deep" / "deeper").mkdir(parents=True)
    (incoming / "d-void.csv").touch()
    rows(2).to_csv(incoming / os.fsdecode(b"d\xff.csv"), index=False)
    rows(1).to_csv(incoming / "e.csv", index=False)
    told = ingest(clerk, code=3)
    refused = incoming.parent / "refused"
    reasons = {path.name: path.read_text(encoding="utf-8").replace(f"{incoming}/", "") for path in refused.glob("*.reason.txt")}
    assert reasons == {
        "a-link.csv.reason.txt": "'a-link.csv' is a link to 'nowhere', which does not exist\n",
        "b-empty.reason.txt": "'b-empty' is a folder without files\n",
        "c-deep.reason.txt": "'c-deep' holds folders (deeper); name one, or a glob such as 'c-deep/**/*.csv'\n",
        "d-void.csv.reason.txt": "d-void.csv is empty\n",
        "d\\xff.csv.reason.txt": "its name is not UTF-8; rename the file\n",
    }
    assert sorted(path.name for path in refused.iterdir()) == sorted([*reasons, *(name.removesuffix(".reason.txt") for name in reasons)])
    assert "6 deliveries for houses: 1 ingested, 5 refused" in told
    assert "e.csv is batch" in told
    assert names(incoming) == []
    assert len(lake_of(clerk.desk).batches()) == 2


def test_of_two_runs_at_once_the_slower_one_finds_nothing_to_complain_of(clerk: Clerk, wait_for: Callable[..., None]) -> None:
    incoming = begin(clerk)
    for n in (1, 2, 3):
        rows(n).to_csv(incoming / f"b{n}.csv", index=False)
    (incoming / "c.csv").touch()
    with no_decision_is_written(clerk.desk):
        both = [start(clerk.desk) for _ in range(2)]
        for process in both:
            assert process.stderr is not None
            while "taking b1.csv" not in process.stderr.readline():
                assert process.poll() is None
        wait_for(lambda: len(lake_of(clerk.desk).batches()) == 2, "the lake has the first batch")
    told = [process.communicate()[1] for process in both]
    assert {process.returncode for process in both} <= {0, 3}, told  # 3: who comes first refuses the empty file
    assert not any("there is no file" in text or "failed" in text for text in told), told
    assert names(incoming.parent) == ["done/b1.csv", "done/b2.csv", "done/b3.csv", "refused/c.csv", "refused/c.csv.reason.txt"]
    entries = ledger.batches(f"sqlite:///{clerk.desk.home / 'ledger.db'}", "houses")
    assert [entry.decision for entry in entries].count("ingested") == len(lake_of(clerk.desk).batches()) == 4


def test_labels_lie_in_a_folder_of_their_own(clerk: Clerk) -> None:
    incoming = begin(clerk)
    rows(1).drop(columns="price").to_csv(incoming / "day.csv", index=False)
    (incoming / "labels").mkdir()
    rows(1)[["id", "price"]].to_csv(incoming / "labels" / "day.csv", index=False)
    told = ingest(clerk)
    assert "labels/day.csv is batch" in told
    assert names(incoming.parent) == ["done/day.csv", "done/labels/day.csv"]
    assert lake_of(clerk.desk).snapshot().labelled == 2 * ROWS


def test_labels_among_the_rows_are_told_where_they_belong(clerk: Clerk) -> None:
    incoming = begin(clerk)
    rows(1)[["id", "price"]].to_csv(incoming / "labels.csv", index=False)
    assert "labels.csv is refused: only labels came, without their rows; deliver them with --labels, or in incoming/" in ingest(
        clerk, code=3
    )


def test_labels_that_name_no_row_are_named_unless_their_key_is_personal(clerk: Clerk) -> None:
    begin(clerk)
    labels = rows(0)[["id", "price"]].head(4)
    use_case = clerk.desk.folder / "deployments" / "use_cases" / "houses.yaml"
    for name, pii, told in (("open", [], "'h0-0x', 'h0-1x'; they count as soon"), ("hidden", ["id"], "not shown: personal; they count")):
        use_case.write_text(yaml.safe_dump({"key": ["id"], "target": "price", "pii": pii}), encoding="utf-8")
        lost = labels["id"] + ["x", "x", "", ""]
        labels.assign(id=lost, price=len(pii)).to_csv(clerk.desk.folder / f"{name}.csv", index=False)
        ingest(clerk, f"{name}.csv", "--labels")
        (entry,) = [e for e in ledger.batches(f"sqlite:///{clerk.desk.home / 'ledger.db'}", "houses") if e.name == f"{name}.csv"]
        assert f"labels of this batch that name no row: {told}" in entry.reasons[-1]


def test_of_two_acceptances_at_once_one_stands_and_the_other_says_so(clerk: Clerk) -> None:
    begin(clerk)
    rows(1).assign(size=lambda df: df["size"] * 1000).to_csv(clerk.desk.folder / "feet.csv", index=False)
    ingest(clerk, "feet.csv", code=3)
    (held,) = [e for e in ledger.batches(f"sqlite:///{clerk.desk.home / 'ledger.db'}", "houses") if e.decision == "held"]
    with no_decision_is_written(clerk.desk):
        both = [start(clerk.desk, "--accept", held.digest[:8], "--because", f"{name} said so") for name in ("Ann", "Bob")]
        for process in both:
            assert process.stderr is not None
            while "taking feet.csv" not in process.stderr.readline():
                assert process.poll() is None
    told = sorted(process.communicate()[0] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert sum("feet.csv is known: accepted at" in text for text in told) == 1, told
    (accepted,) = [e for e in ledger.batches(f"sqlite:///{clerk.desk.home / 'ledger.db'}", "houses") if e.decision == "accepted"]
    (page,) = (clerk.desk.home / "reports" / "houses" / "batches").glob("*-accepted.html")
    assert accepted.because in page.read_text(encoding="utf-8")
    assert "was accepted at" in ingest(clerk, "--accept", held.digest[:8], "--because", "Eve", code=2)


def test_text_that_looks_like_numbers_comes_in_as_the_text_that_the_lake_keeps(clerk: Clerk) -> None:
    begin(clerk)
    digits = [f"{n + 10000}" for n in range(ROWS)]
    for batch, codes in enumerate((digits, ["4A000", *digits[1:]]), start=1):
        ids = [f"{batch}00{n}" for n in range(ROWS)]
        rows(batch).assign(zip=codes, id=ids).to_csv(clerk.desk.folder / f"{batch}.csv", index=False)
        assert f"{ROWS} read = {ROWS} labelled" in ingest(clerk, f"{batch}.csv")
    numbered = rows(7).assign(id=range(10**6, 10**6 + ROWS), zip=lambda df: df["zip"].astype("int64"))
    numbered.to_parquet(clerk.desk.folder / "typed.parquet")
    assert "column 'zip' comes as whole numbers; they were read as the text of their digits" in ingest(clerk, "typed.parquet")
    stored = lake_of(clerk.desk).read(lake_of(clerk.desk).snapshot())
    assert stored["zip"].tolist()[:2] == ["00001", "00002"]
    assert {"10000", "4A000", "7"} <= set(stored["zip"])
    assert str(10**6) in set(stored["id"])


def test_numbers_that_turn_out_to_be_text_are_held(clerk: Clerk) -> None:
    begin(clerk)
    rows(1).assign(size="large").to_csv(clerk.desk.folder / "words.csv", index=False)
    assert "'size' holds text now, and held numbers" in ingest(clerk, "words.csv", code=3)


def test_few_labels_are_read_by_what_is_known_of_their_columns(clerk: Clerk) -> None:
    begin(clerk)
    rows(1).drop(columns="price").assign(id=[str(n) for n in range(ROWS)]).to_csv(clerk.desk.folder / "day.csv", index=False)
    ingest(clerk, "day.csv")
    for row, observed in enumerate(["2026-03-01", "2026-03-01T11:30:00+01:00", "2026-03-01 10:30"]):
        (clerk.desk.folder / f"{row}.csv").write_text(f"id,price,observed_at\n{row},250.5,{observed}\n", encoding="utf-8")
        told = ingest(clerk, f"{row}.csv", "--labels")
        assert ("1 labelled" in told, "its times are taken as UTC" in told) == (True, row == 2)
    assert lake_of(clerk.desk).snapshot().labelled == ROWS + 3
    observed = DeltaTable(str(clerk.desk.home / "lake" / "houses" / "labels")).to_pyarrow_table()["observed_at"].to_pandas()
    assert sorted(observed.dropna().astype(str)) == ["2026-03-01 00:00:00+00:00", *["2026-03-01 10:30:00+00:00"] * 2]


@pytest.mark.parametrize("arguments", [(), ("--labels",)])
def test_what_lacks_its_key_is_told_as_that(clerk: Clerk, arguments: tuple[str, ...]) -> None:
    begin(clerk)
    rows(1).rename(columns={"id": "idd"}).to_csv(clerk.desk.folder / "day.csv", index=False)
    told = ingest(clerk, "day.csv", *arguments, code=3)
    assert "day.csv is refused: there is no column 'id', which names the rows of houses; did you mean 'idd'?" in told


def test_labels_alone_need_a_key(clerk: Clerk) -> None:
    begin(clerk, key=[])
    rows(1)[["id", "price"]].to_csv(clerk.desk.folder / "labels.csv", index=False)
    told = ingest(clerk, "labels.csv", "--labels", code=3)
    assert "labels that come alone find their rows by key:, and houses has none, nor can its lake get one later" in told


@pytest.mark.parametrize(
    ("arguments", "values", "sentence"),
    [
        (("--target", "size"), {}, "begun with target price, and now it is to be size; say the same, or begin another use case"),
        ((), {"key": ["zip"]}, "begun with key id, and now it is to be zip; say the same, or begin another use case"),
        ((), {"key": []}, "begun with key id, and now it is to be none; say the same, or begin another use case"),
        ((), {"target": "size"}, "begun with target price, and now it is to be size"),
    ],
)
def test_a_lake_keeps_to_what_it_was_begun_with_and_says_so(
    clerk: Clerk, arguments: tuple[str, ...], values: dict[str, object], sentence: str
) -> None:
    begin(clerk)
    path = clerk.desk.folder / "deployments" / "use_cases" / "houses.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text(encoding="utf-8")), **values}), encoding="utf-8")
    assert sentence in ingest(clerk, "first.csv", *arguments, code=2)
