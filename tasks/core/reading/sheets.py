"""The cells of a sheet as text, row by row, however many there are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tasks.core.reading.blob import Blob


@dataclass(frozen=True)
class SheetRows:
    """Rows of equal width, row 1 of the sheet first, even where it is blank.

    Attributes:
        blob: Each row as a JSON array of texts on a line of its own, without the empty cells at its end.
        first: The column from 0 that the table starts in: none before it holds anything.
        width: The column behind the last one that holds anything.
    """

    blob: Blob
    first: int
    width: int

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        """Yield the rows, each time from the first."""
        for line in self.blob.open():
            texts: list[str] = json.loads(line)
            yield tuple(texts[self.first :] + [""] * (self.width - max(self.first, len(texts))))
