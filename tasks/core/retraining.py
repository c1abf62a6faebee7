"""When a champion is watched: signals from its newest rows, and what to do about them, from stored statistics alone.

The same functions decide live and in a backtest. Nothing here retrains, and nothing reads a clock.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Literal

from tasks.core import gate

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    import numpy as np

    from tasks.core.use_case import Retraining

BLOCKS = 20  # contiguous means count as independent: neighbours in time are alike
FEW_ROWS = 500
SURE_OF_FEW, SURE_OF_MANY = 2.0, 1.5  # standard errors that are taken off a rise of the loss
LEAST_SHIFT_ROWS = 200
SHIFT_RATE = 0.01  # of exchangeable rows whose predictions count as shifted
QUANTILES = 1001
LEAST_REFERENCE = 0.01  # of the dummy's loss: below it a rise in shares has no meaning
MOST_WAITED = 4  # looks
MOST_ALLOWED = 3.0  # attempts that may be saved up
URGENT = 1.0  # times the reference: a larger rise lets one attempt be made ahead of the allowance
UNSOUND = 0.5  # times the reference: an earlier version whose loss rose by more is no cure
SUSPECT = "labels_suspect"
SURELY_BETTER = 2.5  # standard errors, for several versions are looked at on each batch

Outcome = Literal["keep", "retrain", "return", "blocked", "alarm"]


@dataclass(frozen=True)
class Sample:
    """Losses of rows in the order of their time.

    Attributes:
        rows: How many.
        mean: Of their losses.
        error: Standard error of that, from the means of contiguous blocks.
    """

    rows: int
    mean: float
    error: float

    @classmethod
    def of(cls, losses: np.ndarray) -> Sample:
        """Sum up losses of shape (n,).

        >>> import numpy as np
        >>> Sample.of(np.tile([1.0, 3.0], 50))
        Sample(rows=100, mean=2.0, error=0.0...)
        """
        import numpy as np

        means = np.array([block.mean() for block in np.array_split(losses, min(BLOCKS, len(losses)))])
        error = float(means.std(ddof=1)) / math.sqrt(len(means)) if len(means) > 1 else math.inf
        return cls(len(losses), float(losses.mean()), error)


@dataclass(frozen=True)
class Reference:
    """What the champion's judged fit did on its gate rows.

    Attributes:
        losses: Of these rows.
        rows: How many predictions the quantiles stand for.
        said: Quantiles of each column of predictions: one of numbers or of the probability of two classes, one for each of more classes.
    """

    losses: Sample
    rows: int
    said: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, losses: np.ndarray, said: np.ndarray) -> Reference:
        """Sum up losses, shape (n,), and predictions, shape (n, k)."""
        import numpy as np

        grid = np.linspace(0, 1, min(QUANTILES, len(said)))
        return cls(Sample.of(losses), len(said), tuple(np.quantile(column, grid, method="inverted_cdf") for column in said.T))


@dataclass(frozen=True)
class Watch:
    """What is remembered of a champion from one batch of labels to the next.

    Attributes:
        batch: How many batches were looked at since the use case began.
        excess: Loss beyond what the reference explains, added up, as a share of the reference.
        tried_at: The batch of the last attempt to retrain.
        tried_rows: Labelled rows then.
        setbacks: Attempts in a row that were rejected, or promoted and taken back.
        allowance: Attempts that may be made now; below 0 after one that was made ahead.
    """

    batch: int = 0
    excess: float = 0.0
    tried_at: int = 0
    tried_rows: int = 0
    setbacks: int = 0
    allowance: float = 1.0

    def attempted(self, rows: int, *, is_promoted: bool) -> Watch:
        """Give what is remembered after an attempt on so many labelled rows."""
        return dataclasses.replace(
            self,
            excess=0.0 if is_promoted else self.excess,
            tried_at=self.batch,
            tried_rows=rows,
            setbacks=0 if is_promoted else self.setbacks + 1,
            allowance=self.allowance - 1,
        )

    def returned(self, excess: float) -> Watch:
        """Give what is remembered after an earlier version came back, whose own loss is so far beyond its reference.

        Where it is not, the champion was a mistake, or what was true before is true again. Where it is, the world has turned from both.
        """
        return dataclasses.replace(self, excess=excess, setbacks=self.setbacks + (excess == 0))


@dataclass(frozen=True)
class Signal:
    """Evidence, as a number against its limit."""

    name: Literal["performance", "prediction", "growth", "staleness"]
    value: float
    limit: float
    fired: bool


@dataclass(frozen=True)
class Labelled:
    """The rows whose labels have come since the last look, and those whose predictions are new.

    Attributes:
        losses: The champion's, of the newly labelled rows.
        said: Its predictions of the newest rows, shape (n, k).
        rows: Labelled rows in all.
        dummy: The dummy's mean loss, which gives the reference its unit where that is next to nothing.
    """

    losses: np.ndarray
    said: np.ndarray
    rows: int
    dummy: float


@dataclass(frozen=True)
class Circumstances:
    """What forbids to retrain, whatever the signals say.

    Attributes:
        incident: What the data themselves show to be damage; empty where nothing is.
        suspect_labels: Whether a quick model on the newly labelled rows alone does not beat the dummy.
        hold: Who rolled back and why; empty where nobody did.
        is_labelled: Whether any label came since the last look.
        waiting: Labels that came and are too few to be looked at.
        spent: Which budget is spent, as a sentence; empty where none is.
    """

    incident: str = ""
    suspect_labels: bool = False
    hold: str = ""
    is_labelled: bool = True
    waiting: int = 0
    spent: str = ""


NOTHING = Circumstances()


@dataclass(frozen=True)
class Choice:
    """What to do, by a stable code, with reasons and all that it was made from.

    Attributes:
        outcome: What to do.
        code: Stable name of why.
        reasons: In words, the decisive one first.
        signals: All of them, fired or not.
        version: Which comes back; None where none does.
    """

    outcome: Outcome
    code: str
    reasons: tuple[str, ...]
    signals: tuple[Signal, ...] = ()
    version: int | None = None

    @property
    def in_words(self) -> str:
        """Say what is to be done, and by which code where that says more.

        >>> Choice("keep", "keep", ()).in_words, Choice("blocked", "data_broken", ()).in_words
        ('keep', 'blocked (data broken)')
        """
        return self.outcome if self.outcome == self.code else f"{self.outcome} ({self.code.replace('_', ' ')})"

    def as_json(self) -> dict[str, object]:
        """Give the document that scripts may rely on; keys are added, never renamed."""
        return {"outcome": self.outcome, "code": self.code, "reasons": list(self.reasons), "signals": [vars(each) for each in self.signals]}


@dataclass(frozen=True)
class Better:
    """An earlier version that the newest labelled rows show to be better than the champion.

    Attributes:
        version: Which.
        compared: With the champion.
        excess: Its own loss beyond its reference, as `Watch` has it; 0 where that is small.
    """

    version: int
    compared: gate.Comparison
    excess: float

    @property
    def is_sound(self) -> bool:
        """Say whether it is as good as it was when it was judged."""
        return self.excess == 0

    def as_choice(self, signals: Sequence[Signal]) -> Choice:
        """Bring it back."""
        told = f"version {self.version} is better on {self.compared.rows:,} newly labelled rows: "
        told += f"loss {gate.signed_percent(self.compared.difference)}"
        if not self.is_sound:
            told += f", though its own is above its reference, and what is beyond noise adds up to {self.excess:.3g} times that"
        return Choice("return", "better_again", (told,), tuple(signals), self.version)


def look(watch: Watch, reference: Reference, came: Labelled, limits: Retraining) -> tuple[Watch, tuple[Signal, ...]]:
    """Fold a batch of labels into what is remembered, once and in order, and say what it shows.

    Performance is a one-sided CUSUM (Page 1954) of the rise of a proper loss beyond its standard errors, so that a rise that is small
    and lasts counts as much as a large one. Growth and staleness are no signs of damage: more rows, or newer ones, mostly help.
    """
    excess = max(0.0, watch.excess + _rise(came.losses, reference.losses, came.dummy))
    after = dataclasses.replace(watch, batch=watch.batch + 1, excess=excess, allowance=min(MOST_ALLOWED, watch.allowance + limits.share))
    performance, *others = standing_signals(after, came.rows, limits)
    return after, (performance, *prediction_signals(reference, came.said, limits), *others)


def excess_alone(losses: np.ndarray, reference: Sample, dummy: float) -> float:
    """Give the excess that these losses alone are, shape (n,), where they are no sound version's; else 0."""
    rise = _rise(losses, reference, dummy)
    return rise if rise >= UNSOUND else 0.0


def _rise(losses: np.ndarray, reference: Sample, dummy: float) -> float:
    """Give by how much a loss is beyond a reference and the standard errors of both, as a share of that reference."""
    now = Sample.of(losses)
    sure = SURE_OF_FEW if min(now.rows, reference.rows) < FEW_ROWS else SURE_OF_MANY
    rise = now.mean - reference.mean - sure * math.hypot(now.error, reference.error)
    return rise / (max(reference.mean, LEAST_REFERENCE * dummy) or 1.0)


def standing_signals(watch: Watch, rows: int, limits: Retraining) -> tuple[Signal, ...]:
    """Say what is remembered to ask for a retrain, of so many labelled rows: performance, growth and staleness."""
    grown, waited = rows / max(1, watch.tried_rows), watch.batch - watch.tried_at
    return (
        Signal("performance", watch.excess, limits.performance, fired=watch.excess >= limits.performance),
        Signal("growth", grown, limits.growth, fired=grown >= limits.growth),
        Signal("staleness", waited, limits.staleness, fired=waited >= limits.staleness),
    )


def prediction_signals(reference: Reference, said: np.ndarray, limits: Retraining) -> tuple[Signal, ...]:
    """Say how far predictions have shifted, which needs no labels; nothing where there are too few. `said` has the shape (n, k)."""
    if min(len(said), reference.rows) < LEAST_SHIFT_ROWS:
        return ()
    shift, is_shift = _shift(reference, said)
    return (Signal("prediction", shift, limits.prediction, fired=is_shift and shift >= limits.prediction),)


def _shift(reference: Reference, said: np.ndarray) -> tuple[float, bool]:
    """Give the largest Kolmogorov-Smirnov distance of a column of predictions, and whether so many rows make it more than noise."""
    found = max(distance(before, now) for before, now in zip(reference.said, said.T, strict=True))
    rows = len(said) * reference.rows / (len(said) + reference.rows)
    return found, 2 * math.exp(-2 * rows * found**2) < SHIFT_RATE / len(reference.said)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Give the largest difference of two empirical distribution functions.

    >>> import numpy as np
    >>> distance(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
    0.5
    """
    import numpy as np

    one, other = np.sort(one), np.sort(other)
    places = np.concatenate([one, other])
    shares = (np.searchsorted(each, places, side="right") / len(each) for each in (one, other))
    return float(np.abs(np.subtract(*shares)).max())


def decide(
    watch: Watch, signals: Sequence[Signal], limits: Retraining, facts: Circumstances = NOTHING, better: Better | None = None
) -> Choice:
    """Say what to do about a champion: damage and doubts about labels block, then signals ask, then costs may say *not now*.

    An earlier version that is better comes back before all that where it is as good as it was when it was judged. Where it is not, the
    lesser of two evils is no cure: it comes back only where nothing else is to be done now.
    """
    if facts.incident:
        return Choice("blocked", "data_broken", (facts.incident,), tuple(signals))
    if not facts.is_labelled:
        return _unlabelled(signals, facts.waiting)
    if better is not None and better.is_sound:
        return better.as_choice(signals)
    choice = _as_asked(watch, signals, limits, facts)
    is_idle = choice.outcome == "keep" or choice.code in ("cooldown", "budget")
    return better.as_choice(signals) if better is not None and is_idle else choice


def _unlabelled(signals: Sequence[Signal], waiting: int) -> Choice:
    shifted = any(signal.name == "prediction" and signal.fired for signal in signals)
    came = f"{waiting:,} labels have come, which are too few" if waiting else "no label has come since the last look"
    told = f"predictions have shifted, and {came}; bring labels" if shifted else came
    return Choice("alarm" if shifted else "keep", "labels_needed" if shifted else "keep", (told,), tuple(signals))


def _as_asked(watch: Watch, signals: Sequence[Signal], limits: Retraining, facts: Circumstances) -> Choice:
    fired = [signal for signal in signals if signal.fired]
    if facts.suspect_labels and any(signal.name == "performance" for signal in fired):
        told = "the loss rose, and a quick model of the newly labelled rows alone does not beat the dummy; look at the labels"
        return Choice("blocked", SUSPECT, (told,), tuple(signals))
    if not fired:
        return Choice("keep", "keep", ("no signal reaches its limit",), tuple(signals))
    asked = tuple(in_words(signal) for signal in fired)
    if code_and_reason := _not_now(watch, limits, facts):
        code, reason = code_and_reason
        return Choice("blocked", code, (*asked, reason), tuple(signals))
    return Choice("retrain", fired[0].name, asked, tuple(signals))


def _not_now(watch: Watch, limits: Retraining, facts: Circumstances) -> tuple[str, str] | None:
    """Say by which code and why no attempt may be made now; None where one may."""
    waited = watch.batch - watch.tried_at
    backed_off = min(MOST_WAITED, 2**watch.setbacks) if watch.setbacks else 0
    if facts.hold:
        return "hold", f"{facts.hold}; release it with flows.rollback --release"
    if waited < (wait := max(limits.cooldown, backed_off)):
        return "cooldown", f"the last attempt was {_ago(waited)}, and {wait} must pass" + (" after setbacks" if backed_off else "")
    if facts.spent:
        return "budget", facts.spent
    is_urgent = watch.excess >= URGENT and not watch.setbacks
    if watch.allowance < (0 if is_urgent else 1):
        return "budget", f"an attempt is made for {1 / limits.share:.3g} looks in the mean, and {watch.allowance:.2f} are saved up"
    return None


def spent(attempts: Collection[datetime], now: datetime, limits: Retraining) -> str:
    """Say which budget of attempts is spent, as a sentence for `Circumstances`; empty where none is.

    Days and months are those of the calendar, in UTC.

    Args:
        attempts: When each past attempt was made, refused ones too, with their time zones.
        now: The moment that is asked about.
        limits: With the budgets.

    >>> from datetime import UTC, datetime
    >>> from tasks.core.use_case import Retraining
    >>> spent([datetime(2031, 5, 1, 7, tzinfo=UTC)], datetime(2031, 5, 1, 9, tzinfo=UTC), Retraining(per_day=1))
    '1 of 1 attempts of this day (UTC) is made; retrain.per_day says how many there may be'
    """
    today = now.astimezone(UTC).date()
    days = [attempt.astimezone(UTC).date() for attempt in attempts]
    of_day = sum(day == today for day in days)
    of_month = sum((day.year, day.month) == (today.year, today.month) for day in days)
    for name, made, most in (("day", of_day, limits.per_day), ("month", of_month, limits.per_month)):
        if most is not None and made >= most:
            are = "is" if made == 1 else "are"
            return f"{made} of {most} attempts of this {name} (UTC) {are} made; retrain.per_{name} says how many there may be"
    return ""


def in_words(signal: Signal) -> str:
    """Write a signal for a person.

    >>> in_words(Signal("growth", 1.25, 1.2, fired=True))
    'there are 1.25 times the labelled rows of the last attempt (limit 1.2)'
    """
    above = f"the loss is above the reference, and what is beyond noise adds up to {signal.value:.3g} times the reference"
    what = {
        "performance": f"{above if signal.value else 'the loss is not above the reference beyond noise'} (limit {signal.limit:g} times)",
        "prediction": f"predictions have shifted by {signal.value:.2f} (limit {signal.limit:g})",
        "growth": f"there are {signal.value:.3g} times the labelled rows of the last attempt (limit {signal.limit:g})",
        "staleness": f"the last attempt was {_ago(round(signal.value))} (limit {signal.limit:g})",
    }
    return what[signal.name]


def _ago(looks: int) -> str:
    return f"{looks} look{'' if looks == 1 else 's'} ago"


def better_again(
    champion: np.ndarray, earlier: Mapping[int, np.ndarray], excess_of: Callable[[int], float], tolerance: float
) -> Better | None:
    """Find the earlier version that the newest labelled rows show to be better than the champion, by most; None where none is.

    This is the probation of a new champion, and it goes on: where what was true before is true again, so is its model.

    Args:
        champion: Its losses, shape (n,), on rows that no version was fitted on.
        earlier: The losses of the same rows by version.
        excess_of: Gives a version's `excess`.
        tolerance: Of the gate: what is better by less is not worth a change.
    """
    found = {version: gate.compare(losses, champion, blocks=min(BLOCKS, len(champion))) for version, losses in earlier.items()}
    better = {
        version: seen
        for version, seen in found.items()
        if seen.difference + SURELY_BETTER * seen.error < 0 and seen.difference < -tolerance
    }
    if not better:
        return None
    version = min(better, key=lambda each: better[each].difference)
    return Better(version, better[version], excess_of(version))
