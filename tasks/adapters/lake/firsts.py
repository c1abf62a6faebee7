"""Which rows of a lake have a label for the first time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from tasks.adapters.lake import arrow, tables
from tasks.adapters.lake.reading import Standing, State, arrived
from tasks.core.lake.fresh import NEVER, FreshKeys, LateKeys
from tasks.core.lake.values import microseconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True)
class NewLabels:
    """Labels that had come to a lake by a time, and not by another one before.

    Attributes:
        state: Of the tables, at the end.
        since: Labels that arrived after this are new; None: all are.
    """

    state: State
    since: datetime | None

    @cached_property
    def standing(self) -> Standing:
        """Say which labels count."""
        return Standing(self.state.observations, self.state.labels)

    def after(self, since: datetime | None) -> pc.Expression:
        """Give the condition of labels that arrived after a time."""
        return self.standing.of_labels(arrived(self.state.as_of, since + MOMENT if since else None))

    @cached_property
    def new(self) -> pc.Expression:
        """Give the condition of the new labels."""
        return self.after(self.since)

    def count(self, condition: pc.Expression) -> int:
        """Count labels."""
        return sum(tables.counts(self.state.labels, condition).values()) if self.state.labels else 0

    def before(self) -> pc.Expression | None:
        """Give the condition of labels that are not new; None where all are."""
        return None if self.since is None else self.standing.of_labels(arrived(self.since))

    def named(self, condition: pc.Expression | None) -> Iterator[tuple[pd.Series[str], np.ndarray]]:
        """Give the names of the rows of labels, and when these arrived, in the order of that; of no condition, none."""
        if self.state.labels is not None and condition is not None:
            for labels in tables.in_order(self.state.labels, ["_row_key"], condition):
                yield named(labels)

    def names(self, condition: pc.Expression | None) -> Iterator[pd.Series[str]]:
        """Give the same without the times."""
        return (names for names, _ in self.named(condition))

    def fresh(self, condition: pc.Expression) -> FreshKeys:
        """Give the names of the rows of labels, ready to be asked for."""
        fresh = FreshKeys(self.count(condition))
        for names in self.names(condition):
            fresh.add(names)
        fresh.close()
        return fresh


def named(rows: pa.Table) -> tuple[pd.Series[str], np.ndarray]:
    """Give the names of rows or labels, and when these arrived, in microseconds since 1970."""
    return rows["_row_key"].to_pandas(), rows["_arrived_at"].cast("int64").to_numpy()


class Firsts(Protocol):
    """Rows whose first label is a new one."""

    @property
    def labelled(self) -> int:
        """Count them."""
        ...

    def corrected(self, since: datetime | None) -> int:
        """Count the names of rows that had a label before and were given another one, or the same again, after a time; None: ever."""
        ...

    def hold(self, rows: pa.Table) -> np.ndarray:
        """Say of rows, of which name and arrival are given, whether they are among these, shape (n,)."""
        ...

    def batches(self, before: datetime) -> set[str]:
        """Give the batches that they came with by a time, and maybe more."""
        ...


class FirstsOfKeys:
    """Where a key names each row: it has its first label once, and counts even where no row has come with it."""

    def __init__(self, labels: NewLabels) -> None:
        self._labels = labels

    @property
    def labelled(self) -> int:
        """Count the keys."""
        return self._fresh.left

    def corrected(self, since: datetime | None) -> int:
        """Count the keys whose labels replaced others."""
        if since is None or (self._labels.since is not None and self._labels.since >= since):
            return self._fresh.struck
        return self._fresh.struck_among(self._labels.names(self._labels.after(since))) if self._fresh.struck else 0

    def hold(self, rows: pa.Table) -> np.ndarray:
        """Say which rows have such a key, shape (n,)."""
        return self._fresh.hold(rows["_row_key"].to_pandas())

    def batches(self, before: datetime) -> set[str]:
        """Give the batches of such rows."""
        found: set[str] = set()
        for rows in tables.in_order(self._labels.state.observations, ["_row_key"], arrived(before)):
            found.update(rows["_batch"].to_pandas()[self.hold(rows)].unique())
        return found

    @cached_property
    def _fresh(self) -> FreshKeys:
        """Give the keys of new labels, those struck out that had one before."""
        fresh = self._labels.fresh(self._labels.new)
        for keys in self._labels.names(self._labels.before()) if fresh.left else ():
            fresh.strike(keys)
        return fresh


class FirstsOfRows:
    """Where nothing but its cells names a row: equal rows are rows of their own, and have one name.

    A label that came with its row is the first of that row. One that came later is of all rows of its name that were there by then.
    """

    def __init__(self, labels: NewLabels) -> None:
        import pyarrow.compute as pc

        self._labels = labels
        self._new = labels.new & pc.field(arrow.WITH_ROWS)
        self._late = labels.new & ~pc.field(arrow.WITH_ROWS)

    @property
    def labelled(self) -> int:
        """Count the rows."""
        return self._labels.count(self._new) + sum(self._later[1].values())

    def corrected(self, since: datetime | None) -> int:
        """Count the names of rows for which labels came again, and that no row has whose first label came with these."""
        since_then = arrived(self._labels.state.as_of, since + MOMENT if since else None)
        return self._later[0].corrected_among(self._labels.names(self._late & since_then))

    def hold(self, rows: pa.Table) -> np.ndarray:
        """Say which rows are among these, shape (n,)."""
        names, times = named(rows)
        return self._came_labelled(names, times) | self._later[0].hold(names, times)

    def batches(self, before: datetime) -> set[str]:
        """Give the batches of these rows; a label that came with its row has the batch of that."""
        labels = self._labels.state.labels
        return {*self._later[1], *(batch for _, batch in (tables.counts(labels, self._new & arrived(before)) if labels else ()))}

    def _came_labelled(self, names: pd.Series[str], times: np.ndarray) -> np.ndarray:
        """Say which rows came with a new label. Their names tell it, for these are made of all cells, the label among them."""
        return self._named.hold(names) & (times > (microseconds(self._labels.since) if self._labels.since else NEVER))

    @cached_property
    def _named(self) -> FreshKeys:
        """Give the names of rows that new labels came with."""
        return self._labels.fresh(self._new)

    @cached_property
    def _later(self) -> tuple[LateKeys, dict[str, int]]:
        """Give the names of rows for which new labels came later, and count the rows of each batch of which these are the first."""
        import numpy as np

        late, found, state = LateKeys(self._labels.count(self._late)), dict[str, int](), self._labels.state
        for names, times in self._labels.named(self._late):
            late.add(names, times)
        late.close()
        if not len(late):
            return late, found
        for names, times in self._labels.named(self._labels.before()):
            late.strike(names, times)
        for rows in tables.in_order(state.observations, ["_row_key"], arrived(state.as_of)):
            names, times = named(rows)
            places = np.flatnonzero(late.hold(names, times))
            places = places[~self._came_labelled(names.iloc[places], times[places])]
            late.meet(names.iloc[places])
            for batch, count in rows["_batch"].take(places).to_pandas().value_counts().items():
                found[str(batch)] = found.get(str(batch), 0) + int(count)
        return late, found
