"""How the features of newer rows differ from those that a model was made from: for people, for it says little of whether a retrain pays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from tasks.core.profiles import ColumnProfile, Profile

FALSE_DISCOVERIES = 0.01  # of the features that are called drifted
LEAST_SEPARATION = 0.6  # area under the curve
LEAST_EFFECT = 0.1  # as Kolmogorov-Smirnov distance, or as distance of shares: below it nobody acts


@dataclass(frozen=True)
class FeatureDrift:
    """How far a feature has moved.

    Attributes:
        name: Of the column.
        effect: Largest difference of the two distribution functions; of texts, and of missing values, difference of shares; in [0, 1].
        q: Share of false discoveries among features that have moved as surely as this one (Benjamini and Hochberg 1995).
        importance: By how much the champion's loss rises without the feature, as a share; None where that is not known.
        is_drifted: Whether effect and q both say so.
    """

    name: str
    effect: float
    q: float
    importance: float | None
    is_drifted: bool

    @property
    def weight(self) -> float:
        """Rank features by how far those moved that matter."""
        return self.effect * max(0.0, self.importance if self.importance is not None else 1.0)


def find_drift(before: Profile, now: Sequence[Profile], importance: Mapping[str, float], least: float = LEAST_EFFECT) -> list[FeatureDrift]:
    """Hold batches against the rows that a model was made from, the feature that matters most first.

    All rows count, by their profiles alone. Dates are left out, for time always goes on, and so are columns that are in one of the two
    alone, which are incidents.

    Args:
        before: Of the rows that the model was made from.
        now: Of the newer batches.
        importance: Of features, where it is known.
        least: Effect below which no feature is called drifted.
    """
    found: list[tuple[str, float, float]] = []
    for past in before.columns:
        columns = [column for profile in now if (column := profile.column(past.name)) and column.kind == past.kind]
        if past.kind != "date" and not past.pii and columns and sum(map(_rows, columns)) and _rows(past):
            found.append((past.name, *_distance(past, columns)))
    q = false_discoveries([p for _, _, p in found])
    drifts = [
        FeatureDrift(name, effect, share, importance.get(name), share < FALSE_DISCOVERIES and effect >= least)
        for (name, effect, _), share in zip(found, q, strict=True)
    ]
    return sorted(drifts, key=lambda drift: (-drift.is_drifted, -drift.weight, -drift.effect))


def false_discoveries(p: Sequence[float]) -> list[float]:
    """Turn p values into shares of false discoveries.

    >>> false_discoveries([0.01, 0.5, 0.02])
    [0.03, 0.5, 0.03]
    """
    order = sorted(range(len(p)), key=lambda place: -p[place])
    q, least = [1.0] * len(p), 1.0
    for rank, place in enumerate(order):
        least = min(least, p[place] * len(p) / (len(p) - rank))
        q[place] = least
    return q


def _rows(column: ColumnProfile) -> int:
    return column.missing + column.infinite + column.present


def _distance(past: ColumnProfile, now: Sequence[ColumnProfile]) -> tuple[float, float]:
    """Give effect and p value of the larger of two changes: in values, and in how many are missing."""
    missing = abs(_missing([past]) - _missing(now))
    rows, there = _harmonic(_rows(past), sum(map(_rows, now))), _harmonic(past.present, sum(column.present for column in now))
    values = _apart(past, now) if there else 0.0
    return max(values, missing), min(1.0, 2 * min(_chance(values, there), _chance(missing, rows)))


def _missing(columns: Sequence[ColumnProfile]) -> float:
    return sum(column.missing + column.infinite for column in columns) / sum(map(_rows, columns))


def _harmonic(one: int, other: int) -> float:
    return one * other / (one + other) if one and other else 0.0


def _chance(distance: float, rows: float) -> float:
    """Bound the chance of such a distance between equal distributions (Massart 1990)."""
    return min(1.0, 2 * math.exp(-2 * rows * distance**2))


def _apart(past: ColumnProfile, now: Sequence[ColumnProfile]) -> float:
    import numpy as np

    if past.kind == "text":
        texts = {text for column in (past, *now) for text, _ in column.frequent}
        return max((abs(_share([past], text) - _share(now, text)) for text in texts), default=0.0)
    places = np.unique(np.concatenate([column.quantiles for column in (past, *now) if column.quantiles] or [np.zeros(0)]))
    return float(np.abs(_below(places, [past]) - _below(places, now)).max()) if len(places) else 0.0


def _share(columns: Sequence[ColumnProfile], text: str) -> float:
    present = sum(column.present for column in columns)
    return sum(dict(column.frequent).get(text, 0) for column in columns) / present if present else 0.0


def _below(places: np.ndarray, columns: Sequence[ColumnProfile]) -> np.ndarray:
    """Give the share of the values of all columns that are at most so large, from their quantiles."""
    import numpy as np

    shares = [np.searchsorted(column.quantiles, places, side="right") / len(column.quantiles) for column in columns if column.quantiles]
    return np.average(shares, axis=0, weights=[column.present for column in columns if column.quantiles])


@dataclass(frozen=True)
class Separation:
    """How well a model tells newer rows from those that the champion was made from, by all features at once.

    Attributes:
        auc: Area under its ROC curve on rows that it was not fitted to: 0.5 where it cannot, 1 where it always can.
        half: Of its 95 % interval (Hanley and McNeil 1982).
    """

    auc: float
    half: float

    @property
    def is_drifted(self) -> bool:
        """Say whether rows differ by more than chance and by more than nobody minds, be it in no feature alone."""
        return self.auc - self.half > 0.5 and self.auc >= LEAST_SEPARATION

    def __str__(self) -> str:
        """Write it as reports do."""
        return f"{self.auc:.2f} ± {self.half:.2f}"


def separation(is_new: np.ndarray, said: np.ndarray) -> Separation:
    """Measure how well scores tell new rows from old ones.

    Args:
        is_new: Shape (n,).
        said: Scores, larger for new rows, shape (n,).

    >>> import numpy as np
    >>> separation(np.repeat([False, True], 50), np.arange(100.0)).auc
    1.0
    """
    import numpy as np

    new, old = np.sort(said[is_new]), np.sort(said[~is_new])
    below, up_to = (np.searchsorted(old, new, side=side).mean() / len(old) for side in ("left", "right"))
    auc = float(below + up_to) / 2
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (len(new) - 1) * (q1 - auc**2) + (len(old) - 1) * (q2 - auc**2)
    return Separation(auc, 1.96 * math.sqrt(max(0.0, variance) / (len(new) * len(old))))
