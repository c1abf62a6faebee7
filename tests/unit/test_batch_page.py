from __future__ import annotations

import html
from dataclasses import replace

import pandas as pd
import pytest

from tasks.core import batch_page
from tasks.core.batch_page import Example
from tasks.core.deliveries import BatchEntry, BatchRows
from tasks.core.findings import Finding, Inspection, Judgement
from tasks.core.profiles import Profile, profile_rows
from tasks.core.reading.terms import SetAside
from tasks.core.row_sets import RowSet
from tasks.core.validation import ExpectationResult, Validation

ENTRY = BatchEntry(
    "houses",
    "ab" * 32,
    "ingested",
    "feb.csv",
    "rows",
    BatchRows(read=3, labelled=2, quarantined=1),
    (),
    "ann@host",
    "2026-02-01T00:00:00+00:00",
)
ASIDE = (SetAside(4, "Eve,secret-street", "column 'size': 'secret-street' among numbers"),)


def profile(*sizes: float | None, pii: tuple[str, ...] = ()) -> Profile:
    return profile_rows([pd.DataFrame({"owner": pd.Series(["Ann"] * len(sizes), dtype="str"), "size": list(sizes)})], pii=pii)


def test_a_page_says_where_the_rows_went_what_failed_and_what_changed() -> None:
    before = replace(ENTRY, name="jan.csv", profile=profile(70.0, 80.0, 90.0).to_json())
    result = ExpectationResult("'size': not be null", "critical", success=True, failing_rows=RowSet.of([1]))
    finding = Finding("rows-few", "warning", "", "1 rows came, where 3 to 3 came before", {})
    judgement = Judgement(Validation("houses.json", (result,)), profile(7000.0, None), Inspection((finding,)))
    page = batch_page.build(ENTRY, judgement, before, ASIDE, "quarantine/houses/ab.csv", ())
    for told in (
        "3 read = 2 labelled + 0 unlabelled + 1 quarantined",
        "not be null",
        "1 rows came",
        "secret-street",
        "The first 1 of 1 row",
        "python -m flows.ingest quarantine/houses/ab.csv --use-case houses",
        "jan.csv",
        "50.0%",
        "7,000",
    ):
        assert told in page, told


def test_a_held_batch_says_why_before_anything_else() -> None:
    held = replace(ENTRY, decision="held", reasons=("a unit changed", "to take it in all the same: ..."))
    page = batch_page.build(held, None, None, (), "", ())
    assert page.index("Held") < page.index("a unit changed") < page.index("to take it in all the same")


def test_no_value_is_shown_where_columns_are_personal() -> None:
    judgement = Judgement(Validation(""), profile(7123.5, 8123.5, pii=("owner", "size")), Inspection(()))
    page = batch_page.build(ENTRY, judgement, None, ASIDE, "quarantine/houses/ab.csv", ("owner", "size"))
    assert "not kept" in page
    assert "not shown" in page
    assert "The sheet holds personal values." in page
    assert "column 'size': (not shown: personal) among numbers" in html.unescape(page)
    assert not any(value in page for value in ("secret-street", "Ann<", "123.5", "Eve,"))


def test_labels_alone_show_no_personal_key_and_late_ones_what_they_fail() -> None:
    of_both = ExpectationResult("pair", "warning", success=False, failing_rows=RowSet.of([0]), columns=("owner", "size"))
    late = ExpectationResult("'size': be small", "warning", success=False, failing_rows=RowSet.of([0]), quarantine=True, columns=("size",))
    labels = profile(5.0).only("size")
    judgement = Judgement(Validation("houses.json", (of_both,)), labels, Inspection(()), Validation("houses.json", (late,)))
    page = batch_page.build(ENTRY, judgement, None, (), "", ("owner",), {"pair": [Example(2, ("Ann", "5"))]})
    assert "line 2: not shown, 5" in page
    assert "&#x27;size&#x27;: be small, of labels that come late" in page
    assert "Ann" not in page.replace(ENTRY.who, "")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"decision": "held", "rows": BatchRows(read=1300)}, "1,300 rows came, and none was taken"),
        ({"decision": "refused", "rows": BatchRows()}, "Nothing was taken"),
        (
            {"decision": "mended", "mends": "cd" * 32, "rows": BatchRows(labelled=4, unlabelled=1, quarantined=-5)},
            "5 rows that were set aside are taken in: 4 labelled + 1 unlabelled",
        ),
        (
            {"decision": "mended", "mends": "cd" * 32, "rows": BatchRows(known=2, quarantined=-2)},
            "2 rows that were set aside are taken in: 0 labelled + 0 unlabelled + 2 known, with their label",
        ),
        ({"kind": "labels", "rows": BatchRows(read=2, labelled=2)}, "Labels: 2 read = 2 labelled + 0 unlabelled + 0 quarantined"),
    ],
)
def test_a_page_says_what_became_of_the_rows_and_no_more(change: dict[str, object], told: str) -> None:
    page = batch_page.build(replace(ENTRY, **change), None, None, (), "", ())  # pyright: ignore[reportArgumentType]
    assert told in page
    assert page.count("quarantined") == page.count(told) * told.count("quarantined")


def test_what_fails_is_shown_worst_first_with_its_first_rows_and_no_personal_value() -> None:
    results = (
        ExpectationResult("'size': small", "info", success=False, failing_rows=RowSet.of([1]), columns=("size",)),
        ExpectationResult("'owner': known", "critical", success=False, failing_rows=RowSet.of([0, 1]), columns=("owner", "size")),
    )
    examples = {"'size': small": [Example(3, ("900",))], "'owner': known": [Example(2, ("Ann", "70")), Example(3, ("Eve", "900"))]}
    judgement = Judgement(Validation("houses.json", results), profile(70.0, 900.0, pii=("owner",)), Inspection(()))
    page = batch_page.build(replace(ENTRY, decision="refused"), judgement, None, (), "", ("owner",), examples)
    assert page.index("line 2: not shown, 70; line 3: not shown, 900") < page.index("line 3: 900")
    assert "Eve," not in page


def test_what_fails_is_open_and_what_holds_is_folded_away_below_it() -> None:
    failing = ExpectationResult("'size': small", "critical", success=False, columns=("size",))
    holding = [ExpectationResult(f"'{name}': known", "critical", success=True) for name in ("owner", "site")]
    judgement = Judgement(Validation("houses.json", (holding[0], failing, holding[1])), profile(70.0), Inspection(()))
    page = batch_page.build(replace(ENTRY, decision="refused", reasons=("houses.json: ...",)), judgement, None, (), "", ())
    opened, folded = html.unescape(page).split("<details>")
    assert "1 of 3 expectations of houses.json fail</span>" in opened
    assert "'size': small" in opened
    assert "known" not in opened
    assert folded.startswith("\n<summary>2 of 3 expectations of houses.json hold</summary>")
    assert folded.count("known") == 2


def test_a_reason_is_told_once_beside_the_finding_and_commands_are_code() -> None:
    finding = Finding("unit-changed", "critical", "size", "'size' came as 1,000 times its values", {})
    on = "deliver it in order, then: python -m flows.ingest --dismiss ab; or take it in as it is: python -m flows.ingest --accept ab"
    held = replace(ENTRY, decision="held", reasons=("houses.json: it fails", finding.message, on))
    page = html.unescape(batch_page.build(held, Judgement(Validation(""), profile(70.0), Inspection((finding,))), None, (), "", ()))
    assert page.count("houses.json: it fails") == page.count(finding.message) == 1
    assert (
        "then: <code>python -m flows.ingest --dismiss ab</code>; or take it in as it is: <code>python -m flows.ingest --accept ab</code>"
        in page
    )
    long = replace(finding, message="x" * 200)
    page = batch_page.build(
        replace(held, reasons=("it fails", long.message)), Judgement(Validation(""), profile(70.0), Inspection((long,))), None, (), "", ()
    )
    assert f"<p>{long.message}</p>" in page, "a cell of the table would cut it"


def test_what_would_be_set_aside_is_shown_where_nothing_was_taken() -> None:
    judgement = Judgement(Validation(""), profile(70.0), Inspection(()))
    page = batch_page.build(replace(ENTRY, decision="held"), judgement, None, ASIDE, "", ())
    assert "secret-street" in page
    assert "The first rows that are set aside even if the batch is accepted." in page
