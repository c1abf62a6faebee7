"""Verbs on a use case that is to be: its file, its suite and its deployments, proposed from a table for a person to review."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks.adapters import home, projects, sources
from tasks.core import deployments, names, schema, use_case_file
from tasks.core.errors import UsageError
from tasks.core.formats.source import secrets_of, shown_url
from tasks.core.init_report import InitReport
from tasks.core.options import CaseOptions
from tasks.core.personal import suspect_personal
from tasks.core.profiles import profile_rows
from tasks.core.proposals import propose_suite
from tasks.core.reading import reader
from tasks.core.suites import apply_changes, compare_suites
from tasks.core.table import with_reading
from tasks.core.use_case import LAKE, UseCase

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tasks.core.init_report import Outcome
    from tasks.core.options import InitOptions
    from tasks.core.reading.reader import Reading
    from tasks.core.suites import Change, Suite
    from tasks.core.table import Schema
    from tasks.core.use_case_file import Setting

ASKED = ("target", "task", "time", "key")


@dataclass(frozen=True)
class Proposal:
    """A use case, as its file or this call says, and what its table shows."""

    use_case: UseCase
    reading: Reading
    schema: Schema
    settings: Mapping[str, Setting]
    suite: Suite


def init(options: InitOptions) -> Iterator[InitReport]:
    """Propose a use case and its suite from a table; write what is not there yet, and say what a person would have to change.

    Raises:
        UsageError: the call contradicts itself or the file of the use case, or the project cannot be written.
        DataRefusedError: the table cannot be read, or there is nothing to predict in it.
    """
    settings = home.settings()
    proposal = _propose(_asked(options, settings.project), settings.project)
    home.prepare(settings.home)
    with home.lock(settings.home, "project"):
        yield _write(proposal, settings.project, is_update=options.update)


def _asked(options: InitOptions, project: Path) -> UseCase:
    """Give the use case that a call means: of its file, if it has one, with the table that the call names."""
    if not project.is_dir():
        message = f"EVERGREEN_PROJECT is '{project}', which is no folder"
        raise UsageError(message, where="EVERGREEN_PROJECT")
    name = options.name or (names.use_case_of(options.data) if options.data else "")
    given = UseCase.from_values(name, {}, where="--name") if name else None
    own = projects.own_use_case(name, project) if given else None
    data = options.data or (own and own.data != LAKE and projects.locate(own.data, project))
    if given is None or not data:
        message = "name the table to propose from: python -m flows init FILE"
        raise UsageError(message, where="--data")
    if own is not None:
        _check_agreement(options, own, project)
    sources.check(data)
    call = CaseOptions(data=data, target=options.target, task=options.task, time=options.time, read=options.read)
    asked = (own or given).with_options(call)
    return asked.model_copy(update={"key": options.key}) if options.key else asked


def _check_agreement(options: InitOptions, own: UseCase, project: Path) -> None:
    for key in ASKED:
        said, asked = getattr(own, key), getattr(options, key)
        if asked and asked != said:
            path = project / projects.USE_CASES / f"{own.name}.yaml"
            message = f"{path} says otherwise than --{key}; change it there, or leave --{key} out"
            raise UsageError(message, where=f"--{key}")


def _propose(asked: UseCase, project: Path) -> Proposal:
    reading = reader.read(sources.load(asked.data, asked.reading), asked.reading, sources.split_columns)
    inferred = schema.infer_schema(reading.table, target=asked.target, task=asked.task, time=asked.time, group=asked.group, drop=asked.drop)
    personal = suspect_personal(reading.table)
    hidden = {*personal, *asked.pii}
    columns = with_reading(inferred.columns, reading.evidence)
    shown = tuple(dataclasses.replace(c, evidence="may be personal, so no value is shown") if c.name in hidden else c for c in columns)
    found = dataclasses.replace(inferred, columns=shown)
    profile = profile_rows(reading.table.frames(), pii=hidden)
    suite = propose_suite(asked.name, profile, inferred, key=asked.key, pii=hidden)
    data = None if secrets_of(asked.data) else projects.name_in(asked.data, project)
    return Proposal(asked, reading, found, use_case_file.settle(asked, found, data, personal), suite)


def _write(proposal: Proposal, project: Path, *, is_update: bool) -> InitReport:
    """Write what is not there yet, and the suite anew where a person wants that."""
    use_case, source = proposal.use_case, shown_url(proposal.reading.table.source)
    case_path, suite_path = projects.USE_CASES / f"{use_case.name}.yaml", projects.SUITES / f"{use_case.name}.json"
    suite, changes = _bring_up(projects.own_suite(use_case.name, project), proposal.suite, is_update=is_update)
    texts: dict[Path, str | None] = {case_path: None, suite_path: suite}
    if projects.own_use_case(use_case.name, project) is None:
        rows = names.counted(proposal.reading.rows, "row")
        texts[case_path] = use_case_file.write(use_case.name, f"{rows} of {source}", proposal.settings)
    texts[projects.PREFECT_YAML] = _deploy(use_case.name, texts[case_path], project)
    files: dict[str, Outcome] = {}
    for path, text in texts.items():
        kept: Outcome = "kept" if path == case_path else "unchanged"
        new: Outcome = "updated" if (project / path).exists() else "written"
        files[str(path)] = kept if text is None else new
    projects.write_files(project, {path: text for path, text in texts.items() if text is not None})
    return InitReport(
        use_case=use_case.name,
        source=source,
        rows=proposal.reading.rows,
        verdict=proposal.reading.verdict,
        schema=proposal.schema,
        settings=proposal.settings,
        proposal=proposal.suite,
        changes=changes,
        files=files,
    )


def _bring_up(existing: Suite | None, proposal: Suite, *, is_update: bool) -> tuple[str | None, tuple[Change, ...]]:
    """Give the suite's new text, None where it stays, and how the one that is there differs from the proposal."""
    if existing is None:
        return proposal.to_json(), ()
    changes = compare_suites(existing, proposal)
    updated = apply_changes(existing, proposal, changes)
    return (updated.to_json() if is_update and updated != existing else None), changes


def _deploy(name: str, text: str | None, project: Path) -> str | None:
    """Give `prefect.yaml` with the use case in it; None where it is there."""
    others = [use_case for use_case in projects.own_use_cases(project) if text is None or use_case.name != name]
    new = [] if text is None else [projects.parse_use_case(name, text, where=f"{name}.yaml")]
    present = projects.read_prefect_yaml(project)
    updated = deployments.update(present or deployments.NEW, sorted([*others, *new], key=lambda use_case: use_case.name))
    return None if updated == present else updated
