"""How settings are searched: which trials are made in which order, who goes on to further folds, and when it is enough.

Successive halving over validation folds: every candidate is tried with its own settings on the first of them; then the
best ones are tried with others, as long as that helps; the better half is compared on the remaining folds. What is tried
depends on the seed and on losses alone, never on the clock.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tasks.core import spaces
from tasks.core.candidates import BASELINE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tasks.core.candidates import Candidate
    from tasks.core.spaces import Setting

PARENTS = 3  # candidates of which variations are tried in each round
PATIENCE = 3  # rounds without an improvement, after which the search ends
IMPROVEMENT = 0.001
FINALISTS = 6
LEAST_FINALISTS = 3
HOPELESS = 1.5  # times the least loss
WORTH_AVERAGING = 0.01  # of the loss of the best alone, which is easier to look into
ROWS_TO_COMPARE = 2000  # validation rows that suffice to weigh candidates; a further fold would cost more than it tells


@dataclass(frozen=True)
class Trial:
    """A candidate with settings.

    Attributes:
        candidate: What is fitted.
        number: Of the variation; 0 is the candidate as it competes by itself.
        settings: What differs from its own settings.
    """

    candidate: Candidate
    number: int = 0
    settings: Mapping[str, Setting] = field(default_factory=dict[str, "Setting"])

    @property
    def name(self) -> str:
        """Name it on the leaderboard."""
        return f"{self.candidate.name}-{self.number}" if self.number else self.candidate.name

    @property
    def is_baseline(self) -> bool:
        """Say whether it is what the others must beat."""
        return self.candidate.name == BASELINE


def first_trials(candidates: Iterable[Candidate], rows: int, most: int | None) -> list[Trial]:
    """List the candidates as they compete by themselves, the cheapest first, and not more of them than wanted beside the baseline."""
    cheapest = sorted(candidates, key=lambda candidate: candidate.seconds(rows))
    trials = [Trial(candidate) for candidate in cheapest]
    baseline = [trial for trial in trials if trial.is_baseline]
    return baseline + [trial for trial in trials if not trial.is_baseline][:most]


def vary(candidate: Candidate, number: int, seed: int) -> Trial:
    """Draw settings for a candidate; the same number and seed give the same ones, whatever else is tried."""
    import numpy as np

    rng = np.random.default_rng([seed, zlib.crc32(candidate.name.encode()), number])
    return Trial(candidate, number, spaces.sample(candidate.space, rng))


def parents(ranked: Sequence[Trial]) -> list[Candidate]:
    """Name the candidates that are worth a variation, by trials with the best one first."""
    distinct = dict.fromkeys(trial.candidate.name for trial in ranked if trial.candidate.space)
    best = list(distinct)[:PARENTS]
    return [next(trial.candidate for trial in ranked if trial.candidate.name == name) for name in best]


def finalists(ranked: Sequence[Trial], losses: Sequence[float]) -> list[Trial]:
    """Keep the better half, but no fewer than can be averaged, and none that is so far behind that an average has no use for it."""
    kept = max(FINALISTS, (len(ranked) + 1) // 2)
    near = sum(loss <= HOPELESS * losses[0] for loss in losses)
    return list(ranked[: min(kept, max(LEAST_FINALISTS, near))])


def is_improved(before: float, loss: float) -> bool:
    """Say whether a loss is less than the least before by more than nothing."""
    return loss < before * (1 - IMPROVEMENT)


def rungs(validated: Sequence[int], *, is_ordered: bool = False) -> tuple[list[int], list[int]]:
    """Say which folds all trials are compared on, and which further ones the finalists.

    Args:
        validated: How many rows each fold validates on, in their order; the last fold is the latest where rows are ordered.
        is_ordered: Whether they are. Then finalists are compared in every other period, for one tells little of another.

    >>> rungs([900, 900, 900, 900, 900]), rungs([9000, 9000, 9000, 9000, 9000]), rungs([40, 40, 40, 40, 40])
    (([4], [3, 2]), ([4], []), ([4, 3, 2, 1, 0], []))
    >>> rungs([900, 900, 900, 900, 900], is_ordered=True)
    ([4], [2, 0])
    """
    latest_first = [place for place in reversed(range(len(validated))) if validated[place]]
    if sum(validated) <= ROWS_TO_COMPARE / 2:  # so few that fitting them costs nothing, and one fold says nothing
        return latest_first, []
    if is_ordered and sum(validated) > ROWS_TO_COMPARE:
        return latest_first[:1], latest_first[2::2]
    enough, rows = 0, 0
    while enough < len(latest_first) and rows < ROWS_TO_COMPARE:
        rows += validated[latest_first[enough]]
        enough += 1
    return latest_first[:1], latest_first[1:enough]
