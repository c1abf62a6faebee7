"""The Prefect server of a home: found when one answers, else started for as long as somebody uses it.

Prefect's own ephemeral mode imports the server inside the client, one per process. Here all runs of a home share
one server process. Every client holds a shared lock on one file; the server tries to take it exclusively, and ends
itself when it can, so neither a killed client nor a killed server leaves anything behind.

The server of `evergreen up` is the home's server too, and stays: it begins to try when it is told to end. What the
process does is in `server_process.py`.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
import time
import tomllib
from http.client import HTTPException
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

from tasks.core.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STARTUP_TIMEOUT_S = 180
PROBE_TIMEOUT_S = 0.5
SERVER_ENVIRONMENT = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_ENABLED": "false",
    # A server that lives as long as one run must not fill the database with scheduled and late runs.
    "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
}
# With pages, schedules, and nobody but this machine's own pages allowed to ask in a browser.
STAYING_ENVIRONMENT = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_ENABLED": "true",
    "PREFECT_SERVER_UI_V2_ENABLED": "false",  # prefect 3.8's second pages ask a host on the internet, whatever is switched off
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "true",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "true",
    # By default a run is late, and an alarm, after seconds that a busy machine needs to begin it.
    "PREFECT_SERVER_SERVICES_LATE_RUNS_AFTER_SECONDS": "300",
    # By default a server that was killed forgets who runs, and lets those end as crashed.
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
}
STAYS = "stays"


def is_healthy(url: str) -> bool:
    """Ask a Prefect API once whether it serves, within half a second."""
    return answers(f"{url.rstrip('/')}/health", PROBE_TIMEOUT_S)


def answers(url: str, timeout_s: float = 2) -> bool:
    """Ask an address once whether there is something."""
    try:
        with urlopen(url, timeout=timeout_s) as answer:  # noqa: S310 (a person's own setting)
            return answer.status == 200
    except (URLError, HTTPException, OSError, ValueError):
        return False


def configured_url(environ: Mapping[str, str]) -> str | None:
    """Find the server that a person has chosen: PREFECT_API_URL, else the active Prefect profile."""
    if url := environ.get("PREFECT_API_URL"):
        return url
    prefect_home = Path(environ.get("PREFECT_HOME", "~/.prefect")).expanduser()
    path = Path(environ.get("PREFECT_PROFILES_PATH", prefect_home / "profiles.toml"))
    try:
        profiles = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    active = environ.get("PREFECT_PROFILE") or profiles.get("active", "")
    return profiles.get("profiles", {}).get(active, {}).get("PREFECT_API_URL")


class HomeServer:
    """The server of one home, for as long as this process needs it."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "prefect"
        self.state = self.folder / "server.json"
        self._clients: IO[str] | None = None
        self.url = ""

    def join(self) -> None:
        """Become a client of the home's server, starting it if nobody has; does not wait until it serves."""
        self._clients = (self.folder / "clients.lock").open("a")
        fcntl.flock(self._clients, fcntl.LOCK_SH)
        with (self.folder / "start.lock").open("a") as start:
            fcntl.flock(start, fcntl.LOCK_EX)
            self.url = self._running() or self._start()

    def wait(self) -> None:
        """Wait until the server serves.

        Raises:
            StoreError: it ended, or did not serve in time.
        """
        log = self.folder / "server.log"
        deadline = time.monotonic() + STARTUP_TIMEOUT_S
        while not is_healthy(self.url):
            if self._running() != self.url:
                message = f"the Prefect server of this home ended while it started; see {log}, or run with --no-record"
                raise StoreError(message, where=str(log))
            if time.monotonic() > deadline:
                message = f"the Prefect server of this home did not answer within {STARTUP_TIMEOUT_S} s; see {log}, or run with --no-record"
                raise StoreError(message, where=str(log))
            time.sleep(0.1)

    def leave(self) -> None:
        """Stop being a client; the server ends when the last one has left."""
        if self._clients:
            self._clients.close()

    def hand_over(self, url: str, start: Callable[[], int]) -> bool:
        """Start a server that stays, unless one that ends with its clients still serves; says whether it was started.

        Args:
            url: Its address.
            start: Starts it, and gives its process.
        """
        with (self.folder / "start.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._running():
                return False
            self._remember(url, start())
        return True

    def has_clients(self) -> bool:
        """Say whether a process of this home is recorded, or waits to be."""
        with (self.folder / "clients.lock").open("a") as clients:
            try:
                fcntl.flock(clients, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def staying_environment(self, page: str) -> dict[str, str]:
        """Give what a server that stays reads, with the address of its pages."""
        origins = [page, page.replace("127.0.0.1", "localhost")]
        return {
            **STAYING_ENVIRONMENT,
            **self._stores(f"{page}/api"),
            "PREFECT_SERVER_UI_API_URL": f"{page}/api",  # by default port 4200, whatever the server's is
            "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(self.folder / "ui"),
            "PREFECT_UI_URL": page,
            "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": ",".join(origins),
        }

    def staying_command(self, listener: int) -> list[str]:
        """Give the command of a server that stays, on a socket that listens."""
        return [sys.executable, "-m", "tasks.adapters.server_process", str(self.folder), str(listener), STAYS]

    def _running(self) -> str | None:
        import psutil

        try:
            known = json.loads(self.state.read_text(encoding="utf-8"))
            process = psutil.Process(known["pid"])
            alive = process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - known["start"]) < 1
        except (OSError, ValueError, psutil.Error):
            return None
        return known["url"] if alive else None

    def _start(self) -> str:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(128)
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
            process = self._spawn(listener.fileno(), url)
        self._remember(url, process.pid)
        return url

    def _remember(self, url: str, pid: int) -> None:
        import psutil

        known = {"url": url, "pid": pid, "start": psutil.Process(pid).create_time()}
        partial = self.state.with_suffix(".partial")
        partial.write_text(json.dumps(known), encoding="utf-8")
        partial.replace(self.state)

    def _stores(self, url: str) -> dict[str, str]:
        return {
            "PREFECT_HOME": str(self.folder),
            "PREFECT_API_URL": url,
            "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{self.folder / 'prefect.db'}",
        }

    def _spawn(self, listener: int, url: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, **SERVER_ENVIRONMENT, **self._stores(url)}
        with (self.folder / "server.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "tasks.adapters.server_process", str(self.folder), str(listener)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[listener],
                start_new_session=True,
            )
