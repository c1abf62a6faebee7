"""Verbs on what is left over: many small files in lakes, and files that no model version and no person needs."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from tasks import record
from tasks.adapters import home, ledger, snapshots, trials
from tasks.adapters.lake import Lake
from tasks.adapters.tracking import model_registry
from tasks.core import deliveries
from tasks.core.errors import StoreError, UsageError
from tasks.core.lake.values import Maintenance
from tasks.core.maintenance import LakeReport, MaintainReport, held_names, lake_snapshots, stored_names
from tasks.record import task

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from tasks.core.champions import NamedRows
    from tasks.core.deliveries import BatchEntry
    from tasks.core.options import MaintainOptions
    from tasks.core.settings import Settings

log = logging.getLogger("evergreen")


@dataclass(frozen=True)
class Upkeep:
    """One maintenance: of which lakes, and what must stay.

    Attributes:
        use_cases: Whose lakes.
        settings: Where they are.
        unused_for: For how long nothing must have used what is removed.
        named: The rows that model versions name.
        waiting: Batches that a person may still take in.
        is_whole: Whether the home is tidied too.
    """

    use_cases: tuple[str, ...]
    settings: Settings
    unused_for: timedelta
    named: tuple[NamedRows, ...]
    waiting: tuple[BatchEntry, ...]
    is_whole: bool


@contextmanager
def upkeep(options: MaintainOptions) -> Generator[Upkeep]:
    """Find out what is to be done and what must stay, and let nobody else do the same meanwhile.

    Raises:
        UsageError: the use case has no lake.
        StoreError: the ledger or the registry does not say what must stay; then nothing is removed.
    """
    settings = home.settings()
    home.prepare(settings.home)
    ledger.prepare(settings)
    record.close_dead_runs()
    with home.lock(settings.home, "maintenance"):
        known = ledger.use_cases(settings.ledger_address)
        lakes = [name for name in known if Lake(settings.lake_address, name).holds_anything()]
        if options.use_case is not None and options.use_case not in lakes:
            what = "lake of a use case"
            raise UsageError.unknown(what, options.use_case, lakes, where="--use-case")
        named = _named_rows(settings, known)
        waiting = [entry for name in known for entry in deliveries.waiting(ledger.batches(settings.ledger_address, name))]
        use_cases = lakes if options.use_case is None else [options.use_case]
        unused_for = timedelta(days=options.retention_days)
        yield Upkeep(tuple(use_cases), settings, unused_for, named, tuple(waiting), is_whole=options.use_case is None)


def _named_rows(settings: Settings, use_cases: Sequence[str]) -> tuple[NamedRows, ...]:
    own = settings.own_mlflow_file
    named = () if own and not own.exists() else tuple(model_registry.named_rows())
    known = {(rows.use_case, rows.version) for rows in named}
    for name in use_cases:
        champions = ledger.line_of_champions(settings.ledger_address, name)
        if champions and (name, champions[-1].version) not in known:
            lost = f"version {champions[-1].version} of {name}, the champion by the ledger, is not in the registry at {settings.mlflow_uri}"
            message = f"{lost}; set EVERGREEN_TRACKING_URI to where it is, for only that says which rows versions need; nothing was removed"
            raise StoreError(message, where=name)
    return named


@task
def maintain_lake(plan: Upkeep, use_case: str) -> LakeReport:
    """Put the small files of a lake together, and remove those that neither its newest state nor a model version needs."""
    try:
        kept = lake_snapshots(plan.named, use_case)
        done = Lake(plan.settings.lake_address, use_case).maintain(kept, unused_for=plan.unused_for)
    except StoreError as error:  # the other lakes come all the same, and `report` fails in the end
        log.warning("%s: %s", use_case, error.message)
        return LakeReport(use_case, 0, Maintenance(), error.message)
    report = LakeReport(use_case, len(kept), done)
    log.info("%s: %s", use_case, report)
    return report


@task
def tidy_home(plan: Upkeep) -> dict[str, Maintenance]:
    """Remove what nobody needs any more from the home, where all use cases are maintained; say how much of each kind."""
    if not plan.is_whole:
        return dict.fromkeys(("snapshots", "held", "trials"), Maintenance())
    folder = plan.settings.home
    return {
        "snapshots": snapshots.remove_unnamed(folder / "snapshots", stored_names(plan.named, plan.waiting), plan.unused_for),
        "held": snapshots.remove_unnamed(folder / "held", held_names(plan.waiting), plan.unused_for),
        "trials": trials.remove_unused(folder / "trials", plan.unused_for),
    }


def report(lakes: Sequence[LakeReport], tidied: Mapping[str, Maintenance]) -> MaintainReport:
    """Say what came of it.

    Raises:
        StoreError: a lake could not be maintained.
    """
    found = MaintainReport(tuple(lakes), tidied)
    if failed := [lake for lake in lakes if lake.problem]:
        message = "; ".join(f"{lake.use_case}: {lake.problem}" for lake in failed)
        raise StoreError(message, where=failed[0].use_case)
    record.publish_text("maintenance", "\n".join([found.state_message, "", *(f"- {lake.use_case}: {lake}" for lake in lakes)]))
    return found
