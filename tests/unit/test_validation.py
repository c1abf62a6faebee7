from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.errors import DataRefusedError
from tasks.core.row_sets import RowSet
from tasks.core.validation import SEVERITIES, Consequence, ExpectationResult, Severity, Validation

RESULTS: st.SearchStrategy[ExpectationResult] = st.builds(
    ExpectationResult,
    expectation=st.sampled_from(["'age': values to be between", "'kind': values to be in set", "table columns to match set"]),
    severity=st.sampled_from(SEVERITIES),
    success=st.booleans(),
    failing_rows=st.sets(st.integers(0, 5)).map(RowSet.of),
    quarantine=st.booleans(),
    problem=st.sampled_from(["", "", "no such column"]),
)


def age(severity: Severity = "critical", success: bool = True, rows: tuple[int, ...] = (), **more: object) -> ExpectationResult:
    return ExpectationResult("'age': values to be between", severity, success, RowSet.of(rows), **more)  # pyright: ignore[reportArgumentType]


def kind(severity: Severity = "critical", success: bool = True, rows: tuple[int, ...] = (), **more: object) -> ExpectationResult:
    return ExpectationResult("'kind': values to be in set", severity, success, RowSet.of(rows), **more)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("result", "consequence"),
    [
        (age("critical"), "none"),
        (age("critical", rows=(1,)), "quarantined"),
        (age("critical", False, (1, 2)), "refused"),
        (age("critical", False), "refused"),
        (age("warning"), "none"),
        (age("warning", rows=(1,)), "reported"),
        (age("warning", False, (1, 2)), "reported"),
        (age("warning", False), "reported"),
        (age("warning", rows=(1,), quarantine=True), "quarantined"),
        (age("warning", False, (1, 2), quarantine=True), "quarantined"),
        (age("warning", False, quarantine=True), "reported"),
        (age("info"), "none"),
        (age("info", False, (1, 2)), "reported"),
        (age("info", False, (1, 2), quarantine=True), "reported"),
        (age("info", True, problem="no such column"), "refused"),
        (age("warning", False, (1,), quarantine=True, problem="no such column"), "refused"),
    ],
)
def test_severity_and_what_failed_set_the_consequence(result: ExpectationResult, consequence: Consequence) -> None:
    assert result.consequence == consequence


@given(RESULTS)
def test_what_cannot_be_evaluated_never_passes_and_what_failed_is_never_silent(result: ExpectationResult) -> None:
    if result.problem:
        assert result.consequence == "refused"
    elif not result.success or result.failing_rows:
        assert result.consequence != "none"
    else:
        assert result.consequence == "none"


def reasons(validation: Validation, start: int = 0, stop: int = 200) -> dict[int, str]:
    rows, texts = validation.set_aside(start, stop)
    return dict(zip((start + rows).tolist(), texts.tolist(), strict=True))


def test_a_quarantined_row_has_all_its_reasons() -> None:
    validation = Validation("wine.json", (age(rows=(7, 2)), kind("warning", False, (2,), quarantine=True), kind("info", False, (2, 3))))
    assert list(reasons(validation).items()) == [
        (2, "'age': values to be between; 'kind': values to be in set"),
        (7, "'age': values to be between"),
    ]
    assert validation.quarantined == 2


@given(st.lists(RESULTS), st.integers(0, 6), st.integers(0, 6))
def test_rows_are_set_aside_by_what_quarantines_and_by_nothing_else(results: list[ExpectationResult], start: int, size: int) -> None:
    quarantining = [result for result in results if result.consequence == "quarantined"]
    validation = Validation("wine.json", tuple(results))
    failing = {row for result in quarantining for row in result.failing_rows}
    found = reasons(validation, start, start + size)
    assert (validation.quarantined, set(found)) == (len(failing), failing & set(range(start, start + size)))
    for row, told in found.items():
        assert told.split("; ") == [result.expectation for result in quarantining if row in result.failing_rows]


def test_any_number_of_reasons_is_told() -> None:
    results = tuple(ExpectationResult(f"e{place}", "critical", True, RowSet.of(range(place, 200, 7))) for place in range(150))
    found = reasons(Validation("wine.json", results))
    assert list(found) == list(range(200))
    for row, told in found.items():
        assert told.split("; ") == [f"e{place}" for place in range(150) if row in range(place, 200, 7)]


def test_rows_that_fail_for_the_same_reasons_share_one_text() -> None:
    results = [ExpectationResult(f"e{place}", "critical", True, RowSet.of(range(place, 10_000, 3))) for place in range(3)]
    _, texts = Validation("wine.json", tuple(results)).set_aside(0, 10_000)
    assert (len(texts), len(set(map(id, texts)))) == (10_000, 3)


@pytest.mark.parametrize(
    ("validation", "summary"),
    [
        (Validation(""), "not applicable (no suite)"),
        (Validation("wine.json"), "0 of 0 expectations hold"),
        (Validation("wine.json", (age(), kind())), "2 of 2 expectations hold"),
        (Validation("wine.json", (age(), kind("info", False))), "1 of 2 expectations hold; reported: 'kind': values to be in set"),
        (
            Validation(
                "wine.json", (age(without_rule="no rule for a"), kind(without_rule="no rule for b"), age(without_rule="no rule for a"))
            ),
            "3 of 3 expectations hold; no rule for a; no rule for b",
        ),
        (
            Validation("wine.json", (age(rows=(1,)), kind("critical", False), kind("info", False))),
            "0 of 3 expectations hold; refused: 'kind': values to be in set; quarantined: 'age': values to be between",
        ),
    ],
)
def test_a_summary_counts_what_holds_and_names_the_first_two_that_do_not(validation: Validation, summary: str) -> None:
    assert validation.summary == summary


@pytest.mark.parametrize(
    ("results", "told"),
    [
        ((age("critical", False, (1, 2)),), "'age': values to be between: 2 rows fail"),
        ((age("critical", False, (1,)),), "'age': values to be between: 1 row fails"),
        ((age("critical", False),), "'age': values to be between: it does not hold"),
        ((age("info", problem="no such column"),), "'age': values to be between: no such column"),
        ((age("warning", False), kind("critical", False), age()), "'kind': values to be in set: it does not hold"),
        ((kind("critical", False, (4, 5, 6)), age("critical", False)), "'kind': values to be in set: 3 rows fail (and 1 more)"),
    ],
)
def test_a_refused_batch_says_by_what_and_how_to_pass(results: tuple[ExpectationResult, ...], told: str) -> None:
    with pytest.raises(DataRefusedError) as refused:
        Validation("wine.json", results).raise_if_refused("march.csv")
    ways = "mend the data, change the suite, or name a use case of its own with --use-case"
    assert refused.value.message == f"march.csv is refused by wine.json: {told}; {ways}"
    assert (refused.value.where, refused.value.code, refused.value.exit_code) == ("march.csv", "data_refused", 3)


@given(st.lists(RESULTS))
def test_a_batch_is_refused_exactly_when_one_of_its_expectations_refuses_it(results: list[ExpectationResult]) -> None:
    validation = Validation("wine.json", tuple(results))
    if any(result.consequence == "refused" for result in results):
        with pytest.raises(DataRefusedError):
            validation.raise_if_refused("march.csv")
    else:
        validation.raise_if_refused("march.csv")
