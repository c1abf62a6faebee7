"""The life of a model in two minutes: weeks of a simulated market, with nothing but the installation."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from tasks.core.options import DemoOptions

NAME = "market_risk"
FIRST_WEEKS = 12
MOST_TOLD = 120
USE_CASE = """\
description: A simulation; nobody ever traded here. Will the next hour of the market be stressed?
target: stressed
time: ts
key: [ts]
candidates: [hist_gradient_boosting, logistic]
monitor: {rows: 40}
"""
HEAD = """\
A simulated market, week by week: rows arrive, `flows.ingest` takes them, `flows.monitor` looks at the champion and acts.
In week 32 the market turns, in week 45 volumes come in another unit, weeks 50 to 52 are as it was before week 32, and the labels
of the last two weeks are late.
"""


def play(options: DemoOptions) -> None:
    """Play the weeks in a folder of their own, and tell what happened.

    Raises:
        UsageError: the folder is not empty.
    """
    folder = Path(options.folder).absolute()
    if folder.exists() and any(folder.iterdir()):
        message = f"{folder} is there already; name another folder, or remove it"
        raise UsageError(message, where="folder")
    _move_into(folder)
    print(HEAD, flush=True)
    for line in _play(folder, options.weeks):
        print(line, flush=True)
    print(f"\nWhat `python -m flows explain --use-case {NAME}` says:\n", flush=True)
    from tasks import standing
    from tasks.core.options import ExplainOptions

    for told in standing.explain(ExplainOptions(use_case=NAME)):
        print(told.as_text())
    print(f"\nGo on there (`cd {options.folder}`): `python -m flows status`, `python -m flows explain 2 --use-case {NAME}`,")
    print(f"`python -m flows.rollback --use-case {NAME} --because TEXT`; the last look is .evergreen/reports/{NAME}/monitor.html")


def _move_into(folder: Path) -> None:
    """Make a project and a home there, which nothing else uses; runs are not recorded, for seconds count here."""
    (folder / "deployments" / "use_cases").mkdir(parents=True)
    (folder / "deployments" / "use_cases" / f"{NAME}.yaml").write_text(USE_CASE, encoding="utf-8")
    for name in [name for name in os.environ if name.startswith(("EVERGREEN_", "MLFLOW_TRACKING"))]:
        del os.environ[name]
    os.environ.update({"EVERGREEN_PROJECT": str(folder), "EVERGREEN_HOME": str(folder / ".evergreen"), "EVERGREEN_RECORD": "false"})
    os.chdir(folder)
    from tasks.adapters import home

    home.bootstrap()
    logging.getLogger("evergreen").setLevel(logging.ERROR)
    logging.getLogger().addHandler(logging.NullHandler())


def _play(folder: Path, weeks: int) -> Iterator[str]:
    from flows.monitor import monitor
    from flows.train import train
    from tasks.core.options import MonitorOptions, TrainOptions
    from tasks.core.simulation import DAYS, HOURS, market_risk

    rows = market_risk()
    rows = rows.assign(week=rows.index // (DAYS * HOURS))
    yield f"weeks 0-{FIRST_WEEKS - 1} ingested   {_ingest(folder, rows[rows['week'] < FIRST_WEEKS], 'first-weeks')}"
    yield f"{'':<11}trained    {train(TrainOptions(use_case=NAME)).state_message}"
    for week in range(FIRST_WEEKS, weeks):
        refused = _ingest(folder, rows[rows["week"] == week], f"week-{week}", is_told=False)
        report = monitor(MonitorOptions(use_case=NAME))
        yield f"week {week:<6}{report.state_name.lower():<11}{_short(refused or '; '.join(report.choice.reasons[::-1]))}"
        if report.done:
            yield f"{'':<22}{_short(report.done)}"


def _ingest(folder: Path, rows: pd.DataFrame, name: str, *, is_told: bool = True) -> str:
    """Deliver rows, and give what is to be said of that."""
    from flows.ingest import ingest
    from tasks.core.errors import DataRefusedError
    from tasks.core.options import IngestOptions

    rows.drop(columns="week").to_csv(folder / f"{name}.csv", index=False)
    try:
        came = ingest(IngestOptions(use_case=NAME, data=f"{name}.csv"))
    except DataRefusedError as error:
        return error.message
    return came.state_message if is_told else ""


def _short(text: str) -> str:
    """Leave out what to do about it, which `explain` and the pages tell."""
    told = text.partition("; to pass")[0].partition("; to take it in")[0]
    return told if len(told) <= MOST_TOLD else f"{told[: MOST_TOLD - 1]}…"
