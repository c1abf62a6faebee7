"""History replayed chunk by chunk: what would each policy have done, with the code that decides today?

At check u the champion has predicted chunk u, and the labels of chunks up to u − delay are there; what is decided holds from chunk
u + 1 on. A fit at check u sees the rows that are labelled by then.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from tasks.core import gate, splits
from tasks.core.retraining import LEAST_REFERENCE, Circumstances, Labelled, Reference, Signal, Watch, better_again, decide, look, spent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    import numpy as np

    from tasks.core.use_case import Retraining

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
        dummy: The dummy's mean loss.
        delay: Chunks until labels come.
        tolerance: Of the gate.
        times: When the last row of each of the N chunks was observed; empty where rows have no such time.
    """

    edges: Sequence[int]
    shipped: Callable[[int], Fit]
    judged: Callable[[int, int], Fit]
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
        is_alarm: Whether performance or prediction reached its limit, or a flag was raised.
    """

    chunk: int
    fitted_at: int
    decision: str = ""
    reasons: tuple[str, ...] = ()
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

        return np.array([history.losses[step.fitted_at, step.chunk] for step in self.steps])

    def loss(self, history: History) -> float:
        """Give the mean loss of all predicted rows."""
        return float((self.losses(history) * history.weights[1:]).sum())


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
    """One policy on its way through a history."""

    def __init__(self, history: History, limits: Retraining) -> None:
        self.history, self.limits = history, limits
        self.champion = 0
        self.versions = [0]
        self.spread = splits.FIRST_SPREAD
        self.anchor = 0
        self.looks: list[tuple[int, int]] = []
        self.gates: dict[int, int] = {}
        self.fits = self.promotions = self.returns = 0
        self.causes: dict[str, int] = {}
        self.attempts: list[datetime] = []
        self.watch = Watch(tried_rows=history.edges[0])
        self.reference: Reference = self._reference(0)

    def step(self, chunk: int) -> Step:
        """Look at a chunk, decide, and do that."""
        history, champion = self.history, self.champion
        if chunk <= history.delay:  # no label has come
            return Step(chunk, champion)
        fit, now, rows = history.shipped(history.labelled(champion)), history.rows(chunk), history.rows(chunk - history.delay)
        losses, said = fit.of(rows), fit.said[now.start - fit.start : now.stop - fit.start]
        seen = Labelled(losses, said, history.labelled(chunk), history.dummy)
        self.watch, signals = look(self.watch, self.reference, seen, self.limits)
        is_alarm = any(signal.fired for signal in signals if signal.name in ("performance", "prediction"))
        return replace(self._act(chunk, signals, losses), is_alarm=is_alarm)

    def _act(self, chunk: int, signals: Sequence[Signal], losses: np.ndarray) -> Step:
        history, champion, rows = self.history, self.champion, self.history.rows(chunk - self.history.delay)
        if (found := better_again(losses, self._earlier(rows))) is not None:
            return self._return(chunk, found[0])
        now = history.times[chunk - 1] if history.times else None
        facts = Circumstances(spent=spent(self.attempts, now, self.limits) if now else "")
        choice = decide(self.watch, signals, self.limits, facts)
        if choice.outcome != "retrain" or chunk == history.chunks:
            return Step(chunk, champion, "" if choice.outcome == "keep" else choice.code, choice.reasons)
        self.causes[choice.code] = self.causes.get(choice.code, 0) + 1
        self.attempts += [now] if now else []
        return self._attempt(chunk, choice.reasons)

    def _earlier(self, rows: slice) -> dict[int, np.ndarray]:
        known = (
            [version for version in self.versions if version != self.champion][-self.limits.return_to :] if self.limits.return_to else []
        )
        fits = {version: self.history.shipped(self.history.labelled(version)) for version in known}
        return {version: fit.of(rows) for version, fit in fits.items() if fit.start <= rows.start}

    def _return(self, chunk: int, version: int) -> Step:
        before, self.champion = self.champion, version
        self.returns += 1
        self.watch, self.reference = self.watch.returned(), self._reference(version)
        return Step(chunk, before, "returned", (f"the version of check {version} is better on the newest labelled rows",))

    def _attempt(self, chunk: int, reasons: tuple[str, ...]) -> Step:
        before, rows = self.champion, self.history.labelled(chunk)
        decision = self._judge(chunk)
        self.fits += 1
        is_promoted = decision.verdict == "promoted"
        self.watch = self.watch.attempted(rows, is_promoted=is_promoted)
        if not is_promoted:
            return Step(chunk, before, "rejected", (*reasons, decision.reason))
        self.promotions += 1
        self.champion = chunk
        self.versions.append(chunk)
        self.anchor = chunk if decision.code == "better" else self.anchor
        self.reference = self._reference(chunk)
        return Step(chunk, before, "promoted", reasons)

    def _judge(self, chunk: int) -> gate.Decision:
        """Hold the judged fit of a challenger against those of champion and anchor, as the gate does."""
        end = self.history.labelled(chunk)
        size = splits.gate_size(end, self.spread)
        rows = slice(end - size, end)
        challenger = self.history.judged(end, size).of(rows)
        against = self._compare(challenger, self.champion, rows)
        look_number = 1 + sum(2 * max(0, min(stop, rows.stop) - max(start, rows.start)) > size for start, stop in self.looks)
        self.looks.append((rows.start, rows.stop))
        self.spread, self.gates[chunk] = against.spread, size
        anchor = self._compare(challenger, self.anchor, rows) if self.anchor != self.champion else None
        checks = (
            gate.check_rows(against.rows, size - against.rows),
            gate.check_not_worse(against, self.history.tolerance),
            gate.check_anchor(anchor, self.history.tolerance),
            gate.check_looks(against, look_number),
        )
        return gate.decide(checks, against)

    def _compare(self, challenger: np.ndarray, version: int, rows: slice) -> gate.Comparison:
        """Compare on the gate rows that the other judged fit did not see."""
        other = self._judged(version)
        start = max(rows.start, other.start)
        return gate.compare(challenger[start - rows.start :], other.of(slice(start, rows.stop)), blocks=JUDGED_BLOCKS)

    def _judged(self, version: int) -> Fit:
        end = self.history.labelled(version)
        return self.history.judged(end, self.gates.setdefault(version, splits.gate_size(end)))

    def _reference(self, version: int) -> Reference:
        fit, end = self._judged(version), self.history.labelled(version)
        size = end - fit.start
        return Reference.of(fit.losses[:size], fit.said[:size])


def recovered(history: History, course: Course, never: Course, every: Course) -> float | None:
    """Give the share of what retraining every time gains that a policy gains; None where that is next to nothing, or a loss."""
    worst, best = never.loss(history), every.loss(history)
    least = WORTH_TELLING * max(worst, LEAST_REFERENCE * history.dummy)
    return (worst - course.loss(history)) / (worst - best) if worst - best > least else None
