"""What a backtest found: one value, from which its text, its page and its JSON are made."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.core import charts
from tasks.core.names import counted
from tasks.core.page import Facts, Figure, Page, Section, Table, Text, Verdict, number, render
from tasks.core.replay import recovered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from tasks.core.replay import Course, History
    from tasks.core.use_case import Retraining

NEVER, EVERY, POLICY = "never", "every", "policy"
LISTED = ("promoted", "returned", "rejected")
MEANINGS = {
    NEVER: "the first fit stays",
    EVERY: "a fit after each chunk",
    "evidently": "a fit whenever Evidently's default preset calls the chunk drifted",
    POLICY: "what this use case would have done",
    "hindsight": "the best schedule of as many fits, known only afterwards",
}


@dataclass(frozen=True)
class Outcome:
    """What became of one policy.

    Attributes:
        course: What it did.
        losses: Mean loss of each chunk, shape (N,).
        loss: Of all predicted rows.
        change: Against never retraining, as a share of its loss, with the half of its 95 % interval over chunks.
        recovered: Share of what retraining every time gains; None where that gains next to nothing.
    """

    course: Course
    losses: np.ndarray
    loss: float
    change: tuple[float, float]
    recovered: float | None

    def as_json(self) -> dict[str, object]:
        """Give what scripts read."""
        course = self.course
        counts = {"fits": course.fits, "alarms": course.alarms, "promotions": course.promotions, "returns": course.returns}
        change = {"change": self.change[0], "change_error": self.change[1] if math.isfinite(self.change[1]) else None}
        return {"loss": self.loss, **counts, "recovered": self.recovered, **change, "causes": dict(course.causes)}


@dataclass(frozen=True)
class BacktestReport:
    """What a backtest found.

    Attributes:
        use_case: Its name.
        source: Where the rows came from.
        loss: Name of the per-row loss.
        candidate: What was fitted.
        order: What the rows are ordered by, in words.
        edges: Where the first fit's rows and each chunk end.
        delay: Chunks until labels come.
        outcomes: By policy, in the order in which they are shown.
        seconds: That all of it took.
        recommended: Settings that would have been better here; None where none was asked for.
        page: The file that shows it; empty where none was written.
    """

    use_case: str
    source: str
    loss: str
    candidate: str
    order: str
    edges: Sequence[int]
    delay: int
    outcomes: Mapping[str, Outcome]
    seconds: float = 0.0
    recommended: Retraining | None = None
    page: str = ""

    @property
    def chunks(self) -> int:
        """Count the chunks that were predicted."""
        return len(self.edges) - 1

    @property
    def state_name(self) -> str:
        """Name the run's final state."""
        return "Replayed"

    @property
    def state_message(self) -> str:
        """Say in one sentence whether retraining helps here."""
        policy, every = self.outcomes[POLICY], self.outcomes[EVERY]
        fits = counted(policy.course.fits, "fit")
        cost = f"with {fits} in {self.chunks} chunks the loss is {_percent(policy.change)} against never retraining"
        if policy.recovered is None:
            return f"retraining gains next to nothing here, even after every chunk ({_percent(every.change)}); {cost}"
        return f"{cost}: {100 * policy.recovered:.0f} % of what retraining after every chunk gains"

    def as_json(self) -> dict[str, object]:
        """Give the document that scripts may rely on; keys are added, never renamed."""
        return {
            "use_case": self.use_case,
            "chunks": self.chunks,
            "source": self.source,
            "loss": self.loss,
            "candidate": self.candidate,
            "order": self.order,
            "delay": self.delay,
            "policies": {name: outcome.as_json() for name, outcome in self.outcomes.items()},
            "series": {name: self._series(outcome) for name, outcome in self.outcomes.items()},
            "recommended": self.recommended.model_dump() if self.recommended else None,
            "seconds": round(self.seconds, 1),
            "page": self.page,
        }

    def _series(self, outcome: Outcome) -> list[dict[str, object]]:
        rows = [end - start for start, end in zip(self.edges, self.edges[1:], strict=False)]
        return [
            {"chunk": step.chunk, "rows": rows[step.chunk - 1], "loss": float(outcome.losses[step.chunk - 1]), "decision": step.decision}
            for step in outcome.course.steps
        ]


def worth(outcome: Outcome, chunks: int) -> str:
    """Say in a clause what settings were worth."""
    share = "" if outcome.recovered is None else f", {100 * outcome.recovered:.0f} % of what a fit after each chunk gains"
    return f"loss {_percent(outcome.change)} against never retraining{share}, with {outcome.course.fits} fits in {chunks} chunks"


def measure(history: History, courses: Sequence[Course]) -> dict[str, Outcome]:
    """Hold the courses of policies, among them `never` and `every`, against one another."""
    import numpy as np

    known = {course.name: course for course in courses}
    never, every, weights = known[NEVER], known[EVERY], history.weights[1:]
    worst = never.losses(history)
    base = float((worst * weights).sum()) or 1.0
    outcomes: dict[str, Outcome] = {}
    for name, course in known.items():
        losses = course.losses(history)
        gained = (losses - worst) * weights * len(weights) / base
        error = float(gained.std(ddof=1)) / math.sqrt(len(gained)) if len(gained) > 1 else math.inf
        change = (float(np.mean(gained)), 1.96 * error)
        share = None if name == NEVER else recovered(history, course, never, every)
        outcomes[name] = Outcome(course, losses, float((losses * weights).sum()), change, share)
    return outcomes


def describe(report: BacktestReport, _folder: str) -> str:
    """Give what a person reads of it."""
    head = f"{report.use_case} · {report.chunks} chunks of {report.source}, {report.order}; {report.candidate}, {report.loss}"
    lines = [head, f"{'policy':<14} {'loss':>10} {'against never':>18} {'recovered':>10} {'fits':>6} {'of checks':>10} {'alarms':>7}"]
    for name, outcome in report.outcomes.items():
        share = "–" if outcome.recovered is None else f"{100 * outcome.recovered:.0f} %"
        fits = f"{outcome.course.fits:>6} {100 * outcome.course.fits / report.chunks:>8.0f} %"
        lines.append(f"{name:<14} {number(outcome.loss):>10} {_percent(outcome.change):>18} {share:>10} {fits} {outcome.course.alarms:>7}")
    lines += [f"in short       {report.state_message}"]
    if report.recommended:
        changed = report.recommended.model_dump(exclude_defaults=True) or "the defaults"
        lines.append(f"recommended    {changed}")
    return "\n".join([*lines, *([f"page           {report.page}"] if report.page else [])])


def build_page(report: BacktestReport) -> str:
    """Give the backtest as HTML."""
    policy = report.outcomes[POLICY]
    facts = Facts(
        (
            ("Source", report.source),
            ("Order", report.order),
            ("Chunks", report.chunks),
            ("Rows of the first fit", report.edges[0]),
            ("Rows predicted", report.edges[-1] - report.edges[0]),
            ("Labels come after", counted(report.delay, "chunk")),
            ("Fitted", report.candidate),
            ("Loss", report.loss),
        )
    )
    return render(
        Page(
            title=f"{report.use_case}: what retraining would have been worth",
            verdict=Verdict("neutral", report.state_name, report.state_message),
            sections=(
                Section("What was replayed", (facts,)),
                Section("Policies", (_table(report), Text("\n\n".join(f"`{name}`: {told}" for name, told in MEANINGS.items())))),
                Section("Loss over time", (_chart(report),)),
                Section("What the policy did", (_steps(policy),)),
            ),
            footer=f"Evergreen · {report.use_case} · a replay of history: what was, not what will be",
        )
    )


def _table(report: BacktestReport) -> Table:
    rows = [
        (
            name,
            outcome.loss,
            _percent(outcome.change),
            None if outcome.recovered is None else round(100 * outcome.recovered, 1),
            outcome.course.fits,
            outcome.course.promotions,
            outcome.course.returns,
            outcome.course.alarms,
        )
        for name, outcome in report.outcomes.items()
    ]
    columns = ("policy", f"mean {report.loss}", "against never, 95 %", "recovered, %", "fits", "promoted", "returned", "alarms")
    return Table("All policies on the same chunks", columns, rows, numeric=("against never, 95 %",))


def _chart(report: BacktestReport) -> Figure:
    shown = [name for name in (NEVER, EVERY, POLICY) if name in report.outcomes]
    places = list(range(1, report.chunks + 1))
    lines = [charts.Series(name, places, report.outcomes[name].losses.tolist()) for name in shown]
    policy = report.outcomes[POLICY]
    marks = [step.chunk for step in policy.course.steps if step.decision in LISTED]
    marked = [float(policy.losses[place - 1]) if place in marks else math.nan for place in places]
    lines.append(charts.Series("policy changed its model", places, marked))
    chart = charts.line_chart(lines, title="Loss over time", x_title="chunk", y_title=f"mean {report.loss}", is_wide=True)
    return Figure("Mean loss of each chunk", chart)


def _steps(policy: Outcome) -> Table:
    rows = [(step.chunk, step.decision.replace("_", " "), "; ".join(step.reasons)) for step in policy.course.steps if step.decision]
    return Table("After which chunk what was decided, and why", ("chunk", "decision", "why"), rows)


def _percent(change: tuple[float, float]) -> str:
    half = f" ± {100 * change[1]:.1f}" if math.isfinite(change[1]) else ""
    return f"{100 * change[0]:+.1f} %{half}".replace("-", "−")
