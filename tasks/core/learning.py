"""Whether more rows would help: how a winner does that is fitted to fewer of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from tasks.core.gate import Comparison

SHARES = (0.25, 0.5)
LEAST_ROWS = 30
MOST_SECONDS = 5.0  # that the winner's models took for a fold: beyond that it is not worth waiting for
HARDLY = 0.02  # of the loss


@dataclass(frozen=True)
class LearningPoint:
    """What a fit to fewer rows comes to.

    Attributes:
        rows: That it was fitted to.
        loss: Mean on the gate rows.
        compared: With the fit to all rows, row by row.
    """

    rows: int
    loss: float
    compared: Comparison

    @property
    def ends(self) -> tuple[float, float]:
        """Give the 95 % interval of how much more it loses, as a share of the loss of the fit to all rows."""
        reach = 1.96 * self.compared.error
        return self.compared.difference - reach, self.compared.difference + reach

    def as_json(self) -> dict[str, float | None]:
        """Give what scripts read."""
        told = dict(zip(("loss", "difference", "low", "high"), (self.loss, self.compared.difference, *self.ends), strict=True))
        return {"rows": self.rows, **{name: value if math.isfinite(value) else None for name, value in told.items()}}


def fewer_rows(rows: np.ndarray, hashes: np.ndarray, *, is_ordered: bool) -> Iterator[np.ndarray]:
    """Yield the latest shares of ordered rows, else shares by their hash, each within the next.

    Args:
        rows: Positions, in time order where there is one.
        hashes: Of what must stay together, of the same rows.
        is_ordered: Whether there is one.
    """
    import numpy as np

    order = np.arange(len(rows))[::-1] if is_ordered else np.argsort(hashes, kind="stable")
    for share in SHARES:
        if (count := int(share * len(rows))) >= LEAST_ROWS:
            yield rows[np.sort(order[:count])]


def would_more_help(points: Sequence[LearningPoint]) -> str:
    """Say what the largest of the smaller fits tells of rows to come; empty without one.

    >>> from tasks.core.gate import Comparison
    >>> would_more_help([LearningPoint(500, 1.1, Comparison(80, 0.1, 0.03, 1.0))])
    'Fitted to 500 rows it loses 10.0 % more (4.1 % to 15.9 %) than fitted to all: more rows would probably help.'
    """
    if not points:
        return ""
    largest, (low, high) = points[-1], points[-1].ends
    more = f"{100 * largest.compared.difference:.1f} % more ({100 * low:.1f} % to {100 * high:.1f} %)"
    told = f"Fitted to {largest.rows:,} rows it loses {more} than fitted to all"
    if low > 0:
        return f"{told}: more rows would probably help."
    return f"{told}: {'more rows would hardly help' if high < HARDLY else 'too few gate rows to say whether more would help'}."
