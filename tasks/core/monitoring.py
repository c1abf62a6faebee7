"""A look at a champion: what is remembered from one to the next, what came in between, what was found, and what is to be done."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tasks.core.alarms import Alarm
from tasks.core.decisions import CROWNING, FAILED
from tasks.core.names import counted, on_one_line
from tasks.core.retraining import Choice, Signal, Watch, in_words

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tasks.core.decisions import Entry
    from tasks.core.deliveries import BatchEntry
    from tasks.core.drift import FeatureDrift, Separation
    from tasks.core.retraining import Sample
    from tasks.core.use_case import Loss, Retraining
    from tasks.core.watching import Estimate

STATE_NAMES = {"keep": "Kept", "retrain": "Retrains", "return": "Restored", "blocked": "Blocked", "alarm": "Alarm"}
SHOWN_FEATURES = 5
BLOCKING = {
    "data_broken": "the last delivery is broken",
    "labels_suspect": "the newest labels cannot be trusted",
    "labels_needed": "predictions have shifted, and labels are missing",
}
CHAMPION_UNUSABLE = "champion_unusable"
LOSS_RISING = "loss_rising"
OVERTAKEN = "another champion came first"


@dataclass(frozen=True)
class Memory:
    """What one look at a champion leaves to the next.

    Attributes:
        watch: Of the signals.
        epoch: Of the champion that was looked at.
        rows_until: Rows that had arrived by then were looked at; empty before the first look.
        labels_until: The same of labels.
        labelled: Rows that had a label then.
        asked_by: The retrain that was asked for; empty where none was.
        returns_to: The version that was to come back; 0 where none was.
        returns_with: Its own loss beyond its reference, as `Better` has it.
        risen_since: When the rows began to arrive on which the loss rose beyond what explains it; empty while it does not.
        is_proven: Whether the champion surely beat the dummy when it was judged.
        standing: Codes of alarms about labels that no look since has shown to be over.
    """

    watch: Watch = field(default_factory=Watch)
    epoch: int = 0
    rows_until: str = ""
    labels_until: str = ""
    labelled: int = 0
    asked_by: str = ""
    returns_to: int = 0
    returns_with: float = 0.0
    risen_since: str = ""
    is_proven: bool = True
    standing: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Give what the ledger keeps of it."""
        return {**dataclasses.asdict(self), "watch": dataclasses.asdict(self.watch)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Memory:
        """Read what `as_json` gave, here or in an earlier release that remembered more."""
        known = {each.name for each in dataclasses.fields(cls)}
        told: dict[str, Any] = {name: value for name, value in kept.items() if name in known}
        told |= {"watch": Watch(**kept["watch"]), "standing": tuple(kept.get("standing", ()))}
        return cls(**told)


def with_rise(memory: Memory, watch: Watch, began: str) -> Memory:
    """Remember since when the loss has been rising: until it does no longer, and a champion is there that surely beat the dummy.

    Args:
        memory: Before this look.
        watch: After it.
        began: When the rows began to arrive whose labels this look saw, which is long before it where labels come late.
    """
    rises = watch.excess > 0 or (memory.risen_since != "" and not memory.is_proven)
    return dataclasses.replace(memory, watch=watch, risen_since=(memory.risen_since or began) if rises else "")


def with_standing(memory: Memory, choice: Choice, *, is_judged: bool) -> Memory:
    """Remember which alarms about labels stand: until a look judges new ones; that they lack also until enough new rows do not shift.

    Args:
        memory: After this look.
        choice: What it decided.
        is_judged: Whether it judged performance on new labels.
    """
    if choice.code == "data_broken":
        return memory
    standing = set[str]() if is_judged else {*memory.standing}
    if any(signal.name == "prediction" and not signal.fired for signal in choice.signals):
        standing.discard("labels_needed")
    if choice.code in BLOCKING:
        standing.add(choice.code)
    return dataclasses.replace(memory, standing=tuple(sorted(standing)))


def catch_up(memory: Memory, since: Sequence[Entry], epoch: int) -> Memory:
    """Let what was decided since the last look count: each training is an attempt, each other champion a new beginning.

    Args:
        memory: Of the last look.
        since: Decisions after it.
        epoch: Of today's champion.
    """
    watch, proven = memory.watch, dict[int, bool]()
    for entry in since:
        if entry.kind == "gate":
            rows: Mapping[str, int] = entry.inputs.get("rows", {})  # type: ignore[assignment]
            tried = max(memory.labelled, rows.get("fit", 0) + rows.get("gate", 0))
            is_promoted = entry.inputs.get("verdict") == "promoted"
            watch = watch.attempted(tried, is_promoted=is_promoted)
            proven[entry.version] = _beats_dummy(entry)
        elif entry.inputs.get(FAILED):
            watch = watch.attempted(memory.labelled, is_promoted=False)
        elif entry.kind == "restore":
            watch = watch.returned(memory.returns_with)
    if epoch == memory.epoch:
        return dataclasses.replace(memory, watch=watch)
    crowned = [entry.version for entry in since if entry.kind in ("promote", "approve")]
    is_back = next((entry.kind == "restore" for entry in reversed(since) if entry.kind in CROWNING), False)
    is_proven = not crowned or proven.get(crowned[-1], True)
    memory = dataclasses.replace(memory, epoch=epoch, is_proven=is_proven, standing=())
    return with_rise(memory, dataclasses.replace(watch, excess=memory.returns_with if is_back else 0.0), "")


def _beats_dummy(judged: Entry) -> bool:
    checks: Sequence[Mapping[str, str]] = judged.inputs.get("checks", ())  # type: ignore[assignment]
    return all(check["outcome"] == "passed" for check in checks if check["code"] == "baseline")


@dataclass(frozen=True)
class Window:
    """What came since the last look.

    Attributes:
        since: When that was; empty where there was none.
        until: When this one is.
        rows: New rows.
        labelled: Rows with a first label.
        corrected: Rows that had a label and were given another, or the same again.
        folded: Labelled rows that this look judged; the others wait for more.
        lag_days: Median days from a row to its label, and the days after which nine of ten have come; None without labels.
    """

    since: str
    until: str
    rows: int = 0
    labelled: int = 0
    corrected: int = 0
    folded: int = 0
    lag_days: tuple[float, float] | None = None

    def as_json(self) -> dict[str, object]:
        """Give what scripts read."""
        lag = None if self.lag_days is None else {"median_days": self.lag_days[0], "ninetieth_days": self.lag_days[1]}
        told: dict[str, object] = {name: value for name, value in vars(self).items() if name != "lag_days"}
        return {**told, "label_lag": lag}

    def __str__(self) -> str:
        """Say it in a line."""
        lag = "" if self.lag_days is None else f"; labels come after {_days(self.lag_days[0])}, nine of ten after {_days(self.lag_days[1])}"
        waiting = self.labelled - self.folded
        wait = f", {waiting:,} of which wait for more" if waiting else ""
        corrected = f", {self.corrected:,} labels corrected" if self.corrected else ""
        return f"{counted(self.rows, 'new row')}, {counted(self.labelled, 'new label')}{wait}{corrected}{lag}"


def _days(days: float) -> str:
    return f"{days:.2g} days" if days >= 1 else f"{24 * days:.2g} hours"


@dataclass(frozen=True)
class Performance:
    """How good the champion is on newly labelled rows.

    Attributes:
        loss: Its name.
        now: Of these rows.
        reference: Of its gate rows.
        estimated: What was expected of these rows before their labels; None where that cannot be said.
        unknown: How many of these rows are of a class that the champion does not know.
    """

    loss: Loss
    now: Sample
    reference: Sample
    estimated: Estimate | None = None
    unknown: int = 0

    def as_json(self) -> dict[str, object]:
        """Give what scripts read."""
        told: dict[str, object] = {"loss": self.loss, "value": self.now.mean, "half": 1.96 * self.now.error, "rows": self.now.rows}
        told |= {"reference": self.reference.mean, "reference_half": 1.96 * self.reference.error}
        return told | {"unknown_class": self.unknown, "estimated": dataclasses.asdict(self.estimated) if self.estimated else None}

    def __str__(self) -> str:
        """Say it in a line."""
        said = f"{self.loss} {self.now.mean:.4g} ± {1.96 * self.now.error:.2g} on {counted(self.now.rows, 'row')}"
        more = f"; {self.estimated} was estimated" if self.estimated else ""
        more += ", which did not hold" if self.estimated and not self.estimated.holds(self.now) else ""
        more += f"; {counted(self.unknown, 'row')} of a class that it does not know" if self.unknown else ""
        return f"{said}, {self.reference.mean:.4g} ± {1.96 * self.reference.error:.2g} when it was judged{more}"


def broken_since(batches: Sequence[BatchEntry], since: str, taken: Sequence[str]) -> BatchEntry | None:
    """Find the batch that was held or refused since a moment, not dismissed, and after which none was taken; None where there is none.

    Args:
        batches: Decisions on batches, the first one first.
        since: ISO 8601 in UTC; empty: ever.
        taken: Decisions by which a batch is in.
    """
    dismissed = {batch.digest for batch in batches if batch.decision == "dismissed"}
    last = next((batch for batch in reversed(batches) if batch.decided_at > since[:19] and batch.digest not in dismissed), None)
    return None if last is None or last.decision in taken else last


@dataclass(frozen=True)
class MonitorReport:
    """What a look at a champion found.

    Attributes:
        use_case: Its name.
        version: The champion.
        epoch: Its own.
        window: What came since the last look.
        choice: What to do, with signals and reasons.
        memory: What the next look begins with.
        broken: The batch that cannot be trusted, in a sentence; empty where there is none.
        performance: On newly labelled rows; None where too few came.
        estimated: Of new rows without a label; None where there are none.
        features: How they have moved, those that matter most first.
        together: How well all features at once tell new rows from old ones; None where that was not asked.
        page: The file that shows it.
        done: What was done about it; empty where nothing was.
        drawing: The file beside the page that Evidently drew of this look; empty where it drew none.
        next_check: When the next look is due, as ISO 8601 text in UTC; empty where none is planned.
        held: Deliveries that wait for a person.
        row: Of the ledger, that tells of this look.
    """

    use_case: str
    version: int
    epoch: int
    window: Window
    choice: Choice
    memory: Memory
    broken: str = ""
    performance: Performance | None = None
    estimated: Estimate | None = None
    features: tuple[FeatureDrift, ...] = ()
    together: Separation | None = None
    page: str = ""
    done: str = ""
    drawing: str = ""
    next_check: str = ""
    held: int = 0
    row: int = 0

    @property
    def data(self) -> str:
        """Say what is to be said of the deliveries."""
        held = f", and {self.held} before it {'is' if self.held == 1 else 'are'} held" if self.held else ""
        return self.broken or f"the last delivery is sound{held}"

    @property
    def state_name(self) -> str:
        """Name the run's final state."""
        return STATE_NAMES[self.choice.outcome]

    @property
    def state_message(self) -> str:
        """Say in one sentence what is to be done, and why."""
        reasons = "; ".join(self.choice.reasons)
        said = f"{self.use_case}, version {self.version}: {self.choice.in_words}, because {reasons}"
        return on_one_line(f"{said}; {self.done}" if self.done else said)

    def as_json(self) -> dict[str, object]:
        """Give the document that scripts may rely on; keys are added, never renamed."""
        return {
            "use_case": self.use_case,
            "champion": {"version": self.version, "epoch": self.epoch},
            "window": self.window.as_json(),
            "data": {"verdict": "broken" if self.broken else "sound", "reason": self.broken, "held": self.held},
            "performance": self.performance.as_json() if self.performance else None,
            "estimated": dataclasses.asdict(self.estimated) if self.estimated else None,
            "signals": [vars(signal) for signal in self.choice.signals],
            "features": [
                {"name": each.name, "effect": each.effect, "q": each.q, "importance": each.importance, "drifted": each.is_drifted}
                for each in self.features
            ],
            "together": dataclasses.asdict(self.together) if self.together else None,
            "decision": {key: value for key, value in self.choice.as_json().items() if key != "signals"},
            "done": self.done,
            "next_check": self.next_check or None,
            "report": self.page,
            "drawing": self.drawing or None,
        }


def facts_of(report: MonitorReport) -> dict[str, float]:
    """Give the numbers of a look that are drawn over time."""
    found, window = report.performance, report.window
    facts = {each.name: each.value for each in report.choice.signals} | {f"{each.name}_limit": each.limit for each in report.choice.signals}
    facts |= {"loss": found.now.mean, "reference_loss": found.reference.mean} if found else {}
    expected = report.estimated or (found.estimated if found else None)
    facts |= {"estimated_loss": expected.value} if expected else {}
    return {**facts, "labelled_rows": window.labelled, **({"label_lag_days": window.lag_days[0]} if window.lag_days else {})}


def alarms_of(report: MonitorReport, limits: Retraining) -> tuple[Alarm, ...]:
    """Give what people are to be told of a look, derived from what the ledger keeps of it: what blocks or lacks, and a loss that rises."""
    choice = report.choice
    found: dict[str, Sequence[str]] = {}
    for code in BLOCKING:
        if code == choice.code:
            found[code] = choice.reasons
        elif code in report.memory.standing:
            found[code] = ("a look before this one found that, and nothing since shows that it is over", *choice.reasons)
    if _rises(report, limits) and choice.outcome not in ("retrain", "return"):
        risen = Signal("performance", report.memory.watch.excess, limits.performance, fired=True)
        found[LOSS_RISING] = tuple(dict.fromkeys([in_words(risen), *choice.reasons]))
    titles = {**BLOCKING, LOSS_RISING: "the loss is rising, and the champion is not retrained"}
    return tuple(Alarm(report.use_case, code, titles[code], "; ".join(told), report.page) for code, told in found.items())


def watched_by(report: MonitorReport, limits: Retraining) -> tuple[str, ...]:
    """Name the alarms that are over where a look does not raise them; a loss that rises is not, whatever is done about it."""
    return (*BLOCKING, CHAMPION_UNUSABLE, *(() if _rises(report, limits) else (LOSS_RISING,)))


def _rises(report: MonitorReport, limits: Retraining) -> bool:
    return report.memory.watch.excess >= limits.performance


def restored(report: MonitorReport) -> Alarm:
    """Give what people are told of a version that came back."""
    title = f"version {report.choice.version} comes back, for it is better on the newest labels"
    return Alarm(report.use_case, "restored", title, "; ".join(report.choice.reasons), report.page)


def moment_in_words(moment: str) -> str:
    """Write a moment of ISO 8601 text in UTC as people read it.

    >>> moment_in_words("2026-11-30T06:30+00:00")
    'Monday, 2026-11-30 06:30 UTC'
    """
    return f"{datetime.fromisoformat(moment):%A, %Y-%m-%d %H:%M} UTC"


def describe(report: MonitorReport, folder: str) -> str:
    """Give what a person reads of it; paths are relative to a folder."""
    lines = [
        f"{report.use_case} · version {report.version} · {report.choice.in_words}",
        f"came        {report.window}",
        f"data        {report.data}",
    ]
    if report.performance:
        lines.append(f"performance {report.performance}")
    if report.estimated:
        lines.append(f"estimated   {report.estimated} for new rows without labels, if they err as before")
    for place, signal in enumerate(report.choice.signals):
        fired = "   fired" if signal.fired else ""
        lines.append(f"{'signals' if not place else '':<12}{signal.name:<12} {signal.value:.3g} (limit {signal.limit:g}){fired}")
    moved = [each for each in report.features if each.is_drifted]
    nothing = "none has moved" if report.features else "not compared"
    told = ", ".join(f"{each.name} ({each.effect:.2f})" for each in moved[:SHOWN_FEATURES]) or nothing
    lines.append(f"features    {told}{f' and {len(moved) - SHOWN_FEATURES} more' if len(moved) > SHOWN_FEATURES else ''}")
    lines += [f"{'because' if not place else '':<12}{reason}" for place, reason in enumerate(report.choice.reasons)]
    lines += [f"done        {report.done}"] if report.done else []
    lines += [f"next        {moment_in_words(report.next_check)}"] if report.next_check else []
    return "\n".join([*lines, f"report      {report.page.removeprefix(f'{folder}/')}"])
