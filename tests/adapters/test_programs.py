from __future__ import annotations

import os
import signal
import socket
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import psutil
import pytest

from tasks.adapters import programs
from tasks.adapters.programs import Programs
from tasks.core.errors import StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Starts another process, says so, and stays.
PARENT = "import subprocess, sys, time; child = subprocess.Popen(['sleep', '60']); print('begun', child.pid, flush=True); time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('begun', flush=True); time.sleep(60)"


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Programs]:
    yield (found := Programs(tmp_path))
    programs.end(found.processes(), 0)


def start(started: Programs, program: str, name: str = "page", port: int = 0) -> psutil.Process:
    """Start a program, and wait until it has said its first word."""
    pid = started.start(name, [sys.executable, "-c", program], {**os.environ}, started.folder.parent, port)
    while not started.last_words(name).startswith("begun"):
        assert psutil.pid_exists(pid)
    return psutil.Process(pid)


def test_a_program_is_found_by_another_process_that_knows_the_home(started: Programs, tmp_path: Path) -> None:
    process = start(started, PARENT, port=4200)
    found = Programs(tmp_path).find("page")
    assert found is not None
    assert (found.pid, found.port) == (process.pid, 4200)
    assert os.getsid(process.pid) == process.pid  # whoever started it may close their terminal
    assert Programs(tmp_path / "another").find("page") is None


def test_what_a_killed_program_has_started_is_found_and_ended(started: Programs) -> None:
    process = start(started, PARENT)
    (child,) = process.children()
    process.kill()
    process.wait()
    assert started.find("page") is None
    assert started.processes() == [child]
    assert programs.end(started.processes(), 5) == 1
    assert started.processes() == []


def test_a_process_that_does_not_listen_is_killed(started: Programs) -> None:
    process = start(started, DEAF)
    assert programs.end([process], 0.2) == 1
    assert started.find("page") is None


def test_only_what_has_ended_is_forgotten(started: Programs) -> None:
    lives, killed = start(started, DEAF, "lives"), start(started, DEAF, "killed", 4230)
    killed.kill()
    killed.wait()
    noted = started.noted("killed")
    assert noted is not None
    assert noted.port == 4230
    started.forget()
    assert started.noted("killed") is None
    assert started.find("lives") is not None
    programs.tell([lives, killed], signal.SIGKILL)


def test_a_note_that_was_not_written_to_its_end_is_none(started: Programs) -> None:
    started.folder.mkdir()
    (started.folder / "page.json").write_text('{"pid": 1', encoding="utf-8")
    assert started.noted("page") is None
    assert started.tree("page") == []


def test_a_program_that_is_not_there_is_told_in_one_sentence(started: Programs, tmp_path: Path) -> None:
    with pytest.raises(StoreError) as refused:
        started.start("page", ["no-such-program"], {}, tmp_path)
    assert refused.value.message == "page cannot be started: No such file or directory (no-such-program)"


def test_a_port_that_somebody_has_is_told_with_their_name() -> None:
    with closing(socket.create_server((programs.LOOPBACK, 0))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError) as refused:
            programs.listen(port, "mlflow")
    assert refused.value.message.startswith(f"port {port}, for mlflow, is not free: process {os.getpid()} has it (")
    assert refused.value.where == "--mlflow-port"
    programs.listen(port, "mlflow").close()
