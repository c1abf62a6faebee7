"""What a batch puts into one table: written as it comes, seen by nobody before it is committed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks.adapters.lake import arrow
from tasks.core.errors import StoreError
from tasks.core.lake.values import aware, microseconds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import pandas as pd
    import pyarrow as pa

    from tasks.adapters.lake.tables import Files, Guard, Table


class Part:
    """A batch's rows for one table; nothing is written when the table holds them already.

    Args:
        table: Which need not exist yet.
        batch: Digest.
        arrived_at: When the batch arrived.
        is_attempt: Whether the rows count only once another table lets in the batch of this arrival.
    """

    def __init__(self, table: Table, batch: str, arrived_at: datetime, *, is_attempt: bool = False) -> None:
        self.rows = 0
        self._table, self._batch, self._arrived_at = table, batch, aware(arrived_at, "arrived_at")
        self._number = microseconds(self._arrived_at)
        self._name = f"{batch}@{self._number}" if is_attempt else batch
        self._is_held = table.holds(self._name)
        self._files: Files | None = None
        self._adds: Sequence[Any] = ()

    def add(self, schema: pa.Schema, keys: pd.Series[Any], cells: pd.DataFrame) -> None:
        """Write rows.

        Raises:
            StoreError: they cannot be written.
        """
        if len(cells) and not self._is_held:
            self._files = self._files or self._table.files(schema)
            self._files.write(arrow.to_arrow(keys, (self._batch, self.rows, self._arrived_at), cells, schema))
        self.rows += len(cells)

    def close(self) -> None:
        """Write what is left; from here on nothing can be refused any more.

        Raises:
            StoreError: it cannot be written.
        """
        if self._files:
            self._adds = self._files.close()

    def discard(self) -> None:
        """Remove what was written."""
        if self._files:
            self._files.discard()

    def commit(self, schema: pa.Schema, description: str, guard: Guard | None = None) -> bool:
        """Add the rows to the table; False when it holds them already.

        Args:
            schema: Of the table.
            description: What is declared where there is no table yet.
            guard: What looks at the table first, as in `Table.commit`.

        Raises:
            StoreError: the table cannot be written, or was just created with other columns.
        """
        import pyarrow as pa

        table = self._table.open() or self._table.create(schema, description)
        if pa.schema(table.schema().to_arrow()) != schema:
            message = f"another process has just declared other columns for {self._table.url}; run again to have this batch checked by them"
            raise StoreError(message, where=self._table.url)
        return self._table.commit(self._adds, self._name, self._number, guard)
