from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.deployments import BEGIN, END, NEW, entries, update
from tasks.core.errors import UsageError
from tasks.core.options import IngestOptions, MaintainOptions, TrainOptions
from tasks.core.use_case import UseCase

ROOT = Path(__file__).parents[2]
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


def entry(job: str = "train", **values: object) -> dict[str, object]:
    use_case = UseCase.from_values("houses", {"data": "houses.csv", **values}, where="houses.yaml")
    (found,) = [entry for entry in yaml.safe_load(entries([use_case]))["deployments"] if entry["entrypoint"].startswith(f"flows.{job}:")]
    return found


def names(use_cases: list[UseCase]) -> list[str]:
    """Name deployments as Prefect does: flow and deployment."""
    return [f"{entry['entrypoint'].partition(':')[2]}/{entry['name']}" for entry in yaml.safe_load(entries(use_cases))["deployments"]]


# ------------------------------------------------------------------------------------------------------ between markers


def test_the_checked_in_prefect_yaml_is_what_the_use_cases_generate() -> None:
    text = (ROOT / "prefect.yaml").read_text(encoding="utf-8")
    assert update(NEW, bundled()) == update(text, bundled()) == text
    assert names(bundled()) == ["train/breast_cancer", "train/diabetes", "train/wine", "maintain/all"]


@settings(max_examples=30, deadline=None)
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


@settings(max_examples=30, deadline=None)
@given(st.lists(USE_CASES, max_size=4, unique_by=lambda use_case: use_case.name))
def test_no_two_deployments_are_called_the_same(use_cases: list[UseCase]) -> None:
    assert len(set(names(use_cases))) == len(names(use_cases))


def test_what_comes_by_itself_is_ingested_and_only_that() -> None:
    def of(**values: object) -> list[str]:
        return names([UseCase.from_values("houses", values, where="houses.yaml")])

    assert of(data="houses.csv") == ["train/houses", "maintain/all"]
    assert of(landing="landing") == ["train/houses", "ingest/houses", "maintain/all"]
    assert of(data="postgresql://db/shop", schedule={"ingest": "5 * * * *"}) == ["train/houses", "ingest/houses", "maintain/all"]


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
    assert entry("ingest", landing="landing")["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}


@pytest.mark.parametrize("job", ["train", "ingest", "maintain"])
def test_the_entry_point_is_a_flow_of_its_module(job: str) -> None:
    deployment = entry(job, landing="landing")
    module, _, name = str(deployment["entrypoint"]).partition(":")
    tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
    flows = [node for node in tree.body if isinstance(node, ast.FunctionDef) and "flow" in map(ast.unparse, node.decorator_list)]
    assert [(flow.name, [argument.arg for argument in flow.args.args]) for flow in flows] == [(name, list(deployment["parameters"]))]  # pyright: ignore[reportArgumentType]


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
