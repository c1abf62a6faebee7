"""What `evergreen up` starts: pages that answer, a worker that runs what is asked for; and `down`, which leaves nothing."""

from __future__ import annotations

import json
import re
import shutil
import socket
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil
import pytest
import yaml

from tests.e2e.browsing import person_at
from tests.e2e.stacks import Stack, stack_of
from tests.receivers import Receiver, web_hook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Desk

ROOT = Path(__file__).parents[2]
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


@pytest.fixture
def people() -> Iterator[Receiver]:
    """Give who is told of alarms."""
    with web_hook() as receiver:
        yield receiver


@pytest.fixture
def stack(desk: Desk, people: Receiver) -> Iterator[Stack]:
    """Give what a person clones, with nothing up; what a test that failed leaves up is ended."""
    for name in ("flows", "tasks", "expectations", "deployments"):
        shutil.copytree(ROOT / name, desk.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "prefect.yaml", desk.folder)
    stack = stack_of(desk.folder, {**desk.environment(), "EVERGREEN_ALARMS": f"json://127.0.0.1:{people.port}"})
    yield stack
    stack.down()


def content(url: str, **headers: str) -> str:
    with urlopen(Request(url, headers=headers), timeout=30) as answer:
        return answer.read().decode()


def assert_that_pages_answer(stack: Stack) -> None:
    """Each on this machine alone; Prefect's is the one that asks nobody else."""
    assert not [command for command in stack.processes() if "huey" in command]  # MLflow's, of which it would keep seven
    assert "<title>Prefect Server</title>" in content(stack.pages["prefect"])
    settings = json.loads(content(f"{stack.pages['prefect']}/ui-settings"))
    assert (settings["api_url"], settings["default_ui"]) == (stack.api, "v1")
    assert "<title>MLflow</title>" in content(stack.pages["mlflow"])
    assert "<title>" in content(stack.pages["evidently"])
    for program in ("mlflow", "reports"):
        with pytest.raises(HTTPError, match="403"):
            content(stack.pages[program], Host="evil.example")
    listening = {connection.laddr.ip for pid in map(stack.pid_of, stack.ports) for connection in psutil.Process(pid).net_connections()}
    assert listening <= {"127.0.0.1"}


def assert_that_a_person_trains_from_the_form(stack: Stack, wait_for: Callable[..., None]) -> None:
    """A form with changed values, under the name that a person typed; a planned run, which comes now, under ours; and one left empty."""

    def ended(run_id: str) -> bool:
        return stack.run(run_id)["state_type"] in FINAL

    wait_for(lambda: maintaining(stack, "SCHEDULED"), "runs are planned", 120)
    planned = maintaining(stack, "SCHEDULED")[0]["id"]
    stack.call(f"/flow_runs/{planned}/set_state", {"state": {"type": "SCHEDULED", "name": "Scheduled"}, "force": True})
    assert "is not one of" in stack.refusal("train/wine", use_case="wine", task="forecast")
    with person_at(stack) as person:
        person.submit("train/wine", "typed by a person", Trials="9", Seconds="1")
    (wine,) = [run["id"] for run in stack.runs("train/wine")]
    wait_for(lambda: ended(wine) and ended(planned), "both runs have ended", 240)
    emptied = stack.submit("train/breast_cancer")
    with person_at(stack) as person:
        person.read_artifacts(wine, "wine-leaderboard", "wine-decision")
        person.visit("mlflow", "/#/models/wine", "champion", "challenger")
    trained = stack.run(wine)
    assert (trained["name"], trained["state_name"]) == ("typed by a person", "Promoted"), trained["state"]
    assert trained["state"]["message"].startswith("version 1 of wine: first version; ")
    wait_for(lambda: ended(emptied), "the form without a use case is refused", 240)
    assert "UsageError: say which use case is meant" in stack.run(emptied)["state"]["message"]
    assert stack.run(emptied)["state_name"] == "Refused"
    assert re.fullmatch(r"maintain-all-[0-9a-f]{8}", stack.run(planned)["name"])
    assert stack.run(planned)["state_name"] == "Maintained"


def go_on_without(program: str, run_id: str, stack: Stack, wait_for: Callable[..., None], *, for_s: float = 0) -> dict[str, Any]:
    """Kill a program in the middle of a run, start it again, at once or after some time, and give how the run ended."""
    done = {"flow_runs": {"id": {"any_": [run_id]}}, "task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
    wait_for(lambda: stack.call("/task_runs/count", done) > 0, "a part of it is done", 240)
    planned = maintaining(stack, "SCHEDULED")[0]["id"] if for_s else ""
    if planned:  # what is due while the server is down
        due = {"scheduled_time": (datetime.now(UTC) + timedelta(seconds=for_s)).isoformat()}
        state = {"type": "SCHEDULED", "name": "Scheduled", "state_details": due}
        stack.call(f"/flow_runs/{planned}/set_state", {"state": state, "force": True})
    assert stack.run(run_id)["state_type"] == "RUNNING"
    stack.kill(program)
    time.sleep(for_s)
    started = stack.up()["started"]
    assert started == [program], started
    wait_for(lambda: stack.run(run_id)["state_type"] in FINAL, f"a run without {program} has ended", 240)
    if planned:
        wait_for(lambda: stack.run(planned)["state_type"] in FINAL, "what was due meanwhile has ended", 240)
        assert [run["state_name"] for run in maintaining(stack, *FINAL)] == ["Maintained", "Maintained"], "each period once"
    return stack.run(run_id)


def maintaining(stack: Stack, *states: str) -> list[dict[str, Any]]:
    """List the runs of the maintenance in some states."""
    wanted = {"flow_runs": {"state": {"type": {"any_": states}}}, "deployments": {"id": {"any_": [stack.deployment("maintain/all")]}}}
    return stack.call("/flow_runs/filter", wanted)


def assert_that_drift_leads_to_one_training(stack: Stack, wait_for: Callable[..., None]) -> None:
    """A world that turns is seen by a monitor, which asks the deployment that trains, once."""

    def deliver(name: str, rows: int, turn: int) -> None:
        lines = [f"{name}{n},{n % 97},{n % 89},{'high' if turn * (n % 97 - 48) > 0 else 'low'}" for n in range(rows)]
        (stack.folder / f"{name}.csv").write_text("\n".join(["id,a,b,y", *lines]), encoding="utf-8")
        done = stack.ask("ingest", f"{name}.csv", "--use-case", "market")
        assert done.returncode == 0, done.stderr

    use_case = "target: 'y'\nkey: [id]\ncandidates: [logistic]\n"
    careful = f"data: then.csv\n{use_case}gate: {{approval: true}}\n"
    for name, text in {"market": use_case, "careful": careful}.items():
        (stack.folder / "deployments" / "use_cases" / f"{name}.yaml").write_text(text, encoding="utf-8")
    stack.up()
    deliver("then", 300, turn=1)
    assert stack.ask("train", "--use-case", "market").returncode == 0
    deliver("now", 1500, turn=-1)
    look = stack.submit("monitor/market", use_case="market")
    wait_for(lambda: stack.run(look)["state_type"] in FINAL, "a look has ended", 240)
    assert stack.run(look)["state_name"] == "Retrains", stack.run(look)["state"]
    wait_for(lambda: [run["state_type"] for run in stack.runs("train/market")] == ["COMPLETED"], "one training has ended", 240)
    (trained,) = stack.runs("train/market")
    assert (trained["state_name"], trained["parameters"]["options"]["asked_by"]) == ("Promoted", "1-1"), trained["state"]
    looked = go_on_without("worker", stack.submit("monitor/market", use_case="market"), stack, wait_for)
    assert looked["state_name"] == "Crashed", looked["state"]
    looked = go_on_without("prefect", stack.submit("monitor/market", use_case="market"), stack, wait_for, for_s=12)
    assert looked["state_name"] == "Kept", looked["state"]
    assert_that_a_look_leads_to_its_page(stack, look)
    assert len(stack.runs("train/market")) == 1
    with person_at(stack) as person:
        person.visit("evidently", "/", "market")
        person.follow("market", "evidently-dashboard", "Loss", "Signal: performance", "Label lag", "Decisions")


def assert_that_a_look_leads_to_its_page(stack: Stack, run_id: str) -> None:
    """Its artifact tells in Prefect's pages what came of it, with a link that a browser opens."""
    with person_at(stack) as person:
        person.read_artifacts(run_id, "market-monitor")
        person.page.get_by_text("market-monitor", exact=True).first.click()
        person.see("artifact-of-a-look", "Loss over time", "Last looks")
        with person.page.expect_popup() as opened:
            person.page.get_by_text("The page of the last look").click()
        opened.value.get_by_text("market: version 2 under watch").wait_for()


def assert_that_a_person_has_the_last_word(stack: Stack, wait_for: Callable[..., None]) -> None:
    """Where the use case says so, a version is promoted from the form; server and worker are killed in the middle of that."""
    trained = go_on_without("prefect", stack.submit("train/careful", use_case="careful"), stack, wait_for)
    assert trained["state_name"] == "Awaiting approval", trained["state"]
    with person_at(stack) as person:
        person.submit("promote/careful", "approved", Version="1", Because="looked at it")
    promoted = go_on_without("worker", stack.runs("promote/careful")[0]["id"], stack, wait_for)
    assert promoted["state_name"] == "Crashed", promoted["state"]
    again = stack.submit("promote/careful", use_case="careful", version=1, because="looked at it")
    promoted = go_on_without("prefect", again, stack, wait_for)
    assert promoted["state_name"] == "Promoted", promoted["state"]
    assert_that_nothing_is_left_open(stack, {"market": 2, "careful": 1}, wait_for)


def assert_that_nothing_is_left_open(stack: Stack, champions: dict[str, int], wait_for: Callable[..., None]) -> None:
    """Whoever was killed in the middle, no run goes on for ever, and each use case has one champion."""
    standing = {each["use_case"]: each["champion"] for each in map(json.loads, stack.ask("status", "--json").stdout.splitlines())}
    assert {name: standing[name]["version"] for name in champions} == champions
    running = {"flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}}}
    wait_for(lambda: stack.call("/flow_runs/filter", running) == [], "no run is open", 120)


def test_the_stack_runs_what_is_asked_for_mends_what_was_killed_and_leaves_nothing(
    stack: Stack, people: Receiver, wait_for: Callable[..., None]
) -> None:
    def ended(run_id: str) -> bool:
        return stack.run(run_id)["state_type"] in FINAL

    first = stack.up()
    assert (first["pages"], first["started"]) == (stack.pages, ["prefect", "mlflow", "evidently", "reports", "worker"])
    declared = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    assert first["deployments"] == len(declared) == stack.call("/deployments/count", {})

    assert_that_pages_answer(stack)

    assert_that_a_person_trains_from_the_form(stack, wait_for)

    # Whoever asks a hundred times gets one training, whose worker is killed in the middle of it.
    stack.emit("evergreen.retrain.wanted", "diabetes", 100, asked_by="3-17")
    wait_for(lambda: [run for run in stack.runs("train/diabetes") if run["state_type"] == "RUNNING"], "the training begins", 240)
    (asked,) = stack.runs("train/diabetes")
    assert asked["parameters"]["options"] == {"use_case": "diabetes", "asked_by": "3-17"}
    stack.kill("worker")

    assert stack.up() == {**first, "started": ["worker"]}
    wait_for(lambda: ended(asked["id"]), "the run whose process was killed is told as crashed", 60)
    assert stack.run(asked["id"])["state_type"] == "CRASHED"
    told = f"run {asked['name']} ended as Crashed: The process of this run was killed."
    wait_for(lambda: any(told in hook["message"] for hook in people.hooks), "people are told of it", 120)
    assert len(stack.runs("train/diabetes")) == 1
    assert stack.up() == {**first, "started": []}

    assert_that_drift_leads_to_one_training(stack, wait_for)
    assert_that_a_person_has_the_last_word(stack, wait_for)

    # Nothing goes on for a use case whose file is gone.
    (stack.folder / "deployments" / "use_cases" / "careful.yaml").unlink()
    stack.up()
    assert stack.call("/deployments/filter", {"deployments": {"name": {"any_": ["careful"]}}}) == []
    assert stack.runs("train/market") != []

    # A run on the command line is recorded where the pages show it, and takes up what was killed.
    done = stack.ask("train", "--use-case", "diabetes")
    assert done.returncode == 0, done.stderr
    assert [run["name"] for run in stack.call("/flow_runs/filter", {"flow_runs": {"name": {"like_": "train-diabetes-"}}})] != []
    assert_that_nothing_is_left_open(stack, {"diabetes": 1, "market": 2}, wait_for)

    ended_now = stack.down()
    assert (ended_now["ended"] >= len(first["started"]), ended_now["stays"]) == (True, "")
    assert stack.processes() == []
    assert stack.ask("down").stdout == "nothing was up\n"


def test_what_cannot_be_started_is_told_in_one_sentence(stack: Stack) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        done = stack.ask("up", "--mlflow-port", str(port))
    assert done.returncode == 2
    who = re.escape(f"process {psutil.Process().pid} has it (")
    assert re.fullmatch(
        rf"usage: port {port}, for mlflow, is not free: {who}.*\); end that, or choose another: evergreen up --mlflow-port \d+\n",
        done.stderr,
    )
    assert stack.processes() == []


def test_a_program_that_ends_while_it_starts_is_told_with_its_last_words(stack: Stack) -> None:
    (stack.home / "prefect").mkdir(parents=True)
    (stack.home / "prefect" / "prefect.db").write_text("no database\n" * 1000, encoding="utf-8")
    stack.environment["EVERGREEN_TRACKING_URI"] = "http://127.0.0.1:9"  # whoever has a server of their own needs none
    done = stack.ask("up", *[part for name, port in stack.ports.items() for part in (f"--{name}-port", str(port))])
    assert done.returncode == 1, done.stdout
    assert re.fullmatch(rf"store: prefect ended while it started: .+; see {stack.home}/stack/prefect.log\n", done.stderr), done.stderr
    assert not (stack.home / "stack" / "mlflow.log").exists()
    assert stack.down()["ended"] == 2
    assert stack.processes() == []
