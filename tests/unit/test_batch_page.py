from __future__ import annotations

from dataclasses import replace

import pandas as pd

from tasks.core import batch_page
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
        "The first 1 of 1 rows",
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
    assert not any(value in page for value in ("secret-street", "Ann<", "123.5", "Eve,"))
