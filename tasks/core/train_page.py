"""The report of a training run, as a page."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tasks.core import charts, gate, training_plots, validation_page
from tasks.core.learning import would_more_help
from tasks.core.metrics import row_losses
from tasks.core.names import counted
from tasks.core.page import Badge, Facts, Figure, Page, Section, Table, Text, Tone, Verdict, number, render, shorten
from tasks.core.results import LINEAR
from tasks.core.summary import describe

if TYPE_CHECKING:
    from tasks.core.evidence import Evidence, Explanation
    from tasks.core.gate import Comparison
    from tasks.core.results import TrainReport
    from tasks.core.slices import Slice
    from tasks.core.snapshot import Study

MAX_LISTED = 20
MAX_DESCRIPTION = 400
TONES: dict[str, Tone] = {"promoted": "good", "kept": "neutral", "refused": "bad", "unchanged": "neutral"}


def build(report: TrainReport, study: Study, evidence: Evidence, explanation: Explanation) -> str:
    """Give the page of one training run as HTML; of personal columns it shows no values."""
    is_hidden = study.has_personal_target
    page = Page(
        title=f"{report.use_case}, version {report.version}",
        verdict=Verdict(TONES[report.decision.verdict], report.state_name, report.decision.reason),
        sections=(
            *_warnings(report),
            _training(report, study),
            _result(report, evidence, explanation),
            _gate(report),
            _metrics(report, study, evidence),
            *_plots(report, study, evidence, is_hidden=is_hidden),
            *_dependence(explanation, study),
            *_errors(explanation, evidence, study, is_hidden=is_hidden),
            _candidates(report),
            *_learning(report, evidence, study),
            _columns(report),
            *_reading(report),
            _validation(report),
            _time(report),
        ),
        footer=f"Evergreen · {report.use_case} · snapshot {report.snapshot} · run {report.run_id}",
    )
    return render(page)


def _warnings(report: TrainReport) -> list[Section]:
    rows = [(Badge("warned", doubt.code.replace("_", " ")), doubt.message) for doubt in report.doubts]
    return [Section("Warnings", (Table("What to distrust", ("warning", "what was found, and what to do"), rows),))] if rows else []


def _training(report: TrainReport, study: Study) -> Section:
    facts = Facts(
        (
            ("Source", report.source),
            ("Judged on", _judged_on(study)),
            ("Loss that decides", report.loss),
            ("Tried", f"{len(report.leaderboard)} candidates{'' if report.complete else ', cut short by the budget'}"),
            ("Aliases", ", ".join(report.aliases) or "none"),
            ("Snapshot", report.snapshot[:16]),
            ("MLflow run", report.run_id),
        )
    )
    return Section("Training", (Text(f"Task: {shorten(describe(report.schema), MAX_DESCRIPTION)}"), Text(f"Rows: {report.rows}"), facts))


def _judged_on(study: Study) -> str:
    if study.split.is_ordered:
        return "the latest rows"
    groups = study.split.gate_groups
    return f"all rows of {groups:,} groups drawn by their hash" if groups else "rows drawn by their hash"


def _result(report: TrainReport, evidence: Evidence, explanation: Explanation) -> Section:
    """Say what won, and by how much on the gate rows."""
    others = [("the dummy", evidence.against_dummy), ("the linear candidate", explanation.against_linear)]
    others.append(("the champion", evidence.against_champion))
    rows = [(name, compared.rows, *_percents(compared)) for name, compared in others if compared is not None]
    won = report.leaderboard[0] if report.leaderboard else None
    made_of = ", ".join(f"{100 * share:.0f} % {name}" for name, share in won.weights.items()) if won else ""
    told = f"`{won.candidate}` won{f': {made_of}' if made_of else ''}." if won else ""
    if report.calibration:
        before, after = number(report.calibration.before), number(report.calibration.after)
        told += f" Its probabilities are mended: {report.loss} {after} instead of {before} on rows that were not fitted to."
    if report.threshold:
        why = "as cost least on rows that were not fitted to" if report.threshold.is_measured else "as the costs of errors ask for"
        told += f" {report.threshold}, {why}."
    if won and any(score.candidate in LINEAR for score in report.leaderboard) and explanation.against_linear is None:
        told += " It is the linear candidate itself."
    columns = ("compared with", "gate rows", "loss", "95\u00a0% from", "to")
    return Section("Result", (Text(told), Table("Loss of the judged fit against others, row by row", columns, rows, numeric=columns[2:])))


def _percents(compared: Comparison) -> tuple[str, str, str]:
    """Word a difference of losses with its interval; nothing is better by more than all of the loss."""
    ends = (compared.difference, compared.difference - 1.96 * compared.error, compared.difference + 1.96 * compared.error)
    middle, low, high = (f"{100 * max(-1.0, end):+.1f} %".replace("-", "−") if math.isfinite(end) else "unknown" for end in ends)
    return middle, low, high


def _gate(report: TrainReport) -> Section:
    shown = [(c, c.how_to_pass if c.outcome in ("failed", "warned", "waived") else "") for c in report.decision.checks]
    rows = [(c.code.replace("_", " "), Badge(c.outcome), c.value, c.limit, to_pass) for c, to_pass in shown]
    asked = [row for row in rows if row[1].outcome != "not applicable"]
    unasked = [(name, why) for name, badge, why, *_ in rows if badge.outcome == "not applicable"]
    waiver = gate.waiving(report.decision, report.use_case, report.version)
    blocks = (
        Table("Checks between the challenger and the champion", ("check", "outcome", "found", "limit", "to pass"), asked),
        *([Text(f"Whoever knows better promotes it all the same: `{waiver}`")] if waiver else []),
        *([Table(f"{counted(len(unasked), 'check')} not applicable", ("check", "because"), unasked, is_folded=True)] if unasked else []),
    )
    return Section("Gate", blocks)


def _metrics(report: TrainReport, study: Study, evidence: Evidence) -> Section:
    rows = [(name, i.value, i.low, i.high, report.baseline[name]) for name, i in report.metrics.items()]
    intervals = [charts.Interval(name, *values) for name, *values in rows]
    held = f"{report.rows.holdout:,} gate rows that the judged fit has not seen"
    return Section(
        "Metrics",
        (
            Text(f"Measured on {held}; intervals hold 95 % of {'block ' if study.split.gate_blocks else ''}bootstrap resamples."),
            Table("Judged fit against the dummy", ("metric", "value", "low", "high", "dummy"), rows),
            Figure("Metrics with their intervals", charts.interval_chart(intervals, title="Metrics", reference_label="dummy")),
        ),
    )


def _plots(report: TrainReport, study: Study, evidence: Evidence, *, is_hidden: bool) -> list[Section]:
    """Show the predictions of the gate rows; where the target is personal, only their losses."""
    plots: list[Figure] = []
    if not is_hidden:
        plots += training_plots.of_numbers(evidence) if report.schema.task == "regression" else training_plots.of_classes(evidence)
    if study.split.is_ordered and study.split.gate_blocks > 1:
        plots.append(training_plots.over_time(row_losses(study.loss, evidence.y, evidence.prediction), study.split.gate_blocks, study.loss))
    told = [Text("The target is personal: nothing that shows its values is drawn.")] if is_hidden else []
    return [Section("Predictions of the gate rows", (*told, *plots))] if plots or told else []


def _dependence(explanation: Explanation, study: Study) -> list[Section]:
    """Show what the judged fit depends on."""
    if not explanation.importance:
        return []
    told = "By how much the loss on gate rows rises when a column is shuffled among them, with 95 % intervals."
    if explanation.unmeasured:
        told += f" {explanation.unmeasured:,} more columns, which alone tell less, were not shuffled."
    if personal := len([name for name in study.schema.features if name in study.case.use_case.pii]):
        told += f" {personal} personal column{'s are' if personal > 1 else ' is'} left out of curves and parts."
    curves = [training_plots.of_dependence(each, study.schema.target) for each in explanation.dependences]
    return [Section("What it depends on", (Text(told), training_plots.of_importance(explanation.importance[:MAX_LISTED]), *curves))]


def _errors(explanation: Explanation, evidence: Evidence, study: Study, *, is_hidden: bool) -> list[Section]:
    """Show where the judged fit errs most."""
    told, parts = [] if is_hidden else _taken_for(evidence), explanation.slices
    if parts:
        worse = sum(part.is_worse for part in parts)
        told.append(f"{worse} of {len(parts)} parts of the gate rows are worse than the rest beyond chance")
    if not told:
        return []
    overall = number(float(row_losses(study.loss, evidence.y, evidence.prediction).mean()))
    rows = [(f"{part.feature}: {part.values}", part.rows, *vars(part.loss).values(), _mark(part)) for part in parts[:MAX_LISTED]]
    columns = ("part", "rows", "loss", "low", "high", "beyond chance")
    table = Table(f"Mean {study.loss} of parts, the largest first; {overall} overall", columns, rows)
    return [Section("What it gets wrong", (Text("; ".join(told) + "."), *([table] if parts else [])))]


def _mark(part: Slice) -> Badge | str:
    return Badge("warned", "worse") if part.is_worse else ""


def _taken_for(evidence: Evidence) -> list[str]:
    """Say which class is most often taken for which."""
    import numpy as np

    said = evidence.prediction
    wrong = evidence.y != said.values
    if not said.classes or not wrong.any():
        return []
    pairs, counts = np.unique(np.stack([evidence.y[wrong], said.values[wrong]]), axis=1, return_counts=True)
    true, taken = pairs[:, counts.argmax()]
    of_class = int((evidence.y == true).sum())
    return [f"Most often '{true}' is taken for '{taken}': {int(counts.max()):,} of its {of_class:,} gate rows"]


def _candidates(report: TrainReport) -> Section:
    rows = [(s.candidate, s.loss, s.half_width, _seconds(s.seconds)) for s in report.leaderboard]
    columns = ("candidate", "loss", "±", "seconds")
    table = Table(f"Mean {report.loss} over validation folds", columns, rows, numeric=("seconds",), marked={0: "chosen"})
    return Section("Candidates", (table,))


def _learning(report: TrainReport, evidence: Evidence, study: Study) -> list[Section]:
    """Say whether more rows would help."""
    if not report.learning:
        return []
    loss = float(row_losses(study.loss, evidence.y, evidence.prediction).mean())
    points = [*((point.rows, point.loss) for point in report.learning), (report.rows.used, loss)]
    return [Section("Would more rows help?", (Text(would_more_help(report.learning)), training_plots.of_learning(points, report.loss)))]


def _columns(report: TrainReport) -> Section:
    rows = [(c.name, c.type, c.role, c.evidence) for c in report.schema.columns]
    return Section("Columns", (Table("What was inferred of each column", ("column", "type", "role", "evidence"), rows),))


def _reading(report: TrainReport) -> list[Section]:
    if report.read_verdict == "exact":
        return []
    repairs = [(r.code.replace("_", " "), r.detail, ", ".join(map(str, r.lines[:MAX_LISTED]))) for r in report.repairs]
    aside = [(row.line, row.reason, row.text) for row in report.aside[:MAX_LISTED]]
    told = Text(f"{len(report.repairs)} repairs, {len(report.aside):,} rows set aside because they do not fit.")
    tables = [Table("Repairs", ("what", "done", "lines"), repairs)] if repairs else []
    rows = [Table("Rows set aside, the first of them", ("line", "reason", "text"), aside)] if aside else []
    return [Section("Reading", (told, *tables, *rows))]


def _validation(report: TrainReport) -> Section:
    if not report.validation.suite:
        return Section("Validation", (Text("Not applicable: this use case has no suite in `expectations/`."),))
    return Section("Validation", validation_page.blocks(report.validation))


def _time(report: TrainReport) -> Section:
    rows = [(stage.replace("_", " "), _seconds(seconds)) for stage, seconds in report.seconds.items()]
    return Section("Time", (Table("Seconds that each step took", ("step", "seconds"), rows, numeric=("seconds",), is_folded=True),))


def _seconds(seconds: float) -> str:
    return f"{seconds:,.1f}"
