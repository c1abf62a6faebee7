"""Verbs on expectations: a suite judges a batch before anything is made of it."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

from tasks.adapters import snapshots, suites
from tasks.core.parts import WHOLE, Scope
from tasks.core.row_sets import RowSet
from tasks.core.validation import UNJUDGED, ExpectationResult, Validation
from tasks.record import publish_table, task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tasks.core.snapshot import Batch, Case

log = logging.getLogger("evergreen")


@task
def validate(case: Case, batch: Batch) -> Validation:
    """Judge a batch by the suite of its use case, and stop where that refuses it.

    Raises:
        DataRefusedError: the suite refuses the batch.
    """
    validation = _judge(case, batch)
    validation.raise_if_refused(batch.source)
    return validation


@task
def validate_unlabelled(case: Case, batch: Batch, target: str) -> Validation:
    """Judge rows that are to be predicted: nothing is asked of the target, be it there or not.

    Raises:
        DataRefusedError: the suite refuses the rows.
    """
    validation = _judge(case, batch, Scope(unasked=[target]))
    validation.raise_if_refused(batch.source)
    return validation


@task
def judge(case: Case, batch: Batch | None, scope: Scope = WHOLE) -> Validation:
    """Judge a batch by the suite of its use case, whatever comes of it, and set the rows aside that lack a key.

    Without a suite the verdict is *not applicable*.

    Args:
        case: Whose suite.
        batch: The rows; None where none comes for the first time.
        scope: What of the suite is asked.
    """
    if batch is None:
        return UNJUDGED
    validation = _judge(case, batch, scope)
    known = {(result.columns, result.failing_rows) for result in validation.results if result.consequence == "quarantined"}
    nameless = (result for result in _empty_keys(case, batch) if (result.columns, result.failing_rows) not in known)
    return dataclasses.replace(validation, results=(*validation.results, *nameless))


@task
def judge_labels(case: Case, batch: Batch | None, target: str | None) -> Validation:
    """Judge labels that come after their rows by what the suite asks of the target, whatever comes of it.

    Args:
        case: Whose suite.
        batch: The labels, with their rows or alone; None where none come.
        target: Their column.
    """
    return UNJUDGED if batch is None or target is None else _judge(case, batch, Scope(only=target))


def _empty_keys(case: Case, batch: Batch) -> Iterator[ExpectationResult]:
    """Find the rows that nothing names: neither the lake nor a late label could tell which they are."""
    import numpy as np

    there = snapshots.column_names(batch.path)
    for name in (name for name in case.use_case.key if name in there):
        is_empty = np.concatenate([df[name].isna() for df in snapshots.read_frames(batch.path, columns=[name])])
        if is_empty.any():
            told = f"'{name}' is never missing, for it names the row"
            yield ExpectationResult(told, "warning", success=False, failing_rows=RowSet.where(is_empty), quarantine=True, columns=(name,))


def _judge(case: Case, batch: Batch, scope: Scope = WHOLE) -> Validation:
    if case.suite is None:
        log.info("no suite for %s: validation is not applicable", case.name)
        return Validation(suite="")
    log.info("validating against %s", case.suite.name)
    validation = Validation(case.suite.name, suites.evaluate_file(batch.path, case.suite, scope=scope))
    rows = [
        {"expectation": r.expectation, "severity": r.severity, "failing rows": str(len(r.failing_rows)), "consequence": r.consequence}
        for r in validation.results
    ]
    publish_table(f"{case.name}-validation", rows, f"{batch.source}: {validation.summary}")
    return validation
