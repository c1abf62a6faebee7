"""Rows of a lake as they were at a snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tasks.adapters.lake import arrow, tables
from tasks.adapters.lake.failures import told
from tasks.core.errors import StoreError
from tasks.core.lake.columns import Column, Columns
from tasks.core.lake.labels import LabelBook
from tasks.core.lake.values import BATCH_DIGITS, aware

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc
    from deltalake import DeltaTable


@dataclass(frozen=True)
class Standing:
    """Which labels and rows set aside count: those of a batch that was let in, with the arrival that it was let in with.

    A run that is killed or comes second leaves others behind, and nobody ever reads them.
    """

    observations: DeltaTable
    labels: DeltaTable | None

    def of_labels(self, condition: pc.Expression) -> pc.Expression:
        """Narrow a condition on labels to those that count."""
        import pyarrow.compute as pc

        if self.labels is None:
            return condition
        return self._without_cut_off(tables.counts(self.labels, condition & pc.field(arrow.WITH_ROWS)), condition)

    def of_quarantine(self, quarantine: DeltaTable | None, condition: pc.Expression) -> pc.Expression:
        """Narrow a condition on rows set aside, or on labels that were, to those that count."""
        return self._without_cut_off(tables.counts(quarantine, condition), condition) if quarantine else condition

    def _without_cut_off(self, keys: Iterable[tables.Key], condition: pc.Expression) -> pc.Expression:
        import pyarrow.compute as pc

        for arrived_at, batch in keys:
            if (arrived_at.value, batch) not in self._of_rows and not self._is_let_in(arrived_at.value, batch):
                condition = condition & ~((pc.field("_arrived_at") == arrived_at) & (pc.field("_batch") == batch))
        return condition

    @cached_property
    def _of_rows(self) -> frozenset[tuple[int, str]]:
        return arrivals(self.observations)

    def _is_let_in(self, arrived: int, batch: str) -> bool:
        """Ask the logs, which takes a while, about a batch that no row came in with."""
        return arrived in (tables.number_of(self.observations, batch), tables.number_of(self.labels, batch))


def arrivals(table: DeltaTable) -> frozenset[tuple[int, str]]:
    """List the batches that a table has rows of, by arrival in microseconds and digest."""
    return frozenset((arrived_at.value, batch) for arrived_at, batch in tables.counts(table, anything()))


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
            condition = Standing(self.observations, self.labels).of_labels(arrived(self.as_of))
            own = ["_row_key", arrow.VALUE, *([arrow.OBSERVED] if self._has_observed(self.labels, condition) else [])]
            for window in tables.in_order(self.labels, own, condition):
                df = window.to_pandas()
                came = df["_arrived_at"].astype("int64") if with_times else None
                book.add(df["_row_key"], df[arrow.VALUE], came, observed(df, df["_arrived_at"]))
        book.close()
        return book

    def _has_observed(self, labels: DeltaTable, condition: pc.Expression) -> bool:
        import pyarrow.compute as pc

        with told(labels.table_uri):
            return labels.to_pyarrow_dataset().count_rows(filter=condition & pc.field(arrow.OBSERVED).is_valid()) > 0

    def met(self) -> LabelBook:
        """Give the labels after they met the rows that had arrived."""
        book = self.book(with_times=True)
        for window in tables.in_order(self.observations, ["_row_key"], arrived(self.as_of)):
            df = window.select(["_row_key", "_arrived_at"]).to_pandas()
            book.meet(df["_row_key"], df["_arrived_at"].astype("int64"))
        return book


def observed(df: pd.DataFrame, arrived_at: Any) -> pd.Series[Any] | None:  # noqa: ANN401 - a time, or one for each label
    """Give when labels were observed, in microseconds (int64): when they arrived where they do not say it; None where no column does."""
    return df[arrow.OBSERVED].fillna(arrived_at).astype("int64") if arrow.OBSERVED in df else None


def arrived(as_of: datetime, since: datetime | None = None) -> pc.Expression:
    """Give the condition that rows had arrived by a time, and not before another."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = pa.timestamp("us", "UTC")
    condition = pc.field("_arrived_at") <= pa.scalar(aware(as_of, "as_of"), kind)
    return condition if since is None else condition & (pc.field("_arrived_at") >= pa.scalar(aware(since, "since"), kind))


def anything() -> pc.Expression:
    """Give a condition that every row satisfies."""
    import pyarrow.compute as pc

    return pc.scalar(True)  # noqa: FBT003 - pyarrow takes it by position alone


def mended(table: DeltaTable, condition: pc.Expression, batch: str = "") -> pa.Table:
    """Give which rows that were set aside have come back mended, of one batch or of all.

    Args:
        table: Of observations, or of labels where those of labels are asked for.
        condition: On what came back.
        batch: Digest of that which they first came with.

    Returns:
        `_mends`, such as `BATCH-PLACE`, and `_batch`, that which the row came back with.
    """
    import pyarrow.compute as pc

    name = pc.field(arrow.MENDS)
    of_batch = (name >= f"{batch[:BATCH_DIGITS]}-") & (name < f"{batch[:BATCH_DIGITS]}.") if batch else name.is_valid()
    with told(table.table_uri):
        return table.to_pyarrow_dataset().to_table([arrow.MENDS, "_batch"], filter=condition & of_batch)


def opened(table: tables.Table, version: int | None = None) -> DeltaTable:
    """Open a table at a version.

    Raises:
        StoreError: there is no table.
    """
    found = table.open(version)
    if found is None:
        message = f"there is no table at {table.url}; ingest a batch first"
        raise StoreError(message, where=table.url)
    return found
