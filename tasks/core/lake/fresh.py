"""Which keys have a label for the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks.core.lake.keys import hash_shortly

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import pandas as pd


class FreshKeys:
    """Keys of labels, 9 bytes each, of which those are struck out that had a label before.

    A key is told by 64 bits of its hash: among ten million, two are taken for one in one case of 400,000, and then counted as one.

    Args:
        most: Of the labels; room for so many is made at once.

    >>> import pandas as pd
    >>> fresh = FreshKeys(4)
    >>> fresh.add(pd.Series(["a", "b"])), fresh.add(pd.Series(["b", "c"])), fresh.close()
    (None, None, None)
    >>> fresh.strike(pd.Series(["c", "z"])), fresh.left, fresh.struck
    (None, 2, 1)
    >>> fresh.hold(pd.Series(["z", "c", "a"])).tolist(), fresh.struck_among([pd.Series(["a", "c"])])
    ([False, False, True], 1)
    """

    def __init__(self, most: int) -> None:
        import numpy as np

        self._hashes: np.ndarray = np.empty(most, dtype=np.uint64)
        self._taken = 0

    def add(self, keys: pd.Series[Any]) -> None:
        """Take in keys that were given a label."""
        end = self._taken + len(keys)
        self._hashes[self._taken : end] = hash_shortly(keys.to_numpy(dtype=object))
        self._taken = end

    def close(self) -> None:
        """Sort the keys; then they can be asked for."""
        import numpy as np

        hashes = self._hashes[: self._taken]
        hashes.sort()
        is_repeated = hashes[1:] == hashes[:-1]
        self._hashes = hashes[np.append(True, ~is_repeated)] if is_repeated.any() else hashes
        self._is_struck = np.zeros(len(self._hashes), dtype=bool)

    @property
    def left(self) -> int:
        """Count the keys that were not struck out."""
        return len(self._hashes) - self.struck

    @property
    def struck(self) -> int:
        """Count those that were."""
        return int(self._is_struck.sum())

    def strike(self, keys: pd.Series[Any]) -> None:
        """Strike keys out."""
        places = self._places(keys)
        self._is_struck[places[places >= 0]] = True

    def struck_among(self, parts: Iterable[pd.Series[Any]]) -> int:
        """Count the keys that were struck out and are named in one of some parts."""
        import numpy as np

        named = np.zeros(len(self._hashes), dtype=bool)
        for keys in parts:
            places = self._places(keys)
            named[places[places >= 0]] = True
        return int((named & self._is_struck).sum())

    def hold(self, keys: pd.Series[Any]) -> np.ndarray:
        """Say of keys whether they are among these and not struck out, shape (n,)."""
        import numpy as np

        places = self._places(keys)
        found = places >= 0
        return np.where(found, ~self._is_struck[places], found) if len(self._hashes) else found

    def _places(self, keys: pd.Series[Any]) -> np.ndarray:
        """Give the place of each key, -1 for one that is not there."""
        import numpy as np

        asked = hash_shortly(keys.to_numpy(dtype=object))
        if not len(self._hashes):
            return np.full(len(asked), -1)
        places = np.minimum(np.searchsorted(self._hashes, asked), len(self._hashes) - 1)
        return np.where(self._hashes[places] == asked, places, -1)
