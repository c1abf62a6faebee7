"""Scoring as Prefect records it: rows that are let through, rows that are set aside, and the same again."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from tasks.adapters.home import settings
from tasks.adapters.lake import Lake
from tasks.core.errors import DataRefusedError, UsageError

if TYPE_CHECKING:
    from conftest import Project

    from tasks.core.scoring import ScoreReport

SUITE = (
    {"type": "expect_table_columns_to_match_set", "kwargs": {"column_set": ["key", "a", "b", "y"]}, "severity": "critical"},
    {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "y"}, "severity": "critical"},
    {"type": "expect_column_values_to_be_between", "kwargs": {"column": "a", "max_value": 100, "mostly": 0.5}, "severity": "critical"},
)


def rows(seed: int, count: int = 200) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    a, b = draw.normal(50, 9, count).round(3), draw.normal(size=count).round(3)
    return pd.DataFrame({"key": [f"{seed}-{n}" for n in range(count)], "a": a, "b": b, "y": np.where(a + 9 * b > 50, "high", "low")})


@pytest.fixture(scope="module")
def champion(project: Project) -> None:
    project.write_use_case("tanks", key=["key"], target="y", candidates=["logistic"])
    project.write_suite("tanks", *SUITE)
    project.train(use_case="tanks", data=project.write_table("tanks", rows(1)))


def report_of(project: Project, name: str, df: pd.DataFrame, **options: object) -> ScoreReport:
    return project.score(use_case="tanks", data=project.write_table(name, df), **options).state.result()


def test_where_a_missed_row_costs_more_it_is_said_from_a_lower_probability_on(project: Project) -> None:
    costs = {"false_negative": 9, "positive": "high"}
    project.write_use_case("alarms", key=["key"], target="y", candidates=["logistic"], costs=costs)
    table = rows(3, 400)
    table["y"] = np.where(table["a"] + 9 * table["b"] + np.random.default_rng(0).logistic(50, 5, 400) > 100, "high", "low")
    run = project.train(use_case="alarms", data=project.write_table("alarms", table))
    assert run.report.threshold is not None
    assert (run.report.threshold.positive, run.report.as_json()["threshold"]["value"]) == ("high", pytest.approx(0.1, abs=0.05))
    assert run.report.metrics["cost"].value < run.report.baseline["cost"]
    page = Path(run.report.links["report"]).read_text(encoding="utf-8")
    assert f"{run.report.threshold}, as " in html.unescape(page)
    scored = pd.read_parquet(project.score(use_case="alarms", data=project.write_table("more", rows(4))).state.result().out)
    assert ((scored["prediction"] == "high") == (scored["proba_high"] >= run.report.threshold.value)).all()
    assert scored["proba_high"].between(run.report.threshold.value, 0.5).any()


def test_of_a_personal_target_neither_log_nor_page_names_the_class_that_costs_are_about(project: Project) -> None:
    project.write_use_case("secrets", key=["key"], target="y", candidates=["logistic"], costs={"false_negative": 9}, pii=["y"])
    table = rows(5)
    table["y"] = table["y"].map({"high": "sick", "low": "cured"})
    run = project.train(use_case="secrets", data=project.write_table("secrets", table))
    told = [*run.log, Path(run.report.links["report"]).read_text(encoding="utf-8"), str(run.report.as_json())]
    assert any("the class that is looked for is said from a probability of" in each for each in told)
    assert not [each for each in told if "sick" in each or "cured" in each]


@pytest.mark.usefixtures("champion")
def test_every_row_is_scored_or_set_aside_with_its_reasons(project: Project) -> None:
    new = rows(2).drop(columns="y")
    new.loc[3, "a"], new.loc[5, "key"] = 1000, None
    report = report_of(project, "new", new)
    assert (report.rows.read, report.rows.scored, report.rows.quarantined) == (200, 198, 2)
    scored, aside = pd.read_parquet(report.out), pd.read_csv(report.aside)
    assert scored["key"].tolist() == new["key"].drop([3, 5]).tolist()
    assert scored["line"].tolist() == [line for line in range(2, 202) if line not in (5, 7)]
    assert np.allclose(scored["proba_high"] + scored["proba_low"], 1)
    assert dict(zip(aside["_line"], aside["_reasons"], strict=True)) == {
        5: "'a': column values to be between mostly=0.5 max_value=100.0",
        7: "the key is empty",
    }
    logged = Lake(settings().lake_address, "tanks").predictions()
    assert logged[["row_key", "prediction", "prediction_id"]].equals(
        scored[["key", "prediction", "prediction_id"]].rename(columns={"key": "row_key"})
    )
    assert dict(logged["proba"][0])["high"] == scored["proba_high"][0]


@pytest.mark.usefixtures("champion")
def test_the_same_rows_again_are_known_and_nothing_is_written_twice(project: Project) -> None:
    first = report_of(project, "again", rows(3))
    lake = Lake(settings().lake_address, "tanks")
    before = len(lake.predictions())
    second = report_of(project, "again", rows(3))
    assert (first.is_known, second.is_known, second.out) == (False, True, first.out)
    elsewhere = report_of(project, "again", rows(3), out=str(Path(first.out).with_name("elsewhere.csv")))
    assert pd.read_csv(elsewhere.out)["prediction"].tolist() == pd.read_parquet(first.out)["prediction"].tolist()
    Path(first.out).write_bytes(b"broken")
    assert pd.read_parquet(report_of(project, "again", rows(3)).out)["line"].tolist() == list(range(2, 202))
    assert len(lake.predictions()) == before


@pytest.mark.usefixtures("champion")
def test_a_run_ends_in_a_state_that_says_how_many_rows_were_scored(project: Project) -> None:
    run = project.score(use_case="tanks", data=project.write_table("told", rows(4)), version=1)
    assert run.flow_run.state.name == "Scored"
    assert run.flow_run.state.message.endswith("told.csv by version 1 of tanks: 200 read = 200 scored + 0 quarantined")


@pytest.mark.usefixtures("champion")
def test_what_cannot_be_scored_is_refused_in_one_sentence(project: Project) -> None:
    refused = (
        ({"data": project.write_table("short", rows(5).drop(columns="b"))}, DataRefusedError, "unexpected|no column 'b'|'b'"),
        ({"data": project.write_table("bad", rows(5).assign(a=1000.0))}, DataRefusedError, "200 rows fail"),
        ({"data": project.write_table("any", rows(5)), "version": 9}, UsageError, "has no version 9"),
        ({"data": project.write_table("any", rows(5)), "use_case": "nobody"}, UsageError, "has no champion"),
        ({"data": project.write_table("any", rows(5)), "use_case": None}, UsageError, "say whose model"),
    )
    for options, kind, message in refused:
        error = project.score(**{"use_case": "tanks", **options}).error
        assert isinstance(error, kind)
        assert message.split("|")[-1] in str(error)


def test_what_is_text_for_the_model_is_read_as_text(project: Project) -> None:
    """A release such as 1.10 is no number, be it written beside others or not."""
    releases = np.tile(["1.10", "1.1", "2.0b"], 80)
    df = pd.DataFrame({"release": releases, "size": rows(5, 240)["a"], "y": np.where(releases == "1.10", "high", "low")})
    project.write_use_case("releases", target="y", candidates=["logistic"])
    project.train(use_case="releases", data=project.write_table("releases", df))
    for name, release in (("numbers", ["1.10"] * 40), ("mixed", [*["1.10"] * 39, "2.0b"])):
        table = project.write_table(name, df[:40].assign(release=release).drop(columns="y"))
        report = project.score(use_case="releases", data=table).state.result()
        assert (report.rows.scored, report.rows.quarantined) == (40, 0)
        assert pd.read_parquet(report.out)["prediction"].tolist() == ["high" if r == "1.10" else "low" for r in release]
