"""Every door's first step: read the call, set the environment, and only then import engines.

Importing this module sets what MLflow, Great Expectations and Evidently read. `main` answers `--help` from the options
type alone, then finds or starts a Prefect server, runs the flow, and turns what comes of it into output and exit code.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import io
import json
import logging
import os
import sys
import time
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from tasks import questions, setup
from tasks.adapters import home, projects, server, sources
from tasks.adapters.lake import Lake
from tasks.core import command, deliveries, maintenance, names, scoring, summary
from tasks.core.deployments import ALL
from tasks.core.errors import EvergreenError, StoreError, UsageError
from tasks.core.options import (
    DeploymentsOptions,
    IngestOptions,
    InitOptions,
    MaintainOptions,
    Options,
    PreviewOptions,
    ScoreOptions,
    SourceOptions,
    TrainOptions,
)
from tasks.core.use_case import LAKE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from tasks.core.settings import Settings

INTERRUPTED = 130
BROKEN_PIPE = 141
PREFECT_CLIENT = {
    "PREFECT_LOGGING_EXTRA_LOGGERS": "evergreen",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    # Progress is our own, and `main` tells a failure once; what Prefect says of it stands in the run's log.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
}
log = logging.getLogger("evergreen")


@dataclass(frozen=True)
class Job:
    """A job.

    Attributes:
        options: What it can be asked.
        engines: What its flow needs, imported while the server starts.
        tell: Gives what a person reads of its outcome, with paths relative to a folder.
    """

    options: type[Options]
    engines: tuple[str, ...]
    tell: Callable[[Any, str], str]


class Outcome(Protocol):
    """What a job comes to."""

    def as_json(self) -> dict[str, object]:
        """Give the document that scripts may rely on."""
        ...


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
    """A question: its options, and the verb that answers it."""

    options: type[Any]
    ask: Callable[[Any], Iterable[Answer]]


JOBS = {
    "train": Job(
        options=TrainOptions,
        engines=("pandas", "sklearn.ensemble", "sklearn.linear_model", "mlflow.sklearn", "great_expectations", "skops.io"),
        tell=summary.of_training,
    ),
    "ingest": Job(
        options=IngestOptions,
        engines=("pandas", "deltalake", "great_expectations"),
        tell=deliveries.describe,
    ),
    "score": Job(
        options=ScoreOptions,
        engines=("pandas", "deltalake", "mlflow.sklearn", "great_expectations", "skops.io", "sklearn.ensemble"),
        tell=scoring.describe,
    ),
    "maintain": Job(options=MaintainOptions, engines=("deltalake", "mlflow"), tell=maintenance.describe),
}
QUESTIONS = {
    "preview": Question(PreviewOptions, questions.preview),
    "init": Question(InitOptions, setup.init),
    "deployments": Question(DeploymentsOptions, questions.write_deployments),
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
        outcome = _run(job, command.parse(f"python -m flows.{job}", JOBS[job].options, arguments))
        _tell(json.dumps(outcome.as_json(), ensure_ascii=False) if as_json else JOBS[job].tell(outcome, str(Path.cwd())))


def answer(question: str, argv: Sequence[str]) -> None:
    """Answer a question from the command line and leave the process with its exit code."""
    as_json = command.wants_json(argv)
    asked = QUESTIONS[question]
    with _outermost_door(as_json=as_json):
        for answer in asked.ask(command.parse(f"python -m flows {question}", asked.options, argv).options):
            _tell(json.dumps(answer.as_json(), ensure_ascii=False) if as_json else answer.as_text())


def overview() -> str:
    """List the jobs and the questions."""
    told = {name: job.options.__doc__ for name, job in JOBS.items()} | {name: asked.options.__doc__ for name, asked in QUESTIONS.items()}
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


def _run(job: str, call: command.Call[Options]) -> Outcome:
    if not call.record:
        os.environ["EVERGREEN_RECORD"] = "false"
    _show_progress()
    settings = home.settings()
    home.bootstrap()
    use_case, has_suite = _look_ahead(job, call.options, settings)
    home.prepare(settings.home)
    log.info("starting: the engines%s", " and Prefect" if settings.record else "")
    with _prefect(settings.home) if settings.record else contextlib.nullcontext() as started:
        for engine in JOBS[job].engines:
            if has_suite or engine != "great_expectations":  # seconds that only a suite is worth
                importlib.import_module(engine)
        flow = getattr(importlib.import_module(f"flows.{job}"), job)
        if started:
            started.wait()
        record = importlib.import_module("tasks.record")
        run_name = names.run_name(job, use_case, names.digest(call.options.model_dump_json()))
        try:
            # Standard output belongs to the answer.
            with contextlib.redirect_stdout(sys.stderr):
                return record.named(flow, run_name)(call.options)
        finally:
            record.flush()


def _look_ahead(job: str, options: Options, settings: Settings) -> tuple[str, bool]:
    """Tell what a person mistyped before seconds of imports; give the use case's name, and whether it has a suite."""
    if not isinstance(options, SourceOptions):
        return getattr(options, "use_case", None) or ALL, False
    case = projects.resolve(options, settings, lambda name: Lake(settings.lake_address, name).begun_with() is not None)
    if case.use_case.data != LAKE and not (job == "ingest" and options.data is None):
        sources.check(case.use_case.data)
    return case.name, case.suite is not None


@contextlib.contextmanager
def _prefect(folder: Path) -> Generator[server.HomeServer | None]:
    """Point Prefect at the server that answers, or else at the home's own, which this process then shares."""
    for name, value in PREFECT_CLIENT.items():
        os.environ.setdefault(name, value)
    url = server.configured_url(os.environ)
    if url and server.is_healthy(url):
        yield None
        return
    if url:
        log.warning("the Prefect server at %s does not answer; recording on a server of this home instead", url)
    own = server.HomeServer(folder)
    own.join()
    os.environ.update({"PREFECT_API_URL": own.url, "PREFECT_HOME": str(own.folder)})
    try:
        yield own
    finally:
        own.leave()


class _SinceStart(logging.Formatter):
    """Progress lines that begin with the seconds since the start."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one line."""
        return f"{record.relativeCreated / 1000:6.1f} s  {names.on_one_line(super().format(record))}"


def _show_progress() -> None:
    progress = logging.StreamHandler(sys.stderr)
    progress.setFormatter(_SinceStart())
    log.addHandler(progress)
    log.setLevel(logging.INFO)
    log.propagate = False
    logging.getLogger().addHandler(logging.NullHandler())  # what engines log of a failure, with its trace, is told once by `main`
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


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
