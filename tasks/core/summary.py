"""What a person reads in the terminal after a run: at most 20 lines."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from tasks.core import gate
from tasks.core.names import CONTROL, counted
from tasks.core.page import shorten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tasks.core.gate import Decision
    from tasks.core.results import TrainReport
    from tasks.core.table import Schema

MAX_LINES = 20
SHOWN_CANDIDATES = 4
SHOWN_REPAIRS = 2
SHOWN_REASONS = 6
# The page, the JSON and MLflow have all of them.
SHOWN_METRICS = frozenset({"rmse", "mae", "r2", "brier", "log_loss", "roc_auc", "accuracy", "f1_macro", "cost"})
MAX_WIDTH = 120

# Names come from files and may hold what breaks a line or steers a terminal.


def of_training(report: TrainReport, folder: str) -> str:
    """Tell what was read, inferred, tried, measured and decided, and where to look; paths below `folder` are relative to it."""
    waiver = gate.waiving(report.decision, report.use_case, report.version)
    above = [
        f"{report.use_case} · {describe(report.schema)}",
        f"rows        {report.rows}",
        *_reading(report),
        f"suite       {report.validation.summary}",
    ]
    below = [
        *_warnings(report),
        *decision_lines(report.decision, report.state_name, waiver),
        f"version     {report.version} of {report.use_case}{_called(report.aliases)}{_deciding(report)}",
        *(f"{name:<11} {_relative(link, folder)}" for name, link in report.links.items()),
    ]
    # The reasons of a refusal take the place of candidates first, and then of metrics.
    room, metrics = MAX_LINES - len(above) - len(below), _metrics(report)
    candidates = _leaderboard(report, max(1, min(SHOWN_CANDIDATES, room - len(metrics) - 1)))
    lines = [*above, *candidates, *metrics[: max(2, room - len(candidates))], *below]
    return "\n".join(CONTROL.sub(" ", line) for line in lines)


def _reading(report: TrainReport) -> list[str]:
    """Say what was set aside and repaired, if anything was, in one line; the report has the rest of it."""
    told: list[str] = []
    if report.aside:
        first = report.aside[0]
        told.append(f"{counted(len(report.aside), 'row')} set aside, the first on line {first.line}: {first.reason}")
    told += [str(repair) for repair in report.repairs[:SHOWN_REPAIRS]]
    told += [f"and {len(report.repairs) - SHOWN_REPAIRS} more repairs"] if len(report.repairs) > SHOWN_REPAIRS else []
    return [shorten(f"repaired    {'; '.join(told)}", MAX_WIDTH)] if told else []


def describe(schema: Schema) -> str:
    """Say in one line what was inferred of a table.

    >>> from tasks.core.table import Column, Schema
    >>> describe(Schema((Column("age", "number", "feature", ""), Column("sick", "category", "target", "")), "binary"))
    "binary classification of 'sick' from 1 column"
    """
    kind = schema.task if schema.task == "regression" else f"{schema.task} classification"
    count = len(schema.features)
    ordered = f", in order of '{schema.time}'" if schema.time else f", in groups of '{schema.group}'" if schema.group else ""
    unused = [f"'{column.name}' ({column.evidence.partition(':')[0]})" for column in schema.columns if column.role == "unused"]
    left = f", without {', '.join(unused[:3])}" + (" …" if len(unused) > 3 else "") if unused else ""
    return f"{kind} of '{schema.target}' from {count} column{'s' if count != 1 else ''}{ordered}{left}"


def figure(value: float) -> str:
    """Write a number with four significant digits.

    >>> figure(53.42391), figure(0.00012345), figure(1234567.0), figure(float("nan"))
    ('53.42', '0.0001234', '1,234,567', '–')
    """
    if not math.isfinite(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _leaderboard(report: TrainReport, most: int) -> list[str]:
    if not report.leaderboard:
        return []
    shown = report.leaderboard[:most]
    marks = ["*", *" " * (len(shown) - 1)]
    losses = [
        (f"  {mark} {score.candidate:<22}", f"{figure(score.loss):>10}", "±", figure(score.half_width))
        for mark, score in zip(marks, shown, strict=True)
    ]
    rows = zip(_aligned(losses, "<>><"), [f"{s.seconds:.1f}" for s in shown], strict=True)
    folds = shown[0].folds
    return _aligned([(f"candidates  mean {report.loss}, {folds} fold{'s' if folds != 1 else ''}", "  seconds"), *rows], "<>")


def _metrics(report: TrainReport) -> list[str]:
    if not report.metrics:
        return []
    rows = [
        (f"    {name:<22}", f"{figure(i.value):>11}", f"  {figure(i.low)} to {figure(i.high)}", f"{figure(report.baseline[name]):>10}")
        for name, i in report.metrics.items()
        if name in SHOWN_METRICS
    ]
    return _aligned([(f"metrics     on {report.rows.holdout:,} gate rows", "value", "  95 % interval", "dummy"), *rows], "<><>")


def decision_lines(decision: Decision, word: str, waiver: str) -> list[str]:
    """Tell a decision, each reason of a refusal in a line of its own, and how a person may promote in spite of them.

    >>> from tasks.core.gate import Decision
    >>> decision_lines(Decision("size", "kept", ("9 MB", "7 ms")), "Kept champion", "promote 3")
    ['decision    kept champion · 9 MB', '            7 ms', '            or promote it all the same: promote 3']
    """
    if decision.verdict == "promoted" or len(decision.reasons) < 2:
        told = [decision.reason]
    else:
        left = len(decision.reasons) - SHOWN_REASONS
        told = [*decision.reasons[:SHOWN_REASONS], *([f"and {left} more, which the report has"] if left > 0 else [])]
    told[0] = f"{word.lower()} · {told[0]}"
    told += [f"or promote it all the same: {waiver}"] if waiver else []
    return [f"{'' if place else 'decision':<11} {line}" for place, line in enumerate(told)]


def _warnings(report: TrainReport) -> list[str]:
    """Name the first check that warns, or the first reason to distrust, in one line; the report has all of them."""
    checks = [check for check in report.decision.checks if check.outcome == "warned" and check.code != "leakage"]
    told = [*(f"{check.code.replace('_', ' ')}: {check.value}" for check in checks), *(doubt.message for doubt in report.doubts)]
    if not told:
        return []
    more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
    return [shorten(f"warning     {told[0]}", MAX_WIDTH - len(more)) + more]


def _aligned(rows: Sequence[Sequence[str]], sides: str) -> list[str]:
    """Join cells to lines, each column as wide as its widest cell.

    >>> _aligned([("mae", "1,234"), ("r2", "0.4")], "<>")
    ['mae 1,234', 'r2    0.4']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [" ".join(f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True)).rstrip() for row in rows]


def _relative(link: str, folder: str) -> str:
    """Shorten paths below a folder, where a path begins: at the start, after a space, a quote or `=`, or in a SQLite address.

    >>> _relative("mlflow ui --backend-store-uri sqlite:////home/eva/mlflow.db", "/home/eva")
    'mlflow ui --backend-store-uri sqlite:///mlflow.db'
    """
    return re.sub(rf"(^|[\s'\"=]|:///){re.escape(folder)}/", r"\1", link)


def _deciding(report: TrainReport) -> str:
    return f"; {report.threshold}" if report.threshold else ""


def _called(aliases: tuple[str, ...]) -> str:
    return f" ({', '.join(aliases)})" if aliases else ""
