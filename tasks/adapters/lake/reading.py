"""Rows of a lake as they were at a snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.adapters.lake import arrow, tables
from tasks.adapters.lake.failures import told
from tasks.core.errors import StoreError
from tasks.core.lake.columns import Column, Columns
from tasks.core.lake.labels import LabelBook
from tasks.core.lake.values import BATCH_DIGITS, aware

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import pandas as pd
    import pyarrow as pa
    from deltalake import DeltaTable


@dataclass(frozen=True)
class State:
    """Tables at their versions, and the times that rows are taken from."""

    observations: DeltaTable
    labels: DeltaTable | None
    as_of: datetime
    since: datetime | None = None

    def columns(self) -> Columns:
        """Give the columns of the rows: as declared, then the target where there is one."""
        terms, features = arrow.declared(self.observations)
        if terms.target is None:
            return features
        kind = arrow.declared(self.labels)[1].columns[0].kind if self.labels else "float64"
        return Columns((*features.columns, Column(terms.target, kind)))

    def rows(self) -> Iterator[tuple[pd.DataFrame, pd.Series[str]]]:
        """Give rows in the order of their arrival, with their labels, and their keys beside them."""
        terms, features = arrow.declared(self.observations)
        columns = self.columns()
        book = self.book() if terms.target is not None else None
        for window in tables.in_order(self.observations, ["_row_key", *features.names], arrived(self.as_of, self.since)):
            df, keys = arrow.to_frame(window, features), window["_row_key"].to_pandas()
            if book is not None and terms.target is not None:
                df[terms.target] = book.of(keys).astype(columns.kind(terms.target))
            yield df, keys

    def book(self, *, with_times: bool = False) -> LabelBook:
        """Give the labels that had arrived, ready to be asked for; with their times they can be counted."""
        book = LabelBook()
        if self.labels is not None:
            for window in tables.in_order(self.labels, ["_row_key", arrow.VALUE], arrived(self.as_of)):
                df = window.to_pandas()
                book.add(df["_row_key"], df[arrow.VALUE], df["_arrived_at"].astype("int64") if with_times else None)
        book.close()
        return book

    def met(self) -> LabelBook:
        """Give the labels after they met the rows that had arrived."""
        book = self.book(with_times=True)
        for window in tables.in_order(self.observations, ["_row_key"], arrived(self.as_of)):
            df = window.select(["_row_key", "_arrived_at"]).to_pandas()
            book.meet(df["_row_key"], df["_arrived_at"].astype("int64"))
        return book


def arrived(as_of: datetime, since: datetime | None = None) -> Any:  # noqa: ANN401 - pyarrow types no expression
    """Give the condition that rows had arrived by a time, and not before another."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = pa.timestamp("us", "UTC")
    condition = pc.field("_arrived_at") <= pa.scalar(aware(as_of, "as_of"), kind)
    return condition if since is None else condition & (pc.field("_arrived_at") >= pa.scalar(aware(since, "since"), kind))


def mended(table: DeltaTable, as_of: datetime, batch: str = "") -> pa.Table:
    """Give which rows that were set aside had been mended by a time, of one batch or of all.

    Returns:
        `_mends`, such as `BATCH-PLACE`, and `_batch`, that which the row came back with.
    """
    import pyarrow.compute as pc

    name = pc.field(arrow.MENDS)
    of_batch = (name >= f"{batch[:BATCH_DIGITS]}-") & (name < f"{batch[:BATCH_DIGITS]}.") if batch else name.is_valid()
    with told(table.table_uri):
        return table.to_pyarrow_dataset().to_table([arrow.MENDS, "_batch"], filter=arrived(as_of) & of_batch)


def opened(table: tables.Table, version: int | None) -> DeltaTable:
    """Open a table at a version.

    Raises:
        StoreError: there is no table.
    """
    found = table.open(version)
    if found is None:
        message = f"there is no table at {table.url}; ingest a batch first"
        raise StoreError(message, where=table.url)
    return found
