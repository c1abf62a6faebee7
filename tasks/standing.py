"""Verbs on what people ask of champions: where each use case stands, whether all is sound, why a version is champion."""

from __future__ import annotations

import dataclasses
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tasks import versions
from tasks.adapters import home, ledger, models, projects, snapshots
from tasks.adapters.lake import Lake
from tasks.adapters.tracking import model_files, model_registry, runs
from tasks.core import data_differences, splits
from tasks.core.champions import JUDGED_FILE, SHIPPED_FILE
from tasks.core.comparing import Origin, Sides, build_page
from tasks.core.data_differences import difference_of
from tasks.core.decisions import seal_problem, waiting_of
from tasks.core.errors import EvergreenError, SilentStoreError, StoreError, UsageError
from tasks.core.evidence import compare_predictions
from tasks.core.gate_settings import Gate
from tasks.core.lake.values import BATCH_DIGITS, LakeSnapshot, moment_of, versions_of
from tasks.core.metrics import differences_of
from tasks.core.snapshot import target_of
from tasks.core.standing import Explanation, Standing, Waiting, chain_problems, champion_at, refused_after, reigns
from tasks.core.trust import refuse_swapped_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tasks.core.champions import Epoch, Version
    from tasks.core.data_differences import DataDifference
    from tasks.core.decisions import Entry
    from tasks.core.evidence import Rival
    from tasks.core.options import CompareOptions, ExplainOptions, StatusOptions
    from tasks.core.settings import Settings
    from tasks.core.snapshot import Case

log = logging.getLogger("evergreen")


def status(options: StatusOptions) -> Iterator[Standing]:
    """Say where one use case stands, or all of them, one after the other.

    Raises:
        UsageError: there is no such use case.
    """
    settings = _settings()
    for name in _names(settings, options.use_case):
        yield _standing(settings, name)


def doctor(options: StatusOptions) -> Iterator[Standing]:
    """Say the same after a look at every version that was champion and at every open run, and fail where something is broken.

    Raises:
        UsageError: there is no such use case.
        StoreError: an invariant is broken.
    """
    settings, broken = _settings(), 0
    for name in _names(settings, options.use_case):
        standing = _standing(settings, name)
        problems, warnings = (*standing.problems, *_hidden_problems(name, standing.line)), tuple(_warnings(name, standing.line))
        yield (standing := dataclasses.replace(standing, problems=problems, warnings=warnings))
        broken += len(standing.problems)
    if broken:
        message = f"{broken} thing{'s are' if broken > 1 else ' is'} broken; see above"
        raise StoreError(message, where="doctor")


def explain(options: ExplainOptions) -> Iterator[Explanation]:
    """Say why a version is, was, or is not champion: the champion, the one of a moment, or the one that is named.

    Raises:
        UsageError: there is no such use case or version, or nobody was champion then.
    """
    settings = _settings()
    case = projects.resolve_known(options.use_case, settings, lambda: ledger.use_cases(settings.ledger_address))
    _repair(case)
    standing, number, at = _standing(settings, case.name), options.version, ""
    if options.at:
        moment = moment_of(options.at, "--at").astimezone(UTC)
        number, at = champion_at(standing.line, moment, case.name), moment.isoformat()
    version = versions.find_version(settings.ledger_address, case.name, list(standing.line), number)
    judged = next((entry for entry in reversed(standing.entries) if entry.kind == "gate" and entry.version == version.number), None)
    packages = model_files.fetch(case.name, version.number, "requirements.txt").decode().split()
    is_champion = bool(standing.line) and version.number == standing.line[-1].version
    broken = () if is_champion else tuple(_version_problems(case, version))
    yield Explanation(
        standing=dataclasses.replace(standing, problems=(*standing.problems, *broken)),
        version=version.number,
        epochs=reigns(standing.line, version.number),
        judged=judged,
        params=runs.params_of(version.run_id),
        environment=tuple(packages),
        commit=runs.commit_of(version.run_id),
        later=refused_after(standing.entries, standing.line, version.number, at),
        at=at,
    )


def _repair(case: Case) -> None:
    """Let the aliases follow the ledger; what stands in the way of that is told, and keeps nobody from asking about other versions."""
    try:
        versions.settled_line(case)
    except StoreError as error:
        log.warning("%s", error.message)


def _version_problems(case: Case, version: Version) -> Iterator[str]:
    if not version.manifest:  # it never came before the gate, which is told
        return
    try:
        versions.check_files(case.name, version)
    except SilentStoreError as error:
        yield error.message
    except EvergreenError as error:
        yield f"{error.message}; restore it from a backup"


def compare(options: CompareOptions) -> Iterator[Sides]:
    """Hold two versions against one another on rows that neither was fitted on, and write a page of it.

    Raises:
        UsageError: there is no such use case or version, or their rows are gone.
    """
    import numpy as np

    settings = _settings()
    case = projects.resolve_known(options.use_case, settings, lambda: ledger.use_cases(settings.ledger_address))
    _repair(case)
    line = ledger.line_of_champions(settings.ledger_address, case.name)
    found = [versions.find_version(settings.ledger_address, case.name, line, number) for number in options.versions]
    for version in found:
        versions.check_version(case, line, version)
    study = versions.study_again(case, max(found, key=lambda version: version.number))
    rivals = [versions.load_rival(case, version) for version in found]
    df = snapshots.read(study.snapshot.path).iloc[study.split.gate]
    hashes = splits.hash_rows(df[study.schema.features])
    df = df[~np.isin(hashes, rivals[0].fitted_rows) & ~np.isin(hashes, rivals[1].fitted_rows)]
    y, blocks = target_of(df, study.schema), min(study.split.gate_blocks, len(df))
    one, other = (models.predict(rival.judged, df[study.schema.features]) for rival in rivals)
    sides = Sides(
        use_case=case.name,
        one=_origin(case, found[0], rivals[0]),
        other=_origin(case, found[1], rivals[1]),
        rows=df[[name for name in study.schema.features if name not in case.use_case.pii]],
        y=y,
        said=(one, other),
        metrics=differences_of(study.schema.task, y, one, other, blocks=blocks, seed=case.use_case.seed) if len(y) else {},
        compared=compare_predictions(study.loss, y, other, one, blocks=blocks),
        apart=_apart(case, found),
    )
    page = settings.home / "reports" / case.name / f"{sides.one.version}-against-{sides.other.version}.html"
    snapshots.write_text(build_page(sides), page)
    yield dataclasses.replace(sides, page=str(page))


def _apart(case: Case, found: Sequence[Version]) -> DataDifference | None:
    """Say how the rows of two versions differ; None where those of one are no longer stored."""
    try:
        one, other = (versions.study_again(case, version).snapshot for version in found)
    except UsageError as error:
        log.warning("%s", error.message)
        return None
    frames, origins = (snapshots.read(one.path), snapshots.read(other.path)), [_rows_of(case, version) for version in found]
    return difference_of(frames, (one, other), (origins[0], origins[1]), case.use_case.pii)


def _rows_of(case: Case, version: Version) -> data_differences.Origin:
    """Say which versions of the lake's tables, and which batches, a version's rows are from."""
    if not version.lake:
        return data_differences.Origin({})
    names = {entry.digest[:BATCH_DIGITS]: entry.name for entry in ledger.batches(case.settings.ledger_address, case.name)}
    arrived = Lake(case.settings.lake_address, case.name).batches(as_of=LakeSnapshot.from_text(version.lake).as_of)
    batches = tuple(names.get(arrival.batch[:BATCH_DIGITS], arrival.batch[:BATCH_DIGITS]) for arrival in arrived)
    return data_differences.Origin(versions_of(version.lake), batches)


def _origin(case: Case, version: Version, rival: Rival) -> Origin:
    packages = tuple(model_files.fetch(case.name, version.number, "requirements.txt").decode().split())
    params, commit = runs.params_of(version.run_id), runs.commit_of(version.run_id)
    return Origin(version.number, params, packages, commit, version.attempt.snapshot, rival.fitted_rows)


def _settings() -> Settings:
    settings = home.known_settings()
    ledger.create(settings.ledger_address)
    return settings


def _names(settings: Settings, wanted: str | None) -> list[str]:
    known = ledger.use_cases(settings.ledger_address)
    names = sorted({*known, *(use_case.name for use_case in projects.own_use_cases(settings.project))})
    if wanted is not None and wanted not in names:
        raise UsageError.unknown("use case", wanted, names, where="--use-case")
    return [wanted] if wanted else names


def _standing(settings: Settings, name: str) -> Standing:
    line, entries = _decided(settings, name)
    batches = ledger.batches(settings.ledger_address, name)
    settled = {entry.digest for entry in batches if entry.decision != "held"}
    return Standing(
        use_case=name,
        line=tuple(line),
        entries=tuple(entries),
        waiting=tuple(_waiting(settings, name, entries)),
        held=tuple(entry for entry in batches if entry.decision == "held" and entry.digest not in settled),
        problems=(*chain_problems(entries, line), *_registry_problems(settings, name, line)),
    )


def _waiting(settings: Settings, name: str, entries: Sequence[Entry]) -> Iterator[Waiting]:
    use_case, known = projects.load_use_case(name, settings.project), {version.number for version in model_registry.versions(name)}
    days = (use_case.gate if use_case else Gate()).approval_days
    for judged in waiting_of(entries):
        until = datetime.fromisoformat(judged.decided_at) + timedelta(days=days)
        if judged.version in known:
            yield Waiting(judged.version, f"{until:%Y-%m-%d}", is_over=datetime.now(UTC) > until + timedelta(days=1))


def _decided(settings: Settings, name: str) -> tuple[list[Epoch], list[Entry]]:
    """Read champions and decisions as they were at one moment."""
    while True:
        line, entries = ledger.line_of_champions(settings.ledger_address, name), ledger.decisions(settings.ledger_address, name)
        if ledger.line_of_champions(settings.ledger_address, name) == line:
            return line, entries


def _registry_problems(settings: Settings, name: str, line: list[Epoch]) -> Iterator[str]:
    """Say what is wrong with the champion in the registry: aliases, files, what they load to, the row that made it champion."""
    if not line:
        return
    now, aliases = line[-1], model_registry.aliases(name)
    if aliases.get("champion") != now.version:
        points = f"points at version {aliases['champion']}" if "champion" in aliases else "is gone"
        yield f"the alias champion {points}, and the ledger says version {now.version}; whatever reads the champion next repairs it"
    for file in (SHIPPED_FILE, JUDGED_FILE):
        try:
            models.load(*versions.file_of(name, now, file))
        except SilentStoreError as error:
            yield error.message
        except EvergreenError as error:
            yield f"{error.message}; {versions.way_back(settings.ledger_address, name, line)}"
    if problem := seal_problem(now, *versions.seals_of(settings.ledger_address, now)):
        yield problem


def _hidden_problems(name: str, line: Sequence[Epoch]) -> Iterator[str]:
    """Say what is wrong with what nobody looks at from day to day: earlier champions, their tags, foreign versions, open runs."""
    for epoch in {epoch.version: epoch for epoch in line}.values():
        yield from _file_problems(epoch, is_champion=epoch.version == line[-1].version)
    for number in model_registry.foreign_versions(name):
        yield f"version {number} of {name} was not registered by Evergreen, which never loads it; delete it in MLflow"
    for run in runs.dead_runs(name, home.is_dead):
        yield f"run {run} is open, and its process was killed; the next `python -m flows.train --use-case {name}` closes it"


def _warnings(name: str, line: Sequence[Epoch]) -> Iterator[str]:
    """Say which earlier champions are gone, and what can no longer be done with them."""
    for number in sorted({epoch.version for epoch in line} - {epoch.version for epoch in line[-1:]}):
        if model_registry.get_version(name, number) is None:
            told = f"version {number} of {name} was champion once, and is gone from the registry"
            yield f"{told}: nobody can go back to it, compare with it or fit it again"


def _file_problems(epoch: Epoch, *, is_champion: bool) -> Iterator[str]:
    told = f"version {epoch.version} of {epoch.use_case}"
    version = model_registry.get_version(epoch.use_case, epoch.version)
    if version is None:  # which is told already
        return
    if dict(version.manifest) != dict(epoch.manifest):
        rewritten = f"the tag {model_registry.MANIFEST_TAG} of {told} was rewritten"
        yield f"{rewritten}; the digests of the ledger count, so restore the registry from a backup"
    seen_already = {SHIPPED_FILE, JUDGED_FILE} if is_champion else set[str]()
    for file in sorted(epoch.manifest.keys() - seen_already):
        try:
            refuse_swapped_bytes(*versions.file_of(epoch.use_case, epoch, file))
        except EvergreenError as error:
            yield f"{error.message}; restore it from a backup"
