"""Verbs on deliveries: what has come, whether it is known, whether it is damaged, and the lake that takes it in."""

from __future__ import annotations

import dataclasses
import logging
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks import record
from tasks.adapters import home, landing, ledger, memory, sheets, snapshots
from tasks.core import deliveries, mending, names, splits
from tasks.core.deliveries import OBSERVED, ROW_KEY, SHOWN_DIGITS, TAKEN, BatchRows, Delivery, IngestReport
from tasks.core.errors import DataRefusedError, UsageError
from tasks.core.findings import Finding, Judgement
from tasks.core.formats.source import CHANGED, shown_url
from tasks.core.lake.known import FEW_ROWS, find_changed, say_refused, say_restated
from tasks.core.lake.values import Receipt
from tasks.core.mending import Aside, Pile
from tasks.core.parts import WHOLE, Scope
from tasks.core.profiles import Profile, profile_rows
from tasks.core.reading.reader import as_rows
from tasks.core.row_sets import NO_ROWS, RowSet
from tasks.core.snapshot import Batch
from tasks.core.use_case import LAKE
from tasks.core.validation import ExpectationResult, Validation
from tasks.reception import Reception, failing, rows_of, tell_columns
from tasks.record import task

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence

    import numpy as np
    import pandas as pd

    from tasks.adapters.lake import Lake
    from tasks.adapters.lake.meeting import Encounter
    from tasks.core.findings import Inspection
    from tasks.core.lake.known import Meeting, Settled
    from tasks.core.lake.values import Terms
    from tasks.core.options import IngestOptions
    from tasks.core.snapshot import Case

SAME_KEY = "rows whose key came before with other values are set aside; if it names several rows, name in key: all columns that name one"
CUT_OFF = "a run that was cut off had taken it in"
MISTYPED = 0.8  # a target that is as much like a column's name as this; at 0.6 `count` is like `month`
log = logging.getLogger("evergreen")


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


def prepare_stores(case: Case) -> None:
    """Create the ledger where it is missing, and remove what killed runs left behind."""
    settings = case.settings
    with home.lock(settings.home, "stores"):
        ledger.create(settings.ledger_address)
        if not settings.ledger_url:
            home.switch_to_wal(settings.home / "ledger.db")
    record.close_dead_runs()
    for folder in ("snapshots", "held", f"quarantine/{case.name}", "profiles", f"reports/{case.name}/batches"):
        (settings.home / folder).mkdir(parents=True, exist_ok=True)
        snapshots.remove_partials(settings.home / folder)


def open_reception(case: Case, options: IngestOptions) -> Reception:
    """List what has come: what a person names, or all that lies in the landing folder.

    Raises:
        UsageError: the call contradicts itself, or the landing folder cannot be used.
    """
    if options.because and not options.accept:
        message = "--because says why a batch is accepted or dismissed; name it with --accept or --dismiss"
        raise UsageError(message, where="--because")
    _check_terms(case)
    if options.data is None and case.use_case.landing:
        come = landing.arrived(case.settings.project / case.use_case.landing)
        return Reception(case, tuple(delivery for delivery in come if delivery.kind == "labels" or not options.labels))
    source = case.use_case.data
    if source == LAKE:
        message = f"name what came for {case.name}: a file, folder, URL or database; or set landing: in its use case"
        raise UsageError(message, where="--data")
    name = shown_url(source) if "://" in source else source if ":" in source else Path(source).name
    return Reception(case, (Delivery(name, source, kind="labels" if options.labels else "rows"),))


def _check_terms(case: Case) -> None:
    """Refuse a key or a target that are not those that the lake of the use case was begun with, for it keeps to them.

    Raises:
        UsageError: naming both.
    """
    begun, use_case = Reception(case, ()).lake().begun_with(), case.use_case
    if begun is None:
        return
    for what, then, now in (("key", begun.key, use_case.key), ("target", (begun.target,), (use_case.target or begun.target,))):
        if then != now:
            kept, said = (", ".join(filter(None, names)) or "none" for names in (then, now))
            message = (
                f"the lake of {case.name} was begun with {what} {kept}, and now it is to be {said}; say the same, or begin another use case"
            )
            raise UsageError(message, where=what)


def come_in(reception: Reception) -> Iterator[Delivery]:
    """Yield one delivery after the other, each in the state that it is in when its turn comes."""
    for delivery in reception.deliveries:
        if landing.is_gone(delivery):
            log.info("%s is gone; another run has taken it", delivery.name)
        else:
            yield landing.as_it_is(delivery)


@contextmanager
def taking(reception: Reception, delivery: Delivery) -> Generator[None]:
    """Refuse a delivery that cannot be read or stored, and let the next one come; what another run has taken is none of ours.

    Raises:
        UsageError: a person named what cannot be read, or more is wrong than this delivery.
    """
    log.info("taking %s", delivery.name)
    try:
        yield
    except (DataRefusedError, UsageError) as error:
        if landing.is_gone(delivery):
            log.info("%s is gone; another run has taken it", delivery.name)
            return
        if isinstance(error, UsageError) and not (delivery.landing and error.where.startswith(delivery.source)):
            raise
        if delivery.landing and CHANGED in error.message:
            log.warning("left where it is: %s", error.message)
            return
        digest = names.digest(delivery.name, error.message)
        reception.conclude(delivery, reception.entry(delivery, digest, "refused", (error.message,)))


def check_columns(reception: Reception, delivery: Delivery, batch: Batch) -> None:
    """Refuse what does not say which rows it is about, and labels that come alone as if they were rows.

    Raises:
        DataRefusedError: a key column is missing, or rows have no key that labels could find them by, or rows are not what came.
    """
    case, lake, columns = reception.case, reception.lake(), snapshots.column_names(batch.path)
    begun = lake.begun_with()
    if begun and delivery.kind == "rows" and _are_labels(columns, begun, lake.columns().names):
        message = "only labels came, without their rows; deliver them with --labels, or in incoming/labels/ of the landing folder"
        raise DataRefusedError(message, where=delivery.name)
    key = (begun or case.use_case).key
    if delivery.kind == "labels" and not key and ROW_KEY not in columns:
        how = "begin another use case that has one" if begun else "name its columns there before the first rows come"
        message = f"labels that come alone find their rows by key:, and {case.name} has none, nor can its lake get one later; {how}"
        raise DataRefusedError(message, where="key")
    if absent := [name for name in key if name not in columns]:
        near = get_close_matches(absent[0], columns, n=1)
        meant = f"did you mean '{near[0]}'?" if near else "bring it"
        message = f"there is no column '{absent[0]}', which names the rows of {case.name}; {meant}"
        raise DataRefusedError(message, where=absent[0])


def _are_labels(columns: Sequence[str], terms: Terms, declared: Sequence[str]) -> bool:
    """Say whether what came holds keys and labels, and nothing else that rows have."""
    own = {*terms.key, terms.target}
    return own.issubset(columns) and own.issuperset({*columns} - {OBSERVED}) and not own.issuperset(declared)


def is_known(reception: Reception, delivery: Delivery, batch: Batch) -> bool:
    """Say whether a batch was taken before, or dismissed; then there is nothing to do but to say so.

    Raises:
        DataRefusedError: other content was taken under the same name.
    """
    known = reception.find_taken(delivery, batch.delivered) or reception.find_dismissed(batch.delivered)
    if known:
        reception.tell_known(delivery, known)
    return known is not None


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


@task
def find_news(reception: Reception, delivery: Delivery, batch: Batch, because: str = "") -> News | None:
    """Leave out the rows of a batch that are known by their key; None where it brings nothing else.

    Raises:
        DataRefusedError: most rows have a key that stands for other values, and it is nothing that a person could accept.
        StoreError: a store cannot be read or written.
    """
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
    came, target, pii = news.came, reception.lake(news.came).terms.target, _personal(reception, news.came)
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


def find_waiting(case: Case, options: IngestOptions) -> tuple[Reception, Delivery, Batch]:
    """Find a batch that waits for a person, with its rows as they came.

    Raises:
        UsageError: there is none like that, or no reason is given, or the lake was begun on other terms.
    """
    _check_terms(case)
    if options.dismiss:
        message = "--accept takes a batch in, and --dismiss does not; leave one of them out"
        raise UsageError(message, where="--dismiss")
    _check_word(options, "accepted")
    reception = Reception(case, ())
    entry = deliveries.find_waiting(reception.entries, options.accept or "", case.name, "--accept")
    staged, lines, aside = Path(entry.staged), *(reception.held_file(entry.digest, what) for what in ("lines", "aside"))
    if not (staged.exists() and lines.exists()):
        message = f"the rows of batch {entry.digest[:SHOWN_DIGITS]} are gone from {staged}; deliver {entry.name} again"
        raise UsageError(message, where="--accept")
    misfits = as_rows(snapshots.read(aside)) if aside.exists() else []
    numbers = snapshots.read_column(lines, "line").to_numpy()
    delivery = Delivery(entry.name, entry.name, kind=entry.kind)
    return reception, delivery, Batch(staged, staged.stem[:64], entry.name, numbers, aside=tuple(misfits))


def dismiss(case: Case, options: IngestOptions) -> IngestReport:
    """Let a batch that is held go, because it was delivered again in order, or is not wanted; nothing of it comes in.

    Raises:
        UsageError: there is none like that, or no reason is given.
    """
    _check_word(options, "dismissed")
    reception = Reception(case, ())
    entry = deliveries.find_waiting(reception.entries, options.dismiss or "", case.name, "--dismiss")
    delivery = Delivery(entry.name, entry.name, kind=entry.kind)
    told = reception.entry(delivery, entry.digest, "dismissed", (options.because or "",))
    reception.write_down(dataclasses.replace(told, because=options.because or ""))
    return report(reception)


def _check_word(options: IngestOptions, what: str) -> None:
    if options.data is not None:
        message = f"a batch that is {what} is here already; leave {options.data} out"
        raise UsageError(message, where="--data")
    if not (options.because or "").strip():
        message = f"say why the batch is {what}, with --because TEXT; it stands in the ledger"
        raise UsageError(message, where="--because")


def report(reception: Reception) -> IngestReport:
    """Say what came of it.

    Raises:
        DataRefusedError: deliveries wait for a person.
    """
    found = IngestReport(reception.case.name, tuple(reception.reports))
    if not (stopped := found.stopped):
        return found
    counted = f"{found.state_message}: " if len(found.batches) > 1 else ""
    raise DataRefusedError(counted + "; ".join(batch.message for batch in stopped), where=stopped[0].entry.name)


# ------------------------------------------------------------------------------------------------------------------ parts


def _personal(reception: Reception, batch: Batch) -> Collection[str]:
    """Name the columns that may hold personal values: where some do, also those that nobody has looked at yet."""
    pii, came, lake = set(reception.case.use_case.pii), set(snapshots.column_names(batch.path)), reception.lake(batch)
    if not pii:
        return pii
    if lake.begun_with() is None:
        return pii if pii <= came else came
    return pii | (came - {*lake.columns().names, lake.terms.target})


def _pile(news: News, judgement: Judgement) -> Pile:
    """Give the rows that are set aside: new ones that fail, those that could not be read, and known ones whose label fails."""
    names, batch, late = snapshots.column_names(news.batch.path), news.batch, news.late

    def read() -> Iterator[Aside]:
        unread = len(batch.lines) + 1
        yield from failing(batch, judgement.validation)
        yield from mending.unread(batch.aside, names, unread)
        yield from failing(late, judgement.late, unread + len(batch.aside)) if late else ()

    return Pile(names, read)


def _why_never(lake: Lake, news: News, judgement: Judgement) -> str:
    """Say why the lake could not take a batch in even if a person accepted it; empty where it could."""
    try:
        kept = _settle(news, judgement)
        frames, _ = _new_rows(lake, news, kept, judgement.inspection)
        lake.check(frames, _late_labels(lake, news, kept))
    except DataRefusedError as error:
        return error.message
    return ""


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

    name = f"{batch.digest}-{splits.content_digest(pd.DataFrame({'place': places}))[:SHOWN_DIGITS]}-{what}"
    path = snapshots.write_frames(_picked(batch.path, places), batch.path.parent, name)
    return dataclasses.replace(batch, path=path, lines=batch.lines[places], aside=batch.aside if what == "new" else ())


def _picked(path: Path, places: np.ndarray, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
    """Yield some of the stored rows, by their places."""
    import numpy as np

    start = 0
    for df in snapshots.read_frames(path, columns=columns):
        first, last = np.searchsorted(places, [start, start + len(df)])
        yield df.iloc[places[first:last] - start].reset_index(drop=True)
        start += len(df)


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


def _let_in(reception: Reception, delivery: Delivery, news: News, judgement: Judgement, because: str = "") -> None:
    """Let the lake take in what is new, with the labels that known rows bring, and write it down."""
    lake, kept = reception.lake(news.came), _settle(news, judgement)
    has_twins = len(kept.validation.results) > len(judgement.validation.results)
    judgement = dataclasses.replace(judgement, validation=kept.validation)
    frames, left_out = _new_rows(lake, news, kept, judgement.inspection)
    pile = _pile(news, judgement)
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


def _settle(news: News, judgement: Judgement) -> _Kept:
    """Say what comes in: rows that repeat one before them do not, nor those that are set aside because they differ."""
    import numpy as np

    aside, twins, known, repeated, validation = dict(news.differing), news.twins, NO_ROWS, list[int](), judgement.validation
    if twins and len(twins.places):
        bad = [
            start + validation.set_aside(start, start + snapshots.FRAME_ROWS)[0]
            for start in range(0, len(news.batch.lines), snapshots.FRAME_ROWS)
        ]
        settled = twins.settle(np.isin(news.places_in_batch(twins.places), np.concatenate(bad)))
        known, repeated = news.rows(settled.known), settled.late.tolist()
        for reason, rows in news.by_reason(settled).items():
            aside[reason] = aside.get(reason, NO_ROWS).union(rows)
    results = [ExpectationResult(why, "warning", success=False, failing_rows=rows, quarantine=True) for why, rows in aside.items()]
    late = len(news.late.lines) if news.late else 0
    failing_late, _ = judgement.late.set_aside(0, late)
    validation = dataclasses.replace(validation, results=(*validation.results, *results))
    return _Kept(validation, known, repeated, np.delete(np.arange(late), failing_late))


def _new_rows(lake: Lake, news: News, kept: _Kept, inspection: Inspection) -> tuple[Iterable[pd.DataFrame], tuple[str, ...]]:
    return _fit(lake, _kept(news.batch, kept.validation, kept.known), inspection) if news.judged else ((), ())


def _late_labels(lake: Lake, news: News, kept: _Kept) -> Iterator[pd.DataFrame]:
    return _labels_at(lake, news.late.path, kept.late) if news.late else iter(())


def _labels_at(lake: Lake, path: Path, places: Sequence[int] | np.ndarray) -> Iterator[pd.DataFrame]:
    import numpy as np

    if len(places) and lake.terms.target:
        yield from _picked(path, np.asarray(places), [*lake.terms.key, lake.terms.target])


def _record_cut_off(reception: Reception, delivery: Delivery, batch: Batch, because: str) -> None:
    """Write down what a run took in that was cut off before it could: what is in is in, whatever the suite says by now."""
    lake = reception.lake(batch)
    rows = rows_of(lake, Receipt(batch=batch.delivered, is_new=False), len(batch.lines) + len(batch.aside))
    profile = profile_rows(snapshots.read_frames(batch.path), pii=_personal(reception, batch))
    columns = snapshots.column_names(batch.path)
    pile = Pile(columns, lambda: mending.stored(lake.quarantined(batch.delivered), columns))
    entry = reception.entry(delivery, batch.delivered, "accepted" if because else "ingested", (CUT_OFF,))
    entry = dataclasses.replace(entry, rows=rows, because=because, profile=profile.to_json())
    reception.conclude(delivery, entry, pile=pile)


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
