"""Verbs on models: fit what is judged, fit what is shipped."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tasks.adapters import models, snapshots
from tasks.core.blending import build_blend
from tasks.core.candidates import build_dummy, candidates_for
from tasks.core.evidence import Fits
from tasks.core.recipe import Recipe
from tasks.core.snapshot import target_of
from tasks.record import task

if TYPE_CHECKING:
    import numpy as np
    from sklearn.pipeline import Pipeline

    from tasks.core.gate import Decision
    from tasks.core.results import Leaderboard, Score
    from tasks.core.snapshot import Study

log = logging.getLogger("evergreen")


@task
def fit_judged(study: Study, leaderboard: Leaderboard) -> Fits:
    """Fit the winner and the baselines on everything but the gate rows."""
    log.info("fitting %s on %s rows", leaderboard.best.candidate, f"{len(study.split.fit):,}")
    linear = leaderboard.linear
    return Fits(
        judged=_fit(study, study.split.fit, leaderboard, leaderboard.best),
        dummy=_fit(study, study.split.fit, leaderboard, leaderboard.baseline),
        linear=_fit(study, study.split.fit, leaderboard, linear) if linear else None,
    )


@task
def fit_shipped(study: Study, leaderboard: Leaderboard, fits: Fits, decision: Decision) -> Pipeline:
    """Add the gate rows to a winner that passed, where the use case wants it; else what is judged is what is shipped."""
    import numpy as np

    refit = study.case.use_case.refit
    if decision.verdict != "promoted" or refit == "never" or (refit == "ordered" and not study.split.is_ordered):
        return fits.judged
    rows = np.concatenate([study.split.fit, study.split.gate])
    log.info("fitting %s again on all %s rows", leaderboard.best.candidate, f"{len(rows):,}")
    return _fit(study, rows, leaderboard, leaderboard.best)


def fit_again(study: Study, judged: Pipeline) -> Fits:
    """Fit the baseline again beside a judged fit that is there."""
    df = snapshots.read(study.snapshot.path).iloc[study.split.fit]
    y = target_of(df, study.schema)
    dummy = build_dummy(Recipe.of(study.schema, df, y, study.case.use_case.seed))
    return Fits(judged, models.fit(dummy, df[study.schema.features], y))


def _fit(study: Study, rows: np.ndarray, leaderboard: Leaderboard, score: Score) -> Pipeline:
    df = snapshots.read(study.snapshot.path).iloc[rows]
    y = target_of(df, study.schema)
    recipe = Recipe.of(study.schema, df, y, study.case.use_case.seed)
    X, members = df[study.schema.features], leaderboard.members(score)

    candidates = {c.name: c for c in candidates_for(study.schema.task, [member.recipe for member in members])}

    def fit(member: Score) -> Pipeline:
        return models.fit(candidates[member.recipe].build(recipe, **member.settings), X, y)

    fitted = dict(zip([member.candidate for member in members], models.side_by_side(fit, members, len(y)), strict=True))
    if not score.weights:
        return fitted[score.candidate]
    return models.fit(build_blend(fitted, score.weights, is_regression=recipe.is_regression), X, y)
