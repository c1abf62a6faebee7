"""Verbs on history: cut it into chunks, fit what the policies may ask for, replay them, report."""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

from tasks import record, versions
from tasks.adapters import home, ledger, models, projects, reports, snapshots, tracking
from tasks.adapters.trials import TrialStore
from tasks.core import backtest, names, replay
from tasks.core.backtest import EVERY, NEVER, POLICY, BacktestReport
from tasks.core.candidates import BASELINE, candidates_for
from tasks.core.errors import DataRefusedError, UsageError
from tasks.core.metrics import row_losses
from tasks.core.recipe import Recipe
from tasks.core.replay import Fit, History
from tasks.core.snapshot import target_of
from tasks.core.use_case_file import with_section
from tasks.record import task

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd

    from tasks.core.backtest import Outcome
    from tasks.core.candidates import Candidate
    from tasks.core.metrics import Prediction
    from tasks.core.options import BacktestOptions
    from tasks.core.replay import Course
    from tasks.core.results import Score
    from tasks.core.snapshot import Case, Snapshot
    from tasks.core.spaces import Setting
    from tasks.core.table import Task
    from tasks.core.use_case import Loss, Retraining

FIRST_SHARE = 0.1  # of the rows, for the first fit
DEFAULT = "hist_gradient_boosting"
LEAST_CHUNK = 5
MOST_REFERENCE = 10_000  # rows that Evidently compares with: it computes each column's drift three times
GROWTHS, STALENESSES, RISES = (1.1, 1.2, 1.5, 2.0), (3, 5, 8, 12), (0.05, 0.1, 0.2)
log = logging.getLogger("evergreen")


@dataclass
class Rehearsal:
    """Rows in the order of their time, and whoever fits to the first of them.

    Attributes:
        case: Whose.
        snapshot: The rows as they were stored.
        df: Those with a label, in order.
        options: What was asked.
        candidate: What is fitted.
        settings: That differ from its own.
        loss: That counts.
        edges: Where the first fit's rows and each chunk end.
        order: What the rows are ordered by, in words.
    """

    case: Case
    snapshot: Snapshot
    df: pd.DataFrame
    options: BacktestOptions
    candidate: Candidate
    settings: dict[str, Setting]
    loss: Loss
    edges: list[int]
    order: str
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        """Look at the rows once."""
        self.X: pd.DataFrame = self.df[self.snapshot.schema.features]
        self.y = target_of(self.df, self.snapshot.schema)
        asked = [
            self.snapshot.digest,
            self.candidate.name,
            json.dumps(self.settings, sort_keys=True),
            str(self.case.use_case.seed),
            self.order,
            self.snapshot.schema.task,
        ]
        columns = [f"{column.name}:{column.type}:{column.role}" for column in self.snapshot.schema.columns]
        digest = names.digest(*asked, *columns, *tracking.requirements())[:32]
        self.store = TrialStore(self.case.settings.home / "trials", f"backtest{digest}")

    def fit(self, start: int, end: int, first: int) -> Prediction:
        """Fit to the rows from one place to another, and predict all from a third; or remember that.

        Raises:
            DataRefusedError: nothing can be fitted to these rows.
        """
        import numpy as np

        schema, X, y = self.snapshot.schema, self.X.iloc[start:end], self.y[start:end]
        if schema.task != "regression" and len(np.unique(y)) == 1:
            told = f"the first {len(y):,} rows hold one class of '{schema.target}' alone, so that nothing can be fitted to them"
            message = f"{told}; put the rows in the order of their time, or shuffle them with --shuffle"
            raise DataRefusedError(message, where=self.snapshot.source)
        key = names.digest(str(start), str(end), str(first))[:32]
        if (known := self.store.load(key)) is not None:
            return known[0]
        began = time.perf_counter()
        recipe = Recipe.of(schema, X, y, self.case.use_case.seed)
        try:
            said = models.predict(models.fit(self.candidate.build(recipe, **self.settings), X, y), self.X.iloc[first:])
        except (ValueError, ArithmeticError) as error:
            message = f"{self.candidate.name} cannot be fitted to the first {len(y):,} rows: {str(error).splitlines()[0]}"
            raise DataRefusedError(message, where=self.snapshot.source) from error
        self.store.keep(key, said, time.perf_counter() - began)
        return said

    def start(self, end: int) -> int:
        """Say where the window of rows that are fitted to begins."""
        size = (self.edges[-1] - self.edges[0]) // (len(self.edges) - 1)
        return max(0, end - self.options.window * size) if self.options.window else 0


@task
def arrange(case: Case, snapshot: Snapshot, options: BacktestOptions) -> Rehearsal:
    """Put the labelled rows in the order of their time and cut them into chunks.

    Raises:
        UsageError: there is no such candidate, or the loss does not serve the task.
        DataRefusedError: there are too few rows for so many chunks.
    """
    import numpy as np

    schema = snapshot.schema
    df = snapshots.read(snapshot.path)
    df = df[df[schema.target].notna()]
    order = f"in the order of '{schema.time}'" if schema.time else "in the order of the table"
    if schema.time:
        df = df.sort_values(schema.time, kind="stable")
    if options.shuffle:
        df, order = df.sample(frac=1, random_state=case.use_case.seed), "shuffled, so that nothing changes with time"
    first = int(FIRST_SHARE * len(df))
    edges = np.linspace(first, len(df), options.chunks + 1).astype(int).tolist()
    if min(np.diff([0, *edges])) < LEAST_CHUNK:
        message = (
            f"{len(df):,} labelled rows are too few for {options.chunks} chunks of at least {LEAST_CHUNK}; ask for fewer with --chunks"
        )
        raise DataRefusedError(message, where=snapshot.source)
    log.info("%s rows for the first fit, then %s chunks of about %s", f"{first:,}", options.chunks, f"{edges[1] - edges[0]:,}")
    if options.loss:
        case = dataclasses.replace(case, use_case=case.use_case.model_copy(update={"loss": options.loss}))
    loss = case.use_case.loss_for(schema.task)
    candidate, settings = _candidate(options.candidate, schema.task), {}
    if options.candidate is None and (score := _champions(case)) is not None:
        candidate, settings = _candidate(score.recipe, schema.task), dict(score.settings)
    return Rehearsal(case, snapshot, df.reset_index(drop=True), options, candidate, settings, loss, edges, order)


def _champions(case: Case) -> Score | None:
    """Give what the champion was made by, of an average the member that weighs most; None where there is no champion, or it kept none."""
    settings = case.settings
    is_begun = settings.ledger_url or (settings.home / "ledger.db").exists()
    line = ledger.line_of_champions(settings.ledger_address, case.name) if is_begun else []
    version = tracking.get_version(case.name, line[-1].version) if line else None
    recorded = versions.recorded(case, version) if version else None
    if recorded is None:
        return None
    best = recorded.leaderboard.best
    return max(recorded.leaderboard.members(best), key=lambda member: best.weights.get(member.candidate, 0.0))


def _candidate(name: str | None, kind: Task) -> Candidate:
    wanted = name or DEFAULT
    found = {each.name: each for each in candidates_for(kind, [wanted])}
    if wanted not in found:
        raise UsageError.unknown("candidate", wanted, [each for each in found if each != BASELINE], where="--candidate")
    return found[wanted]


@task
def fit_history(rehearsal: Rehearsal) -> History:
    """Fit to the rows before each chunk, as many at once as there are cores; what was fitted in an earlier call is remembered.

    Raises:
        DataRefusedError: nothing can be fitted to some of them.
    """
    ends = rehearsal.edges[:-1]
    fits: dict[int, Fit] = {}

    def fit(end: int) -> Fit:
        return _fit(rehearsal, rehearsal.fit(rehearsal.start(end), end, end), end)

    for end, found in zip(ends, models.side_by_side(fit, ends, len(rehearsal.df)), strict=True):
        fits[end] = found
        if len(fits) % 10 == 0 or end == ends[-1]:
            log.info("fitted %s of %s", len(fits), len(ends))

    def judged(end: int, size: int) -> Fit:
        key = (end, size)
        if key not in known:
            known[key] = _fit(rehearsal, rehearsal.fit(rehearsal.start(end), end - size, end - size), end - size)
        return known[key]

    known: dict[tuple[int, int], Fit] = {}
    return History(
        edges=rehearsal.edges,
        shipped=fits.__getitem__,
        judged=judged,
        dummy=_dummy(rehearsal),
        delay=rehearsal.options.delay,
        tolerance=rehearsal.case.use_case.gate.tolerance,
    )


def _fit(rehearsal: Rehearsal, said: Prediction, start: int) -> Fit:
    return Fit(start, row_losses(rehearsal.loss, rehearsal.y[start:], said), _columns(said, rehearsal.y))


def _columns(said: Prediction, y: np.ndarray) -> np.ndarray:
    """Give predictions as columns: numbers, the probability of the second of two classes, or those of all classes of the table."""
    import numpy as np

    if said.proba is None:
        return said.values[:, None]
    classes = np.unique(y).tolist()
    spread = np.zeros((len(said.values), len(classes)))
    spread[:, [classes.index(name) for name in said.classes]] = said.proba
    return spread[:, 1:] if len(classes) == 2 else spread


def _dummy(rehearsal: Rehearsal) -> float:
    """Give the mean loss of the dummy that is fitted to the first rows."""
    first, schema = rehearsal.edges[0], rehearsal.snapshot.schema
    dummy = candidates_for(schema.task, [BASELINE])[0]
    X, y = rehearsal.X.iloc[:first], rehearsal.y[:first]
    model = models.fit(dummy.build(Recipe.of(schema, X, y, rehearsal.case.use_case.seed)), X, y)
    return float(row_losses(rehearsal.loss, rehearsal.y[first:], models.predict(model, rehearsal.X.iloc[first:])).mean())


@task
def replay_policies(rehearsal: Rehearsal, history: History) -> list[Course]:
    """Let every policy go through the history."""
    log.info("replaying the policies")
    policy = replay.by_policy(history, rehearsal.case.use_case.retrain)
    every = max(1, round(history.chunks / max(1, policy.fits)))
    return [
        replay.on_schedule(history, None, NEVER),
        replay.on_schedule(history, 1, EVERY),
        replay.on_schedule(history, every, f"periodic_{every}"),
        replay.on_flag(history, partial(_is_flagged, rehearsal), "evidently"),
        policy,
        replay.in_hindsight(history, policy.fits),
    ]


def _is_flagged(rehearsal: Rehearsal, fitted: int, chunk: int) -> bool:
    """Ask Evidently of a chunk against the rows that were fitted to, or a seeded sample of them."""
    schema = rehearsal.snapshot.schema
    numbers = [column.name for column in schema.columns if column.type == "number"]
    reference = rehearsal.X.iloc[:fitted]
    if len(reference) > MOST_REFERENCE:
        reference = reference.sample(MOST_REFERENCE, random_state=rehearsal.case.use_case.seed)
    return reports.default_flag(reference, rehearsal.X.iloc[rehearsal.edges[chunk - 1] : rehearsal.edges[chunk]], numbers)


@task
def recommend(rehearsal: Rehearsal, history: History, courses: Sequence[Course]) -> Retraining | None:
    """Write the settings with fewest fits among those whose loss is within a standard error of the least into the use case; None unasked.

    Raises:
        UsageError: the use case has no file of the project.
    """
    if not rehearsal.options.recommend:
        return None
    case, never_and_every = rehearsal.case, [course for course in courses if course.name in (NEVER, EVERY)]
    tried: list[tuple[Outcome, Retraining]] = []
    for growth, staleness, rise in product(GROWTHS, STALENESSES, RISES):
        limits = case.use_case.retrain.model_copy(update={"growth": growth, "staleness": staleness, "performance": rise})
        found = backtest.measure(history, [*never_and_every, replay.by_policy(history, limits)])
        tried.append((found[POLICY], limits))
    least = min((found for found, _ in tried), key=lambda found: found.loss)
    within = [(found, limits) for found, limits in tried if found.change[0] <= least.change[0] + least.change[1] / 1.96]
    found, limits = min(within, key=lambda each: (each[0].course.fits, each[0].loss))
    _write(case, limits, f"recommended by flows.backtest on {datetime.now(UTC):%Y-%m-%d}: {backtest.worth(found, history.chunks)}")
    return limits


def _write(case: Case, limits: Retraining, why: str) -> None:
    name, project = case.name, case.settings.project
    path = projects.USE_CASES / f"{name}.yaml"
    with home.lock(case.settings.home, "project"):
        if projects.own_use_case(name, project) is None:
            message = f"--recommend writes into {project / path}, which is not there; write it with python -m flows init"
            raise UsageError(message, where="--recommend")
        text = (project / path).read_text(encoding="utf-8")
        projects.write_files(project, {path: with_section(text, "retrain", limits.model_dump(), why)})
    log.info("wrote retrain: into %s", project / path)


@task
def report(rehearsal: Rehearsal, history: History, courses: Sequence[Course], recommended: Retraining | None) -> BacktestReport:
    """Write what was found as a page, as an artifact of the run, and as the value that is returned."""
    case = rehearsal.case
    found = BacktestReport(
        use_case=case.name,
        source=rehearsal.snapshot.source,
        loss=rehearsal.loss,
        candidate=rehearsal.candidate.name,
        order=rehearsal.order,
        edges=rehearsal.edges,
        delay=history.delay,
        outcomes=backtest.measure(history, courses),
        recommended=recommended,
        seconds=time.monotonic() - rehearsal.started,
    )
    path = case.settings.home / "reports" / case.name / "backtest.html"
    snapshots.write_text(backtest.build_page(found), path)
    rows = [{"policy": name, **{key: json.dumps(value) for key, value in told.as_json().items()}} for name, told in found.outcomes.items()]
    record.publish_table(f"{case.name}-backtest", rows, found.state_message)
    log.info("%s", found.state_message)
    return dataclasses.replace(found, page=str(path))
