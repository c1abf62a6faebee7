"""Which keys have a label for the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks.core.lake.keys import hash_shortly

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    import pandas as pd

NEVER = -(2**63)  # earlier than any time


class _Keys:
    """Keys in the order of their hashes, each once, as soon as they are closed."""

    def __init__(self, most: int) -> None:
        import numpy as np

        self._hashes: np.ndarray = np.empty(most, dtype=np.uint64)
        self._taken = 0

    def _take(self, keys: pd.Series[Any]) -> slice:
        """Take in keys, and give the places that they have for now."""
        places = slice(self._taken, self._taken + len(keys))
        self._hashes[places] = hash_shortly(keys.to_numpy(dtype=object))
        self._taken = places.stop
        return places

    def _places(self, keys: pd.Series[Any]) -> np.ndarray:
        """Give the place of each key, -1 for one that is not there."""
        import numpy as np

        if not len(self._hashes):
            return np.full(len(keys), -1)
        asked = hash_shortly(keys.to_numpy(dtype=object))
        places = np.minimum(np.searchsorted(self._hashes, asked), len(self._hashes) - 1)
        return np.where(self._hashes[places] == asked, places, -1)

    def _named(self, parts: Iterable[pd.Series[Any]]) -> np.ndarray:
        """Say which keys are named in one of some parts."""
        import numpy as np

        named = np.zeros(len(self._hashes), dtype=bool)
        for keys in parts:
            places = self._places(keys)
            named[places[places >= 0]] = True
        return named


class FreshKeys(_Keys):
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

    def add(self, keys: pd.Series[Any]) -> None:
        """Take in keys that were given a label."""
        self._take(keys)

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
        return int((self._named(parts) & self._is_struck).sum())

    def hold(self, keys: pd.Series[Any]) -> np.ndarray:
        """Say of keys whether they are among these and not struck out, shape (n,)."""
        import numpy as np

        places = self._places(keys)
        found = places >= 0
        return np.where(found, ~self._is_struck[places], found) if len(self._hashes) else found


class LateKeys(_Keys):
    """Keys that several rows may have, and when labels came for them after their rows; 25 bytes each.

    Such a label is of all rows of its key that were there, and the first one of those that came after the last label before.

    Args:
        most: As in `FreshKeys`.

    >>> import numpy as np, pandas as pd
    >>> late = LateKeys(3)
    >>> late.add(pd.Series(["a", "b", "c"]), np.array([30, 30, 40])), late.close()
    (None, None)
    >>> late.strike(pd.Series(["a", "b"]), np.array([20, 20]))  # labels that came before
    >>> rows = pd.Series(["a", "a", "a", "b", "c", "d"]), np.array([10, 25, 35, 10, 10, 10])
    >>> late.hold(*rows).tolist()
    [False, True, False, False, True, False]
    >>> late.meet(pd.Series(["a", "c"])), late.corrected_among([pd.Series(["a", "b", "c"])])
    (None, 1)
    """

    def __init__(self, most: int) -> None:
        import numpy as np

        super().__init__(most)
        self._last: np.ndarray = np.empty(most, dtype=np.int64)

    def add(self, keys: pd.Series[Any], arrived: np.ndarray) -> None:
        """Take in keys whose rows were given a label, and when it arrived (int64), in the order of that."""
        self._last[self._take(keys)] = arrived

    def close(self) -> None:
        """Sort the keys; then they can be asked for."""
        import numpy as np

        order = np.argsort(self._hashes[: self._taken], kind="stable")
        hashes = self._hashes[order]
        is_last = np.append(hashes[1:] != hashes[:-1], True)[: self._taken]
        self._hashes, self._last = hashes[is_last], self._last[order][is_last]
        self._before = np.full(len(self._hashes), NEVER)
        self._is_first = np.zeros(len(self._hashes), dtype=bool)

    def __len__(self) -> int:
        """Count the keys."""
        return len(self._hashes)

    def strike(self, keys: pd.Series[Any], arrived: np.ndarray) -> None:
        """Take note of labels that came before, with their rows or later, in the order of their arrival."""
        places = self._places(keys)
        found = places >= 0
        self._before[places[found]] = arrived[found]

    def hold(self, keys: pd.Series[Any], arrived: np.ndarray) -> np.ndarray:
        """Say of rows, by their keys and when they arrived (int64), whether one of these labels is their first, shape (n,)."""
        import numpy as np

        places = self._places(keys)
        found = np.flatnonzero(places >= 0)
        those, times, is_first = places[found], arrived[found], np.zeros(len(places), dtype=bool)
        is_first[found] = (self._before[those] < times) & (times <= self._last[those])
        return is_first

    def meet(self, keys: pd.Series[Any]) -> None:
        """Take note of rows whose first label is one of these."""
        self._is_first[self._places(keys)] = True

    def corrected_among(self, parts: Iterable[pd.Series[Any]]) -> int:
        """Count the keys that had a label before and are named in one of some parts, but for those of rows that were met."""
        return int((self._named(parts) & (self._before > NEVER) & ~self._is_first).sum())
