from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.core.champions import FITTED_ROWS_FILE, JUDGED_FILE, MANIFEST_FILES, SHIPPED_FILE, Attempt, Version

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
