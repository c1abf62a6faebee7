"""The whole stack of a desk, as `evergreen up` starts it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil
import pytest

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("prefect", "mlflow", "evidently", "reports")
MARK = "STARTED_BY_EVERGREEN_UP"
TIMEOUT_S = 60


@dataclass(frozen=True)
class Stack:
    """A project whose programs are up, or can be, on ports of their own."""

    folder: Path
    environment: dict[str, str]
    ports: dict[str, int]

    @property
    def home(self) -> Path:
        return self.folder / ".evergreen"

    @property
    def pages(self) -> dict[str, str]:
        return {name: f"http://127.0.0.1:{port}" for name, port in self.ports.items()}

    @property
    def api(self) -> str:
        return f"{self.pages['prefect']}/api"

    def ask(self, *question: str) -> subprocess.CompletedProcess[str]:
        """Ask on the command line."""
        command = [sys.executable, "-m", "flows", *question]
        return subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=400, check=False)

    def up(self) -> dict[str, Any]:
        done = self.ask("up", "--json", *[part for name in NAMES for part in (f"--{name}-port", str(self.ports[name]))])
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def down(self) -> dict[str, Any]:
        done = self.ask("down", "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def call(self, path: str, document: object = None, *, method: str = "POST") -> Any:  # noqa: ANN401 (JSON)
        """Ask Prefect's API."""
        request = Request(f"{self.api}{path}", method=method, headers={"Content-Type": "application/json"})
        request.data = None if method == "GET" else json.dumps(document).encode()
        with urlopen(request, timeout=TIMEOUT_S) as answer:
            return json.loads(answer.read() or b"null")

    def kill(self, name: str) -> None:
        """Kill a program of the stack, with all that it started."""
        program = psutil.Process(self.pid_of(name))
        for process in (*program.children(recursive=True), program):
            process.kill()

    def deployment(self, name: str) -> str:
        """Give the id of a deployment: flow/name."""
        return self.call(f"/deployments/name/{name}", method="GET")["id"]

    def submit(self, name: str, run_name: str | None = None, **options: object) -> str:
        """Submit the form of a deployment as the page does, and give the id of its run."""
        document = {"name": run_name, "parameters": {"options": options}, "state": {"type": "SCHEDULED"}}
        return self.call(f"/deployments/{self.deployment(name)}/create_flow_run", document)["id"]

    def refusal(self, name: str, **options: object) -> str:
        """Submit a form that Prefect must refuse, and give what it says."""
        with pytest.raises(HTTPError, match="409") as refused:
            self.submit(name, **options)
        return refused.value.read().decode()

    def run(self, run_id: str) -> dict[str, Any]:
        return self.call(f"/flow_runs/{run_id}", method="GET")

    def runs(self, name: str) -> list[dict[str, Any]]:
        """List the runs of a deployment that no schedule has planned."""
        wanted = {"deployments": {"id": {"any_": [self.deployment(name)]}}}
        return [run for run in self.call("/flow_runs/filter", wanted) if not run["auto_scheduled"]]

    def emit(self, event: str, use_case: str, times: int, **payload: str) -> None:
        """Tell Prefect something, as a monitor does."""
        program = (
            "import json, sys; from tasks import record; event, use_case, times, payload = json.loads(sys.argv[1])\n"
            "for _ in range(times): record.emit(event, use_case, payload)\n"
            "from prefect.events.worker import EventsWorker; EventsWorker.drain_all(timeout=60)\n"
        )
        environment = {**self.environment, "PREFECT_API_URL": self.api}
        command = [sys.executable, "-c", program, json.dumps([event, use_case, times, payload])]
        subprocess.run(command, cwd=self.folder, env=environment, check=True, timeout=120)

    def pid_of(self, name: str) -> int:
        return json.loads((self.home / "stack" / f"{name}.json").read_text(encoding="utf-8"))["pid"]

    def processes(self) -> list[str]:
        """List what lives of it, whoever its parents are."""
        found: list[str] = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == str(self.home) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(" ".join(process.cmdline()))
            except (psutil.Error, OSError):
                continue
        return found


def ports() -> dict[str, int]:
    """Give ports that were free a moment ago, one for each page."""
    with ExitStack() as held:
        listeners = [held.enter_context(socket.socket()) for _ in NAMES]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return {name: listener.getsockname()[1] for name, listener in zip(NAMES, listeners, strict=True)}


def stack_of(folder: Path, environment: dict[str, str]) -> Stack:
    return Stack(folder, {**environment, "EVERGREEN_HOME": str(folder / ".evergreen"), "PATH": os.environ["PATH"]}, ports())
