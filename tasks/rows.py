"""Verbs on rows that come, but for those that are known: what speaks against them, and the lake that takes them in."""

from __future__ import annotations

import dataclasses
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import chain
from typing import TYPE_CHECKING, Any

from tasks.adapters import sheets, snapshots
from tasks.core import deliveries, mending
from tasks.core.deliveries import TAKEN
from tasks.core.errors import DataRefusedError, UsageError
from tasks.core.findings import Judgement
from tasks.core.mending import Aside, Pile
from tasks.core.parts import WHOLE, Scope
from tasks.core.profiles import Profile, profile_rows
from tasks.core.row_sets import NO_ROWS, RowSet
from tasks.core.validation import ExpectationResult, Validation
from tasks.reception import failing, rows_of, tell_columns
from tasks.record import task

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import numpy as np
    import pandas as pd

    from tasks.adapters.lake import Lake
    from tasks.core.deliveries import Delivery
    from tasks.core.findings import Inspection
    from tasks.core.snapshot import Batch
    from tasks.known_rows import News
    from tasks.reception import Reception

SAME_KEY = "rows whose key came before with other values are set aside; if it names several rows, name in key: all columns that name one"
MISTYPED = 0.8  # a target that is as much like a column's name as this; at 0.6 `count` is like `month`
log = logging.getLogger("evergreen")


def complete(reception: Reception, batch: Batch) -> Batch:
    """Give rows that came without labels an empty target, so that they have the columns of the use case.

    Raises:
        UsageError: nothing came before, and the target looks like a column's name that was mistyped.
    """
    lake = reception.lake(batch)
    target, columns = lake.terms.target, snapshots.column_names(batch.path)
    if target is None or target in columns:
        return batch
    if lake.begun_with() is None and get_close_matches(target, columns, cutoff=MISTYPED):
        refused = UsageError.unknown("column", target, columns, where="target")
        message = f"{refused.message}; if labels come later, begin with rows that have theirs"
        raise UsageError(message, where="target")
    log.warning("the rows come without labels: there is no column '%s'", target)
    kind = lake.target_kind()
    frames = (df.assign(**{target: _missing(len(df), kind)}) for df in snapshots.read_frames(batch.path))
    path = snapshots.write_frames(frames, batch.path.parent, f"{batch.digest}-without-labels")
    return dataclasses.replace(batch, path=path)


def _missing(rows: int, kind: str) -> pd.Series[Any]:
    import pandas as pd

    return pd.Series([None] * rows, dtype=kind)


def asked(reception: Reception, batch: Batch) -> Scope:
    """Say what of the suite a batch is asked: not for columns that are new or missing as in the last one, which a person has accepted."""
    lake, target = reception.lake(batch), reception.lake(batch).terms.target
    entries = (entry for entry in reversed(reception.entries) if entry.kind == "rows" and entry.decision in TAKEN and entry.profile)
    last = next((names for entry in entries if (names := deliveries.arrival_of(entry).without(target).profile.names)), None)
    if lake.begun_with() is None or last is None:
        return WHOLE
    came, kept = snapshots.column_names(batch.path), lake.columns().names
    missing = [name for name in kept if name not in (*last, *came, target)]
    return Scope(unasked=missing, unseen=[name for name in came if name in last and name not in kept])


@task
def inspect(reception: Reception, delivery: Delivery, news: News, validation: Validation, late: Validation) -> Judgement:
    """Find out whether the data themselves show damage, beside the champion's rows and the batches that were taken before."""
    came, target, pii = news.came, reception.lake(news.came).terms.target, reception.personal(news.came)
    rows = profile_rows(snapshots.read_frames(news.batch.path), pii=pii) if news.judged else None
    profile = rows or Profile(rows=0, columns=(), digest="", contents="")
    if news.late and target:
        paths = [batch.path for batch in (news.judged, news.late) if batch]
        labels = profile_rows(chain.from_iterable(snapshots.read_frames(path, columns=[target]) for path in paths), pii=pii)
        profile = profile.replacing(labels.columns[0]) if rows else labels
    inspection = reception.inspect(delivery, came.delivered, profile, len(came.lines) + len(came.aside))
    if news.restated:
        inspection = dataclasses.replace(inspection, findings=(news.restated, *inspection.findings))
    return Judgement(validation, profile, inspection, late)


@task
def take(reception: Reception, delivery: Delivery, news: News, judgement: Judgement, because: str = "") -> None:
    """Let the lake take a batch in; hold it where something speaks against it and no person has accepted it.

    Rows that an expectation sets aside are set aside in either case; those that the batch was refused for come in with it.

    Raises:
        DataRefusedError: the lake cannot keep the rows as they are.
        StoreError: a store cannot be written.
    """
    lake, validation = reception.lake(news.came), judgement.validation
    if judgement.against and not because:
        entry = reception.held(delivery, news.came, news.came.delivered, judgement, _why_never(lake, news, judgement))
        reception.conclude(delivery, entry, judgement, _pile(news, judgement), news.judged)
        return
    if lake.begun_with() is None and validation.quarantined == len(news.batch.lines):
        _, (reason, *_) = validation.set_aside(0, len(news.batch.lines))
        message = f"no lake begins without a row, and all of these are set aside, the first because {reason}"
        raise DataRefusedError(message, where=delivery.name)
    _let_in(reception, delivery, news, judgement, because)


def _let_in(reception: Reception, delivery: Delivery, news: News, judgement: Judgement, because: str = "") -> None:
    """Let the lake take in what is new, with the labels that known rows bring, and write it down."""
    lake, kept = reception.lake(news.came), _settle(news, judgement)
    has_twins = len(kept.validation.results) > len(judgement.validation.results)
    judgement = dataclasses.replace(judgement, validation=kept.validation)
    frames, left_out = _new_rows(lake, news, kept, judgement.inspection)
    pile = _pile(news, judgement)
    # The lake first: a kill before the entry is written is mended when the batch comes again, and an entry without its rows never would be.
    receipt = lake.append(
        news.came.delivered,
        frames,
        arrived_at=datetime.now(UTC),
        aside=map(sheets.for_quarantine, pile.read()),
        late=_late_labels(lake, news, kept),
        repeated=_labels_at(lake, news.came.path, kept.repeated),
        looked=news.encounter.looked if news.encounter else None,
    )
    told = [*judgement.against, *judgement.noted, *left_out, *([SAME_KEY] if has_twins else [])]
    told += [f"{receipt.late:,} known rows bring the label that they lacked"] if receipt.late else []
    entry = reception.entry(delivery, news.came.delivered, "accepted" if because else "ingested", tuple(told))
    rows = rows_of(lake, receipt, len(news.came.lines) + len(news.came.aside))
    profile = judgement.profile.to_json() if judgement.profile.columns else ""
    reception.conclude(delivery, dataclasses.replace(entry, rows=rows, because=because, profile=profile), judgement, pile, news.judged)


@dataclass(frozen=True)
class _Kept:
    """What comes in of a delivery.

    Attributes:
        validation: What the suite says of new rows, and what their keys do.
        known: New rows that repeat one before them.
        repeated: Those of them that bring its label, by where they stand among all.
        late: The known rows whose label comes in, by where they stand among those that bring one.
    """

    validation: Validation
    known: RowSet
    repeated: Sequence[int]
    late: np.ndarray


def _settle(news: News, judgement: Judgement) -> _Kept:
    """Say what comes in: rows that repeat one before them do not, nor those that are set aside because they differ."""
    import numpy as np

    aside, twins, known, repeated, validation = dict(news.differing), news.twins, NO_ROWS, list[int](), judgement.validation
    if twins and len(twins.places):
        bad = [
            start + validation.set_aside(start, start + snapshots.FRAME_ROWS)[0]
            for start in range(0, len(news.batch.lines), snapshots.FRAME_ROWS)
        ]
        # A row that the suite sets aside stands for nothing, so the next one of its key comes in instead.
        settled = twins.settle(np.isin(news.places_in_batch(twins.places), np.concatenate(bad)))
        known, repeated = news.rows(settled.known), settled.late.tolist()
        for reason, rows in news.by_reason(settled).items():
            aside[reason] = aside.get(reason, NO_ROWS).union(rows)
    results = [ExpectationResult(why, "warning", success=False, failing_rows=rows, quarantine=True) for why, rows in aside.items()]
    late = len(news.late.lines) if news.late else 0
    failing_late, _ = judgement.late.set_aside(0, late)
    validation = dataclasses.replace(validation, results=(*validation.results, *results))
    return _Kept(validation, known, repeated, np.delete(np.arange(late), failing_late))


def _why_never(lake: Lake, news: News, judgement: Judgement) -> str:
    """Say why the lake could not take a batch in even if a person accepted it; empty where it could."""
    try:
        kept = _settle(news, judgement)
        frames, _ = _new_rows(lake, news, kept, judgement.inspection)
        lake.check(frames, _late_labels(lake, news, kept))
    except DataRefusedError as error:
        return error.message
    return ""


def _pile(news: News, judgement: Judgement) -> Pile:
    """Give the rows that are set aside: new ones that fail, those that could not be read, and known ones whose label fails."""
    names, batch, late = snapshots.column_names(news.batch.path), news.batch, news.late

    def read() -> Iterator[Aside]:
        unread = len(batch.lines) + 1
        yield from failing(batch, judgement.validation)
        yield from mending.unread(batch.aside, names, unread)
        yield from failing(late, judgement.late, unread + len(batch.aside)) if late else ()

    return Pile(names, read)


def _new_rows(lake: Lake, news: News, kept: _Kept, inspection: Inspection) -> tuple[Iterable[pd.DataFrame], tuple[str, ...]]:
    return _fit(lake, _kept(news.batch, kept.validation, kept.known), inspection) if news.judged else ((), ())


def _kept(batch: Batch, validation: Validation, known: RowSet) -> Iterator[pd.DataFrame]:
    """Yield the rows that are neither set aside nor known."""
    import numpy as np

    start = 0
    for df in snapshots.read_frames(batch.path):
        rows, _ = validation.set_aside(start, start + len(df))
        if known:
            rows = np.union1d(rows, np.flatnonzero(known.mask(start, start + len(df))))
        yield df.iloc[np.delete(np.arange(len(df)), rows)].reset_index(drop=True) if len(rows) else df
        start += len(df)


def _fit(lake: Lake, frames: Iterable[pd.DataFrame], inspection: Inspection) -> tuple[Iterable[pd.DataFrame], tuple[str, ...]]:
    """Leave new columns out and fill missing ones in, as far as a person has been told and did not mind; the lake refuses others."""
    new, missing = inspection.columns("column-new"), inspection.columns("column-missing")
    if lake.begun_with() is None or not new + missing:
        return frames, ()
    return (df.drop(columns=new).assign(**dict.fromkeys(missing)) for df in frames), tell_columns(new, missing)


def _late_labels(lake: Lake, news: News, kept: _Kept) -> Iterator[pd.DataFrame]:
    return _labels_at(lake, news.late.path, kept.late) if news.late else iter(())


def _labels_at(lake: Lake, path: Path, places: Sequence[int] | np.ndarray) -> Iterator[pd.DataFrame]:
    import numpy as np

    if len(places) and lake.terms.target:
        yield from snapshots.read_places(path, np.asarray(places), [*lake.terms.key, lake.terms.target])
