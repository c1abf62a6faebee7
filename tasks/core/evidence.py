"""What training hands to the gate: fits, their predictions on the gate rows, and the champion's fit to compare with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.core import gate
from tasks.core.metrics import row_losses

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from sklearn.pipeline import Pipeline

    from tasks.core.champions import Version
    from tasks.core.gate import Comparison, Decision
    from tasks.core.metrics import Interval, Prediction
    from tasks.core.use_case import Loss


@dataclass(frozen=True)
class Fits:
    """The winning recipe and the baseline, fitted on everything but the gate rows."""

    judged: Pipeline
    dummy: Pipeline


@dataclass(frozen=True)
class ChampionFit:
    """The champion's judged fit, and the sorted hashes of the rows that it was fitted on, uint64."""

    version: Version
    epoch: int
    judged: Pipeline
    fitted_rows: np.ndarray


@dataclass(frozen=True)
class Evidence:
    """What happened on the gate rows.

    Attributes:
        y: True values, shape (n,).
        prediction: Of the challenger's judged fit.
        metrics: Of the challenger's judged fit, with intervals.
        baseline: The same metrics of the dummy.
        against_dummy: Paired comparison with the dummy.
        against_champion: Paired comparison with the champion's judged fit on the rows that neither has seen; None without one.
        contaminated: Gate rows that the champion's judged fit had seen.
    """

    y: np.ndarray
    prediction: Prediction
    metrics: Mapping[str, Interval]
    baseline: Mapping[str, float]
    against_dummy: Comparison
    against_champion: Comparison | None
    contaminated: int

    def judge(self, tolerance: float) -> Decision:
        """Put the evidence through the gate."""
        checks = (
            gate.check_rows(len(self.y) - self.contaminated, self.contaminated),
            gate.check_baseline(self.against_dummy),
            gate.check_not_worse(self.against_champion, tolerance),
        )
        return gate.decide(checks, self.against_champion)


def compare_predictions(loss: Loss, y: np.ndarray, challenger: Prediction, other: Prediction, *, blocks: int) -> Comparison:
    """Compare two models' predictions of the same rows by their losses."""
    import dataclasses

    import numpy as np

    compared = gate.compare(row_losses(loss, y, challenger), row_losses(loss, y, other), blocks=blocks)
    said, other_said = (p.values if p.proba is None else p.proba for p in (challenger, other))
    identical = len(y) > 0 and challenger.classes == other.classes and np.array_equal(said, other_said)
    return dataclasses.replace(compared, identical=identical)
