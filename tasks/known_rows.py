"""Rows that the lake has already, by their key: what a delivery brings beside them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tasks.adapters import memory, snapshots
from tasks.core import mending, splits
from tasks.core.deliveries import SHOWN_DIGITS, BatchRows
from tasks.core.errors import DataRefusedError
from tasks.core.findings import Finding
from tasks.core.lake.known import FEW_ROWS, find_changed, say_refused, say_restated
from tasks.core.lake.values import Receipt
from tasks.core.mending import Pile
from tasks.core.profiles import profile_rows
from tasks.core.row_sets import RowSet
from tasks.reception import rows_of
from tasks.record import task

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from tasks.adapters.lake.meeting import Encounter
    from tasks.core.deliveries import Delivery
    from tasks.core.lake.known import Meeting, Settled
    from tasks.core.snapshot import Batch
    from tasks.reception import Reception

CUT_OFF = "a run that was cut off had taken it in"


@dataclass(frozen=True)
class News:
    """What a delivery brings beside rows that are known by their key.

    Attributes:
        came: All its rows.
        batch: Those that are not known.
        known: Where the others stand among all, ascending.
        late: Known rows that bring the label of one that had none; None where there are none.
        differing: Rows of `batch` whose key the lake has with other values, by reason.
        twins: Rows that share a key with one another and with no row of the lake.
        encounter: How the keys were looked up; None where no key names rows.
        restated: That most rows have a key that stands for other values in some columns; None where they do not.
    """

    came: Batch
    batch: Batch
    known: np.ndarray
    late: Batch | None = None
    differing: Mapping[str, RowSet] = field(default_factory=dict[str, RowSet])
    twins: Meeting | None = None
    encounter: Encounter | None = None
    restated: Finding | None = None

    @classmethod
    def of(cls, batch: Batch) -> News:
        """Give a delivery of which no row is known."""
        import numpy as np

        return cls(batch, batch, np.arange(0))

    @property
    def judged(self) -> Batch | None:
        """Give the rows that are judged as such; None where all are known."""
        return self.batch if len(self.batch.lines) or not len(self.came.lines) else None

    def places_in_batch(self, places: np.ndarray) -> np.ndarray:
        """Say where rows of `batch` stand in it, by where they stand among all."""
        import numpy as np

        return places - np.searchsorted(self.known, places)

    def rows(self, places: np.ndarray) -> RowSet:
        """Give rows of `batch` by where they stand among all."""
        import numpy as np

        mask = np.zeros(len(self.batch.lines), dtype=bool)
        mask[self.places_in_batch(places)] = True
        return RowSet.where(mask)

    def by_reason(self, settled: Settled) -> dict[str, RowSet]:
        """Say for which reasons rows differ from what their keys stand for."""
        import pandas as pd

        if self.encounter is None or not len(settled.differing):
            return {}
        reasons = pd.Series(self.encounter.reasons(settled))
        return {str(reason): self.rows(settled.differing[places]) for reason, places in reasons.groupby(reasons).indices.items()}


@task
def find_news(reception: Reception, delivery: Delivery, batch: Batch, because: str = "") -> News | None:
    """Leave out the rows of a batch that are known by their key; None where it brings nothing else.

    Raises:
        DataRefusedError: most rows have a key that stands for other values, and it is nothing that a person could accept.
        StoreError: a store cannot be read or written.
    """
    # The lake takes rows in before the ledger tells of them, so where it alone has a batch, a run was killed between the two.
    if reception.lake(batch).holds(batch.delivered):
        _record_cut_off(reception, delivery, batch, because)
        return None
    encounter = _encounter(reception, batch)
    if encounter is None:
        return News.of(batch)
    memory.give_back()  # reading rows of both sides took a multiple of what is held of them
    stored, twins = encounter.meeting.split()
    settled = stored.settle()
    restated = _find_restated(delivery.name, len(batch.lines), encounter, settled, twins.settle())
    news = dataclasses.replace(_without(batch, settled, twins, encounter), restated=restated)
    if news.judged or news.late or batch.aside or because:
        return news
    told = f"each of its {len(batch.lines):,} rows is in the lake"
    entry = dataclasses.replace(reception.entry(delivery, batch.delivered, "ingested", (told,)), decided_at="")
    reception.tell_known(delivery, dataclasses.replace(entry, rows=BatchRows(read=len(batch.lines), known=len(batch.lines))))
    return None


def _encounter(reception: Reception, batch: Batch) -> Encounter | None:
    """Hold the rows against those that have their keys; None where there is no key, or cells do not fit.

    What does not fit is told when the lake takes the rows in, after suite and people have had their say.
    """
    lake = reception.lake(batch)
    if not set(lake.terms.key) <= set(snapshots.column_names(batch.path)):
        return None
    try:
        return lake.encounter(lambda columns: snapshots.read_frames(batch.path, columns=columns))
    except DataRefusedError:
        return None


def _find_restated(name: str, rows: int, encounter: Encounter, stored: Settled, twins: Settled) -> Finding | None:
    """Find columns that most rows of a batch restate, beside new rows; None where they do not, or where a few rows are corrected.

    Raises:
        DataRefusedError: most rows differ from what their keys stand for, and there is nothing in it for a person to decide.
    """
    corrected, repeated = len(stored.differing), len(twins.differing)
    if 2 * (corrected + repeated) <= rows or repeated < corrected <= FEW_ROWS:
        return None
    changed, differing = find_changed(encounter.shares(stored)) if corrected > repeated else [], corrected + repeated
    restated = say_restated(encounter.target, differing, rows, changed) if corrected + len(stored.known) < rows else ""
    if not restated:
        raise DataRefusedError(say_refused(encounter.key, encounter.target, differing, rows, changed), where=name)
    return Finding("column-restated", "critical", changed[0], restated, {"rows": rows, "differing": differing})


def _without(batch: Batch, settled: Settled, twins: Meeting, encounter: Encounter) -> News:
    """Leave known rows out of a batch."""
    import numpy as np

    left = batch
    if len(settled.known):
        places = np.delete(np.arange(len(batch.lines)), settled.known)
        left = _part(batch, places, "new") if len(places) else dataclasses.replace(batch, lines=places)
    late = _part(batch, settled.late, "late") if len(settled.late) else None
    news = News(batch, left, settled.known, late, twins=twins, encounter=encounter)
    return dataclasses.replace(news, differing=news.by_reason(settled))


def _part(batch: Batch, places: np.ndarray, what: str) -> Batch:
    """Store some rows of a batch."""
    import pandas as pd

    # What is stored under a name is not written again, and which rows of a batch are known changes as the lake grows.
    name = f"{batch.digest}-{splits.content_digest(pd.DataFrame({'place': places}))[:SHOWN_DIGITS]}-{what}"
    path = snapshots.write_frames(snapshots.read_places(batch.path, places), batch.path.parent, name)
    return dataclasses.replace(batch, path=path, lines=batch.lines[places], aside=batch.aside if what == "new" else ())


def _record_cut_off(reception: Reception, delivery: Delivery, batch: Batch, because: str) -> None:
    """Write down what a run took in that was cut off before it could: what is in is in, whatever the suite says by now."""
    lake = reception.lake(batch)
    rows = rows_of(lake, Receipt(batch=batch.delivered, is_new=False), len(batch.lines) + len(batch.aside))
    profile = profile_rows(snapshots.read_frames(batch.path), pii=reception.personal(batch))
    columns = snapshots.column_names(batch.path)
    pile = Pile(columns, lambda: mending.stored(lake.quarantined(batch.delivered), columns))
    entry = reception.entry(delivery, batch.delivered, "accepted" if because else "ingested", (CUT_OFF,))
    entry = dataclasses.replace(entry, rows=rows, because=because, profile=profile.to_json())
    reception.conclude(delivery, entry, pile=pile)
