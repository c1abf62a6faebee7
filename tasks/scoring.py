"""Verbs on predictions: what a version says of rows, written where people and later checks find it."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.adapters import home, models, scores, snapshots
from tasks.adapters.lake import Lake
from tasks.adapters.scores import Scored
from tasks.core import names
from tasks.core.errors import DataRefusedError
from tasks.core.lake.values import Terms
from tasks.core.scoring import ScoredRows, ScoreReport, check_columns, fit_inputs, write_predictions
from tasks.record import publish_text, task

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import pandas as pd

    from tasks.core.scoring import Scorer
    from tasks.core.snapshot import Batch, Case
    from tasks.core.validation import Validation

# Rows that are predicted, and written, at once.
PART_ROWS = 100_000
log = logging.getLogger("evergreen")


@task
def score(case: Case, scorer: Scorer, batch: Batch, validation: Validation, out: str | None) -> ScoreReport:
    """Predict the rows of a batch that satisfy their suite; what a killed scoring had done is not done again.

    Raises:
        UsageError: the predictions cannot be put where the call says.
        DataRefusedError: a column is missing that the model asks for, or no row can be scored.
    """
    check_columns(scorer, case.use_case.key, snapshots.column_names(batch.path), batch.source)
    suite = names.digest(case.suite.read_text(encoding="utf-8")) if case.suite else ""
    scoring = scorer.scoring_of(batch.delivered, suite)
    folder = case.settings.home / "scores" / case.name
    place = Path(out).absolute() if out else folder / f"{names.stem_of(batch.source)}-{scoring[:8]}.parquet"
    if known := scores.recall(folder, scoring, place):
        return _report(case, scorer, batch, known, is_known=True)
    scores.check_out(out or place, scores.written(folder))
    parts = scores.Parts(folder / scoring)
    with home.lock(case.settings.home, f"score-{scoring[:16]}"):
        _score_parts(case, scorer, batch, validation, parts, scoring)
        return _finish(case, scorer, batch, parts, scoring, place)


def _score_parts(case: Case, scorer: Scorer, batch: Batch, validation: Validation, parts: scores.Parts, scoring: str) -> None:
    import numpy as np

    start = 0
    for place, df in enumerate(snapshots.read_frames(batch.path, PART_ROWS)):
        lines = batch.lines[start : start + len(df)]
        if not parts.holds(place):
            suite_says, (failing, reasons) = np.full(len(df), "", dtype=object), validation.set_aside(start, start + len(df))
            suite_says[failing] = reasons
            parts.write(place, *_split(case, scorer, df, lines, suite_says, scoring))
            log.info("scored %s of %s rows", f"{start + len(df):,}", f"{len(batch.lines):,}")
        start += len(df)


def _split(
    case: Case, scorer: Scorer, df: pd.DataFrame, lines: np.ndarray, suite_says: np.ndarray, scoring: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predict the rows that can be, and give the others with every reason."""
    import numpy as np

    keys = df[list(case.use_case.key)]
    inputs, model_says = fit_inputs(df, scorer.inputs)
    key_says = ["the key is empty" if is_empty else "" for is_empty in keys.isna().any(axis=1)]
    reasons = ["; ".join(filter(None, said)) for said in zip(suite_says, key_says, model_says, strict=True)]
    is_fit = np.array([not reason for reason in reasons], dtype=bool)
    keys = keys[is_fit]
    prediction = models.predict(scorer.model, inputs[is_fit]) if is_fit.any() else models.predict(scorer.model, inputs).take(is_fit)
    scored = write_predictions(keys, lines[is_fit], prediction, scorer, scoring)
    aside = df[~is_fit].assign(_line=lines[~is_fit], _reasons=[reason for reason in reasons if reason])
    return scored, aside


def _finish(case: Case, scorer: Scorer, batch: Batch, parts: scores.Parts, scoring: str, place: Path) -> ScoreReport:
    """Put the file in place, then the predictions into the lake, then forget the parts: a kill between repeats what is missing."""
    scored, quarantined = parts.count("scored"), parts.count("aside")
    if not scored:
        first = next((df["_reasons"].iloc[0] for df in parts.read("aside") if len(df)), "it holds none")
        parts.remove()
        message = f"no row of {batch.source} can be scored: {first}"
        raise DataRefusedError(message, where=batch.source)
    scores.put(parts.read("scored"), place)
    aside = place.with_name(f"{place.stem}-aside.csv") if quarantined + len(batch.aside) else None
    if aside:
        scores.put(_aside(batch, parts), aside)
    lake = Lake(case.settings.lake_address, case.name, Terms(key=case.use_case.key, target=scorer.target))
    lake.append_predictions(scoring, parts.read("scored"), arrived_at=datetime.now(UTC))
    told = Scored(str(place), str(aside or ""), scores.digest_of(place), scored, quarantined + len(batch.aside))
    scores.remember(case.settings.home / "scores" / case.name, scoring, told)
    parts.remove()
    return _report(case, scorer, batch, told, is_known=False)


def _aside(batch: Batch, parts: scores.Parts) -> Iterator[pd.DataFrame]:
    """Yield the rows that were set aside, those that could not be read with their text alone."""
    import pandas as pd

    misfits = pd.DataFrame(
        [{"_line": row.line, "_reasons": row.reason, "_text": row.text} for row in batch.aside], columns=["_line", "_reasons", "_text"]
    )
    columns = [*snapshots.column_names(batch.path), *misfits.columns]
    yield misfits.reindex(columns=columns)
    for df in parts.read("aside"):
        yield df.reindex(columns=columns)


def _report(case: Case, scorer: Scorer, batch: Batch, told: Scored, *, is_known: bool) -> ScoreReport:
    rows = ScoredRows(told.scored + told.quarantined, told.scored, told.quarantined)
    report = ScoreReport(case.name, batch.source, scorer.version, rows, told.out, told.aside, is_known)
    publish_text(f"{case.name}-scores", f"{report.state_message}\n\n`{told.out}`")
    log.info("%s", report.state_message)
    return report
