"""Verbs on versions: the stores they live in, attempts, champions, loading."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tasks import record, versions
from tasks.adapters import home, ledger, models, snapshots, tracking
from tasks.adapters.tracking import model_files, model_registry, runs
from tasks.core import decisions, names
from tasks.core.champions import SHIPPED_FILE, Attempt, Version, anchors_of, columns_difference
from tasks.core.errors import StoreError, UnsafeModelError, UsageError
from tasks.core.evidence import ChampionFit
from tasks.core.reading.forms import are_booleans
from tasks.core.reproducing import UNKEPT
from tasks.core.scoring import Scorer
from tasks.core.use_case import LAKE
from tasks.record import task

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from sklearn.pipeline import Pipeline

    from tasks.core.champions import Epoch
    from tasks.core.evidence import Evidence, Fits, Rival
    from tasks.core.settings import Settings
    from tasks.core.snapshot import Case, Snapshot, Study

EXAMPLE_ROWS = 200
log = logging.getLogger("evergreen")


@task
def prepare_stores(case: Case) -> None:
    """Create the stores where they are missing, and close what killed runs left open."""
    log.info("opening the stores in %s", case.settings.home)
    _create_stores(case.settings)
    with home.lock(case.settings.home, f"registry-{case.name}"):
        experiment = runs.ensure_experiment(case.name, case.settings.mlflow_artifacts)
        closed = runs.close_dead_runs(experiment, home.is_dead) + record.close_dead_runs()
        model_registry.remove_empty_model(case.name)
    for folder in ("snapshots", "quarantine"):
        snapshots.remove_partials(case.settings.home / folder)
    if closed:
        log.info("closed %s runs of killed processes", closed)


@task
def open_stores(case: Case) -> None:
    """Create the stores where they are missing, and remove what killed runs left behind; nothing is registered."""
    _create_stores(case.settings)
    record.close_dead_runs()
    (case.settings.home / "snapshots").mkdir(exist_ok=True)
    snapshots.remove_partials(case.settings.home / "snapshots")


@task
def load_scorer(case: Case, number: int | None) -> Scorer:
    """Load a version to predict with, the champion by default, after checking its bytes and its types.

    Raises:
        UsageError: there is no such version.
        StoreError: the ledger names a version that the registry does not have.
        UnsafeModelError: its bytes are not those that were registered, or it stores a foreign type.
    """
    address = case.settings.ledger_address
    line = ledger.line_of_champions(address, case.name) if number else versions.settled_line(case)
    version = versions.find_version(address, case.name, line, number)
    with versions.advising(lambda: "" if number else versions.way_back(address, case.name, line)):
        inputs = model_files.inputs_of(*versions.file_of(case.name, version, "MLmodel"))
        model = models.load(*versions.file_of(case.name, version, SHIPPED_FILE))
    return Scorer(case.name, version.number, model, version.attempt.target, inputs)


def last_version(case: Case, snapshot: Snapshot) -> Version | None:
    """Find the last attempt at a use case.

    Raises:
        UsageError: it predicted something else, or from other columns.
    """
    last = model_registry.newest_version(case.name)
    if last is not None and (difference := last.attempt.difference(attempt_of(case, snapshot))):
        columns = _columns_that_differ(case, snapshot, last) if "columns" in difference else ""
        way_out = "give this table a name of its own with --use-case"
        if case.use_case.data == LAKE:
            way_out = "rows that were ingested since changed that: correct them, or ingest such rows under a use case of their own"
        message = (
            f"use case '{case.name}' has version {last.number} with another {difference}"
            f" ({last.attempt.task} of '{last.attempt.target}'{columns}); {way_out}"
        )
        raise UsageError(message.replace("another columns", "other columns"), where="--use-case")
    return last


def _columns_that_differ(case: Case, snapshot: Snapshot, last: Version) -> str:
    """Name the columns that a table lacks, has beside those of a version, or has as another type; empty where that cannot be read."""
    try:
        asked = model_files.inputs_of(*versions.file_of(case.name, last, "MLmodel"))
    except (StoreError, UnsafeModelError):
        return ""
    return columns_difference({column.name: column.type for column in asked}, snapshot.schema.types("feature", "time"))


def is_answered(case: Case, snapshot: Snapshot, last: Version) -> bool:
    """Say whether the last attempt was the same as this one and judged to its end."""
    return last.answers(attempt_of(case, snapshot))


@task
def load_champion(case: Case, challenger: int | None = None, *, or_anew: bool = False) -> ChampionFit | None:
    """Load the champion's judged fit, and repair the aliases if they do not follow the ledger.

    Args:
        case: Whose.
        challenger: A version that is judged again; its own look at its gate rows does not count twice.
        or_anew: Whether a person asks to begin anew where neither the champion nor any other version can be loaded any more.

    Raises:
        StoreError: the ledger names a version that the registry does not have, or was changed.
        UnsafeModelError: its files are not those that were registered.
    """
    address = case.settings.ledger_address
    line = ledger.line_of_champions(address, case.name)
    if not line:
        return None
    looks = decisions.looks_of(ledger.decisions(address, case.name, decisions.JUDGING), challenger)
    is_lost = or_anew and versions.is_lost(case, line)
    if not is_lost or model_registry.get_version(case.name, line[-1].version) is not None:
        versions.settled_line(case)
    if is_lost:
        log.warning("no version of %s is whole any more, so the gate asks what it asks of a first version", case.name)
        return ChampionFit(line[-1].epoch, None, None, looks)
    with versions.advising(lambda: versions.way_back(address, case.name, line)):
        rival = versions.load_rival(case, line[-1])
    return ChampionFit(line[-1].epoch, rival, _anchor(case, line), looks)


def _anchor(case: Case, line: Sequence[Epoch]) -> Rival | None:
    """Load the last version that was better; where that was deleted from the registry, the first that came after it and was not.

    Raises:
        StoreError: its files are gone.
        UnsafeModelError: they are not those that were registered.
    """
    for epoch in anchors_of(line):
        if epoch.version == line[-1].version:
            return None
        if model_registry.get_version(case.name, epoch.version) is not None:
            with versions.advising(lambda: "challengers are compared with it too, so restore its files from a backup"):
                return versions.load_rival(case, epoch)
        log.warning("version %s of %s, with which challengers are compared, is gone from the registry", epoch.version, case.name)
    return None


@contextmanager
def open_run(study: Study) -> Generator[str]:
    """Open the MLflow run of a study, with the dataset and the parameters that it starts from; yields its id."""
    case, snapshot = study.case, study.snapshot
    inputs = {
        "task": study.schema.task,
        "target": study.schema.target,
        "time": study.schema.time or "",
        "source": snapshot.source,
        "loss": study.loss,
        "seed": str(case.use_case.seed),
        "rows_fit": str(len(study.split.fit)),
        "rows_gate": str(len(study.split.gate)),
    }
    with home.lock(case.settings.home, f"registry-{case.name}"):
        experiment = runs.ensure_experiment(case.name, case.settings.mlflow_artifacts)
    with runs.run(experiment, names.run_name("train", case.name, snapshot.digest), home.owner(), inputs) as run_id:
        with home.lock(case.settings.home, f"registry-{case.name}"):  # of two runs at once that name the same rows MLflow lets one fail
            runs.log_dataset(case.name, snapshot.source, snapshot.digest)
        _note_begin(study, run_id)
        yield run_id


def _note_begin(study: Study, run_id: str) -> None:
    """Let the ledger tell that a training began: on which rows, by which run, and what started it."""
    case, snapshot, rows = study.case, study.snapshot, study.rows
    told = f"a training on {rows.used:,} rows of {snapshot.source} began, with {rows.holdout:,} to judge it on"
    inputs: dict[str, object] = {"run_id": run_id, "source": snapshot.source, "snapshot": snapshot.digest, "lake": snapshot.lake}
    ledger.decide(case.settings.ledger_address, versions.entry_of(case, "train", 0, record.started_by(), told, inputs=inputs))


@task
def register(study: Study, fits: Fits, shipped: Pipeline, evidence: Evidence) -> Version:
    """Store both fits and register them as the next version, the challenger."""
    case, schema = study.case, study.schema
    df = snapshots.read(study.snapshot.path)
    example = df[schema.features].iloc[study.split.gate[:EXAMPLE_ROWS]]
    booleans = [name for name in schema.features if are_booleans(df[name])]
    logged = model_files.log_models(shipped, fits.judged, evidence.fitted_rows, example, evidence.prediction, case.use_case.pii, booleans)
    runs.log_metrics({name: interval.value for name, interval in evidence.metrics.items()}, logged)
    spread = evidence.against_champion.spread if evidence.against_champion else None
    with home.lock(case.settings.home, f"registry-{case.name}"):
        version = model_registry.register(case.name, logged, attempt_of(case, study.snapshot), spread, study.snapshot.lake)
    log.info("registered version %s of %s", version.number, case.name)
    return version


def load_model(use_case: str, number: int | None = None) -> Pipeline:
    """Load the shipped fit of a version, of the champion by default, after checking its bytes and its types.

    Raises:
        UsageError: there is no such version.
        UnsafeModelError: its bytes are not those that were registered, or it stores a foreign type.
    """
    address = home.settings().ledger_address
    version = versions.find_version(address, use_case, ledger.line_of_champions(address, use_case), number)
    return models.load(*versions.file_of(use_case, version, SHIPPED_FILE))


def _create_stores(settings: Settings) -> None:
    tracking.create_own_store(settings)
    ledger.prepare(settings)


def attempt_of(case: Case, snapshot: Snapshot) -> Attempt:
    """Say what training on these rows asks."""
    configuration = case.use_case.model_dump_json(exclude=set(UNKEPT))
    columns = [f"{c.name}:{c.type}" for c in snapshot.schema.columns if c.role == "feature"]
    return Attempt(
        snapshot=snapshot.digest,
        configuration=names.digest(configuration, *model_files.requirements(), *map(repr, case.expected)),
        columns=names.digest(*columns),
        target=snapshot.schema.target,
        task=snapshot.schema.task,
    )
