"""Verbs on evidence: measure on the gate rows, judge, report."""

from __future__ import annotations

import dataclasses
import json
import logging
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tasks import record
from tasks.adapters import ledger, models, snapshots
from tasks.adapters.tracking import model_registry, runs
from tasks.core import decisions, gate, honesty, splits, train_page
from tasks.core.champions import promoting
from tasks.core.evidence import EXPLANATION, Evidence, Explanation, compare_predictions
from tasks.core.honesty import Doubt, Sides
from tasks.core.importance import MAX_FEATURES, SHOWN_DEPENDENCES, partial_dependence, permutation_importance, shown_classes
from tasks.core.lake.values import versions_of
from tasks.core.learning import LearningPoint
from tasks.core.looks import GateRows, count_looks
from tasks.core.metrics import intervals_of, metrics_of, row_losses
from tasks.core.results import TrainReport
from tasks.core.slices import SLICED_FEATURES, error_by_slice
from tasks.core.snapshot import target_of
from tasks.core.thresholds import cost_metric, positive_of
from tasks.core.watching import FOOTPRINT, Footprint
from tasks.record import task

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import pandas as pd
    from sklearn.pipeline import Pipeline

    from tasks.core.champions import Version
    from tasks.core.evidence import ChampionFit, Fits, Rival
    from tasks.core.gate import Comparison, Decision
    from tasks.core.metrics import Prediction
    from tasks.core.results import Leaderboard
    from tasks.core.snapshot import Case, Snapshot, Study

TOLD_DOUBTS = 20
log = logging.getLogger("evergreen")


@task
def evaluate(study: Study, fits: Fits, champion: ChampionFit | None) -> Evidence:
    """Measure the judged fit on the gate rows, against the dummy and against the champion, and log it."""
    evidence = measure(study, fits, champion)
    runs.log_text(footprint_of(study, evidence).model_dump_json(), FOOTPRINT)
    runs.tag_run(runs.PREDICTIONS_TAG, models.prediction_digest(evidence.prediction))
    runs.log_metrics({f"dummy/{name}": value for name, value in evidence.baseline.items()})
    runs.log_metrics({f"{name}/{end}": vars(interval)[end] for name, interval in evidence.metrics.items() for end in ("low", "high")})
    return evidence


def footprint_of(study: Study, evidence: Evidence) -> Footprint:
    """Sum up what the judged fit did on the gate rows, for whoever watches it later."""
    judged, left = float(row_losses(study.loss, evidence.y, evidence.prediction).mean()), 1 + evidence.against_dummy.difference
    return Footprint.of(study.loss, evidence.y, evidence.prediction, judged / left if left > 0 else judged)


def measure(study: Study, fits: Fits, champion: ChampionFit | None) -> Evidence:
    """Measure the judged fit on the gate rows, against the dummy and against the champion."""
    log.info("evaluating on %s gate rows", f"{len(study.split.gate):,}")
    df = snapshots.read(study.snapshot.path)
    fitted_rows = splits.hash_sorted(df[study.schema.features].iloc[study.split.fit])
    side = df.iloc[study.split.gate]
    X, y, blocks = side[study.schema.features], target_of(side, study.schema), study.split.gate_blocks
    prediction, dummy = models.predict(fits.judged, X), models.predict(fits.dummy, X)
    costs, hashes = study.case.use_case.costs, splits.hash_rows(X)
    more = [] if costs.are_equal else [cost_metric(costs, positive_of(costs, prediction.classes))]
    against = partial(_against_rival, study, X, y, prediction, hashes, fitted_rows)
    gate_rows = GateRows.of(hashes)
    against_champion, met = against(champion.rival) if champion and champion.rival else (None, None)
    theirs = compare_predictions(study.loss, y[met[0]], met[1], dummy.take(met[0]), blocks=min(blocks, len(met[0]))) if met else None
    return Evidence(
        y=y,
        prediction=prediction,
        metrics=intervals_of(study.schema.task, y, prediction, more, blocks=blocks, seed=study.case.use_case.seed),
        baseline=metrics_of(study.schema.task, y, dummy, more),
        fitted_rows=fitted_rows,
        gate_rows=gate_rows,
        against_dummy=compare_predictions(study.loss, y, prediction, dummy, blocks=blocks),
        champion_against_dummy=theirs,
        against_champion=against_champion,
        against_anchor=against(champion.anchor)[0] if champion and champion.anchor else None,
        contaminated=len(y) - against_champion.rows if against_champion else 0,
        look=count_looks(gate_rows, champion.looks) if champion else 1,
        met=met,
    )


def _against_rival(
    study: Study, X: pd.DataFrame, y: np.ndarray, prediction: Prediction, hashes: np.ndarray, fitted_rows: np.ndarray, rival: Rival
) -> tuple[Comparison, tuple[np.ndarray, Prediction]]:
    """Compare with another version's judged fit on the rows that neither was fitted on; gives these, and what it says of them."""
    import numpy as np

    rows = np.flatnonzero(~np.isin(hashes, fitted_rows) & ~np.isin(hashes, rival.fitted_rows))
    theirs = models.predict(rival.judged, X).take(rows)
    compared = compare_predictions(study.loss, y[rows], prediction.take(rows), theirs, blocks=min(study.split.gate_blocks, len(rows)))
    return compared, (rows, theirs)


@task
def explain(study: Study, leaderboard: Leaderboard, fits: Fits, evidence: Evidence) -> Explanation:
    """Look for what to distrust, what the judged fit depends on, and where it errs most."""
    log.info("looking at what to distrust and what the model depends on")
    df, schema, personal = snapshots.read(study.snapshot.path), study.schema, study.case.use_case.pii
    X, losses = df[schema.features].iloc[study.split.gate], row_losses(study.loss, evidence.y, evidence.prediction)
    sides, predict = Sides(df, study.split, schema, personal), partial(models.predict, fits.judged)
    alone = honesty.skills(sides)
    likeliest = sorted(schema.features, key=lambda name: -alone.get(name, 0.0))[:MAX_FEATURES]
    importance = permutation_importance(predict, X, evidence.y, study.loss, features=likeliest, seed=study.case.use_case.seed)
    shown = [each.feature for each in importance if each.feature not in personal]
    depended_on = [] if study.has_personal_target else shown[:SHOWN_DEPENDENCES]
    explanation = Explanation(
        doubts=(*honesty.doubts_of_rows(sides, alone), *_doubts_of_scores(study, leaderboard, evidence)),
        importance=tuple(importance),
        unmeasured=len(schema.features) - len(likeliest),
        dependences=tuple(partial_dependence(predict, X, depended_on, classes=shown_classes(evidence.y, evidence.prediction.classes))),
        slices=tuple(error_by_slice(X, losses, shown[:SLICED_FEATURES])),
        against_linear=_against_linear(study, fits, evidence, X),
        learning=tuple(_learning(study, fits, evidence, X)),
    )
    _keep(explanation)
    return explanation


def _doubts_of_scores(study: Study, leaderboard: Leaderboard, evidence: Evidence) -> tuple[Doubt, ...]:
    losses, left = row_losses(study.loss, evidence.y, evidence.prediction), 1 + evidence.against_dummy.difference
    return honesty.doubts_of_scores(leaderboard.best, losses, left, blocks=study.split.gate_blocks, unseen=evidence.unseen)


def _against_linear(study: Study, fits: Fits, evidence: Evidence, X: pd.DataFrame) -> Comparison | None:
    if fits.linear is None:
        return None
    theirs = models.predict(fits.linear, X)
    return compare_predictions(study.loss, evidence.y, evidence.prediction, theirs, blocks=study.split.gate_blocks)


def _learning(study: Study, fits: Fits, evidence: Evidence, X: pd.DataFrame) -> Iterator[LearningPoint]:
    for rows, model in fits.on_fewer.items():
        said = models.predict(model, X)
        compared = compare_predictions(study.loss, evidence.y, said, evidence.prediction, blocks=study.split.gate_blocks)
        yield LearningPoint(rows, float(row_losses(study.loss, evidence.y, said).mean()), compared)


def _keep(explanation: Explanation) -> None:
    """Warn of what to distrust, and let MLflow keep what the page shows."""
    for doubt in explanation.doubts[:TOLD_DOUBTS]:
        log.warning("%s: %s", doubt.code.replace("_", " "), doubt.message)
    runs.log_text(json.dumps(explanation.as_json(), indent=1), EXPLANATION)
    runs.tag_run(runs.WARNINGS_TAG, ", ".join(dict.fromkeys(doubt.code for doubt in explanation.doubts)))


def doubts_of(version: Version) -> tuple[Doubt, ...]:
    """Give what the run that made a version told to distrust."""
    return _doubts_of_run(version.run_id)


def _doubts_of_run(run_id: str) -> tuple[Doubt, ...]:
    """Give what an earlier run told to distrust."""
    kept = runs.text_of(run_id, EXPLANATION)
    return tuple(Doubt(**told) for told in json.loads(kept)["warnings"]) if kept else ()


@task
def check_shipped(study: Study, evidence: Evidence, shipped: Pipeline, decision: Decision) -> Decision:
    """Refuse a shipped fit that lost on the gate rows what the judged fit had."""
    df = snapshots.read(study.snapshot.path).iloc[study.split.gate]
    predictions = (evidence.prediction, models.predict(shipped, df[study.schema.features]))
    judged_loss, shipped_loss = (float(row_losses(study.loss, evidence.y, said).mean()) for said in predictions)
    return gate.with_check(decision, gate.check_refit(judged_loss, shipped_loss), has_champion=evidence.against_champion is not None)


@task
def report_training(
    study: Study, leaderboard: Leaderboard, evidence: Evidence, explanation: Explanation, version: Version, decision: Decision
) -> TrainReport:
    """Publish the run's report: as a page, as artifacts in Prefect and MLflow, and as the value that is returned."""
    case, threshold = study.case, leaderboard.threshold
    report = TrainReport(
        use_case=case.name,
        source=study.snapshot.source,
        schema=study.schema,
        rows=study.rows,
        snapshot=study.snapshot.digest,
        validation=study.snapshot.validation,
        decision=decision,
        run_id=version.run_id,
        version=version.number,
        aliases=_aliases(case.name, version.number),
        loss=study.loss,
        leaderboard=leaderboard.scores,
        complete=leaderboard.is_complete,
        calibration=leaderboard.calibration,
        threshold=threshold.without_name() if threshold and study.has_personal_target else threshold,
        metrics=evidence.metrics,
        baseline=evidence.baseline,
        links=_links(case, version.number),
        seconds=record.seconds(),
        repairs=study.snapshot.repairs,
        aside=study.snapshot.aside,
        lake=versions_of(study.snapshot.lake),
        doubts=explanation.doubts,
        learning=explanation.learning,
    )
    page = train_page.build(report, study, evidence, explanation)
    path = _page_path(case, version.number)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    runs.log_text(page, "report.html")
    return report


def report_unchanged(case: Case, snapshot: Snapshot, last: Version) -> TrainReport:
    """Report that the last attempt already answered this call."""
    params = runs.params_of(last.run_id)
    sides = {"used": int(params.get("rows_fit", 0)), "holdout": int(params.get("rows_gate", 0))}
    return TrainReport(
        use_case=case.name,
        source=snapshot.source,
        schema=snapshot.schema,
        rows=dataclasses.replace(snapshot.rows, **sides),
        snapshot=snapshot.digest,
        validation=snapshot.validation,
        decision=gate.unchanged(last.number, _waits(case, last)),
        run_id=last.run_id,
        version=last.number,
        aliases=_aliases(case.name, last.number),
        links=_links(case, last.number),
        seconds=record.seconds(),
        repairs=snapshot.repairs,
        aside=snapshot.aside,
        lake=versions_of(snapshot.lake),
        doubts=_doubts_of_run(last.run_id),
    )


def _waits(case: Case, last: Version) -> str:
    """Give the command that promotes a version that passed and waits for a person; empty where it does not wait."""
    waiting = {
        entry.version for entry in decisions.waiting_of(ledger.decisions(case.settings.ledger_address, case.name, decisions.JUDGING))
    }
    return promoting(case.name, last.number) if last.number in waiting else ""


def _aliases(name: str, number: int) -> tuple[str, ...]:
    return tuple(sorted(alias for alias, version in model_registry.aliases(name).items() if version == number))


def _page_path(case: Case, number: int) -> Path:
    return case.settings.home / "reports" / case.name / f"{number}.html"


def _links(case: Case, number: int) -> dict[str, str]:
    address = case.settings.mlflow_uri
    # MLflow answers only the hosts that it is told, port included; without that any web page could ask it.
    browse = f"{Path(sys.executable).with_name('mlflow')} ui --backend-store-uri {address} --allowed-hosts localhost:5000"
    return {"report": str(_page_path(case, number)), "mlflow": address if address.startswith("http") else browse}
