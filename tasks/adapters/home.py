"""The home: the folder of all state, its locks, and the environment that the engines read."""

from __future__ import annotations

import getpass
import io
import json
import os
import socket
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core.errors import StoreError, UsageError
from tasks.core.settings import Settings
from tasks.core.stack import page

if TYPE_CHECKING:
    from collections.abc import Generator

LOCK_TIMEOUT_S = 300
SILENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "GX_ANALYTICS_ENABLED": "false",
    "ITERATIVE_DO_NOT_TRACK": "1",
    "DO_NOT_TRACK": "true",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}
# Threads of OpenMP that wait busily take the cores from those that work, tenfold where another process wants one too.
THREADS = {"OMP_WAIT_POLICY": "PASSIVE"}


# A tracking server that does not answer is told within half a minute; by default MLflow tries for an hour.
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20", "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1"}


def known_settings() -> Settings:
    """Give the settings where there is something to tell, with what the engines read set to them.

    Raises:
        UsageError: nothing was ever decided here.
    """
    found = settings()
    if not found.ledger_url and not (found.home / "ledger.db").exists():
        message = f"nothing was trained or ingested in {found.home} yet; begin with python -m flows.train, or set EVERGREEN_HOME"
        raise UsageError(message, where="EVERGREEN_HOME")
    bootstrap()
    return found


def settings() -> Settings:
    """Read the settings in force: environment before `.env` of the current folder before defaults.

    Where `up` serves the reports, these are where a browser finds them.

    Raises:
        UsageError: a setting is wrong, or `.env` cannot be read.
    """
    values = {**_dotenv(Path(".env").absolute()), **os.environ}
    # Whoever has MLflow set up already means that store.
    values.setdefault("EVERGREEN_TRACKING_URI", values.get("MLFLOW_TRACKING_URI", ""))
    found = Settings.from_values(values, Path.cwd())
    return found if found.reports_url else found.model_copy(update={"reports_url": _served(found.home)})


def _served(home: Path) -> str:
    """Give the address at which `up` serves the reports of a home, by the note of that; empty where there is none."""
    try:
        return page(json.loads((home / "stack" / "reports.json").read_text(encoding="utf-8"))["port"])
    except (OSError, ValueError, LookupError, TypeError):
        return ""


def _dotenv(path: Path) -> dict[str, str]:
    from dotenv import dotenv_values
    from dotenv.parser import parse_stream

    try:
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
    except UnicodeDecodeError as error:
        message = f"{path} is not UTF-8 text: byte {error.start} is 0x{error.object[error.start]:02x}; save it as UTF-8"
        raise UsageError(message, where=str(path)) from error
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            found = binding.original.string
            blank_lines = found[: len(found) - len(found.lstrip())].count("\n")
            where = f"{path}, line {binding.original.line + blank_lines}"
            message = f"{where} is not NAME=value"  # and may hold a secret
            raise UsageError(message, where=where)
    return {name: value or "" for name, value in dotenv_values(stream=io.StringIO(text)).items()}


def bootstrap() -> None:
    """Set what MLflow, Great Expectations and Evidently read when they are imported.

    Every entry point comes through here before any engine. What a person has set stays, telemetry excepted.
    """
    os.environ.update(SILENT)
    for name, value in {**PATIENCE, **THREADS}.items():
        os.environ.setdefault(name, value)
    os.environ["MLFLOW_TRACKING_URI"] = settings().mlflow_uri


def prepare(home: Path) -> None:
    """Create the home.

    Raises:
        StoreError: it cannot be created or written.
    """
    try:
        for name in ("locks", "snapshots", "quarantine", "reports", "prefect"):
            (home / name).mkdir(parents=True, exist_ok=True)
        # A home may be a folder that a person already keeps under version control.
        if not (home / ".gitignore").exists():
            (home / ".gitignore").write_text("*\n", encoding="utf-8")
    except OSError as error:
        message = f"cannot write to the home {home}: {error.strerror}; set EVERGREEN_HOME to a folder that can be written"
        raise StoreError(message, where=str(home)) from error


@contextmanager
def lock(home: Path, name: str, timeout_s: float = LOCK_TIMEOUT_S) -> Generator[None]:
    """Hold a lock that every process of this home respects; the system frees it when the holder dies.

    Raises:
        StoreError: nobody gave it back in time.
    """
    from filelock import FileLock, Timeout

    path = home / "locks" / f"{name}.lock"
    try:
        with FileLock(path, timeout=timeout_s):
            yield
    except Timeout as error:
        message = f"another process has held {path} for {timeout_s} s; end it, then run again"
        raise StoreError(message, where=str(path)) from error


def switch_to_wal(path: Path) -> None:
    """Let readers of an SQLite file go on while one process writes; the file remembers it."""
    with closing(sqlite3.connect(path, timeout=60)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def owner() -> str:
    """Name this process so that another can tell whether it still lives: host:pid:start."""
    import psutil

    return f"{socket.gethostname()}:{os.getpid()}:{psutil.Process().create_time():.2f}"


def person() -> str:
    """Name whose account this runs under, and where: user@host."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def is_dead(owner: str) -> bool:
    """Say whether a process named by `owner` is surely gone; another host's is never known to be."""
    import psutil

    host, pid, start = owner.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    try:
        process = psutil.Process(int(pid))
        # A killed process stays listed until its parent asks for it; in a container that may be never.
        return process.status() == psutil.STATUS_ZOMBIE or abs(process.create_time() - float(start)) > 1
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False


def is_gone(pid: int, begun_before: float) -> bool:
    """Say whether a process of this host, of which only the number is known, is surely gone."""
    import psutil

    try:
        process = psutil.Process(pid)
        # A later process may have got its number.
        return process.status() == psutil.STATUS_ZOMBIE or process.create_time() > begun_before
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
