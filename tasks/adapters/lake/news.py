"""What has come to a lake since a time: new rows, and rows whose first label is new."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from tasks.adapters.lake import arrow, tables
from tasks.adapters.lake.firsts import MOMENT, FirstsOfKeys, FirstsOfRows, NewLabels, named
from tasks.adapters.lake.reading import State, arrived, observed
from tasks.core.lake.fresh import NEVER
from tasks.core.lake.labels import LabelBook

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    from tasks.adapters.lake.firsts import Firsts


@dataclass(frozen=True)
class Came:
    """Rows that are new, or that have a label for the first time.

    Attributes:
        df: Their declared columns, then the target, missing where there is no new label.
        is_new: Whether the row is, shape (n,).
        is_labelled: Whether its label is, shape (n,).
        lag_s: Seconds from the arrival of a row to that of its new label, 0 where that was there before, NaN where there is none.
        arrived_us: When the row arrived, in microseconds since 1970.
    """

    df: pd.DataFrame
    is_new: np.ndarray
    is_labelled: np.ndarray
    lag_s: np.ndarray
    arrived_us: np.ndarray


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

    @property
    def labelled(self) -> int:
        """Count the rows that have a label for the first time; where a key names them, the keys."""
        return self._firsts.labelled

    @cached_property
    def corrected(self) -> int:
        """Count the keys that had a label before and were given another one, or the same again, since rows were last looked at."""
        return self._firsts.corrected(self.rows_since)

    def chunks(self, most: int) -> Iterator[Came]:
        """Give what came, in the order of its arrival.

        Args:
            most: Of new rows, and of earlier ones with a first label, so many at most are given, evenly spread.
        """
        chosen: list[tuple[pa.Table, bool]] = []
        if self.rows_since is not None and self.labelled:
            before = arrived(self.rows_since) & self._with_new_labels(self.rows_since)
            chosen += [(rows, False) for rows in self._spread(before, max(1, -(-self.labelled // most)), is_new=False)]
        chosen += [(rows, True) for rows in self._spread(self._new_rows, max(1, -(-self.rows // most)), is_new=True)]
        book = self._book_of([rows["_row_key"] for rows, _ in chosen])
        return (self._came(rows, book, is_new=is_new) for rows, is_new in chosen)

    @property
    def _new_rows(self) -> pc.Expression:
        return arrived(self.state.as_of, self.rows_since + MOMENT if self.rows_since else None)

    @cached_property
    def _new_labels(self) -> NewLabels:
        return NewLabels(self.state, self.labels_since)

    @cached_property
    def _has_key(self) -> bool:
        return bool(arrow.declared(self.state.observations)[0].key)

    @cached_property
    def _firsts(self) -> Firsts:
        return FirstsOfKeys(self._new_labels) if self._has_key else FirstsOfRows(self._new_labels)

    def _with_new_labels(self, before: datetime) -> pc.Expression:
        """Give the condition that a row is of a batch some of whose rows have a new label."""
        import pyarrow as pa
        import pyarrow.compute as pc

        return pc.field("_batch").isin(pa.array(sorted(self._firsts.batches(before)), pa.string()))

    def _spread(self, condition: pc.Expression, every: int, *, is_new: bool) -> Iterator[pa.Table]:
        """Give every so many-th of some rows; of those that are not new, of those with a new label."""
        import numpy as np

        _, features = arrow.declared(self.state.observations)
        columns = ["_row_key", *features.names]
        if is_new:
            yield from tables.in_order(self.state.observations, columns, condition, every=every)
            return
        place = 0
        for window in tables.in_order(self.state.observations, columns, condition):
            wanted = window.filter(self._firsts.hold(window))
            yield wanted.take(np.arange(-place % every, wanted.num_rows, every))
            place += wanted.num_rows

    def _book_of(self, keys: Sequence[pa.ChunkedArray]) -> LabelBook:
        """Give the new labels of some rows."""
        import pyarrow as pa

        book, asked = LabelBook(), pa.chunked_array([chunk for part in keys for chunk in part.chunks], pa.string()).combine_chunks()
        if self.state.labels is not None and len(asked) and self.labelled:
            own, among = ["_row_key", arrow.VALUE, arrow.OBSERVED, arrow.WITH_ROWS], ("_row_key", asked)
            for window in tables.in_order(self.state.labels, own, self._new_labels.new, among):
                df = window.to_pandas()
                came = df["_arrived_at"].astype("int64")
                if not self._has_key:  # of equal rows each has a label of its own, which was there when it came
                    came = came.where(~df[arrow.WITH_ROWS], NEVER)
                book.add(df["_row_key"], df[arrow.VALUE], came, observed(df, df["_arrived_at"]))
        book.close()
        return book

    def _came(self, rows: pa.Table, book: LabelBook, *, is_new: bool) -> Came:
        import numpy as np

        terms, features = arrow.declared(self.state.observations)
        keys, rows_at = named(rows)
        df, labels = arrow.to_frame(rows, features), book.of(keys)
        is_labelled = labels.notna().to_numpy() & self._firsts.hold(rows)
        df[terms.target] = labels.where(is_labelled).astype(self.state.columns().kind(terms.target or ""))
        lag = np.where(is_labelled, (np.maximum(book.arrived(keys), rows_at) - rows_at) / 1e6, np.nan)
        return Came(df, np.full(len(df), is_new), is_labelled, lag, rows_at)
