from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import psutil
import pytest

from tasks.adapters import home, server
from tests.receivers import serving

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

END_TIMEOUT_S = 60  # on an idle machine it takes two seconds; on a busy one the import of the server comes first
CLIENT = """
import sys
from pathlib import Path
from tasks.adapters import server
own = server.HomeServer(Path(sys.argv[1]))
own.join()
own.wait()
print(own.url, flush=True)
sys.stdin.readline()
own.leave()
print("left", flush=True)
sys.stdin.readline()
"""
SHORT_CLIENT = "import sys; from pathlib import Path; from tasks.adapters import server; server.HomeServer(Path(sys.argv[1])).join()"
UNLUCKY_CLIENT = """
import json, os, signal, sys
from pathlib import Path
from tasks.adapters import server
from tasks.core.errors import StoreError
own = server.HomeServer(Path(sys.argv[1]))
own.join()
os.kill(json.loads(own.state.read_text())["pid"], signal.SIGKILL)
try:
    own.wait()
except StoreError as error:
    print(error.message)
"""
PROFILES = """
active = "local"
[profiles.local]
PREFECT_API_URL = "http://127.0.0.1:4200/api"
[profiles.cloud]
PREFECT_API_URL = "https://prefect.example/api"
[profiles.ephemeral]
"""


# ------------------------------------------------------------------------------------------------------- the chosen server


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Give an environment whose Prefect profiles have a server each, but for the last."""
    (tmp_path / "profiles.toml").write_text(PROFILES, encoding="utf-8")
    return {"PREFECT_HOME": str(tmp_path)}


def test_the_environment_goes_before_the_profile(environ: dict[str, str]) -> None:
    assert server.configured_url({**environ, "PREFECT_API_URL": "http://me/api"}) == "http://me/api"


def test_the_active_profile_names_the_server(environ: dict[str, str]) -> None:
    assert server.configured_url(environ) == "http://127.0.0.1:4200/api"
    assert server.configured_url({**environ, "PREFECT_API_URL": ""}) == "http://127.0.0.1:4200/api"


def test_the_environment_chooses_the_profile_and_the_file(environ: dict[str, str], tmp_path: Path) -> None:
    assert server.configured_url({**environ, "PREFECT_PROFILE": "cloud"}) == "https://prefect.example/api"
    assert server.configured_url({"PREFECT_PROFILES_PATH": str(tmp_path / "profiles.toml")}) == "http://127.0.0.1:4200/api"


def test_a_profile_without_a_server_names_none(environ: dict[str, str]) -> None:
    assert server.configured_url({**environ, "PREFECT_PROFILE": "ephemeral"}) is None
    assert server.configured_url({**environ, "PREFECT_PROFILE": "unheard-of"}) is None


@pytest.mark.parametrize("content", [b"", b"active = ", b'active = "M\xfcller"'])
def test_profiles_that_cannot_be_read_name_none(environ: dict[str, str], tmp_path: Path, content: bytes) -> None:
    (tmp_path / "profiles.toml").write_bytes(content)
    assert server.configured_url(environ) is None


def test_without_profiles_there_is_no_server(tmp_path: Path) -> None:
    assert server.configured_url({"PREFECT_HOME": str(tmp_path)}) is None


# ------------------------------------------------------------------------------------------------------------------ health


class Health(BaseHTTPRequestHandler):
    """Answers `/good/health` as a healthy server does, and anything else as one that is starting."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/good/health" else 503)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name of the base class)
        """Say nothing."""


@contextmanager
def speaking(first_words: bytes) -> Generator[int]:
    """Listen on a port and say something that is not HTTP, or nothing at all, to the first who comes."""

    def speak() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(first_words)
            if not first_words:
                connection.recv(1000)

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        thread = threading.Thread(target=speak)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_a_server_is_healthy_when_it_says_so() -> None:
    with serving(HTTPServer(("127.0.0.1", 0), Health)) as port:
        assert server.is_healthy(f"http://127.0.0.1:{port}/good")
        assert server.is_healthy(f"http://127.0.0.1:{port}/good/")
        assert not server.is_healthy(f"http://127.0.0.1:{port}/starting")


def test_a_silent_server_is_given_half_a_second() -> None:
    began = time.monotonic()
    with speaking(b"") as port:
        assert not server.is_healthy(f"http://127.0.0.1:{port}/api")
    assert 0.5 <= time.monotonic() - began < 2


def test_a_server_that_speaks_something_else_is_not_healthy() -> None:
    with speaking(b"SSH-2.0-OpenSSH_9.6\r\n") as port:
        assert not server.is_healthy(f"http://127.0.0.1:{port}/api")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/api", "localhost", "http://host:port/api", "http://a host/api", "http://[::1/api", ""])
def test_where_no_server_can_be_none_is_healthy(url: str) -> None:
    assert not server.is_healthy(url)


# --------------------------------------------------------------------------------------------------------- the home's own


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("PREFECT_")]:
        monkeypatch.delenv(name)
    home.prepare(tmp_path)
    return tmp_path


def client(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", CLIENT, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(process: subprocess.Popen[str], question: str = "") -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(question)
    process.stdin.flush()
    return process.stdout.readline().strip()


def processes_of(folder: Path) -> list[int]:
    """List the living processes that serve a home."""
    found = []
    for process in psutil.process_iter(["pid", "status", "cmdline"]):
        serves = process.info["cmdline"] and {"tasks.adapters.server_process", f"{folder}/prefect"} <= set(process.info["cmdline"])
        if serves and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.info["pid"])
    return found


def has_ended(folder: Path) -> bool:
    """Wait until no process serves a home."""
    deadline = time.monotonic() + END_TIMEOUT_S
    while processes_of(folder):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def addresses(pid: int) -> set[str]:
    return {listener.laddr.ip for listener in psutil.Process(pid).net_connections() if listener.status == psutil.CONN_LISTEN}


def test_clients_share_one_server_that_ends_with_the_last_of_them(folder: Path) -> None:
    with client(folder) as leaving, client(folder) as killed:
        try:
            url = ask(leaving)
            assert ask(killed) == url
            (pid,) = processes_of(folder)
            assert json.loads((folder / "prefect/server.json").read_text(encoding="utf-8"))["pid"] == pid
            assert server.is_healthy(url)
            assert addresses(pid) == {"127.0.0.1"}
            assert psutil.Process(pid).children(recursive=True) == []
            assert (folder / "prefect/prefect.db").is_file()
            assert ask(leaving, "leave\n") == "left"
            time.sleep(1)
            assert server.is_healthy(url)
            killed.kill()
            assert has_ended(folder)
            assert not server.is_healthy(url)
        finally:
            leaving.kill()
            killed.kill()


def test_a_server_whose_client_is_gone_before_it_serves_ends_too(folder: Path) -> None:
    subprocess.run([sys.executable, "-c", SHORT_CLIENT, str(folder)], check=True)
    assert len(processes_of(folder)) == 1
    assert has_ended(folder)


def test_a_server_that_ends_while_it_starts_is_told_in_one_sentence(folder: Path) -> None:
    answer = subprocess.run([sys.executable, "-c", UNLUCKY_CLIENT, str(folder)], capture_output=True, text=True, check=True)
    log = folder / "prefect/server.log"
    assert answer.stdout == f"the Prefect server of this home ended while it started; see {log}, or run with --no-record\n"
    assert log.is_file()
    assert has_ended(folder)
