"""Ingestion as Prefect records it: final states, artifacts, and a batch that waits for a person."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from tasks.adapters import home, ledger
from tasks.adapters.lake import Lake
from tasks.core import deliveries
from tasks.core.errors import DataRefusedError

if TYPE_CHECKING:
    from conftest import Project, Run

NOT_NULL = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "a", "mostly": 0.9}, "severity": "critical"}


def batch(seed: int) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    a, b = draw.normal(50, 9, 200).round(3), draw.normal(size=200).round(3)
    return pd.DataFrame({"key": [f"{seed}-{n}" for n in range(200)], "a": a, "b": b, "y": (a + 9 * b).round(3)})


@pytest.fixture(scope="module")
def life(project: Project) -> dict[str, Run]:
    """Ingest four deliveries of one use case, and train on what came."""
    project.write_use_case("meters", key=["key"], target="y", candidates=["ridge"])
    project.write_suite("meters", NOT_NULL)

    def ingest(name: str, table: pd.DataFrame) -> Run:
        return project.ingest(use_case="meters", data=project.write_table(name, table))

    gaps = batch(2)
    gaps.loc[:4, "a"] = None
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVERGREEN_REPORTS_URL", "http://127.0.0.1:4240")
        runs = {"first": ingest("m1", batch(1)), "gaps": ingest("m2", gaps), "again": ingest("m2", gaps)}
    runs["fault"] = ingest("m3", batch(3).assign(a=lambda df: df["a"] * 1000))
    runs["training"] = project.train(use_case="meters")
    return runs


@pytest.mark.parametrize(("run", "name"), [("first", "Ingested"), ("gaps", "Ingested"), ("again", "Known already")])
def test_a_run_ends_in_a_state_that_says_what_became_of_the_batch(life: dict[str, Run], run: str, name: str) -> None:
    assert (life[run].flow_run.state.type.value, life[run].flow_run.state.name) == ("COMPLETED", name)


def test_rows_that_fail_are_counted_and_shown(life: dict[str, Run]) -> None:
    message = life["gaps"].flow_run.state.message
    assert message.startswith("m2.csv is batch ")
    assert message.endswith(": 200 read = 195 labelled + 0 unlabelled + 5 quarantined")
    artifacts = life["gaps"].artifacts
    assert set(artifacts) == {"meters-validation", "meters-batch"}
    link = r"\[Page\]\(<http://127\.0\.0\.1:4240/meters/batches/\w{16}-ingested\.html>\)"
    assert re.search(rf"\n\n{link}$", str(artifacts["meters-batch"].data))


def test_a_fault_that_the_data_show_fails_the_run_in_one_sentence_that_says_how_to_go_on(life: dict[str, Run]) -> None:
    error = life["fault"].error
    assert isinstance(error, DataRefusedError)
    assert "m3.csv is held: 'a' came as 1,000 times its values" in error.message
    assert "--accept" in error.message


def test_training_takes_the_rows_of_the_lake_and_names_its_versions(life: dict[str, Run]) -> None:
    report = life["training"].report
    assert (report.rows.read, report.rows.used + report.rows.holdout, report.rows.unlabelled, report.rows.quarantined) == (400, 395, 0, 5)
    assert report.lake == {"observations": 2, "labels": 2}
    assert report.source == "the lake of meters, version 2"


def waiting(project: Project, use_case: str) -> str:
    (entry,) = deliveries.waiting(ledger.batches(home.settings().ledger_address, use_case))
    return entry.digest[:8]


def test_other_columns_wait_for_a_person_and_are_no_news_afterwards(project: Project) -> None:
    project.write_use_case("gauges", key=["key"], target="y")

    def ingest(name: str, table: pd.DataFrame) -> Run:
        return project.ingest(use_case="gauges", data=project.write_table(name, table))

    def accept() -> Run:
        return project.ingest(use_case="gauges", accept=waiting(project, "gauges"), because="the makers said so")

    assert ingest("g1", batch(1)).flow_run.state.name == "Ingested"
    assert "column 'site' is new; accepted, the batch is taken without it" in ingest("g2", batch(2).assign(site="north")).error.message
    accepted = accept().report.batches[0].entry
    assert (accepted.decision, accepted.because, accepted.rows.labelled) == ("accepted", "the makers said so", 200)
    assert "column 'site' is left out: the lake keeps the columns that it was begun with" in accepted.reasons
    again = ingest("g3", batch(3).assign(site="south")).report.batches[0].entry
    assert (again.decision, again.reasons[0]) == ("ingested", "column 'site' is new; as in the last batch, it is left out")
    assert "column 'b' is missing; accepted, the batch is taken with it empty" in ingest("g4", batch(4).drop(columns="b")).error.message
    assert "column 'b' is taken as empty" in accept().report.batches[0].entry.reasons
    lake = Lake(home.settings().lake_address, "gauges")
    lake = Lake(home.settings().lake_address, "gauges", lake.begun_with())
    rows = lake.read(lake.snapshot())
    assert (list(rows.columns), len(rows), int(rows["b"].isna().sum())) == (["key", "a", "b", "y"], 800, 200)


def test_a_batch_that_came_again_in_order_is_dismissed_and_waits_no_longer(project: Project) -> None:
    project.write_use_case("scales", key=["key"], target="y")
    project.ingest(use_case="scales", data=project.write_table("s0", batch(10)))
    held = project.ingest(use_case="scales", data=project.write_table("s1", batch(11).assign(a=lambda df: df["a"] * 1000)))
    assert re.search(
        r"deliver it in order, then: .*--dismiss [0-9a-f]{8} --because TEXT; or take it in as it is: .*--accept", held.error.message
    )
    assert project.ingest(use_case="scales", data=project.write_table("s2", batch(11))).report.batches[0].outcome == "ingested"
    without = project.ingest(use_case="scales", dismiss=waiting(project, "scales")).error
    assert without.message == "say why the batch is dismissed, with --because TEXT; it stands in the ledger"
    entry = project.ingest(use_case="scales", dismiss=waiting(project, "scales"), because="sent again").report.batches[0].entry
    assert (entry.decision, entry.reasons, entry.because) == ("dismissed", ("sent again",), "sent again")
    assert deliveries.waiting(ledger.batches(home.settings().ledger_address, "scales")) == []
    again = project.ingest(use_case="scales", dismiss=entry.digest[:8], because="no").error
    assert again.message.endswith(f"(s1.csv) was dismissed at {entry.decided_at} already")
    (known,) = project.ingest(use_case="scales", data="s1.csv").report.batches
    assert known.message == f"s1.csv is known: dismissed at {entry.decided_at} as batch {entry.digest[:8]}; nothing was done"
    both = project.ingest(use_case="scales", data="s1.csv", accept=entry.digest[:8], because="no").error
    assert both.message == "a batch that is accepted is here already; leave s1.csv out"


def test_an_acceptance_takes_in_what_stood_against_the_batch_and_no_row_that_fails_for_itself(project: Project) -> None:
    project.write_use_case("dials", key=["key"], target="y")
    small = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "b", "max_value": 2, "mostly": 0.5}, "severity": "critical"}
    project.write_suite("dials", {**NOT_NULL, "kwargs": {"column": "a", "mostly": 0.99}}, small)
    gaps = batch(5)
    gaps.loc[:9, "a"] = None
    held = project.ingest(use_case="dials", data=project.write_table("d1", gaps))
    assert "d1.csv is refused: dials.json: 'a'" in held.error.message
    accepted = project.ingest(use_case="dials", accept=waiting(project, "dials"), because="a known gap").report.batches[0].entry
    large = int((gaps["b"] > 2).sum())
    assert large > 0
    assert (accepted.decision, accepted.rows.labelled, accepted.rows.quarantined) == ("accepted", 200 - large, large)


def test_rows_that_nothing_names_are_set_aside_and_the_others_come_in(project: Project) -> None:
    project.write_use_case("probes", key=["key"], target="y")
    nameless = batch(6)
    nameless.loc[[3, 150], "key"] = None
    entry = project.ingest(use_case="probes", data=project.write_table("p1", nameless)).report.batches[0].entry
    assert (entry.decision, entry.rows.labelled, entry.rows.quarantined) == ("ingested", 198, 2)
    sheet = (home.settings().home / "quarantine" / "probes" / f"{entry.digest[:16]}.csv").read_text(encoding="utf-8")
    assert [line.split(",")[1] for line in sheet.splitlines()[1:]] == ["5", "152"]
    assert "'key' is never missing, for it names the row" in sheet
    present = {"type": NOT_NULL["type"], "kwargs": {"column": "key"}, "severity": "warning", "meta": {"quarantine": True}}
    project.write_suite("probes", present)
    others = batch(9).assign(key=lambda df: df["key"].where(nameless["key"].notna()))
    entry = project.ingest(use_case="probes", data=project.write_table("p2", others)).report.batches[0].entry
    sheet = (home.settings().home / "quarantine" / "probes" / f"{entry.digest[:16]}.csv").read_text(encoding="utf-8")
    assert (sheet.count("'key': column values to not be null"), sheet.count("never missing")) == (2, 0)


def test_a_lake_does_not_begin_with_a_batch_of_which_no_row_is_kept(project: Project) -> None:
    project.write_use_case("nobodies", key=["key"], target="y")
    nameless = batch(7).head(3).assign(key=None)
    error = project.ingest(use_case="nobodies", data=project.write_table("n1", nameless)).error
    assert error.message == (
        "n1.csv is refused: no lake begins without a row, and all of these are set aside, "
        "the first because 'key' is never missing, for it names the row"
    )
    assert project.ingest(use_case="nobodies", data=project.write_table("n2", batch(8))).flow_run.state.name == "Ingested"


def test_no_secret_of_an_address_is_told(project: Project) -> None:
    project.write_use_case("leaks", key=["key"], target="y")
    run = project.ingest(use_case="leaks", data="http://ann:hunter2@127.0.0.1:1/t.csv?sig=token")
    told = f"{run.log} {run.error} {run.flow_run.state.message} {[artifact.data for artifact in run.artifacts.values()]}"
    assert "http://***@127.0.0.1:1/t.csv?***" in told
    assert "hunter2" not in told
    assert "token" not in told
