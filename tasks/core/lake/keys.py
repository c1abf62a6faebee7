"""What names a row, and what names a sequence of rows: keys and digests that depend on nothing but the cells."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from tasks.core.errors import DataRefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd

    from tasks.core.lake.columns import Columns

# Two odd numbers, so that the two halves of a hash differ.
STEPS = (0x9E3779B97F4A7C15, 0xD1B54A32D192ED03)
MISSING = 2**64 - 1
HALVES = ("0123456789123456", "evergreen lake 2")


class RowKeys:
    """Names the rows of one batch, chunk after chunk.

    A row is named by its key columns; without any by a hash of all its cells, with `-2`, `-3` … from the second equal row on.
    The same batch is named the same way however it is cut into chunks.

    Args:
        key: Columns whose cells name a row; none for the hash.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"town": ["Lyon", "Porto", "Lyon"], "day": [1.0, 2.0, 1.0]})
    >>> RowKeys(["town", "day"]).of(rows).tolist()
    ['Lyon|1', 'Porto|2', 'Lyon|1']
    >>> [name[32:] for name in RowKeys().of(rows)]
    ['', '', '-2']
    """

    def __init__(self, key: Sequence[str] = ()) -> None:
        self._key = key
        self._seen = _Counter()

    def of(self, df: pd.DataFrame, *, first_row: int = 1) -> pd.Series[str]:
        """Name the rows of the next chunk, which must hold declared kinds.

        Raises:
            DataRefusedError: a key column is absent, or a cell of one is missing.
        """
        import pandas as pd

        names = self._from_columns(df, first_row) if self._key else self._from_hashes(df)
        return pd.Series(names, dtype="str")

    def _from_columns(self, df: pd.DataFrame, first_row: int) -> list[str]:
        parts: list[list[str]] = []
        for name in self._key:
            if name not in df.columns:
                message = f"there is no column '{name}' to name rows by (available: {', '.join(df.columns)})"
                raise DataRefusedError(message, where=name)
            is_missing = df[name].isna().to_numpy(dtype=bool)
            if is_missing.any():
                row = first_row + int(is_missing.argmax())
                message = f"column '{name}', row {row:,} is empty, and it names the row; fill it, or set the row aside"
                raise DataRefusedError(message, where=name)
            parts.append(_as_text(df[name]))
        if len(parts) == 1:
            return parts[0]
        return ["|".join(cell.replace("\\", "\\\\").replace("|", "\\|") for cell in row) for row in zip(*parts, strict=True)]

    def _from_hashes(self, df: pd.DataFrame) -> list[str]:
        import numpy as np

        hashes = hash_cells(df)
        digits = hashes.astype(">u8").tobytes().hex()
        earlier = self._seen.count(hashes[:, 0])
        names = [digits[start : start + 32] for start in range(0, len(digits), 32)]
        for position in np.flatnonzero(earlier):
            names[position] += f"-{earlier[position] + 1}"
        return names


class _Counter:
    """Counts how often each hash came before, in 8 bytes for each: sorted runs, of which two of a size become one."""

    def __init__(self) -> None:
        self._runs: list[np.ndarray] = []

    def count(self, hashes: np.ndarray) -> np.ndarray:
        """Say of each hash how often it came before."""
        import numpy as np

        order = np.argsort(hashes, kind="stable")
        ranked, places = hashes[order], np.arange(len(hashes))
        is_first = np.append(True, ranked[1:] != ranked[:-1])[: len(ranked)]
        earlier = places - np.maximum.accumulate(np.where(is_first, places, 0))
        for run in self._runs:  # looked up in their order, which is twice as fast as in any other
            left = np.searchsorted(run, ranked)
            hit = np.flatnonzero(run[np.minimum(left, len(run) - 1)] == ranked)
            earlier[hit] += np.searchsorted(run, ranked[hit], "right") - left[hit]
        self._add(ranked)
        counted = np.empty_like(earlier)
        counted[order] = earlier
        return counted

    def _add(self, run: np.ndarray) -> None:
        import numpy as np

        if len(run):
            self._runs.append(run)
        while len(self._runs) > 1 and len(self._runs[-2]) <= 2 * len(self._runs[-1]):
            last = self._runs.pop()
            self._runs[-1] = np.sort(np.concatenate([self._runs[-1], last]), kind="stable")


class Digest:
    """Digests rows in their order, exactly and chunk after chunk: other bits, another digest.

    Missing is missing whatever its bits; -0.0 is not 0.0, and an integer keeps its last digit. `splits.content_digest`, which
    stands for what a model sees, is coarser in these two.

    >>> import pandas as pd
    >>> from tasks.core.lake.columns import declare
    >>> rows = pd.DataFrame({"x": [1.0, 2.0]})
    >>> whole, halves = Digest(declare(rows)), Digest(declare(rows))
    >>> whole.add(rows), halves.add(rows[:1]), halves.add(rows[1:])
    (None, None, None)
    >>> whole.hex() == halves.hex()
    True
    """

    def __init__(self, columns: Columns) -> None:
        self._hash = hashlib.sha256(repr([(column.name, column.kind) for column in columns.columns]).encode())

    def add(self, df: pd.DataFrame) -> None:
        """Take the next rows in."""
        self._hash.update(hash_cells(df).astype("<u8").tobytes())

    def hex(self) -> str:
        """Give 64 hexadecimal digits."""
        return self._hash.hexdigest()


def hash_cells(df: pd.DataFrame) -> np.ndarray:
    """Hash each row to two uint64, by column order and not by names; shape (rows, 2).

    >>> import pandas as pd
    >>> a, b = hash_cells(pd.DataFrame({"x": [0.0, -0.0]})).tolist()
    >>> a == b
    False
    """
    import numpy as np

    halves = np.zeros((2, len(df)), dtype=np.uint64)
    for name in df.columns:
        cells = _hash_column(df[name])
        for half, step in zip(halves, STEPS, strict=True):
            half[:] = _mix((half ^ cells) + np.uint64(step))
    return np.ascontiguousarray(halves.T)


def hash_texts(texts: np.ndarray) -> np.ndarray:
    """Hash an object array of texts to two uint64 each, so that equal hashes are equal texts; shape (texts, 2)."""
    import numpy as np

    return np.column_stack([hash_shortly(texts, half) for half in HALVES])


def hash_shortly(texts: np.ndarray, half: str = HALVES[0]) -> np.ndarray:
    """Hash an object array of texts to one uint64 each, by default the first of `hash_texts`; shape (texts,)."""
    import pandas as pd

    return pd.util.hash_array(texts, hash_key=half, categorize=False)


def _hash_column(cells: pd.Series[Any]) -> np.ndarray:
    import numpy as np
    import pandas as pd

    if cells.dtype == "str":
        # Not `categorize=True`: pandas' own table of texts ends each at its first NUL.
        codes, distinct = cells.array.factorize()
        hashes = pd.util.hash_array(distinct.to_numpy(dtype=object), categorize=False)
        return np.append(hashes, np.uint64(MISSING))[codes]
    if cells.dtype.kind == "M":
        values = cells.dt.tz_localize(None).to_numpy() if getattr(cells.dtype, "tz", None) else cells.to_numpy()
        return _mix(values.astype(np.int64).view(np.uint64))
    values = cells.to_numpy()
    if values.dtype == np.float64:
        values = np.where(np.isnan(values), np.nan, values)
        return _mix(values.view(np.uint64))
    return _mix(values.astype(np.int64).view(np.uint64))


def _mix(values: np.ndarray) -> np.ndarray:
    """Spread uint64 evenly over their range (splitmix64, Steele et al. 2014)."""
    import numpy as np

    with np.errstate(over="ignore"):
        mixed = values + np.uint64(STEPS[0])
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))


def _as_text(cells: pd.Series[Any]) -> list[str]:
    """Write the cells of a key as a person would: whole numbers without a fraction, times as ISO 8601."""
    if cells.dtype == "str":
        return cells.tolist()
    if cells.dtype.kind == "f":
        return [f"{value:.0f}" if value == round(value, 0) and abs(value) < 2**53 else repr(value) for value in (cells + 0.0).tolist()]
    if cells.dtype.kind == "M":
        return [value.isoformat() for value in cells]
    return [str(value).lower() for value in cells.tolist()]
