"""History replayed chunk by chunk: what would each policy have done, with the code that decides today?

At check u the champion has predicted chunk u, and the labels of chunks up to u − delay are there; what is decided holds from chunk
u + 1 on. A fit at check u sees the rows that are labelled by then.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from tasks.core import gate, splits, windows
from tasks.core.monitoring import Memory, with_rise
from tasks.core.retraining import (
    LEAST_REFERENCE,
    Better,
    Circumstances,
    Labelled,
    Reference,
    Signal,
    Watch,
    better_again,
    decide,
    excess_alone,
    look,
    spent,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    import numpy as np

    from tasks.core.use_case import Retraining

Version: TypeAlias = tuple[int, int]
WORTH_TELLING = 0.02  # of the loss of never: where retraining every time gains less, there is nothing to recover
JUDGED_BLOCKS = 20


@dataclass(frozen=True)
class Fit:
    """What a fit says of rows.

    Attributes:
        start: The first row that it was asked about; all later ones were.
        losses: Of these rows, shape (n,).
        said: Predictions, shape (n, k): numbers, the probability of the second of two classes, or those of all classes.
    """

    start: int
    losses: np.ndarray
    said: np.ndarray

    def of(self, rows: slice) -> np.ndarray:
        """Give the losses of rows."""
        return self.losses[rows.start - self.start : rows.stop - self.start]


@dataclass(frozen=True)
class History:
    """Rows in the order of their time, cut into chunks, with all fits that a policy may ask for.

    Attributes:
        edges: Where each chunk ends: the first fit's rows, then one place for each of the N chunks.
        shipped: Gives the fit to the rows before a place.
        judged: Gives the fit to the rows before a place without the last so many of them, which are the gate rows.
        newer: Gives the fit to the rows from one place to another without the last so many of them; None where they allow of none.
        baseline: Gives the dummy of the same rows as `newer`.
        dummy: The dummy's mean loss.
        delay: Chunks until labels come.
        tolerance: Of the gate.
        times: When the last row of each of the N chunks was observed; empty where rows have no such time.
    """

    edges: Sequence[int]
    shipped: Callable[[int], Fit]
    judged: Callable[[int, int], Fit]
    newer: Callable[[int, int, int], Fit | None]
    baseline: Callable[[int, int, int], Fit]
    dummy: float
    delay: int = 0
    tolerance: float = 0.02
    times: Sequence[datetime] = ()

    @property
    def chunks(self) -> int:
        """Count the chunks that are predicted."""
        return len(self.edges) - 1

    def rows(self, chunk: int) -> slice:
        """Give the rows of a chunk, from 1."""
        return slice(self.edges[chunk - 1], self.edges[chunk])

    def labelled(self, check: int) -> int:
        """Say how many rows have a label at a check; those of the first fit always have one."""
        return self.edges[max(0, check - self.delay)]

    def fit(self, check: int, since: int, size: int = 0) -> Fit | None:
        """Give the fit of a check to the rows from a place on, 0 for all, without so many gate rows; None where they allow of none."""
        end = self.labelled(check)
        if since:
            return self.newer(since, end, size)
        return self.judged(end, size) if size else self.shipped(end)

    @cached_property
    def losses(self) -> np.ndarray:
        """Give the mean loss of the fit at each check (row, from 0, the first fit) on each chunk (column, from 1), NaN where it saw it."""
        import numpy as np

        found = np.full((self.chunks, self.chunks + 1), np.nan)
        for check in range(self.chunks):
            fit = self.shipped(self.labelled(check))
            for chunk in range(check + 1, self.chunks + 1):
                found[check, chunk] = fit.of(self.rows(chunk)).mean()
        return found

    @cached_property
    def weights(self) -> np.ndarray:
        """Give the share of the predicted rows that are in each chunk, from 1."""
        import numpy as np

        sizes = np.diff(np.asarray(self.edges))
        return np.concatenate([[0.0], sizes / sizes.sum()])


@dataclass(frozen=True)
class Step:
    """What a policy did at a chunk.

    Attributes:
        chunk: From 1.
        fitted_at: The check at which the model that predicted it was fitted.
        decision: What was decided after it, in a word; empty where nothing was.
        reasons: Why.
        since: The first row that this model was fitted to.
        is_alarm: Whether performance or prediction reached its limit, or a flag was raised.
    """

    chunk: int
    fitted_at: int
    decision: str = ""
    reasons: tuple[str, ...] = ()
    since: int = 0
    is_alarm: bool = False


@dataclass(frozen=True)
class Course:
    """What became of a policy.

    Attributes:
        name: Of the policy.
        steps: One for each chunk.
        fits: Attempts to retrain; a refused one counts.
        promotions: Attempts that were promoted.
        returns: Times that an earlier version came back.
        causes: Attempts by the signal that asked for them.
    """

    name: str
    steps: tuple[Step, ...]
    fits: int = 0
    promotions: int = 0
    returns: int = 0
    causes: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def alarms(self) -> int:
        """Count the chunks on which an alarm was raised."""
        return sum(step.is_alarm for step in self.steps)

    def losses(self, history: History) -> np.ndarray:
        """Give the mean loss of each chunk, shape (N,)."""
        import numpy as np

        return np.array([_loss_of(history, step) for step in self.steps])

    def loss(self, history: History) -> float:
        """Give the mean loss of all predicted rows."""
        return float((self.losses(history) * history.weights[1:]).sum())


def _loss_of(history: History, step: Step) -> float:
    fit = history.fit(step.fitted_at, step.since) if step.since else None
    return float(fit.of(history.rows(step.chunk)).mean() if fit else history.losses[step.fitted_at, step.chunk])


def on_schedule(history: History, every: int | None, name: str) -> Course:
    """Retrain after each so many chunks, or never, without a gate."""
    steps: list[Step] = []
    fitted, fits = 0, 0
    for chunk in range(1, history.chunks + 1):
        is_due = every is not None and chunk % every == 0 and chunk < history.chunks
        steps.append(Step(chunk, fitted, "retrained" if is_due else ""))
        fitted, fits = (chunk, fits + 1) if is_due else (fitted, fits)
    return Course(name, tuple(steps), fits=fits, promotions=fits)


def on_flag(history: History, flag: Callable[[int, int], bool], name: str) -> Course:
    """Retrain when something says so of a chunk against the rows that the model was fitted to, without a gate.

    Args:
        history: The rows.
        flag: Asked with the number of rows that the model was fitted to, and the chunk.
        name: Of the policy.
    """
    steps: list[Step] = []
    fitted, fits = 0, 0
    for chunk in range(1, history.chunks + 1):
        is_raised = chunk < history.chunks and flag(history.labelled(fitted), chunk)
        steps.append(Step(chunk, fitted, "retrained" if is_raised else "", is_alarm=is_raised))
        fitted, fits = (chunk, fits + 1) if is_raised else (fitted, fits)
    return Course(name, tuple(steps), fits=fits, promotions=fits)


def in_hindsight(history: History, fits: int) -> Course:
    """Find the schedule of at most so many fits that loses least, by dynamic programming over all fits."""
    best: list[dict[int, tuple[float, tuple[int, ...]]]] = [{0: (0.0, ())}, *({} for _ in range(fits))]
    for chunk in range(1, history.chunks + 1):
        spent = [
            {at: (loss + history.weights[chunk] * history.losses[at, chunk], path) for at, (loss, path) in found.items()} for found in best
        ]
        best = [dict(found) for found in spent]
        for used, found in enumerate(spent[:-1]):
            if found and chunk < history.chunks:
                loss, path = min(found.values())
                best[used + 1][chunk] = min((loss, (*path, chunk)), best[used + 1].get(chunk, (loss, (*path, chunk))))
    _, path = min(end for found in best for end in found.values())
    fitted = [max((at for at in path if at < chunk), default=0) for chunk in range(1, history.chunks + 1)]
    steps = tuple(Step(chunk, fitted[chunk - 1], "retrained" if chunk in path else "") for chunk in range(1, history.chunks + 1))
    return Course("hindsight", steps, fits=len(path), promotions=len(path))


def by_policy(history: History, limits: Retraining, name: str = "policy") -> Course:
    """Let the policy of a use case decide, with gate, back-off and return to earlier versions."""
    run = _Run(history, limits)
    return Course(
        name,
        tuple(run.step(chunk) for chunk in range(1, history.chunks + 1)),
        fits=run.fits,
        promotions=run.promotions,
        returns=run.returns,
        causes=run.causes,
    )


class _Run:
    """One policy on its way through a history; a version is the check that it was fitted at, and the first row that it was fitted to."""

    def __init__(self, history: History, limits: Retraining) -> None:
        self.history, self.limits = history, limits
        self.champion: Version = (0, 0)
        self.versions: list[Version] = [self.champion]
        self.spread = splits.FIRST_SPREAD
        self.anchor = self.champion
        self.looks: list[tuple[int, int]] = []
        self.gates: dict[Version, int] = {}
        self.fits = self.promotions = self.returns = 0
        self.causes: dict[str, int] = {}
        self.attempts: list[datetime] = []
        self.memory = Memory(Watch(tried_rows=history.edges[0]))
        self.reference: Reference = self._reference(self.champion)

    def step(self, chunk: int) -> Step:
        """Look at a chunk, decide, and do that."""
        history, (check, since) = self.history, self.champion
        if chunk <= history.delay:  # no label has come
            return Step(chunk, check, since=since)
        fit, now, rows = self._fit(self.champion), history.rows(chunk), history.rows(chunk - history.delay)
        losses, said = fit.of(rows), fit.said[now.start - fit.start : now.stop - fit.start]
        seen = Labelled(losses, said, history.labelled(chunk), history.dummy)
        watch, signals = look(self.memory.watch, self.reference, seen, self.limits)
        self.memory = with_rise(self.memory, watch, str(rows.start))
        is_alarm = any(signal.fired for signal in signals if signal.name in ("performance", "prediction"))
        return replace(self._act(chunk, signals, losses), fitted_at=check, since=since, is_alarm=is_alarm)

    def _act(self, chunk: int, signals: Sequence[Signal], losses: np.ndarray) -> Step:
        history, rows = self.history, self.history.rows(chunk - self.history.delay)
        earlier = self._earlier(rows)

        def excess_of(place: int) -> float:
            return excess_alone(earlier[place], self._reference(self.versions[place]).losses, history.dummy)

        better = better_again(losses, earlier, excess_of, history.tolerance)
        now = history.times[chunk - 1] if history.times else None
        facts = Circumstances(spent=spent(self.attempts, now, self.limits) if now else "")
        choice = decide(self.memory.watch, signals, self.limits, facts, better)
        if better is not None and choice.outcome == "return":
            return self._return(chunk, better)
        if choice.outcome != "retrain" or chunk == history.chunks:
            return Step(chunk, 0, "" if choice.outcome == "keep" else choice.code, choice.reasons)
        self.causes[choice.code] = self.causes.get(choice.code, 0) + 1
        self.attempts += [now] if now else []
        return self._attempt((chunk, self._since(chunk)), choice.reasons)

    def _since(self, chunk: int) -> int:
        """Say from which row on a fit begins: where that of the champion does, or where the loss began to rise, as a training chooses."""
        since, end = self.champion[1], self.history.labelled(chunk)
        if not self.memory.risen_since:
            return since
        risen = int(self.memory.risen_since)
        parts = windows.halves(risen, end - splits.gate_size(end - risen, self.spread))
        if parts is None:
            return since
        newer, every = (self.history.fit(chunk, start, end - parts[1].start) for start in (risen, since))
        if newer is None or every is None:
            return since
        return risen if windows.compare(newer.of(parts[1]), every.of(parts[1]), is_ordered=True).is_better else since

    def _earlier(self, rows: slice) -> dict[int, np.ndarray]:
        """Give the losses of earlier versions by their places."""
        others = [place for place, version in enumerate(self.versions) if version != self.champion]
        fits = {place: self._fit(self.versions[place]) for place in (others[-self.limits.return_to :] if self.limits.return_to else [])}
        return {place: fit.of(rows) for place, fit in fits.items() if fit.start <= rows.start}

    def _return(self, chunk: int, better: Better) -> Step:
        self.champion = self.versions[better.version]
        self.reference = self._reference(self.champion)
        self.returns += 1
        self._go_on(self.memory.watch.returned(better.excess), is_proven=True)
        return Step(chunk, 0, "returned", (f"the version of check {self.champion[0]} is better on the newest labelled rows",))

    def _attempt(self, version: Version, reasons: tuple[str, ...]) -> Step:
        chunk, since = version
        rows = self.history.labelled(chunk)
        decision = self._judge(version)
        self.fits += 1
        is_promoted = decision is not None and decision.verdict == "promoted"
        is_proven = self.memory.is_proven
        if decision is not None and is_promoted:
            is_proven = all(check.outcome == "passed" for check in decision.checks if check.code == "baseline")
        self._go_on(self.memory.watch.attempted(rows, is_promoted=is_promoted), is_proven=is_proven)
        only = (f"a fit to the {rows - since:,} newest rows alone",) if since else ()
        if decision is None or not is_promoted:
            return Step(chunk, 0, "rejected", (*reasons, *only, decision.reason if decision else "these rows allow of no fit"))
        self.promotions += 1
        self.champion = version
        self.versions.append(version)
        self.anchor = version if decision.code == "better" else self.anchor
        self.reference = self._reference(version)
        return Step(chunk, 0, "promoted", (*reasons, *only))

    def _go_on(self, watch: Watch, *, is_proven: bool) -> None:
        """Remember what was done."""
        self.memory = with_rise(replace(self.memory, is_proven=is_proven), watch, self.memory.risen_since)

    def _fit(self, version: Version, size: int = 0) -> Fit:
        fit = self.history.fit(*version, size)
        if fit is None:
            raise LookupError(version)  # what cannot be fitted is judged, and becomes no version
        return fit

    def _judge(self, version: Version) -> gate.Decision | None:
        """Hold the judged fit of a challenger against those of champion and anchor, as the gate does; None where there is none."""
        chunk, since = version
        end = self.history.labelled(chunk)
        size = splits.gate_size(end - since, self.spread)
        rows = slice(end - size, end)
        judged = self.history.fit(chunk, since, size)
        if judged is None or self.history.fit(chunk, since) is None:
            return None
        challenger = judged.of(rows)
        against = self._compare(challenger, self.champion, rows)
        look_number = 1 + sum(2 * max(0, min(stop, rows.stop) - max(start, rows.start)) > size for start, stop in self.looks)
        self.looks.append((rows.start, rows.stop))
        self.spread, self.gates[version] = against.spread, size
        anchor = self._compare(challenger, self.anchor, rows) if self.anchor != self.champion else None
        checks = (
            gate.check_rows(against.rows, size - against.rows),
            gate.check_baseline(*self._against_dummy(version, rows, challenger)),
            gate.check_not_worse(against, self.history.tolerance),
            gate.check_anchor(anchor, self.history.tolerance),
            gate.check_looks(against, look_number),
        )
        return gate.decide(checks, against)

    def _against_dummy(self, version: Version, rows: slice, challenger: np.ndarray) -> tuple[gate.Comparison, gate.Comparison]:
        """Compare challenger and champion with the dummy of the rows that the challenger was fitted to."""
        dummy = self.history.baseline(version[1], rows.stop, rows.stop - rows.start).of(rows)
        champion = self._judged(self.champion)
        start = max(rows.start, champion.start)
        theirs = gate.compare(champion.of(slice(start, rows.stop)), dummy[start - rows.start :], blocks=JUDGED_BLOCKS)
        return gate.compare(challenger, dummy, blocks=JUDGED_BLOCKS), theirs

    def _compare(self, challenger: np.ndarray, version: Version, rows: slice) -> gate.Comparison:
        """Compare on the gate rows that the other judged fit did not see."""
        other = self._judged(version)
        start = max(rows.start, other.start)
        return gate.compare(challenger[start - rows.start :], other.of(slice(start, rows.stop)), blocks=JUDGED_BLOCKS)

    def _judged(self, version: Version) -> Fit:
        check, since = version
        size = self.gates.setdefault(version, splits.gate_size(self.history.labelled(check) - since))
        return self._fit(version, size)

    def _reference(self, version: Version) -> Reference:
        fit, end = self._judged(version), self.history.labelled(version[0])
        size = end - fit.start
        return Reference.of(fit.losses[:size], fit.said[:size])


def recovered(history: History, course: Course, never: Course, every: Course) -> float | None:
    """Give the share of what retraining every time gains that a policy gains; None where that is next to nothing, or a loss."""
    worst, best = never.loss(history), every.loss(history)
    least = WORTH_TELLING * max(worst, LEAST_REFERENCE * history.dummy)
    return (worst - course.loss(history)) / (worst - best) if worst - best > least else None
