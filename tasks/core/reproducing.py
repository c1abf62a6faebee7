"""Fitting a version again: what a run keeps for that, and whether the second fit predicts what the first one does."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tasks.core.errors import StoreError
from tasks.core.results import Leaderboard, Score
from tasks.core.thresholds import Threshold
from tasks.core.use_case import UseCase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sklearn.pipeline import Pipeline

    from tasks.core.champions import Version
    from tasks.core.metrics import Prediction

RECIPE = "recipe.json"
# What does not decide predictions.
UNKEPT = frozenset({"name", "description", "data", "card", "retrain", "monitor", "alarms", "schedule", "score"})
# As a share of the spread of the predictions, or as a probability: other processors add in another order.
CLOSE = 1e-6

Likeness = Literal["identical", "close", "different"]


@dataclass(frozen=True)
class Recorded:
    """What a run was asked and what it chose.

    Attributes:
        use_case: As it was then.
        leaderboard: The winner and its members, without what mends probabilities, which stands in the model.
    """

    use_case: UseCase
    leaderboard: Leaderboard

    def as_text(self) -> str:
        """Give the text that a run keeps."""
        best, threshold = self.leaderboard.best, self.leaderboard.threshold
        kept = [best, *(member for member in self.leaderboard.members(best) if member is not best)]
        document = {
            "use_case": self.use_case.model_dump(mode="json", exclude=set(UNKEPT)),
            "scores": [dataclasses.asdict(score) for score in kept],
            "threshold": dataclasses.asdict(threshold) if threshold else None,
        }
        return json.dumps(document, indent=1)

    @classmethod
    def from_text(cls, text: str, now: UseCase) -> Recorded:
        """Read what `as_text` gave.

        Args:
            text: What a run kept.
            now: The use case as its file says today, which knows what the run need not.

        Raises:
            StoreError: the text is something else.
        """
        try:
            told = json.loads(text)
            asked = {**now.model_dump(mode="json", include=set(UNKEPT)), **told["use_case"]}
            threshold = Threshold(**told["threshold"]) if told["threshold"] else None
            return cls(UseCase.model_validate(asked), Leaderboard(tuple(Score(**score) for score in told["scores"]), threshold=threshold))
        except (ValueError, KeyError, TypeError) as error:
            message = f"the run of this version of {now.name} keeps no recipe that can be read: {str(error).splitlines()[0]}"
            raise StoreError(message, where=RECIPE) from error


@dataclass(frozen=True)
class Original:
    """A version as it is stored, to be fitted again.

    Attributes:
        version: Its number, attempt and run.
        recorded: What its run was asked and what it chose.
        judged: Its judged fit.
        shipped: Its shipped fit.
        predictions: Digest of what the judged fit said of the gate rows when it was made; empty where that was not kept.
        is_refitted: Whether the shipped fit was fitted to the gate rows too.
        changed: Packages and code that are others now, with what they were and what they are.
    """

    version: Version
    recorded: Recorded
    judged: Pipeline
    shipped: Pipeline
    predictions: str
    is_refitted: bool
    changed: Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class Match:
    """How what two fits say of the same rows compares.

    Attributes:
        fit: Which of a version's two.
        stored: Digest of what the stored fit says.
        again: Digest of what the second fit says.
        apart: Largest difference, as a probability or as a share of the predictions' spread; infinite where classes differ.
    """

    fit: Literal["judged", "shipped"]
    stored: str
    again: str
    apart: float

    @property
    def likeness(self) -> Likeness:
        """Say how near the two are."""
        if self.stored == self.again:
            return "identical"
        return "close" if self.apart <= CLOSE else "different"

    def __str__(self) -> str:
        """Write it for a person."""
        apart = "" if self.likeness == "identical" else f", at most {self.apart:.2g} apart"
        return f"the {self.fit} fit is {self.likeness}{apart} (digests {self.stored[:12]} and {self.again[:12]})"


@dataclass(frozen=True)
class Reproduction:
    """What came of fitting a version again.

    Attributes:
        use_case: Its name.
        version: Which.
        rows: On which both fits were compared: the gate rows.
        matches: Of its judged and its shipped fit.
        is_as_recorded: Whether the stored judged fit says what it said when it was made; None where that was not kept.
        changed: Packages and code that are others now.
    """

    use_case: str
    version: int
    rows: int
    matches: tuple[Match, ...]
    is_as_recorded: bool | None = None
    changed: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])

    @property
    def likeness(self) -> Likeness:
        """Give the worst of what was found."""
        found: set[Likeness] = {match.likeness for match in self.matches}
        if self.is_as_recorded is False:
            return "different"
        return next(worst for worst in ("different", "close", "identical") if worst in found)

    @property
    def state_name(self) -> str:
        """Name the run's final state."""
        return "Reproduced"

    @property
    def state_message(self) -> str:
        """Say what was found in one sentence."""
        return f"version {self.version} of {self.use_case}: {self.reason}"

    @property
    def reason(self) -> str:
        """Say how near the second fits are, and what may be why they are not."""
        told = [str(match) for match in self.matches]
        if self.is_as_recorded is False:
            told.append("the stored fit no longer says what it said when it was made")
        if self.changed and self.likeness != "identical":
            told.append("since then " + ", ".join(f"{name} changed from {old} to {new}" for name, (old, new) in self.changed.items()))
        return f"on {self.rows:,} gate rows {'; '.join(told)}"

    def as_json(self) -> dict[str, object]:
        """Give the document that scripts may rely on; keys are added, never renamed."""
        return {
            "use_case": self.use_case,
            "version": self.version,
            "verdict": self.likeness,
            "rows": self.rows,
            "fits": {match.fit: {**vars(match), "likeness": match.likeness, "apart": _finite(match.apart)} for match in self.matches},
            "as_recorded": self.is_as_recorded,
            "changed": {name: list(pair) for name, pair in self.changed.items()},
        }


def match(fit: Literal["judged", "shipped"], stored: tuple[Prediction, str], again: tuple[Prediction, str]) -> Match:
    """Compare what two fits say of the same rows, each with its digest.

    >>> import numpy as np
    >>> from tasks.core.metrics import Prediction
    >>> match("judged", (Prediction(np.array([1.0, 3.0])), "a"), (Prediction(np.array([1.0, 3.0 + 1e-12])), "b")).likeness
    'close'
    """
    import numpy as np

    (one, digest), (other, digest_again) = stored, again
    if one.classes != other.classes:
        return Match(fit, digest, digest_again, math.inf)
    if one.proba is not None and other.proba is not None:
        return Match(fit, digest, digest_again, float(np.abs(one.proba - other.proba).max(initial=0.0)))
    spread = float(np.std(one.values)) or 1.0
    return Match(fit, digest, digest_again, float(np.abs(one.values - other.values).max(initial=0.0)) / spread)


def describe(report: Reproduction, _folder: str) -> str:
    """Give what a person reads of it."""
    changed = [f"{name}: {old} → {new}" for name, (old, new) in report.changed.items()]
    lines = [
        f"reproduced  version {report.version} of {report.use_case}: {report.likeness}, on {report.rows:,} gate rows",
        *(f"{each.fit:<11} {each}" for each in report.matches),
        *(f"{'' if place else 'changed':<11} {told}" for place, told in enumerate(changed)),
    ]
    return "\n".join(lines)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
