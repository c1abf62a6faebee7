"""What stands above the rows of a table and again among them: its names, other lines of its head, or the names of another table."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from tasks.core.reading.shapes import shape_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Again = Literal["", "head", "other names"]
FEWEST_NAMES = 3  # of two names each may well be a value of the other column
FIRST_CELLS = 2  # one of them betrays names, so that no more columns have to be searched


@dataclass(frozen=True)
class Head:
    """The lines above the rows of a table.

    Attributes:
        names: Of the columns, as they stand; empty where nothing names them.
        lines: Cells of all lines above the first row, the names among them.
    """

    names: tuple[str, ...] = ()
    lines: frozenset[tuple[str, ...]] = frozenset()

    @cached_property
    def signs(self) -> frozenset[str]:
        """Give what one of the first two cells of a row holds that is more than a row."""
        spelled = {spelling for name in self.names if name for spelling in (name, name.upper(), name.lower())}
        return frozenset(spelled).union(*(cells[:FIRST_CELLS] for cells in self.lines)) - {""}

    def is_again(self, cells: Sequence[str]) -> Again:
        """Say whether a row is a line of this head once more, or names other columns than those above it.

        >>> head = Head(("day", "from", "to"), frozenset([("day", "from", "to")]))
        >>> [head.is_again(cells) for cells in (("DAY", "From", "to"), ("day", "to", "from"), ("1", "2", "3"))]
        ['head', 'other names', '']
        """
        if self.signs.isdisjoint(cells[:FIRST_CELLS]):
            return ""
        if tuple(cells) in self.lines:
            return "head"
        names, others = _folded(self.names), _folded(cells)
        if others == names:
            return "head"
        shared = len(set(names) & set(others))
        are_names = 2 * shared >= len(names) >= FEWEST_NAMES and len(set(others)) == len(others) == len(names)
        return "other names" if are_names and not any(shape_of(cell) in ("number", "date") for cell in set(others) - set(names)) else ""


def _folded(cells: Iterable[str]) -> tuple[str, ...]:
    return tuple(cell.strip().casefold() for cell in cells)
