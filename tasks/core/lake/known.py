"""Which rows of a batch the lake has already, and which come under a key of other rows.

Where a use case names its rows by a key, a key stands for one row. A row with the key and the cells of another is *known*; one
with other cells *differs*. Cells are held against one another by their hashes, so that millions of rows are looked up in little memory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tasks.core.lake.keys import hash_cells

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import numpy as np
    import pandas as pd

NAMED_ROWS = 10_000  # of rows that differ so many are told in which columns
NAMED_COLUMNS = 3
OTHER_VALUES = "its key came before with other values"
FEW_ROWS = 10  # up to so many rows that differ from rows of the lake are corrections, however small their batch
NEARLY_ALL = 0.9  # of the rows that differ: a column that differs in so many has been changed, or names no row
DIGITS = 9  # of a number of 32 bits; one that was kept in them and has more was rounded there
LOOKED_AT = 1_000


def hash_keys(df: pd.DataFrame, key: Sequence[str]) -> np.ndarray:
    """Hash the key of each row to two uint64; shape (rows, 2). Keys that are written alike are one: -0.0 is 0.0.

    >>> import pandas as pd
    >>> one, other = hash_keys(pd.DataFrame({"id": [0.0, -0.0], "x": [1.0, 2.0]}), ["id"]).tolist()
    >>> one == other
    True
    """
    return hash_cells(df[[*key]].assign(**{name: df[name] + 0.0 for name in key if df[name].dtype.kind == "f"}))


def was_rounded(numbers: pd.Series[float]) -> bool:
    """Say whether numbers were kept in 32 bits once: all of them fit there, and one has more digits than it had before.

    >>> import pandas as pd
    >>> was_rounded(pd.Series([0.1, 0.5]).astype("float32").astype("float64")), was_rounded(pd.Series([0.1, 0.5]))
    (True, False)
    """
    import numpy as np

    present = numbers.dropna().head(LOOKED_AT).to_numpy()
    is_short = bool((present == _rounded(present)).all())
    return is_short and any(float(f"{number:.{DIGITS}g}") != number for number in present[np.isfinite(present)].tolist())


def rounded(df: pd.DataFrame, names: Collection[str]) -> pd.DataFrame:
    """Round some columns of numbers to what 32 bits keep."""
    return df.assign(**{name: _rounded(df[name].to_numpy()) for name in names if name in df})


def _rounded(numbers: np.ndarray) -> np.ndarray:
    import numpy as np

    with np.errstate(over="ignore"):
        return numbers.astype(np.float32).astype(np.float64)


def hash_features(df: pd.DataFrame) -> np.ndarray:
    """Hash the cells of each row to one uint64, likewise."""
    return hash_keys(df, list(df.columns))[:, 0]


class KeyBook:
    """The keys of a batch, 12 bytes each, ready to be looked up.

    >>> import pandas as pd
    >>> book = KeyBook()
    >>> book.add(hash_keys(pd.DataFrame({"id": ["a", "b", "c", "b"]}), ["id"]))
    >>> book.close()
    >>> book.meet(hash_keys(pd.DataFrame({"id": ["z", "c"]}), ["id"])).tolist()
    [False, True]
    >>> book.met_or_repeated().tolist(), book.unmet().tolist()
    ([1, 2, 3], [0, 1, 3])
    """

    def __init__(self) -> None:
        self._chunks: list[np.ndarray] = []

    def add(self, hashes: np.ndarray) -> None:
        """Take in the keys of the next rows."""
        self._chunks.append(hashes[:, 0].copy())

    def close(self) -> None:
        """Sort the keys; then they can be looked up."""
        import numpy as np

        hashes = np.concatenate([np.zeros(0, dtype=np.uint64), *self._chunks])
        self._chunks.clear()
        self._order = np.argsort(hashes).astype(np.uint32 if len(hashes) < 2**32 else np.int64)
        self.keys: np.ndarray = hashes[self._order]
        self._is_met = np.zeros(len(hashes), dtype=bool)

    def meet(self, hashes: np.ndarray) -> np.ndarray:
        """Say of keys that the lake has whether they are among these, and take note of it."""
        import numpy as np

        asked: np.ndarray = hashes[:, 0]
        if not len(self.keys):
            return np.zeros(len(asked), dtype=bool)
        order = np.argsort(asked)  # looked up in their order, which is twice as fast as in any other
        places = np.empty(len(asked), dtype=np.int64)
        places[order] = np.searchsorted(self.keys, asked[order])
        found = self.keys[np.minimum(places, len(self.keys) - 1)] == asked
        self._is_met[places[found]] = True
        return found

    def unmet(self) -> np.ndarray:
        """Give the places in the batch, ascending, of rows whose key the lake does not have."""
        import numpy as np

        is_first = np.append(True, self.keys[1:] != self.keys[:-1])[: len(self.keys)]
        return self._at(~self._is_met[is_first][np.cumsum(is_first) - 1])

    def met_or_repeated(self) -> np.ndarray:
        """Give the places in the batch, ascending, of rows whose key the lake has or another of its rows."""
        wanted, is_as_next = self._is_met.copy(), self.keys[1:] == self.keys[:-1]
        wanted[1:] |= is_as_next
        wanted[:-1] |= is_as_next
        return self._at(wanted)

    def _at(self, mask: np.ndarray) -> np.ndarray:
        """Give the places in the batch, ascending, of some of the sorted keys."""
        import numpy as np

        return np.sort(self._order[mask]).astype(np.int64)


@dataclass(frozen=True)
class Cells:
    """Rows by the hashes of their keys, shape (rows, 2), and of their features, and by their labels, missing where they have none."""

    keys: np.ndarray
    features: np.ndarray
    labels: pd.Series[Any]

    @classmethod
    def joined(cls, parts: Sequence[Cells]) -> Cells:
        """Put parts together."""
        import numpy as np
        import pandas as pd

        keys = np.concatenate([np.zeros((0, 2), dtype=np.uint64), *(part.keys for part in parts)])
        features = np.concatenate([np.zeros(0, dtype=np.uint64), *(part.features for part in parts)])
        labels = [part.labels for part in parts if len(part.labels)]
        return cls(keys, features, pd.concat(labels, ignore_index=True) if labels else pd.Series([], dtype="float64"))

    @property
    def has_rounded_labels(self) -> bool:
        """Say whether the labels are numbers that were kept in 32 bits."""
        return self.labels.dtype.kind == "f" and was_rounded(self.labels)

    def rounding_labels(self) -> Cells:
        """Give the same rows, their labels rounded to what 32 bits keep."""
        return replace(self, labels=rounded(self.labels.to_frame("label"), ["label"])["label"])


@dataclass(frozen=True)
class Settled:
    """What becomes of rows that share a key: places in the batch, ascending.

    Attributes:
        known: They stand there already: in the lake, or before in the batch.
        late: Those of them that bring the label of a row that had none.
        differing: Other cells stand there already.
        beside: Of each that differs, the place of the row in the batch that it differs from; -1 where that is in the lake.
    """

    known: np.ndarray
    late: np.ndarray
    differing: np.ndarray
    beside: np.ndarray


@dataclass(frozen=True)
class Meeting:
    """Rows of a batch that share a key with one another or with rows of the lake, in the order of their keys, then of their places.

    Attributes:
        places: Where they stand in the batch.
        keys: The hashes of their keys, shape (rows, 2).
        features: The hashes of their features.
        labels: The codes of their labels; -1 for none.
        is_stored: Whether the lake has their key.
        is_equal: Whether it has their features under it.
        stored: The code of the label that it has for the key; -1 for none.
    """

    places: np.ndarray
    keys: np.ndarray
    features: np.ndarray
    labels: np.ndarray
    is_stored: np.ndarray
    is_equal: np.ndarray
    stored: np.ndarray

    @classmethod
    def of(cls, places: np.ndarray, cells: Cells, lake: Cells) -> Meeting:
        """Hold rows of a batch, at ascending places, against rows of the lake."""
        import numpy as np
        import pandas as pd

        codes = pd.factorize(pd.concat([cells.labels, lake.labels], ignore_index=True))[0].astype(np.int32)
        order, rank = (np.lexsort((some.keys[:, 1], some.keys[:, 0])) for some in (cells, lake))
        keys, features, stored = cells.keys[order], cells.features[order], np.full(len(order), -1, dtype=np.int32)
        is_stored, is_equal = np.zeros(len(order), dtype=bool), np.zeros(len(order), dtype=bool)
        theirs, their_labels = lake.keys[rank, 0], codes[len(order) :][rank]
        starts, ends = (np.searchsorted(theirs, keys[:, 0], side) for side in ("left", "right"))
        for step in range(int((ends - starts).max(initial=0))):
            here = np.flatnonzero(starts + step < ends)
            here = here[lake.keys[rank[starts[here] + step], 1] == keys[here, 1]]
            at = starts[here] + step
            is_stored[here], stored[here] = True, their_labels[at]
            is_equal[here] |= lake.features[rank[at]] == features[here]
        return cls(places[order], keys, features, codes[order], is_stored, is_equal, stored)

    def split(self) -> tuple[Meeting, Meeting]:
        """Part the rows whose key the lake has from those whose key others of the batch have alone."""
        parts = ({name: values[mask] for name, values in vars(self).items()} for mask in (self.is_stored, ~self.is_stored))
        one, other = (Meeting(**part) for part in parts)
        return one, other

    def settle(self, is_out: np.ndarray | None = None) -> Settled:
        """Say what becomes of each; of rows that no row of the lake speaks for, the first stands.

        Args:
            is_out: Of each whether it is set aside anyway, and so stands for nothing; none is by default.
        """
        import numpy as np

        here, group = np.arange(len(self.places)), _Groups(self.keys)
        is_in = np.ones(len(here), dtype=bool) if is_out is None else ~is_out
        first = group.first(is_in)  # of each row the one that stands for its key where the lake has none
        is_same = np.where(self.is_stored, self.is_equal, self.features == self.features[first]) & is_in
        labels = np.where(is_same, self.labels, -1)
        teller = group.first(labels >= 0)
        told = np.where(self.stored >= 0, self.stored, labels[teller])
        is_kept = ~self.is_stored & (here == first) & is_in
        known = is_same & ~is_kept & ((labels < 0) | (labels == told))
        late = known & (labels >= 0) & (self.stored < 0) & (here == teller)
        differing = np.flatnonzero(is_in & ~known & ~is_kept)
        differing = differing[np.argsort(self.places[differing])]
        beside = np.where(self.is_stored, -1, self.places[first])[differing]
        return Settled(np.sort(self.places[known]), np.sort(self.places[late]), self.places[differing], beside)


@dataclass(frozen=True)
class _Groups:
    """Rows in the order of their keys, then of their places."""

    keys: np.ndarray

    def first(self, mask: np.ndarray) -> np.ndarray:
        """Give of each row the first of its key for which it is true; the row itself where there is none."""
        import numpy as np

        here = np.arange(len(mask))
        if not len(here):
            return here
        is_start = np.append(True, (self.keys[1:] != self.keys[:-1]).any(axis=1))
        best = np.minimum.reduceat(np.where(mask, here, len(here)), np.flatnonzero(is_start))
        of_row = best[np.cumsum(is_start) - 1]
        return np.where(of_row < len(here), of_row, here)


@dataclass(frozen=True)
class Looked:
    """What the lake was like when keys were looked up in it.

    Attributes:
        keys: Gives the hashes of the keys, sorted; seldom asked for, and so not held.
        batches: The batches that it held, by arrival in microseconds and digest.
    """

    keys: Callable[[], np.ndarray]
    batches: frozenset[tuple[int, str]] = frozenset()


def name_differences(rows: pd.DataFrame, beside: pd.DataFrame, target: str = "") -> list[str]:
    """Say of each row in which columns it differs from the one beside it, of the target where both have one.

    >>> import pandas as pd
    >>> name_differences(pd.DataFrame({"x": [1.0, 2.0], "y": [None, 1.0]}), pd.DataFrame({"x": [1.0, 3.0], "y": [None, 2.0]}))
    ['its key came before with other values', "its key came before with other values in columns 'x', 'y'"]
    """
    import numpy as np

    is_other = find_differences(rows, beside, target).to_numpy()
    kinds, groups = np.unique(is_other, axis=0, return_inverse=True)
    texts = [_told([name for name, is_in in zip(rows.columns, kind, strict=True) if is_in]) for kind in kinds]
    return [texts[group] for group in groups.ravel()]


def find_differences(rows: pd.DataFrame, beside: pd.DataFrame, target: str = "") -> pd.DataFrame:
    """Say of each cell whether it is another one than the one beside it, of the target where both have one."""
    import pandas as pd

    return pd.DataFrame({name: _differ(rows[name], beside[name], is_lenient=name == target) for name in rows.columns})


def find_changed(shares: Mapping[str, float]) -> list[str]:
    """Name the columns whose change makes rows differ from what came before; none where rows differ as a whole.

    Args:
        shares: Of each column in how many of the rows that differ it does; of those of the key in none.

    >>> find_changed({"size": 1.0, "rooms": 0.05, "price": 0.0}), find_changed({"size": 1.0, "rooms": 0.8, "price": 1.0})
    (['size'], [])
    """
    changed = [name for name, share in shares.items() if share >= NEARLY_ALL]
    scattered = [name for name, share in shares.items() if share]
    return (changed or scattered) if 2 * len(changed) <= len(shares) else []


def say_refused(key: Sequence[str], target: str, differing: int, rows: int, changed: Sequence[str]) -> str:
    """Say why a batch is refused of which most rows differ from what their keys stand for, and what helps.

    >>> say_refused(["id"], "price", 30, 40, ["price"])
    "30 of 40 rows bring another 'price' than the one that came under their key; to correct it, deliver 'id' and 'price' with --labels"
    """
    told = f"{differing:,} of {rows:,} rows"
    if [*changed] == [target]:
        how = f"to correct it, deliver {', '.join(map(repr, key))} and '{target}' with --labels"
        return f"{told} bring another '{target}' than the one that came under their key; {how}"
    if changed:
        how = "mend the source; rows cannot be changed in a lake, and another use case begins with these"
        return f"{told} have a key that came before with other values in {name_some(changed)}; {how}"
    named = " and ".join(map(repr, key))
    how = "name in key: all columns that do so together, and another use case where its lake was begun already"
    return f"{told} have a key that another row has with other values: {named} names more than one row; {how}"


def say_restated(target: str, differing: int, rows: int, changed: Sequence[str]) -> str:
    """Say what a person decides about a batch that brings new rows, and old ones with columns restated; empty where none are.

    >>> say_restated("price", 30, 40, ["size"])
    "30 of 40 rows ... with other values in 'size'; mend the source, or accepted, they are set aside and its new rows come in"
    """
    if not changed or [*changed] == [target]:
        return ""
    told = f"{differing:,} of {rows:,} rows have a key that came before with other values in {name_some(changed)}"
    return f"{told}; mend the source, or accepted, they are set aside and its new rows come in"


def _told(names: Sequence[str]) -> str:
    if not names:
        return OTHER_VALUES
    return f"{OTHER_VALUES} in column{'s' if len(names) > 1 else ''} {name_some(names)}"


def name_some(names: Sequence[str]) -> str:
    """Name the first few of some columns."""
    more = f" and {len(names) - NAMED_COLUMNS} more" if len(names) > NAMED_COLUMNS else ""
    return ", ".join(map(repr, names[:NAMED_COLUMNS])) + more


def _differ(some: pd.Series[Any], others: pd.Series[Any], *, is_lenient: bool) -> np.ndarray:
    import numpy as np

    one, other = some.isna().to_numpy(dtype=bool), others.isna().to_numpy(dtype=bool)
    unequal = (some.reset_index(drop=True).astype(object) != others.reset_index(drop=True).astype(object)).to_numpy(dtype=bool)
    return np.where(one | other, (one != other) & (not is_lenient), unequal)
