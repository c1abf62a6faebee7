"""Experiments and runs of MLflow: what a training decided and measured on its way."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tasks.adapters.tracking.client import asking, find, open_client, reason
from tasks.core.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from mlflow.entities import Run

OWNER_TAG = "evergreen.owner"
WARNINGS_TAG = "evergreen.warnings"
PREDICTIONS_TAG = "evergreen.predictions"
REFIT_TAG = "evergreen.refit"


def ensure_experiment(name: str, artifacts: str) -> str:
    """Find or create the experiment of a use case and give its id; artifacts never land in the current folder."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        experiment = open_client().get_experiment_by_name(name)
        if experiment is None:
            _check_artifacts(artifacts)
            return open_client().create_experiment(name, artifact_location=f"{artifacts}/{name}")
    except (MlflowException, SQLAlchemyError) as error:
        message = f"MLflow does not find or create the experiment '{name}': {reason(error)}"
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
    except ModuleNotFoundError:  # of an extra that is not installed; the door says which
        raise
    except Exception as error:  # each kind of storage raises errors of a library of its own
        message = f"the artifacts at {location} cannot be reached: {reason(error)}"
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
    with asking():
        active = mlflow.start_run(experiment_id=experiment, run_name=name, tags={OWNER_TAG: owner})
    try:
        log_params(inputs)
        yield active.info.run_id
        status = "FINISHED"
    finally:
        with asking():
            mlflow.end_run(status)


@asking()
def log_dataset(name: str, source: str, digest: str) -> None:
    """Name the rows that the active run was trained on."""
    import mlflow
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    named = CodeDatasetSource(tags={"mlflow.source.name": source})
    # MLflow keeps at most 36 characters of a digest; the whole one stands in the version's attempt.
    mlflow.log_input(MetaDataset(named, name=name, digest=digest[:32]), context="training")


@asking()
def log_params(values: Mapping[str, str]) -> None:
    """Log what the active run decided on its way."""
    import mlflow

    mlflow.log_params(dict(values))


@asking()
def tag_run(name: str, value: str) -> None:
    """Write a tag on the active run."""
    import mlflow

    mlflow.set_tag(name, value)


@asking()
def log_metrics(values: Mapping[str, float], model_id: str | None = None) -> None:
    """Log figures of the active run, and of one of its logged models if it is named; those that are numbers."""
    import math

    import mlflow

    mlflow.log_metrics({name: value for name, value in values.items() if math.isfinite(value)}, model_id=model_id)


@asking()
def log_text(text: str, file: str) -> None:
    """Keep a text as an artifact of the active run."""
    import mlflow

    mlflow.log_text(text, file)


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
    run = find(lambda: open_client().get_run(run_id))
    return {} if run is None else dict(run.data.params)


def tags_of(run_id: str) -> dict[str, str]:
    """Give the tags of a run; empty when there is no such run."""
    run = find(lambda: open_client().get_run(run_id))
    return {} if run is None else dict(run.data.tags)


def commit_of(run_id: str) -> str:
    """Give the commit of the code that made a run; empty where that was no checkout."""
    return tags_of(run_id).get("mlflow.source.git.commit", "")


@asking()
def close_dead_runs(experiment: str, is_dead: Callable[[str], bool]) -> int:
    """Close the runs whose process was killed, remove what they had logged but not registered, and count them."""
    client, dead = open_client(), _dead_runs(experiment, is_dead)
    # What a run had registered before it was killed is a version like others, and is loaded from what the run had logged.
    registered = {v.run_id for v in client.search_model_versions(filter_string="")} if dead else set()
    for run in dead:
        if run.info.run_id not in registered:
            for model in client.search_logged_models([experiment], f"source_run_id = '{run.info.run_id}'"):
                client.delete_logged_model(model.model_id)
        client.set_terminated(run.info.run_id, "KILLED")  # last: should this process be killed too, the next one still finds the run
    return len(dead)


def dead_runs(name: str, is_dead: Callable[[str], bool]) -> list[str]:
    """List the open runs of an experiment, by its name, whose process was killed."""
    experiment = find(lambda: open_client().get_experiment_by_name(name))
    return [run.info.run_id for run in _dead_runs(experiment.experiment_id, is_dead)] if experiment else []


def _dead_runs(experiment: str, is_dead: Callable[[str], bool]) -> list[Run]:
    running = find(lambda: open_client().search_runs([experiment], "attributes.status = 'RUNNING'"))
    return [run for run in running if OWNER_TAG in run.data.tags and is_dead(run.data.tags[OWNER_TAG])]
