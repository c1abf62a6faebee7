"""What a version did on its gate rows, kept with it, and what its newest rows can be expected to lose before their labels come."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

from tasks.core.metrics import row_losses
from tasks.core.page import number
from tasks.core.retraining import Reference, Sample
from tasks.core.use_case import Loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from tasks.core.metrics import Prediction

FOOTPRINT = "footprint.json"  # what a run keeps of it
BINS = 10
DIGITS = 10


class Footprint(BaseModel):
    """What the judged fit of a version did on its gate rows.

    Attributes:
        loss: Per row, which counts.
        classes: That predictions are kept of; none where a number is predicted.
        rows: Gate rows.
        mean: Of their losses.
        error: Standard error of that, over blocks.
        dummy: Mean loss of the dummy on the same rows.
        said: Quantiles of each column of predictions.
        edges: Between groups of rows that are alike in how sure, or how large, their prediction is.
        means, spreads, counts: Of the losses of each group.
        promised: Mean loss of each group, were its probabilities the true ones; 1 where numbers are predicted.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    loss: Loss
    classes: tuple[str, ...] = ()
    rows: int
    mean: float
    error: float | None
    dummy: float
    said: tuple[tuple[float, ...], ...]
    edges: tuple[float, ...]
    means: tuple[float, ...]
    spreads: tuple[float, ...]
    counts: tuple[int, ...]
    promised: tuple[float, ...]

    @cached_property
    def reference(self) -> Reference:
        """Give what newer rows are held against."""
        import numpy as np

        error = math.inf if self.error is None else self.error
        return Reference(Sample(self.rows, self.mean, error), self.rows, tuple(np.array(column) for column in self.said))

    @classmethod
    def of(cls, loss: Loss, y: np.ndarray, prediction: Prediction, dummy: float) -> Footprint:
        """Sum up predictions of gate rows, in the order of their time where they have one.

        Args:
            loss: That counts.
            y: Of the gate rows, shape (n,).
            prediction: Of the judged fit.
            dummy: Mean loss of the dummy.
        """
        import numpy as np

        losses, said = row_losses(loss, y, prediction), columns_of(prediction, prediction.classes)
        reference, sure = Reference.of(losses, said), _sureness(said)
        edges = np.unique(np.quantile(sure, np.linspace(0, 1, BINS + 1)[1:-1]))
        place_of, promised = np.searchsorted(edges, sure, side="right"), _promised(loss, said)
        groups, promises = ([each[place_of == place] for place in range(len(edges) + 1)] for each in (losses, promised))
        return cls(
            loss=loss,
            classes=prediction.classes,
            rows=len(y),
            mean=reference.losses.mean,
            error=reference.losses.error if math.isfinite(reference.losses.error) else None,
            dummy=dummy,
            said=tuple(tuple(round_to(column, DIGITS)) for column in reference.said),
            edges=tuple(edges.tolist()),
            means=tuple(float(group.mean()) if len(group) else reference.losses.mean for group in groups),
            spreads=tuple(float(group.std()) if len(group) else float(losses.std()) for group in groups),
            counts=tuple(len(group) for group in groups),
            promised=tuple(float(group.mean()) if len(group) else 1.0 for group in promises),
        )

    @classmethod
    def from_text(cls, text: str) -> Footprint | None:
        """Read what `model_dump_json` wrote; None where it is something else."""
        try:
            return cls.model_validate_json(text)
        except ValidationError:
            return None


def round_to(values: np.ndarray, digits: int) -> list[float]:
    """Keep so many significant digits."""
    return [float(f"{value:.{digits}g}") for value in values.tolist()]


def columns_of(said: Prediction, classes: Sequence[str]) -> np.ndarray:
    """Give predictions as columns: numbers, the probability of the second of two classes, or those of all; shape (n, k).

    Args:
        said: The predictions.
        classes: That columns are wanted of, in order; one that the model does not know has probability 0.
    """
    import numpy as np

    if said.proba is None:
        return said.values[:, None]
    spread, known = np.zeros((len(said.values), len(classes))), [name for name in said.classes if name in classes]
    spread[:, [classes.index(name) for name in known]] = said.proba[:, [said.classes.index(name) for name in known]]
    return spread[:, 1:] if len(classes) == 2 else spread


def _sureness(said: np.ndarray) -> np.ndarray:
    """Give what rows are grouped by: the number, the probability of the second class, or the largest one."""
    return said[:, 0] if said.shape[1] == 1 else said.max(axis=1)


def _promised(loss: Loss, said: np.ndarray) -> np.ndarray:
    """Give the loss of each row that its probabilities promise, shape (n,): what it is in the mean where they are true."""
    import numpy as np

    if loss in ("squared_error", "absolute_error"):
        return np.ones(len(said))
    proba = np.column_stack([1 - said, said]) if said.shape[1] == 1 else said
    return 1 - (proba**2).sum(axis=1) if loss == "brier" else -(proba * np.log(np.clip(proba, 1e-15, 1))).sum(axis=1)


@dataclass(frozen=True)
class Estimate:
    """Mean loss that rows without labels can be expected to have, with the half of its 95 % band.

    It holds as long as rows of like predictions err alike; a change of what the target depends on does not show in it.
    """

    value: float
    half: float

    def __str__(self) -> str:
        """Write it as reports do."""
        return f"{number(self.value)} ± {number(self.half)}"

    def holds(self, came: Sample) -> bool:
        """Say whether labels that came since confirm it."""
        return abs(came.mean - self.value) <= math.hypot(self.half, 1.96 * came.error)


def estimate(footprint: Footprint, said: np.ndarray) -> Estimate | None:
    """Estimate the mean loss of rows by their predictions alone, from how rows of like predictions erred.

    Where probabilities are predicted, what they promise counts, times how far the promises of like rows were kept.

    Args:
        footprint: Of the version that predicts.
        said: Its predictions, shape (n, k).

    >>> import numpy as np
    >>> from tasks.core.metrics import Prediction
    >>> gate = Prediction(np.repeat([0.0, 10.0], 200))
    >>> kept = Footprint.of("squared_error", np.repeat([0.0, 12.0], 200), gate, 36.0)
    >>> estimate(kept, np.full((50, 1), 10.0)).value
    4.0
    """
    import numpy as np

    if not len(said) or not footprint.rows:
        return None
    places = np.searchsorted(footprint.edges, _sureness(said), side="right")
    shares = np.bincount(places, minlength=len(footprint.means)) / len(said)
    means, variances, counts = np.array(footprint.means), np.square(footprint.spreads), np.maximum(1, footprint.counts)
    kept = means / np.maximum(footprint.promised, 1e-12)
    expected = _promised(footprint.loss, said) * kept[places]
    value = float(expected.mean())
    among = float(expected.var()) / len(said)
    half = 1.96 * math.sqrt(float(shares**2 @ (variances / counts)) + float(shares @ variances) / len(said) + among)
    return Estimate(value, half)
