"""Verbs for the programs that run use cases on this machine: all of them up, or none."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tasks import record
from tasks.adapters import home, programs, projects, server, snapshots, tracking
from tasks.core import deployments, names
from tasks.core.deployments import WORK_POOL
from tasks.core.errors import StoreError, UsageError
from tasks.core.stack import PORTS, DownReport, StackReport, page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tasks.core.options import DownOptions, UpOptions
    from tasks.core.settings import Settings

log = logging.getLogger("evergreen")
START_TIMEOUT_S = 180
OTHERS_TIMEOUT_S = 900
END_TIMEOUT_S = 10
POLL_S = "3"
RETRIES = "7"  # of a request to Prefect's server, in four minutes: time to start one again that was killed, and its runs go on
# MLflow 3.17 keeps seven processes, a gigabyte of memory, for evaluations by language models.
NO_JOBS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
# What a person has set for another server, and no program of this one may read.
FOREIGN = ("PREFECT_PROFILE", "PREFECT_PROFILES_PATH", "PREFECT_API_KEY", "EVERGREEN_RECORD")
HEALTH = {"mlflow": "/health", "evidently": "/api/version", "reports": "/"}
STAYS = "a run of this home still records on Prefect's server, which ends with it"


@dataclass(frozen=True)
class _Stack:
    """One home's programs and the ports of its pages."""

    settings: Settings
    programs: programs.Programs
    ports: dict[str, int]

    @property
    def prefect(self) -> str:
        return page(self.ports["prefect"])

    @property
    def api(self) -> str:
        return f"{self.prefect}/api"

    def is_elsewhere(self, name: str) -> bool:
        """Say whether a person has an MLflow server of their own, with pages of its own."""
        return name == "mlflow" and self.settings.tracking_uri.startswith(("http://", "https://"))

    @property
    def environment(self) -> dict[str, str]:
        settings = self.settings
        named = {
            "HOME": str(settings.home),
            "PROJECT": str(settings.project),
            "TRACKING_URI": settings.tracking_uri,
            "ARTIFACTS_URL": settings.artifacts_url,
            "LEDGER_URL": settings.ledger_url,
            "LAKE_URL": settings.lake_url,
        }
        ours = {f"EVERGREEN_{name}": value for name, value in named.items() if value}
        prefect = {
            "PREFECT_API_URL": self.api,
            "PREFECT_HOME": str(settings.home / "prefect"),
            "PREFECT_CLIENT_MAX_RETRIES": RETRIES,
            "PREFECT_WORKER_QUERY_SECONDS": POLL_S,
        }
        theirs = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        return {**theirs, **ours, **prefect, "PWD": str(settings.project), **NO_JOBS}

    def start(self, name: str, command: Sequence[str]) -> None:
        self.programs.start(name, command, self.environment, self.settings.project, self.ports.get(name, 0))

    def wait(self, name: str, is_ready: Callable[[], bool]) -> None:
        """Wait until a program does what it is for.

        Raises:
            StoreError: it ended, or took too long.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        while not is_ready():
            path = self.programs.log_of(name)
            if self.programs.find(name) is None:
                message = f"{name} ended while it started: {self.programs.last_words(name) or 'it said nothing'}; see {path}"
                raise StoreError(message, where=str(path))
            if time.monotonic() > deadline:
                message = f"{name} did not answer within {START_TIMEOUT_S} s; see {path}"
                raise StoreError(message, where=str(path))
            time.sleep(0.2)
        log.info("%s is up", name)


def up(options: UpOptions) -> Iterator[StackReport]:
    """Start what is not up: Prefect's server, a worker, MLflow's and Evidently's pages, the reports; deploy the use cases of the project.

    Raises:
        UsageError: a port is not free, or a use case or the project's prefect.yaml is wrong.
        StoreError: a program ended while it started, or did not answer in time.
    """
    settings = home.settings()
    home.prepare(settings.home)
    with home.lock(settings.home, "stack"):
        home.bootstrap()
        started = programs.Programs(settings.home)
        yield _up(_Stack(settings, started, _ports(options, started)))


def _ports(options: UpOptions, started: programs.Programs) -> dict[str, int]:
    """Say on which port each page is or will be: as asked, else where it was before it was killed.

    Raises:
        UsageError: it is, or was when others were started that count on it, on another one.
    """
    asked = {name: getattr(options, f"{name}_port") for name in PORTS}
    are_up = any(started.find(name) for name in (*PORTS, "worker"))
    ports: dict[str, int] = {}
    for name, port in asked.items():
        noted = started.noted(name)
        if noted and are_up and port not in (None, noted.port):
            message = f"{name} is on port {noted.port}; before it can be on {port}: evergreen down"
            raise UsageError(message, where=f"--{name}-port")
        ports[name] = port or (noted.port if noted else PORTS[name])
    return ports


def _up(stack: _Stack) -> StackReport:
    count, text = _deployments(stack.settings.project, stack.prefect)
    missing = [name for name in (*PORTS, "worker") if stack.programs.find(name) is None and not stack.is_elsewhere(name)]
    with ExitStack() as listening:
        # That each can be started is known before any is; each port is held until its program takes it.
        listeners = {name: listening.enter_context(programs.listen(stack.ports[name], name)) for name in missing if name in PORTS}
        if "prefect" in missing:
            _start_prefect(stack, listeners["prefect"].fileno())
        if "mlflow" in missing:
            tracking.create_own_store(stack.settings)
    if "mlflow" in missing:
        stack.start("mlflow", _mlflow_command(stack))
    if "evidently" in missing:
        stack.start("evidently", _evidently_command(stack))
    if "reports" in missing:
        stack.start("reports", _reports_command(stack))
    stack.wait("prefect", lambda: server.is_healthy(stack.api))
    if "worker" in missing:
        _start_worker(stack)
    _deploy(stack, text)
    pages = {name: stack.settings.tracking_uri if stack.is_elsewhere(name) else page(stack.ports[name]) for name in PORTS}
    for name, path in HEALTH.items():
        if not stack.is_elsewhere(name):
            stack.wait(name, partial(server.answers, pages[name] + path))
    return StackReport(pages, tuple(missing), count, str(stack.programs.folder))


def _deployments(project: Path, pages: str) -> tuple[int, str]:
    """Count and give the deployments of a project: its `prefect.yaml`, as `make deployments` would write it.

    Raises:
        UsageError: it lacks the markers, or a use case is wrong.
    """
    import yaml

    text = projects.read_prefect_yaml(project) or deployments.NEW
    # A folder without use cases shows the bundled ones, which every job finds too.
    use_cases = projects.own_use_cases(project) or projects.own_use_cases(projects.bundled())
    text = deployments.update(text, use_cases, pages)
    return len(yaml.safe_load(text)["deployments"]), text


def _start_prefect(stack: _Stack, listener: int) -> None:
    """Start the server, as soon as no run of this home keeps one of its own on the same database.

    Raises:
        StoreError: they keep it for too long.
    """
    own = server.HomeServer(stack.settings.home)
    environment = {**stack.environment, **own.staying_environment(stack.prefect)}
    start = partial(
        stack.programs.start,
        "prefect",
        own.staying_command(listener),
        environment,
        stack.settings.home,
        stack.ports["prefect"],
        sockets=[listener],
    )
    for second in range(OTHERS_TIMEOUT_S):
        if own.hand_over(stack.api, start):
            return
        if second == 1:
            log.info("waiting for runs of this home that are recorded by a server of their own")
        time.sleep(1)
    message = (
        f"runs of {stack.settings.home} have been recorded by a server of their own for {OTHERS_TIMEOUT_S} s; end them, then run again"
    )
    raise StoreError(message, where=str(own.state))


def _mlflow_command(stack: _Stack) -> list[str]:
    port = stack.ports["mlflow"]
    hosts = ",".join(f"{host}:{port}" for host in ("localhost", "127.0.0.1"))
    stores = ["--backend-store-uri", stack.settings.mlflow_uri, "--default-artifact-root", stack.settings.mlflow_artifacts]
    reach = ["--host", programs.LOOPBACK, "--port", str(port), "--allowed-hosts", hosts]
    return [sys.executable, "-m", "mlflow", "server", *stores, *reach, "--no-serve-artifacts", "--workers", "1"]


def _evidently_command(stack: _Stack) -> list[str]:
    reach = ["--host", programs.LOOPBACK, "--port", str(stack.ports["evidently"])]
    return [sys.executable, "-m", "evidently.cli", "ui", "--workspace", str(stack.settings.home / "evidently"), *reach]


def _reports_command(stack: _Stack) -> list[str]:
    return [sys.executable, "-m", "tasks.adapters.report_server", str(stack.settings.home / "reports"), str(stack.ports["reports"])]


def _start_worker(stack: _Stack) -> None:
    """Start the worker, which makes its pool, after what became of the runs of the one before is told."""
    _address(stack)
    if mended := record.close_dead_runs() + record.mend_runs_of(WORK_POOL):
        log.info("runs that were cut off by a kill: %d; those that had begun are told as crashed, the others scheduled again", mended)
    name = f"{socket.gethostname()}-{names.digest(str(stack.settings.home))[:8]}"
    worker = ["worker", "start", "--pool", WORK_POOL, "--type", "process", "--name", name]
    stack.start("worker", [sys.executable, "-m", "prefect", *worker])
    stack.wait("worker", partial(server.answers, f"{stack.api}/work_pools/{WORK_POOL}"))


def _address(stack: _Stack) -> None:
    """Let Prefect's client in this process talk to the stack's server; where that is it reads when it is imported, which is later."""
    for name in FOREIGN:
        os.environ.pop(name, None)
    os.environ.update({name: value for name, value in stack.environment.items() if name.startswith("PREFECT_")})


def _deploy(stack: _Stack, text: str) -> None:
    """Deploy unless that was done: another time would switch on again what a person switched off in the pages.

    What `up` deployed before and is not wanted any more is removed, so that nothing goes on for a use case without a file.

    Raises:
        StoreError: Prefect refused.
    """
    done = stack.programs.folder / "deployed"
    before = done.read_text(encoding="utf-8") if done.is_file() else ""
    if before == text and server.answers(f"{stack.api}/deployments/name/maintain/{deployments.ALL}"):
        return
    log.info("deploying")
    path = stack.programs.folder / projects.PREFECT_YAML
    path.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(path)]
    if stack.programs.run("deploy", command, stack.environment, stack.settings.project):
        at = stack.programs.log_of("deploy")
        message = f"the deployments were refused: {stack.programs.last_words('deploy')}; see {at}"
        raise StoreError(message, where=str(at))
    if gone := deployments.names_in(before) - deployments.names_in(text):
        _address(stack)
        record.remove_deployments(gone)
        log.info("no longer wanted, and removed: %s", ", ".join(sorted(gone)))
    snapshots.write_text(text, done)


def down(_options: DownOptions) -> Iterator[DownReport]:
    """End what `up` has started, and the runs that its worker has begun."""
    settings = home.settings()
    home.prepare(settings.home)
    with home.lock(settings.home, "stack"):
        yield _down(programs.Programs(settings.home), server.HomeServer(settings.home))


def _down(started: programs.Programs, own: server.HomeServer) -> DownReport:
    pages = [process for name in PORTS for process in started.tree(name)]
    serving = started.tree("prefect")[:1]
    runs = [process for process in started.processes() if process not in pages]
    # Runs first, while there is a server that notes how they ended; a worker that is told begins no other one.
    ended = programs.end(runs, END_TIMEOUT_S)
    is_used = own.has_clients()
    programs.tell(serving, signal.SIGUSR1)
    ended += programs.end([process for process in pages if process not in serving], END_TIMEOUT_S)
    if serving and not is_used:
        programs.wait(serving, END_TIMEOUT_S)
        ended += programs.end(serving, 0)
    while strays := [process for process in started.processes() if process not in serving]:
        ended += programs.end(strays, 0)
    started.forget()
    return DownReport(ended, STAYS if serving and is_used else "")
