"""What the verbs on versions share: the files and the rows of a version, and aliases that follow the ledger."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

from tasks.adapters import ledger, models, snapshots, tracking
from tasks.adapters.lake import Lake
from tasks.core.champions import FITTED_ROWS_FILE, JUDGED_FILE, Epoch
from tasks.core.decisions import CROWNING
from tasks.core.errors import StoreError, UsageError
from tasks.core.evidence import Rival
from tasks.core.lake.values import LakeSnapshot
from tasks.core.reproducing import RECIPE, Recorded
from tasks.core.results import RowCounts
from tasks.core.snapshot import Snapshot, Study, infer, split_at
from tasks.core.validation import Validation

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.core.champions import Version
    from tasks.core.snapshot import Case

# What decides how rows are split and fitted; the gate's limits and what is personal are those of today.
DECIDING = ("group", "drop", "loss", "costs", "seed")
log = logging.getLogger("evergreen")


def load_rival(case: Case, version: Version | Epoch) -> Rival:
    """Load the judged fit of a version to compare with.

    Raises:
        StoreError: its files are gone.
        UnsafeModelError: they are not those that were registered.
    """
    judged, hashes = (file_of(case.name, version, file) for file in (JUDGED_FILE, FITTED_ROWS_FILE))
    number = version.version if isinstance(version, Epoch) else version.number
    return Rival(number, models.load(*judged), models.load_hashes(*hashes), size=len(judged[0]))


def find_version(use_case: str, line: list[Epoch], number: int | None) -> tuple[Version, Version | Epoch]:
    """Find a version, the champion by default, and who knows the digests of its files."""
    if number is None and not line:
        message = f"use case '{use_case}' has no champion; train one, or name a version"
        raise UsageError(message, where=use_case)
    version = tracking.get_version(use_case, line[-1].version if number is None else number)
    if version is None:
        message = f"use case '{use_case}' has no version {number or line[-1].version}"
        raise UsageError(message, where=use_case)
    # Where a version has been champion, the ledger's word stands above the registry's tag.
    return version, next((epoch for epoch in reversed(line) if epoch.version == version.number), version)


def follow(case: Case, line: list[Epoch]) -> Version:
    """Set the aliases to what the ledger says, and give the champion's version."""
    champion = tracking.get_version(case.name, line[-1].version)
    if champion is None:
        message = f"the ledger's champion, version {line[-1].version} of {case.name}, is gone from the registry; restore it from a backup"
        raise StoreError(message, where=case.name)
    wanted = {"champion": line[-1].version, **({"previous": line[-2].version} if len(line) > 1 else {})}
    present = tracking.aliases(case.name)
    for alias, number in wanted.items():
        if present.get(alias) != number:
            log.info("alias %s of %s: version %s", alias, case.name, number)
            tracking.set_alias(case.name, alias, number)
    _seal(case, champion.number)
    return champion


def _seal(case: Case, champion: int) -> None:
    """Let the champion name the row of the ledger that made it one, where it names none or an older one.

    Raises:
        StoreError: it names a row that the ledger does not have, or that reads otherwise now.
    """
    entries = ledger.decisions(case.settings.ledger_address, case.name)
    sealed = tracking.seal_of(case.name, champion)
    if sealed and not any(entry.seal == sealed for entry in entries):
        message = (
            f"the ledger of {case.name} was changed or cut off: version {champion} names row {sealed.partition(':')[0]} of it,"
            " which is gone or reads otherwise now; restore the ledger from a backup"
        )
        raise StoreError(message, where=case.name)
    last = next((entry for entry in reversed(entries) if entry.kind in CROWNING and entry.version == champion), None)
    if last and last.seal != sealed:
        tracking.set_seal(case.name, champion, last.seal)


def file_of(use_case: str, version: Version | Epoch, file: str) -> tuple[bytes, str, str]:
    """Fetch a file of a version; gives it with the digest that it must have and with what to call it."""
    number = version.version if isinstance(version, Epoch) else version.number
    return tracking.fetch(use_case, number, file), version.manifest[file], f"{file} of version {number} of {use_case}"


def recorded(case: Case, version: Version) -> Recorded | None:
    """Give what a version's run was asked and what it chose; None where it kept neither.

    Raises:
        StoreError: what it kept cannot be read.
    """
    text = tracking.text_of(version.run_id, RECIPE)
    return Recorded.from_text(text, case.use_case) if text else None


def study_again(case: Case, version: Version) -> Study:
    """Put together again what a version was fitted on and judged on.

    Args:
        case: Its use case.
        version: Which.

    Raises:
        UsageError: its rows are gone.
    """
    digest, params = version.attempt.snapshot, tracking.params_of(version.run_id)
    path = snapshots.find(case.settings.home / "snapshots", digest) or _from_lake(case, version)
    if path is None or "rows_gate" not in params:
        message = f"the rows of version {version.number} of {case.name} are no longer stored here; train again"
        raise UsageError(message, where=case.name)
    asked: dict[str, object] = {"target": version.attempt.target, "task": version.attempt.task, "time": params.get("time") or None}
    if then := recorded(case, version):
        asked = {name: getattr(then.use_case, name) for name in DECIDING} | asked
    case = dataclasses.replace(case, use_case=case.use_case.model_copy(update=asked))
    df = snapshots.read(path)
    inferred, source = infer(case, df), params.get("source", case.use_case.data)
    snapshot = Snapshot(path, digest, source, inferred, RowCounts(read=len(df)), Validation(suite=""), lake=version.lake)
    return Study(case, snapshot, split_at(case, inferred, df, int(params["rows_gate"])))


def _from_lake(case: Case, version: Version) -> Path | None:
    """Store the rows that a version names in its lake again; None where it names none, or its suite had set some of them aside.

    Raises:
        StoreError: the lake no longer has them as they were.
    """
    lake = Lake(case.settings.lake_address, case.name)
    if not version.lake or (begun := lake.begun_with()) is None:
        return None
    named = LakeSnapshot.from_text(version.lake)
    if named.digest != version.attempt.snapshot:
        return None
    log.info("taking the rows of version %s from the lake again", version.number)
    lake = Lake(case.settings.lake_address, case.name, begun)
    return snapshots.write_frames(lake.read_chunks(named), case.settings.home / "snapshots", named.digest)
