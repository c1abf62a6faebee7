"""Verbs on the choice of a model: try candidates on validation folds that never touch the gate rows, and rank them."""

from __future__ import annotations

import json
import logging
import math
import time
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING

from tasks.adapters import memory, models, snapshots
from tasks.adapters.tracking import model_files, runs
from tasks.adapters.trials import TrialStore
from tasks.core import names, search, splits
from tasks.core.blending import blend, put_together, weights_of
from tasks.core.calibration import calibration_for, mended
from tasks.core.candidates import BLEND, candidates_for
from tasks.core.errors import DataRefusedError
from tasks.core.metrics import row_losses
from tasks.core.recipe import Recipe
from tasks.core.reproducing import RECIPE, Recorded
from tasks.core.results import Leaderboard, Score
from tasks.core.snapshot import target_of
from tasks.core.thresholds import measure_threshold, threshold_of
from tasks.record import publish_table, task

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    import pandas as pd

    from tasks.core.candidates import Candidate
    from tasks.core.metrics import Prediction
    from tasks.core.search import Trial
    from tasks.core.snapshot import Study
    from tasks.core.use_case import Budget

log = logging.getLogger("evergreen")


@task
def choose(study: Study) -> Leaderboard:
    """Try candidates, variations of the best of them and their average, within the budget of the use case, and rank them.

    Raises:
        UsageError: costs of errors do not fit the target.
        DataRefusedError: none could be fitted.
    """
    wanted, contest = study.case.use_case.candidates, _Contest(study)
    costs = study.case.use_case.costs
    asked = threshold_of(costs, study.schema.task, contest.y, is_personal=study.has_personal_target)
    entering = candidates_for(study.schema.task, wanted)
    if not {*wanted} - {BLEND}:
        entering = [candidate for candidate in entering if candidate.is_quick_on(contest.y)]
    contest.run([candidate for candidate in entering if _can_fit(candidate, contest.y)])
    scores = contest.scores(with_blend=not wanted or BLEND in wanted)
    if not scores or not math.isfinite(scores[0].loss):
        of = f" of more groups of '{study.schema.group}'" if study.schema.group else ""
        message = f"no candidate could be fitted to {study.snapshot.source}; see the messages above, or bring more rows{of}"
        raise DataRefusedError(message, where=study.snapshot.source)
    y, said = contest.out_of_fold(scores[0])
    calibration = calibration_for(study.loss, y, said, is_ordered=study.split.is_ordered)
    said = mended(calibration.layer, said) if calibration else said
    threshold = measure_threshold(asked, costs, y, said) if asked else None
    leaderboard = Leaderboard(scores, contest.allowance.is_unspent, calibration, threshold)
    _publish(study, leaderboard)
    contest.store.forget()
    return leaderboard


def _can_fit(candidate: Candidate, labels: np.ndarray) -> bool:
    """Say whether a candidate is for rows with such labels; what is not is told and left out."""
    if why_not := candidate.why_not(labels):
        log.info("candidate %s is left out: %s", candidate.name, why_not)
    return not why_not


def _publish(study: Study, leaderboard: Leaderboard) -> None:
    scores, calibration, threshold = leaderboard.scores, leaderboard.calibration, leaderboard.threshold
    if calibration:
        log.info("its probabilities are mended: %s %.4g instead of %.4g", study.loss, calibration.after, calibration.before)
    if threshold:
        log.info("%s", threshold.without_name() if study.has_personal_target else threshold)
    rows = [
        {
            "candidate": s.candidate,
            "loss": f"{s.loss:.6g}",
            "±": f"{s.half_width:.3g}",
            "folds": str(s.folds),
            "seconds": f"{s.seconds:.1f}",
        }
        for s in scores
    ]
    publish_table(f"{study.case.name}-leaderboard", rows, f"mean {study.loss} over validation folds")
    runs.log_metrics({f"validation/{s.candidate}": s.loss for s in scores if math.isfinite(s.loss)})
    chosen = scores[0]
    settings = {f"settings/{name}": str(value) for name, value in chosen.settings.items()}
    weights = {f"weight/{name}": str(share) for name, share in chosen.weights.items()}
    ways = {"is_calibrated": str(calibration is not None)} | ({"threshold": repr(threshold.value)} if threshold else {})
    runs.log_params({"candidate": chosen.candidate} | settings | weights | ways)
    runs.log_text(Recorded(study.case.use_case, leaderboard).as_text(), RECIPE)


@dataclass
class _Allowance:
    """What may still be spent; looked at between trials, never within one."""

    budget: Budget
    started: float = field(default_factory=time.monotonic)
    is_unspent: bool = True

    def has_more(self) -> bool:
        """Say whether a further trial may begin; why not is told once."""
        if self.is_unspent and (why := self._spent()):
            log.warning("the search ends before it is complete: %s", why)
            self.is_unspent = False
        return self.is_unspent

    def _spent(self) -> str:
        seconds, limit = self.budget.seconds, self.budget.memory_gb
        if seconds is not None and time.monotonic() - self.started > seconds:
            return f"its {seconds:g} seconds are spent"
        if limit is not None and (held := memory.held_bytes() / 1e9) > limit:
            return f"the process holds {held:.1f} GB, and budget.memory_gb is {limit:g}"
        return ""


@dataclass
class _Tried:
    """A trial, and what it says of the rows of each fold that it was not fitted to."""

    trial: Trial
    said: dict[int, Prediction] = field(default_factory=dict[int, "Prediction"])
    losses: dict[int, float] = field(default_factory=dict[int, float])
    seconds: float = 0.0
    problem: str = ""

    def add(self, more: _Tried) -> None:
        """Add what it says of further folds."""
        self.said |= more.said
        self.losses |= more.losses
        self.seconds += more.seconds
        self.problem = self.problem or more.problem

    def loss(self, folds: Sequence[int]) -> float:
        """Give the mean loss over folds; infinite where one of them is missing."""
        if self.problem or any(fold not in self.losses for fold in folds):
            return math.inf
        return sum(self.losses[fold] for fold in folds) / len(folds)


class _Contest:
    """The trials of one search, on rows that are never gate rows."""

    def __init__(self, study: Study) -> None:
        df = snapshots.read(study.snapshot.path).iloc[study.split.fit]
        self.study = study
        self.X: pd.DataFrame = df[study.schema.features]
        self.y = target_of(df, study.schema)
        self.folds = list(splits.folds(splits.hash_units(df, study.schema), is_ordered=study.split.is_ordered))
        validated = [len(validate) if len(fit) else 0 for fit, validate in self.folds]
        self.first, self.further = search.rungs(validated, is_ordered=study.split.is_ordered)
        self.allowance = _Allowance(study.case.use_case.budget)
        self.tried: list[_Tried] = []

    @cached_property
    def store(self) -> TrialStore:
        """Keep what was predicted under all that it depends on."""
        schema, use_case = self.study.schema, self.study.case.use_case
        columns = [f"{column.name}:{column.type}:{column.role}" for column in schema.columns]
        rows = [self.study.snapshot.digest, use_case.name, str(len(self.y)), str(use_case.seed), schema.task, self.study.loss]
        return TrialStore(self.study.case.settings.home / "trials", names.digest(*rows, *columns, *model_files.requirements())[:32])

    def run(self, candidates: Sequence[Candidate]) -> None:
        """Make the trials: each candidate, variations of the best, and the finalists on further folds."""
        budget = self.study.case.use_case.budget
        first = search.first_trials(candidates, len(self.y), budget.trials)
        most = budget.trials or len(first) - 1
        for some in (first[:2], first[2:]):  # the cheapest model is there before the budget is asked
            self._compare(some, self.first, most)
        if budget.trials:
            self._vary(budget.trials)
        ranked = self._ranked(self.first)
        baseline = [trial for trial in first if trial.is_baseline]
        losses = sorted(loss for tried in self.tried if not tried.trial.is_baseline and math.isfinite(loss := tried.loss(self.first)))
        self._compare([*baseline, *search.finalists(ranked, losses)], self.further)

    def scores(self, *, with_blend: bool) -> tuple[Score, ...]:
        """Rank those that were compared on all folds before the others; the baseline is last, for it is what a model must beat."""
        folds = [*self.first, *self.further]
        if not any(math.isfinite(tried.loss(folds)) for tried in self.tried if not tried.trial.is_baseline):
            folds = self.first
        scores = [self._score(tried, folds) for tried in self.tried if math.isfinite(tried.loss(folds))]
        scores += self._blended(folds) if with_blend else []
        scores += [self._score(tried, self.first) for tried in self.tried if not math.isfinite(tried.loss(folds))]
        is_baseline = {tried.trial.name for tried in self.tried if tried.trial.is_baseline}
        return tuple(sorted(scores, key=lambda score: (score.candidate in is_baseline, -score.folds, score.loss)))

    def out_of_fold(self, score: Score) -> tuple[np.ndarray, Prediction]:
        """Give the target of the rows of all folds that a score comes from, and what its models say of them, none of which saw them."""
        import numpy as np

        weights = score.weights or {score.candidate: 1.0}
        members = [tried for tried in self.tried if tried.trial.name in weights]
        shares = [weights[tried.trial.name] for tried in members]
        folds = [fold for fold in range(len(self.folds)) if all(fold in tried.said for tried in members)]
        said = put_together([blend([tried.said[fold] for tried in members], shares) for fold in folds])
        return np.concatenate([self.y[self.folds[fold][1]] for fold in folds]), said

    def _compare(self, trials: Iterable[Trial], folds: Sequence[int], most: int = 0) -> None:
        """Make trials on further folds while the budget lasts, which the first model need not fit into."""
        if not folds:
            return
        allowed = (trial for trial in trials if trial.is_baseline or not self._has_model() or self.allowance.has_more())
        for done in models.side_by_side(partial(self._make, folds=folds), allowed, len(self.y)):
            self._note(done)
            self._tell(done, folds, most)

    def _has_model(self) -> bool:
        return any(math.isfinite(tried.loss(self.first)) for tried in self.tried if not tried.trial.is_baseline)

    def _vary(self, most: int) -> None:
        """Try variations of the best, round by round, until so many trials are made or some rounds in a row have not helped."""
        numbers: dict[str, int] = {}
        idle = 0
        while len(self.tried) <= most and idle < search.PATIENCE and self.allowance.has_more():
            ranked = self._ranked(self.first)
            before = self._least()
            drawn: list[Trial] = []
            for candidate in search.parents(ranked):
                numbers[candidate.name] = numbers.get(candidate.name, 0) + 1
                drawn.append(search.vary(candidate, numbers[candidate.name], self.study.case.use_case.seed))
            if not drawn:
                return
            self._compare(drawn[: most + 1 - len(self.tried)], self.first, most)
            idle = 0 if search.is_improved(before, self._least()) else idle + 1
        if idle == search.PATIENCE:
            log.info("the last %s variations have not helped, and no further ones are tried", idle * search.PARENTS)

    def _ranked(self, folds: Sequence[int]) -> list[Trial]:
        able = [tried for tried in self.tried if not tried.trial.is_baseline and math.isfinite(tried.loss(folds))]
        return [tried.trial for tried in sorted(able, key=lambda tried: tried.loss(folds))]

    def _least(self) -> float:
        return min((tried.loss(self.first) for tried in self.tried if not tried.trial.is_baseline), default=math.inf)

    def _make(self, trial: Trial, folds: Sequence[int]) -> _Tried:
        done = _Tried(trial)
        try:
            for fold in folds:
                done.said[fold], seconds = self._predict(trial, fold)
                done.seconds += seconds
                done.losses[fold] = self._loss(done.said[fold], fold)
        except (ValueError, ArithmeticError, MemoryError) as error:
            done.problem = (str(error).splitlines() or ["too little memory"])[0]
        return done

    def _loss(self, said: Prediction, fold: int) -> float:
        return float(row_losses(self.study.loss, self.y[self.folds[fold][1]], said).mean())

    def _note(self, done: _Tried) -> None:
        before = next((tried for tried in self.tried if tried.trial is done.trial), None)
        if before is None:
            self.tried.append(done)
        else:
            before.add(done)

    def _tell(self, done: _Tried, folds: Sequence[int], most: int) -> None:
        if done.problem:
            log.warning("candidate %s is left out: %s", done.trial.name, done.problem)
            return
        ranked = self._ranked(folds)
        is_best = done.trial.is_baseline or not ranked or ranked[0] is done.trial
        made = sum(not tried.trial.is_baseline for tried in self.tried)
        what = "the baseline" if done.trial.is_baseline else f"trial {made} of {most}" if most else "a finalist on further folds"
        best = "" if is_best else f"; best so far: {ranked[0].name}"
        log.info("%s, %s: %s %.4g in %.1f s%s", what, done.trial.name, self.study.loss, done.loss(folds), done.seconds, best)

    def _predict(self, trial: Trial, fold: int) -> tuple[Prediction, float]:
        """Fit on all but the fold, and predict it; or remember that from a run that was killed."""
        key = names.digest(trial.candidate.name, json.dumps(dict(trial.settings), sort_keys=True), str(fold))[:32]
        if (known := self.store.load(key)) is not None:
            return known
        started = time.perf_counter()
        fit, validate = self.folds[fold]
        recipe = Recipe.of(self.study.schema, self.X.iloc[fit], self.y[fit], self.study.case.use_case.seed)
        model = models.fit(trial.candidate.build(recipe, **trial.settings), self.X.iloc[fit], self.y[fit])
        said = models.predict(model, self.X.iloc[validate])
        seconds = time.perf_counter() - started
        self.store.keep(key, said, seconds)
        return said, seconds

    def _score(self, tried: _Tried, folds: Sequence[int]) -> Score:
        compared = [] if tried.problem else [fold for fold in folds if fold in tried.losses]
        return _score(tried.trial.name, [tried.losses[fold] for fold in compared], tried.seconds, tried.trial)

    def _blended(self, folds: Sequence[int]) -> list[Score]:
        """Judge an average of those that do better than the baseline; none where fewer than two do, or the best is as good alone."""
        import numpy as np

        limit = min((tried.loss(folds) for tried in self.tried if tried.trial.is_baseline), default=math.inf)
        ranked = sorted((tried for tried in self.tried if tried.loss(folds) < limit), key=lambda tried: tried.loss(folds))
        if not ranked:
            return []
        y = np.concatenate([self.y[self.folds[fold][1]] for fold in folds])
        said = {tried.trial.name: put_together([tried.said[fold] for fold in folds]) for tried in ranked[: search.FINALISTS]}
        weights = weights_of(self.study.loss, y, said)
        if len(weights) < 2:
            return []
        members = [tried for tried in ranked if tried.trial.name in weights]
        shares = [weights[tried.trial.name] for tried in members]
        losses: list[float] = []
        for fold in folds:
            losses.append(self._loss(blend([tried.said[fold] for tried in members], shares), fold))
        score = _score(BLEND, losses, sum(tried.seconds for tried in members), None, weights)
        log.info("the average of %s: %s %.4g", ", ".join(weights), self.study.loss, score.loss)
        return [score] if score.loss < (1 - search.WORTH_AVERAGING) * ranked[0].loss(folds) else []


def _score(name: str, losses: Sequence[float], seconds: float, trial: Trial | None, weights: dict[str, float] | None = None) -> Score:
    import numpy as np

    loss = float(np.mean(losses)) if losses else math.inf
    error = float(np.std(losses, ddof=1) / math.sqrt(len(losses))) if len(losses) > 1 else math.nan
    settings = dict(trial.settings) if trial else {}
    recipe = trial.candidate.name if trial else name
    return Score(name, loss, error, seconds, weights or {}, recipe=recipe, settings=settings, folds=len(losses))
