"""Verbs on history: cut it into chunks, fit what the policies may ask for, replay them, report."""

from __future__ import annotations

import dataclasses
import json
import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from itertools import product
from typing import TYPE_CHECKING

from tasks import record, versions
from tasks.adapters import home, ledger, models, projects, reports, snapshots, steps
from tasks.adapters.tracking import model_files, model_registry
from tasks.adapters.trials import TrialStore
from tasks.core import backtest, names, replay
from tasks.core.backtest import EVERY, NEVER, POLICY, BacktestReport, Recommendation, Trials
from tasks.core.candidates import BASELINE, candidates_for
from tasks.core.errors import DataRefusedError, UsageError
from tasks.core.metrics import row_losses
from tasks.core.names import counted
from tasks.core.recipe import Recipe
from tasks.core.replay import Fit, History
from tasks.core.snapshot import target_of
from tasks.core.use_case import Retraining
from tasks.core.use_case_file import with_section
from tasks.core.watching import columns_of
from tasks.record import task

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from tasks.core.candidates import Candidate
    from tasks.core.metrics import Prediction
    from tasks.core.options import BacktestOptions
    from tasks.core.replay import Course
    from tasks.core.results import Score
    from tasks.core.snapshot import Case, Snapshot
    from tasks.core.spaces import Setting
    from tasks.core.table import Task
    from tasks.core.use_case import Loss

FIRST_SHARE = 0.1  # of the rows, for the first fit
DEFAULT = "hist_gradient_boosting"
LEAST_CHUNK = 5
LEAST_LATE = 2  # chunks after the delay: one whose labels come, and one that is predicted then
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
        digest = names.digest(*asked, *columns, *model_files.requirements())[:32]
        self.store = TrialStore(self.case.settings.home / "trials", f"backtest{digest}")

    def fit(self, start: int, end: int, first: int) -> Prediction:
        """Fit to the rows from one place to another, and predict all from a third; or remember that.

        Raises:
            DataRefusedError: nothing can be fitted to these rows.
        """
        import numpy as np

        schema, X, y = self.snapshot.schema, self.X.iloc[start:end], self.y[start:end]
        if schema.task != "regression" and len(np.unique(y)) == 1:
            message = f"rows {start + 1:,} to {end:,} hold one class of '{schema.target}' alone, so that nothing can be fitted to them"
            told = "put the rows in the order of their time, or name its column with --time"
            raise DataRefusedError(f"{message}; {told}{', or take a longer --window' * (start > 0)}", where=self.snapshot.source)
        key = names.digest(str(start), str(end), str(first))[:32]
        if (known := self.store.load(key)) is not None:
            return known[0]
        began = time.perf_counter()
        recipe = Recipe.of(schema, X, y, self.case.use_case.seed)
        try:
            said = models.predict(models.fit(self.candidate.build(recipe, **self.settings), X, y), self.X.iloc[first:])
        except (ValueError, ArithmeticError) as error:
            message = f"{self.candidate.name} cannot be fitted to rows {start + 1:,} to {end:,}: {str(error).splitlines()[0]}"
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
        UsageError: there is no such candidate, the loss does not serve the task, or what was asked cannot be.
        DataRefusedError: there are too few rows for so many chunks.
    """
    import numpy as np

    _check(case, options)
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


def _check(case: Case, options: BacktestOptions) -> None:
    """Refuse what could come to nothing before anything is fitted."""
    if options.delay > options.chunks - LEAST_LATE:
        most = options.chunks - LEAST_LATE
        message = f"--delay is {options.delay}, so that no label comes before the last of {options.chunks} chunks is predicted; "
        raise UsageError(f"{message}take at most {most}, or more --chunks", where="--delay")
    if not options.recommend:
        return
    if options.shuffle:
        message = "--recommend looks for what is better in the order of time, which --shuffle destroys; leave one of them out"
        raise UsageError(message, where="--recommend")
    project = case.settings.project
    if projects.own_use_case(case.name, project) is None:
        path = project / projects.USE_CASES / f"{case.name}.yaml"
        message = f"--recommend writes into {path}, which is not there; write it with python -m flows init"
        raise UsageError(message, where="--recommend")


def _champions(case: Case) -> Score | None:
    """Give what the champion was made by, of an average the member that weighs most; None where there is no champion, or it kept none."""
    settings = case.settings
    is_begun = settings.ledger_url or (settings.home / "ledger.db").exists()
    line = ledger.line_of_champions(settings.ledger_address, case.name) if is_begun else []
    version = model_registry.get_version(case.name, line[-1].version) if line else None
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

    for end, found in steps.told("fitted", zip(ends, models.side_by_side(fit, ends, len(rehearsal.df)), strict=True), len(ends)):
        fits[end] = found

    @cache
    def judged(end: int, size: int) -> Fit:
        return _fit(rehearsal, rehearsal.fit(rehearsal.start(end - size), end - size, end - size), end - size)

    @cache
    def newer(since: int, end: int, size: int) -> Fit | None:
        return _newer_fit(rehearsal, since, end - size)

    @cache
    def baseline(since: int, end: int, size: int) -> Fit:
        return _dummy(rehearsal, max(since, rehearsal.start(end - size)), end - size)

    return History(
        edges=rehearsal.edges,
        shipped=fits.__getitem__,
        judged=judged,
        newer=newer,
        baseline=baseline,
        dummy=float(_dummy(rehearsal, 0, rehearsal.edges[0]).losses.mean()),
        delay=rehearsal.options.delay,
        tolerance=rehearsal.case.use_case.gate.tolerance,
        times=_times(rehearsal),
    )


def _newer_fit(rehearsal: Rehearsal, since: int, end: int) -> Fit | None:
    """Fit to the rows from one place to another alone; None where nothing can be fitted to so few of them."""
    try:
        return _fit(rehearsal, rehearsal.fit(max(since, rehearsal.start(end)), end, end), end)
    except DataRefusedError as error:
        log.info("%s", error.message)
        return None


def _times(rehearsal: Rehearsal) -> list[datetime]:
    """Give the time of the last row of each chunk, in UTC; nothing where rows are in no order of time, or their times are plain numbers."""
    name = rehearsal.snapshot.schema.time
    if name is None or rehearsal.options.shuffle:
        return []
    moments = rehearsal.df[name].to_numpy()
    if moments.dtype.kind != "M":
        return []
    last: list[datetime] = [moments[edge - 1].astype("datetime64[us]").item() for edge in rehearsal.edges[1:]]
    return [moment.replace(tzinfo=UTC) for moment in last]


def _fit(rehearsal: Rehearsal, said: Prediction, start: int) -> Fit:
    import numpy as np

    losses = row_losses(rehearsal.loss, rehearsal.y[start:], said)
    return Fit(start, losses, columns_of(said, np.unique(rehearsal.y).tolist() if said.classes else ()))


def _dummy(rehearsal: Rehearsal, start: int, end: int) -> Fit:
    """Give what the dummy says that is fitted to the rows from one place to another."""
    schema = rehearsal.snapshot.schema
    dummy = candidates_for(schema.task, [BASELINE])[0]
    X, y = rehearsal.X.iloc[start:end], rehearsal.y[start:end]
    model = models.fit(dummy.build(Recipe.of(schema, X, y, rehearsal.case.use_case.seed)), X, y)
    return _fit(rehearsal, models.predict(model, rehearsal.X.iloc[end:]), end)


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
def recommend(rehearsal: Rehearsal, history: History, courses: Sequence[Course]) -> Recommendation | None:
    """Write settings into the use case if they are surely better here than the defaults and than its own; None unasked."""
    if not rehearsal.options.recommend:
        return None
    case, settings = rehearsal.case, _settings(rehearsal.case)
    trials = Trials(
        never=next(course for course in courses if course.name == NEVER),
        defaults=replay.by_policy(history, Retraining()),
        own=next(course for course in courses if course.name == POLICY),
        tried=[(limits, replay.by_policy(history, limits)) for limits in steps.told("tried", settings, len(settings))],
    )
    asked = f"{counted(history.chunks, 'chunk')}, {backtest.terms(rehearsal.options.window, history.delay)}"
    rows = f"{len(rehearsal.df):,} rows of {rehearsal.snapshot.source} ({asked}; {rehearsal.candidate.name}, {rehearsal.loss})"
    found = backtest.recommendation(history, trials, f"these {rows}")
    if found.limits is not None:
        _write(case, found)
    return found


def _settings(case: Case) -> list[Retraining]:
    own = case.use_case.retrain
    return [
        own.model_copy(update={"growth": growth, "staleness": staleness, "performance": rise})
        for growth, staleness, rise in product(GROWTHS, STALENESSES, RISES)
    ]


def _write(case: Case, recommended: Recommendation) -> None:
    path, project = projects.USE_CASES / f"{case.name}.yaml", case.settings.project
    why = f"recommended by flows.backtest on {datetime.now(UTC):%Y-%m-%d}: {recommended.told}"
    with home.lock(case.settings.home, "project"):
        text = (project / path).read_text(encoding="utf-8")
        projects.write_files(project, {path: with_section(text, "retrain", recommended.changed, why)})
    log.info("wrote retrain: into %s", project / path)


@task
def report(rehearsal: Rehearsal, history: History, courses: Sequence[Course], recommended: Recommendation | None) -> BacktestReport:
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
        window=rehearsal.options.window,
        outcomes=backtest.measure(history, courses),
        recommended=recommended,
        seconds=time.monotonic() - rehearsal.started,
    )
    path = case.settings.home / "reports" / case.name / f"{backtest.page_name(rehearsal.options)}.html"
    snapshots.write_text(backtest.build_page(found), path)
    rows = [{"policy": name, **{key: json.dumps(value) for key, value in told.as_json().items()}} for name, told in found.outcomes.items()]
    record.publish_table(f"{case.name}-backtest", rows, found.state_message)
    log.info("%s", found.state_message)
    return dataclasses.replace(found, page=str(path))
