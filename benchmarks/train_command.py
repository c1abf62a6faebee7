"""How long `python -m flows.train` takes on the bundled table, beside a bare script that fits the same model.

Run: python benchmarks/train_command.py [ROUNDS]. Prints the median wall and CPU seconds of whole processes.
"""

from __future__ import annotations

import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

if TYPE_CHECKING:
    from collections.abc import Generator

TRAIN = [sys.executable, "-m", "flows.train"]
BARE = [
    sys.executable,
    "-c",
    "from sklearn.datasets import load_diabetes as load; from sklearn.linear_model import Ridge; "
    "from sklearn.model_selection import cross_val_score as score; print(score(Ridge(), *load(return_X_y=True)).mean())",
]


def main() -> None:
    """Time each way to run, one after the other in each round."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    with tempfile.TemporaryDirectory() as folder, prefect_server(Path(folder)) as url:
        home = {"EVERGREEN_HOME": f"{folder}/home", "PREFECT_API_URL": ""}
        ways = {
            "bare script": (BARE, home),
            "fresh home": (TRAIN, home | {"EVERGREEN_HOME": f"{folder}/fresh"}),
            "existing home": ([*TRAIN, "--again"], home),
            "existing home, with a server": ([*TRAIN, "--again"], home | {"PREFECT_API_URL": url}),
            "existing home, --no-record": ([*TRAIN, "--again", "--no-record"], home),
            "existing home, unchanged": (TRAIN, home),
            "--help": ([*TRAIN, "--help"], home),
        }
        seconds(*ways["existing home"])  # makes it exist
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for number in range(rounds):
            for name, (command, variables) in ways.items():
                fresh = {"EVERGREEN_HOME": f"{folder}/fresh-{number}"} if name == "fresh home" else {}
                taken[name].append(seconds(command, variables | fresh))
    print(f"{'median of ' + str(rounds):<32}{'wall s':>8}{'CPU s':>8}{'x bare':>8}")
    wall = {name: statistics.median(w for w, _ in pairs) for name, pairs in taken.items()}
    for name, pairs in taken.items():
        cpu = statistics.median(c for _, c in pairs)
        print(f"{name:<32}{wall[name]:>8.1f}{cpu:>8.1f}{wall[name] / wall['bare script']:>8.1f}")


def seconds(command: list[str], variables: dict[str, str]) -> tuple[float, float]:
    """Run a command and give its wall and CPU seconds."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, env={**os.environ, **variables}, capture_output=True, check=True)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@contextmanager
def prefect_server(folder: Path) -> Generator[str]:
    """Run a Prefect server of its own on a free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    variables = {"PREFECT_HOME": str(folder / "prefect"), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    command = [sys.executable, "-m", "uvicorn", "--factory", "prefect.server.api.server:create_app", "--port", str(port)]
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(command, env={**os.environ, **variables}, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}/api"
    try:
        wait_for(f"{url}/health")
        yield url
    finally:
        server.terminate()
        server.wait()


def wait_for(url: str) -> None:
    """Wait up to two minutes until an address answers."""
    for _ in range(240):
        try:
            with urlopen(url, timeout=1):
                return
        except (URLError, OSError):
            time.sleep(0.5)
    message = f"{url} does not answer"
    raise TimeoutError(message)


if __name__ == "__main__":
    main()
