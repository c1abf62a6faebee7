"""Fitted models as skops files: written, checked against a digest and an allow-list, and only then loaded.

Run as a program it is the smoke test's other half: a fresh process that loads a file, predicts, and prints a digest.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import subprocess
import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tasks.core.errors import UnsafeModelError
from tasks.core.metrics import Prediction
from tasks.core.thresholds import labels_of
from tasks.core.trust import refuse_foreign_types, refuse_odd_archive, refuse_swapped_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from concurrent.futures import Future

    import numpy as np
    import pandas as pd
    from sklearn.pipeline import Pipeline

T = TypeVar("T")
R = TypeVar("R")
SMOKE_TIMEOUT_S = 120
# What skops and NumPy raise on files that were not written by them.
MISREAD = (ValueError, LookupError, TypeError, AttributeError, RuntimeError, ImportError, EOFError, MemoryError)
ROWS_WORTH_CORES = 200_000  # of a table; threads that share the work on fewer mostly wait for one another
LEARNERS = ("calibration", "compose", "dummy", "ensemble", "linear_model", "multiclass", "neighbors", "neural_network", "svm")


def fit(model: Pipeline, features: pd.DataFrame, target: np.ndarray) -> Pipeline:
    """Fit a pipeline to the rows of its feature columns, on all cores where that pays; small fits may go side by side.

    Predicting is left to one thread, because forests add up their trees in the order in which threads finish, and a sum in
    another order differs in its last bits.
    """
    from joblib import parallel_config

    with _threads_for(len(features)) as threads, parallel_config(backend="threading", n_jobs=threads):
        return model.fit(features, target)


def side_by_side(work: Callable[[T], R], items: Iterable[T], rows: int) -> Iterator[R]:
    """Do something with each item, as many at once as there are cores, and yield what comes of each in the order of the items.

    Args:
        work: Fits or predicts.
        items: Taken as cores become free, so that whoever yields them may stop.
        rows: That each is about; where they are worth all cores, one item goes after the other.
    """
    from joblib import cpu_count
    from threadpoolctl import threadpool_limits

    if rows >= ROWS_WORTH_CORES:
        yield from map(work, items)
        return
    for learner in LEARNERS:  # threads that import parts of it for the first time at once meet modules that are half there
        importlib.import_module(f"sklearn.{learner}")
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(cpu_count()) as pool:
        begun: deque[Future[R]] = deque()
        for item in items:
            begun.append(pool.submit(work, item))
            if len(begun) == cpu_count():
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()


def load(content: bytes, sha256: str, name: str) -> Pipeline:
    """Load a model from the very bytes that are checked.

    Args:
        content: The skops file.
        sha256: What its digest must be.
        name: How a person knows the file.

    Raises:
        UnsafeModelError: other bytes than were registered, no pipeline in a skops file, or a type outside the allow-list.
    """
    import zipfile

    import skops.io
    from sklearn.pipeline import Pipeline

    refuse_swapped_bytes(content, sha256, name)
    try:
        refuse_odd_archive(content, name)
        types = skops.io.get_untrusted_types(data=content)
        refuse_foreign_types(types, name)
        loaded = skops.io.loads(content, trusted=types)
    except (zipfile.BadZipFile, *MISREAD) as error:
        message = f"{name} is not loaded: it is no skops file"
        raise UnsafeModelError(message, where=name) from error
    if not isinstance(loaded, Pipeline):
        message = f"{name} is not loaded: it holds no pipeline but '{type(loaded).__name__}'"
        raise UnsafeModelError(message, where=name)
    return loaded


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
    with _threads_for(len(features)):
        if not hasattr(model, "predict_proba"):
            return Prediction(model.predict(features))
        proba = model.predict_proba(features)
    return Prediction(labels_of(model, proba), proba, tuple(classes_of(model)))


def classes_of(model: Pipeline) -> list[str]:
    """Name the classes that a fitted model knows, in the order of its probabilities."""
    return [str(label) for label in model.classes_]


@contextmanager
def _threads_for(rows: int) -> Generator[int]:
    """Let what this thread does with so many rows use as many others as they are worth; yields how many."""
    from joblib import cpu_count
    from threadpoolctl import threadpool_limits

    threads = cpu_count() if rows >= ROWS_WORTH_CORES else 1
    with threadpool_limits(threads, user_api="openmp"):  # which knows a limit for each thread
        yield threads


def size_of(model: Pipeline) -> int:
    """Count the bytes that a fitted model takes as a file."""
    import skops.io

    return len(skops.io.dumps(model))


def prediction_digest(prediction: Prediction) -> str:
    """Digest predictions bit by bit."""
    exact = prediction.values if prediction.proba is None else prediction.proba
    return hashlib.sha256(exact.astype("<f8").tobytes()).hexdigest()


def smoke_digest(model: Path, sha256: str, rows: Path, timeout_s: float = SMOKE_TIMEOUT_S) -> str:
    """Load a model in a fresh isolated process, let it predict rows of a Parquet file, and give the digest of that.

    Raises:
        UnsafeModelError: the fresh process could not load it or did not predict.
    """
    command = [sys.executable, "-I", "-m", "tasks.adapters.models", str(model), sha256, str(rows)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=True)
    except subprocess.TimeoutExpired as error:
        message = f"the model did not load and predict within {timeout_s} s in a fresh process"
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
