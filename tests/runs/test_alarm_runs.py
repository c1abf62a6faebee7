"""The flow that automations call: its run says who was told, and shows no secret."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from tasks.core.errors import UsageError
from tests.receivers import web_hook

if TYPE_CHECKING:
    import pytest
    from conftest import Project


def test_a_run_says_who_was_told_and_a_wrong_address_is_one_sentence(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with web_hook() as hook:
        monkeypatch.setenv("EVERGREEN_ALARMS", f"ops=json://ann:S3CRET@127.0.0.1:{hook.port}")
        call = {"text": "Run 'train' crashed.", "code": "prefect.flow-run.Crashed", "link": "http://127.0.0.1:4200/runs/1"}
        first, second = project.alarm(**call), project.alarm(**call)
    assert (first.flow_run.state.name, second.flow_run.state.name) == ("Told", "Logged")
    assert first.flow_run.state.message == "all, prefect.flow-run.Crashed: told ops"
    assert hook.hooks[0]["message"] == "Run 'train' crashed.\nhttp://127.0.0.1:4200/runs/1"
    assert len(hook.hooks) == 1
    assert "alarm: all · Run 'train' crashed." in "\n".join(first.log)
    assert "S3CRET" not in "\n".join(first.log)
    monkeypatch.setenv("EVERGREEN_ALARMS", "ops=nosuch://S3CRET")
    wrong = project.alarm(**call)
    assert isinstance(wrong.error, UsageError)
    assert wrong.flow_run.state.name == "Failed"
    assert "S3CRET" not in f"{wrong.error} {wrong.flow_run.state.message} {wrong.log}"


def test_wrong_options_of_a_form_are_refused_and_those_of_an_automation_fail(project: Project) -> None:
    form = project.maintain_by_deployment(use_case="huoses")
    assert (form.flow_run.state.name, form.flow_run.state.type.value) == ("Refused", "FAILED")
    assert form.flow_run.state.message.startswith("UsageError: there is no lake of a use case 'huoses'")
    assert isinstance(form.error, UsageError)
    failed = project.maintain_by_deployment(uuid4(), use_case="huoses")
    assert (failed.flow_run.state.name, failed.flow_run.state.type.value) == ("Failed", "FAILED")


def test_an_automation_that_acts_again_ends_its_alarm_and_that_of_no_other(project: Project) -> None:
    one, other = uuid4(), uuid4()
    for each in (one, other):
        project.alarm(text=f"automation {each} could not act", code=f"action_failed.prefect.automation.{each}")
    log = project.maintain_by_deployment(one).log
    assert f"alarm: all · over: automation {one} could not act" in log
    assert not any(str(other) in line for line in log)
    assert not any("alarm:" in line for line in project.maintain_by_deployment(one).log)
