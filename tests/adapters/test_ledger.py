from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine, event

from tasks.adapters import ledger
from tasks.core.champions import Epoch
from tasks.core.decisions import Entry, broken_link
from tasks.core.deliveries import BatchEntry, BatchRows
from tasks.core.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

FIRST = Epoch(
    use_case="wine",
    epoch=1,
    version=3,
    run_id="4d34c279911949969f48c3185921c118",
    code="first_champion",
    reason="first version; loss −81.2 % against the dummy, ± 4.0 %",
    decided_at="2024-03-03T14:00:00+00:00",
    manifest={"model.skops": "6198d8", "MLmodel": "137df6"},
)
EPOCHS = 10
# Loads everything first, waits for the word that all get at once, and then tries to take each epoch.
RACER = """
import sys
from dataclasses import replace
import sqlalchemy
from tasks.adapters import ledger
from tasks.core.champions import Epoch
from tasks.core.decisions import Entry
epoch = Epoch("wine", 0, int(sys.argv[2]), "run", "not_worse", "", "2024-03-03T14:00:00+00:00", {})
entry = Entry("wine", "promote", int(sys.argv[2]), "not_worse", "", "eva@lab", "2024-03-03T14:00:00+00:00")
ledger.line_of_champions(sys.argv[1], "wine")
print("ready", flush=True)
sys.stdin.readline()
print(*[n for n in range(1, int(sys.argv[3]) + 1) if ledger.crown(sys.argv[1], replace(epoch, epoch=n), entry)])
"""


@pytest.fixture
def address(tmp_path: Path) -> str:
    address = f"sqlite:///{tmp_path / 'ledger.db'}"
    ledger.create(address)
    return address


@pytest.fixture
def impatient() -> Generator[None]:
    """Shorten the minute that SQLite waits for a lock."""

    def shorten(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA busy_timeout = 50")

    event.listen(Engine, "connect", shorten)
    yield
    event.remove(Engine, "connect", shorten)


def refusal(address: str) -> str:
    with pytest.raises(StoreError) as refused:
        ledger.line_of_champions(address, "wine")
    assert refused.value.where == "ledger"
    assert "\n" not in refused.value.message
    return refused.value.message


def test_rows_that_come_with_a_champion_are_written_with_it_or_not_at_all(address: str) -> None:
    came_back = Entry("wine", "rollback", 3, "rollback", "why", "eva@lab", FIRST.decided_at)
    assert ledger.last_row(address, "wine") is None
    assert ledger.crown(address, FIRST, came_back, replace(came_back, kind="hold"))
    assert not ledger.crown(address, replace(FIRST, version=4), came_back, replace(came_back, kind="hold"))
    entries = ledger.decisions(address, "wine")
    assert [(entry.number, entry.kind) for entry in entries] == [(1, "rollback"), (2, "hold")]
    assert broken_link(entries) is None
    assert ledger.last_row(address, "wine") == entries[-1]


def crown(address: str, epoch: Epoch) -> bool:
    entry = Entry(epoch.use_case, "promote", epoch.version, epoch.code, epoch.reason, "eva@lab", epoch.decided_at, inputs={"gate": 1})
    return ledger.crown(address, epoch, entry)


def test_a_new_ledger_has_no_champions(address: str) -> None:
    assert ledger.line_of_champions(address, "wine") == []


def test_an_epoch_comes_back_as_it_was_written(address: str) -> None:
    assert crown(address, FIRST)
    assert ledger.line_of_champions(address, "wine") == [FIRST]


def test_champions_stand_in_the_order_of_their_epochs(address: str) -> None:
    for number in (2, 10, 1):
        assert crown(address, replace(FIRST, epoch=number))
    assert [epoch.epoch for epoch in ledger.line_of_champions(address, "wine")] == [1, 2, 10]


def test_an_epoch_is_taken_once(address: str) -> None:
    assert crown(address, FIRST)
    assert not crown(address, replace(FIRST, version=4))
    assert ledger.line_of_champions(address, "wine") == [FIRST]


def test_decisions_are_chained_in_their_order_and_come_back_as_they_were(address: str) -> None:
    draft = Entry(
        "wine", "gate", 3, "better", "−5 %", "eva@lab", "2024-03-03T14:00:00+00:00", inputs={"rows": {"gate": 88}, "é": [0.1, None]}
    )
    first, second = ledger.decide(address, draft), ledger.decide(address, replace(draft, kind="reject", because="it looks odd"))
    other = ledger.decide(address, replace(draft, use_case="diabetes"))
    assert (first.number, second.number, other.number, second.previous) == (1, 2, 1, first.digest)
    assert ledger.decisions(address, "wine") == [first, second]
    assert broken_link([first, second]) is None


def test_one_decision_is_found_by_its_place_or_as_the_last_of_its_kind(address: str) -> None:
    draft = Entry("wine", "gate", 3, "better", "", "eva@lab", "2024-03-03T14:00:00+00:00")
    rows = [
        ledger.decide(address, replace(draft, kind=kind, version=version)) for kind, version in (("gate", 3), ("reject", 3), ("gate", 4))
    ]
    ledger.decide(address, replace(draft, use_case="diabetes", kind="release"))
    assert [ledger.decision_at(address, "wine", number) for number in (1, 2, 3, 4)] == [*rows, None]
    assert ledger.last_decision(address, "wine", ("gate", "reject")) == rows[2]
    assert ledger.last_decision(address, "wine", ("gate", "reject"), 3) == rows[1]
    assert ledger.last_decision(address, "wine", ("release",)) is None


def test_all_decisions_of_some_kinds_are_found_without_the_others(address: str) -> None:
    for kind, version in (("train", 0), ("gate", 1), ("promote", 1), ("monitor", 1), ("gate", 2)):
        ledger.decide(address, Entry("wine", kind, version, "", "", "eva@lab", "2024-03-03T14:00:00+00:00"))
    assert [(entry.number, entry.kind) for entry in ledger.decisions(address, "wine", ("gate", "reject"))] == [(2, "gate"), (5, "gate")]


def test_who_comes_too_late_for_an_epoch_leaves_no_decision(address: str) -> None:
    assert crown(address, FIRST)
    assert not crown(address, replace(FIRST, version=4))
    assert [entry.version for entry in ledger.decisions(address, "wine")] == [3]


def test_what_is_asked_for_begins_once_whoever_comes_and_again_where_it_was_given_up(address: str) -> None:
    asked = Entry("wine", "trigger", 0, "3-7", "", "eva@lab", "2024-03-03T14:00:00+00:00")
    with ThreadPoolExecutor(8) as pool:
        begun = list(pool.map(lambda _: ledger.claim(address, asked, lambda _: False), range(24)))
    assert sum(begun) == 1
    assert ledger.claim(address, replace(asked, code="3-8"), lambda _: False)
    assert ledger.claim(address, asked, lambda begun: begun.number == 1)
    assert [entry.code for entry in ledger.decisions_after(address, "wine", 1)] == ["3-8", "3-7"]
    assert [entry.number for entry in ledger.last_decisions(address, "wine", "trigger", 2)] == [2, 3]
    assert broken_link(ledger.decisions(address, "wine")) is None


def test_use_cases_do_not_see_each_other(address: str) -> None:
    assert crown(address, FIRST)
    assert crown(address, replace(FIRST, use_case="diabetes"))
    assert ledger.line_of_champions(address, "wine") == [FIRST]
    assert ledger.line_of_champions(address, "unheard-of") == []


def test_a_use_case_is_known_by_its_champion_or_by_its_batches(address: str) -> None:
    assert ledger.use_cases(address) == []
    ledger.record(address, BatchEntry("wine", "ab" * 32, "held", "a.csv", "rows", BatchRows(), (), "ann@host", "2026-01-02T03:04:05+00:00"))
    crown(address, replace(FIRST, use_case="houses"))
    crown(address, FIRST)
    assert ledger.use_cases(address) == ["houses", "wine"]


def test_creating_a_ledger_again_keeps_what_it_holds(address: str) -> None:
    crown(address, FIRST)
    ledger.create(address)
    assert ledger.line_of_champions(address, "wine") == [FIRST]


def test_an_older_ledger_is_given_the_columns_that_it_does_not_have(address: str, tmp_path: Path) -> None:
    entry = BatchEntry("wine", "ab" * 32, "held", "a.csv", "rows", BatchRows(), (), "ann@host", "2026-01-02T03:04:05+00:00")
    crown(address, FIRST)
    ledger.record(address, entry)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as older:
        older.execute("ALTER TABLE champion DROP COLUMN lake")
        older.execute("ALTER TABLE batch DROP COLUMN mends")
        older.commit()
    ledger.create(address)
    assert (ledger.line_of_champions(address, "wine"), ledger.batches(address, "wine")) == ([FIRST], [entry])
    assert ledger.record(address, replace(entry, decision="mended", mends="cd" * 32))


def test_of_eight_processes_that_race_for_an_epoch_one_wins(address: str) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, address, str(version), str(EPOCHS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for version in range(8)
    ]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    won = {version: [int(epoch) for epoch in racer.communicate()[0].split()] for version, racer in enumerate(racers)}
    assert [racer.returncode for racer in racers] == [0] * 8
    line = ledger.line_of_champions(address, "wine")
    assert [epoch.epoch for epoch in line] == list(range(1, EPOCHS + 1))
    entries = ledger.decisions(address, "wine")
    assert (broken_link(entries), [entry.version for entry in entries]) == (None, [epoch.version for epoch in line])
    assert sorted((epoch.epoch, epoch.version) for epoch in line) == sorted((n, version) for version, taken in won.items() for n in taken)


@pytest.mark.usefixtures("impatient")
def test_a_locked_ledger_is_told_in_one_sentence(address: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        told = "the ledger cannot be used: (sqlite3.OperationalError) database is locked; check EVERGREEN_LEDGER_URL and the home"
        assert refusal(address) == told
        with pytest.raises(StoreError, match="database is locked"):
            crown(address, FIRST)
    assert crown(address, FIRST)


def test_a_ledger_that_is_not_there_is_told_in_one_sentence(tmp_path: Path) -> None:
    assert "unable to open database file; check EVERGREEN_LEDGER_URL" in refusal(f"sqlite:///{tmp_path}/missing/ledger.db")
    assert "no such table: champion; check EVERGREEN_LEDGER_URL" in refusal(f"sqlite:///{tmp_path}/ledger.db")


def test_a_file_that_is_no_database_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("use_case,epoch\n" * 100, encoding="utf-8")
    assert "file is not a database" in refusal(f"sqlite:///{tmp_path}/ledger.db")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("ledger.db", "Could not parse SQLAlchemy URL"),
        ("oracel://ledger", "Can't load plugin: sqlalchemy.dialects:oracel"),
        ("postgresql://me:secret@host:port/ledger", "invalid literal for int() with base 10: 'port'"),
        ("mssql+pymssql://me:secret@host/ledger", "No module named 'pymssql'"),
    ],
)
def test_an_address_that_cannot_be_one_is_told_without_its_password(wrong: str, told: str) -> None:
    message = refusal(wrong)
    assert told in message
    assert "secret" not in message


def test_a_manifest_that_somebody_has_damaged_is_told_in_one_sentence(address: str, tmp_path: Path) -> None:
    crown(address, FIRST)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as other:
        other.execute("UPDATE champion SET manifest = 'gone'")
        other.commit()
    assert refusal(address).startswith("the ledger cannot be used: Expecting value")
