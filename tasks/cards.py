"""Verbs on model cards: tell all of a version on one page, for whoever asks, and for the registry when it is made."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

from tasks import versions
from tasks.adapters import home, ledger, projects, snapshots
from tasks.adapters.tracking import model_files, model_registry, runs
from tasks.core.card import Card, explanation_of
from tasks.core.decisions import SETTLING
from tasks.core.errors import StoreError
from tasks.core.evidence import EXPLANATION
from tasks.core.standing import reigns
from tasks.record import task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tasks.core.champions import Epoch, Version
    from tasks.core.options import CardOptions
    from tasks.core.snapshot import Case

log = logging.getLogger("evergreen")


def card(options: CardOptions) -> Iterator[Card]:
    """Write the card of a version, of the champion by default, and give it.

    Raises:
        UsageError: there is no such use case or version.
        StoreError: its files are gone.
        UnsafeModelError: they are not those that were registered.
    """
    settings = home.known_settings()
    ledger.create(settings.ledger_address)
    case = projects.resolve_known(options.use_case, settings, lambda: ledger.use_cases(settings.ledger_address))
    line = versions.settled_line(case)
    version = versions.find_version(settings.ledger_address, case.name, line, options.version)
    versions.check_version(case, line, version)
    yield _written(case, _card(case, line, version))


@task
def write_card(case: Case, version: Version) -> None:
    """Write the card of a version that was just judged, and describe it with that in the registry."""
    line = ledger.line_of_champions(case.settings.ledger_address, case.name)
    try:
        told = _written(case, _card(case, line, version))
        model_registry.describe(case.name, version.number, told.as_description())
    except StoreError as error:  # the ledger has decided, and a card can be written later
        log.warning("the card of version %s is not written: %s; write it with python -m flows card", version.number, error.message)


def _card(case: Case, line: list[Epoch], version: Version) -> Card:
    entries = ledger.decisions(case.settings.ledger_address, case.name, SETTLING)
    return Card(
        use_case=case.use_case,
        version=version,
        epochs=reigns(line, version.number),
        decisions=tuple(entry for entry in entries if entry.version == version.number),
        params=runs.params_of(version.run_id),
        explanation=explanation_of(runs.text_of(version.run_id, EXPLANATION)),
        inputs=model_files.inputs_of(*versions.file_of(case.name, version, "MLmodel")),
        environment=tuple(model_files.fetch(case.name, version.number, "requirements.txt").decode().split()),
        commit=runs.commit_of(version.run_id),
    )


def _written(case: Case, told: Card) -> Card:
    folder = case.settings.home / "reports" / case.name
    paths = [folder / f"{told.version.number}-card.{ending}" for ending in ("html", "md")]
    for path, text in zip(paths, (told.as_html(), f"{told.as_text()}\n"), strict=True):
        snapshots.write_text(text, path)
    return dataclasses.replace(told, files=tuple(map(str, paths)))
