"""The report of a training run, as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.core import charts
from tasks.core.metrics import row_losses
from tasks.core.page import Badge, Facts, Figure, Page, Section, Table, Text, Tone, Verdict, render, shorten
from tasks.core.summary import describe

if TYPE_CHECKING:
    import numpy as np

    from tasks.core.evidence import Evidence
    from tasks.core.results import TrainReport
    from tasks.core.snapshot import Study

MAX_POINTS = 2000
MAX_CLASSES = 20
MAX_LISTED = 20
MAX_DESCRIPTION = 400
TONES: dict[str, Tone] = {"promoted": "good", "kept": "neutral", "refused": "bad", "unchanged": "neutral"}


def build(report: TrainReport, study: Study, evidence: Evidence) -> str:
    """Give the page of one training run as HTML."""
    page = Page(
        title=f"{report.use_case}, version {report.version}",
        verdict=Verdict(TONES[report.decision.verdict], report.state_name, report.decision.reason),
        sections=(
            _training(report),
            _gate(report),
            _metrics(report, study, evidence),
            _candidates(report),
            _columns(report),
            *_reading(report),
            _validation(report),
            _time(report),
        ),
        footer=f"Evergreen · {report.use_case} · snapshot {report.snapshot} · run {report.run_id}",
    )
    return render(page)


def _training(report: TrainReport) -> Section:
    facts = Facts(
        (
            ("Source", report.source),
            ("Aliases", ", ".join(report.aliases) or "none"),
            ("Snapshot", report.snapshot[:16]),
            ("MLflow run", report.run_id),
        )
    )
    return Section("Training", (Text(f"Task: {shorten(describe(report.schema), MAX_DESCRIPTION)}"), Text(f"Rows: {report.rows}"), facts))


def _gate(report: TrainReport) -> Section:
    rows = [(c.code.replace("_", " "), Badge(c.outcome), c.value, c.limit) for c in report.decision.checks]
    return Section("Gate", (Table("Checks between the challenger and the champion", ("check", "outcome", "found", "limit"), rows),))


def _metrics(report: TrainReport, study: Study, evidence: Evidence) -> Section:
    rows = [(name, i.value, i.low, i.high, report.baseline[name]) for name, i in report.metrics.items()]
    intervals = [charts.Interval(name, *values) for name, *values in rows]
    held = f"{report.rows.holdout:,} gate rows that the judged fit has not seen"
    return Section(
        "Metrics",
        (
            Text(f"Measured on {held}; intervals hold 95 % of {'block ' if study.split.is_ordered else ''}bootstrap resamples."),
            Table("Judged fit against the dummy", ("metric", "value", "low", "high", "dummy"), rows),
            Figure("Metrics with their intervals", charts.interval_chart(intervals, title="Metrics", reference_label="dummy")),
            *_plots(report, study, evidence),
        ),
    )


def _plots(report: TrainReport, study: Study, evidence: Evidence) -> list[Figure]:
    import numpy as np

    plots: list[Figure] = []
    said = evidence.prediction
    if report.schema.task == "regression":
        shown = np.linspace(0, len(evidence.y) - 1, min(MAX_POINTS, len(evidence.y))).astype(int)
        scatter = charts.scatter_chart(evidence.y[shown].tolist(), said.values[shown].tolist(), title="Predicted against true")
        plots.append(Figure("Each point is a gate row; on the diagonal the prediction is right", scatter))
    elif len(said.classes) <= MAX_CLASSES:
        counts = [[int(((evidence.y == true) & (said.values == label)).sum()) for label in said.classes] for true in said.classes]
        plots.append(Figure("Gate rows by class", charts.matrix_chart(counts, said.classes, title="Confusion matrix")))
    if study.split.is_ordered and study.split.gate_blocks > 1:
        losses = row_losses(study.loss, evidence.y, said)
        plots.append(Figure("Mean loss over the gate rows in order of time", _over_time(losses, study.split.gate_blocks, study.loss)))
    return plots


def _over_time(losses: np.ndarray, blocks: int, loss: str) -> charts.Svg:
    import numpy as np

    means = [float(part.mean()) for part in np.array_split(losses, blocks)]
    series = charts.Series(loss, list(range(1, blocks + 1)), means)
    return charts.line_chart([series], title="Loss over time", x_title="Block of gate rows", y_title=f"Mean {loss}")


def _candidates(report: TrainReport) -> Section:
    rows = [(s.candidate, s.loss, s.error, _seconds(s.seconds)) for s in report.leaderboard]
    columns = ("candidate", "loss", "± error", "seconds")
    table = Table(f"Mean {report.loss} over validation folds", columns, rows, numeric=("seconds",), marked={0: "chosen"})
    return Section("Candidates", (table,))


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
    rows = [
        (r.expectation, r.severity, Badge("passed" if r.consequence == "none" else "failed"), len(r.failing_rows), r.consequence, r.notes)
        for r in report.validation.results
    ]
    columns = ("expectation", "severity", "outcome", "failing rows", "consequence", "notes")
    return Section("Validation", (Text(report.validation.summary), Table(report.validation.suite, columns, rows)))


def _time(report: TrainReport) -> Section:
    rows = [(stage.replace("_", " "), _seconds(seconds)) for stage, seconds in report.seconds.items()]
    return Section("Time", (Table("Seconds that each step took", ("step", "seconds"), rows, numeric=("seconds",)),))


def _seconds(seconds: float) -> str:
    return f"{seconds:,.1f}"
