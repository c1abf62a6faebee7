"""What the verbs on versions share: the files and the rows of a version, and aliases that follow the ledger."""

from __future__ import annotations

import dataclasses
import logging
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tasks.adapters import home, ledger, models, snapshots
from tasks.adapters.lake import Lake
from tasks.adapters.tracking import model_files, model_registry, runs
from tasks.core import champions, decisions, names
from tasks.core.champions import FITTED_ROWS_FILE, JUDGED_FILE, SHIPPED_FILE, Epoch, promoting
from tasks.core.decisions import CROWNING, Entry, Seal, seal_problem, waiting_of
from tasks.core.errors import SilentStoreError, StoreError, UnsafeModelError, UsageError
from tasks.core.evidence import Rival
from tasks.core.lake.values import LakeSnapshot
from tasks.core.profiles import Profile, profile_rows
from tasks.core.reproducing import RECIPE, Recorded
from tasks.core.results import RowCounts
from tasks.core.snapshot import Snapshot, Study, infer, split_at
from tasks.core.trust import refuse_swapped_bytes
from tasks.core.validation import Validation

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path

    from tasks.core.champions import Version
    from tasks.core.decisions import Kind
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


def entry_of(
    case: Case, kind: Kind, version: int, code: str, reason: str, *, because: str = "", inputs: dict[str, object] | None = None
) -> Entry:
    """Make a row of the ledger, of now and of whoever runs this."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Entry(case.name, kind, version, code, reason, home.person(), now, because, inputs or {})


def find_version(address: str, use_case: str, line: Sequence[Epoch], number: int | None) -> Version:
    """Find a version, the champion by default, with the digests that the ledger has of its files, and none where it has none.

    Raises:
        UsageError: there is no such version, or no champion.
    """
    if number is None and not line:
        waiting = waiting_of(ledger.decisions(address, use_case, decisions.JUDGING))
        said = f"version {waiting[0].version} waits for a person" if waiting else "train one"
        how = f": `{promoting(use_case, waiting[0].version)}`" if waiting else ""
        message = f"use case '{use_case}' has no champion; {said}{how}, or name a version"
        raise UsageError(message, where=use_case)
    number = line[-1].version if number is None else number
    version = model_registry.get_version(use_case, number)
    if version is None:
        if any(epoch.version == number for epoch in line):
            raise StoreError(_gone(use_case, line, number, address), where=use_case)
        message = f"use case '{use_case}' has no version {number}"
        raise UsageError(message, where=use_case)
    epoch = next((epoch for epoch in reversed(line) if epoch.version == number), None)
    judged = ledger.last_decision(address, use_case, ("gate",), number)
    known = epoch.manifest if epoch else (judged.manifest or version.manifest) if judged else {}  # older rows have no digests
    return dataclasses.replace(version, manifest=known)


def _gone(use_case: str, line: Sequence[Epoch], number: int, address: str) -> str:
    """Say that a version that was champion is gone, and whom to use instead."""
    if number == line[-1].version:
        return f"the ledger's champion, version {number} of {use_case}, is gone from the registry; {way_back(address, use_case, line)}"
    earlier = whole_version(address, use_case, line)
    other = f"; version {earlier} is whole: name that one" if earlier else ""
    return f"version {number} of {use_case}, which was champion once, is gone from the registry{other}"


def whole_version(address: str, use_case: str, line: Sequence[Epoch]) -> int | None:
    """Find a version to go back to whose files are those that were registered; None where there is none.

    Raises:
        SilentStoreError: nobody can say whether there is one.
    """
    passed = decisions.passed_versions(ledger.decisions(address, use_case, decisions.JUDGING))
    return next((number for number in champions.ways_back(line, passed) if is_whole(address, use_case, line, number)), None)


def is_whole(address: str, use_case: str, line: Sequence[Epoch], number: int) -> bool:
    """Say whether all files of a version are in the registry, and as they were registered.

    Raises:
        SilentStoreError: nobody can say so.
    """
    if model_registry.get_version(use_case, number) is None:
        return False
    version = find_version(address, use_case, list(line), number)
    try:
        check_files(use_case, version)
    except SilentStoreError:
        raise
    except (StoreError, UnsafeModelError):
        return False
    return True


def is_lost(case: Case, line: Sequence[Epoch]) -> bool:
    """Say whether neither the champion nor any version that one could go back to is whole.

    Raises:
        SilentStoreError: nobody can say so.
    """
    address = case.settings.ledger_address
    return not is_whole(address, case.name, line, line[-1].version) and whole_version(address, case.name, line) is None


def check_files(use_case: str, version: Version) -> None:
    """Require that all files of a version are as they were registered.

    Raises:
        StoreError: one is gone.
        UnsafeModelError: one has other bytes, or nobody knows their digests.
    """
    for file in sorted(version.manifest) or (SHIPPED_FILE,):
        refuse_swapped_bytes(*file_of(use_case, version, file))


def check_version(case: Case, line: Sequence[Epoch], version: Version) -> None:
    """Require the same of what a person asks about, and say what to do where it is not so.

    Raises:
        StoreError: a file is gone.
        UnsafeModelError: one has other bytes, or nobody knows their digests.
    """
    is_champion = bool(line) and line[-1].version == version.number
    address = case.settings.ledger_address
    with advising(lambda: way_back(address, case.name, line) if is_champion else "restore it from a backup" if version.manifest else ""):
        check_files(case.name, version)


def way_back(address: str, use_case: str, line: Sequence[Epoch]) -> str:
    """Say how to go on where the champion cannot be used."""
    try:
        return champions.way_back(use_case, whole_version(address, use_case, line))
    except SilentStoreError as error:
        return f"whether another version is whole nobody can say: {error.message}"


def settled_line(case: Case) -> list[Epoch]:
    """Give the champions so far, with the aliases where the ledger has them: a killed process may have left them behind.

    Raises:
        StoreError: the champion is gone from the registry, or the ledger was changed.
    """
    with home.lock(case.settings.home, f"registry-{case.name}"):
        line = ledger.line_of_champions(case.settings.ledger_address, case.name)
        if line:
            _follow(case, line)
    return line


@contextmanager
def advising(what_to_do: Callable[[], str]) -> Generator[None]:
    """Say beside whatever is wrong with the files of a version what to do about it, which is looked up only then."""
    try:
        yield
    except SilentStoreError:  # it says itself what to do
        raise
    except (StoreError, UnsafeModelError) as error:
        advice = what_to_do()
        message = f"{error.message}; {advice}" if advice else error.message
        raise type(error)(message, where=error.where) from error


def _follow(case: Case, line: list[Epoch]) -> None:
    """Set the aliases to what the ledger says; where the champion before is gone, nothing is called so."""
    if model_registry.get_version(case.name, line[-1].version) is None:
        raise StoreError(_gone(case.name, line, line[-1].version, case.settings.ledger_address), where=case.name)
    wanted = {"champion": line[-1].version, **({"previous": line[-2].version} if len(line) > 1 else {})}
    present = model_registry.aliases(case.name)
    for alias, number in wanted.items():
        if present.get(alias) != number and (alias == "champion" or model_registry.get_version(case.name, number)):
            log.info("alias %s of %s: version %s", alias, case.name, number)
            model_registry.set_alias(case.name, alias, number)
    _seal(case, line[-1])


def _seal(case: Case, champion: Epoch) -> None:
    """Let the champion name the last row of the ledger, where it names none or an older one.

    What is written into the ledger later, or by a process that is killed before it comes here, is named by whoever comes next.

    Raises:
        StoreError: the ledger was changed or cut off.
    """
    sealed, made = seals_of(case.settings.ledger_address, champion)
    if problem := seal_problem(champion, sealed, made):
        raise StoreError(problem, where=case.name)
    head = ledger.last_row(case.settings.ledger_address, case.name)
    if head and head.seal != sealed.name:
        model_registry.set_seal(case.name, champion.version, head.seal)


def seals_of(address: str, champion: Epoch) -> tuple[Seal, Entry | None]:
    """Look up the row of the ledger that a champion's version names, and the last one that made it champion."""
    name = model_registry.seal_of(champion.use_case, champion.version)
    number = name.partition(":")[0]
    named = ledger.decision_at(address, champion.use_case, int(number)) if number.isdecimal() else None
    return Seal(name, named), ledger.last_decision(address, champion.use_case, CROWNING, champion.version)


def file_of(use_case: str, version: Version | Epoch, file: str) -> tuple[bytes, str, str]:
    """Fetch a file of a version; gives it with the digest that it must have and with what to call it.

    Raises:
        StoreError: it is gone.
        UnsafeModelError: nobody knows its digest.
    """
    number = version.version if isinstance(version, Epoch) else version.number
    if not version.manifest:
        message = f"version {number} of {use_case} never came before the gate, so nobody vouches for its files"
        raise UnsafeModelError(message, where=use_case)
    return model_files.fetch(use_case, number, file), version.manifest[file], f"{file} of version {number} of {use_case}"


def recorded(case: Case, version: Version) -> Recorded | None:
    """Give what a version's run was asked and what it chose; None where it kept neither.

    Raises:
        StoreError: what it kept cannot be read.
    """
    text = runs.text_of(version.run_id, RECIPE)
    return Recorded.from_text(text, case.use_case) if text else None


def study_again(case: Case, version: Version) -> Study:
    """Put together again what a version was fitted on and judged on.

    Args:
        case: Its use case.
        version: Which.

    Raises:
        UsageError: its rows are gone.
    """
    digest, params = version.attempt.snapshot, runs.params_of(version.run_id)
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


def champions_profile(case: Case, lake: Lake) -> Profile | None:
    """Give the profile of the rows that the champion was made from, taken once; None where they are not of the lake."""
    line, settings = ledger.line_of_champions(case.settings.ledger_address, case.name), case.settings
    if not line or not line[-1].lake:
        return None
    snapshot, pii = LakeSnapshot.from_text(line[-1].lake), sorted(case.use_case.pii)
    path = settings.home / "profiles" / f"{case.name}-{names.digest(snapshot.digest, *pii)[:16]}.json"
    if not path.exists():
        log.info("looking at the %s rows of the champion, once", f"{snapshot.rows:,}")
        snapshots.write_text(profile_rows(lake.read_chunks(snapshot), pii=pii).to_json(), path)
    return Profile.from_json(path.read_text(encoding="utf-8"), where=str(path))
