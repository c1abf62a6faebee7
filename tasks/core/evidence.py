"""What training hands to the gate: fits, their predictions on the gate rows, and the champion's fit to compare with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tasks.core import gate
from tasks.core.metrics import row_losses

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import numpy as np
    from sklearn.pipeline import Pipeline

    from tasks.core.gate import Check, Comparison, Decision
    from tasks.core.honesty import Doubt
    from tasks.core.importance import Dependence, Importance
    from tasks.core.learning import LearningPoint
    from tasks.core.looks import GateRows
    from tasks.core.metrics import Interval, Prediction
    from tasks.core.slices import Slice
    from tasks.core.use_case import Loss

EXPLANATION = "explanation.json"  # what a run keeps of `Explanation`


@dataclass(frozen=True)
class Fits:
    """The winning recipe and the baseline, fitted on everything but the gate rows.

    Attributes:
        judged: The winner.
        dummy: The baseline.
        linear: The linear candidate; None where it won or did not compete.
        on_fewer: The winner fitted to fewer rows, by their number, the fewest first.
    """

    judged: Pipeline
    dummy: Pipeline
    linear: Pipeline | None = None
    on_fewer: Mapping[int, Pipeline] = field(default_factory=dict[int, "Pipeline"])


@dataclass(frozen=True)
class Rival:
    """The judged fit of a version to be compared with.

    Attributes:
        version: Its number.
        judged: The fit.
        fitted_rows: Hashes of the rows that it was fitted on, uint64, sorted.
        size: Bytes that it takes as a file.
    """

    version: int
    judged: Pipeline
    fitted_rows: np.ndarray
    size: int = 0


@dataclass(frozen=True)
class ChampionFit:
    """Whom a challenger must not be worse than.

    Attributes:
        epoch: The champion's.
        rival: The champion; None where neither it nor any other version can be loaded any more, and the gate begins anew.
        anchor: The last version that was promoted because it was better; None where that is the champion.
        looks: Gate rows on which earlier challengers were compared.
    """

    epoch: int
    rival: Rival | None
    anchor: Rival | None = None
    looks: tuple[GateRows, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """What happened on the gate rows.

    Attributes:
        y: True values, shape (n,).
        prediction: Of the challenger's judged fit.
        metrics: Of the challenger's judged fit, with intervals.
        baseline: The same metrics of the dummy.
        fitted_rows: Hashes of the rows that the judged fit saw, uint64, sorted.
        gate_rows: Which rows judged.
        against_dummy: Paired comparison with the dummy.
        champion_against_dummy: That of the champion's judged fit, on the rows that neither was fitted on; None without one.
        against_champion: Paired comparison with the champion's judged fit on the rows that neither was fitted on; None without one.
        against_anchor: The same with the last version that was promoted as better; None where that is the champion.
        contaminated: Gate rows that one of the two judged fits was fitted on.
        look: The how manieth it is at these gate rows; 1 is the first.
        met: Positions of the gate rows that neither judged fit was fitted on, and what the champion's says of them; None without one.
    """

    y: np.ndarray
    prediction: Prediction
    metrics: Mapping[str, Interval]
    baseline: Mapping[str, float]
    fitted_rows: np.ndarray
    gate_rows: GateRows
    against_dummy: Comparison
    against_champion: Comparison | None = None
    against_anchor: Comparison | None = None
    champion_against_dummy: Comparison | None = None
    contaminated: int = 0
    look: int = 1
    met: tuple[np.ndarray, Prediction] | None = None

    @property
    def unseen(self) -> int:
        """Count the rows of classes that the judged fit does not know."""
        import numpy as np

        return int((~np.isin(self.y, self.prediction.classes)).sum()) if self.prediction.classes else 0

    def judge(self, tolerance: float, others: tuple[Check, ...] = (), waived: Collection[str] = ()) -> Decision:
        """Put the evidence through the gate.

        Args:
            tolerance: Loss that may be lost, as a share of the champion's.
            others: Checks that were asked beside the comparisons.
            waived: Checks above which a person's word stands.
        """
        checks = (
            gate.check_rows(len(self.y) - self.contaminated, self.contaminated),
            gate.check_baseline(self.against_dummy, self.champion_against_dummy),
            gate.check_not_worse(self.against_champion, tolerance),
            gate.check_anchor(self.against_anchor, tolerance),
            gate.check_looks(self.against_champion, self.look),
            *others,
        )
        return gate.decide(gate.waive(checks, waived), self.against_champion)

    def as_markdown(self, decision: Decision, what: str) -> str:
        """Give what a run's page in Prefect shows of a judgement: the decision, its reasons, and the metrics with 95 % intervals."""
        rows = (
            f"| {name} | {found.value:.4g} | {found.low:.4g} to {found.high:.4g} | {self.baseline[name]:.4g} |"
            for name, found in self.metrics.items()
        )
        table = (f"| on {len(self.y):,} gate rows | value | 95 % interval | dummy |", "|---|---|---|---|", *rows)
        return "\n".join([f"**{decision.verdict}** · {what}", "", *(f"- {reason}" for reason in decision.reasons), "", *table])

    def as_json(self, decision: Decision, champion: ChampionFit | None) -> dict[str, object]:
        """Give what the ledger keeps of a judgement: rows, figures, comparisons, checks."""
        compared = {"dummy": self.against_dummy, "champion": self.against_champion, "anchor": self.against_anchor}
        rivals = {"champion": champion.rival, "anchor": champion.anchor} if champion else {}
        versions = {name: {"version": rival.version} for name, rival in rivals.items() if rival}
        return {
            "verdict": decision.verdict,
            "rows": {"fit": len(self.fitted_rows), "gate": len(self.y), "contaminated": self.contaminated},
            "metrics": {name: interval.as_json() for name, interval in self.metrics.items()},
            **{f"against_{name}": {**versions.get(name, {}), **found.as_json()} for name, found in compared.items() if found},
            "look": self.look,
            "gate_rows": self.gate_rows.as_json(),
            "checks": [check.as_json() for check in decision.checks],
        }


@dataclass(frozen=True)
class Explanation:
    """What is known of a judged fit beside how good it is.

    Attributes:
        doubts: What to distrust.
        importance: Of features, the most important one first.
        unmeasured: How many features were not shuffled, because there are too many.
        dependences: Of predictions on the most important features that are not personal.
        slices: Parts of the gate rows, the largest loss first.
        against_linear: Paired comparison with the linear candidate; None where that won or did not compete.
        learning: Fits to fewer rows, the fewest first.
    """

    doubts: tuple[Doubt, ...] = ()
    importance: tuple[Importance, ...] = ()
    unmeasured: int = 0
    dependences: tuple[Dependence, ...] = ()
    slices: tuple[Slice, ...] = ()
    against_linear: Comparison | None = None
    learning: tuple[LearningPoint, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Give what MLflow keeps of it beside the page."""
        return {
            "warnings": [doubt.as_json() for doubt in self.doubts],
            "importance": [{"feature": each.feature, **each.rise.as_json()} for each in self.importance],
            "learning_curve": [point.as_json() for point in self.learning],
            "slices": [{**vars(part), "loss": part.loss.as_json()} for part in self.slices],
        }


def compare_predictions(loss: Loss, y: np.ndarray, challenger: Prediction, other: Prediction, *, blocks: int) -> Comparison:
    """Compare two models' predictions of the same rows by their losses."""
    import dataclasses

    import numpy as np

    compared = gate.compare(row_losses(loss, y, challenger), row_losses(loss, y, other), blocks=blocks)
    said, other_said = (p.values if p.proba is None else p.proba for p in (challenger, other))
    identical = len(y) > 0 and challenger.classes == other.classes and np.array_equal(said, other_said)
    return dataclasses.replace(compared, identical=identical)
