from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.deployments import BEGIN, END, NEW, entries, update
from tasks.core.errors import UsageError
from tasks.core.options import IngestOptions, MaintainOptions, ScoreOptions, TrainOptions
from tasks.core.use_case import UseCase

ROOT = Path(__file__).parents[2]
# What a use case with every schedule deploys. Where a change is meant: `python tests/unit/test_deployments.py`.
STORED = Path(__file__).with_name("deployments.yaml")
ON_DEMAND = ("score", "promote", "rollback", "reproduce", "backtest")
EMPTY = f"{BEGIN}\n{END}\n"
LINES = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=40).filter(lambda text: BEGIN not in text)
USE_CASES = st.builds(
    UseCase,
    name=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,9}", fullmatch=True),
    description=st.text(max_size=20) | st.sampled_from([BEGIN, END, f"Houses.\n{END}\n{BEGIN}\n", "Größe: 'ä' # {{ x }}"]),
    data=st.just("a.csv"),
    landing=st.none() | st.just("landing"),
    schedule=st.none() | st.sampled_from(["0 3 * * 1", "*/5 * * * *"]),
)


def bundled() -> list[UseCase]:
    paths = sorted((ROOT / "deployments/use_cases").glob("*.yaml"))
    return [UseCase.from_values(path.stem, yaml.safe_load(path.read_text(encoding="utf-8")), where=str(path)) for path in paths]


def busy() -> UseCase:
    """Give a use case with every schedule."""
    schedule = {"train": "0 3 * * 1", "ingest": "*/15 * * * *", "monitor": "5 6-22 * * mon-fri", "score": "30 6 * * *"}
    values = {"landing": "landing", "schedule": schedule, "score": {"data": "new.csv", "out": "predictions.parquet"}}
    return UseCase.from_values("houses", values, where="houses.yaml")


def entry(job: str = "train", **values: object) -> dict[str, object]:
    use_case = UseCase.from_values("houses", {"data": "houses.csv", **values}, where="houses.yaml")
    deployed = yaml.safe_load(entries([use_case]))["deployments"]
    (found,) = [entry for entry in deployed if entry["entrypoint"].startswith(f"flows.{job}:")]
    return found


def triggers(job: str, **values: object) -> dict[str, dict[str, object]]:
    found = entry(job, **values)["triggers"]
    assert isinstance(found, list)
    return {trigger["name"]: trigger for trigger in found}


def names(use_cases: list[UseCase]) -> list[str]:
    """Name deployments as Prefect does: flow and deployment."""
    return [f"{entry['entrypoint'].partition(':')[2]}/{entry['name']}" for entry in yaml.safe_load(entries(use_cases))["deployments"]]


# ------------------------------------------------------------------------------------------------------ between markers


def test_the_checked_in_prefect_yaml_is_what_the_use_cases_generate() -> None:
    text = (ROOT / "prefect.yaml").read_text(encoding="utf-8")
    assert update(NEW, bundled()) == update(text, bundled()) == text
    expected = [f"{job}/{name}" for job in ("train", *ON_DEMAND) for name in ("breast_cancer", "diabetes", "wine")]
    assert names(bundled()) == [*expected, "maintain/all", "alarm/all"]


def test_a_use_case_with_every_schedule_deploys_what_is_stored_here() -> None:
    assert entries([busy()]) == STORED.read_text(encoding="utf-8")


@settings(max_examples=10)
@given(LINES, LINES, st.lists(USE_CASES, max_size=2), st.lists(USE_CASES, max_size=2))
def test_only_what_is_between_the_markers_changes(head: str, tail: str, old: list[UseCase], new: list[UseCase]) -> None:
    before, after = f"{head}\n", f"\n{tail}"
    updated = update(f"{before}{BEGIN}\n{entries(old)}{END}{after}", new)
    assert updated == f"{before}{BEGIN}\n{entries(new)}{END}{after}"
    assert update(updated, new) == updated


@pytest.mark.parametrize("line", [f"# keep '{BEGIN}'\n", f"  {END}\n", f"{BEGIN} and so on\n"])
def test_a_line_that_only_mentions_a_marker_is_none(line: str) -> None:
    assert update(line + EMPTY, []) == f"{line}{BEGIN}\ndeployments: []\n{END}\n"


@pytest.mark.parametrize("text", ["", "name: evergreen\n", f"{BEGIN}\n", f"{END}\n", f"{END}\n{BEGIN}\n", f"  {BEGIN}\n  {END}\n"])
def test_a_file_without_both_markers_is_refused_with_the_lines_that_it_needs(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        update(text, bundled())
    assert refused.value.message == f"prefect.yaml needs the lines '{BEGIN}' and '{END}'; what stands between them is replaced"
    assert refused.value.where == "prefect.yaml"


# -------------------------------------------------------------------------------------------------------------- entries


@settings(max_examples=10)
@given(st.lists(USE_CASES, max_size=4, unique_by=lambda use_case: use_case.name))
def test_no_two_deployments_are_called_the_same(use_cases: list[UseCase]) -> None:
    assert len(set(names(use_cases))) == len(names(use_cases))


def jobs(**values: object) -> list[str]:
    """List the jobs that are deployed for a use case and depend on what it says."""
    use_case = UseCase.from_values("houses", values, where="houses.yaml")
    deployed = yaml.safe_load(entries([use_case]))["deployments"]
    return [job for entry in deployed if (job := entry["entrypoint"].partition(":")[2]) not in (*ON_DEMAND, "maintain", "alarm")]


def test_what_comes_by_itself_is_ingested_and_only_that() -> None:
    assert jobs(data="houses.csv") == ["train"]
    assert jobs(landing="landing") == ["train", "ingest", "monitor"]
    assert jobs(data="postgresql://db/shop", schedule={"ingest": "5 * * * *"}) == ["train", "ingest"]


def test_what_new_rows_can_come_to_is_monitored_and_only_that() -> None:
    assert jobs() == ["train", "monitor"]
    assert jobs(data="houses.csv", schedule={"monitor": "5 * * * *"}) == ["train", "monitor"]


def test_what_a_person_starts_is_deployed_without_a_schedule() -> None:
    deployed = [entry(job) for job in ON_DEMAND]
    assert [found["schedules"] for found in deployed] == [[]] * len(ON_DEMAND)
    assert {found["concurrency_limit"]["collision_strategy"] for found in deployed} == {"ENQUEUE"}  # pyright: ignore[reportIndexIssue]


def test_what_is_scored_by_itself_stands_in_the_parameters() -> None:
    found = entry("score", score={"data": "new.csv", "out": "p.csv"}, schedule={"score": "30 6 * * *"})
    assert found["schedules"] == [{"cron": "30 6 * * *", "timezone": "UTC", "slug": "score"}]
    options = found["parameters"]["options"]  # pyright: ignore[reportIndexIssue]
    assert ScoreOptions.model_validate(options) == ScoreOptions(use_case="houses", data="new.csv", out="p.csv")


# ------------------------------------------------------------------------------------------------------------- triggers


def test_a_training_is_started_by_what_a_monitor_of_the_same_use_case_asks_for() -> None:
    (trigger,) = triggers("train").values()
    assert (trigger["expect"], trigger["match"]) == (["evergreen.retrain.wanted"], {"prefect.resource.id": "evergreen.use-case.houses"})
    asked_by = {"__prefect_kind": "jinja", "template": "{{ event.payload.asked_by }}"}
    assert trigger["parameters"] == {"options": {"use_case": "houses", "asked_by": asked_by}}


def test_an_alarm_is_raised_by_every_run_of_ours_but_an_alarm() -> None:
    found = [trigger for name, trigger in triggers("alarm").items() if "run" in name.split()]
    assert [trigger["match_related"] for trigger in found] == [
        [
            {"prefect.resource.role": "tag", "prefect.resource.id": "prefect.tag.evergreen"},
            {"prefect.resource.role": "flow", "prefect.resource.name": "!alarm"},
        ]
    ] * 2


def test_a_run_that_a_person_started_with_wrong_options_alarms_nobody() -> None:
    match = triggers("alarm")["alarm when a run fails or crashes"]["match"]
    assert match == {
        "prefect.resource.id": "prefect.flow-run.*",
        "prefect.state-type": ["FAILED", "CRASHED"],
        "prefect.state-name": "!Refused",
    }


@pytest.mark.parametrize(("when", "hours"), [("*/15 * * * *", 0.25), ("0 3 * * 1", 168), ("5 6-22 * * mon-fri", 56)])
def test_a_monitor_is_missed_an_hour_after_its_longest_period(when: str, hours: float) -> None:
    trigger = triggers("alarm", schedule={"monitor": when})["alarm when houses is not monitored"]
    assert (trigger["posture"], trigger["within"]) == ("Proactive", hours * 3600 + 3600)


def test_nobody_misses_a_monitor_without_a_schedule() -> None:
    assert list(triggers("alarm", landing="landing")) == [
        "alarm when a run fails or crashes",
        "alarm when a run is late",
        "alarm when an automation cannot act",
    ]


def test_a_schedule_is_cron_in_utc() -> None:
    assert entry(schedule="0 3 * * 1")["schedules"] == [{"cron": "0 3 * * 1", "timezone": "UTC", "slug": "train"}]
    both = {"train": "0 3 * * 1", "ingest": "*/15 * * * *"}
    assert entry(schedule=both) == entry(schedule="0 3 * * 1")
    assert entry("ingest", schedule=both)["schedules"] == [{"cron": "*/15 * * * *", "timezone": "UTC", "slug": "ingest"}]
    assert entry("maintain")["schedules"] == [{"cron": "30 1 * * 0", "timezone": "UTC", "slug": "maintain"}]


def test_a_use_case_without_a_schedule_is_deployed_and_runs_when_asked() -> None:
    assert entry()["schedules"] == entry("ingest", landing="landing")["schedules"] == []


def test_one_run_at_a_time_and_the_next_one_waits_where_it_may_bring_something() -> None:
    assert entry()["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}
    assert entry("monitor", landing="landing")["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}


@pytest.mark.parametrize("job", ["train", "ingest", "monitor", "maintain", "alarm", *ON_DEMAND])
def test_the_entry_point_is_a_flow_of_its_module(job: str) -> None:
    deployment = entry(job, landing="landing")
    module, _, name = str(deployment["entrypoint"]).partition(":")
    tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
    flows = [node for node in tree.body if isinstance(node, ast.FunctionDef) and "flow" in map(ast.unparse, node.decorator_list)]
    assert [(flow.name, [argument.arg for argument in flow.args.args]) for flow in flows] == [(name, list(deployment["parameters"]))]  # pyright: ignore[reportArgumentType]
    assert "notify.ends_alarms" in map(ast.unparse, flows[0].decorator_list), "or its alarms never end"


def test_the_parameters_are_options_that_the_flow_takes() -> None:
    def options(job: str) -> dict[str, object]:
        return entry(job, landing="landing", target="price")["parameters"]["options"]  # pyright: ignore[reportIndexIssue]

    assert TrainOptions.model_validate(options("train")) == TrainOptions(use_case="houses")
    assert IngestOptions.model_validate(options("ingest")) == IngestOptions(use_case="houses")
    assert MaintainOptions.model_validate(options("maintain")) == MaintainOptions()


def test_an_entry_can_be_found_by_its_tags_and_tells_what_it_does() -> None:
    assert entry()["tags"] == ["evergreen", "houses"]
    assert entry()["description"] == "Train houses and let the gate decide."
    assert entry(description="Größe: 'ä' # {{ x }}")["description"] == "Größe: 'ä' # {{ x }}"


if __name__ == "__main__":
    STORED.write_text(entries([busy()]), encoding="utf-8")
