"""The lake of a use case: Delta tables `observations`, `labels` and `quarantine`, in a folder or behind a URL.

A batch is one commit in each table that it has rows for. They are written out and checked in full before the first of them is
committed, and committed in the order quarantine, labels, observations. The last one lets the batch in, once, under its digest
and its arrival, and what the others hold of it counts from that arrival alone: what a run leaves that is killed or comes second
is never read, and whoever brings the batch again does all of it anew.
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tasks.adapters.lake import arrow
from tasks.adapters.lake.meeting import Encounter
from tasks.adapters.lake.news import News
from tasks.adapters.lake.reading import Standing, State, anything, arrived, mended, observed, opened
from tasks.adapters.lake.tables import Table, counts, number_of
from tasks.adapters.lake.writing import (
    ROW_KEY,
    BatchWriting,
    LabelWriting,
    PredictionWriting,
    Tables,
    columns_of_labels,
    mendings_of,
    read_labels,
)
from tasks.core.errors import StoreError
from tasks.core.lake.columns import Column, Columns
from tasks.core.lake.keys import Digest
from tasks.core.lake.labels import LabelBook
from tasks.core.lake.values import BATCH_DIGITS, Arrival, LabelCounts, LakeSnapshot, Maintenance, OpenRows, Receipt, Terms
from tasks.core.mending import names_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import numpy as np
    import pandas as pd
    import pyarrow.compute as pc
    from deltalake import DeltaTable

    from tasks.adapters.lake.meeting import Reader
    from tasks.core.lake.columns import Kind
    from tasks.core.lake.known import Looked

# A store that does not answer is told within half a minute; by default the client tries for three.
PATIENCE = {"max_retries": "3", "retry_timeout": "30s", "connect_timeout": "10s"}
UNUSED_FOR = timedelta(days=7)


def storage_options(environment: Mapping[str, str]) -> dict[str, str]:
    """Give what an object store needs: the AWS_* of the environment, and how long to wait.

    Of two commits of one version the store itself lets one pass (conditional put), as S3 and its kin do.
    """
    given = {name: value for name, value in environment.items() if name.startswith("AWS_") and value}
    if given.get("AWS_ENDPOINT_URL", "").startswith("http://"):
        given.setdefault("AWS_ALLOW_HTTP", "true")
    return {**PATIENCE, **given}


class Lake:
    """All rows of a use case since its first batch.

    Args:
        address: Absolute folder or URL of all lakes.
        use_case: Whose rows.
        terms: What it says of them.
        options: For the object store; default: from the environment.
    """

    def __init__(self, address: str, use_case: str, terms: Terms | None = None, options: Mapping[str, str] | None = None) -> None:
        self.use_case, self.terms = use_case, terms or Terms()
        self.url = f"{address.removeprefix('file://').rstrip('/')}/{use_case}"
        given = storage_options(os.environ) if options is None else options
        self._tables = Tables(*(Table(f"{self.url}/{name}", given) for name in ("observations", "labels", "quarantine")))
        self._predictions = Table(f"{self.url}/predictions", given)

    def begun_with(self) -> Terms | None:
        """Give the key and the target of the first batch; None before it.

        Raises:
            StoreError: the lake cannot be read, or is of an older version.
        """
        table = self._tables.observations.open()
        if table is None:
            return None
        if arrow.layout(table) != arrow.LAYOUT:
            how = "give its use case another name and deliver its batches again"
            message = f"the lake at {self.url} is of another version of Evergreen; {how}"
            raise StoreError(message, where=self.url)
        return arrow.declared(table)[0]

    def holds_anything(self) -> bool:
        """Say whether there is a table, be it of predictions alone.

        Raises:
            StoreError: the lake cannot be read.
        """
        return any(table.open() is not None for table in (*vars(self._tables).values(), self._predictions))

    def names_rows_by(self) -> list[str]:
        """Name the columns that say which rows labels alone belong to."""
        return [*self.terms.key] or [ROW_KEY]

    def target_kind(self) -> Kind:
        """Give the kind of the labels; before the first of them, numbers.

        Raises:
            StoreError: the lake cannot be read.
        """
        label = self._tables.label()
        return label.kind if label else "float64"

    # ------------------------------------------------------------------------------------------------------------ writing

    def holds(self, batch: str) -> bool:
        """Say whether a batch of rows was let in.

        Raises:
            StoreError: the lake cannot be read.
        """
        return self._tables.observations.holds(batch)

    def encounter(self, read: Reader) -> Encounter | None:
        """Hold the rows of a batch against those that have their keys; None where no key names them.

        Raises:
            DataRefusedError: a cell does not fit.
            StoreError: the lake cannot be read.
        """
        return Encounter(self._tables, self.terms, read) if self.terms.key else None

    def append(
        self,
        batch: str,
        frames: Iterable[pd.DataFrame],
        *,
        arrived_at: datetime,
        aside: Iterable[pd.DataFrame] = (),
        late: Iterable[pd.DataFrame] = (),
        repeated: Iterable[pd.DataFrame] = (),
        looked: Looked | None = None,
    ) -> Receipt:
        """Append a batch once, however often it is brought.

        Args:
            batch: Digest of its content.
            frames: Its rows, in chunks that fit into memory; the target among the columns or not.
            arrived_at: When it arrived.
            aside: Rows that were set aside before, in chunks as well: row (its place in the delivery, from 1), line, text, reasons.
            late: Labels, with their keys, of rows that the lake has without one.
            repeated: The same of rows of this batch.
            looked: What the lake was like when the keys of the batch were looked up in it.

        Raises:
            DataRefusedError: a value would change, or columns are missing or new; nothing was appended.
            StoreError: the lake cannot be used, or rows with keys of this batch came in meanwhile.
        """
        if self._tables.observations.holds(batch):
            return Receipt(batch=batch, is_new=False)
        with BatchWriting(self._tables, self.terms, batch, arrived_at) as writing:
            for df in frames:
                writing.take(df)
            for df in repeated:
                writing.take_late(df, is_own=True)
            for df in late:
                writing.take_late(df)
            for df in aside:
                writing.set_aside(df)
            writing.close()
        return self._receipt(batch, writing, is_new=writing.commit(looked=looked))

    def check(self, frames: Iterable[pd.DataFrame], late: Iterable[pd.DataFrame] = ()) -> None:
        """Refuse rows and late labels that `append` would refuse, and write nothing.

        Raises:
            DataRefusedError: a value would change, or columns are missing or new.
            StoreError: the lake cannot be read.
        """
        writing = BatchWriting(self._tables, self.terms, "", datetime.now(UTC))
        for df in frames:
            writing.cast(df)
        for df in late:
            writing.cast_late(df)

    def mend(
        self,
        batch: str,
        rows: pd.DataFrame,
        places: np.ndarray,
        *,
        of: OpenRows,
        arrived_at: datetime,
        late: tuple[pd.DataFrame, np.ndarray] | None = None,
        looked: Looked | None = None,
    ) -> Receipt:
        """Append rows that were set aside with another batch and were mended, each once.

        Args:
            batch: Digest of these rows.
            rows: The rows.
            places: Of each row its place in the delivery that it first came with.
            late: Others of them that the lake has without their label, and their places.
            of: The rows of that delivery that were open when these were looked at.
            arrived_at: When they arrived.
            looked: As in `append`.

        Raises:
            DataRefusedError: a value would change, or columns are missing or new; nothing was appended.
            StoreError: the lake cannot be used, or others of these rows were mended meanwhile.
        """
        if self._tables.observations.holds(batch):
            return Receipt(batch=batch, is_new=False)
        with BatchWriting(self._tables, self.terms, batch, arrived_at) as writing:
            writing.take(rows, names_of(of.batch, places))
            if late and len(late[0]) and self.terms.target:
                writing.take_late(late[0][[*self.terms.key, self.terms.target]], names_of(of.batch, late[1]))
            writing.close()
        return self._receipt(batch, writing, is_new=writing.commit(of, looked))

    def _receipt(self, batch: str, writing: BatchWriting, *, is_new: bool) -> Receipt:
        if not is_new:
            return Receipt(batch=batch, is_new=False)
        rows, labels = writing.observations.rows, writing.labels.rows - writing.late
        unlabelled = rows - labels if self.terms.target else 0
        aside = writing.quarantine.rows
        counted = {"observations": rows, "labels": labels, "unlabelled": unlabelled, "quarantined": aside, "late": writing.late}
        return Receipt(batch=batch, is_new=True, **counted)

    def append_labels(
        self, batch: str, frames: Iterable[pd.DataFrame], *, arrived_at: datetime, aside: Iterable[pd.DataFrame] = ()
    ) -> Receipt:
        """Append labels that come on their own, once.

        Args:
            batch: Digest of their content.
            frames: The key columns (without any, `row_key`), the target (without one, `value`), and `observed_at` if it is known.
            arrived_at: When they arrived.
            aside: Labels that were set aside before, as in `append`.

        Raises:
            DataRefusedError: a value would change, or columns are missing or new; nothing was appended.
            StoreError: the lake cannot be used, or has no rows yet.
        """
        if self._tables.labels.holds(batch):
            return Receipt(batch=batch, is_new=False)
        with LabelWriting(self._tables, self.terms, batch, arrived_at) as writing:
            for df in frames:
                writing.take(df)
            for df in aside:
                writing.set_aside(df)
            writing.close()
        if not writing.commit():
            return Receipt(batch=batch, is_new=False)
        labels, aside_rows = writing.labels.rows, writing.quarantine.rows
        return Receipt(batch=batch, is_new=True, labels=labels, unlabelled=writing.read - labels, quarantined=aside_rows)

    def check_labels(self, frames: Iterable[pd.DataFrame]) -> None:
        """Refuse labels that `append_labels` would refuse, and write nothing.

        Raises:
            DataRefusedError: a value would change, or columns are missing or new.
            StoreError: the lake cannot be read.
        """
        features = self._tables.features(self.terms)
        for _ in read_labels(frames, self.terms, features, self._tables.label()) if features else ():
            pass

    def mend_labels(self, batch: str, rows: pd.DataFrame, places: np.ndarray, *, of: OpenRows, arrived_at: datetime) -> Receipt:
        """Append labels that were set aside with another batch and were mended, each once; as `mend` does with rows.

        Raises:
            DataRefusedError: a value would change, or columns are missing or new; nothing was appended.
            StoreError: the lake cannot be used, or others of these labels were mended meanwhile.
        """
        with LabelWriting(self._tables, self.terms, batch, arrived_at) as writing:
            writing.take(rows, names_of(of.batch, places))
            writing.close()
        return Receipt(batch=batch, is_new=writing.commit(of), labels=writing.labels.rows)

    def count_overruled(self, frames: Iterable[pd.DataFrame]) -> int:
        """Count the keys that have another label now than a delivery says, of those that it gives a label.

        Args:
            frames: As in `append_labels`.

        Raises:
            DataRefusedError: the columns are others.
            StoreError: the lake cannot be read.
        """
        features = self._tables.features(self.terms)
        now = datetime.now(UTC)
        said, state = LabelBook(), State(opened(self._tables.observations), self._tables.labels.open(), now)
        if features is None:
            return 0
        for keys, values, cells in read_labels(frames, self.terms, features, self._tables.label()):
            said.add(keys, values, observed=observed(cells, now))
        said.close()
        return said.differing(state.book())

    def append_predictions(self, scoring: str, frames: Iterable[pd.DataFrame], *, arrived_at: datetime) -> bool:
        """Append what a version said of rows, once; False when the lake holds the scoring already.

        Args:
            scoring: Its digest.
            frames: The key columns if there are any, `line`, `prediction`, `proba_<class>`, `version`, `prediction_id`.
            arrived_at: When they were predicted.

        Raises:
            StoreError: the lake cannot be used, or its predictions are of another kind.
        """
        with PredictionWriting(self._predictions, self.terms, scoring, arrived_at) as writing:
            for df in frames:
                writing.take(df)
            writing.close()
        return writing.commit()

    # ------------------------------------------------------------------------------------------------------------ reading

    def snapshot(self, *, as_of: datetime | None = None, since: datetime | None = None) -> LakeSnapshot:
        """Name the rows and labels that are there now, or had arrived by a time, so that they can be read again exactly.

        Args:
            as_of: Rows and labels that had arrived by then; default: by now.
            since: Leave out rows that had arrived before.

        Raises:
            StoreError: the lake has no rows yet, or cannot be read.
        """
        # In this order: the labels of rows that are seen were committed before them.
        observations = opened(self._tables.observations)
        state = State(observations, self._tables.labels.open(), as_of or datetime.now(UTC), since)
        rows, labelled, digest = 0, 0, Digest(state.columns())
        for df, _ in state.rows():
            digest.add(df)
            rows += len(df)
            labelled += int(df[self.terms.target].notna().sum()) if self.terms.target else 0
        return LakeSnapshot(
            use_case=self.use_case,
            observations=state.observations.version(),
            labels=state.labels.version() if state.labels else None,
            as_of=state.as_of,
            since=since,
            rows=rows,
            labelled=labelled,
            digest=digest.hex(),
        )

    def read(self, snapshot: LakeSnapshot) -> pd.DataFrame:
        """Give the rows of a snapshot exactly as they were: declared columns, then the target.

        Raises:
            StoreError: they are not those that the snapshot names.
        """
        import pandas as pd

        chunks = list(self.read_chunks(snapshot))
        return pd.concat(chunks, ignore_index=True)

    def read_chunks(self, snapshot: LakeSnapshot) -> Iterator[pd.DataFrame]:
        """Give the rows of a snapshot some at a time; at least one frame, be it empty.

        Raises:
            StoreError: they are not those that the snapshot names; only known after the last of them.
        """
        state = self._state(snapshot)
        columns = state.columns()
        digest, rows = Digest(columns), 0
        for df, _ in state.rows():
            digest.add(df)
            rows += len(df)
            yield df
        if not rows:
            yield columns.empty()
        if (rows, digest.hex()) != (snapshot.rows, snapshot.digest):
            message = (
                f"the rows of {self.use_case} at version {snapshot.observations} are not those of the snapshot: "
                f"{rows:,} rows with digest {digest.hex()[:8]} instead of {snapshot.rows:,} with {snapshot.digest[:8]}; "
                f"something else changed the lake at {self.url}: restore it from a copy"
            )
            raise StoreError(message, where=self.url)

    def news(self, *, rows_since: datetime | None = None, labels_since: datetime | None = None) -> News:
        """Say what has come by now, and not by these times before.

        Raises:
            StoreError: the lake has no rows yet, or cannot be read.
        """
        state = State(opened(self._tables.observations), self._tables.labels.open(), datetime.now(UTC))
        return News(state, rows_since, labels_since)

    def _state(self, snapshot: LakeSnapshot) -> State:
        if snapshot.use_case != self.use_case:
            message = f"the snapshot is one of {snapshot.use_case}, and this is the lake of {self.use_case}; open that one"
            raise StoreError(message, where=snapshot.use_case)
        labels = None if snapshot.labels is None else opened(self._tables.labels, snapshot.labels)
        return State(opened(self._tables.observations, snapshot.observations), labels, snapshot.as_of, snapshot.since)

    def batches(self, *, as_of: datetime | None = None) -> list[Arrival]:
        """List the batches that had arrived by a time, in the order of their arrival, and where their rows went.

        Raises:
            StoreError: the lake cannot be read.
        """
        until = as_of or datetime.max.replace(tzinfo=UTC)
        found: dict[str, dict[str, Any]] = {}
        observations, labels, quarantine = (table.open() for table in vars(self._tables).values())
        if observations is None:
            return []
        standing, condition = Standing(observations, labels), arrived(until)
        tables = {
            "observations": (observations, condition),
            "labels": (labels, standing.of_labels(condition)),
            "quarantined": (quarantine, standing.of_quarantine(quarantine, condition)),
        }
        for name, (table, those) in tables.items():
            for (arrived_at, batch), rows in counts(table, those).items() if table else ():
                found.setdefault(batch, {"arrived_at": arrived_at.as_py()})[name] = rows
        for table, those in (tables["observations"], tables["labels"]):
            for batch, rows in _count_mended(table, those).items():
                for seen in (found[digest] for digest in found if digest.startswith(batch)):
                    seen["quarantined"] = seen.get("quarantined", 0) - rows
        for batch, seen in found.items():
            if seen.get("quarantined") and number_of(observations, batch) == 0:
                seen["labels_quarantined"] = seen.pop("quarantined")
        arrivals = [Arrival(batch=batch, **seen) for batch, seen in found.items()]
        return sorted(arrivals, key=lambda arrival: (arrival.arrived_at, arrival.batch))

    def predictions(self, scoring: str | None = None) -> pd.DataFrame:
        """Give what versions said of rows, of one scoring or of all, in the order in which it was said.

        Raises:
            StoreError: the lake cannot be read.
        """
        return arrow.prediction_frame(self._predictions.open(), scoring)

    def count_labels(self, *, as_of: datetime | None = None) -> LabelCounts:
        """Count the labels that had arrived by a time: late, corrected, duplicate, of unknown rows.

        Raises:
            StoreError: the lake has no rows yet, or cannot be read.
        """
        state = State(opened(self._tables.observations), self._tables.labels.open(), as_of or datetime.now(UTC))
        book = state.met()
        return LabelCounts(total=book.total, late=book.late, corrected=book.corrected, duplicate=book.duplicate, unknown=book.unknown)

    def count_labelled(self) -> int:
        """Count the labels, each correction as one more.

        Raises:
            StoreError: the lake has no rows yet, or cannot be read.
        """
        observations, labels = opened(self._tables.observations), self._tables.labels.open()
        if labels is None:
            return 0
        return sum(counts(labels, Standing(observations, labels).of_labels(anything())).values())

    def labels_without_row(self, batch: str, most: int) -> tuple[int, list[str]]:
        """Count the labels of a batch that name no row, and give their keys, up to one more than so many.

        Raises:
            StoreError: the lake cannot be read.
        """
        return arrow.keys_without_row(self._tables.labels.open(), self._tables.observations.open(), batch, most + 1)

    def quarantined(self, batch: str | None = None) -> pd.DataFrame:
        """Give the rows that were set aside, of one batch or of all, mended or not: batch, arrived_at, row, line, text, reasons.

        Raises:
            StoreError: the lake cannot be read.
        """
        import pyarrow.compute as pc

        observations, labels, quarantine = (table.open() for table in vars(self._tables).values())
        if observations is None:
            return arrow.quarantine_frame(None, None)
        condition = anything() if batch is None else pc.field("_batch") == batch
        return arrow.quarantine_frame(quarantine, Standing(observations, labels).of_quarantine(quarantine, condition))

    def open_rows(self, batch: str, *, of_labels: bool = False) -> OpenRows:
        """Give the rows of a batch that were set aside and have not been mended, or the labels of one of labels alone.

        Raises:
            StoreError: the lake has no rows yet, or cannot be read.
        """
        import numpy as np

        observations, labels = opened(self._tables.observations), self._tables.labels.open()
        done = [mended(observations, anything(), batch).to_pandas()]
        if labels:
            done.append(mended(labels, Standing(observations, labels).of_labels(anything()), batch).to_pandas())
        names, batches = ([cell for df in done for cell in df[column]] for column in (arrow.MENDS, "_batch"))
        with_batch = {int(name[BATCH_DIGITS + 1 :]): digest for name, digest in zip(names, batches, strict=True)}
        rows = np.setdiff1d(self.quarantined(batch)["row"].to_numpy(), [*with_batch])
        return OpenRows(batch, rows, number_of(labels if of_labels else observations, mendings_of(batch)), with_batch)

    def count_own_labels(self, batch: str) -> int:
        """Count the labels that a batch brought for rows of its own.

        Raises:
            StoreError: the lake has no rows yet, or cannot be read.
        """
        import pyarrow.compute as pc

        observations, labels = opened(self._tables.observations), self._tables.labels.open()
        if labels is None:
            return 0
        condition = Standing(observations, labels).of_labels(pc.field("_batch") == batch)
        keys, theirs = (
            table.to_pyarrow_dataset().to_table(["_row_key"], filter=those)["_row_key"].to_pandas()
            for table, those in ((observations, pc.field("_batch") == batch), (labels, condition))
        )
        return int(theirs.isin(keys).sum())

    def columns(self) -> Columns:
        """Give the declared columns, the target last where there is one and labels have come.

        Raises:
            StoreError: the lake has no rows yet, or cannot be read.
        """
        terms, features = arrow.declared(opened(self._tables.observations))
        label = self._tables.label()
        return features if terms.target is None or label is None else Columns((*features.columns, replace(label, name=terms.target)))

    def label_columns(self) -> Columns:
        """Give the columns that labels alone are delivered in.

        Raises:
            StoreError: the lake has no rows yet, or cannot be read.
        """
        terms, features = arrow.declared(opened(self._tables.observations))
        return columns_of_labels(terms, features, self._tables.label() or Column(arrow.VALUE, "float64"))

    # -------------------------------------------------------------------------------------------------------- maintenance

    def maintain(self, keep: Iterable[LakeSnapshot] = (), *, unused_for: timedelta = UNUSED_FOR) -> Maintenance:
        """Put small files together, and remove those that only forgotten versions use.

        Args:
            keep: Snapshots that must stay readable: those that model versions name.
            unused_for: Files are removed when nothing has used them for this long; keep it longer than any run takes, for what
                a run has written or names is not known here before it ends.

        Raises:
            StoreError: a snapshot is another lake's, or a table cannot be written.
        """
        kept = list(keep)
        for snapshot in kept:
            self._state(snapshot)  # what cannot be opened before must not be blamed on this afterwards
        versions = ([s.observations for s in kept], [s.labels for s in kept if s.labels is not None], [])
        done = (table.maintain(those, unused_for) for table, those in zip(vars(self._tables).values(), versions, strict=True))
        return sum(done, self._predictions.maintain([], unused_for))


def _count_mended(table: DeltaTable | None, condition: pc.Expression) -> dict[Any, int]:
    """Count the rows that came back mended, by the first digits of the batch that they first came with."""
    return mended(table, condition)[arrow.MENDS].to_pandas().str[:BATCH_DIGITS].value_counts().to_dict() if table else {}
