"""What a person reads in the terminal after a run: at most 20 lines."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasks.core.results import TrainReport
    from tasks.core.table import Schema

SHOWN_CANDIDATES = 4


def of_training(report: TrainReport) -> str:
    """Tell what was read, inferred, tried, measured and decided, and where to look."""
    lines = [
        f"{report.use_case} · {describe(report.schema)}",
        f"rows        {report.rows}",
        f"suite       {report.validation.summary}",
        *_leaderboard(report),
        *_metrics(report),
        f"decision    {report.state_name.lower()} · {report.decision.reason}",
        f"version     {report.version} of {report.use_case}{_called(report.aliases)}",
        *(f"{name:<11} {link}" for name, link in report.links.items()),
    ]
    return "\n".join(lines)


def describe(schema: Schema) -> str:
    """Say in one line what was inferred of a table.

    >>> from tasks.core.table import Column, Schema
    >>> describe(Schema((Column("age", "number", "feature", ""), Column("sick", "category", "target", "")), "binary"))
    "binary classification of 'sick' from 1 column"
    """
    kind = schema.task if schema.task == "regression" else f"{schema.task} classification"
    count = len(schema.features)
    ordered = f", in order of '{schema.time}'" if schema.time else ""
    unused = [f"'{column.name}' ({column.evidence})" for column in schema.columns if column.role == "unused"]
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


def _leaderboard(report: TrainReport) -> list[str]:
    if not report.leaderboard:
        return []
    lines = [f"candidates  {'mean ' + report.loss + ', 5 folds':<30}{'seconds':>8}"]
    for place, score in enumerate(report.leaderboard[:SHOWN_CANDIDATES]):
        mark = "*" if place == 0 else " "
        lines.append(f"  {mark} {score.candidate:<24}{figure(score.loss):>10} ± {figure(score.error):<7}{score.seconds:>5.1f}")
    return lines


def _metrics(report: TrainReport) -> list[str]:
    if not report.metrics:
        return []
    lines = [f"metrics     {'on ' + format(report.rows.holdout, ',') + ' gate rows':<18}{'value':>8}   {'95 % interval':<18} {'dummy':>8}"]
    for name, interval in report.metrics.items():
        between = f"{figure(interval.low)} to {figure(interval.high)}"
        lines.append(f"    {name:<22}{figure(interval.value):>12}   {between:<18} {figure(report.baseline[name]):>8}")
    return lines


def _called(aliases: tuple[str, ...]) -> str:
    return f" ({', '.join(aliases)})" if aliases else ""
