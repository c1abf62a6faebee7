"""What a backtest found: one value, from which its text, its page and its JSON are made."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from tasks.core import charts
from tasks.core.names import counted, dashed, digest, is_simulated
from tasks.core.page import Facts, Figure, Page, Section, Table, Text, Verdict, number, render
from tasks.core.replay import recovered

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from tasks.core.options import BacktestOptions
    from tasks.core.replay import Course, History
    from tasks.core.use_case import Retraining

NEVER, EVERY, POLICY = "never", "every", "policy"
SIGNS: dict[str, charts.Sign] = {"promoted": "dot", "returned": "diamond", "rejected": "cross"}
LONGEST_NAME = 120
NORMAL = 1.96  # standard errors of a 95 % interval
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

    @property
    def is_certain(self) -> bool:
        """Say whether its change against never retraining is beyond chance."""
        return abs(self.change[0]) > self.change[1]

    def as_json(self) -> dict[str, object]:
        """Give what scripts read."""
        course = self.course
        counts = {"fits": course.fits, "alarms": course.alarms, "promotions": course.promotions, "returns": course.returns}
        change = {"change": self.change[0], "change_error": self.change[1] if math.isfinite(self.change[1]) else None}
        return {"loss": self.loss, **counts, "recovered": self.recovered, **change, "causes": dict(course.causes)}


@dataclass(frozen=True)
class Recommendation:
    """What a search for better settings came to.

    Attributes:
        limits: The settings that were found; None where none are surely better.
        told: What they and the defaults came to, and on which rows, in one sentence.
    """

    limits: Retraining | None
    told: str

    @property
    def changed(self) -> dict[str, object]:
        """Give the settings that differ from the defaults."""
        return self.limits.model_dump(exclude_defaults=True) if self.limits else {}

    def as_text(self) -> str:
        """Give what a person reads."""
        settings = ", ".join(f"{key} {value}" for key, value in self.changed.items())
        return f"{settings}: {self.told}" if settings else self.told


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
        window: Chunks that were fitted to, the latest ones; None where all were.
        outcomes: By policy, in the order in which they are shown.
        seconds: That all of it took.
        recommended: What a search for better settings came to; None where none was asked for.
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
    window: int | None = None
    seconds: float = 0.0
    recommended: Recommendation | None = None
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
        where = "in this simulation, " if is_simulated(self.source) else ""
        cost = f"with {fits} in {self.chunks} chunks the loss is {_percent(policy.change)} against never retraining"
        if policy.recovered is None or not self.can_be_recovered:
            return f"{where}{_in_vain(every)}; {cost}"
        return f"{where}{cost}: {100 * policy.recovered:.0f} % of what retraining after every chunk gains"

    @property
    def can_be_recovered(self) -> bool:
        """Say whether retraining after every chunk surely gains enough to be the measure of a policy."""
        every = self.outcomes[EVERY]
        return every.recovered is not None and every.is_certain

    @property
    def cut(self) -> str:
        """Say how the rows were replayed."""
        return terms(self.window, self.delay)

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
            "window": self.window,
            "policies": {name: outcome.as_json() for name, outcome in self.outcomes.items()},
            "series": {name: self._series(outcome) for name, outcome in self.outcomes.items()},
            "recommended": self.recommended.limits.model_dump() if self.recommended and self.recommended.limits else None,
            "recommendation": self.recommended.told if self.recommended else None,
            "seconds": round(self.seconds, 1),
            "page": self.page,
        }

    def _series(self, outcome: Outcome) -> list[dict[str, object]]:
        rows = [end - start for start, end in zip(self.edges, self.edges[1:], strict=False)]
        return [
            {
                "chunk": step.chunk,
                "rows": rows[step.chunk - 1],
                "loss": float(outcome.losses[step.chunk - 1]),
                "decision": step.decision,
                "alarm": step.is_alarm,
            }
            for step in outcome.course.steps
        ]


def terms(window: int | None, delay: int) -> str:
    """Say how rows are replayed.

    >>> terms(None, 2)
    'fitted to all rows before, labels come after 2 chunks'
    """
    fitted = f"fitted to the latest {counted(window, 'chunk')}" if window else "fitted to all rows before"
    return f"{fitted}, labels come {'after ' + counted(delay, 'chunk') if delay else 'at once'}"


def _in_vain(every: Outcome) -> str:
    """Say what retraining after every chunk comes to where that is no measure of a policy."""
    change = _percent(every.change)
    if every.recovered is None and round(every.change[0], 3) > 0:
        return f"retraining after every chunk loses here ({change} against never retraining)"
    if every.recovered is None:
        return f"retraining gains next to nothing here, even after every chunk ({change})"
    return f"what retraining after every chunk gains here may be chance ({change})"


def page_name(options: BacktestOptions) -> str:
    """Name the page of a backtest by what was asked, so that another question does not take its place.

    >>> from tasks.core.options import BacktestOptions
    >>> page_name(BacktestOptions(data="a.csv")), page_name(BacktestOptions(use_case="a", delay=2, shuffle=True))
    ('backtest', 'backtest-delay-2-shuffle')
    """
    given = options.model_dump(exclude={"use_case", "recommend"} | (set() if options.use_case else {"data"}), exclude_defaults=True)
    name = "-".join(["backtest", *(f"{key}-{_spelled(value)}".removesuffix("-") for key, value in given.items())])
    return name if len(name) <= LONGEST_NAME else f"backtest-{digest(name)[:12]}"


def _spelled(value: object) -> str:
    """Spell a value so that no other one is spelled alike; nothing for what is only said or not."""
    text = "" if value is True else str(value)
    return text if re.fullmatch(r"[a-z0-9_-]*", text) else f"{dashed(text)}-{digest(text)[:6]}"


@dataclass(frozen=True)
class Trials:
    """What settings came to on the same rows.

    Attributes:
        never: Without retraining.
        defaults: With the defaults.
        own: With the settings of the use case; those of the defaults where it has none.
        tried: With others.
    """

    never: Course
    defaults: Course
    own: Course
    tried: Sequence[tuple[Retraining, Course]]


def recommendation(history: History, trials: Trials, rows: str) -> Recommendation:
    """Find settings that are surely better than the defaults, and than those of the use case: of the best ones, those with fewest fits.

    Args:
        history: The rows.
        trials: What was tried on them.
        rows: Which they are, in words.
    """
    own = "" if trials.own == trials.defaults else f", those of the use case to {_worth(history, trials.own, trials)}"
    others = f"the defaults come to {_worth(history, trials.defaults, trials)}{own}"
    better = [
        (limits, course)
        for limits, course in trials.tried
        if _is_surely_better(history, course, trials.defaults, trials) and _is_surely_better(history, course, trials.own, trials)
    ]
    if not better:
        told = f"nothing, and nothing was written: of {len(trials.tried)} settings none is better on {rows} by more than its interval"
        return Recommendation(None, f"{told}; {others}")
    least = min((course for _, course in better), key=lambda course: course.loss(history))
    within = [(limits, course) for limits, course in better if not _is_surely_better(history, least, course, trials, errors=1.0)]
    limits, course = min(within, key=lambda each: (each[1].fits, each[1].loss(history)))
    told = f"{_worth(history, course, trials)}, on {rows}, which chose this among {len(trials.tried)} settings"
    return Recommendation(limits, f"{told}; {others}")


def _worth(history: History, course: Course, trials: Trials) -> str:
    change = _against(history, course, trials.never, trials.never)
    return f"loss {_percent(change)} against never retraining, with {counted(course.fits, 'fit')}"


def _is_surely_better(history: History, course: Course, other: Course, trials: Trials, errors: float = NORMAL) -> bool:
    """Say whether a policy loses less than another one by more than so many standard errors over chunks."""
    gain, half = _against(history, course, other, trials.never)
    return gain + half * errors / NORMAL < 0


def _against(history: History, course: Course, other: Course, never: Course) -> tuple[float, float]:
    """Give the mean difference of losses by chunk as a share of the loss of never, with the half of its 95 % interval over chunks."""
    weights = history.weights[1:]
    gained = (course.losses(history) - other.losses(history)) * weights * len(weights) / (never.loss(history) or 1.0)
    error = float(gained.std(ddof=1)) / math.sqrt(len(gained)) if len(gained) > 1 else math.inf
    return float(gained.mean()), NORMAL * error


def measure(history: History, courses: Sequence[Course]) -> dict[str, Outcome]:
    """Hold the courses of policies, among them `never` and `every`, against one another."""
    known = {course.name: course for course in courses}
    never, every = known[NEVER], known[EVERY]
    outcomes: dict[str, Outcome] = {}
    for name, course in known.items():
        share = None if name == NEVER else recovered(history, course, never, every)
        change = _against(history, course, never, never)
        outcomes[name] = Outcome(course, course.losses(history), course.loss(history), change, share)
    return outcomes


def describe(report: BacktestReport, _folder: str) -> str:
    """Give what a person reads of it."""
    head = f"{report.use_case} · {report.chunks} chunks of {report.source}, {report.order}; {report.candidate}, {report.loss}; {report.cut}"
    lines = [
        head,
        f"{'policy':<14} {'loss':>10} {'against never':>18} {'recovered':>10} {'fits':>6} {'of checks':>10} {'alarms':>7}",
    ]
    for name, outcome in report.outcomes.items():
        share = "–" if outcome.recovered is None or not report.can_be_recovered else f"{100 * outcome.recovered:.0f} %"
        fits = f"{outcome.course.fits:>6} {100 * outcome.course.fits / report.chunks:>8.0f} %"
        lines.append(f"{name:<14} {number(outcome.loss):>10} {_percent(outcome.change):>18} {share:>10} {fits} {outcome.course.alarms:>7}")
    lines += [f"in short       {report.state_message}"]
    if report.recommended:
        lines.append(f"recommended    {report.recommended.as_text()}")
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
            ("Labels come", f"after {counted(report.delay, 'chunk')}" if report.delay else "at once"),
            ("Fitted to", f"the latest {counted(report.window, 'chunk')}" if report.window else "all rows before"),
            ("Fitted", report.candidate),
            ("Loss", report.loss),
        )
    )
    return render(
        Page(
            title=f"{report.use_case}: what retraining would have been worth{' (a simulation)' * is_simulated(report.source)}",
            verdict=Verdict("neutral", report.state_name, report.state_message),
            sections=(
                Section("What was replayed", (facts,)),
                Section("Policies", (_table(report), Text("\n\n".join(f"`{name}`: {_meaning(name)}" for name in report.outcomes)))),
                Section("What was gained", (_gains(report),)),
                Section("Loss over time", (_chart(report),)),
                Section("What the policy did", (_steps(policy),)),
                *([Section("Recommended settings", (Text(_capital(report.recommended.as_text())),))] if report.recommended else []),
            ),
            footer=f"Evergreen · {report.use_case} · a replay of history: what was, not what will be",
        )
    )


def _capital(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _meaning(name: str) -> str:
    return MEANINGS.get(name) or f"a fit after each {name.rpartition('_')[2]} chunks, which is about as often as the policy fits"


def _table(report: BacktestReport) -> Table:
    rows = [
        (
            name,
            outcome.loss,
            _percent(outcome.change),
            None if outcome.recovered is None or not report.can_be_recovered else round(100 * outcome.recovered, 1),
            outcome.course.fits,
            outcome.course.promotions,
            outcome.course.returns,
            outcome.course.alarms,
        )
        for name, outcome in report.outcomes.items()
    ]
    columns = ("policy", f"mean {report.loss}", "against never, 95 %", "recovered, %", "fits", "promoted", "returned", "alarms")
    return Table("All policies on the same chunks", columns, rows, numeric=("against never, 95 %", "recovered, %"))


def _gains(report: BacktestReport) -> Figure:
    never, rows = report.outcomes[NEVER], [end - start for start, end in zip(report.edges, report.edges[1:], strict=False)]
    base = never.loss * sum(rows) or 1.0

    def saved(outcome: Outcome) -> list[float]:
        each = zip(never.losses, outcome.losses, rows, strict=True)
        return list(accumulate(float(100 * (before - after) * size / base) for before, after, size in each))

    lines = [charts.Series(name, _places(report), saved(outcome)) for name, outcome in _policy_first(report)]
    return _figure(report, lines, "Loss that was saved so far, against never retraining; the higher, the better", "% of the loss of never")


def _chart(report: BacktestReport) -> Figure:
    lines = [charts.Series(name, _places(report), outcome.losses.tolist()) for name, outcome in _policy_first(report)]
    return _figure(report, lines, "Mean loss of each chunk; the lower, the better", f"mean {report.loss}")


def _figure(report: BacktestReport, lines: list[charts.Series], caption: str, y_title: str) -> Figure:
    marks = _marks(report, lines[0])
    wide, narrow = (
        charts.line_chart(lines, title=caption, x_title="chunk", y_title=y_title, marks=marks, width=width)
        for width in (charts.WIDE, charts.WIDTH)
    )
    return Figure(caption, wide, narrow=narrow)


def _places(report: BacktestReport) -> list[int]:
    return list(range(1, report.chunks + 1))


def _policy_first(report: BacktestReport) -> list[tuple[str, Outcome]]:
    return sorted(report.outcomes.items(), key=lambda named: named[0] != POLICY)


def _marks(report: BacktestReport, line: charts.Series) -> list[charts.Marks]:
    """Mark on the line of the policy what it did after each chunk."""
    steps = list(zip(report.outcomes[POLICY].course.steps, line.x, line.y, strict=True))
    done = [charts.Marks(kind, sign, [(x, y) for step, x, y in steps if step.decision == kind]) for kind, sign in SIGNS.items()]
    return [*done, charts.Marks("alarm", "ring", [(x, y) for step, x, y in steps if step.is_alarm])]


def _steps(policy: Outcome) -> Table:
    rows = [(step.chunk, step.decision.replace("_", " "), "; ".join(step.reasons)) for step in policy.course.steps if step.decision]
    return Table("After which chunk what was decided, and why", ("chunk", "decision", "why"), rows)


def _percent(change: tuple[float, float]) -> str:
    half = f" ± {100 * change[1]:.1f}" if math.isfinite(change[1]) else ""
    return f"{100 * change[0]:+.1f} %{half}".replace("-", "−")
