from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.core.champions import (
    FITTED_ROWS_FILE,
    JUDGED_FILE,
    MANIFEST_FILES,
    SHIPPED_FILE,
    Attempt,
    Epoch,
    Version,
    anchor_of,
    anchors_of,
    columns_difference,
    earlier_champion,
    way_back,
    ways_back,
)
from tasks.core.errors import UsageError
from tasks.core.standing import reigns

ATTEMPT = Attempt(snapshot="aa", configuration="bb", columns="cc", target="price", task="regression")
VERSION = Version(number=3, run_id="r3", attempt=ATTEMPT, spread=0.4, manifest={}, decision="not_worse")


@pytest.mark.parametrize("decision", ["not_worse", "first_champion", "identical", "gate_rows", "baseline", "refit"])
def test_a_version_that_was_judged_to_its_end_answers_the_same_call(decision: str) -> None:
    assert replace(VERSION, decision=decision).answers(replace(ATTEMPT))


@pytest.mark.parametrize("decision", ["", "superseded", "loads_and_predicts"])
def test_a_version_that_was_not_judged_to_its_end_answers_nothing(decision: str) -> None:
    assert not replace(VERSION, decision=decision).answers(ATTEMPT)


@pytest.mark.parametrize("field", ["snapshot", "configuration", "columns", "target", "task"])
def test_a_version_does_not_answer_another_call(field: str) -> None:
    assert not VERSION.answers(replace(ATTEMPT, **{field: "other"}))


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({}, ""),
        ({"snapshot": "dd", "configuration": "ee"}, ""),
        ({"target": "size"}, "target"),
        ({"task": "binary"}, "task"),
        ({"columns": "dd"}, "columns"),
        ({"columns": "dd", "target": "size"}, "target and columns"),
        ({"columns": "dd", "target": "size", "task": "binary"}, "target and task and columns"),
    ],
)
def test_another_target_task_or_columns_make_another_use_case_and_other_rows_do_not(changed: dict[str, str], difference: str) -> None:
    assert ATTEMPT.difference(replace(ATTEMPT, **changed)) == difference
    assert replace(ATTEMPT, **changed).difference(ATTEMPT) == difference


def test_the_manifest_covers_every_file_that_is_loaded() -> None:
    assert {SHIPPED_FILE, JUDGED_FILE, FITTED_ROWS_FILE, "MLmodel", "requirements.txt"} == set(MANIFEST_FILES)


def line(*succession: tuple[int, str]) -> list[Epoch]:
    return [
        Epoch("wine", n, version, "run", code, "", "2024-03-03T14:00:00+00:00", {}) for n, (version, code) in enumerate(succession, start=1)
    ]


FIRST, SMALL_LOSS, BETTER = (1, "first_champion"), (2, "not_worse"), (4, "better")


@pytest.mark.parametrize(
    ("succession", "anchor"),
    [
        ((), None),
        ((FIRST,), 1),
        ((FIRST, SMALL_LOSS), 1),
        ((FIRST, SMALL_LOSS, (3, "not_worse")), 1),
        ((FIRST, SMALL_LOSS, BETTER), 4),
        ((FIRST, (3, "waived"), SMALL_LOSS), 3),
        ((FIRST, BETTER, (5, "not_worse")), 4),
        ((FIRST, BETTER, (1, "rollback")), 1),
        ((FIRST, SMALL_LOSS, BETTER, (2, "rollback")), 1),
        ((FIRST, SMALL_LOSS, (1, "rollback"), (2, "not_worse")), 1),
        (((7, "rollback"),), 7),
    ],
)
def test_the_anchor_is_the_last_version_that_was_better_as_seen_from_the_champion(
    succession: tuple[tuple[int, str], ...], anchor: int | None
) -> None:
    found = anchor_of(line(*succession))
    assert (found.version if found else None) == anchor


@pytest.mark.parametrize(
    ("succession", "number", "earlier"),
    [
        ((FIRST, SMALL_LOSS), None, 1),
        ((FIRST, SMALL_LOSS, BETTER), None, 2),
        ((FIRST, SMALL_LOSS, (1, "rollback")), None, 2),
        ((FIRST, BETTER, (4, "not_worse")), None, 1),
        ((FIRST, SMALL_LOSS, BETTER), 1, 1),
        ((FIRST, SMALL_LOSS), 9, 9),
    ],
)
def test_one_goes_back_to_the_champion_before_or_to_whom_one_names(
    succession: tuple[tuple[int, str], ...], number: int | None, earlier: int
) -> None:
    assert earlier_champion(line(*succession), number, {9}, "wine") == earlier


@pytest.mark.parametrize(
    ("succession", "number", "told"),
    [
        ((), None, "wine has no champion to go back from"),
        ((FIRST,), None, "version 1 is the only champion that wine ever had; name another version that passed the gate"),
        ((FIRST, SMALL_LOSS), 2, "version 2 of wine is champion already"),
        ((FIRST, SMALL_LOSS), 3, "version 3 of wine never passed the gate, so nobody goes back to it (those that did: 1, 9)"),
    ],
)
def test_nobody_goes_back_to_what_never_passed(succession: tuple[tuple[int, str], ...], number: int | None, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        earlier_champion(line(*succession), number, {9}, "wine")
    assert refused.value.message == told


def test_where_no_other_version_passed_nobody_is_named_to_go_back_to() -> None:
    with pytest.raises(UsageError, match=r"never passed the gate, so nobody goes back to it \(no version did but the champion\)$"):
        earlier_champion(line(FIRST), 3, set(), "wine")


def test_nobody_reigned_where_nobody_was_champion_and_the_last_one_still_does() -> None:
    assert reigns((), 1) == ()
    first, second = (replace(epoch, decided_at=str(epoch.epoch)) for epoch in line(FIRST, SMALL_LOSS))
    assert [reigns((first, second), version) for version in (1, 2, 3)] == [(("1", "2"),), (("2", ""),), ()]


def test_the_way_back_leads_to_the_last_other_champion_then_to_what_passed_and_else_to_training() -> None:
    line = [
        Epoch("wine", number, version, "run", "better", "", "2024-03-03T14:00:00+00:00", {}) for number, version in enumerate((1, 2, 2), 1)
    ]
    assert ways_back(line, {1, 2, 3, 5}) == [1, 5, 3]
    assert way_back("wine", 1) == "go back to version 1 with `python -m flows.rollback 1 --use-case wine --because TEXT`"
    again = "python -m flows.train --use-case wine --again"
    assert way_back("wine", None) == f"no other version is whole, so restore it from a backup, or train again with `{again}`"


def test_where_the_anchor_is_gone_those_that_came_after_it_take_its_place() -> None:
    succession = line(FIRST, BETTER, (5, "not_worse"), (6, "not_worse"), (5, "rollback"))
    assert [epoch.version for epoch in anchors_of(succession)] == [4, 5]
    assert [epoch.version for epoch in anchors_of(succession[:4])] == [4, 5, 6]
    assert list(anchors_of([])) == []


def test_columns_that_make_another_use_case_are_named_and_many_are_counted() -> None:
    then = {"a": "number", "b": "boolean", "c": "category"}
    assert columns_difference(then, {"a": "number", "b": "category", "c": "text"}) == ""
    assert columns_difference(then, {"a": "datetime", "d": "number"}) == "; missing: b, c; further: d; of another type: a"
    assert columns_difference({}, {f"x{n}": "number" for n in range(10)}).endswith("x6, x7 and 2 more")
