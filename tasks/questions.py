"""Verbs for what people ask; they train nothing, decide nothing, and do not need Prefect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.adapters import home, projects, snapshots, sources
from tasks.core import deployments, names, schema
from tasks.core.errors import EvergreenError, UsageError
from tasks.core.preview import FilePreview, Told, as_csv
from tasks.core.reading import reader
from tasks.core.reading.terms import ReadingOptions
from tasks.core.table import Column, with_reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tasks.core.options import DeploymentsOptions, PreviewOptions


def preview(options: PreviewOptions) -> Iterator[FilePreview]:
    """Show what would be made of files before anything is trained, one after the other."""
    reading = ReadingOptions.from_pairs(options.read)
    for path in options.paths:
        try:
            sources.check(path)
            yield _preview(path, reading, options)
        except EvergreenError as error:
            yield FilePreview.refused(path, error)


def _preview(path: str, options: ReadingOptions, call: PreviewOptions) -> FilePreview:
    reading = reader.read(sources.load(path, options), options, sources.split_columns, as_text=call.as_text)
    out = snapshots.write_csv(as_csv(reading, as_text=call.as_text), call.out, names.stem_of(path)) if call.out else ""
    message, found = "", None
    try:
        found = schema.infer_schema(reading.table)
    except EvergreenError as error:
        message = error.message
    table = reading.table
    columns = found.columns if found else tuple(Column(name, schema.type_of(table[name]), "unused", "") for name in table)
    return FilePreview.of(path, reading, with_reading(columns, reading.evidence), found, message, out)


def write_deployments(_options: DeploymentsOptions) -> Iterator[Told]:
    """Bring the generated part of the project's `prefect.yaml` up to its use cases, and say what was done.

    Raises:
        UsageError: there is no prefect.yaml, it lacks the markers, or a use case is wrong.
    """
    settings = home.settings()
    home.prepare(settings.home)
    with home.lock(settings.home, "project"):
        yield Told(_deploy(settings.project))


def _deploy(project: Path) -> str:
    text = projects.read_prefect_yaml(project)
    if text is None:
        message = f"there is no {project / projects.PREFECT_YAML}; run this in the project's folder, or set EVERGREEN_PROJECT"
        raise UsageError(message, where=str(project / projects.PREFECT_YAML))
    use_cases = projects.own_use_cases(project)
    updated = deployments.update(text, use_cases)
    if updated == text:
        return f"prefect.yaml is up to date: {len(use_cases)} use cases"
    projects.write_files(project, {projects.PREFECT_YAML: updated})
    return f"prefect.yaml: wrote the deployments of {', '.join(use_case.name for use_case in use_cases)}"
