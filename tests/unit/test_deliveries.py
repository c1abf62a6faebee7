from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.core.deliveries import (
    BatchEntry,
    BatchReport,
    BatchRows,
    Decision,
    Delivery,
    IngestReport,
    describe,
    find_waiting,
    other_content,
    waiting,
)
from tasks.core.errors import UsageError

ROWS = BatchRows(read=10, labelled=6, unlabelled=3, quarantined=1)
TAKEN = BatchEntry("houses", "ab" * 32, "ingested", "a.csv", "rows", ROWS, (), "ann@host", "2026-01-02T03:04:05+00:00")
HELD = replace(TAKEN, digest="cd" * 32, decision="held", name="c.csv", reasons=("a unit changed",), staged="c.parquet")
REFUSED = replace(TAKEN, digest="ef" * 32, decision="refused", name="e.csv", reasons=("it is a web page",))


def test_each_outcome_is_one_sentence() -> None:
    assert BatchReport(TAKEN).message == "a.csv is batch abababab: 10 read = 6 labelled + 3 unlabelled + 1 quarantined"
    known = "a.csv is known: ingested at 2026-01-02T03:04:05+00:00 as batch abababab; nothing was done"
    assert BatchReport(TAKEN, is_known=True).message == known
    assert BatchReport(HELD).message == "c.csv is held: a unit changed"
    assert BatchReport(replace(HELD, name="c\n.csv")).message == "c\\n.csv is held: a unit changed"


@pytest.mark.parametrize(
    ("batches", "name", "message"),
    [
        ((), "Nothing came", "nothing has come for houses"),
        ((BatchReport(TAKEN),), "Ingested", BatchReport(TAKEN).message),
        ((BatchReport(TAKEN, is_known=True),), "Known already", BatchReport(TAKEN, is_known=True).message),
        ((BatchReport(TAKEN), BatchReport(HELD)), "Held", "2 deliveries for houses: 1 ingested, 1 held"),
        ((BatchReport(HELD), BatchReport(REFUSED)), "Refused", "2 deliveries for houses: 1 held, 1 refused"),
    ],
)
def test_a_run_is_called_by_its_worst_outcome(batches: tuple[BatchReport, ...], name: str, message: str) -> None:
    report = IngestReport("houses", batches)
    assert (report.state_name, report.state_message) == (name, message)
    assert report.as_json()["outcome"] == name


def test_a_person_reads_a_line_for_each_delivery_and_where_its_page_is() -> None:
    report = IngestReport("houses", (BatchReport(TAKEN, page="/home/ann/x/page.html"), BatchReport(TAKEN, is_known=True)))
    lines = describe(report, "/home/ann").splitlines()
    assert [line.split(" is ")[0] for line in lines] == ["a.csv", "  page        x/page.html", "a.csv"]
    assert describe(IngestReport("houses", ()), "/") == "nothing has come for houses"


def test_a_script_reads_where_the_rows_went() -> None:
    (batch,) = IngestReport("houses", (BatchReport(TAKEN),)).as_json()["batches"]  # type: ignore[misc]
    assert batch["rows"] == {"read": 10, "labelled": 6, "unlabelled": 3, "quarantined": 1, "known": 0}
    assert (batch["name"], batch["batch"], batch["outcome"], batch["kind"]) == ("a.csv", "ab" * 32, "ingested", "rows")


def test_what_was_dismissed_may_be_accepted_later_and_what_could_not_be_read_be_dismissed() -> None:
    dismissed = replace(HELD, decision="dismissed", staged="")
    assert find_waiting([HELD, dismissed], "cd", "houses", "--accept") is HELD
    assert find_waiting([REFUSED], " ef ", "houses", "--dismiss") is REFUSED
    with pytest.raises(UsageError, match="no batch of houses waits"):
        find_waiting([REFUSED], "ef", "houses", "--accept")
    with pytest.raises(UsageError, match=r"batch cdcdcdcd \(c.csv\) was dismissed"):
        find_waiting([HELD, dismissed], "cd", "houses", "--dismiss")


def test_a_batch_that_waits_is_found_by_its_first_digits() -> None:
    assert find_waiting([TAKEN, HELD, REFUSED], "CDc", "houses", "--accept") is HELD


@pytest.mark.parametrize(
    ("entries", "digits", "message"),
    [
        ([REFUSED], "ab", "no batch of houses waits that begins with 'ab'; waiting are: none"),
        ([TAKEN], "ab", "batch abababab (a.csv) was ingested at 2026-01-02T03:04:05+00:00 already"),
        ([REFUSED, HELD], "ef", "no batch of houses waits that begins with 'ef'; waiting are: cdcdcdcd (c.csv)"),
        (
            [HELD, replace(HELD, decision="accepted", staged="")],
            "cd",
            "batch cdcdcdcd (c.csv) was accepted at 2026-01-02T03:04:05+00:00 already",
        ),
        (
            [HELD, replace(HELD, digest="cc" * 32, name="d.csv")],
            "c",
            "2 batches of houses wait that begin with 'c'; waiting are: cdcdcdcd (c.csv), cccccccc (d.csv)",
        ),
    ],
)
def test_what_does_not_wait_is_told_with_what_does(entries: list[BatchEntry], digits: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        find_waiting(entries, digits, "houses", "--accept")
    assert refused.value.message == message


@pytest.mark.parametrize("decision", ["accepted", "dismissed"])
def test_a_batch_waits_until_somebody_accepts_or_dismisses_it(decision: Decision) -> None:
    assert waiting([TAKEN, HELD, REFUSED, HELD]) == [HELD]
    assert waiting([HELD, replace(HELD, decision=decision, staged="")]) == []
    assert waiting([HELD, replace(HELD, decision="accepted", staged="")]) == []


def test_other_content_under_a_name_counts_only_where_it_was_taken() -> None:
    assert other_content([TAKEN], Delivery("a.csv", "x/a.csv"), "99" * 32) is TAKEN
    assert other_content([TAKEN], Delivery("a.csv", "x/a.csv"), TAKEN.digest) is None
    assert other_content([HELD], Delivery("c.csv", "x/c.csv"), "99" * 32) is None
