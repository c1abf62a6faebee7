"""Verbs on versions that are fitted again: find what they were made of, compare what comes of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tasks import record, versions
from tasks.adapters import ledger, models, snapshots
from tasks.adapters.tracking import model_files, runs
from tasks.core.champions import JUDGED_FILE, SHIPPED_FILE
from tasks.core.comparing import changes
from tasks.core.errors import NotReproducedError, UsageError
from tasks.core.reproducing import Original, Reproduction, match
from tasks.record import task

if TYPE_CHECKING:
    from typing import Literal

    import pandas as pd
    from sklearn.pipeline import Pipeline

    from tasks.core.metrics import Prediction
    from tasks.core.reproducing import Match
    from tasks.core.snapshot import Case, Study

log = logging.getLogger("evergreen")


@task
def recall(case: Case, number: int | None) -> Original:
    """Load a version, the champion by default, with what its run was asked and what it chose.

    Raises:
        UsageError: there is no such version, or it was made before runs kept that.
        StoreError: its files are gone.
        UnsafeModelError: they are not those that were registered.
    """
    line = ledger.line_of_champions(case.settings.ledger_address, case.name)
    version = versions.find_version(case.settings.ledger_address, case.name, line, number)
    recorded = versions.recorded(case, version)
    if recorded is None:
        message = f"the run of version {version.number} of {case.name} kept no recipe, so it cannot be fitted again; train again"
        raise UsageError(message, where="version")
    tags = runs.tags_of(version.run_id)
    then = model_files.fetch(case.name, version.number, "requirements.txt").decode().split()
    return Original(
        version=version,
        recorded=recorded,
        judged=models.load(*versions.file_of(case.name, version, JUDGED_FILE)),
        shipped=models.load(*versions.file_of(case.name, version, SHIPPED_FILE)),
        predictions=tags.get(runs.PREDICTIONS_TAG, ""),
        is_refitted=tags.get(runs.REFIT_TAG) == "true",
        changed=changes(then, model_files.requirements(pin.partition("==")[0] for pin in then)),
    )


@task
def compare(study: Study, original: Original, judged: Pipeline, shipped: Pipeline) -> Reproduction:
    """Compare what the stored fits and the second ones say of the gate rows.

    Raises:
        NotReproducedError: they say something else.
    """
    X = snapshots.read(study.snapshot.path)[study.schema.features].iloc[study.split.gate]
    matches = (_match("judged", X, original.judged, judged), _match("shipped", X, original.shipped, shipped))
    found = Reproduction(
        use_case=study.case.name,
        version=original.version.number,
        rows=len(X),
        matches=matches,
        is_as_recorded=matches[0].stored == original.predictions if original.predictions else None,
        changed=original.changed,
    )
    record.publish_text(f"{study.case.name}-reproduction", f"**{found.likeness}**: {found.state_message}")
    log.info("%s: %s", found.likeness, found.reason)
    if found.likeness == "different":
        message = f"version {found.version} of {found.use_case} is not reproduced: {found.reason}"
        raise NotReproducedError(message, where=f"version {found.version}")
    return found


def _match(fit: Literal["judged", "shipped"], X: pd.DataFrame, stored: Pipeline, again: Pipeline) -> Match:
    return match(fit, _said(stored, X), _said(again, X))


def _said(model: Pipeline, X: pd.DataFrame) -> tuple[Prediction, str]:
    said = models.predict(model, X)
    return said, models.prediction_digest(said)
