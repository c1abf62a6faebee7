"""Which rows models are fitted on, and which ones they are judged on.

A row's side is a hash of its cells, never of its target: duplicates fall on one side, and the side is stable for the
life of the use case. Rows with an order in time are judged on the last of them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    import pandas as pd

    from tasks.core.table import Schema

GATE_SHARE = 0.2
MIN_GATE_ROWS = 30
FIRST_SPREAD = 0.5
FOLDS = 5
BLOCKS = 20


@dataclass(frozen=True)
class Split:
    """Positions of rows in the snapshot, int64; in time order where there is one.

    Attributes:
        fit: Rows that the judged fit may see.
        gate: Rows that both models are compared on.
        is_ordered: Whether the rows have an order in time.
        gate_groups: Groups that the gate rows are of, those of each side by side; 0 where each row stands for itself.
    """

    fit: np.ndarray
    gate: np.ndarray
    is_ordered: bool
    gate_groups: int = 0

    @property
    def gate_blocks(self) -> int:
        """Count the contiguous blocks whose means count as independent; 0 where each row does."""
        return min(BLOCKS, len(self.gate) // 5 if self.is_ordered else self.gate_groups)


def hash_rows(df: pd.DataFrame) -> np.ndarray:
    """Hash each row's cells to uint64, whatever number type they have; -0.0 is 0.0, missing is missing.

    >>> import pandas as pd
    >>> a, b, c = hash_rows(pd.DataFrame({"x": [1.0, 1.0, 2.0], "kind": ["a", "a", "a"]}))
    >>> bool(a == b), bool(a == c)
    (True, False)
    """
    import numpy as np
    import pandas as pd

    mixed = np.zeros(len(df), dtype=np.uint64)
    for name in df.columns:
        column, is_factorable = df[name], True
        if column.dtype.kind == "M":
            mixed = mix(mixed ^ _hash_dates(column))
            continue
        if pd.api.types.is_numeric_dtype(column):
            cells = column.to_numpy(dtype=np.float64) + 0.0
            # NaN has many bit patterns; 0 / 0 and inf - inf make others than an empty cell does.
            cells[np.isnan(cells)] = np.nan
        else:
            cells = column.astype(object).to_numpy()
            # pandas 3.0.6 factorises text up to its first NUL; without that it is slower, and the hashes are the same.
            is_factorable = not (column.dtype == "str" and column.str.contains("\0", regex=False).any())
        mixed = mix(mixed ^ pd.util.hash_array(cells, categorize=is_factorable))
    return mixed


def hash_sorted(df: pd.DataFrame) -> np.ndarray:
    """Give the hashes of rows, sorted, so that others can be looked up among them."""
    import numpy as np

    return np.sort(hash_rows(df))


def hash_units(df: pd.DataFrame, schema: Schema) -> np.ndarray:
    """Hash what must stay on one side to uint64: the group of each row, or where it has none the row itself."""
    import numpy as np

    hashes = hash_rows(df[schema.features])
    if schema.group is None:
        return hashes
    return np.where(df[schema.group].isna(), hashes, hash_rows(df[[schema.group]]))


def _hash_dates(column: pd.Series) -> np.ndarray:
    """Hash dates as pandas hashes them one by one, in a hundredth of the time."""
    import numpy as np
    import pandas as pd

    hashes = pd.util.hash_array(column.to_numpy(dtype="datetime64[us]").view(np.int64))
    hashes[column.isna()] = np.iinfo(np.uint64).max
    return hashes


def content_digest(df: pd.DataFrame) -> str:
    """Digest a table's column names, types and cells in their order, as 64 hexadecimal digits."""
    return digest_of_frames([df])


def digest_of_frames(frames: Iterable[pd.DataFrame]) -> str:
    """Digest a table that comes in parts; how it is cut makes no difference."""
    digest = hashlib.sha256()
    for place, df in enumerate(frames):
        if not place:
            digest.update("\0".join(f"{name}:{df[name].dtype}" for name in df.columns).encode() + b"\0")
        digest.update(hash_rows(df).tobytes())
    return digest.hexdigest()


def gate_size(rows: int, spread: float = FIRST_SPREAD) -> int:
    """Say how many gate rows suffice to see a loss of 1.5 %: min(20 % of rows, max(200, (spread / 0.015)²)).

    Args:
        rows: Labelled rows of the snapshot.
        spread: Standard deviation of the paired loss difference, as a share of the champion's mean loss.

    >>> gate_size(442), gate_size(100_000), gate_size(100_000, spread=0.05)
    (88, 1111, 200)
    """
    return int(min(GATE_SHARE * rows, max(200, (spread / 0.015) ** 2)))


def split_by_hash(hashes: np.ndarray, use_case: str, size: int, *, is_grouped: bool = False) -> Split:
    """Judge on the `size` lowest salted hashes of the fifth of hash space that is set aside for it; equal ones stay together."""
    import numpy as np

    salt = np.uint64(int.from_bytes(hashlib.sha256(use_case.encode()).digest()[:8], "big"))
    places = mix(hashes ^ salt)
    side = places < np.uint64(int(GATE_SHARE * 2**64))
    # Duplicates share a hash, so a cut between two equal hashes would put one row on both sides.
    limit = np.sort(places[side])[:size][-1:] if size else np.array([], dtype=np.uint64)
    gate = side & (places <= limit[0]) if len(limit) else np.zeros(len(hashes), dtype=bool)
    judged = np.flatnonzero(gate)
    if is_grouped:
        judged = judged[np.argsort(places[judged], kind="stable")]
    groups = len(np.unique(places[judged])) if is_grouped else 0
    return Split(fit=np.flatnonzero(~gate), gate=judged, is_ordered=False, gate_groups=groups)


def split_by_time(times: np.ndarray, size: int) -> Split:
    """Judge on the last `size` rows, and on those before them that are of the same time as the first of these."""
    import numpy as np

    order = np.argsort(times, kind="stable")
    cut = len(order) - size
    if 0 < cut < len(order):
        cut = int(np.searchsorted(times[order], times[order[cut]])) or cut
    return Split(fit=order[:cut], gate=order[cut:], is_ordered=True)


def folds(hashes: np.ndarray, *, is_ordered: bool) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (fit, validate) positions for choosing: growing windows where rows are ordered, else by hash."""
    import numpy as np

    rows = len(hashes)
    if is_ordered:
        edges = np.linspace(rows // 2, rows, FOLDS + 1).astype(int)
        for start, end in pairwise(edges):
            yield np.arange(start), np.arange(start, end)
        return
    # The hash is mixed once more: its low end is what the gate rows were taken from.
    fold = mix(hashes + np.uint64(1)) % np.uint64(FOLDS)
    for number in range(FOLDS):
        yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)


def mix(values: np.ndarray) -> np.ndarray:
    """Spread uint64 evenly over their range (splitmix64, Steele et al. 2014)."""
    import numpy as np

    with np.errstate(over="ignore"):
        mixed = values + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))
