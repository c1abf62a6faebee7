"""Every door's first step: read the call, set the environment, and only then import engines.

Importing this module sets what MLflow, Great Expectations and Evidently read. `main` answers `--help` from the options
type alone, then loads what runs the flow, and turns what comes of it into output and exit code.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import logging
import os
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from tasks.adapters import home
from tasks.core import command
from tasks.core.errors import EvergreenError, StoreError, UsageError
from tasks.core.options import (
    AlarmOptions,
    BacktestOptions,
    CardOptions,
    CompareOptions,
    DemoOptions,
    DeploymentsOptions,
    DoctorOptions,
    DownOptions,
    ExplainOptions,
    IngestOptions,
    InitOptions,
    MaintainOptions,
    MonitorOptions,
    Options,
    PreviewOptions,
    PromoteOptions,
    ReproduceOptions,
    RollbackOptions,
    ScoreOptions,
    StatusOptions,
    TrainOptions,
    UpOptions,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

INTERRUPTED = 130
BROKEN_PIPE = 141


@dataclass(frozen=True)
class Job:
    """A job.

    Attributes:
        options: What it can be asked.
        engines: What its flow needs, imported while the server starts.
        tell: The function that gives what a person reads of its outcome, with paths relative to a folder.
    """

    options: type[Options]
    engines: tuple[str, ...]
    tell: str


class Answer(Protocol):
    """What a question is answered with, once or for each thing asked about."""

    def as_text(self) -> str:
        """Give what a person reads."""
        ...

    def as_json(self) -> dict[str, object]:
        """Give what a script reads, in one line."""
        ...


@dataclass(frozen=True)
class Question:
    """A question.

    Attributes:
        options: What it can be asked.
        verb: The function that answers it, in one answer or several.
        is_slow: Whether a person wants to see how far it is.
    """

    options: type[Any]
    verb: str
    is_slow: bool = False


JOBS = {
    "train": Job(
        options=TrainOptions,
        engines=("pandas", "sklearn.ensemble", "sklearn.linear_model", "mlflow.sklearn", "great_expectations", "skops.io"),
        tell="tasks.core.summary:of_training",
    ),
    "ingest": Job(
        options=IngestOptions,
        engines=("pandas", "deltalake", "great_expectations"),
        tell="tasks.core.deliveries:describe",
    ),
    "score": Job(
        options=ScoreOptions,
        engines=("pandas", "deltalake", "mlflow.sklearn", "great_expectations", "skops.io", "sklearn.ensemble"),
        tell="tasks.core.scoring:describe",
    ),
    "promote": Job(
        options=PromoteOptions,
        engines=("pandas", "sklearn.ensemble", "mlflow.sklearn", "skops.io"),
        tell="tasks.core.succession:describe",
    ),
    "rollback": Job(options=RollbackOptions, engines=("mlflow.sklearn", "skops.io"), tell="tasks.core.succession:describe"),
    "reproduce": Job(
        options=ReproduceOptions,
        engines=("pandas", "sklearn.ensemble", "mlflow.sklearn", "skops.io"),
        tell="tasks.core.reproducing:describe",
    ),
    "monitor": Job(
        options=MonitorOptions,
        engines=("pandas", "deltalake", "mlflow.sklearn", "skops.io", "sklearn.ensemble"),
        tell="tasks.core.monitoring:describe",
    ),
    "backtest": Job(
        options=BacktestOptions,
        engines=("pandas", "sklearn.ensemble", "great_expectations", "evidently.metrics"),
        tell="tasks.core.backtest:describe",
    ),
    "alarm": Job(options=AlarmOptions, engines=("sqlalchemy", "apprise"), tell="tasks.core.alarms:describe"),
    "maintain": Job(options=MaintainOptions, engines=("deltalake", "mlflow"), tell="tasks.core.maintenance:describe"),
}
QUESTIONS = {
    "status": Question(StatusOptions, "tasks.standing:status"),
    "explain": Question(ExplainOptions, "tasks.standing:explain"),
    "card": Question(CardOptions, "tasks.cards:card"),
    "compare": Question(CompareOptions, "tasks.standing:compare"),
    "doctor": Question(DoctorOptions, "tasks.standing:doctor"),
    "preview": Question(PreviewOptions, "tasks.questions:preview"),
    "init": Question(InitOptions, "tasks.setup:init"),
    "deployments": Question(DeploymentsOptions, "tasks.questions:write_deployments"),
    "up": Question(UpOptions, "tasks.stack:up", is_slow=True),
    "down": Question(DownOptions, "tasks.stack:down", is_slow=True),
}

# Wrong settings are told by `main` in one sentence, and by `tasks.record` where there is no `main`.
with contextlib.suppress(UsageError):
    home.bootstrap()


def main(job: str, argv: Sequence[str] | None = None) -> None:
    """Run a job from the command line and leave the process with its exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    as_json = command.wants_json(arguments)
    with _outermost_door(as_json=as_json):
        if job not in JOBS:
            raise UsageError.unknown("job", job, [*JOBS, *QUESTIONS])
        asked = JOBS[job]
        call = command.parse(f"python -m flows.{job}", asked.options, arguments)
        from flows import _running

        outcome = _running.run(job, asked.engines, call)
        _tell(json.dumps(outcome.as_json(), ensure_ascii=False) if as_json else resolve_name(asked.tell)(outcome, str(Path.cwd())))


def answer(question: str, argv: Sequence[str]) -> None:
    """Answer a question from the command line and leave the process with its exit code."""
    as_json = command.wants_json(argv)
    asked = QUESTIONS[question]
    with _outermost_door(as_json=as_json):
        options = command.parse(f"python -m flows {question}", asked.options, argv).options
        if asked.is_slow:
            _show_progress()
        ask: Callable[[Any], Iterable[Answer]] = resolve_name(asked.verb)
        for answer in ask(options):
            _tell(json.dumps(answer.as_json(), ensure_ascii=False) if as_json else answer.as_text())


def play(argv: Sequence[str]) -> None:
    """Play the demonstration and leave the process with its exit code."""
    with _outermost_door(as_json=command.wants_json(argv)):
        call = command.parse("python -m flows demo", DemoOptions, argv)
        from flows import _demo

        _demo.play(call.options)


def _show_progress() -> None:
    """Write to standard error what a question that takes a while is at."""
    log = logging.getLogger("evergreen")
    log.addHandler(logging.StreamHandler(sys.stderr))
    log.setLevel(logging.INFO)
    log.propagate = False


def overview() -> str:
    """List the jobs and the questions."""
    told = {name: job.options.__doc__ for name, job in JOBS.items()} | {name: asked.options.__doc__ for name, asked in QUESTIONS.items()}
    told["demo"] = DemoOptions.__doc__
    lines = [f"  {name:<12} {(text or '').splitlines()[0]}" for name, text in told.items()]
    return "\n".join(["usage: evergreen NAME [--help] [ARGUMENTS]   (python -m flows NAME is the same)", "", *lines])


def _tell(text: str) -> None:
    """Write what was asked for to standard output.

    Raises:
        StoreError: it cannot be written.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left in it would fail again at the end
        message = f"standard output cannot be written: {error.strerror}"
        raise StoreError(message, where="stdout") from error


@contextlib.contextmanager
def _outermost_door(*, as_json: bool) -> Generator[None]:
    """Leave the process with the exit code of what happens here, without Python's last step.

    In that step native libraries destroy what threads of theirs may still use; one run in thousands was aborted there.
    """
    code: object = 0
    try:
        with _in_one_sentence(as_json=as_json):
            yield
    except SystemExit as end:
        code = end.code
    try:
        atexit._run_exitfuncs()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] (public is only the last step)
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(code if isinstance(code, int) else 0)


@contextlib.contextmanager
def _in_one_sentence(*, as_json: bool) -> Generator[None]:
    """Turn whatever is raised into one sentence and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A file's name may hold what the terminal cannot show.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        yield
    except EvergreenError as error:
        _fail(error, as_json=as_json)
    except BrokenPipeError:  # whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(BROKEN_PIPE)
    except MemoryError as error:  # Arrow's is one of them
        message = "there is too little memory for this; take a machine with more, or less data at once"
        _fail(EvergreenError(f"{message} ({str(error).splitlines()[0]})" if str(error) else message), as_json=as_json)
    except KeyboardInterrupt:
        print("interrupted; the next run closes what this one left open", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except Exception as error:  # noqa: BLE001 (nothing beyond this line could say it better)
        _fail(_unexpected(error), as_json=as_json)


def _fail(error: EvergreenError, *, as_json: bool) -> NoReturn:
    if as_json:
        print(json.dumps(error.as_json(), ensure_ascii=False))
    print(f"{error.code.replace('_', ' ')}: {error.message}", file=sys.stderr)
    sys.exit(error.exit_code)


def _unexpected(error: Exception) -> EvergreenError:
    """Turn a defect into one sentence, with the trace in a file for whoever mends it."""
    try:
        folder = home.settings().home / "errors"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{os.getpid()}.txt"
        path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
        kept = f"; the trace is in {path}"
    except (OSError, EvergreenError):
        kept = ""
    told = (str(error).splitlines() or [""])[0]
    if isinstance(error, ModuleNotFoundError):
        return EvergreenError(
            f"this needs the package '{error.name}', which is not installed; install it, or leave out what needs it{kept}"
        )
    return EvergreenError(f"this should not have happened: {type(error).__name__}: {told}{kept}")
