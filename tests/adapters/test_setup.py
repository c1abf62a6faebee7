"""`init` on real folders: what it writes, what it leaves alone, and what a kill or a full folder leaves behind."""

from __future__ import annotations

import json
import shutil
from itertools import chain, combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from tasks import setup
from tasks.adapters import projects
from tasks.core.deployments import BEGIN, END
from tasks.core.errors import DataRefusedError, UsageError
from tasks.core.init_report import KINDS, InitReport
from tasks.core.options import InitOptions, TrainOptions
from tasks.core.settings import Settings
from tasks.core.suites import Suite

CASE, SUITE, PREFECT = (Path(path) for path in ("deployments/use_cases/houses.yaml", "expectations/houses.json", "prefect.yaml"))
FILES = (CASE, SUITE, PREFECT)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("EVERGREEN_PROJECT", str(folder))
    monkeypatch.setenv("EVERGREEN_HOME", str(tmp_path / "home"))
    return folder


def houses(rows: int = 200, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "id": [f"h{seed}-{n}" for n in range(rows)],
            "sold": pd.date_range("2024-01-01", periods=rows, freq="h"),
            "size": random.normal(80, 15, rows).round(1),
            "kind": random.choice(["flat", "house"], rows),
            "email": random.choice(["ann@shop.org", "bob@shop.org"], rows),
            "price": random.lognormal(12, 0.3, rows).round(2),
        }
    )


def init(**options: object) -> InitReport:
    (report,) = setup.init(InitOptions.model_validate(options))
    return report


def written(project: Path) -> dict[Path, bytes]:
    return {path.relative_to(project): path.read_bytes() for path in project.rglob("*") if path.is_file() and path.suffix != ".csv"}


@pytest.fixture
def table(project: Path) -> str:
    houses().to_csv(project / "houses.csv", index=False)
    return "houses.csv"


def later(project: Path) -> str:
    """Write a table in which prices have tripled."""
    houses(seed=1).assign(price=lambda df: df["price"] * 3).to_csv(project / "later.csv", index=False)
    return "later.csv"


# --------------------------------------------------------------------------------------------------------- a new use case


def test_a_table_becomes_a_use_case_with_a_suite_and_a_deployment(project: Path, table: str) -> None:
    report = init(data=table)
    assert report.files == {str(path): "written" for path in FILES}
    assert set(written(project)) == set(FILES)
    found = projects.resolve(TrainOptions(use_case="houses"), Settings.from_values({"EVERGREEN_PROJECT": str(project)}, project))
    assert (found.use_case.data, found.use_case.target, found.use_case.time) == (f"{project}/houses.csv", "price", "sold")
    assert found.suite == project / SUITE
    deployed = yaml.safe_load((project / PREFECT).read_text(encoding="utf-8"))["deployments"]
    assert deployed[0]["entrypoint"] == "flows.train:train"
    assert [entry["parameters"]["options"] for entry in deployed] == [{"use_case": "houses"}] * (len(deployed) - 2) + [{}, {}]


def test_a_person_reads_on_one_screen_what_was_found_and_what_comes_next(project: Path, table: str) -> None:
    lines = init(data=table).as_text().splitlines()
    assert len(lines) <= 24
    assert lines[0] == "houses · regression of 'price' from 4 columns, in order of 'sold', without 'id' (an identifier)"
    assert lines[1] == "  read      200 rows of houses.csv: exact"
    assert "    kind   category feature  2 distinct values" in lines
    assert "  critical  1 set of columns: a missing column cannot be drift" in lines
    assert "  suggested pii: [email], because its name says so" in lines
    assert "  written   deployments/use_cases/houses.yaml" in lines
    assert lines[-2:] == [
        "  next      review these files, then: python -m flows.train --use-case houses",
        "            or batch after batch: python -m flows.ingest FILE --use-case houses",
    ]


def test_a_script_reads_it_in_one_line(project: Path, table: str) -> None:
    told = json.loads(json.dumps(init(data=table, key=["id"]).as_json()))
    assert (told["use_case"], told["source"], told["rows"], told["verdict"]) == ("houses", "houses.csv", 200, "exact")
    assert (told["task"], told["target"], told["columns"][2]["role"]) == ("regression", "price", "feature")
    assert told["suggested"] == {"pii": {"value": ["email"], "why": "its name says so"}}
    assert told["expectations"] == {"critical": 7, "warning": 9}
    assert (told["changes"], set(told["files"].values())) == ([], {"written"})


def test_every_kind_of_rule_that_is_proposed_has_a_reason_for_the_screen(project: Path) -> None:
    df = houses().assign(lift=lambda df: np.where(df.index % 3 == 0, None, "yes"))
    df[["lift", *df.columns[:-1]]].to_csv(project / "houses.csv", index=False)
    one, two = init(data="houses.csv", name="one", key=["id"]), init(data="houses.csv", name="two", key=["id", "sold"])
    assert {e.type for e in (*one.proposal.expectations, *two.proposal.expectations)} == set(KINDS)
    told = one.as_text() + two.as_text()
    assert all(f" {kind}: {why}" in told for kind, why in KINDS.values())


def test_no_value_of_what_may_be_personal_is_written_or_shown(project: Path, table: str) -> None:
    report = init(data=table)
    everything = b"".join(written(project).values()).decode() + report.as_text() + json.dumps(report.as_json())
    assert "shop.org" not in everything
    assert yaml.safe_load((project / CASE).read_text(encoding="utf-8")).keys() == {"data", "target", "task", "time"}
    assert "# pii: [email]" in (project / CASE).read_text(encoding="utf-8")


def test_what_a_call_says_is_written_down(project: Path) -> None:
    houses().to_csv(project / "odd.csv", index=False, sep=";", header=False)
    init(data="odd.csv", name="houses", target="column_3", task="regression", key=["column_1"], read=["delimiter=semicolon", "header=no"])
    found = projects.own_use_case("houses", project)
    assert found is not None
    assert (found.target, found.task, found.key, found.reading.delimiter, found.reading.header) == (
        "column_3",
        "regression",
        ("column_1",),
        ";",
        False,
    )


def test_an_address_with_a_secret_in_it_is_not_written(project: Path) -> None:
    houses().to_sql("houses", f"sqlite:///{project}/shop.db", index=False)
    init(data=f"sqlite:///{project}/shop.db?timeout=5", name="houses", read=["query=select * from houses"])
    assert b"timeout" not in b"".join(content for path, content in written(project).items() if path != Path("shop.db"))
    assert "\n# data: lake " in (project / CASE).read_text(encoding="utf-8")


def test_deployments_that_are_there_stay_and_so_does_what_a_person_wrote_around_them(project: Path, table: str) -> None:
    (project / PREFECT).write_text(f"name: shop\n{BEGIN}\n{END}\n# ours\n", encoding="utf-8")
    shutil.copy(project / table, project / "flats.csv")
    init(data="flats.csv")
    init(data=table)
    text = (project / PREFECT).read_text(encoding="utf-8")
    assert (text.startswith("name: shop\n"), text.endswith("# ours\n")) == (True, True)
    deployed = [(entry["entrypoint"], entry["name"]) for entry in yaml.safe_load(text)["deployments"]]
    kept = [name for entry_point, name in deployed if entry_point in ("flows.train:train", "flows.maintain:maintain")]
    assert kept == ["flats", "houses", "all"]


# ------------------------------------------------------------------------------------------------------ once more, and later


def test_a_second_time_nothing_changes_and_that_is_said(project: Path, table: str) -> None:
    init(data=table)
    before = written(project)
    for report in (init(data=table), init(data=table, update=True), init(name="houses")):
        assert report.files == {str(CASE): "kept", str(SUITE): "unchanged", str(PREFECT): "unchanged"}
        assert report.as_text().splitlines()[-1] == "  next      nothing changed"
    assert written(project) == before


def test_a_later_table_shows_what_would_change_and_changes_nothing_unless_asked(project: Path, table: str) -> None:
    init(data=table)
    before = written(project)
    lines = init(data=later(project), name="houses").as_text().splitlines()
    assert written(project) == before
    at = next(place for place, line in enumerate(lines) if line.startswith("  changes "))
    assert lines[at] == "  changes   0 added, 0 removed, 2 changed; 0 of them by hand before"
    assert lines[at + 2].startswith("    ~ 'price': column values to be between: max_value ")
    assert lines[-1] == "  next      init --update brings the suite up to this, except for what a person edited, wrote or took out"
    report = init(data="later.csv", name="houses", update=True)
    assert report.files == {str(CASE): "kept", str(SUITE): "updated", str(PREFECT): "unchanged"}
    assert init(data="later.csv", name="houses").changes == ()
    assert written(project)[CASE] == before[CASE]


def test_what_a_person_made_of_the_files_stays(project: Path, table: str) -> None:
    init(data=table)
    (project / CASE).write_text("data: houses.csv\ntarget: price\npii: [email]\nseed: 7\n", encoding="utf-8")
    suite = Suite.from_json((project / SUITE).read_text(encoding="utf-8"), where="houses.json")
    edited = tuple(
        e.model_copy(update={"kwargs": {**e.kwargs, "max_value": 1e6}, "severity": "critical"}) if "'price'" in e.title else e
        for e in suite.expectations
        if "'size'" not in e.title
    )
    (project / SUITE).write_text(suite.model_copy(update={"expectations": edited}).to_json(), encoding="utf-8")
    before = written(project)
    report = init(data=later(project), name="houses", update=True)
    assert "[taken out by hand]" in report.as_text()
    assert "[edited by hand]" in report.as_text()
    assert {path: content for path, content in written(project).items() if path != SUITE} == {p: c for p, c in before.items() if p != SUITE}
    kept = Suite.from_json((project / SUITE).read_text(encoding="utf-8"), where="houses.json")
    assert kept.expectations == edited


def test_a_call_that_contradicts_the_file_is_refused(project: Path, table: str) -> None:
    init(data=table)
    before = written(project)
    with pytest.raises(UsageError, match=r"houses.yaml says otherwise than --target; change it there, or leave --target out"):
        init(data=table, target="size")
    assert init(data=table, target="price").files[str(CASE)] == "kept"
    assert written(project) == before


# ------------------------------------------------------------------------------------------------------------- when it fails


def test_what_a_kill_left_is_completed_by_the_next_call(project: Path, table: str) -> None:
    init(data=table)
    whole = written(project)
    for lost in chain.from_iterable(combinations(FILES, count) for count in (1, 2)):
        for path in lost:
            (project / path).rename(project / path.with_name(f"{path.name}.partial"))
        report = init(data=table)
        assert {path for path in FILES if report.files[str(path)] == "written"} == set(lost)
        assert written(project) == whole


def test_where_one_file_cannot_be_written_none_is(project: Path, table: str) -> None:
    (project / "expectations").write_text("in the way", encoding="utf-8")
    before = written(project)
    with pytest.raises(UsageError, match=r"^cannot write .*expectations.*; nothing was written"):
        init(data=table)
    assert written(project) == before


@pytest.mark.parametrize(
    ("path", "content", "told"),
    [
        (PREFECT, "name: mine\ndeployments: []\n", "prefect.yaml needs the lines"),
        (Path("deployments/use_cases/other.yaml"), "dta: a.csv\n", "did you mean 'data'?"),
        (SUITE, "{}", "houses.json is not a Great Expectations suite: 'name': field required"),
    ],
)
def test_files_of_a_person_that_are_wrong_are_told_and_nothing_is_written(
    project: Path, table: str, path: Path, content: str, told: str
) -> None:
    (project / path).parent.mkdir(parents=True, exist_ok=True)
    (project / path).write_text(content, encoding="utf-8")
    with pytest.raises(UsageError) as refused:
        init(data=table)
    assert told in refused.value.message
    assert set(written(project)) == {path}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "name the table to propose from: python -m flows init FILE"),
        ({"name": "houses"}, "name the table to propose from: python -m flows init FILE"),
        ({"data": "hoses.csv"}, "did you mean 'houses.csv'?"),
        ({"data": "houses.csv", "name": "My Houses"}, "--name: 'name' is 'My Houses'"),
        ({"data": "houses.csv", "key": ["ident"]}, "there is no column 'ident'"),
        ({"data": "houses.csv", "target": "prize"}, "there is no column 'prize'; did you mean 'price'?"),
    ],
)
def test_what_a_person_can_mistake_is_one_sentence(project: Path, table: str, options: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError) as refused:
        init(**options)
    assert told in refused.value.message
    assert written(project) == {}


def test_a_table_without_anything_to_predict_is_refused(project: Path) -> None:
    houses().assign(price=1.0).to_csv(project / "houses.csv", index=False)
    with pytest.raises(DataRefusedError, match=r"target column 'price' is '1\.0' in all rows"):
        init(data="houses.csv")
    assert written(project) == {}
