"""The distinct cells of a column, and what it says of them to read them as numbers or as dates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tasks.core.reading.store import PIECE_ROWS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    import numpy as np
    import pandas as pd

# What people type around a number without seeing it: blanks, hard blanks, the narrow ones of typography, a stray BOM.
BLANKS = " \t\r\n\u00a0\u202f\u2009\u2007\ufeff"
SHOWN_CHARACTERS = 40
Mark = Literal["", ".", ",", "open"]
SAMPLED_CELLS = 2000
MANY_CELLS = 10 * SAMPLED_CELLS


@dataclass(frozen=True)
class Distinct:
    """The distinct filled cells of a column, so that a rule looks at each of them once, or at most a few times.

    Attributes:
        cells: In the order in which they first stand, on a range index.
        counts: How many rows hold each, on the same index.
        codes: For each row the position of its cell, int32; -1 where it is empty.
    """

    cells: pd.Series[str]
    counts: pd.Series[int]
    codes: np.ndarray

    @classmethod
    def of(cls, cells: pd.Series[str]) -> Distinct:
        """Find the distinct cells of a column of text."""
        import numpy as np
        import pandas as pd

        filled = cells[cells != ""]
        if _nearly_each_is_another(filled):  # finding the few that are not would cost more than looking at them twice
            codes = np.full(len(cells), -1, dtype=np.int32)
            codes[filled.index] = np.arange(len(filled), dtype=np.int32)
            return cls(filled.reset_index(drop=True), pd.Series(1, index=range(len(filled))), codes)
        return cls._found(*_factorized(cells), str(cells.name))

    @classmethod
    def of_pieces(cls, pieces: Iterable[pd.Series[str]], name: str) -> Distinct:
        """Find the distinct cells of a long column, of which only a piece is in memory at a time unless nearly each is another one."""
        import numpy as np
        import pandas as pd

        codes, found, met = list[np.ndarray](), list[pd.Series](), 0
        remaining = iter(pieces)
        for piece in remaining:
            if _nearly_each_is_another(piece[piece != ""]):
                known = pd.concat([pd.Series("", index=[-1], dtype="str"), *found], ignore_index=True)
                before = [known.take(part + 1) for part in codes]
                return cls.of(pd.concat([*before, piece, *remaining], ignore_index=True).rename(name))
            own, distinct = _factorized(piece)
            codes.append(np.where(own < 0, own, own + met).astype(np.int32))
            found.append(distinct)
            met += len(distinct)
        places, distinct = pd.factorize(pd.concat(found, ignore_index=True))
        merged = np.append(places, -1).astype(np.int32)
        for part in codes:
            part[:] = merged[part]
        return cls._found(np.concatenate(codes), pd.Series(distinct, dtype="str"), name)

    @classmethod
    def _found(cls, codes: np.ndarray, distinct: pd.Series[str], name: str) -> Distinct:
        import numpy as np
        import pandas as pd

        # One place more than there are cells, at the beginning, counts the empty ones.
        counts = np.zeros(len(distinct) + 1, dtype=np.int64)
        for part in _parts(codes):
            counts += np.bincount(part + 1, minlength=len(counts))
        return cls(distinct.rename(name), pd.Series(counts[1:]), codes)

    def rows(self, chosen: pd.Series[bool]) -> np.ndarray:
        """Give the positions of the rows whose cell is chosen; a cell that is not on the index is not."""
        import numpy as np

        return np.flatnonzero(self._holds(chosen))

    def codes_of(self, chosen: pd.Series[bool]) -> np.ndarray:
        """Give the positions of the cells of these rows, in the order of the rows."""
        return self.codes[self._holds(chosen)]

    def _holds(self, chosen: pd.Series[bool]) -> np.ndarray:
        import numpy as np

        mask = chosen.reindex(range(len(self.cells)), fill_value=False).to_numpy(bool)
        return np.append(mask, np.False_)[self.codes]

    def spread(self, values: pd.Series) -> Spread:
        """Give each row the value of its cell; missing where the cell is empty or has none."""
        # One place more than there are cells: the code -1 of an empty cell finds the missing value there.
        return Spread(values.reindex(range(len(self.cells) + 1)).rename(str(self.cells.name)), self.codes)


@dataclass(frozen=True)
class Spread:
    """Values of rows that are known by their distinct cells, and made piece by piece when they are asked for.

    Attributes:
        known: The values, and below them the missing one.
        codes: For each row the position of its value; -1 for the missing one.
    """

    known: pd.Series
    codes: np.ndarray

    def __iter__(self) -> Iterator[pd.Series]:
        """Yield the values of the rows in pieces."""
        import numpy as np

        for part in _parts(self.codes):
            yield self.known.take(np.where(part < 0, len(self.known) - 1, part)).reset_index(drop=True)


def _nearly_each_is_another(filled: pd.Series[str]) -> bool:
    return len(filled) > MANY_CELLS and filled.iloc[:: len(filled) // SAMPLED_CELLS].nunique() > 0.9 * SAMPLED_CELLS


def _factorized(cells: pd.Series[str]) -> tuple[np.ndarray, pd.Series[str]]:
    import numpy as np
    import pandas as pd

    codes, distinct = pd.factorize(cells.where(cells != ""))
    return codes.astype(np.int32), pd.Series(distinct, dtype="str")


def _parts(codes: np.ndarray) -> list[np.ndarray]:
    """Cut codes into parts, at least one: what is made of them takes many times their memory."""
    return [codes[start : start + PIECE_ROWS] for start in range(0, max(1, len(codes)), PIECE_ROWS)]


@dataclass(frozen=True)
class Mixture:
    """Cells of one column that are written in another way than the rest, and were read all the same."""

    code: str
    cells: pd.Series[bool]
    detail: str


@dataclass(frozen=True)
class Reading:
    """Distinct cells read as numbers or as dates.

    Attributes:
        values: By distinct cell; missing where it cannot be read, or not for sure.
        notes: How the column writes them, in a few words each; empty for the plain way.
        mixtures: Where cells of the column are written in different ways.
        doubt: Why cells that look as if they could be read are not.
        reasons: The same for single cells.
        alike: The cells that look as if they could be read, whether they are or not.
        mark: Of numbers: the decimal mark that is sure; "open" where some have two readings, however they were read.
    """

    values: pd.Series
    notes: tuple[str, ...] = ()
    mixtures: tuple[Mixture, ...] = ()
    doubt: str = ""
    reasons: Mapping[int, str] = field(default_factory=dict[int, str])
    alike: Collection[int] = ()
    mark: Mark = ""


def shown(cell: str) -> str:
    """Quote a cell for a message, cut where it is long."""
    return repr(cell if len(cell) <= SHOWN_CHARACTERS else cell[:SHOWN_CHARACTERS] + "…")
