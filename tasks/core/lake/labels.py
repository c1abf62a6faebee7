"""Which label a row has: of those that had arrived the one that was observed last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks.core.lake.keys import hash_texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import pandas as pd

# Later than any label.
NEVER = 2**63 - 1


class LabelBook:
    """Labels of a lake, taken in the order of their arrival; 24 bytes each, whatever their keys look like, and 8 for a time.

    Of one key the last holds: the one that was observed last, and of those that were at one time the one that arrived last.

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
        self._firsts: list[np.ndarray] = []
        self._seconds: list[np.ndarray] = []
        self._codes: list[np.ndarray] = []
        self._times: list[np.ndarray] = []
        self._observed: list[np.ndarray] = []
        self._texts: dict[str, int] | None = None

    def add(
        self, keys: pd.Series[Any], values: pd.Series[Any], arrived: pd.Series[Any] | None = None, observed: pd.Series[Any] | None = None
    ) -> None:
        """Take in labels that arrived after all those before.

        Args:
            keys: Of their rows.
            values: The labels.
            arrived: When they did (int64), which is for counting only.
            observed: When that was seen which they say (int64); of all labels or of none, whose order is then that of their arrival.
        """
        import numpy as np

        if values.dtype != np.float64:
            self._texts = {} if self._texts is None else self._texts
            values = values.map(self._code)
        first, second = hash_texts(keys.to_numpy(dtype=object)).T.copy()
        self._firsts.append(first)
        self._seconds.append(second)
        self._codes.append(values.to_numpy(dtype=np.float64))
        if arrived is not None:
            self._times.append(arrived.to_numpy(dtype=np.int64))
        if observed is not None:
            self._observed.append(observed.to_numpy(dtype=np.int64))

    def _code(self, text: str) -> int:
        texts = self._texts if self._texts is not None else {}
        return texts.setdefault(text, len(texts))

    def close(self) -> None:
        """Put the labels in the order of their keys; then they can be asked for."""
        import numpy as np

        first, second = _joined(self._firsts, np.uint64), _joined(self._seconds, np.uint64)
        order = np.argsort(first)
        if (np.diff(first[order]) == 0).any():  # keys are repeated; else three times the work would be for nothing
            keys = (*([_joined(self._observed, np.int64)] if self._observed else []), second, first)
            order = np.lexsort(keys)  # stable: of one key and time the label that arrived last stays last
        first, second = first[order], second[order]
        values, self._arrived = _joined(self._codes, np.float64)[order], _joined(self._times, np.int64)
        self._arrived = self._arrived[order] if len(self._arrived) else self._arrived
        is_repeated = (first[1:] == first[:-1]) & (second[1:] == second[:-1])
        is_same = values[1:] == values[:-1]
        self.total = len(values)
        self.corrected = int((is_repeated & ~is_same).sum())
        self.duplicate = int((is_repeated & is_same).sum())
        self._is_last = np.append(~is_repeated, True)[: self.total]
        self._values = values[self._is_last]
        self._first: np.ndarray = first[self._is_last]
        self._second: np.ndarray = second[self._is_last]
        self._row_arrived: np.ndarray | None = None

    def arrived(self, keys: pd.Series[Any]) -> np.ndarray:
        """Give when the label of each key arrived (int64), 0 for one that is not there; only where times were taken in."""
        import numpy as np

        places = self._places(keys)
        return np.where(places >= 0, self._arrived[self._is_last][places] if len(self._arrived) else 0, 0)

    def of(self, keys: pd.Series[Any]) -> pd.Series[Any]:
        """Give the label of each key, missing where none has arrived."""
        import numpy as np
        import pandas as pd

        places = self._places(keys)
        found = places >= 0
        labels = np.full(len(keys), np.nan if self._texts is None else None)
        labels[found] = self._labels(places[found])
        return pd.Series(labels, dtype="float64" if self._texts is None else "str")

    def _labels(self, places: np.ndarray) -> np.ndarray:
        """Give the labels of distinct keys by their places."""
        import numpy as np

        values = self._values[places]
        return values if self._texts is None else np.array([*self._texts], dtype=object)[values.astype(np.int64)]

    def differing(self, other: LabelBook) -> int:
        """Count the keys whose label is another one in another book.

        >>> import pandas as pd
        >>> one, other = LabelBook(), LabelBook()
        >>> one.add(pd.Series(["a", "b"]), pd.Series([1.0, 2.0])), other.add(pd.Series(["b", "a"]), pd.Series([2.0, 9.0]))
        (None, None)
        >>> one.close(), other.close()
        (None, None)
        >>> one.differing(other)
        1
        """
        import numpy as np

        places = other._find(self._first, self._second)
        found = places >= 0
        mine, theirs = self._labels(np.flatnonzero(found)), other._labels(places[found])
        return int((mine != theirs).sum()) + int((~found).sum())

    def meet(self, keys: pd.Series[Any], arrived: pd.Series[Any]) -> None:
        """Take note of rows that are there, and when they arrived (int64), in the order of their arrival."""
        import numpy as np

        times = self._row_times()
        places = self._places(keys)
        found = np.flatnonzero(places >= 0)[::-1]  # the first of equal keys is written last
        new = found[times[places[found]] == NEVER]
        times[places[new]] = arrived.to_numpy(dtype=np.int64)[new]

    def _row_times(self) -> np.ndarray:
        """Give when the row of each distinct key arrived, as far as rows were met."""
        import numpy as np

        if self._row_arrived is None:
            self._row_arrived = np.full(len(self._values), NEVER)
        return self._row_arrived

    def _row_time_of_labels(self) -> np.ndarray:
        import numpy as np

        of_key = np.cumsum(np.append(0, self._is_last[:-1]))[: self.total]
        return self._row_times()[of_key]

    @property
    def unknown(self) -> int:
        """Count the labels of rows that were not met."""
        return int((self._row_time_of_labels() == NEVER).sum())

    @property
    def late(self) -> int:
        """Count the labels that arrived after their row."""
        return int((self._arrived > self._row_time_of_labels()).sum())

    def _places(self, keys: pd.Series[Any]) -> np.ndarray:
        """Give the place of each key among the distinct ones, -1 for one that is not there."""
        return self._find(*hash_texts(keys.to_numpy(dtype=object)).T)

    def _find(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        import numpy as np

        places = np.full(len(first), -1, dtype=np.int64)
        starts = np.searchsorted(self._first, first)
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


def _joined(chunks: list[np.ndarray], dtype: type[np.generic]) -> np.ndarray:
    """Join chunks, and let go of them: at ten million labels every copy counts."""
    import numpy as np

    joined = np.concatenate([np.zeros(0, dtype=dtype), *chunks])
    chunks.clear()
    return joined
