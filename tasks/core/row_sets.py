"""Which rows of a table: one bit for each, so that what millions fail for takes as little as what one does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np

    Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]
    Positions = np.ndarray[tuple[int], np.dtype[np.int64]]


class RowSet(Sequence[int]):
    """Positions of rows, ascending and each once.

    Args:
        bits: Eight rows in a byte, the first in the highest bit, as `numpy.packbits` gives them.

    >>> rows = RowSet.of([7, 2])
    >>> len(rows), list(rows), rows.mask(1, 4).tolist()
    (2, [2, 7], [False, True, False])
    """

    def __init__(self, bits: bytes = b"") -> None:
        self._bits = bits.rstrip(b"\0")
        self._count = int.from_bytes(self._bits, "big").bit_count()

    @classmethod
    def of(cls, positions: Iterable[int]) -> RowSet:
        """Take positions, in any order."""
        import numpy as np

        rows = np.fromiter(positions, dtype=np.int64)
        mask = np.zeros(int(rows.max(initial=-1)) + 1, dtype=bool)
        mask[rows] = True
        return cls.where(mask)

    @classmethod
    def where(cls, mask: Mask) -> RowSet:
        """Take the rows for which it is true."""
        import numpy as np

        return cls(np.packbits(mask).tobytes())

    def mask(self, start: int, stop: int) -> Mask:
        """Say of each row from one position to before another whether it is among these."""
        import numpy as np

        first, last = start // 8, -(-stop // 8)
        bits = np.frombuffer(self._bits[first:last].ljust(last - first, b"\0"), dtype=np.uint8)
        return np.unpackbits(bits)[start - 8 * first :][: stop - start].astype(bool)

    def positions(self) -> Positions:
        """Give the positions, int64."""
        return self.mask(0, 8 * len(self._bits)).nonzero()[0]

    def union(self, other: RowSet) -> RowSet:
        """Give the rows of either."""
        size = max(len(self._bits), len(other._bits))
        one, two = (int.from_bytes(bits.ljust(size, b"\0"), "big") for bits in (self._bits, other._bits))
        return RowSet((one | two).to_bytes(size, "big"))

    def __len__(self) -> int:
        """Count the rows."""
        return self._count

    def __iter__(self) -> Iterator[int]:
        """Yield the positions."""
        yield from self.positions().tolist()

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[int]: ...
    def __getitem__(self, place: int | slice) -> int | Sequence[int]:
        """Give the position at a place, or those at some."""
        return self.positions()[place].tolist()

    def __eq__(self, other: object) -> bool:
        """Say whether these are the same rows."""
        return isinstance(other, RowSet) and self._bits == other._bits

    def __hash__(self) -> int:
        """Hash the rows, not the object."""
        return hash(self._bits)

    def __repr__(self) -> str:
        """Write the first few positions."""
        shown = ", ".join(map(str, self[:5]))
        return f"RowSet({shown}{f' and {len(self) - 5:,} more' if len(self) > 5 else ''})"


NO_ROWS = RowSet()
