"""Every deployment as Prefect takes it: its flow loads, its parameters and those of its triggers are what the flow takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOYED = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
EVENT = {"payload": {"asked_by": "3:17", "reason": "no such deployment"}, "resource": {"name": "retrain wine"}}
STATE = {"name": "Crashed", "message": "killed"}
CONTEXT = {"event": EVENT, "flow_run": {"name": "train-wine", "state": STATE}, "flow": {"name": "train"}, "deployment": {"name": "wine"}}


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


@pytest.mark.parametrize("entry", [entry for entry in one_of_each_flow() if "triggers" in entry], ids=lambda entry: entry["entrypoint"])
def test_what_a_trigger_fills_in_is_what_the_flow_takes(entry: dict[str, Any]) -> None:
    from prefect.events import DeploymentTriggerTypes
    from prefect.utilities.schema_tools.hydration import HydrationContext, hydrate
    from pydantic import TypeAdapter

    for trigger in entry["triggers"]:
        TypeAdapter(DeploymentTriggerTypes).validate_python(trigger)
        context = HydrationContext(render_jinja=True, jinja_context=CONTEXT, raise_on_error=True)
        filled = hydrate(trigger["parameters"], context)
        assert problems(entry, filled) == []
        assert "{{" not in str(filled)


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
