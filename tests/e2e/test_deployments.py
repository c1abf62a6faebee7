"""The project deployed as its README says: a real server, a work pool, every deployment, a worker, one run."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Desk

ROOT = Path(__file__).parents[2]
PREFECT = Path(sys.executable).with_name("prefect")
RUN = """
import json, sys, time
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName, LogFilter, LogFilterFlowRunId
from prefect.deployments import run_deployment
from prefect.states import Scheduled

def until(found, what):
    for _ in range(120):
        if value := found():
            return value
        time.sleep(1)
    sys.exit(f"waited in vain until {what}")

# What the server has planned for Sunday comes now.
with get_client(sync_client=True) as client:
    of_maintenance = DeploymentFilter(name=DeploymentFilterName(any_=["all"]))
    planned = until(lambda: client.read_flow_runs(deployment_filter=of_maintenance), "the server plans a run of a schedule")[0]
    client.set_flow_run_state(planned.id, Scheduled(), force=True)

run = run_deployment("train/diabetes", flow_run_name="typed by a person", timeout=240, poll_interval=1)
with get_client(sync_client=True) as client:
    logs = client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run.id])))
    deployments = [deployment.name for deployment in client.read_deployments()]
    until(lambda: client.read_flow_run(planned.id).state.is_final(), "the planned run ends")
    maintained = client.read_flow_run(planned.id)
told = {"name": run.name, "state": run.state.name, "type": run.state.type.value, "message": run.state.message}
told |= {"log": [log.message for log in logs], "deployments": sorted(deployments), "maintained": [maintained.name, maintained.state.name]}
print(json.dumps(told))
"""


@pytest.fixture
def project(desk: Desk) -> Desk:
    """Copy what a person clones; the worker's runs keep their state in the copy."""
    for name in ("flows", "tasks", "expectations", "deployments"):
        shutil.copytree(ROOT / name, desk.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "prefect.yaml", desk.folder)
    return desk


@pytest.fixture
def processes() -> Iterator[ExitStack]:
    """End what a test has started, the last one first."""
    with ExitStack() as stack:
        yield stack


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end; a worker that was made to ignore SIGINT does not hear SIGTERM either (Prefect 3.8)."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def serves(url: str) -> bool:
    try:
        with urlopen(url, timeout=1) as answer:
            return answer.status == 200
    except (URLError, OSError):
        return False


def test_a_worker_runs_what_a_person_named_under_that_name_and_what_is_scheduled_under_ours(
    project: Desk, processes: ExitStack, tmp_path: Path, wait_for: Callable[..., None]
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    environment = project.environment(
        PREFECT_API_URL=url,
        PREFECT_SERVER_UI_API_URL=url,
        PREFECT_SERVER_ANALYTICS_ENABLED="false",
        PREFECT_WORKER_QUERY_SECONDS="1",
        DO_NOT_TRACK="1",
    )

    def start(name: str, *arguments: str) -> subprocess.Popen[bytes]:
        log = processes.enter_context((tmp_path / f"{name}.log").open("wb"))
        process = subprocess.Popen([PREFECT, *arguments], cwd=project.folder, env=environment, stdout=log, stderr=log)
        processes.callback(end, process)
        return process

    def prefect(*arguments: str) -> str:
        done = subprocess.run([PREFECT, *arguments], cwd=project.folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    server = start("server", "server", "start", "--host", "127.0.0.1", "--port", str(port))
    wait_for(lambda: server.poll() is not None or serves(f"{url}/health"), "the server serves", 180)
    prefect("work-pool", "create", "evergreen", "--type", "process")
    prefect("--no-prompt", "deploy", "--all")
    start("worker", "worker", "start", "--pool", "evergreen", "--type", "process")

    done = subprocess.run([sys.executable, "-c", RUN], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["name"], told["type"], told["state"]) == ("typed by a person", "COMPLETED", "Promoted"), told
    assert told["message"].startswith("version 1 of diabetes: first champion: ")
    assert "registered version 1 of diabetes" in told["log"]
    declared = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
    assert told["deployments"] == sorted(deployment["name"] for deployment in declared)
    assert f"opening the stores in {project.home}" in told["log"]
    name, state = told["maintained"]
    assert re.fullmatch(r"maintain-all-[0-9a-f]{8}", name), told
    assert state == "Maintained", told
