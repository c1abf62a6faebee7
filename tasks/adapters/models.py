"""Fitted models as skops files: written, checked against a digest and an allow-list, and only then loaded.

Run as a program it is the smoke test's other half: a fresh process that loads a file, predicts, and prints a digest.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.core.errors import UnsafeModelError
from tasks.core.metrics import Prediction
from tasks.core.trust import refuse_foreign_types, refuse_swapped_bytes

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import numpy as np
    import pandas as pd
    from sklearn.pipeline import Pipeline

SMOKE_TIMEOUT_S = 120
ROWS_WORTH_THREADS = 20_000


def fit(model: Pipeline, features: pd.DataFrame, target: np.ndarray) -> Pipeline:
    """Fit a pipeline to the rows of its feature columns.

    On all cores; predicting is left to one thread, because forests add up their trees in the order in which threads finish, and a
    sum in another order differs in its last bits.
    """
    from joblib import parallel_config

    with _suitable_threads(len(features)), parallel_config(backend="threading", n_jobs=-1):
        return model.fit(features, target)


def load(content: bytes, sha256: str, name: str) -> Pipeline:
    """Load a model from the very bytes that are checked.

    Args:
        content: The skops file.
        sha256: What its digest must be.
        name: How a person knows the file.

    Raises:
        UnsafeModelError: other bytes than were registered, no skops file, or a type outside the allow-list.
    """
    import zipfile
    import zlib

    import skops.io

    refuse_swapped_bytes(content, sha256, name)
    try:
        types = skops.io.get_untrusted_types(data=content)
    except (zipfile.BadZipFile, zlib.error, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        message = f"{name} is not loaded: it is no skops file"
        raise UnsafeModelError(message, where=name) from error
    refuse_foreign_types(types, name)
    return skops.io.loads(content, trusted=types)


def load_hashes(content: bytes, sha256: str, name: str) -> np.ndarray:
    """Load row hashes, uint64, from the very bytes that are checked.

    Raises:
        UnsafeModelError: other bytes than were registered, or no NumPy file of numbers.
    """
    import numpy as np

    refuse_swapped_bytes(content, sha256, name)
    try:
        return np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError) as error:
        message = f"{name} is not loaded: it is no NumPy file of numbers"
        raise UnsafeModelError(message, where=name) from error


def predict(model: Pipeline, features: pd.DataFrame) -> Prediction:
    """Predict rows that have the model's feature columns."""
    with _suitable_threads(len(features)):
        if not hasattr(model, "predict_proba"):
            return Prediction(model.predict(features))
        proba = model.predict_proba(features)
    classes = tuple(str(label) for label in model.classes_)
    return Prediction(model.classes_[proba.argmax(axis=1)], proba, classes)


def _suitable_threads(rows: int) -> AbstractContextManager[object]:
    """Keep boosting of a small table on one thread: several would mostly wait for one another.

    They wait busily. On 5,000 rows one thread is ten times as fast as two, and eight runs at once on two cores, each with
    two threads, do not end within minutes.
    """
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, user_api="openmp") if rows < ROWS_WORTH_THREADS else nullcontext()


def prediction_digest(prediction: Prediction) -> str:
    """Digest predictions bit by bit."""
    exact = prediction.values if prediction.proba is None else prediction.proba
    return hashlib.sha256(exact.astype("<f8").tobytes()).hexdigest()


def smoke_digest(model: Path, sha256: str, rows: Path) -> str:
    """Load a model in a fresh isolated process, let it predict rows of a Parquet file, and give the digest of that.

    Raises:
        UnsafeModelError: the fresh process could not load it or did not predict.
    """
    command = [sys.executable, "-I", "-m", "tasks.adapters.models", str(model), sha256, str(rows)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SMOKE_TIMEOUT_S, check=True)
    except subprocess.TimeoutExpired as error:
        message = f"the model did not load and predict within {SMOKE_TIMEOUT_S} s in a fresh process"
        raise UnsafeModelError(message, where=str(model)) from error
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
        message = f"the model does not load and predict in a fresh process: {reason}"
        raise UnsafeModelError(message, where=str(model)) from error
    return json.loads(done.stdout)["digest"]


def _smoke(model: Path, sha256: str, rows: Path) -> None:
    import pandas as pd

    loaded = load(model.read_bytes(), sha256, model.name)
    print(json.dumps({"digest": prediction_digest(predict(loaded, pd.read_parquet(rows)))}))  # noqa: T201 (the answer)


if __name__ == "__main__":
    _smoke(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
