"""What has come to a lake since a time: new rows, and rows whose first label is new."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from tasks.adapters.lake import arrow, tables
from tasks.adapters.lake.reading import Standing, State, arrived, observed
from tasks.core.lake.labels import LabelBook
from tasks.core.lake.values import microseconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import numpy as np
    import pandas as pd
    import pyarrow.compute as pc

MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Came:
    """Rows that are new, or that have a label for the first time.

    Attributes:
        df: Their declared columns, then the target, missing where there is no new label.
        is_new: Whether the row is, shape (n,).
        is_labelled: Whether its label is, shape (n,).
        lag_s: Seconds from the arrival of a row to that of its new label, NaN where there is none.
    """

    df: pd.DataFrame
    is_new: np.ndarray
    is_labelled: np.ndarray
    lag_s: np.ndarray


@dataclass(frozen=True)
class News:
    """What had come to a lake by a time, and not by another one before.

    A label that had come before its row is none of the new ones.

    Attributes:
        state: Of the tables, at the end.
        rows_since: Rows that arrived after this are new; None: all are.
        labels_since: The same of labels.
    """

    state: State
    rows_since: datetime | None
    labels_since: datetime | None

    @cached_property
    def batches(self) -> dict[str, int]:
        """Count the new rows of each batch, by its digest."""
        found: dict[str, int] = {}
        for (_, batch), rows in tables.counts(self.state.observations, self._new_rows).items():
            found[batch] = found.get(batch, 0) + rows
        return found

    @property
    def rows(self) -> int:
        """Count the new rows."""
        return sum(self.batches.values())

    @cached_property
    def labelled(self) -> int:
        """Count the keys that have a label for the first time."""
        return self._labels[0].left

    @property
    def corrected(self) -> int:
        """Count the keys that had a label before and were given another one, or the same again, since rows were last looked at."""
        return self._labels[1]

    def chunks(self, most: int) -> Iterator[Came]:
        """Give what came, in the order of its arrival.

        Args:
            most: Of new rows, and of earlier ones with a first label, so many at most are given, evenly spread.
        """
        if self.rows_since is not None and self.labelled:
            before = arrived(self.rows_since) & self._with_new_labels(self.rows_since)
            yield from self._chunks(before, max(1, -(-self.labelled // most)), is_new=False)
        yield from self._chunks(self._new_rows, max(1, -(-self.rows // most)), is_new=True)

    @property
    def _new_rows(self) -> pc.Expression:
        return arrived(self.state.as_of, self.rows_since + MOMENT if self.rows_since else None)

    @cached_property
    def _labels(self) -> tuple[LabelBook, int]:
        """Give the new labels, those of keys that had one before struck out, and how many these were."""
        book, struck, labels = LabelBook(), 0, self.state.labels
        if labels is None:
            book.close()
            return book, 0
        standing, since = Standing(self.state.observations, labels), self.labels_since
        fresh = standing.of_labels(arrived(self.state.as_of, since + MOMENT if since else None))
        for window in tables.in_order(labels, ["_row_key", arrow.VALUE, arrow.OBSERVED], fresh):
            df = window.to_pandas()
            book.add(df["_row_key"], df[arrow.VALUE], df["_arrived_at"].astype("int64"), observed(df, df["_arrived_at"]))
        book.close()
        if since is not None and book.distinct:
            for window in tables.in_order(labels, ["_row_key"], standing.of_labels(arrived(since))):
                struck += book.strike(window["_row_key"].to_pandas(), microseconds(self.rows_since) if self.rows_since else -1)
        return book, struck

    def _with_new_labels(self, before: datetime) -> pc.Expression:
        """Give the condition that a row is of a batch some of whose rows have a new label."""
        import pyarrow as pa
        import pyarrow.compute as pc

        batches: set[str] = set()
        for window in tables.in_order(self.state.observations, ["_row_key"], arrived(before)):
            has_label = self._labels[0].of(window["_row_key"].to_pandas()).notna()
            batches.update(window["_batch"].to_pandas()[has_label].unique())
        return pc.field("_batch").isin(pa.array(sorted(batches), pa.string()))

    def _chunks(self, condition: pc.Expression, every: int, *, is_new: bool) -> Iterator[Came]:
        import numpy as np

        terms, features = arrow.declared(self.state.observations)
        kind, book, place = self.state.columns().kind(terms.target or ""), self._labels[0], 0
        for window in tables.in_order(self.state.observations, ["_row_key", *features.names], condition):
            wanted = window if is_new else window.filter(book.of(window["_row_key"].to_pandas()).notna().to_numpy())
            chosen = wanted.take(np.arange(-place % every, wanted.num_rows, every))
            place += wanted.num_rows
            keys, rows_at = chosen["_row_key"].to_pandas(), chosen["_arrived_at"].to_pandas().astype("int64").to_numpy()
            df, labels = arrow.to_frame(chosen, features), book.of(keys)
            is_labelled = labels.notna().to_numpy()
            df[terms.target] = labels.astype(kind)
            lag = np.where(is_labelled, (book.arrived(keys) - rows_at) / 1e6, np.nan)
            yield Came(df, np.full(len(df), is_new), is_labelled, lag)
