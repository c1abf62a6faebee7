"""Columns that are kept in pieces: in memory while they are small, else in a file that vanishes with the process."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, overload

from tasks.core.reading import blob
from tasks.core.reading.blob import Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy as np
    import pandas as pd

PIECE_ROWS = 100_000


def _cut(pieces: Iterable[pd.Series]) -> Iterator[pd.Series]:
    """Cut a column that comes in pieces anew, so that all columns are in equal ones; it is one piece at least, be it empty."""
    waiting, rows, is_empty = list["pd.Series"](), 0, True
    for piece in pieces:
        start = 0
        while start < len(piece) or is_empty:
            waiting.append(piece.iloc[start : start + PIECE_ROWS - rows])
            start, rows, is_empty = start + len(waiting[-1]), rows + len(waiting[-1]), False
            if rows == PIECE_ROWS:
                yield _joined(waiting)
                waiting, rows = [], 0
    if waiting:
        yield _joined(waiting)


def _joined(parts: list[pd.Series]) -> pd.Series:
    import pandas as pd

    return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)


@dataclass
class Piece:
    """A part of a column: held, or where it stands in the file of its store."""

    values: pd.Series | None
    rows: int
    spool: Spool
    dtype: object
    at: int = 0
    size: int = 0

    def load(self) -> pd.Series:
        """Give the values on a range index."""
        import pandas as pd

        if self.values is not None:
            return self.values
        return pd.read_feather(io.BytesIO(self.spool.blob().read(self.at, self.size)))["0"]

    def put_away(self) -> None:
        """Move the values to the file."""
        if self.values is None:
            return
        written = io.BytesIO()
        self.values.reset_index(drop=True).rename("0").to_frame().to_feather(written, compression="uncompressed")
        self.at, self.size, self.values = self.spool.write(written.getvalue()), written.tell(), None


class Store:
    """Keeps pieces of columns, and moves them to a file once they are more than memory should hold."""

    def __init__(self, held_bytes: int | None = None) -> None:
        self._held_bytes = blob.HELD_BYTES if held_bytes is None else held_bytes
        self._spool = Spool(held_bytes=0)
        self._held: list[Piece] = []
        self._size = 0

    def keep(self, values: pd.Series) -> Piece:
        """Take a part of a column."""
        piece = Piece(values, len(values), self._spool, values.dtype)
        self._held.append(piece)
        self._size += int(values.nbytes)
        if self._size > self._held_bytes:
            for each in self._held:
                each.put_away()
            self._held, self._size = [], 0
        return piece


class Columns(Sequence["pd.Series"]):
    """Columns of equal length; each is put together when it is asked for.

    >>> import pandas as pd
    >>> columns = Columns.of([pd.Series(["a", "b"]), pd.Series(["1", "2"])])
    >>> len(columns), columns[1].tolist()
    (2, ['1', '2'])
    """

    def __init__(self, store: Store | None = None) -> None:
        self.store = store or Store()
        self._pieces: list[list[Piece]] = []

    @classmethod
    def of(cls, columns: Iterable[pd.Series], store: Store | None = None) -> Columns:
        """Keep whole columns, one after the other."""
        made = cls(store)
        for column in columns:
            made.add(column)
        return made

    def add(self, column: pd.Series) -> None:
        """Keep a further column."""
        self.add_pieces([column])

    def add_pieces(self, pieces: Iterable[pd.Series]) -> None:
        """Keep a further column that comes in pieces of any length."""
        self._pieces.append(self._kept(pieces))

    def put_pieces(self, place: int, pieces: Iterable[pd.Series]) -> None:
        """Keep a column in the place of another one."""
        self._pieces[place] = self._kept(pieces)

    def _kept(self, pieces: Iterable[pd.Series]) -> list[Piece]:
        return [self.store.keep(part) for part in _cut(pieces)]

    def extend(self, columns: Sequence[pd.Series]) -> None:
        """Keep further rows of all columns."""
        if not self._pieces:
            self._pieces = [[] for _ in columns]
        for pieces, column in zip(self._pieces, columns, strict=True):
            pieces.append(self.store.keep(column))

    def change(self, place: int, how: Callable[[pd.Series], pd.Series]) -> None:
        """Keep what is made of a column, piece by piece."""
        self._pieces[place] = [self.store.keep(how(piece.load())) for piece in self._pieces[place]]

    @property
    def dtypes(self) -> list[object]:
        """Give the dtype of each column."""
        return [pieces[0].dtype for pieces in self._pieces]

    def __len__(self) -> int:
        """Count the columns."""
        return len(self._pieces)

    @overload
    def __getitem__(self, place: int) -> pd.Series: ...
    @overload
    def __getitem__(self, place: slice) -> Columns: ...
    def __getitem__(self, place: int | slice) -> pd.Series | Columns:
        """Give a whole column on a range index, or some of the columns."""
        if isinstance(place, slice):
            some = Columns(self.store)
            some._pieces = self._pieces[place]
            return some
        return _joined([piece.load() for piece in self._pieces[place]])

    def pieces(self, place: int) -> Iterator[pd.Series]:
        """Yield the parts of a column, one at a time."""
        for piece in self._pieces[place]:
            yield piece.load()

    def count_pieces(self) -> int:
        """Count the parts that the columns are kept in."""
        return max(map(len, self._pieces), default=0)

    def frames(self) -> Iterator[list[pd.Series]]:
        """Yield the rows in parts; all columns are in equal pieces."""
        for parts in zip(*self._pieces, strict=True):
            yield [part.load() for part in parts]

    def rows(self, places: Sequence[int]) -> list[tuple[str, ...]]:
        """Give the cells of a few rows of text."""
        import numpy as np

        if not len(places):
            return []
        return list(zip(*(self._cells(pieces, np.asarray(places)) for pieces in self._pieces), strict=True))

    @staticmethod
    def _cells(pieces: Sequence[Piece], places: np.ndarray) -> list[str]:
        """Give cells of a column, in the order asked for; pieces that hold none of them stay where they are."""
        import numpy as np

        found = np.empty(len(places), dtype=object)
        start = 0
        for piece in pieces:
            is_here = (places >= start) & (places < start + piece.rows)
            if is_here.any():
                found[is_here] = piece.load().to_numpy(dtype=object)[places[is_here] - start]
            start += piece.rows
        return found.tolist()

    def take(self, rows: np.ndarray) -> Columns:
        """Keep some rows, by position."""
        return Columns.of((column.iloc[rows].reset_index(drop=True) for column in self), self.store)

    def below(self, other: Columns) -> Columns:
        """Give these rows, and those of another below them."""
        both = Columns(self.store)
        both._pieces = [[*upper, *lower] for upper, lower in zip(self._pieces, other._pieces, strict=True)]
        return both
