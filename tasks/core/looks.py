"""How often the same gate rows have judged a challenger: who tries often enough wins by luck.

Which rows a look was at is kept as a sample of their hashes, small enough for one row of the ledger.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np

SAMPLE_ROWS = 2048  # up to so many rows the share of seen ones is exact, beyond it within 3 %
SEEN_SHARE = 0.5


@dataclass(frozen=True)
class GateRows:
    """The rows that a challenger was judged on.

    Attributes:
        rows: How many different ones.
        digest: Of all their hashes.
        sample: The lowest of these hashes, uint64, sorted; evenly drawn, for hashes have no meaning.
    """

    rows: int
    digest: str
    sample: np.ndarray

    @classmethod
    def of(cls, hashes: np.ndarray) -> GateRows:
        """Describe rows by the hashes of their cells.

        >>> import numpy as np
        >>> GateRows.of(np.array([3, 1, 3], dtype=np.uint64)).rows
        2
        """
        import numpy as np

        from tasks.core.splits import mix

        # Gate rows may have been chosen by their hashes, so these are mixed once more.
        mixed = np.unique(mix(hashes + np.uint64(2)))
        return cls(len(mixed), hashlib.sha256(mixed.tobytes()).hexdigest(), mixed[:SAMPLE_ROWS])

    def share_seen(self, before: GateRows) -> float:
        """Estimate the share of these rows that are among others.

        >>> import numpy as np
        >>> now, before = (GateRows.of(np.arange(start, start + 100, dtype=np.uint64)) for start in (0, 75))
        >>> now.share_seen(before)
        0.25
        """
        import numpy as np

        limits = [each.sample[-1] for each in (self, before) if len(each.sample) < each.rows]
        comparable = self.sample[self.sample <= min(limits)] if limits else self.sample
        return float(np.isin(comparable, before.sample).mean()) if len(comparable) else 0.0

    def as_json(self) -> dict[str, object]:
        """Give what the ledger keeps."""
        return {"rows": self.rows, "digest": self.digest, "sample": base64.b85encode(self.sample.astype("<u8").tobytes()).decode()}

    @classmethod
    def from_json(cls, told: Mapping[str, object]) -> GateRows:
        """Take up what the ledger kept."""
        import numpy as np

        return cls(int(str(told["rows"])), str(told["digest"]), np.frombuffer(base64.b85decode(str(told["sample"])), dtype="<u8"))


def count_looks(now: GateRows, before: Iterable[GateRows]) -> int:
    """Say the how manieth look this is at rows of which more than half were looked at each time; 1 is the first."""
    return 1 + sum(now.share_seen(past) > SEEN_SHARE for past in before)
