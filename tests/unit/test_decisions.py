from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tasks.core.champions import Epoch
from tasks.core.decisions import Entry, Seal, after, broken_link, hold_of, looks_of, seal_problem, waiting_of
from tasks.core.looks import GateRows

if TYPE_CHECKING:
    from tasks.core.decisions import Kind

ROWS = GateRows.of(np.arange(10, dtype=np.uint64)).as_json()


def chain(*drafts: Entry) -> list[Entry]:
    entries: list[Entry] = []
    for draft in drafts:
        entries.append(draft.after(entries[-1] if entries else None))
    return entries


def entry(kind: Kind, version: int = 1, code: str = "not_worse", **inputs: object) -> Entry:
    return Entry("wine", kind, version, code, "why", "eva@lab", "2024-03-03T14:00:00+00:00", "", inputs)


LIFE = chain(entry("gate"), entry("promote"), entry("gate", 2), entry("promote", 2), entry("rollback", 1))


def test_a_chain_that_nobody_touched_holds() -> None:
    assert [each.number for each in LIFE] == [1, 2, 3, 4, 5]
    assert broken_link(LIFE) is None
    assert broken_link([]) is None


@pytest.mark.parametrize("change", [{"version": 9}, {"reason": "another"}, {"inputs": {"rows": 1}}, {"decided_at": "2023"}, {"who": "x"}])
def test_a_row_that_was_changed_is_found(change: dict[str, object]) -> None:
    assert broken_link([*LIFE[:2], replace(LIFE[2], **change), *LIFE[3:]]).number == 3


def test_a_row_that_was_changed_with_its_hash_breaks_the_next_link() -> None:
    changed = replace(LIFE[2], version=9)
    assert broken_link([*LIFE[:2], replace(changed, digest=changed.content_digest()), *LIFE[3:]]).number == 4


def test_a_row_that_was_taken_out_is_found() -> None:
    assert broken_link([*LIFE[:2], *LIFE[3:]]).number == 4
    assert broken_link(LIFE[1:]).number == 2


@pytest.mark.parametrize(
    ("kinds", "is_held"),
    [
        ((), False),
        (("gate", "promote"), False),
        (("promote", "rollback"), True),
        (("rollback", "gate"), True),
        (("rollback", "reject"), True),
        (("rollback", "release"), False),
        (("rollback", "approve"), False),
        (("rollback", "release", "rollback"), True),
        (("rollback", "hold"), True),
        (("rollback", "hold", "gate", "refuse"), True),
        (("rollback", "hold", "release"), False),
        (("rollback", "hold", "approve"), False),
    ],
)
def test_a_rollback_holds_until_a_person_ends_it(kinds: tuple[Kind, ...], is_held: bool) -> None:
    assert (hold_of(chain(*(entry(kind) for kind in kinds))) is not None) is is_held


def test_a_look_is_a_comparison_with_a_champion_that_predicts_something_else() -> None:
    compared = {"against_champion": {"version": 1}, "gate_rows": ROWS}
    first, refused = entry("gate", 1, "first_champion", gate_rows=ROWS), entry("gate", 2, **compared)
    identical, last = entry("gate", 3, "identical", **compared), entry("gate", 4, "better", **compared)
    entries = chain(first, refused, identical, entry("promote", 2), last)
    assert len(looks_of(entries)) == 2
    assert [len(looks_of(entries, challenger)) for challenger in (2, 4, 5)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("then", "waiting"),
    [
        ((), [3, 2]),
        ((("reject", 3),), [2]),
        ((("refuse", 3),), [3, 2]),
        ((("approve", 3),), []),
        ((("approve", 2),), [3]),
        ((("rollback", 1), ("hold", 1)), [3, 2]),
        ((("promote", 4),), []),
    ],
)
def test_a_version_waits_until_it_is_rejected_or_it_or_a_newer_one_is_champion(
    then: tuple[tuple[Kind, int], ...], waiting: list[int]
) -> None:
    first = chain(entry("gate"), entry("promote"), entry("gate", 2, "hold"), entry("gate", 3, "awaiting_approval"))
    entries = [*first, *after([entry(kind, version) for kind, version in then], first[-1])]
    assert broken_link(entries) is None
    assert [judged.version for judged in waiting_of(entries)] == waiting


FILES = {"model.skops": "aa"}
CHAMPION = Epoch("wine", 1, 1, "run", "not_worse", "why", "2024-03-03T14:00:00+00:00", FILES)
MADE = entry("promote", manifest=FILES).after(None)


def test_a_champion_that_names_the_row_that_made_it_one_has_no_problem() -> None:
    assert seal_problem(CHAMPION, Seal("", None), None) == ""  # of a home that is older than the chain
    assert seal_problem(CHAMPION, Seal("", None), MADE) == ""
    assert seal_problem(CHAMPION, Seal(MADE.seal, MADE), MADE) == ""


@pytest.mark.parametrize("row", [None, replace(MADE, digest="changed"), replace(MADE, who="mallory")], ids=["gone", "another", "rewritten"])
def test_a_row_that_the_champion_names_must_stand_as_it_was(row: Entry | None) -> None:
    told = "the ledger of wine was changed or cut off: version 1 names row 1 of it, which is gone or reads otherwise now"
    assert seal_problem(CHAMPION, Seal(MADE.seal, row), None).startswith(told)


def test_digests_of_files_that_were_changed_in_the_ledger_show() -> None:
    told = "row 1 of the ledger of wine, which made version 1 champion, was changed, or the digests of its files were; restore the ledger"
    forged = replace(MADE, inputs={"manifest": {"model.skops": "bb"}})
    assert seal_problem(replace(CHAMPION, manifest=forged.manifest), Seal("", None), MADE).startswith(told)
    assert seal_problem(replace(CHAMPION, manifest=forged.manifest), Seal("", None), forged).startswith(told)
