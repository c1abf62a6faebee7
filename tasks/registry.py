"""Verbs on versions: the stores they live in, attempts, champions, promotion, loading."""

from __future__ import annotations

import logging
import tempfile
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tasks import record
from tasks.adapters import home, ledger, models, snapshots, tracking
from tasks.core import gate, names, splits
from tasks.core.champions import FITTED_ROWS_FILE, JUDGED_FILE, SHIPPED_FILE, Attempt, Epoch, Version
from tasks.core.errors import EvergreenError, StoreError, UsageError
from tasks.core.evidence import ChampionFit
from tasks.core.reading.forms import are_booleans
from tasks.core.scoring import Scorer
from tasks.record import task

if TYPE_CHECKING:
    from collections.abc import Generator

    from sklearn.pipeline import Pipeline

    from tasks.core.evidence import Evidence, Fits
    from tasks.core.gate import Decision
    from tasks.core.settings import Settings
    from tasks.core.snapshot import Case, Snapshot, Study

SMOKE_ROWS = 200
log = logging.getLogger("evergreen")


@task
def prepare_stores(case: Case) -> None:
    """Create the stores where they are missing, and close what killed runs left open."""
    log.info("opening the stores in %s", case.settings.home)
    _create_stores(case.settings)
    with home.lock(case.settings.home, f"registry-{case.name}"):
        experiment = tracking.ensure_experiment(case.name, case.settings.mlflow_artifacts)
        closed = tracking.close_dead_runs(experiment, home.is_dead) + record.close_dead_runs()
        tracking.remove_empty_model(case.name)
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
    line = ledger.line_of_champions(case.settings.ledger_address, case.name)
    if number is None and line:
        _follow(case, line)
    version, known = _find_version(case.name, line, number)
    inputs = tracking.inputs_of(*_file(case.name, known, "MLmodel"))
    return Scorer(case.name, version.number, models.load(*_file(case.name, known, SHIPPED_FILE)), version.attempt.target, inputs)


def last_version(case: Case, snapshot: Snapshot) -> Version | None:
    """Find the last attempt at a use case.

    Raises:
        UsageError: it predicted something else, or from other columns.
    """
    last = tracking.newest_version(case.name)
    if last is not None and (difference := last.attempt.difference(_attempt(case, snapshot))):
        message = (
            f"use case '{case.name}' has version {last.number} with another {difference}"
            f" ({last.attempt.task} of '{last.attempt.target}'); give this table a name of its own with --use-case"
        )
        raise UsageError(message, where="--use-case")
    return last


def is_answered(case: Case, snapshot: Snapshot, last: Version) -> bool:
    """Say whether the last attempt was the same as this one and judged to its end."""
    return last.answers(_attempt(case, snapshot))


@task
def load_champion(case: Case) -> ChampionFit | None:
    """Load the champion's judged fit, and repair the aliases if they do not follow the ledger.

    Raises:
        StoreError: the ledger names a version that the registry does not have.
        UnsafeModelError: its files are not those that were registered.
    """
    line = ledger.line_of_champions(case.settings.ledger_address, case.name)
    if not line:
        return None
    version = _follow(case, line)
    judged = models.load(*_file(case.name, line[-1], JUDGED_FILE))
    return ChampionFit(version, line[-1].epoch, judged, models.load_hashes(*_file(case.name, line[-1], FITTED_ROWS_FILE)))


@contextmanager
def open_run(study: Study) -> Generator[str]:
    """Open the MLflow run of a study, with the dataset and the parameters that it starts from; yields its id."""
    case, snapshot = study.case, study.snapshot
    inputs = {
        "task": study.schema.task,
        "target": study.schema.target,
        "loss": study.loss,
        "seed": str(case.use_case.seed),
        "rows_fit": str(len(study.split.fit)),
        "rows_gate": str(len(study.split.gate)),
    }
    with home.lock(case.settings.home, f"registry-{case.name}"):
        experiment = tracking.ensure_experiment(case.name, case.settings.mlflow_artifacts)
    with tracking.run(experiment, names.run_name("train", case.name, snapshot.digest), home.owner(), inputs) as run_id:
        tracking.log_dataset(case.name, snapshot.source, snapshot.digest)
        yield run_id


@task
def register(study: Study, fits: Fits, shipped: Pipeline, evidence: Evidence) -> Version:
    """Store both fits and register them as the next version, the challenger."""
    case, schema = study.case, study.schema
    df = snapshots.read(study.snapshot.path)
    example = df[schema.features].iloc[study.split.gate[:SMOKE_ROWS]]
    fitted_rows = splits.hash_rows(df[schema.features].iloc[study.split.fit])
    booleans = [name for name in schema.features if are_booleans(df[name])]
    logged = tracking.log_models(shipped, fits.judged, fitted_rows, example, evidence.prediction, case.use_case.pii, booleans)
    tracking.log_metrics({name: interval.value for name, interval in evidence.metrics.items()}, logged)
    spread = evidence.against_champion.spread if evidence.against_champion else None
    with home.lock(case.settings.home, f"registry-{case.name}"):
        version = tracking.register(case.name, logged, _attempt(case, study.snapshot), spread, study.snapshot.lake)
    log.info("registered version %s of %s", version.number, case.name)
    return version


@task
def promote(study: Study, shipped: Pipeline, version: Version, decision: Decision, champion: ChampionFit | None) -> Decision:
    """Make a version that passed champion, once a fresh process has loaded it and predicts the same.

    The ledger decides by one INSERT, the aliases follow it. Whatever fails on the way leaves the champion as it was.
    """
    case = study.case
    if decision.verdict == "promoted":
        decision = gate.with_check(decision, _smoke(study, shipped, version), has_champion=champion is not None)
    if decision.verdict == "promoted":
        epoch = Epoch(
            use_case=case.name,
            epoch=champion.epoch + 1 if champion else 1,
            version=version.number,
            run_id=version.run_id,
            code=decision.code,
            reason=decision.reason,
            decided_at=datetime.now(UTC).isoformat(timespec="seconds"),
            manifest=version.manifest,
            lake=study.snapshot.lake,
        )
        if not ledger.crown(case.settings.ledger_address, epoch):
            decision = gate.superseded(decision)
        with home.lock(case.settings.home, f"registry-{case.name}"):
            _follow(case, ledger.line_of_champions(case.settings.ledger_address, case.name))
    tracking.tag_decision(case.name, version.number, decision.code, decision.reason)
    record.publish_text(f"{case.name}-decision", f"**{decision.verdict}** · {decision.code}\n\n{decision.reason}")
    log.info("%s: %s", decision.verdict, decision.reason)
    return decision


def load_model(use_case: str, number: int | None = None) -> Pipeline:
    """Load the shipped fit of a version, of the champion by default, after checking its bytes and its types.

    Raises:
        UsageError: there is no such version.
        UnsafeModelError: its bytes are not those that were registered, or it stores a foreign type.
    """
    _, known = _find_version(use_case, ledger.line_of_champions(home.settings().ledger_address, use_case), number)
    return models.load(*_file(use_case, known, SHIPPED_FILE))


def _find_version(use_case: str, line: list[Epoch], number: int | None) -> tuple[Version, Version | Epoch]:
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


def _create_stores(settings: Settings) -> None:
    mlflow_file = settings.own_mlflow_file
    with home.lock(settings.home, "stores"):
        if mlflow_file and not mlflow_file.exists():
            log.info("creating the MLflow store")
            tracking.create_sqlite_store(mlflow_file)
            home.switch_to_wal(mlflow_file)
        ledger.create(settings.ledger_address)
        if not settings.ledger_url:
            home.switch_to_wal(settings.home / "ledger.db")


def _attempt(case: Case, snapshot: Snapshot) -> Attempt:
    configuration = case.use_case.model_dump_json(exclude={"name", "description", "data", "schedule"})
    columns = [f"{c.name}:{c.type}" for c in snapshot.schema.columns if c.role == "feature"]
    return Attempt(
        snapshot=snapshot.digest,
        configuration=names.digest(configuration, *tracking.requirements()),
        columns=names.digest(*columns),
        target=snapshot.schema.target,
        task=snapshot.schema.task,
    )


def _follow(case: Case, line: list[Epoch]) -> Version:
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
    return champion


def _file(use_case: str, version: Version | Epoch, file: str) -> tuple[bytes, str, str]:
    number = version.version if isinstance(version, Epoch) else version.number
    return tracking.fetch(use_case, number, file), version.manifest[file], f"{file} of version {number} of {use_case}"


def _smoke(study: Study, shipped: Pipeline, version: Version) -> gate.Check:
    """Ask whether a fresh process that sees only the registered bytes predicts what this process does."""
    log.info("loading version %s in a fresh process", version.number)
    df = snapshots.read(study.snapshot.path)
    rows = df[study.schema.features].iloc[study.split.gate[:SMOKE_ROWS]].reset_index(drop=True)
    try:
        content, sha256, _ = _file(study.case.name, version, SHIPPED_FILE)
        with tempfile.TemporaryDirectory() as folder:
            model = Path(folder) / "model.skops"
            model.write_bytes(content)
            found = models.smoke_digest(model, sha256, snapshots.write(rows, Path(folder), "rows"))
    except EvergreenError as error:
        return gate.check_loads(error.message)
    return gate.check_loads("" if found == models.prediction_digest(models.predict(shipped, rows)) else "it predicts something else there")
