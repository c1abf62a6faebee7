"""The files of a model: logged with the run that fitted it, fetched from the version that it became."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tasks.adapters.tracking.client import asking, reason
from tasks.core.champions import JUDGED_FILE
from tasks.core.errors import SilentStoreError, StoreError, UnsafeModelError
from tasks.core.scoring import Input
from tasks.core.trust import ALLOWED_TYPES, refuse_swapped_bytes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import numpy as np
    import pandas as pd
    from sklearn.pipeline import Pipeline

    from tasks.core.metrics import Prediction

BOOLEANS = "booleans"  # in the metadata of a model
PACKAGES = ("scikit-learn", "skops", "numpy", "pandas", "scipy")
INPUT_TYPES: dict[str, Literal["number", "category", "datetime"]] = {"double": "number", "string": "category", "datetime": "datetime"}


@asking()
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


def requirements(packages: Iterable[str] = PACKAGES) -> list[str]:
    """Pin packages, those that a stored model needs by default, as installed here; what is not installed has no pin."""
    from importlib.metadata import PackageNotFoundError, version

    pins: list[str] = []
    for package in packages:
        with suppress(PackageNotFoundError):
            pins.append(f"{package}=={version(package)}")
    return pins


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


def fetch(name: str, number: int, file: str) -> bytes:
    """Fetch one file of a version, as `download` does."""
    return download(f"models:/{name}/{number}/{file}")


def download(address: str) -> bytes:
    """Fetch one file by its address in MLflow.

    Raises:
        StoreError: the file is not there.
        SilentStoreError: nobody can say whether it is.
    """
    import mlflow

    try:
        with tempfile.TemporaryDirectory() as folder:
            return Path(mlflow.artifacts.download_artifacts(artifact_uri=address, dst_path=folder)).read_bytes()
    except ModuleNotFoundError:  # of an extra that is not installed; the door says which
        raise
    except Exception as error:  # each kind of storage raises errors of a library of its own
        if _is_gone(address):
            message = f"{address} cannot be fetched from the registry: {reason(error)}"
            raise StoreError(message, where=address) from error
        message = f"{address} cannot be fetched, for its store does not answer: {reason(error)}; see that it runs and may be read"
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
    except Exception:  # noqa: BLE001 (as in `download`)
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
