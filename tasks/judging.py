"""Verbs on the gate: what its checks ask for, and the decision that they make."""

from __future__ import annotations

import logging
import time
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from tasks.adapters import models, snapshots
from tasks.core import checks
from tasks.core.checks import Material, Pair
from tasks.core.gate_settings import refuse_what_the_table_lacks
from tasks.core.splits import MIN_GATE_ROWS
from tasks.core.thresholds import positive_of
from tasks.record import task

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import pandas as pd
    from sklearn.pipeline import Pipeline

    from tasks.core.evidence import ChampionFit, Evidence, Fits
    from tasks.core.gate import Decision
    from tasks.core.honesty import Doubt
    from tasks.core.snapshot import Study

TIMED_ROWS = 15
log = logging.getLogger("evergreen")


@task
def judge(
    study: Study,
    fits: Fits,
    evidence: Evidence,
    champion: ChampionFit | None,
    doubts: Sequence[Doubt],
    waived: Collection[str] = (),
) -> Decision:
    """Ask all checks and decide; what a person waived refuses nothing.

    Raises:
        UsageError: the use case asks for columns or metrics that there are not; its file may be another one than when it was trained.
    """
    use_case = study.case.use_case
    side = snapshots.read(study.snapshot.path).iloc[study.split.gate]
    refuse_what_the_table_lacks(use_case, study.schema, [*side.columns], study.case.expected)
    X, rival = side[study.schema.features], champion.rival if champion else None
    material = Material(
        gate=use_case.gate,
        schema=study.schema,
        predict=partial(models.predict, fits.judged),
        seconds=partial(_seconds_of_one_row, (fits.judged, rival.judged), X) if rival else lambda: (0.0, 0.0),
        sizes=lambda: (models.size_of(fits.judged), rival.size if rival else 0),
        personal=use_case.pii,
        metrics=evidence.metrics,
        doubts=doubts,
        pair=_pair(study, evidence, side),
        why_alone="too few gate rows are left that neither was fitted on" if rival else "there is no champion",
        positive=positive_of(use_case.costs, evidence.prediction.classes),
        expected=study.case.expected,
    )
    decision = evidence.judge(use_case.gate.tolerance, checks.run(material), waived)
    for check in decision.checks:
        if check.outcome == "warned":
            log.warning("%s: %s", check.code.replace("_", " "), check)
    return decision


def _pair(study: Study, evidence: Evidence, side: pd.DataFrame) -> Pair | None:
    if evidence.met is None or len(evidence.met[0]) < MIN_GATE_ROWS:
        return None
    rows, old = evidence.met
    blocks = min(study.split.gate_blocks, len(rows))
    return Pair(side.iloc[rows], evidence.y[rows], evidence.prediction.take(rows), old, study.loss, blocks)


def _seconds_of_one_row(fitted: Sequence[Pipeline], X: pd.DataFrame) -> tuple[float, float]:
    """Time models in turn, so that whatever else the machine does slows all of them alike; gives the medians of the first two."""
    taken: list[list[float]] = [[] for _ in fitted]
    for place in range(min(TIMED_ROWS, len(X))):
        for model, seconds in zip(fitted, taken, strict=True):
            started = time.perf_counter()
            models.predict(model, X.iloc[[place]])
            seconds.append(time.perf_counter() - started)
    new, old = map(median, taken)
    return new, old
