"""Points of the curves that show how a classifier ranks rows, and whether its probabilities come true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.core.metrics import bins_of

if TYPE_CHECKING:
    import numpy as np

MAX_POINTS = 150


@dataclass(frozen=True)
class Curve:
    """Points of a line."""

    x: list[float]
    y: list[float]


def roc(positive: np.ndarray, score: np.ndarray) -> Curve:
    """Give the share of the others that are taken for a class, and of its own rows, for each threshold.

    >>> import numpy as np
    >>> roc(np.array([True, False, True]), np.array([0.9, 0.5, 0.5]))
    Curve(x=[0.0, 0.0, 1.0], y=[0.0, 0.5, 1.0])
    """
    import numpy as np

    found, wrong = _counts(positive, score)
    x, y = np.append(0, wrong) / max(1, wrong[-1]), np.append(0, found) / max(1, found[-1])
    return _thinned(x, y)


def precision_recall(positive: np.ndarray, score: np.ndarray) -> Curve:
    """Give the share of a class that is found, and that of the found which are of it, for each threshold.

    >>> import numpy as np
    >>> precision_recall(np.array([True, False, True]), np.array([0.9, 0.5, 0.4]))
    Curve(x=[0.5, 0.5, 1.0], y=[1.0, 0.5, 0.6666666666666666])
    """
    found, wrong = _counts(positive, score)
    has_any = found > 0
    return _thinned((found / max(1, found[-1]))[has_any], (found / (found + wrong))[has_any])


def reliability(positive: np.ndarray, score: np.ndarray) -> Curve:
    """Give mean probability and frequency in bins of as many rows each.

    >>> import numpy as np
    >>> reliability(np.array([False, True]), np.array([0.25, 0.75]))
    Curve(x=[0.25, 0.75], y=[0.0, 1.0])
    """
    import numpy as np

    bins = bins_of(score)
    counts = np.bincount(bins)
    return Curve((np.bincount(bins, score) / counts).tolist(), (np.bincount(bins, positive) / counts).tolist())


def _counts(positive: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count right and wrong rows at or above each distinct score, the highest first."""
    import numpy as np

    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    found = np.cumsum(positive[order])[ends]
    return found, ends + 1 - found


def _thinned(x: np.ndarray, y: np.ndarray) -> Curve:
    import numpy as np

    shown = np.unique(np.linspace(0, len(x) - 1, min(MAX_POINTS, len(x))).astype(int))
    return Curve(x[shown].tolist(), y[shown].tolist())
