"""MLflow: experiments, runs and the model registry."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tasks.adapters import home
from tasks.core.champions import JUDGED_FILE, MANIFEST_FILES, Attempt, NamedRows, Version
from tasks.core.errors import SilentStoreError, StoreError, UnsafeModelError
from tasks.core.scoring import Input
from tasks.core.trust import ALLOWED_TYPES, refuse_swapped_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping

    import numpy as np
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion
    from sklearn.pipeline import Pipeline

    from tasks.core.metrics import Prediction
    from tasks.core.settings import Settings

OWNER_TAG = "evergreen.owner"
ATTEMPT_TAG = "evergreen.attempt"
MANIFEST_TAG = "evergreen.manifest"
SPREAD_TAG = "evergreen.spread"
LAKE_TAG = "evergreen.lake"
DECISION_TAG = "evergreen.decision"
REASON_TAG = "evergreen.reason"
LEDGER_TAG = "evergreen.ledger"
WARNINGS_TAG = "evergreen.warnings"
PREDICTIONS_TAG = "evergreen.predictions"
REFIT_TAG = "evergreen.refit"
BOOLEANS = "booleans"  # in the metadata of a model
PACKAGES = ("scikit-learn", "skops", "numpy", "pandas", "scipy")
ALIAS_TRIES = 5
PAGE = 1000
log = logging.getLogger("evergreen")


@contextmanager
def _asking() -> Generator[None]:
    """Tell in one sentence what MLflow, its server, or the disk under it raises.

    Raises:
        StoreError: they do.
    """
    from mlflow.exceptions import MlflowException
    from requests import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, RequestException, SQLAlchemyError, OSError) as error:
        message = f"MLflow does not answer: {_reason(error)}; see that it runs and has room, and run again"
        raise StoreError(message, where="MLflow") from error


def _reason(error: Exception) -> str:
    """Give the first line of an error, or of what it lists; of a request that failed, only what was asked for."""
    lines = [line for line in str(error).splitlines() if line.strip() and not line.startswith("#####")] or [type(error).__name__]
    line = lines[1] if lines[0].rstrip().endswith(":") and len(lines) > 1 else lines[0].strip()
    asked, failed, _ = line.partition(" failed with ")
    return f"{asked} failed" if failed else line


def create_own_store(settings: Settings) -> None:
    """Create the home's own MLflow store where it is missing; a person's is theirs to create."""
    path = settings.own_mlflow_file
    with home.lock(settings.home, "stores"):
        if path and not path.exists():
            log.info("creating the MLflow store")
            create_sqlite_store(path)
            home.switch_to_wal(path)


def create_sqlite_store(path: Path) -> None:
    """Create an MLflow store in one SQLite file: whole, or not at all when the process is killed."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    new = path.with_suffix(".new")
    for leftover in path.parent.glob(f"{new.name}*"):
        leftover.unlink()
    store = SqlAlchemyStore(f"sqlite:///{new}", (path.parent / "artifacts").as_uri())
    store.engine.dispose()
    new.replace(path)


def ensure_experiment(name: str, artifacts: str) -> str:
    """Find or create the experiment of a use case and give its id; artifacts never land in the current folder."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        experiment = _client().get_experiment_by_name(name)
        if experiment is None:
            _check_artifacts(artifacts)
            return _client().create_experiment(name, artifact_location=f"{artifacts}/{name}")
    except (MlflowException, SQLAlchemyError) as error:
        message = f"MLflow does not find or create the experiment '{name}': {_reason(error)}"
        raise StoreError(message, where=name) from error
    if experiment.lifecycle_stage != "active":
        restore = f"mlflow experiments restore --experiment-id {experiment.experiment_id}"
        message = f"the MLflow experiment '{name}' was deleted; bring it back with `{restore}`, or use another name with --use-case"
        raise StoreError(message, where=name)
    _check_artifacts(experiment.artifact_location)
    return experiment.experiment_id


def _check_artifacts(location: str) -> None:
    """Look into remote storage before minutes of fitting, not after them."""
    import mlflow

    if location.startswith(("file:", "mlflow-artifacts:", "/")):
        return
    try:
        mlflow.artifacts.list_artifacts(artifact_uri=location)
    except ModuleNotFoundError:
        raise
    except Exception as error:  # each kind of storage raises errors of a library of its own
        message = f"the artifacts at {location} cannot be reached: {_reason(error)}"
        raise StoreError(message, where="EVERGREEN_ARTIFACTS_URL") from error


@contextmanager
def run(experiment: str, name: str, owner: str, inputs: Mapping[str, str]) -> Generator[str]:
    """Open an MLflow run and close it as finished, or as failed when something is raised.

    Args:
        experiment: Its id.
        name: The run's name.
        owner: The process that owns it, so that another can close it after a kill.
        inputs: What the run starts from, as parameters.

    Yields:
        The run's id.
    """
    import mlflow

    status = "FAILED"
    with _asking():
        active = mlflow.start_run(experiment_id=experiment, run_name=name, tags={OWNER_TAG: owner})
    try:
        log_params(inputs)
        yield active.info.run_id
        status = "FINISHED"
    finally:
        with _asking():
            mlflow.end_run(status)


@_asking()
def log_dataset(name: str, source: str, digest: str) -> None:
    """Name the rows that the active run was trained on."""
    import mlflow
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    named = CodeDatasetSource(tags={"mlflow.source.name": source})
    # MLflow keeps at most 36 characters of a digest; the whole one stands in the version's attempt.
    mlflow.log_input(MetaDataset(named, name=name, digest=digest[:32]), context="training")


@_asking()
def log_params(values: Mapping[str, str]) -> None:
    """Log what the active run decided on its way."""
    import mlflow

    mlflow.log_params(dict(values))


@_asking()
def tag_run(name: str, value: str) -> None:
    """Write a tag on the active run."""
    import mlflow

    mlflow.set_tag(name, value)


def text_of(run_id: str, file: str) -> str:
    """Give a text that is kept as an artifact of a run; empty where there is none."""
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        return mlflow.artifacts.load_text(f"runs:/{run_id}/{file}")
    except (MlflowException, OSError):
        return ""


def params_of(run_id: str) -> dict[str, str]:
    """Give the parameters of a run; empty when there is no such run."""
    run = _found(lambda: _client().get_run(run_id))
    return {} if run is None else dict(run.data.params)


def tags_of(run_id: str) -> dict[str, str]:
    """Give the tags of a run; empty when there is no such run."""
    run = _found(lambda: _client().get_run(run_id))
    return {} if run is None else dict(run.data.tags)


def commit_of(run_id: str) -> str:
    """Give the commit of the code that made a run; empty where that was no checkout."""
    return tags_of(run_id).get("mlflow.source.git.commit", "")


@_asking()
def log_metrics(values: Mapping[str, float], model_id: str | None = None) -> None:
    """Log figures of the active run, and of one of its logged models if it is named; those that are numbers."""
    import math

    import mlflow

    mlflow.log_metrics({name: value for name, value in values.items() if math.isfinite(value)}, model_id=model_id)


@_asking()
def log_text(text: str, file: str) -> None:
    """Keep a text as an artifact of the active run."""
    import mlflow

    mlflow.log_text(text, file)


@_asking()
def log_models(
    shipped: Pipeline,
    judged: Pipeline,
    fitted_rows: np.ndarray,
    example: pd.DataFrame,
    prediction: Prediction,
    personal: Collection[str] = (),
    booleans: Collection[str] = (),
) -> str:
    """Log the shipped fit with its judged fit.

    Args:
        shipped: The fit that predicts.
        judged: The fit that was measured.
        fitted_rows: Hashes of the rows that it saw, sorted.
        example: Some rows, which tell the signature; two of them are kept for people to look at.
        prediction: Of at least these.
        personal: Columns of which nothing is kept there.
        booleans: Columns of text that held true and false alone, so that 1 and 0 of other sources are read as these.

    Returns:
        The model's id.
    """
    import mlflow
    import numpy as np
    import skops.io

    shown = example.head(2)
    shown = shown.assign(**{name: shown[name].mask(shown[name].notna()) for name in shown.columns if name in personal})
    with tempfile.TemporaryDirectory() as folder:
        skops.io.dump(judged, Path(folder) / Path(JUDGED_FILE).name)
        np.save(Path(folder) / "fitted_rows.npy", fitted_rows, allow_pickle=False)
        logged = mlflow.sklearn.log_model(
            shipped,
            name="model",
            signature=mlflow.models.infer_signature(example, prediction.values[: len(example)]),
            input_example=shown,
            pip_requirements=requirements(),
            metadata={BOOLEANS: sorted(booleans)},
            skops_trusted_types=sorted(ALLOWED_TYPES),
            extra_files=[str(path) for path in sorted(Path(folder).iterdir())],
        )
    return logged.model_id


@_asking()
def register(name: str, model_id: str, attempt: Attempt, spread: float | None, lake: str = "") -> Version:
    """Register a logged model as the next version with the digests of its stored files, the alias `challenger` on it.

    Args:
        name: Of the model.
        model_id: The logged model.
        attempt: What the run was asked.
        spread: Standard deviation of its paired loss differences; None without a champion.
        lake: What names its rows in the lake; empty where they are not from there.
    """
    import contextlib
    import io

    import mlflow

    model = _client().get_logged_model(model_id)
    manifest = {file: hashlib.sha256(_download(f"{model.artifact_location}/{file}")).hexdigest() for file in MANIFEST_FILES}
    tags = {
        ATTEMPT_TAG: json.dumps(asdict(attempt)),
        MANIFEST_TAG: json.dumps(manifest),
        SPREAD_TAG: "" if spread is None else repr(spread),
        **({LAKE_TAG: lake} if lake else {}),
    }
    # MLflow prints here whatever the log level, and standard error belongs to progress.
    with contextlib.redirect_stderr(io.StringIO()):
        number = int(mlflow.register_model(f"models:/{model_id}", name, tags=tags).version)
    set_alias(name, "challenger", number)
    return Version(number, model.source_run_id or "", attempt, spread, manifest, lake=lake)


def set_alias(name: str, alias: str, version: int) -> None:
    """Point an alias at a version; writers that race for a new alias try again."""
    from mlflow.exceptions import MlflowException

    for remaining in reversed(range(ALIAS_TRIES)):
        try:
            _client().set_registered_model_alias(name, alias, str(version))
        except MlflowException as error:
            if not remaining or "IntegrityError" not in error.message:
                message = f"MLflow does not set the alias '{alias}' of {name} to version {version}: {_reason(error)}"
                raise StoreError(message, where=name) from error
        else:
            return


@_asking()
def tag_decision(name: str, version: int, code: str, reason: str) -> None:
    """Write on a version what became of it and why."""
    _client().set_model_version_tag(name, str(version), REASON_TAG, reason)
    _client().set_model_version_tag(name, str(version), DECISION_TAG, code)


@_asking()
def describe(name: str, version: int, text: str) -> None:
    """Let the registry show a text, in Markdown, on the page of a version."""
    _client().update_model_version(name, str(version), description=text)


@_asking()
def set_seal(name: str, version: int, seal: str) -> None:
    """Write on a champion the row of the ledger that made it one, so that a ledger that was cut off or rewritten shows."""
    _client().set_model_version_tag(name, str(version), LEDGER_TAG, seal)


def seal_of(name: str, version: int) -> str:
    """Give what `set_seal` wrote; empty where it wrote nothing."""
    found = _found(lambda: _client().get_model_version(name, str(version)))
    return "" if found is None else found.tags.get(LEDGER_TAG, "")


def aliases(name: str) -> dict[str, int]:
    """Give the versions that the aliases of a model point at; empty when there is no such model."""
    registered = _found(lambda: _client().get_registered_model(name))
    return {} if registered is None else {alias: int(version) for alias, version in registered.aliases.items()}


def versions(name: str) -> list[Version]:
    """List the versions of a model that Evergreen registered, the last one first."""
    return [_version(found) for found in _all_versions(name) if _is_ours(found)]


def foreign_versions(name: str) -> list[int]:
    """List the versions of a model that somebody else registered."""
    return sorted(int(found.version) for found in _all_versions(name) if not _is_ours(found))


def newest_version(name: str) -> Version | None:
    """Find the last version that Evergreen registered.

    Raises:
        StoreError: there are only versions of somebody else, so the name is taken.
    """
    found = _all_versions(name)
    ours = next((version for version in found if _is_ours(version)), found[0] if found else None)
    return _version(ours) if ours else None


def _all_versions(name: str) -> list[ModelVersion]:
    """List the versions of a model, the last one first."""
    return list(_found(lambda: _client().search_model_versions(f"name = '{name}'", order_by=["version_number DESC"])))


def _is_ours(found: ModelVersion) -> bool:
    return {ATTEMPT_TAG, MANIFEST_TAG} <= found.tags.keys()


def get_version(name: str, number: int) -> Version | None:
    """Find a version by its number."""
    found = _found(lambda: _client().get_model_version(name, str(number)))
    return None if found is None else _version(found)


def named_rows() -> Iterator[NamedRows]:
    """Yield the rows that the versions of all models name; models that are not ours name none.

    Raises:
        StoreError: MLflow does not answer, or a version of ours cannot be read.
    """
    page = None
    while page is None or page.token:
        token = page.token if page else None
        page = _found(lambda token=token: _client().search_model_versions(max_results=PAGE, page_token=token))
        for found in page:
            if ATTEMPT_TAG in found.tags:
                yield NamedRows(found.name, int(found.version), _version(found).attempt.snapshot, found.tags.get(LAKE_TAG, ""))


def fetch(name: str, number: int, file: str) -> bytes:
    """Fetch one file of a version.

    Raises:
        StoreError: the file is not there.
        SilentStoreError: nobody can say whether it is.
    """
    return _download(f"models:/{name}/{number}/{file}")


INPUT_TYPES: dict[str, Literal["number", "category", "datetime"]] = {"double": "number", "string": "category", "datetime": "datetime"}


def inputs_of(content: bytes, sha256: str, name: str) -> tuple[Input, ...]:
    """Read the columns that a model asks for from its MLmodel file.

    Raises:
        UnsafeModelError: other bytes than were registered, or no signature in them.
    """
    import yaml

    refuse_swapped_bytes(content, sha256, name)
    try:
        said = yaml.safe_load(content)
        columns, booleans = json.loads(said["signature"]["inputs"]), (said.get("metadata") or {}).get(BOOLEANS, ())
        return tuple(Input(c["name"], "boolean" if c["name"] in booleans else INPUT_TYPES[c["type"]]) for c in columns)
    except (yaml.YAMLError, ValueError, KeyError, TypeError) as error:
        message = f"{name} says no columns that its model asks for"
        raise UnsafeModelError(message, where=name) from error


@_asking()
def close_dead_runs(experiment: str, is_dead: Callable[[str], bool]) -> int:
    """Close the runs whose process was killed, remove what they had logged but not registered, and count them."""
    client, dead = _client(), _dead_runs(experiment, is_dead)
    registered = {v.run_id for v in client.search_model_versions(filter_string="")} if dead else set()
    for run in dead:
        if run.info.run_id not in registered:
            for model in client.search_logged_models([experiment], f"source_run_id = '{run.info.run_id}'"):
                client.delete_logged_model(model.model_id)
        client.set_terminated(run.info.run_id, "KILLED")
    return len(dead)


def dead_runs(name: str, is_dead: Callable[[str], bool]) -> list[str]:
    """List the open runs of an experiment, by its name, whose process was killed."""
    experiment = _found(lambda: _client().get_experiment_by_name(name))
    return [run.info.run_id for run in _dead_runs(experiment.experiment_id, is_dead)] if experiment else []


def _dead_runs(experiment: str, is_dead: Callable[[str], bool]) -> list[Run]:
    running = _found(lambda: _client().search_runs([experiment], "attributes.status = 'RUNNING'"))
    return [run for run in running if OWNER_TAG in run.data.tags and is_dead(run.data.tags[OWNER_TAG])]


@_asking()
def remove_empty_model(name: str) -> None:
    """Remove a registered model that a killed run left without any version."""
    registered = _found(lambda: _client().get_registered_model(name))
    if registered is not None and newest_version(name) is None:
        _client().delete_registered_model(name)


def _client() -> MlflowClient:
    from mlflow import MlflowClient

    logging.getLogger("mlflow").setLevel(logging.CRITICAL)  # it prints a trace of what it then raises
    return MlflowClient(os.environ["MLFLOW_TRACKING_URI"])


def _found(call: Callable[[], Any]) -> Any:  # noqa: ANN401 (MLflow's entities have no common type)
    from mlflow.exceptions import MlflowException

    with _asking():
        try:
            return call()
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise


def _version(found: ModelVersion) -> Version:
    spread = found.tags.get(SPREAD_TAG, "")
    try:
        attempt = Attempt(**json.loads(found.tags[ATTEMPT_TAG]))
        manifest = json.loads(found.tags[MANIFEST_TAG])
    except (KeyError, ValueError, TypeError) as error:
        message = f"version {found.version} of '{found.name}' was not registered by Evergreen; use another name with --use-case"
        raise StoreError(message, where=found.name) from error
    return Version(
        number=int(found.version),
        run_id=found.run_id or "",
        attempt=attempt,
        spread=float(spread) if spread else None,
        manifest=manifest,
        decision=found.tags.get(DECISION_TAG, ""),
        lake=found.tags.get(LAKE_TAG, ""),
    )


def _download(address: str) -> bytes:
    import mlflow

    try:
        with tempfile.TemporaryDirectory() as folder:
            return Path(mlflow.artifacts.download_artifacts(artifact_uri=address, dst_path=folder)).read_bytes()
    except ModuleNotFoundError:
        raise
    except Exception as error:  # as in `_check_artifacts`
        if _is_gone(address):
            message = f"{address} cannot be fetched from the registry: {_reason(error)}"
            raise StoreError(message, where=address) from error
        message = f"{address} cannot be fetched, for its store does not answer: {_reason(error)}; see that it runs and may be read"
        raise SilentStoreError(f"{message}, and run again", where=address) from error


def _is_gone(address: str) -> bool:
    """Say whether a file's store answers, and does not have it; MLflow merges what went wrong, so the error cannot tell."""
    import mlflow
    from mlflow.exceptions import MlflowException

    folder, _, file = address.rpartition("/")
    try:
        listed = mlflow.artifacts.list_artifacts(artifact_uri=folder)
        return file not in {Path(found.path).name for found in listed} and not _is_barred(folder)
    except MlflowException as error:
        return error.error_code == "RESOURCE_DOES_NOT_EXIST"  # the registry has no such version
    except Exception:  # noqa: BLE001 (as in `_check_artifacts`)
        return False


def _is_barred(folder: str) -> bool:
    """Say whether a local folder is there and may not be entered, which MLflow takes for one that is not there."""
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    repository = get_artifact_repository(folder)
    path = getattr(getattr(repository, "repo", repository), "artifact_dir", None)
    try:
        return path is not None and not Path(path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True


def requirements(packages: Iterable[str] = PACKAGES) -> list[str]:
    """Pin packages, those that a stored model needs by default, as installed here; what is not installed has no pin."""
    from importlib.metadata import PackageNotFoundError, version

    pins: list[str] = []
    for package in packages:
        with suppress(PackageNotFoundError):
            pins.append(f"{package}=={version(package)}")
    return pins
