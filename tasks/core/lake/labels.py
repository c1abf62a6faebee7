"""Which label a row has: the latest that had arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks.core.lake.keys import hash_texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import pandas as pd


class LabelBook:
    """Labels of a lake, taken in the order of their arrival; some 50 bytes each, whatever their keys look like.

    >>> import pandas as pd
    >>> book = LabelBook()
    >>> book.add(pd.Series(["a", "b"]), pd.Series([1.0, 2.0]), pd.Series([10, 10]))
    >>> book.add(pd.Series(["a"]), pd.Series([3.0]), pd.Series([20]))
    >>> book.close()
    >>> book.of(pd.Series(["b", "a", "c"])).tolist()
    [2.0, 3.0, nan]
    >>> book.total, book.corrected, book.duplicate
    (3, 1, 0)
    """

    def __init__(self) -> None:
        self._chunks: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._texts: dict[str, int] | None = None

    def add(self, keys: pd.Series[Any], values: pd.Series[Any], arrived: pd.Series[Any]) -> None:
        """Take in labels that arrived after all those before; arrived is int64."""
        import numpy as np

        if values.dtype != np.float64:
            self._texts = {} if self._texts is None else self._texts
            values = values.map(self._code)
        self._chunks.append((hash_texts(keys.to_numpy(dtype=object)), values.to_numpy(dtype=np.float64), arrived.to_numpy(dtype=np.int64)))

    def _code(self, text: str) -> int:
        texts = self._texts if self._texts is not None else {}
        return texts.setdefault(text, len(texts))

    def close(self) -> None:
        """Put the labels in the order of their keys; then they can be asked for."""
        import numpy as np

        hashes = np.concatenate([np.zeros((0, 2), dtype=np.uint64), *(chunk[0] for chunk in self._chunks)])
        values = np.concatenate([np.zeros(0), *(chunk[1] for chunk in self._chunks)])
        arrived = np.concatenate([np.zeros(0, dtype=np.int64), *(chunk[2] for chunk in self._chunks)])
        self._chunks.clear()
        order = np.lexsort((hashes[:, 1], hashes[:, 0]))  # stable: of one key the latest stays last
        hashes, values, self._arrived = hashes[order], values[order], arrived[order]
        is_repeated = (hashes[1:] == hashes[:-1]).all(axis=1)
        is_same = values[1:] == values[:-1]
        is_last = np.append(~is_repeated, len(values) > 0)[: len(values)]
        self.total = len(values)
        self.corrected = int((is_repeated & ~is_same).sum())
        self.duplicate = int((is_repeated & is_same).sum())
        self._values = values[is_last]
        self._first_arrived = self._arrived[np.flatnonzero(np.append(True, is_last[:-1]))[: len(self._values)]]
        self._first, self._second = hashes[is_last, 0], hashes[is_last, 1]
        self._of_key = np.cumsum(np.append(0, is_last[:-1]))[: self.total]
        self._is_known = np.zeros(len(self._values), dtype=bool)
        self._row_arrived = np.zeros(len(self._values), dtype=np.int64)

    def of(self, keys: pd.Series[Any]) -> pd.Series[Any]:
        """Give the label of each key, missing where none has arrived."""
        import numpy as np
        import pandas as pd

        places = self._places(keys)
        found = places >= 0
        values = np.full(len(keys), np.nan)
        values[found] = self._values[places[found]]
        if self._texts is None:
            return pd.Series(values)
        texts = np.array([*self._texts, None], dtype=object)
        return pd.Series(texts[np.where(found, values, len(texts) - 1).astype(np.int64)], dtype="str")

    def meet(self, keys: pd.Series[Any], arrived: pd.Series[Any]) -> None:
        """Take note of rows that are there, and when they arrived (int64), in the order of their arrival."""
        import numpy as np

        places = self._places(keys)
        found = np.flatnonzero(places >= 0)[::-1]  # the first of equal keys is written last
        new = found[~self._is_known[places[found]]]
        self._row_arrived[places[new]] = arrived.to_numpy(dtype=np.int64)[new]
        self._is_known[places[new]] = True

    @property
    def unknown(self) -> int:
        """Count the labels of rows that were not met."""
        return int((~self._is_known[self._of_key]).sum())

    @property
    def late(self) -> int:
        """Count the labels that arrived after their row."""
        import numpy as np

        is_later = self._arrived > self._row_arrived[self._of_key]
        return int(np.sum(is_later & self._is_known[self._of_key]))

    def _places(self, keys: pd.Series[Any]) -> np.ndarray:
        """Give the place of each key among the distinct ones, -1 for one that is not there."""
        import numpy as np

        first, second = hash_texts(keys.to_numpy(dtype=object)).T
        places = np.full(len(keys), -1, dtype=np.int64)
        starts = self._first.searchsorted(first)
        for step in range(self._longest_tie()):
            candidates = np.minimum(starts + step, max(len(self._first) - 1, 0))
            hit = (self._first[candidates] == first) & (self._second[candidates] == second)
            places = np.where(hit, candidates, places)
        return places

    def _longest_tie(self) -> int:
        """Say how many distinct keys share the first half of their hash at most; practically 1."""
        return max((len(run) for run in self._ties()), default=1) if len(self._first) else 0

    def _ties(self) -> Iterator[np.ndarray]:
        import numpy as np

        same = np.flatnonzero(self._first[1:] == self._first[:-1])
        for run in np.split(same, np.flatnonzero(np.diff(same) > 1) + 1):
            yield np.append(run, 0)
