"""Verbs on models: fit what is judged, fit what is shipped."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

from tasks.adapters import models, snapshots
from tasks.adapters.tracking import runs
from tasks.core import learning, splits
from tasks.core.blending import build_blend
from tasks.core.calibration import Calibration, build_calibrated, layer_of
from tasks.core.candidates import build_dummy, candidates_for
from tasks.core.evidence import Fits
from tasks.core.recipe import Recipe
from tasks.core.snapshot import target_of
from tasks.core.thresholds import build_thresholded, threshold_of
from tasks.record import task

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import pandas as pd
    from sklearn.pipeline import Pipeline

    from tasks.core.gate import Decision
    from tasks.core.reproducing import Original
    from tasks.core.results import Leaderboard, Score
    from tasks.core.snapshot import Study

log = logging.getLogger("evergreen")


@task
def fit_judged(study: Study, leaderboard: Leaderboard) -> Fits:
    """Fit the winner and the baselines on everything but the gate rows."""
    log.info("fitting %s on %s rows", leaderboard.best.candidate, f"{len(study.split.fit):,}")
    linear = leaderboard.linear
    return Fits(
        judged=_fit_best(study, study.split.fit, leaderboard),
        dummy=_fit_dummy(study, leaderboard),
        linear=_fit(study, study.split.fit, leaderboard, linear) if linear else None,
        on_fewer=dict(_fit_to_fewer(study, leaderboard)),
    )


def _fit_to_fewer(study: Study, leaderboard: Leaderboard) -> Iterator[tuple[int, Pipeline]]:
    """Fit the winner to fewer rows, where that does not take long."""
    members, fit = leaderboard.members(leaderboard.best), study.split.fit
    if sum(member.seconds / member.folds for member in members) > learning.MOST_SECONDS:
        return
    units = splits.hash_units(snapshots.read(study.snapshot.path).iloc[fit], study.schema)
    for rows in learning.fewer_rows(fit, units, is_ordered=study.split.is_ordered):
        try:
            yield len(rows), _fit_best(study, rows, leaderboard)
        except (ValueError, ArithmeticError, MemoryError) as error:
            log.info("%s is not fitted to %s rows alone: %s", leaderboard.best.candidate, f"{len(rows):,}", error)


@task
def fit_shipped(study: Study, leaderboard: Leaderboard, fits: Fits, decision: Decision) -> Pipeline:
    """Add the gate rows to a winner that passed, where the use case wants it; else what is judged is what is shipped."""
    import numpy as np

    refit = study.case.use_case.refit
    if decision.verdict != "promoted" or refit == "never" or (refit == "ordered" and not study.split.is_ordered):
        return fits.judged
    rows = np.concatenate([study.split.fit, study.split.gate])
    log.info("fitting %s again on all %s rows", leaderboard.best.candidate, f"{len(rows):,}")
    runs.tag_run(runs.REFIT_TAG, "true")
    return _fit_best(study, rows, leaderboard)


@task
def fit_recorded(study: Study, original: Original) -> tuple[Pipeline, Pipeline]:
    """Fit what a version's run chose to its rows again: what was judged, and what was shipped."""
    import numpy as np

    layer = layer_of(original.judged)
    calibration = Calibration(layer, before=np.nan, after=np.nan) if layer else None
    leaderboard = dataclasses.replace(original.recorded.leaderboard, calibration=calibration)
    log.info("fitting %s to %s rows again", leaderboard.best.candidate, f"{len(study.split.fit):,}")
    judged = _fit_best(study, study.split.fit, leaderboard)
    if not original.is_refitted:
        return judged, judged
    return judged, _fit_best(study, np.concatenate([study.split.fit, study.split.gate]), leaderboard)


def _fit_best(study: Study, rows: np.ndarray, leaderboard: Leaderboard) -> Pipeline:
    """Fit the winner, with what mends its probabilities and what decides by them."""
    model, (X, y) = _fit(study, rows, leaderboard, leaderboard.best), _rows(study, rows)
    calibration, threshold = leaderboard.calibration, leaderboard.threshold
    if calibration and models.classes_of(model) == models.classes_of(calibration.layer):  # the gate rows may have brought a class
        model = build_calibrated(model, calibration.layer, X, y)
    return build_thresholded(model, threshold, X, y) if threshold and len(models.classes_of(model)) == 2 else model


def _fit_dummy(study: Study, leaderboard: Leaderboard) -> Pipeline:
    """Fit the baseline, which says of all rows what costs less."""
    model = _fit(study, study.split.fit, leaderboard, leaderboard.baseline)
    if not leaderboard.threshold or len(models.classes_of(model)) < 2:
        return model
    X, y = _rows(study, study.split.fit)
    asked = threshold_of(study.case.use_case.costs, study.schema.task, y)
    return build_thresholded(model, asked, X, y) if asked else model


def _rows(study: Study, rows: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    df = snapshots.read(study.snapshot.path).iloc[rows]
    return df[study.schema.features], target_of(df, study.schema)


def fit_again(study: Study, judged: Pipeline) -> Fits:
    """Fit the baseline again beside a judged fit that is there."""
    df = snapshots.read(study.snapshot.path).iloc[study.split.fit]
    y = target_of(df, study.schema)
    dummy = build_dummy(Recipe.of(study.schema, df, y, study.case.use_case.seed))
    return Fits(judged, models.fit(dummy, df[study.schema.features], y))


def _fit(study: Study, rows: np.ndarray, leaderboard: Leaderboard, score: Score) -> Pipeline:
    (X, y), members = _rows(study, rows), leaderboard.members(score)
    recipe = Recipe.of(study.schema, X, y, study.case.use_case.seed)
    candidates = {c.name: c for c in candidates_for(study.schema.task, [member.recipe for member in members])}

    def fit(member: Score) -> Pipeline:
        return models.fit(candidates[member.recipe].build(recipe, **member.settings), X, y)

    fitted = dict(zip([member.candidate for member in members], models.side_by_side(fit, members, len(y)), strict=True))
    if not score.weights:
        return fitted[score.candidate]
    return models.fit(build_blend(fitted, score.weights, is_regression=recipe.is_regression), X, y)
