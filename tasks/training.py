"""Verbs on models: choose a candidate, fit what is judged, fit what is shipped."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.adapters import models, snapshots, tracking
from tasks.core import splits
from tasks.core.blending import blend, build_blend, weights_of
from tasks.core.candidates import BASELINE, BLEND, Candidate, candidates_for
from tasks.core.errors import DataRefusedError
from tasks.core.evidence import Fits
from tasks.core.metrics import row_losses
from tasks.core.recipe import Recipe
from tasks.core.results import Score
from tasks.core.snapshot import target_of
from tasks.record import publish_table, task

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from sklearn.pipeline import Pipeline

    from tasks.core.gate import Decision
    from tasks.core.metrics import Prediction
    from tasks.core.snapshot import Study

log = logging.getLogger("evergreen")


@task
def choose(study: Study) -> tuple[Score, ...]:
    """Rank the candidates, and their blend where it is wanted, by their mean loss over validation folds that never touch the gate rows."""
    wanted = study.case.use_case.candidates
    labels = target_of(snapshots.read(study.snapshot.path).iloc[study.split.fit], study.schema)
    candidates = [candidate for candidate in candidates_for(study.schema.task, wanted) if _can_fit(candidate, labels)]
    trials = [_validate(study, candidate) for candidate in candidates]
    if BLEND in wanted:
        trials += _blended(study, trials)
    scores = sorted((trial.score for trial in trials), key=lambda score: score.loss)
    # The baseline is what a model must beat, so it never wins, whatever noise makes of it.
    ranked = [s for s in scores if s.candidate != BASELINE] + [s for s in scores if s.candidate == BASELINE]
    rows = [{"candidate": s.candidate, "loss": f"{s.loss:.6g}", "±": f"{s.error:.3g}", "seconds": f"{s.seconds:.1f}"} for s in ranked]
    publish_table(f"{study.case.name}-leaderboard", rows, f"mean {study.loss} over {splits.FOLDS} folds")
    if not math.isfinite(ranked[0].loss):
        message = f"no candidate could be fitted to {study.snapshot.source}; see the messages above, or bring more rows"
        raise DataRefusedError(message, where=study.snapshot.source)
    tracking.log_metrics({f"validation/{s.candidate}": s.loss for s in ranked})
    tracking.log_params({"candidate": ranked[0].candidate} | {f"weight/{name}": str(share) for name, share in ranked[0].weights.items()})
    return tuple(ranked)


@task
def fit_judged(study: Study, leaderboard: tuple[Score, ...]) -> Fits:
    """Fit the winner and the baseline on everything but the gate rows."""
    log.info("fitting %s on %s rows", leaderboard[0].candidate, f"{len(study.split.fit):,}")
    return Fits(
        judged=_fit(study, study.split.fit, leaderboard[0]),
        dummy=_fit(study, study.split.fit, leaderboard[-1]),
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
    return _fit(study, rows, leaderboard[0])


def _fit(study: Study, rows: np.ndarray, score: Score) -> Pipeline:
    df = snapshots.read(study.snapshot.path).iloc[rows]
    y = target_of(df, study.schema)
    recipe = Recipe.of(study.schema, df, y, study.case.use_case.seed)
    built = {c.name: c.build(recipe) for c in candidates_for(study.schema.task, [*score.weights] or [score.candidate])}
    if score.weights:
        members = {name: built[name] for name in score.weights}
        return models.fit(build_blend(members, score.weights, is_regression=recipe.is_regression), df[study.schema.features], y)
    return models.fit(built[score.candidate], df[study.schema.features], y)


def _can_fit(candidate: Candidate, labels: np.ndarray) -> bool:
    """Say whether a candidate is for rows with such labels; what is not is told and left out."""
    if why_not := candidate.why_not(labels):
        log.warning("candidate %s is left out: %s", candidate.name, why_not)
    return not why_not


@dataclass(frozen=True)
class _Trial:
    """A candidate's score, and for each fold what it says of the rows that it was not fitted to, beside what is true of them."""

    score: Score
    folds: Sequence[tuple[np.ndarray, Prediction]]


def _validate(study: Study, candidate: Candidate) -> _Trial:
    started = time.perf_counter()
    try:
        folds = _predict_folds(study, candidate)
    except ValueError as error:
        log.warning("candidate %s is left out: %s", candidate.name, str(error).splitlines()[0])
        folds = []
    return _trial(study, candidate.name, folds, time.perf_counter() - started)


def _trial(study: Study, name: str, folds: Sequence[tuple[np.ndarray, Prediction]], seconds: float, **weights: float) -> _Trial:
    import numpy as np

    losses = [float(row_losses(study.loss, y, said).mean()) for y, said in folds] or [math.inf]
    error = float(np.std(losses, ddof=1) / np.sqrt(len(losses))) if len(losses) > 1 else math.nan
    score = Score(name, float(np.mean(losses)), error, seconds, weights)
    log.info("candidate %s: %s %.4g in %.1f s", score.candidate, study.loss, score.loss, score.seconds)
    return _Trial(score, folds)


def _predict_folds(study: Study, candidate: Candidate) -> list[tuple[np.ndarray, Prediction]]:
    df = snapshots.read(study.snapshot.path).iloc[study.split.fit]
    X, y = df[study.schema.features], target_of(df, study.schema)
    said: list[tuple[np.ndarray, Prediction]] = []
    for fit, validate in splits.folds(splits.hash_rows(X), is_ordered=study.split.is_ordered):
        if len(fit) and len(validate):
            recipe = Recipe.of(study.schema, X.iloc[fit], y[fit], study.case.use_case.seed)
            model = models.fit(candidate.build(recipe), X.iloc[fit], y[fit])
            said.append((y[validate], models.predict(model, X.iloc[validate])))
    return said


def _blended(study: Study, trials: Sequence[_Trial]) -> list[_Trial]:
    """Judge the average of the candidates that do better than the baseline on the same folds; none where fewer than two do."""
    losses = {trial.score.candidate: trial.score.loss for trial in trials}
    weights = weights_of({name: loss for name, loss in losses.items() if loss < losses[BASELINE]})
    if len(weights) < 2:
        return []
    members = [trial for trial in trials if trial.score.candidate in weights]
    shares = [weights[trial.score.candidate] for trial in members]
    alike = zip(*(trial.folds for trial in members), strict=True)
    folds = [(same_rows[0][0], blend([said for _, said in same_rows], shares)) for same_rows in alike]
    return [_trial(study, BLEND, folds, sum(trial.score.seconds for trial in members), **weights)]
