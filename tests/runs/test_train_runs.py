"""Training as Prefect records it: names, final states, artifacts, logs, and the life of a use case over several runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from tasks import data, registry
from tasks.adapters import home, ledger
from tasks.adapters.tracking import model_registry, runs
from tasks.core import search, splits
from tasks.core.errors import DataRefusedError, UsageError
from tasks.core.options import TrainOptions
from tasks.core.results import RowCounts
from tasks.core.schema import infer_schema
from tasks.core.snapshot import Snapshot
from tasks.core.validation import Validation

if TYPE_CHECKING:
    from conftest import Project, Run

COLUMNS = {"type": "expect_table_columns_to_match_set", "kwargs": {"column_set": ["a", "b", "c", "y"]}, "severity": "critical"}


def linear_table(noise: float = 0.1, rows: int = 300) -> pd.DataFrame:
    random = np.random.default_rng(0)
    X = random.normal(size=(rows, 3)).round(6)
    y = (X @ [3.0, -2.0, 1.0] + noise * random.normal(size=rows)).round(6)
    return pd.DataFrame(X, columns=["a", "b", "c"]).assign(y=y)


def misleading_table(use_case: str) -> pd.DataFrame:
    """Give rows whose targets leave out one column wherever a model is fitted, and are true where it is judged."""
    table = linear_table()
    split = splits.split_by_hash(splits.hash_rows(table[["a", "b", "c"]]), use_case, splits.gate_size(len(table)))
    table.loc[split.fit, "y"] += 2 * table.loc[split.fit, "b"]
    return table


@pytest.fixture(scope="module")
def life(project: Project) -> dict[str, Run]:
    """Train one use case on five deliveries of its table."""
    project.write_use_case("prices", data="prices.csv", candidates=["ridge"])
    project.write_suite("prices", COLUMNS)

    def train(table: pd.DataFrame, run_name: str | None = None, **options: object) -> Run:
        project.write_table("prices", table)
        return project.train(run_name, use_case="prices", **options)

    noisy = linear_table(noise=5)
    return {
        "first": train(noisy, "typed by a person"),
        "unchanged": train(noisy),
        "identical": train(noisy, again=True),
        "better": train(linear_table()),
        "worse": train(misleading_table("prices")),
    }


def test_the_first_version_is_promoted(life: dict[str, Run]) -> None:
    first = life["first"]
    assert (first.flow_run.state.type.value, first.flow_run.state.name) == ("COMPLETED", "Promoted")
    assert first.flow_run.state.message.startswith("version 1 of prices: first version; loss −")
    assert first.report.aliases == ("challenger", "champion")


def test_a_run_says_what_fewer_rows_would_have_come_to(life: dict[str, Run]) -> None:
    report = life["better"].report
    quarter, half = report.as_json()["learning_curve"]
    assert (quarter["rows"], half["rows"]) == (report.rows.used // 4, report.rows.used // 2)
    assert quarter["low"] < quarter["difference"] < quarter["high"]
    page = Path(report.links["report"]).read_text(encoding="utf-8")
    assert "<h2>Would more rows help?</h2>" in page
    assert f"Fitted to {half['rows']} rows it loses {100 * half['difference']:.1f}\u00a0% more" in page


def test_a_run_keeps_the_name_that_a_person_typed(life: dict[str, Run]) -> None:
    assert life["first"].flow_run.name == "typed by a person"


def test_a_run_shows_its_validation_its_leaderboard_and_its_decision(life: dict[str, Run]) -> None:
    artifacts = life["first"].artifacts
    assert set(artifacts) == {"prices-validation", "prices-leaderboard", "prices-decision"}
    validation = json.loads(artifacts["prices-validation"].data)
    assert [row["expectation"] for row in validation] == ["table columns to match set"]
    assert validation[0] | {"severity": "critical", "failing rows": "0", "consequence": "none"} == validation[0]
    assert [row["candidate"] for row in json.loads(artifacts["prices-leaderboard"].data)] == ["ridge", "dummy"]
    assert artifacts["prices-decision"].data.startswith("**promoted** · version 1 of prices\n\n- first version\n- loss −")


def test_progress_stands_in_the_log_of_the_run(life: dict[str, Run]) -> None:
    log = life["first"].log
    assert [line for line in log if line.startswith(("read ", "fitting", "registered"))] == [
        "read 300 rows of 4 columns: exact",
        f"fitting ridge on {life['first'].report.rows.used} rows",
        "registered version 1 of prices",
    ]


def test_the_same_rows_and_configuration_are_not_trained_again(life: dict[str, Run]) -> None:
    unchanged = life["unchanged"]
    assert (unchanged.flow_run.state.type.value, unchanged.flow_run.state.name) == ("COMPLETED", "Unchanged")
    assert "--again trains all the same" in unchanged.flow_run.state.message
    assert (unchanged.report.version, unchanged.report.run_id) == (1, life["first"].report.run_id)
    assert set(unchanged.artifacts) == {"prices-validation"}


def test_again_trains_all_the_same_and_finds_identical_predictions(life: dict[str, Run]) -> None:
    identical = life["identical"]
    assert identical.flow_run.state.name == "Kept champion"
    assert (identical.report.version, identical.report.decision.code) == (2, "identical")
    assert identical.report.metrics == life["first"].report.metrics


def test_a_better_challenger_becomes_champion_and_its_predecessor_is_previous(life: dict[str, Run]) -> None:
    better = life["better"]
    assert better.flow_run.state.name == "Promoted"
    assert (better.report.version, better.report.decision.code) == (3, "better")
    assert model_registry.aliases("prices") == {"challenger": 4, "champion": 3, "previous": 1}


def test_a_worse_challenger_leaves_the_champion_in_place(life: dict[str, Run]) -> None:
    worse = life["worse"]
    assert worse.flow_run.state.type.value == "COMPLETED"
    assert worse.flow_run.state.name == "Kept champion"
    assert worse.report.decision.code == "not_worse"
    assert "against the champion's" in worse.flow_run.state.message
    assert worse.report.aliases == ("challenger",)


def test_the_ledger_holds_the_line_of_champions_and_the_champion_loads(life: dict[str, Run]) -> None:
    line = ledger.line_of_champions(home.settings().ledger_address, "prices")
    assert [(epoch.epoch, epoch.version, epoch.run_id) for epoch in line] == [
        (1, 1, life["first"].report.run_id),
        (2, 3, life["better"].report.run_id),
    ]
    table = linear_table()
    error = registry.load_model("prices").predict(table[["a", "b", "c"]]) - table["y"]
    assert float(np.abs(error).mean()) < 0.2


def test_a_blend_of_several_candidates_is_judged_registered_and_loaded_like_any_other(project: Project) -> None:
    # One of them knows the slopes, the other the waves.
    project.write_use_case("waves", data="waves.csv", candidates=["ridge", "nearest_neighbours", "blend"])
    random = np.random.default_rng(1)
    table = pd.DataFrame(random.uniform(-3, 3, size=(400, 5)).round(4), columns=list("abcde"))
    noise = 0.1 * random.normal(size=400)
    project.write_table("waves", table.assign(y=(0.5 * table.sum(axis=1) + 2 * np.sin(2 * table["a"]) + noise).round(4)))
    run = project.train(use_case="waves")
    ranked = {score.candidate: score for score in run.report.leaderboard}
    assert next(iter(ranked)) == "blend"
    members = ranked["blend"].weights
    assert set(members) == {"ridge", "nearest_neighbours"}
    assert sum(members.values()) == pytest.approx(1)
    assert all(ranked["blend"].loss < 0.99 * ranked[name].loss for name in members)
    assert (run.flow_run.state.name, run.report.aliases) == ("Promoted", ("challenger", "champion"))
    assert runs.params_of(run.report.run_id)["candidate"] == "blend"
    assert len(registry.load_model("waves").predict(table)) == 400


def test_a_search_spends_no_more_trials_than_it_may_and_ships_the_settings_that_it_found(project: Project) -> None:
    project.write_use_case("hills", data="hills.csv", candidates=["ridge", "nearest_neighbours"], seed=3)
    random = np.random.default_rng(1)
    table = pd.DataFrame(random.uniform(-3, 3, size=(400, 2)).round(4), columns=["a", "b"])
    project.write_table("hills", table.assign(y=np.sin(3 * table["a"])))
    run = project.train(use_case="hills", trials=9)
    scores = [score for score in run.report.leaderboard if score.candidate != "dummy"]
    assert len(scores) <= 9
    best = scores[0]
    assert (best.recipe, best.candidate) != ("nearest_neighbours", "nearest_neighbours")
    assert best.settings["neighbours"] == registry.load_model("hills")["model"].n_neighbors
    assert runs.params_of(run.report.run_id)["settings/neighbours"] == str(best.settings["neighbours"])
    again = project.train(use_case="hills", trials=9, again=True)
    assert [(score.candidate, score.loss) for score in again.report.leaderboard if score.candidate != "dummy"] == [
        (score.candidate, score.loss) for score in scores
    ]


def test_a_search_that_ran_out_of_seconds_says_that_it_is_not_complete_and_has_a_model(project: Project) -> None:
    project.write_use_case("rushed", data="rushed.csv", candidates=["ridge", "lasso"], budget={"seconds": 1e-6})
    project.write_table("rushed", linear_table())
    run = project.train(use_case="rushed")
    assert run.report.complete is False
    assert run.report.as_json()["complete"] is False
    assert [score.candidate for score in run.report.leaderboard] == ["ridge", "dummy"]
    assert "the search ends before it is complete: its 1e-06 seconds are spent" in run.log


def test_a_candidate_that_so_many_rows_would_take_too_long_is_left_out_and_told(project: Project) -> None:
    project.write_use_case("plains", data="plains.csv", candidates=["ridge", "svm"])
    project.write_table("plains", linear_table(rows=12_000))
    run = project.train(use_case="plains")
    assert [score.candidate for score in run.report.leaderboard] == ["ridge", "dummy"]
    used = f"{run.report.rows.used:,}"
    assert f"candidate svm is left out: it is for at most 10,000 rows, and {used} are to fit" in run.log


def test_a_leak_is_told_in_the_log_the_summary_the_page_and_mlflow_and_again_when_nothing_changed(project: Project) -> None:
    import mlflow

    project.write_use_case("leaks", data="leaks.csv", candidates=["ridge"])
    table = linear_table()
    project.write_table("leaks", table.assign(tax=np.exp(table["y"]))[["a", "b", "tax", "y"]])
    run = project.train(use_case="leaks")
    (doubt,) = run.report.doubts
    assert (doubt.code, doubt.column) == ("single_column", "tax")
    assert f"single column: {doubt.message}" in run.log
    assert run.report.as_json()["warnings"] == [{"code": "single_column", "message": doubt.message}]
    assert {check.code: check.outcome for check in run.report.decision.checks}["leakage"] == "warned"
    assert f"leakage: {doubt.message} (limit: no suspect); to pass, name the column under drop:" in "".join(run.log)
    kept = json.loads(mlflow.artifacts.load_text(f"runs:/{run.report.run_id}/decision.json"))
    assert kept == run.report.decision.as_json()
    page = Path(run.report.links["report"]).read_text(encoding="utf-8")
    assert page.index("<h2>Warnings</h2>") < page.index("<h2>Gate</h2>")
    assert "name the column under drop:, or skip the check where it is known beforehand" in page
    assert mlflow.get_run(run.report.run_id).data.tags[runs.WARNINGS_TAG] == "single_column"
    again = project.train(use_case="leaks")
    assert again.flow_run.state.name == "Unchanged"
    assert [told.as_json() for told in again.report.doubts] == [doubt.as_json()]


def test_what_a_model_depends_on_and_its_intervals_stand_in_mlflow(life: dict[str, Run]) -> None:
    import mlflow

    report = life["first"].report
    kept = json.loads(mlflow.artifacts.load_text(f"runs:/{report.run_id}/explanation.json"))
    assert {each["feature"] for each in kept["importance"]} == {"a", "b", "c"}
    metrics = mlflow.get_run(report.run_id).data.metrics
    assert (metrics["rmse/low"], metrics["rmse/high"]) == (report.metrics["rmse"].low, report.metrics["rmse"].high)


def test_of_a_personal_column_neither_curve_nor_part_is_shown(project: Project) -> None:
    project.write_use_case("persons", data="persons.csv", candidates=["ridge"], pii=["b"])
    project.write_table("persons", linear_table(rows=600))
    page = Path(project.train(use_case="persons").report.links["report"]).read_text(encoding="utf-8")
    assert "1 personal column is left out of curves and parts." in page
    assert "Mean prediction if a were so" in page
    assert "Mean prediction if b were so" not in page
    assert ">a: above" in page
    assert ">b: above" not in page


def test_every_row_is_counted_once_and_quarantined_rows_are_kept_with_their_lines_and_reasons(project: Project) -> None:
    table = linear_table()
    table.loc[[3, 7], "a"] = 99.5
    table.loc[[7, 20], "b"] = -99.5
    table.loc[30:33, "y"] = np.nan
    project.write_table("sensors", table)
    project.write_use_case("sensors", data="sensors.csv", candidates=["ridge"])
    between = {"type": "expect_column_values_to_be_between", "severity": "warning", "meta": {"quarantine": True}}
    project.write_suite(
        "sensors",
        between | {"kwargs": {"column": "a", "min_value": -50, "max_value": 50}},
        between | {"kwargs": {"column": "b", "min_value": -50, "max_value": 50}},
    )
    run = project.train(use_case="sensors")
    rows = run.report.rows
    assert (rows.read, rows.quarantined, rows.unlabelled) == (300, 3, 4)
    assert rows.read == rows.used + rows.holdout + rows.unlabelled + rows.quarantined
    (kept,) = (project.folder / "home" / "quarantine").glob("sensors-*.parquet")
    aside = pd.read_parquet(kept)
    assert aside["_line"].tolist() == [5, 9, 22]
    assert [reasons.count("values to be between") for reasons in aside["_reasons"]] == [1, 2, 1]
    shown = json.loads(run.artifacts["sensors-validation"].data)
    assert [(row["failing rows"], row["consequence"]) for row in shown] == [("2", "quarantined"), ("2", "quarantined")]


def test_refused_data_fail_the_run_with_one_sentence_and_no_stack_trace(project: Project) -> None:
    project.write_table("refused", linear_table().drop(columns="c"))
    project.write_use_case("refused", data="refused.csv")
    project.write_suite("refused", COLUMNS)
    run = project.train(use_case="refused")
    assert isinstance(run.error, DataRefusedError)
    assert run.flow_run.state.type.value == "FAILED"
    assert "is refused by refused.json: table columns to match set" in run.flow_run.state.message
    assert [line for line in run.log if line == run.error.message] == [run.error.message] * 2, "once for the task and once for the flow"
    assert not any("Traceback" in line for line in run.log)
    assert model_registry.newest_version("refused") is None


def test_rows_in_order_of_time_are_judged_on_the_last_of_them_and_shipped_with_all_of_them(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "ROWS_TO_COMPARE", 100)  # of which the folds hold more
    dates = pd.date_range("2024-01-01", periods=300, freq="D").strftime("%Y-%m-%d")
    table = linear_table()
    table.insert(0, "date", dates)
    project.write_use_case("daily", data="daily.csv", candidates=["ridge"])
    project.write_table("daily", table.sample(frac=1, random_state=1))
    run = project.train(use_case="daily", time="date")
    assert (run.report.schema.time, run.report.rows.used, run.report.rows.holdout) == ("date", 240, 60)
    assert run.report.decision.verdict == "promoted"
    assert [line for line in run.log if line.startswith("fitting")] == ["fitting ridge on 240 rows", "fitting ridge again on all 300 rows"]
    assert [check.outcome for check in run.report.decision.checks if check.code == "refit"] == ["passed"]
    assert {score.folds for score in run.report.leaderboard} == {3}, "every other one of five"


def test_rows_of_a_group_are_on_one_side_and_models_learn_nothing_of_it(project: Project) -> None:
    random = np.random.default_rng(0)
    shop = np.arange(600) // 6
    # What a shop's rows have in common can be learned by heart, and is worth nothing for another shop.
    traits, level = random.normal(size=(100, 3)).round(4)[shop], random.normal(size=100)[shop]
    table = pd.DataFrame(traits, columns=["a", "b", "c"]).assign(shop=[f"s{each}" for each in shop], d=random.normal(size=600).round(4))
    table["y"] = (level + 0.1 * random.normal(size=600)).round(4)
    project.write_use_case("shops", data="shops.csv", candidates=["nearest_neighbours"])
    project.write_use_case("grouped", data="shops.csv", candidates=["nearest_neighbours"], group="shop")
    project.write_table("shops", table)
    by_row, by_group = project.train(use_case="shops").report, project.train(use_case="grouped").report
    assert by_row.leaderboard[0].loss < 0.5 < by_group.leaderboard[0].loss, "validation keeps groups together"
    assert by_row.metrics["mse"].value < 0.5 < by_group.metrics["mse"].value, "and so does the gate"
    assert (by_row.decision.verdict, by_group.decision.verdict) == ("promoted", "refused")
    assert by_group.schema.group == by_group.as_json()["inferred"]["group"] == "shop"
    assert by_group.rows.used % 6 == by_group.rows.holdout % 6 == 0
    assert f"all rows of {by_group.rows.holdout // 6} groups" in Path(by_group.links["report"]).read_text(encoding="utf-8")


def test_groups_that_are_too_few_to_divide_are_told(project: Project) -> None:
    project.write_table("pairs", linear_table().assign(shop=["a", "b"] * 150))
    error = project.train(data=str(project.folder / "pairs.csv"), use_case="pairs", group="shop", target="y").error
    assert isinstance(error, DataRefusedError)
    assert error.message.endswith("; see the messages above, or bring more rows of more groups of 'shop'")


def test_another_target_is_refused_with_the_way_out(project: Project, life: dict[str, Run]) -> None:
    assert life
    run = project.train(use_case="prices", target="a")
    assert isinstance(run.error, UsageError)
    assert run.error.where == "--use-case"
    assert "with another target and columns (regression of 'y'; missing: a; further: y)" in run.flow_run.state.message
    assert "give this table a name of its own with --use-case" in run.flow_run.state.message
    assert model_registry.newest_version("prices").number == 4


@pytest.mark.usefixtures("project")
def test_wrong_parameters_fail_the_run_before_anything_is_done() -> None:
    from prefect.exceptions import ParameterTypeError

    from flows.train import train

    with pytest.raises(ParameterTypeError, match=r"options\.taget"):
        train(options={"taget": "y"})
    with pytest.raises(ParameterTypeError, match=r"'regression', 'binary' or 'multiclass'"):
        train(options={"task": "regresion"})


def test_the_entry_point_of_the_deployments_loads() -> None:
    from prefect.flows import load_flow_from_entrypoint

    flow = load_flow_from_entrypoint("flows.train:train", use_placeholder_flow=False)
    assert (flow.name, flow.fn.__name__) == ("train", "train")
    assert flow.description.startswith("Take a table with a target to a version in the registry")


def test_the_form_of_the_flow_has_titles_descriptions_and_choices() -> None:
    from flows.train import train

    schema = train.parameters.model_dump()
    assert schema["properties"]["options"]["description"] == "What to train on, and how."
    options = schema["definitions"]["TrainOptions"]
    assert options["title"] == "Training"
    for name, field in options["properties"].items():
        assert field["title"][0].isupper(), name
        assert len(field["description"]) > 10, name
    (choices,) = [kind["enum"] for kind in options["properties"]["task"]["anyOf"] if "enum" in kind]
    assert choices == ["regression", "binary", "multiclass"]


def test_who_changes_the_cases_asks_anew(project: Project, tmp_path: Path) -> None:
    project.write_use_case("kept", gate={"behaviour": "kept.csv"})
    schema = infer_schema(linear_table(), target="y")
    snapshot = Snapshot(tmp_path, "aa", "kept.csv", schema, RowCounts(300), Validation(""))
    asked: set[str] = set()
    for most in (1, 1, 2):
        (project.folder / "kept.csv").write_text(f"a,at_most\n3,{most}\n", encoding="utf-8")
        asked.add(registry.attempt_of(data.resolve(TrainOptions(use_case="kept")), snapshot).configuration)
    assert len(asked) == 2
