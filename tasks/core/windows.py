"""Which rows a training uses: all that there are, or, where the world has turned, those alone on which the loss rose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.core import gate

if TYPE_CHECKING:
    import numpy as np

LEAST_ROWS = 100  # beside the gate rows, to try a fit to them alone
BLOCKS = 20


def halves(start: int, end: int) -> tuple[slice, slice] | None:
    """Cut newer rows into those that a fit to them alone is tried on and those that it is asked of; None where they are too few.

    >>> halves(1000, 1300), halves(1000, 1099)
    ((slice(1000, 1150, None), slice(1150, 1300, None)), None)
    """
    middle = (start + end) // 2
    return (slice(start, middle), slice(middle, end)) if end - start >= LEAST_ROWS else None


def compare(newer: np.ndarray, every: np.ndarray, *, is_ordered: bool) -> gate.Comparison:
    """Compare a fit to newer rows alone with one to these and all before them, by their losses on still newer rows, both of shape (n,).

    All rows serve best as a rule, so newer ones are used alone where that is surely better. Where the target turns against what was true,
    a fit to all is no better than the dummy for as long as older rows prevail; then it is.
    """
    return gate.compare(newer, every, blocks=min(BLOCKS, len(every)) if is_ordered else 0)
