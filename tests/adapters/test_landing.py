from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tasks.adapters import landing, ledger
from tasks.core.deliveries import BatchEntry, BatchRows, Delivery
from tasks.core.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

ENTRY = BatchEntry(
    "houses", "ab" * 32, "ingested", "ä.csv", "rows", BatchRows(read=2, labelled=2), ("it's told",), "ann@host", "2026-01-02T03:04:05+00:00"
)


def test_what_lies_in_incoming_arrives_by_name_without_what_is_hidden_or_unfinished(tmp_path: Path) -> None:
    assert list(landing.arrived(tmp_path / "land")) == []
    for name in ("b.csv", "a.csv", ".hidden", "c.csv.part"):
        (tmp_path / "land" / "incoming" / name).write_text("x")
    assert [delivery.name for delivery in landing.arrived(tmp_path / "land")] == ["a.csv", "b.csv"]


def test_what_is_put_away_keeps_its_name_unless_that_is_taken_and_its_reason_stands_beside_it(tmp_path: Path) -> None:
    for content in ("1", "2"):
        list(landing.arrived(tmp_path))
        (tmp_path / "incoming" / "a.csv").write_text(content)
        (delivery,) = map(landing.as_it_is, landing.arrived(tmp_path))
        landing.put_away(delivery, "refused", f"reason {content}")
    found = {path.name: path.read_text() for path in (tmp_path / "refused").iterdir()}
    assert found == {"a.csv": "1", "a.csv.reason.txt": "reason 1\n", "a-2.csv": "2", "a-2.csv.reason.txt": "reason 2\n"}
    assert list(landing.arrived(tmp_path)) == []


def test_what_a_person_named_stays_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1")
    landing.put_away(Delivery("a.csv", str(tmp_path / "a.csv")), "done")
    assert (tmp_path / "a.csv").exists()


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    assert landing.head_of(str(tmp_path / "pipe.csv")) == b""


def test_a_landing_folder_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "land").write_text("")
    with pytest.raises(UsageError, match=r"^the landing folder '.*land' cannot be used: "):
        list(landing.arrived(tmp_path / "land"))


def test_decisions_on_batches_are_kept_in_their_order_and_each_once(tmp_path: Path) -> None:
    from dataclasses import replace

    address = f"sqlite:///{tmp_path / 'ledger.db'}"
    ledger.create(address)
    held = replace(ENTRY, decision="held", staged="x.parquet")
    accepted = replace(ENTRY, decision="accepted", because="it is right")
    assert [ledger.record(address, entry) for entry in (held, accepted, held)] == [True, True, False]
    assert ledger.record(address, replace(held, use_case="flats"))
    assert ledger.batches(address, "houses") == [held, accepted]
