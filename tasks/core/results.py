"""What a training run reports: one value, from which its text, its page, its JSON and its final state are made."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tasks.core.gate import BOTH_SIDES
from tasks.core.metrics import Interval

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tasks.core.calibration import Calibration
    from tasks.core.gate import Decision
    from tasks.core.honesty import Doubt
    from tasks.core.learning import LearningPoint
    from tasks.core.reading.terms import ReadVerdict, Repair, SetAside
    from tasks.core.spaces import Setting
    from tasks.core.table import Schema
    from tasks.core.thresholds import Threshold
    from tasks.core.validation import Validation

LISTED_ROWS = 100
LINEAR = ("ridge", "logistic")  # beside the dummy, what a model should beat to be worth its weight
STATE_NAMES = {"promoted": "Promoted", "kept": "Kept champion", "refused": "No champion", "unchanged": "Unchanged"}


@dataclass(frozen=True)
class RowCounts:
    """Where every row that was read went; `used` and `holdout` are the rows to fit on and the gate rows."""

    read: int
    used: int = 0
    holdout: int = 0
    unlabelled: int = 0
    quarantined: int = 0

    def __str__(self) -> str:
        """Write the sum that must add up."""
        return (
            f"{self.read:,} read = {self.used:,} used + {self.holdout:,} holdout"
            f" + {self.unlabelled:,} unlabelled + {self.quarantined:,} quarantined"
        )


@dataclass(frozen=True)
class Score:
    """What validation says of a candidate with settings, or of an average.

    Attributes:
        candidate: Its name on the leaderboard; a variation has a number behind that of its candidate.
        loss: Mean over folds; infinite where it failed.
        error: Standard error of that; NaN for one fold.
        seconds: That its fits and predictions took.
        weights: Of an average: the shares of its members, by their names on the leaderboard.
        recipe: The candidate that a variation is of.
        settings: What differs from that candidate's own.
        folds: How many it was compared on.
    """

    candidate: str
    loss: float
    error: float
    seconds: float
    weights: Mapping[str, float] = field(default_factory=dict[str, float])
    recipe: str = ""
    settings: Mapping[str, Setting] = field(default_factory=dict[str, "Setting"])
    folds: int = 0

    @property
    def half_width(self) -> float:
        """Give half the width of the 95 % interval of its loss."""
        return BOTH_SIDES * self.error


@dataclass(frozen=True)
class Leaderboard:
    """Scores, the best one first and the baseline last.

    Attributes:
        scores: Of all that was tried.
        is_complete: Whether the search ended by itself, and not because its seconds or its memory were spent.
        calibration: What mends the probabilities of the best; None where it does not help.
        threshold: From which probability on the best says a class; None where it says the most likely one.
    """

    scores: tuple[Score, ...]
    is_complete: bool = True
    calibration: Calibration | None = None
    threshold: Threshold | None = None

    @property
    def best(self) -> Score:
        """Give what is chosen."""
        return self.scores[0]

    @property
    def baseline(self) -> Score:
        """Give what a model must beat."""
        return self.scores[-1]

    @property
    def linear(self) -> Score | None:
        """Give the linear candidate, unless that is what is chosen or none competed."""
        found = next((score for score in self.scores if score.candidate in LINEAR and math.isfinite(score.loss)), None)
        return None if found is self.best else found

    def members(self, score: Score) -> list[Score]:
        """Give the members of an average, or else the score alone."""
        return [other for other in self.scores if other.candidate in score.weights] or [score]


@dataclass(frozen=True)
class TrainReport:
    """What came of one training run.

    Attributes:
        use_case: Its name.
        source: Where the rows came from.
        schema: Columns, roles and task.
        rows: Where every row went.
        snapshot: Digest of the rows.
        validation: The suite's verdict.
        decision: What became of the challenger.
        run_id: The MLflow run; that of the earlier attempt when nothing changed.
        version: The version that the run registered, or the unchanged one.
        aliases: What the version is called.
        loss: Name of the per-row loss that decided.
        leaderboard: Candidates, the best one first.
        complete: Whether the search for them ended by itself.
        calibration: What mends the winner's probabilities; None where it does not help.
        threshold: From which probability on it says a class; None where it says the most likely one.
        metrics: Of the judged fit on the gate rows.
        baseline: The same metrics of the dummy.
        links: Where to look.
        seconds: How long each stage took.
        repairs: What was repaired while the source was read.
        aside: Rows of the source that do not fit, counted as quarantined.
        lake: Versions of the tables that the rows came from; empty where they are not from the lake.
        doubts: What to distrust.
        learning: What the winner comes to when it is fitted to fewer rows, the fewest first.
    """

    use_case: str
    source: str
    schema: Schema
    rows: RowCounts
    snapshot: str
    validation: Validation
    decision: Decision
    run_id: str
    version: int
    aliases: tuple[str, ...]
    loss: str = ""
    leaderboard: tuple[Score, ...] = ()
    complete: bool = True
    calibration: Calibration | None = None
    threshold: Threshold | None = None
    metrics: Mapping[str, Interval] = field(default_factory=dict[str, Interval])
    baseline: Mapping[str, float] = field(default_factory=dict[str, float])
    links: Mapping[str, str] = field(default_factory=dict[str, str])
    seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    repairs: tuple[Repair, ...] = ()
    aside: tuple[SetAside, ...] = ()
    lake: Mapping[str, int | None] = field(default_factory=dict[str, int | None])
    doubts: tuple[Doubt, ...] = ()
    learning: tuple[LearningPoint, ...] = ()

    @property
    def read_verdict(self) -> ReadVerdict:
        """Say whether the source was read as it stands."""
        return "repaired" if self.repairs or self.aside else "exact"

    @property
    def state_name(self) -> str:
        """Name the run's final state."""
        return "Awaiting approval" if self.decision.code == "awaiting_approval" else STATE_NAMES[self.decision.verdict]

    @property
    def state_message(self) -> str:
        """Say the decision in one sentence."""
        code = "" if self.decision.code == "first_champion" else f"{self.decision.code.replace('_', ' ')}: "
        return f"version {self.version} of {self.use_case}: {code}{self.decision.reason}"

    def as_json(self) -> dict[str, object]:
        """Give the document that scripts may rely on; keys are added, never renamed."""
        return {
            "use_case": self.use_case,
            "run_id": self.run_id,
            "version": self.version,
            "aliases": list(self.aliases),
            "task": self.schema.task,
            "target": self.schema.target,
            "inferred": {
                "time": self.schema.time,
                "group": self.schema.group,
                "columns": [{"name": c.name, "type": c.type, "role": c.role, "evidence": c.evidence} for c in self.schema.columns],
            },
            "reading": {
                "verdict": self.read_verdict,
                "repairs": [{"code": r.code, "lines": list(r.lines), "detail": r.detail} for r in self.repairs],
                "quarantined": [vars(row) for row in self.aside[:LISTED_ROWS]],
            },
            "complete": self.complete,
            "warnings": [doubt.as_json() for doubt in self.doubts],
            "rows": vars(self.rows),
            "snapshot": {"versions": dict(self.lake), "digest": self.snapshot},
            "metrics": {name: interval.as_json() for name, interval in self.metrics.items()},
            "baseline": {name: _number(value) for name, value in self.baseline.items()},
            "learning_curve": [point.as_json() for point in self.learning],
            "leaderboard": [_score(score) for score in self.leaderboard],
            "calibration": self.calibration.as_json() if self.calibration else None,
            "threshold": self.threshold.as_json() if self.threshold else None,
            "decision": self.decision.as_json(),
            "links": dict(self.links),
            "seconds": {stage: round(seconds, 3) for stage, seconds in self.seconds.items()},
        }


def _score(score: Score) -> dict[str, object]:
    document: dict[str, object] = {"candidate": score.candidate, "score": _number(score.loss), "seconds": round(score.seconds, 3)}
    document["folds"] = score.folds
    return document | ({"weights": dict(score.weights)} if score.weights else {"settings": dict(score.settings)})


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
