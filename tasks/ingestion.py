"""Verbs on deliveries of any kind: what has come, what of it is known or waits for a person, and what became of it."""

from __future__ import annotations

import dataclasses
import logging
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from tasks import record
from tasks.adapters import landing, ledger, snapshots
from tasks.core import deliveries, names
from tasks.core.deliveries import OBSERVED, ROW_KEY, SHOWN_DIGITS, Delivery, IngestReport
from tasks.core.errors import DataRefusedError, UsageError
from tasks.core.formats.source import CHANGED, shown_url
from tasks.core.reading.reader import as_rows
from tasks.core.snapshot import Batch
from tasks.core.use_case import LAKE
from tasks.reception import Reception

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from tasks.core.lake.values import Terms
    from tasks.core.options import IngestOptions
    from tasks.core.snapshot import Case

log = logging.getLogger("evergreen")


def prepare_stores(case: Case) -> None:
    """Create the ledger where it is missing, and remove what killed runs left behind."""
    settings = case.settings
    ledger.prepare(settings)
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
        if delivery.landing and CHANGED in error.message:  # whoever writes it is not done, so nothing is decided on it
            log.warning("left where it is: %s", error.message)
            return
        # Rows that cannot be read have no digest; what is refused again for the same reason then counts as the same batch.
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
