"""Rows of a batch held against those of the lake that have their keys."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tasks.adapters.lake import arrow
from tasks.adapters.lake.failures import told
from tasks.adapters.lake.reading import State, arrivals
from tasks.adapters.lake.writing import label_of
from tasks.core.lake.columns import Column, Columns, check_cast, declare
from tasks.core.lake.known import (
    LOOKED_AT,
    NAMED_ROWS,
    OTHER_VALUES,
    Cells,
    KeyBook,
    Looked,
    Meeting,
    find_differences,
    hash_features,
    hash_keys,
    name_differences,
    rounded,
    was_rounded,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.dataset as ds
    from deltalake import DeltaTable

    from tasks.adapters.lake.writing import Tables
    from tasks.core.lake.known import Settled
    from tasks.core.lake.values import Terms

    # Reads the rows of a batch from the first, as often as it is asked to; all columns or some.
    Reader = Callable[[Sequence[str] | None], Iterator[pd.DataFrame]]


class Encounter:
    """A batch and the lake; no more than the columns of the key are read, unless keys meet.

    Rows are compared in the columns that both have; in those that hold numbers of 32 bits on one side, as such numbers.

    Args:
        tables: Of the lake.
        terms: Of the use case, with a key.
        read: The rows.

    Raises:
        DataRefusedError: a cell of the batch does not fit.
        StoreError: the lake cannot be read, or was begun on other terms.
    """

    def __init__(self, tables: Tables, terms: Terms, read: Reader) -> None:
        self._read, self.target = read, terms.target or ""
        self._lake, self._labels = tables.observations.open(), tables.labels.open()
        self._label = tables.label()
        self._features = _compared(tables, terms, read)
        self._key = Columns(tuple(Column(name, self._features.kind(name)) for name in terms.key))
        self._book = self._read_keys()
        self.looked = Looked(lambda: self._read_keys().keys, arrivals(self._lake) if self._lake else frozenset())
        self._files = [file for file in _files(self._lake) if self._meets(file)]
        self._rounded: frozenset[str] = frozenset()
        self._met = self._find_met()
        if not self._files:
            self._book = KeyBook()  # nothing asks it any more, and that of ten million rows holds 120 MB

    def _read_keys(self) -> KeyBook:
        book = KeyBook()
        for df in self._read(self._key.names):
            book.add(self._hash_keys(check_cast(df, self._key)))
        book.close()
        return book

    @cached_property
    def meeting(self) -> Meeting:
        """Hold rows whose keys meet against one another; then let go of their cells."""
        found = Meeting.of(*self._met)
        del self._met
        return found

    @property
    def key(self) -> list[str]:
        """Name the columns of the key."""
        return self._key.names

    def reasons(self, settled: Settled) -> list[str]:
        """Say of each row that differs why it does; of the first of them, in which columns."""
        if not len(settled.differing):
            return []
        return name_differences(*self._beside(settled), self.target) + [OTHER_VALUES] * len(settled.differing[NAMED_ROWS:])

    def shares(self, settled: Settled) -> dict[str, float]:
        """Say of each column in how many of the rows that differ it does, by the first of them."""
        shares = find_differences(*self._beside(settled), self.target).mean()
        return {str(name): float(share) for name, share in shares.items() if name not in self.key}

    def _beside(self, settled: Settled) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Give the first rows that differ, and those that stand for their keys."""
        import numpy as np
        import pandas as pd

        places, beside = settled.differing[:NAMED_ROWS], settled.beside[:NAMED_ROWS]
        wanted = np.union1d(places, beside[beside >= 0])
        ours = pd.concat(self._pick(wanted), ignore_index=True).set_axis(wanted)
        rows, others = ours.loc[places].reset_index(drop=True), ours.loc[np.where(beside < 0, places, beside)].reset_index(drop=True)
        if (is_stored := beside < 0).any():
            others = others.where(~pd.Series(is_stored), self._stored_for(rows))
        return rounded(rows, self._rounded), rounded(others, self._rounded)

    def _stored_for(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Give the rows of the lake that have the keys of these, in their order."""
        import pandas as pd

        asked = self._index(rows)
        found: list[pd.DataFrame] = []
        for df, labels in self._stored():
            keys = self._index(df)
            found.append(df.assign(**({self.target: labels} if self.target else {})).set_axis(keys)[keys.isin(asked)])
        stored = pd.concat(found)
        return stored[~stored.index.duplicated()].reindex(asked)[rows.columns].reset_index(drop=True)

    def _index(self, df: pd.DataFrame) -> pd.MultiIndex:
        import pandas as pd

        return pd.MultiIndex.from_arrays([*self._hash_keys(df).T])

    def _find_met(self) -> tuple[np.ndarray, Cells, Cells]:
        """Give the places of rows whose keys meet, their cells, and those of the lake."""
        import numpy as np

        places = self._book.met_or_repeated()
        if not len(places):
            return places, Cells.joined([]), Cells.joined([])
        self._rounded = self._find_rounded(places)
        ours, theirs = list[Cells](), [self._cells(df, labels) for df, labels in self._stored()]
        has_key: list[np.ndarray] = []
        for df in self._pick(places):
            has_key.append(df[self._key.names].notna().all(axis=1).to_numpy())
            named = df[has_key[-1]].reset_index(drop=True)
            ours.append(self._cells(named, named.get(self.target)))
        our, their = Cells.joined(ours), Cells.joined(theirs)
        ours.clear()  # of millions of rows no second copy
        theirs.clear()
        if our.has_rounded_labels or their.has_rounded_labels:
            self._rounded |= {self.target}
            our, their = our.rounding_labels(), their.rounding_labels()
        return places[np.concatenate(has_key)], our, their

    def _cells(self, df: pd.DataFrame, labels: pd.Series[Any] | None) -> Cells:
        import pandas as pd

        # A copy, for a column of a frame keeps all of the frame in memory.
        found = pd.Series([None] * len(df), dtype="float64") if labels is None else labels.copy()
        return Cells(self._hash_keys(df), hash_features(rounded(df[self._features.names], self._rounded)), found)

    def _find_rounded(self, places: np.ndarray) -> frozenset[str]:
        """Name the columns that hold numbers of 32 bits, in the batch or in a file that is met; their keys are none."""
        names = [column.name for column in self._features.columns if column.kind == "float64" and column.name not in self.key]
        seen = [next(self._pick(places[:LOOKED_AT]))]
        seen += [arrow.to_frame(file.head(LOOKED_AT, columns=names), self._features.only(names)) for file in self._files if names]
        return frozenset(name for name in names for df in seen if name in df and was_rounded(df[name]))

    def _hash_keys(self, df: pd.DataFrame) -> np.ndarray:
        return hash_keys(df, self._key.names)

    def _pick(self, places: np.ndarray) -> Iterator[pd.DataFrame]:
        """Give rows of the batch as the lake would keep them; a column that did not come is empty."""
        import numpy as np

        start, target = 0, self.target
        for df in self._read(None):
            first, last = np.searchsorted(places, [start, start + len(df)])
            some = df.iloc[places[first:last] - start].reset_index(drop=True)
            start += len(df)
            if len(some):
                label = self._label or label_of(some, target)
                columns = Columns((*self._features.columns, *([replace(label, name=target)] if label and target in some else [])))
                yield check_cast(some.reindex(columns=columns.names), columns)

    def _meets(self, file: ds.ParquetFileFragment) -> bool:
        hashes = (self._hash_keys(arrow.to_frame(rows, self._key)) for rows in self._scan(file, self._key.names))
        return sum(int(self._book.meet(keys).sum()) for keys in hashes) > 0

    def _stored(self) -> Iterator[tuple[pd.DataFrame, pd.Series[Any] | None]]:
        """Give the rows of the lake that have keys of the batch, and their labels."""
        if not (self._lake and self._files):
            return
        book = State(self._lake, self._labels, datetime.now(UTC)).book() if self.target else None
        for file in self._files:
            for rows in self._scan(file, ["_row_key", *self._features.names]):
                df = arrow.to_frame(rows, self._features)
                if (is_met := self._book.meet(self._hash_keys(df))).any():
                    names = rows["_row_key"].to_pandas()[is_met].reset_index(drop=True)
                    yield df[is_met].reset_index(drop=True), book.of(names) if book else None

    def _scan(self, file: ds.ParquetFileFragment, names: Sequence[str]) -> Iterator[pa.Table]:
        """Read a file by its groups of rows; a scanner of pyarrow would read on meanwhile until all of it is in memory."""
        with told(self._lake.table_uri if self._lake else ""):
            for group in file.split_by_row_group():
                yield group.to_table(columns=[*names])


def _compared(tables: Tables, terms: Terms, read: Reader) -> Columns:
    """Give the columns that the lake and the batch have, less the target; of the first batch those that it will declare."""
    first = next(read(None))
    features = tables.features(terms) or declare(first, integers=terms.integers).without([terms.target or ""])
    return features.only(first.columns)


def _files(table: DeltaTable | None) -> list[ds.ParquetFileFragment]:
    """List the files of a table; one is read on its own, so that those without a key of the batch are not read again."""
    return list(table.to_pyarrow_dataset().get_fragments()) if table else []
