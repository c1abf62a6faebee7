"""What a search may choose for a setting of a candidate: ranges that no search engine owns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

Setting = float | int | str | bool | tuple[int, ...]


@dataclass(frozen=True)
class Real:
    """Numbers from `low` to `high`, each share of the range as likely as another of its size."""

    low: float
    high: float

    def sample(self, rng: np.random.Generator) -> float:
        """Draw a number."""
        return float(rng.uniform(self.low, self.high))

    def __contains__(self, value: object) -> bool:
        """Say whether a search may choose a value."""
        return isinstance(value, float) and self.low <= value <= self.high


@dataclass(frozen=True)
class Log:
    """Positive numbers from `low` to `high`, each order of magnitude as likely as another."""

    low: float
    high: float

    def sample(self, rng: np.random.Generator) -> float:
        """Draw a number."""
        drawn = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        return min(max(drawn, self.low), self.high)

    def __contains__(self, value: object) -> bool:
        """Say whether a search may choose a value."""
        return isinstance(value, float) and self.low <= value <= self.high


@dataclass(frozen=True)
class Whole:
    """Positive whole numbers from `low` to `high`, both included, each order of magnitude as likely as another."""

    low: int
    high: int

    def sample(self, rng: np.random.Generator) -> int:
        """Draw a whole number."""
        # Each number owns the span of half a step to either side.
        drawn = math.exp(rng.uniform(math.log(self.low - 0.5), math.log(self.high + 0.5)))
        return min(max(round(drawn), self.low), self.high)

    def __contains__(self, value: object) -> bool:
        """Say whether a search may choose a value."""
        return isinstance(value, int) and self.low <= value <= self.high


@dataclass(frozen=True)
class Choice:
    """One of a few values, each as likely as another."""

    values: tuple[Setting, ...]

    def sample(self, rng: np.random.Generator) -> Setting:
        """Draw a value."""
        return self.values[int(rng.integers(len(self.values)))]

    def __contains__(self, value: object) -> bool:
        """Say whether a search may choose a value."""
        return value in self.values


Space = Real | Log | Whole | Choice


def sample(space: Mapping[str, Space], rng: np.random.Generator) -> dict[str, Setting]:
    """Draw a value for each setting, in the order of the space: the same seed gives the same values.

    >>> import numpy as np
    >>> settings = sample({"alpha": Log(0.001, 10), "leaves": Whole(4, 128)}, np.random.default_rng(0))
    >>> sorted(settings), settings == sample({"alpha": Log(0.001, 10), "leaves": Whole(4, 128)}, np.random.default_rng(0))
    (['alpha', 'leaves'], True)
    """
    return {name: each.sample(rng) for name, each in space.items()}
