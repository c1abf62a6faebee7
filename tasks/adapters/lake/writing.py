"""A batch on its way into the tables of a lake."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from tasks.adapters.lake import arrow
from tasks.adapters.lake.parts import Part
from tasks.core.errors import DataRefusedError, StoreError
from tasks.core.lake.columns import Column, Columns, check_cast, declare
from tasks.core.lake.keys import RowKeys
from tasks.core.lake.values import BATCH_DIGITS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import pandas as pd

    from tasks.adapters.lake.tables import Table
    from tasks.core.lake.columns import Kind
    from tasks.core.lake.values import OpenRows, Terms

PROBA = "proba_"
NO_ROWS = "the lake at {url} has no rows yet; ingest a batch first"


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

    def label_kind(self) -> Kind | None:
        """Give the kind of the labels; None before the first label."""
        table = self.labels.open()
        return None if table is None else arrow.declared(table)[1].columns[0].kind


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
        self.observations, self.labels, self.quarantine = (
            Part(table, batch, arrived_at) for table in (tables.observations, tables.labels, tables.quarantine)
        )
        super().__init__(self.observations, self.labels, self.quarantine)
        self._terms, self._keys = terms, RowKeys(terms.key)
        self._features = tables.features(terms)
        self._label: Kind | None = tables.label_kind()

    def take(self, df: pd.DataFrame, mends: Sequence[str] | None = None) -> None:
        """Check and write the next rows.

        Args:
            df: The rows.
            mends: Which rows that were set aside these are, mended.

        Raises:
            DataRefusedError: a value would change, or the columns are others.
            StoreError: they cannot be written.
        """
        columns, target = self._columns(df), self._terms.target
        first = self.observations.rows + 1
        optional = () if target is None else (target,)
        cells = check_cast(df, columns, first_row=first, hidden=self._terms.personal, optional=optional)
        keys = self._keys.of(cells, first_row=first)
        if target is not None and target in cells.columns:
            has_label = cells[target].notna()
            labels = cells.loc[has_label, [target]].rename(columns={target: arrow.VALUE}).assign(observed_at=None)
            self.labels.add(arrow.label_schema(columns.kind(target)), keys[has_label], labels)
            cells = cells.drop(columns=target)
        cells = cells.assign(**{arrow.MENDS: mends})
        self.observations.add(arrow.observation_schema(columns.without(optional)), keys, cells)

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
        self._label = self._label or label_kind(df, target)
        return Columns((*self._features.columns, Column(target, self._label or "str")))

    def set_aside(self, rows: pd.DataFrame) -> None:
        """Write rows for the quarantine.

        Raises:
            StoreError: they cannot be written.
        """
        import pandas as pd

        self.quarantine.add(arrow.quarantine_schema(), pd.Series([None] * len(rows), dtype="str"), rows)

    def commit(self, mended: OpenRows | None = None) -> bool:
        """Let the rows be seen; False when the lake holds them already.

        Args:
            mended: The rows that were set aside, as they were known when some of them were mended.

        Raises:
            StoreError: a table cannot be written, or others of these rows were mended meanwhile.
        """
        is_new = False
        if self.quarantine.rows:
            is_new = self.quarantine.commit(arrow.quarantine_schema(), arrow.description(self._terms, Columns(())))
        if self.labels.rows and self._label:
            commit_labels(self.labels, self._terms, self._label)
        # Last, so that a batch is in a snapshot with all its labels or not at all.
        if self._features is not None:
            after = (mendings_of(mended.batch), mended.mendings) if mended else None
            schema, description = arrow.observation_schema(self._features), arrow.description(self._terms, self._features)
            is_new = self.observations.commit(schema, description, after)
        return is_new


class LabelWriting(_Writing):
    """Labels that come on their own."""

    def __init__(self, tables: Tables, terms: Terms, batch: str, arrived_at: datetime) -> None:
        features = tables.features(terms)
        if features is None:
            message = NO_ROWS.format(url=tables.observations.url)
            raise StoreError(message, where=tables.observations.url)
        self.labels, self.read = Part(tables.labels, batch, arrived_at), 0
        super().__init__(self.labels)
        self._terms, self._value = terms, terms.target or arrow.VALUE
        named_by = tuple(Column(name, features.kind(name)) for name in terms.key) or (Column("row_key", "str"),)
        self._named_by, self._keys = named_by, RowKeys([column.name for column in named_by])
        self._label: Kind | None = tables.label_kind()

    def take(self, df: pd.DataFrame) -> None:
        """Check and write the next labels; one without a value is none.

        Raises:
            DataRefusedError: a value would change, or the columns are others.
            StoreError: they cannot be written.
        """
        self._label = self._label or label_kind(df, self._value)
        kind: Kind = self._label or "str"
        observed = Column(arrow.OBSERVED, "datetime64[us, UTC]")
        columns = Columns((*self._named_by, Column(self._value, kind), observed))
        cells = check_cast(df, columns, first_row=self.read + 1, hidden=self._terms.personal, optional=[arrow.OBSERVED])
        keys = self._keys.of(cells, first_row=self.read + 1)
        has_label = cells[self._value].notna()
        if arrow.OBSERVED not in cells.columns:
            cells = cells.assign(**{arrow.OBSERVED: None})
        self.labels.add(arrow.label_schema(kind), keys[has_label], cells[has_label].rename(columns={self._value: arrow.VALUE}))
        self.read += len(df)

    def commit(self) -> bool:
        """Let the labels be seen; False when the lake holds them already, or there are none.

        Raises:
            StoreError: the table cannot be written.
        """
        return self._label is not None and commit_labels(self.labels, self._terms, self._label)


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


def label_kind(df: pd.DataFrame, target: str) -> Kind | None:
    """Give the kind of a target, numbers or text; None as long as no label has come.

    Raises:
        DataRefusedError: it is neither.
    """
    if target not in df.columns or not len(labels := df[[target]].dropna()):
        return None
    kind = declare(labels).columns[0].kind
    if kind not in ("float64", "str"):
        message = f"the target '{target}' is neither numbers nor text; write its classes as text"
        raise DataRefusedError(message, where=target)
    return kind


def commit_labels(labels: Part, terms: Terms, kind: Kind) -> bool:
    """Let labels be seen; False when the table holds their batch already."""
    return labels.commit(arrow.label_schema(kind), arrow.description(terms, Columns((Column(arrow.VALUE, kind),))))
