from __future__ import annotations

from dataclasses import replace

from tasks.core.champions import Epoch
from tasks.core.decisions import Entry
from tasks.core.standing import chain_problems

WHEN = "2024-03-03T14:00:00+00:00"
LINE = [Epoch("wine", number, version, "run", "better", "", WHEN, {}) for number, version in enumerate((1, 2, 1), 1)]


def chain(*crowned: int) -> list[Entry]:
    entries: list[Entry] = []
    for version in crowned:
        entries.append(Entry("wine", "promote", version, "better", "", "eva@lab", WHEN).after(entries[-1] if entries else None))
    return entries


def test_champions_are_those_that_decisions_made_but_for_those_of_older_homes() -> None:
    for decisions in ((1, 2, 1), (2, 1), (1,), ()):
        assert chain_problems(chain(*decisions), LINE) == []


def test_a_champion_that_no_decision_made_shows() -> None:
    told = "version 3 is champion, and no decision made it one; restore the ledger from a backup"
    assert chain_problems(chain(1, 2, 1), [*LINE, replace(LINE[0], epoch=4, version=3)]) == [told]


def test_champions_that_were_exchanged_or_are_gone_show() -> None:
    told = "the champions of the ledger are not those that its decisions made; restore the ledger from a backup"
    for line in (LINE[:2], [LINE[0], LINE[0], LINE[2]], []):
        assert chain_problems(chain(1, 2, 1), line) == [told]
