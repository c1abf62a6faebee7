"""A batch on its way into the tables of a lake."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from tasks.adapters.lake import arrow
from tasks.adapters.lake.failures import told
from tasks.adapters.lake.parts import Part
from tasks.adapters.lake.reading import arrivals
from tasks.adapters.lake.tables import number_of
from tasks.core.errors import DataRefusedError, StoreError
from tasks.core.lake.columns import Column, Columns, check_cast, declare
from tasks.core.lake.keys import RowKeys
from tasks.core.lake.known import hash_keys
from tasks.core.lake.values import BATCH_DIGITS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    import pandas as pd
    from deltalake import DeltaTable

    from tasks.adapters.lake.tables import Guard, Table
    from tasks.core.lake.columns import Kind
    from tasks.core.lake.known import Looked
    from tasks.core.lake.values import OpenRows, Terms

PROBA = "proba_"
NO_ROWS = "the lake at {url} has no rows yet; ingest a batch first"
KEYED = "batches with keys"
ROW_KEY = "row_key"  # what names the rows of labels where no columns do
NO_LABEL = Column(arrow.VALUE, "str")  # stands for labels as long as none has come


@dataclass(frozen=True)
class Tables:
    """The tables of a lake."""

    observations: Table
    labels: Table
    quarantine: Table

    def features(self, terms: Terms) -> Columns | None:
        """Give the declared columns less the target; None before the first batch.

        Raises:
            StoreError: the lake was begun on other terms, or not by us.
        """
        table = self.observations.open()
        if table is None:
            return None
        stored, columns = arrow.declared(table)
        for what, then, now in (("key", stored.key, terms.key), ("target", stored.target, terms.target)):
            if then != now:
                message = (
                    f"the lake at {self.observations.url} was begun with {what} {_named(then)}, and this call says {_named(now)}; "
                    "say the same, or begin another use case"
                )
                raise StoreError(message, where=what)
        return columns

    def label(self) -> Column | None:
        """Give the column of the labels as it was declared; None before the first label."""
        table = self.labels.open()
        return None if table is None else arrow.declared(table)[1].columns[0]


def _named(value: tuple[str, ...] | str | None) -> str:
    return "none" if not value else ", ".join([value] if isinstance(value, str) else value)


class _Writing:
    """Parts of a batch that are all written before the first is committed, and removed when one cannot be."""

    def __init__(self, *parts: Part) -> None:
        self._parts = parts

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if kind is not None:
            for part in self._parts:
                part.discard()

    def close(self) -> None:
        """Write what is left; nothing is refused after this.

        Raises:
            StoreError: it cannot be written.
        """
        for part in self._parts:
            part.close()


class BatchWriting(_Writing):
    """Rows, their labels, and rows set aside."""

    def __init__(self, tables: Tables, terms: Terms, batch: str, arrived_at: datetime) -> None:
        self.observations = Part(tables.observations, batch, arrived_at)
        self.labels, self.quarantine = (Part(table, batch, arrived_at, is_attempt=True) for table in (tables.labels, tables.quarantine))
        super().__init__(self.observations, self.labels, self.quarantine)
        self._url, self.late = tables.observations.url, 0
        self._terms, self._keys = terms, RowKeys(terms.key)
        self._features = tables.features(terms)
        self._label = tables.label()

    def take(self, df: pd.DataFrame, mends: Sequence[str] | None = None) -> None:
        """Check and write the next rows.

        Args:
            df: The rows.
            mends: Which rows that were set aside these are, mended.

        Raises:
            DataRefusedError: a value would change, or the columns are others.
            StoreError: they cannot be written.
        """
        keys, cells = self.cast(df)
        target = self._terms.target
        if target is not None and target in cells.columns:
            self._add_labels(keys, cells[target])
            cells = cells.drop(columns=target)
        features = self._features or Columns(())
        self.observations.add(arrow.observation_schema(features), keys, cells.assign(**{arrow.MENDS: mends}))

    def cast(self, df: pd.DataFrame) -> tuple[pd.Series[str], pd.DataFrame]:
        """Give the keys of the next rows, and their cells as the lake keeps them.

        Raises:
            DataRefusedError: a value would change, or the columns are others.
        """
        columns, first = self._columns(df), self.observations.rows + 1
        optional = () if self._terms.target is None else (self._terms.target,)
        cells = check_cast(df, columns, first_row=first, hidden=self._terms.personal, optional=optional)
        return self._keys.of(cells, first_row=first), cells

    def _add_labels(self, keys: pd.Series[str], values: pd.Series[Any], mends: Sequence[str] | None = None) -> None:
        cells = values.to_frame(arrow.VALUE).assign(**{arrow.OBSERVED: None, arrow.MENDS: mends, arrow.WITH_ROWS: True})
        has_label = values.notna()
        self.labels.add(arrow.label_schema((self._label or NO_LABEL).kind), keys[has_label], cells[has_label])

    def take_late(self, df: pd.DataFrame, mends: Sequence[str] | None = None, *, is_own: bool = False) -> None:
        """Check and write labels of rows that stand without one.

        Args:
            df: Their keys and the target.
            mends: Which rows that were set aside these are, mended.
            is_own: Whether these rows came with this batch.

        Raises:
            DataRefusedError: a value would change.
            StoreError: they cannot be written.
        """
        keys, values = self.cast_late(df)
        before = self.labels.rows
        self._add_labels(keys, values, mends)
        self.late += 0 if is_own else self.labels.rows - before

    def cast_late(self, df: pd.DataFrame) -> tuple[pd.Series[str], pd.Series[Any]]:
        """Give the names of rows, and their labels as the lake keeps them.

        Raises:
            DataRefusedError: a value would change, or there is no row yet.
        """
        target = self._terms.target or arrow.VALUE
        self._label = self._label or label_of(df, target)
        features = self._features or declare(df)
        key = [Column(name, features.kind(name)) for name in self._terms.key]
        cells = check_cast(df, Columns((*key, Column(target, (self._label or NO_LABEL).kind))), hidden=self._terms.personal)
        return self._keys.of(cells), cells[target]

    def _columns(self, df: pd.DataFrame) -> Columns:
        """Give the declared columns, the target last; the first rows declare them."""
        target = self._terms.target
        if self._features is None:
            found = declare(df, integers=self._terms.integers)
            if absent := [name for name in self._terms.key if name not in found.names or name == target]:
                message = f"there is no column '{absent[0]}' to name rows by (available: {', '.join(found.names)})"
                raise DataRefusedError(message, where=absent[0])
            self._features = found.without([target or ""])
        if target is None:
            return self._features
        self._label = self._label or label_of(df, target)
        return Columns((*self._features.columns, Column(target, (self._label or NO_LABEL).kind)))

    def set_aside(self, rows: pd.DataFrame) -> None:
        """Write rows for the quarantine.

        Raises:
            StoreError: they cannot be written.
        """
        add_aside(self.quarantine, rows)

    def commit(self, mended: OpenRows | None = None, looked: Looked | None = None) -> bool:
        """Let the rows be seen; False when the lake holds them already.

        Args:
            mended: The rows that were set aside, as they were known when some of them were mended.
            looked: What the lake was like when the keys of the rows were looked up in it.

        Raises:
            DataRefusedError: there is no lake yet, and no row to begin one with.
            StoreError: a table cannot be written, or others of these rows were mended meanwhile, or of these keys taken in.
        """
        if self._features is None:
            message = "no lake begins without a row; bring rows that are not set aside"
            raise DataRefusedError(message)
        if self.quarantine.rows:
            self.quarantine.commit(arrow.quarantine_schema(), arrow.description(self._terms, Columns(())))
        if self.labels.rows and self._label:
            commit_labels(self.labels, self._terms, self._label)
        # Last, for this lets the batch in: what the others hold counts from here on, and never where this is refused.
        schema, description = arrow.observation_schema(self._features), arrow.description(self._terms, self._features)
        return self.observations.commit(schema, description, self._guard(mended, looked))

    def _guard(self, mended: OpenRows | None, looked: Looked | None) -> Guard:
        def count(table: DeltaTable) -> dict[str, int]:
            counted = count_mending(table, mended) if mended else {}
            if looked and self._terms.key:
                self._refuse_met(table, looked)
                counted[KEYED] = number_of(table, KEYED) + 1
            return counted

        return count

    def _refuse_met(self, table: DeltaTable, looked: Looked) -> None:
        """Refuse keys that came in with other batches since they were looked up."""
        import numpy as np
        import pyarrow.compute as pc

        others = [batch for _, batch in arrivals(table) - looked.batches]
        if not others:
            return
        key = Columns(tuple(Column(name, arrow.declared(table)[1].kind(name)) for name in self._terms.key))
        with told(self._url):
            rows = table.to_pyarrow_dataset().to_table(key.names, filter=pc.field("_batch").isin(others))
        if np.isin(hash_keys(arrow.to_frame(rows, key), key.names)[:, 0], looked.keys()).any():
            message = f"rows with keys of this batch have just come into {self._url} with another one; run again"
            raise StoreError(message, where=self._url)


class LabelWriting(_Writing):
    """Labels that come on their own, and those of them that are set aside."""

    def __init__(self, tables: Tables, terms: Terms, batch: str, arrived_at: datetime) -> None:
        features = tables.features(terms)
        if features is None:
            message = NO_ROWS.format(url=tables.observations.url)
            raise StoreError(message, where=tables.observations.url)
        self.labels, self.read = Part(tables.labels, batch, arrived_at), 0
        self.quarantine = Part(tables.quarantine, batch, arrived_at, is_attempt=True)
        super().__init__(self.labels, self.quarantine)
        self._terms, self._value = terms, terms.target or arrow.VALUE
        self._features, self._keys = features, RowKeys(terms.key or (ROW_KEY,))
        self._label = tables.label()

    def take(self, df: pd.DataFrame, mends: Sequence[str] | None = None) -> None:
        """Check and write the next labels; one without a value is none.

        Args:
            df: The labels.
            mends: Which ones that were set aside these are, mended.

        Raises:
            DataRefusedError: a value would change, or the columns are others.
            StoreError: they cannot be written.
        """
        self._label = self._label or label_of(df, self._value)
        label = self._label or NO_LABEL
        cells = cast_labels(df, columns_of_labels(self._terms, self._features, label), self._terms, first_row=self.read + 1)
        keys = self._keys.of(cells, first_row=self.read + 1)
        has_label = cells[self._value].notna()
        if arrow.OBSERVED not in cells.columns:
            cells = cells.assign(**{arrow.OBSERVED: None})
        cells = cells.rename(columns={self._value: arrow.VALUE}).assign(**{arrow.MENDS: mends, arrow.WITH_ROWS: False})
        self.labels.add(arrow.label_schema(label.kind), keys[has_label], cells[has_label])
        self.read += len(df)

    def set_aside(self, rows: pd.DataFrame) -> None:
        """Write labels for the quarantine.

        Raises:
            StoreError: they cannot be written.
        """
        add_aside(self.quarantine, rows)

    def commit(self, mended: OpenRows | None = None) -> bool:
        """Let the labels be seen; False when the lake holds them already, or has none yet and none come.

        Args:
            mended: Those that were set aside, as they were known when some of them were mended.

        Raises:
            StoreError: a table cannot be written, or others of these were mended meanwhile.
        """
        if self._label is None:
            return False
        if self.quarantine.rows:
            self.quarantine.commit(arrow.quarantine_schema(), arrow.description(self._terms, Columns(())))
        return commit_labels(self.labels, self._terms, self._label, mended)


class PredictionWriting(_Writing):
    """What a version said of rows; without key columns a row is named by its prediction."""

    def __init__(self, predictions: Table, terms: Terms, scoring: str, arrived_at: datetime) -> None:
        self.predictions = Part(predictions, scoring, arrived_at)
        super().__init__(self.predictions)
        self._keys = RowKeys(terms.key or ("prediction_id",))
        self._kind: Kind = "float64"

    def take(self, df: pd.DataFrame) -> None:
        """Write the next predictions.

        Raises:
            StoreError: they cannot be written.
        """
        import pandas as pd

        self._kind = "float64" if df["prediction"].dtype.kind == "f" else "str"
        classes = [name for name in df.columns if name.startswith(PROBA)]
        shares = [[(name.removeprefix(PROBA), share) for name, share in zip(classes, row, strict=True)] for row in df[classes].to_numpy()]
        cells = df.assign(proba=pd.Series(shares if classes else None, index=df.index, dtype=object))
        self.predictions.add(arrow.prediction_schema(self._kind), self._keys.of(df, first_row=self.predictions.rows + 1), cells)

    def commit(self) -> bool:
        """Let the predictions be seen; False when the lake holds them already.

        Raises:
            StoreError: the table cannot be written.
        """
        return self.predictions.commit(arrow.prediction_schema(self._kind), "{}")


def mendings_of(batch: str) -> str:
    """Name what is counted when rows of a batch are mended."""
    return f"mendings of {batch[:BATCH_DIGITS]}"


def label_of(df: pd.DataFrame, target: str) -> Column | None:
    """Give the column of a target's labels, numbers or text; None as long as no label has come.

    Raises:
        DataRefusedError: it is neither.
    """
    if target not in df.columns or not len(labels := df[[target]].dropna()):
        return None
    found = declare(labels).columns[0]
    if found.kind not in ("float64", "str"):
        message = f"the target '{target}' is neither numbers nor text; write its classes as text"
        raise DataRefusedError(message, where=target)
    return replace(found, name=arrow.VALUE)


def commit_labels(labels: Part, terms: Terms, label: Column, mended: OpenRows | None = None) -> bool:
    """Let labels be seen; False when the table holds their batch already."""
    guard: Guard | None = (lambda table: count_mending(table, mended)) if mended else None
    return labels.commit(arrow.label_schema(label.kind), arrow.description(terms, Columns((label,))), guard)


def columns_of_labels(terms: Terms, features: Columns, label: Column) -> Columns:
    """Give the columns that labels alone are delivered in: what names a row, the value, and when it was observed."""
    named_by = tuple(features.column(name) for name in terms.key) or (Column(ROW_KEY, "str"),)
    return Columns((*named_by, replace(label, name=terms.target or arrow.VALUE), Column(arrow.OBSERVED, "datetime64[us, UTC]")))


def cast_labels(df: pd.DataFrame, columns: Columns, terms: Terms, *, first_row: int = 1) -> pd.DataFrame:
    """Give labels that come on their own as the lake keeps them, every value as it was.

    Raises:
        DataRefusedError: a value would change, or the columns are others.
    """
    return check_cast(df, columns, first_row=first_row, hidden=terms.personal, optional=[arrow.OBSERVED])


def read_labels(
    frames: Iterable[pd.DataFrame], terms: Terms, features: Columns, label: Column | None
) -> Iterator[tuple[pd.Series[str], pd.Series[Any], pd.DataFrame]]:
    """Give the names of rows, the labels that a delivery has for them, and their other cells.

    Raises:
        DataRefusedError: a value would change, or the columns are others.
    """
    names, value = RowKeys(terms.key or (ROW_KEY,)), terms.target or arrow.VALUE
    for df in frames:
        columns = columns_of_labels(terms, features, label or label_of(df, value) or NO_LABEL)
        cells = cast_labels(df, columns, terms).dropna(subset=[value]).reset_index(drop=True)
        yield names.of(cells), cells[value], cells


def add_aside(quarantine: Part, rows: pd.DataFrame) -> None:
    """Write rows for the quarantine, which nothing names but their places."""
    import pandas as pd

    quarantine.add(arrow.quarantine_schema(), pd.Series([None] * len(rows), dtype="str"), rows)


def count_mending(table: DeltaTable, mended: OpenRows) -> dict[str, int]:
    """Give the number of one more mending of rows.

    Raises:
        StoreError: others of them were mended since they were looked at.
    """
    name = mendings_of(mended.batch)
    if number_of(table, name) != mended.mendings:
        message = f"another process has just committed {name} to {table.table_uri}; run again to see what it has left"
        raise StoreError(message, where=table.table_uri)
    return {name: mended.mendings + 1}
