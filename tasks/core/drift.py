"""How the features of newer rows differ from those that a model was made from: for people, for it says little of whether a retrain pays."""

from __future__ import annotations

from dataclasses import dataclass


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
