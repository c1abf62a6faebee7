from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tasks.adapters import home
from tasks.core.errors import StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Generator

ENGINES = ("EVERGREEN_", "MLFLOW_", "GX_", "ITERATIVE_", "PREFECT_", "DO_NOT_TRACK")
OWNER = "from tasks.adapters import home; import time; print(home.owner(), flush=True); time.sleep(600)"
HOLDER = (
    "import sys, time; from pathlib import Path; from tasks.adapters import home\n"
    "with home.lock(Path(sys.argv[1]), 'stores'):\n"
    "    print('held', flush=True); time.sleep(600)\n"
)
BOOTSTRAP = """
import json, warnings
warnings.simplefilter("ignore")
from tasks.adapters import home
home.bootstrap()
import mlflow
from mlflow.telemetry.utils import is_telemetry_disabled
from prefect.settings import get_current_settings
print(json.dumps([mlflow.get_tracking_uri(), is_telemetry_disabled(), get_current_settings().server.analytics_enabled]))
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(ENGINES)]:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def environment(here: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Let bootstrap write the environment, and give it back afterwards as it was."""
    for name in (*home.SILENT, "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return monkeypatch


@contextmanager
def started(program: str, *arguments: str) -> Generator[tuple[subprocess.Popen[str], str]]:
    """Start a program and give it with its first line of output; it is killed and gone afterwards."""
    with subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


# ---------------------------------------------------------------------------------------------------------------- settings


def test_the_environment_goes_before_the_file_and_the_file_before_the_defaults(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("EVERGREEN_HOME=of-the-file\nEVERGREEN_PROJECT=of-the-file\nOTHER=1\n", encoding="utf-8")
    monkeypatch.setenv("EVERGREEN_HOME", "of-the-environment")
    settings = home.settings()
    assert settings.home == here / "of-the-environment"
    assert settings.project == here / "of-the-file"
    assert settings.ledger_address == f"sqlite:///{here}/of-the-environment/ledger.db"
    assert settings.record


def test_the_home_is_below_the_current_folder_unless_it_is_set(here: Path) -> None:
    assert home.settings().home == here / ".evergreen"


def test_a_name_of_the_file_that_is_no_setting_is_refused(here: Path) -> None:
    Path(".env").write_text("EVERGREEN_HOMES=state\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"there is no setting 'EVERGREEN_HOMES'; did you mean 'EVERGREEN_HOME'\?"):
        home.settings()


def test_a_file_of_settings_that_is_no_text_is_refused_in_one_sentence(here: Path) -> None:
    Path(".env").write_bytes("OWNER=Müller\n".encode("latin-1"))
    with pytest.raises(UsageError) as refused:
        home.settings()
    assert refused.value.message == f"{here}/.env is not UTF-8 text: byte 7 is 0xfc; save it as UTF-8"


def test_a_folder_called_env_is_no_file_of_settings(here: Path) -> None:
    Path(".env").mkdir()
    assert home.settings().home == here / ".evergreen"


# --------------------------------------------------------------------------------------------------------------- bootstrap


def test_the_engines_find_the_store_of_the_home_and_send_no_telemetry(here: Path) -> None:
    answer = subprocess.run([sys.executable, "-c", BOOTSTRAP], capture_output=True, text=True, check=True, cwd=here)
    assert json.loads(answer.stdout) == [f"sqlite:///{here}/.evergreen/mlflow.db", True, False]
    assert list(here.iterdir()) == []


def test_bootstrap_sets_what_every_engine_reads(environment: pytest.MonkeyPatch, here: Path) -> None:
    home.bootstrap()
    assert {name: os.environ[name] for name in home.SILENT} == {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
        "GX_ANALYTICS_ENABLED": "false",
        "ITERATIVE_DO_NOT_TRACK": "1",
        "DO_NOT_TRACK": "true",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
    assert os.environ["MLFLOW_TRACKING_URI"] == f"sqlite:///{here}/.evergreen/mlflow.db"


def test_the_store_that_a_person_has_chosen_stays_and_telemetry_does_not(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example")
    environment.setenv("MLFLOW_DISABLE_TELEMETRY", "false")
    home.bootstrap()
    assert os.environ["MLFLOW_TRACKING_URI"] == "https://mlflow.example"
    assert home.settings().mlflow_uri == "https://mlflow.example"


def test_our_own_setting_of_the_tracking_store_goes_before_that_of_mlflow(here: Path, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example")
    environment.setenv("EVERGREEN_TRACKING_URI", "https://ours.example")
    home.bootstrap()
    assert os.environ["MLFLOW_TRACKING_URI"] == home.settings().mlflow_uri == "https://ours.example"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


# ---------------------------------------------------------------------------------------------------------------- the home


def test_a_home_is_created_whole_and_twice_is_once(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "home"
    home.prepare(folder)
    home.prepare(folder)
    assert sorted(path.name for path in folder.iterdir()) == [".gitignore", "locks", "prefect", "quarantine", "reports", "snapshots"]
    assert (folder / ".gitignore").read_text(encoding="utf-8") == "*\n"


def test_what_a_person_ignores_in_a_folder_that_becomes_a_home_stays(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.csv\n", encoding="utf-8")
    home.prepare(tmp_path)
    assert (tmp_path / ".gitignore").read_text(encoding="utf-8") == "*.csv\n"


@pytest.mark.parametrize("below", ["home", "home/deeper"])
def test_a_home_that_cannot_be_written_is_told_in_one_sentence(tmp_path: Path, below: str) -> None:
    (tmp_path / "home").touch()
    folder = tmp_path / below
    with pytest.raises(StoreError) as refused:
        home.prepare(folder)
    assert (
        refused.value.message == f"cannot write to the home {folder}: Not a directory; set EVERGREEN_HOME to a folder that can be written"
    )


# ------------------------------------------------------------------------------------------------------------------- locks


def test_a_lock_that_another_process_holds_is_waited_for_and_then_told(tmp_path: Path) -> None:
    home.prepare(tmp_path)
    with started(HOLDER, str(tmp_path)) as (_, said):
        assert said == "held"
        began = time.monotonic()
        with pytest.raises(StoreError) as refused, home.lock(tmp_path, "stores", timeout_s=0.2):
            pytest.fail("two processes hold one lock")
        assert time.monotonic() - began >= 0.2
        with home.lock(tmp_path, "registry-wine"):
            pass
    assert refused.value.message == f"another process has held {tmp_path}/locks/stores.lock for 0.2 s; end it, then run again"


def test_a_killed_holder_gives_its_lock_back(tmp_path: Path) -> None:
    home.prepare(tmp_path)
    with started(HOLDER, str(tmp_path)) as (process, _):
        process.kill()
        with home.lock(tmp_path, "stores", timeout_s=10):
            pass


def test_a_lock_is_given_back_when_its_holder_raises(tmp_path: Path) -> None:
    home.prepare(tmp_path)
    with pytest.raises(KeyError), home.lock(tmp_path, "stores"):
        raise KeyError
    with home.lock(tmp_path, "stores", timeout_s=0.2):
        pass


# ------------------------------------------------------------------------------------------------------------------ owners


def test_this_process_is_not_dead() -> None:
    host, pid, _ = home.owner().rsplit(":", 2)
    assert (host, int(pid)) == (socket.gethostname(), os.getpid())
    assert not home.is_dead(home.owner())


def test_a_process_is_dead_once_it_is_killed_even_before_its_parent_notices() -> None:
    with started(OWNER) as (process, owner):
        assert not home.is_dead(owner)
        process.kill()
        while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        assert home.is_dead(owner)
    assert home.is_dead(owner)


def test_a_process_that_took_over_the_number_of_a_dead_one_is_another() -> None:
    host, pid, start = home.owner().rsplit(":", 2)
    assert home.is_dead(f"{host}:{pid}:{float(start) - 60}")


def test_a_process_of_another_host_is_never_known_to_be_dead() -> None:
    assert not home.is_dead("another-host:1:0.00")


# ------------------------------------------------------------------------------------------------------------------ SQLite


def test_readers_of_a_store_in_wal_mode_go_on_while_a_writer_works(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("CREATE TABLE t (n INTEGER)")
        writer.execute("INSERT INTO t VALUES (1)")
        writer.commit()
        home.switch_to_wal(path)
        home.switch_to_wal(path)
        writer.execute("BEGIN EXCLUSIVE")
        writer.execute("INSERT INTO t VALUES (2)")
        with closing(sqlite3.connect(path, timeout=0)) as reader:
            assert reader.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
            assert reader.execute("SELECT n FROM t").fetchall() == [(1,)]


def test_reports_are_found_where_up_serves_them_unless_a_person_says_where(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home.settings().reports_url == ""
    note = here / ".evergreen" / "stack" / "reports.json"
    note.parent.mkdir(parents=True)
    note.write_text('{"pid": 1, "start": 1.5, "port": 4241}', encoding="utf-8")
    assert home.settings().reports_url == "http://127.0.0.1:4241"
    monkeypatch.setenv("EVERGREEN_REPORTS_URL", "https://ops.example")
    assert home.settings().reports_url == "https://ops.example"
    monkeypatch.delenv("EVERGREEN_REPORTS_URL")
    note.write_text("{", encoding="utf-8")
    assert home.settings().reports_url == ""
