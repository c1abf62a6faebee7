"""Verbs on models: choose a candidate, fit what is judged, fit what is shipped."""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING

from tasks.adapters import models, snapshots, tracking
from tasks.core import splits
from tasks.core.candidates import BASELINE, Candidate, Recipe, candidates_for
from tasks.core.errors import DataRefusedError
from tasks.core.evidence import Fits
from tasks.core.metrics import row_losses
from tasks.core.results import Score
from tasks.core.snapshot import target_of
from tasks.record import publish_table, task

if TYPE_CHECKING:
    import numpy as np
    from sklearn.pipeline import Pipeline

    from tasks.core.gate import Decision
    from tasks.core.snapshot import Study

log = logging.getLogger("evergreen")


@task
def choose(study: Study) -> tuple[Score, ...]:
    """Rank the candidates by their mean loss over validation folds that never touch the gate rows."""
    wanted = candidates_for(study.schema.task, study.case.use_case.candidates)
    scores = sorted((_validate(study, candidate) for candidate in wanted), key=lambda score: score.loss)
    # The baseline is what a model must beat, so it never wins, whatever noise makes of it.
    ranked = [s for s in scores if s.candidate != BASELINE] + [s for s in scores if s.candidate == BASELINE]
    rows = [{"candidate": s.candidate, "loss": f"{s.loss:.6g}", "±": f"{s.error:.3g}", "seconds": f"{s.seconds:.1f}"} for s in ranked]
    publish_table(f"{study.case.name}-leaderboard", rows, f"mean {study.loss} over {splits.FOLDS} folds")
    if not math.isfinite(ranked[0].loss):
        message = f"no candidate could be fitted to {study.snapshot.source}; see the messages above, or bring more rows"
        raise DataRefusedError(message, where=study.snapshot.source)
    tracking.log_metrics({f"validation/{s.candidate}": s.loss for s in ranked})
    tracking.log_params({"candidate": ranked[0].candidate})
    return tuple(ranked)


@task
def fit_judged(study: Study, leaderboard: tuple[Score, ...]) -> Fits:
    """Fit the winner and the baseline on everything but the gate rows."""
    log.info("fitting %s on %s rows", leaderboard[0].candidate, f"{len(study.split.fit):,}")
    return Fits(
        judged=_fit(study, study.split.fit, leaderboard[0].candidate),
        dummy=_fit(study, study.split.fit, BASELINE),
    )


@task
def fit_shipped(study: Study, leaderboard: tuple[Score, ...], fits: Fits, decision: Decision) -> Pipeline:
    """Add the gate rows to a winner that passed, where the use case wants it; else what is judged is what is shipped."""
    import numpy as np

    refit = study.case.use_case.refit
    if decision.verdict != "promoted" or refit == "never" or (refit == "ordered" and not study.split.is_ordered):
        return fits.judged
    rows = np.concatenate([study.split.fit, study.split.gate])
    log.info("fitting %s again on all %s rows", leaderboard[0].candidate, f"{len(rows):,}")
    return _fit(study, rows, leaderboard[0].candidate)


def _fit(study: Study, rows: np.ndarray, name: str) -> Pipeline:
    df = snapshots.read(study.snapshot.path).iloc[rows]
    candidate = next(c for c in candidates_for(study.schema.task) if c.name == name)
    y = target_of(df, study.schema)
    recipe = Recipe.of(study.schema, df, y, study.case.use_case.seed)
    return models.fit(candidate.build(recipe), df[study.schema.features], y)


def _validate(study: Study, candidate: Candidate) -> Score:
    import numpy as np

    started = time.perf_counter()
    try:
        losses = _fold_losses(study, candidate)
    except ValueError as error:
        log.warning("candidate %s is left out: %s", candidate.name, str(error).splitlines()[0])
        losses = [math.inf]
    score = Score(
        candidate=candidate.name,
        loss=float(np.mean(losses)),
        error=float(np.std(losses, ddof=1) / np.sqrt(len(losses))) if len(losses) > 1 else math.nan,
        seconds=time.perf_counter() - started,
    )
    log.info("candidate %s: %s %.4g in %.1f s", score.candidate, study.loss, score.loss, score.seconds)
    return score


def _fold_losses(study: Study, candidate: Candidate) -> list[float]:
    df = snapshots.read(study.snapshot.path).iloc[study.split.fit]
    X, y = df[study.schema.features], target_of(df, study.schema)
    loss = study.loss
    losses: list[float] = []
    for fit, validate in splits.folds(splits.hash_rows(X), is_ordered=study.split.is_ordered):
        if len(fit) and len(validate):
            recipe = Recipe.of(study.schema, X.iloc[fit], y[fit], study.case.use_case.seed)
            model = models.fit(candidate.build(recipe), X.iloc[fit], y[fit])
            losses.append(float(row_losses(loss, y[validate], models.predict(model, X.iloc[validate])).mean()))
    return losses or [math.inf]
