"""Evergreen as its users start it: other processes, an empty folder, a home of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
import yaml

from tests.houses import copy_home, write_houses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 300
# A process that has imported all engines, and runs each job in a fork of itself through the door of the command line; several people at
# once have a list of jobs each. Some are killed when what writes files and tables was called or has returned so many times, some in a step.
CLERK = """
import importlib, json, logging, os, resource, signal, sys, threading
from pathlib import Path
from sqlalchemy.orm import configure_mappers
from flows import _entry
for job in _entry.JOBS:
    for engine in (*_entry.JOBS[job].engines, f"flows.{job}"):
        importlib.import_module(engine)
for store in ("tracking", "model_registry"):  # which MLflow imports on its first call
    importlib.import_module(f"mlflow.store.{store}.sqlalchemy_store")
configure_mappers()
WRITING = ("lake/tables.py", "lake/parts.py", "snapshots.py", "landing.py")
left = 0

def count(frame, event, _):
    global left
    code = frame.f_code
    if event in ("call", "return") and code.co_filename.endswith(WRITING) and not code.co_name.startswith("<"):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

def stop_in(step):
    moment, _, name = step.partition(" ")
    module, _, function = name.partition(".")
    paths = (f"tasks.{package}{module}" for package in ("adapters.tracking.", "adapters.", ""))
    found = next(sys.modules[path] for path in paths if path in sys.modules)
    original = getattr(found, function)
    def stopping(*arguments, **options):
        moment == "call" or original(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(found, function, stopping)

class Killer(logging.Handler):
    def emit(self, record):
        if line in record.getMessage():
            threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL)).start()
            seconds or signal.pause()

def work(told, job, *arguments):
    for stream, path in zip((sys.stdout, sys.stderr), told):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream.fileno())
    if room:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    os.chdir(desk)
    os.environ.clear()
    os.environ.update(variables)
    if left:
        sys.setprofile(count)
    if step:
        stop_in(step)
    if line:
        logging.getLogger("evergreen").addHandler(Killer())
    if job in _entry.JOBS:
        _entry.main(job, [*arguments, "--no-record"])
    _entry.answer(job, arguments)

def fork(work, *arguments):
    child = os.fork()
    if not child:
        try:
            work(*arguments)
        finally:
            os._exit(70)
    return child

def ended(child, told):
    _, status = os.waitpid(child, 0)
    return [os.waitstatus_to_exitcode(status), *(path.read_text() for path in told)]

def work_through(name, jobs):
    told = [Path(sys.argv[1], f"{stream}-{name}") for stream in ("out", "err")]
    each = [ended(fork(work, told, *job), told) for job in jobs]
    Path(sys.argv[1], f"ended-{name}").write_text(json.dumps(each))
    os._exit(0)

for order in sys.stdin:
    left, step, line, seconds, room, desk, variables, people = json.loads(order)
    for child in [fork(work_through, name, jobs) for name, jobs in enumerate(people)]:
        os.waitpid(child, 0)
    every = [json.loads(Path(sys.argv[1], f"ended-{name}").read_text()) for name in range(len(people))]
    print(json.dumps([one for each in every for one in each]), flush=True)
"""


@dataclass(frozen=True)
class Desk:
    """A folder that a person works in; state goes into `.evergreen` there unless they say otherwise."""

    folder: Path
    python: str = sys.executable
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.folder / ".evergreen"

    def environment(self, **variables: str) -> dict[str, str]:
        theirs = {name: value for name, value in os.environ.items() if not name.startswith(("EVERGREEN_", "PREFECT_", "MLFLOW_"))}
        # No profile of the person who tests, and no store of theirs: Prefect keeps both under this.
        nobody = str(self.folder.parent / "prefect-of-nobody")
        return {**theirs, "PREFECT_HOME": nobody, "PWD": str(self.folder), **variables}

    def start(self, *command: str, **variables: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [self.python, *command],
            cwd=self.folder,
            env=self.environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.python, *command],
            cwd=self.folder,
            env=self.environment(**variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    def train(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return self.run("-m", "flows.train", *arguments, **variables)

    def trained(self, *arguments: str, **variables: str) -> dict[str, object]:
        """Train and give the answer; whatever goes wrong is shown."""
        done = self.train("--json", *arguments, **variables)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@dataclass(frozen=True)
class Clerk:
    """Somebody at a desk who runs one unrecorded job after the other, each as a process of its own that need not import engines."""

    process: subprocess.Popen[str]
    desk: Desk

    def run(
        self,
        job: str,
        *arguments: str,
        killed_after: int = 0,
        killed_in: str = "",
        killed_at: tuple[str, float] = ("", 0.0),
        room: int = 0,
        **variables: str,
    ) -> subprocess.CompletedProcess[str]:
        """Run a job, or ask a question.

        Args:
            job: Its name.
            arguments: As on the command line.
            killed_after: Kill it after so many calls and returns of what writes, if it comes so far.
            killed_in: Kill it in a step of a verb or an adapter, such as `call ledger.crown` or `return ledger.crown`.
            killed_at: Kill it so many seconds after it told a line of progress that holds this, if it comes so far.
            room: Let no file grow beyond so many bytes, as on a full disk.
            variables: Settings.
        """
        (done,) = self._order([killed_after, killed_in, *killed_at, room], [[(job, *arguments)]], variables)
        return done

    def run_at_once(self, *people: list[tuple[str, ...]], **variables: str) -> list[subprocess.CompletedProcess[str]]:
        """Let several people at once work through a list of jobs each, and give each ending."""
        return self._order([0, "", "", 0.0, 0], people, variables)

    def _order(
        self, how: list[object], people: Sequence[list[tuple[str, ...]]], variables: dict[str, str]
    ) -> list[subprocess.CompletedProcess[str]]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        environment = self.desk.environment(EVERGREEN_RECORD="false", **variables)
        print(json.dumps([*how, str(self.desk.folder), environment, people]), file=self.process.stdin, flush=True)
        every = json.loads(self.process.stdout.readline())
        for _, _, err in every:
            assert "Traceback" not in err, err
        jobs = [job for each in people for job in each]
        return [subprocess.CompletedProcess(job, code, out, err) for job, (code, out, err) in zip(jobs, every, strict=True)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    yield from a_desk_that_is_left_alone(tmp_path / "desk")


@pytest.fixture(scope="module")
def module_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    yield from a_desk_that_is_left_alone(tmp_path_factory.mktemp("module") / "desk")


@pytest.fixture(scope="session")
def clerk_at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Desk], Clerk]]:
    desk = Desk(tmp_path_factory.mktemp("forking"))
    environment = desk.environment(EVERGREEN_RECORD="false")
    command = [desk.python, "-c", CLERK, str(desk.folder)]
    with subprocess.Popen(command, cwd=desk.folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield partial(Clerk, process)
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def clerk(desk: Desk, clerk_at: Callable[[Desk], Clerk]) -> Clerk:
    return clerk_at(desk)


@pytest.fixture(scope="session")
def two_champions(tmp_path_factory: pytest.TempPathFactory, clerk_at: Callable[[Desk], Clerk]) -> Desk:
    """Give a desk with a use case that has had two champions."""
    desk = Desk(tmp_path_factory.mktemp("two-champions"))
    folder = desk.folder / "deployments" / "use_cases"
    folder.mkdir(parents=True)
    values = {"data": "houses.csv", "candidates": ["ridge"], "gate": {"tolerance": 0.5}}
    (folder / "houses.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    for seed in (0, 1):
        write_houses(desk.folder, seed)
        done = clerk_at(desk).run("train", "--use-case", "houses")
        assert "alias champion of houses" in done.stderr, done.stderr
    return desk


@pytest.fixture
def heir(clerk: Clerk, two_champions: Desk) -> Clerk:
    """Give somebody at a desk of their own that is like the one with two champions."""
    copy_home(two_champions.folder, clerk.desk.folder)
    return clerk


@pytest.fixture
def is_brief(request: pytest.FixtureRequest) -> bool:
    return request.config.getoption("--trials") == 1


@pytest.fixture(scope="session")
def wait_for() -> Callable[..., None]:
    return wait


def wait(condition: Callable[[], object], what: str, timeout_s: float = TIMEOUT_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout_s} s in vain until {what}"
        time.sleep(0.05)


def a_desk_that_is_left_alone(folder: Path) -> Iterator[Desk]:
    """Give a desk, and in the end require that no process goes on working there: a server, say, that nobody uses."""
    folder.mkdir()
    desk = Desk(folder)
    yield desk
    for process in desk.started:  # those of a test that failed
        if process.poll() is None:
            process.kill()
            process.communicate()
    wait(lambda: not processes_of(folder.parent), f"no process works in {folder.parent}", 60)


def processes_of(folder: Path) -> list[str]:
    found: list[str] = []
    for process in psutil.process_iter():
        try:
            command = " ".join(process.cmdline())
            if str(folder) in command and process.status() != psutil.STATUS_ZOMBIE and process.pid != os.getpid():
                found.append(command)
        except psutil.Error:
            continue
    return found
