"""The distinct cells of a column, and what it says of them to read them as numbers or as dates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

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
        codes: For each row the position of its cell; -1 where it is empty.
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
        if len(filled) > MANY_CELLS and filled.iloc[:: len(filled) // SAMPLED_CELLS].nunique() > 0.9 * SAMPLED_CELLS:
            # Nearly each is another one: finding the few that are not would cost more than looking at them twice.
            codes = np.full(len(cells), -1)
            codes[filled.index] = np.arange(len(filled))
            return cls(filled.reset_index(drop=True), pd.Series(1, index=range(len(filled))), codes)
        codes, distinct = pd.factorize(cells.where(cells != ""))
        counts = np.bincount(codes[codes >= 0], minlength=len(distinct))
        return cls(pd.Series(distinct, dtype="str", name=cells.name), pd.Series(counts), codes)

    def rows(self, chosen: pd.Series[bool]) -> np.ndarray:
        """Give the positions of the rows whose cell is chosen; a cell that is not on the index is not."""
        import numpy as np

        mask = chosen.reindex(range(len(self.cells)), fill_value=False).to_numpy(bool)
        return np.flatnonzero(np.append(mask, np.False_)[self.codes])

    def spread(self, values: pd.Series) -> pd.Series:
        """Give each row the value of its cell; missing where the cell is empty or has none."""
        import numpy as np
        import pandas as pd

        # One place more than there are cells: the code -1 of an empty cell finds the missing value there.
        known = values.reindex(range(len(self.cells) + 1)).array
        return pd.Series(known.take(np.where(self.codes < 0, len(self.cells), self.codes)), name=self.cells.name)


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
