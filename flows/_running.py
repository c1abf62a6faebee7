"""A run: settings, a look at what was asked for, a Prefect server, engines, the flow. Nothing of it is loaded for `--help`."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
import warnings
from typing import TYPE_CHECKING, Protocol, TextIO

from tasks.adapters import home, projects, server, sources, steps
from tasks.adapters.lake import Lake
from tasks.core import names
from tasks.core.deployments import ALL
from tasks.core.options import SourceOptions
from tasks.core.use_case import LAKE

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from tasks.core import command
    from tasks.core.options import Options
    from tasks.core.settings import Settings

PREFECT_CLIENT = {
    "PREFECT_LOGGING_EXTRA_LOGGERS": "evergreen",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    # Progress is our own, and `main` tells a failure once; what Prefect says of it stands in the run's log.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
}
log = logging.getLogger("evergreen")


class Outcome(Protocol):
    """What a job comes to."""

    def as_json(self) -> dict[str, object]:
        """Give the document that scripts may rely on."""
        ...


def run(job: str, engines: Sequence[str], call: command.Call[Options]) -> Outcome:
    """Run a job's flow, recorded where that is wanted, and give what it comes to."""
    if not call.record:
        os.environ["EVERGREEN_RECORD"] = "false"
    show_progress(sys.stderr)
    settings = home.settings()
    home.bootstrap()
    use_case, has_suite = _look_ahead(job, call.options, settings)
    home.prepare(settings.home)
    log.info("starting: the engines%s", " and Prefect" if settings.record else "")
    with _prefect(settings.home) if settings.record else contextlib.nullcontext() as started:
        for engine in engines:
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


class _OnTerminal(logging.StreamHandler[TextIO]):
    """Progress for a person who looks on: the steps of a long task share one line."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._is_open = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, over the one of the last step; what tells of steps in a log is left out."""
        if getattr(record, "is_step", False):
            return
        is_step = record.name == steps.live.name
        start = "\r\x1b[K" if self._is_open else ""
        self._is_open = is_step and not getattr(record, "is_last", False)
        try:
            self.stream.write(f"{start}{self.format(record)}{'' if self._is_open else chr(10)}")
            self.flush()
        except OSError:
            self.handleError(record)


def show_progress(stream: TextIO) -> None:
    """Show progress on a stream: line by line, or in place where it is a terminal."""
    is_seen = stream.isatty()
    handler = _OnTerminal(stream) if is_seen else logging.StreamHandler(stream)
    handler.setFormatter(_SinceStart())
    log.addHandler(handler)
    if is_seen:
        steps.live.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    logging.getLogger().addHandler(logging.NullHandler())  # what engines log of a failure, with its trace, is told once by `main`
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
