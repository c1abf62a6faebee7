"""Every deployment as Prefect takes it: its flow loads, its parameters and those of its triggers are what the flow takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
STORED = ROOT / "tests" / "unit" / "deployments.yaml"  # with what every trigger says
DEPLOYED = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
AUTOMATION = {"id": "prefect.automation.1-2", "name": "retrain wine"}
EVENT = {"payload": {"asked_by": "3-17", "reason": "no such deployment"}, "resource": AUTOMATION}
FLOW_RUN = {"id": "1-2", "name": "train-wine", "state": {"name": "Crashed", "message": "killed"}}
CONTEXT = {"event": EVENT, "flow_run": FLOW_RUN, "flow": {"name": "train"}, "deployment": {"name": "wine"}}


def one_of_each_flow() -> list[Any]:
    return [*{entry["entrypoint"]: entry for entry in DEPLOYED}.values()]


def problems(entry: dict[str, Any], parameters: dict[str, object]) -> list[str]:
    """Ask as the server does before it creates a run."""
    from prefect.flows import load_flow_from_entrypoint
    from prefect.utilities.callables import parameter_schema
    from prefect.utilities.schema_tools.validation import validate

    flow = load_flow_from_entrypoint(entry["entrypoint"], use_placeholder_flow=False)
    flow.validate_parameters(parameters)
    schema = parameter_schema(flow.fn).model_dump_for_openapi()
    return [error.message for error in validate(parameters, schema, ignore_required=True)]


@pytest.mark.parametrize("entry", one_of_each_flow(), ids=lambda entry: entry["entrypoint"])
def test_an_entry_point_loads_and_takes_its_parameters(entry: dict[str, Any]) -> None:
    assert problems(entry, entry["parameters"]) == []


def filled(trigger: dict[str, Any]) -> dict[str, Any]:
    """Take a trigger as Prefect does, and fill in what an event says; the server adds no filters of its own where it does so."""
    from prefect.events import DeploymentTriggerTypes
    from prefect.utilities.schema_tools.hydration import HydrationContext, hydrate
    from pydantic import TypeAdapter

    TypeAdapter(DeploymentTriggerTypes).validate_python(trigger)
    return hydrate(trigger["parameters"], HydrationContext(render_jinja=True, jinja_context=CONTEXT, raise_on_error=True))


def test_what_a_trigger_of_a_training_fills_in_is_what_the_flow_takes() -> None:
    entry = one_of_each_flow()[0]
    (trigger,) = entry["triggers"]
    assert problems(entry, filled(trigger)) == []
    assert filled(trigger)["options"]["asked_by"] == "3-17"


def test_what_the_triggers_of_alarms_fill_in_is_text() -> None:
    entry = yaml.safe_load(STORED.read_text(encoding="utf-8"))["deployments"][-1]
    failed, late, action, missed = [filled(trigger)["options"] for trigger in entry["triggers"]]
    link = "http://127.0.0.1:4200/runs/flow-run/1-2"
    assert failed == {"use_case": "wine", "code": "run_failed.train", "text": "run train-wine ended as Crashed: killed", "link": link}
    assert (late["code"], late["link"]) == ("run_late.train", link)
    assert action["code"] == "action_failed.prefect.automation.1-2"
    assert action["text"] == "automation retrain wine could not act: no such deployment"
    assert missed["code"] == "not_monitored"


@pytest.mark.parametrize(
    ("job", "options", "told"),
    [
        ("train", {"task": "forecast"}, "'forecast' is not one of ['regression', 'binary', 'multiclass']"),
        ("train", {"trials": 0}, "0 is less than the minimum of 1"),
        ("train", {"trails": 3}, "Additional properties are not allowed ('trails' was unexpected)"),
        ("promote", {"waive": ["basline"]}, "'basline' is not one of ['not_worse', 'anchor', 'repeated_looks'"),
        ("backtest", {"candidate": "rigde"}, "'rigde' is not one of ['ridge'"),
        ("backtest", {"chunks": 1}, "1 is less than the minimum of 2"),
    ],
)
def test_a_form_refuses_what_cannot_be(job: str, options: dict[str, object], told: str) -> None:
    from prefect.flows import load_flow_from_entrypoint
    from prefect.utilities.callables import parameter_schema
    from prefect.utilities.schema_tools.validation import validate

    flow = load_flow_from_entrypoint(f"flows.{job}:{job}", use_placeholder_flow=False)
    errors = validate({"options": options}, parameter_schema(flow.fn).model_dump_for_openapi(), ignore_required=True)
    messages = [error.message for error in errors] + [inner.message for error in errors for inner in error.context or ()]
    assert any(message.startswith(told) for message in messages), messages
