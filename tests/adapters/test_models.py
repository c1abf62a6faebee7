from __future__ import annotations

import contextlib
import hashlib
import io
import json
import pickle
import subprocess
import sys
import tracemalloc
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import Ridge

from tasks.adapters import models
from tasks.core import candidates, features
from tasks.core.blending import build_blend
from tasks.core.calibration import build_calibrated, fit_layer
from tasks.core.candidates import BLEND, CANDIDATES
from tasks.core.errors import UnsafeModelError
from tasks.core.recipe import Recipe
from tasks.core.schema import infer_schema
from tasks.core.snapshot import target_of
from tasks.core.thresholds import Threshold, build_thresholded
from tasks.core.trust import ALLOWED_TYPES
from tests import malice
from tests.malice import KINDS, that_unpacks_beyond_measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sklearn.pipeline import Pipeline

    from tasks.core.table import Task

ROWS = 300
TABLES = {
    "mixed": ["size", "weight", "colour", "city", "seen", "made", "note"],
    "numbers": ["size", "weight"],
    "categories": ["colour", "city"],
}


CASES = [(candidate, task, table) for candidate in CANDIDATES for task in candidate.tasks for table in TABLES]
BLENDED = [(BLEND, task, table) for task in ("regression", "binary", "multiclass") for table in TABLES]
FINISHED: list[tuple[str, Task, str]] = [("finished", "binary", "mixed"), ("finished", "multiclass", "mixed")]


@dataclass(frozen=True)
class Fitted:
    """A candidate fitted to a table, as it is in memory and as a file."""

    model: Pipeline
    content: bytes
    rows: pd.DataFrame


def table(task: Task) -> pd.DataFrame:
    """Make rows with numbers, few and many categories, dates and texts, and something missing in most."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(ROWS, 2))
    signal = numbers[:, 0] + 0.3 * rng.normal(size=ROWS)
    numbers[rng.random((ROWS, 2)) < 0.1] = np.nan
    colours = rng.choice(["red", "green", "blue", None], ROWS)
    targets = {
        "regression": 10 + signal,
        "binary": pd.Series(np.where(signal > 0, "yes", "no"), dtype="str"),
        "multiclass": pd.Series(np.select([signal > 0.5, signal < -0.5], ["high", "low"], "middle"), dtype="str"),
    }
    return pd.DataFrame(
        {
            "size": numbers[:, 0],
            "weight": numbers[:, 1],
            "colour": pd.Series(colours, dtype="str"),
            "city": pd.Series([f"city {i % 150}" for i in range(ROWS)], dtype="str"),
            "seen": pd.Series(pd.date_range("2021-03-01", periods=ROWS, freq="50h", unit="us")).sample(frac=1, random_state=0).to_numpy(),
            "made": pd.Series(pd.date_range("2019-03-01", periods=ROWS, unit="us")).sample(frac=1, random_state=1).to_numpy(),
            "note": pd.Series(
                [" ".join(rng.choice(["oak", "pine", "desk", "lamp", None], 12).astype(str)) for _ in range(ROWS)], dtype="str"
            ),
            "target": targets[task],
        }
    )


def unseen_rows() -> pd.DataFrame:
    """Make rows with everything that training has not seen."""
    return pd.DataFrame(
        {
            "size": [np.nan, 1e9, -0.0],
            "weight": [np.nan, np.nan, 5e-324],
            "colour": pd.Series([None, "violet", "red"], dtype="str"),
            "city": pd.Series([None, "city 151", ""], dtype="str"),
            "seen": np.array(["NaT", "1815-06-18T11:30", "9999-12-31"], dtype="datetime64[us]"),
            "made": np.array(["NaT", "NaT", "0001-01-01"], dtype="datetime64[us]"),
            "note": pd.Series([None, "", "größe 42"], dtype="str"),
        }
    )


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def refusal(content: bytes, digest: str | None = None) -> str:
    with pytest.raises(UnsafeModelError) as refused:
        models.load(content, sha256(content) if digest is None else digest, "model.skops of version 3 of wine")
    assert refused.value.where == "model.skops of version 3 of wine"
    assert "\n" not in refused.value.message
    return refused.value.message


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def fitted(patch: pytest.MonkeyPatch) -> dict[tuple[str, Task, str], Fitted]:
    """Fit every candidate for every task to every kind of table, with few trees."""
    patch.setattr(candidates, "TREES", 10)
    patch.setattr(candidates, "ITERATIONS", 50)
    patch.setattr(features, "WORDS", 64)
    done = {}
    for candidate, task, kind in CASES:
        df = table(task)[[*TABLES[kind], "target"]]
        schema = infer_schema(df)
        assert (schema.task, schema.features) == (task, TABLES[kind])
        X, y = df[schema.features], target_of(df, schema)
        model = models.fit(candidate.build(Recipe.of(schema, X, y, seed=0)), X, y)
        rows = pd.concat([df[schema.features], unseen_rows()[schema.features]], ignore_index=True)
        done[candidate.name, task, kind] = Fitted(model, skops.io.dumps(model), rows)
    for name, task, kind in BLENDED:
        linear = done["ridge" if task == "regression" else "logistic", task, kind]
        members = {"linear": linear.model, "boosted": done["hist_gradient_boosting", task, kind].model}
        blend = build_blend(members, {"linear": 0.25, "boosted": 0.75}, is_regression=task == "regression")
        df = table(task)
        model = models.fit(blend, df[TABLES[kind]], target_of(df, infer_schema(df)))
        done[name, task, kind] = Fitted(model, skops.io.dumps(model), linear.rows)
    for name, task, kind in FINISHED:
        df = table(task)
        X, y, plain = df[TABLES[kind]], target_of(df, infer_schema(df)), done["logistic", task, kind]
        said = models.predict(plain.model, X)
        model = build_calibrated(plain.model, fit_layer(said, y), X, y)
        if task == "binary":
            model = build_thresholded(model, Threshold("yes", 0.2), X, y)
        done[name, task, kind] = Fitted(model, skops.io.dumps(model), plain.rows)
    return done


@pytest.fixture(scope="module")
def stored(fitted: dict[tuple[str, Task, str], Fitted]) -> Fitted:
    return fitted["logistic", "binary", "mixed"]


# ------------------------------------------------------------------------------------------------------------ the candidates


@pytest.mark.parametrize(
    ("name", "task", "kind"), [*((candidate.name, task, kind) for candidate, task, kind in CASES), *BLENDED, *FINISHED]
)
def test_a_stored_candidate_predicts_bit_by_bit_what_it_did(
    fitted: dict[tuple[str, Task, str], Fitted], name: str, task: Task, kind: str
) -> None:
    case = fitted[name, task, kind]
    before = models.predict(case.model, case.rows)
    after = models.predict(models.load(case.content, sha256(case.content), "model.skops"), case.rows)
    assert after.values.tolist() == before.values.tolist()
    assert after.classes == before.classes
    if task == "regression":
        assert after.proba is before.proba is None
        assert after.values.tobytes() == before.values.tobytes()
        assert np.isfinite(after.values).all()
    else:
        assert before.proba is not None
        assert after.proba is not None
        assert after.proba.tobytes() == before.proba.tobytes()
        assert np.isfinite(after.proba).all()
    assert models.prediction_digest(after) == models.prediction_digest(before)


def test_the_candidates_store_exactly_the_types_that_may_be_loaded(fitted: dict[tuple[str, Task, str], Fitted]) -> None:
    needed = {name for case in fitted.values() for name in skops.io.get_untrusted_types(data=case.content)}
    assert needed == ALLOWED_TYPES


def test_classes_are_told_in_the_order_of_their_probabilities(fitted: dict[tuple[str, Task, str], Fitted]) -> None:
    case = fitted["logistic", "multiclass", "mixed"]
    prediction = models.predict(case.model, case.rows)
    assert prediction.classes == ("high", "low", "middle")
    assert prediction.proba is not None
    assert [prediction.classes[i] for i in prediction.proba.argmax(axis=1)] == prediction.values.tolist()


def test_a_stored_model_says_a_class_from_its_threshold_on(fitted: dict[tuple[str, Task, str], Fitted]) -> None:
    case = fitted["finished", "binary", "mixed"]
    prediction = models.predict(models.load(case.content, sha256(case.content), "model.skops"), case.rows)
    assert ((prediction.values == "yes") == (prediction.of_class("yes") >= 0.2)).all()
    assert ((prediction.of_class("yes") >= 0.2) & (prediction.of_class("yes") < 0.5)).any()
    assert case.model.predict(case.rows).tolist() == prediction.values.tolist()


def test_the_least_change_of_a_prediction_changes_its_digest(fitted: dict[tuple[str, Task, str], Fitted]) -> None:
    case = fitted["ridge", "regression", "mixed"]
    prediction = models.predict(case.model, case.rows)
    before = models.prediction_digest(prediction)
    prediction.values[-1] = np.nextafter(prediction.values[-1], np.inf)
    assert models.prediction_digest(prediction) != before


# ---------------------------------------------------------------------------------------------------------- what is refused


def test_a_flipped_bit_is_refused_wherever_it_is(stored: Fitted) -> None:
    for position in np.linspace(0, len(stored.content) - 1, 50).astype(int):
        flipped = bytearray(stored.content)
        flipped[position] ^= 1
        message = refusal(bytes(flipped), sha256(stored.content))
        expected = (
            f"its bytes are not those that were registered (SHA-256 {sha256(flipped)[:12]}… instead of {sha256(stored.content)[:12]}…)"
        )
        assert message == f"model.skops of version 3 of wine is not loaded: {expected}"


def test_a_file_of_another_model_is_refused(stored: Fitted, fitted: dict[tuple[str, Task, str], Fitted]) -> None:
    assert "not those that were registered" in refusal(fitted["dummy", "binary", "mixed"].content, sha256(stored.content))


def zipped(schema: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("schema.json", schema)
    return content.getvalue()


def with_schema(**changes: object) -> bytes:
    """Give a stored ridge whose schema says something else."""
    schema = json.loads(zipfile.ZipFile(io.BytesIO(skops.io.dumps(Ridge().fit([[1.0], [2.0]], [1.0, 2.0])))).read("schema.json"))
    return zipped(json.dumps({**schema, **changes}))


def with_directory_byte(content: bytes, offset: int, value: int) -> bytes:
    """Give an archive in whose table of contents one byte is another."""
    changed = bytearray(content)
    changed[changed.index(b"PK\x01\x02") + offset] = value
    return bytes(changed)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        skops.io.dumps(Ridge())[:-1],
        zipped(""),
        zipped("[]"),
        zipped("{}"),
        zipped('{"protocol": 99}'),
        zipped("[" * 100_000),
        with_schema(protocol=99),
        with_schema(__loader__="EvilNode"),
        with_schema(__module__="nowhere"),
        with_directory_byte(skops.io.dumps(Ridge()), 6, 92),
        with_directory_byte(skops.io.dumps(Ridge()), 8, 1),
    ],
    ids=[
        "empty",
        "one byte short",
        "schema empty",
        "schema a list",
        "schema without protocol",
        "schema with a protocol alone",
        "schema too deep",
        "protocol unknown",
        "loader unknown",
        "module unknown",
        "version of zip",
        "encrypted",
    ],
)
def test_what_is_no_skops_file_is_refused_even_when_it_was_registered_so(content: bytes) -> None:
    assert refusal(content) == "model.skops of version 3 of wine is not loaded: it is no skops file"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_malicious_file_is_refused_even_when_it_was_registered_so(
    stored: Fitted, tmp_path: Path, kind: Callable[[bytes, Path], bytes]
) -> None:
    content = kind(stored.content, tmp_path / "canary")
    if KINDS[kind]:
        message = refusal(content)
        assert message.startswith("model.skops of version 3 of wine is not loaded: ")
        assert message.endswith(KINDS[kind])
    else:
        assert "not those that were registered" in refusal(content, sha256(stored.content))
    assert not (tmp_path / "canary").exists()


def test_what_a_file_says_to_unpack_to_is_not_kept_in_memory(tmp_path: Path) -> None:
    content = that_unpacks_beyond_measure(b"", tmp_path)
    tracemalloc.start()
    refusal(content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * 2**20


def trusting(content: bytes) -> None:
    """Load, as MLflow does, whatever the file itself says may be loaded."""
    model = skops.io.loads(content, trusted=skops.io.get_untrusted_types(data=content))
    model["model"].func.close()


@pytest.mark.parametrize(
    ("kind", "load"),
    [
        (malice.pickled, pickle.loads),
        (malice.cloudpickled, pickle.loads),
        (malice.joblib_dumped, lambda content: joblib.load(io.BytesIO(content))),
        (malice.with_a_constructor_that_is_called, trusting),
    ],
)
def test_whoever_trusts_a_malicious_file_touches_the_canary(
    tmp_path: Path, kind: Callable[[bytes, Path], bytes], load: Callable[[bytes], object]
) -> None:
    with contextlib.suppress(Exception):
        load(kind(b"", tmp_path / "canary"))
    assert (tmp_path / "canary").exists()


def test_hashes_are_read_as_they_were_stored() -> None:
    content = io.BytesIO()
    np.save(content, np.array([1, 2**64 - 1], dtype=np.uint64))
    hashes = models.load_hashes(content.getvalue(), sha256(content.getvalue()), "fitted_rows.npy")
    assert (hashes.tolist(), hashes.dtype) == ([1, 2**64 - 1], np.uint64)
    with pytest.raises(UnsafeModelError, match="not those that were registered"):
        models.load_hashes(content.getvalue() + b"x", sha256(content.getvalue()), "fitted_rows.npy")


def test_hashes_that_are_pickled_are_not_loaded() -> None:
    pickled = io.BytesIO()
    np.save(pickled, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    for content in (pickled.getvalue(), pickle.dumps([1]), b""):
        with pytest.raises(UnsafeModelError, match=r"^fitted_rows.npy is not loaded: it is no NumPy file of numbers$"):
            models.load_hashes(content, sha256(content), "fitted_rows.npy")


# ------------------------------------------------------------------------------------------------------- the fresh process


def on_disk(folder: Path, case: Fitted) -> tuple[Path, Path]:
    model, rows = folder / "model.skops", folder / "rows.parquet"
    model.write_bytes(case.content)
    case.rows.to_parquet(rows, index=False)
    return model, rows


def test_a_fresh_process_predicts_what_this_one_does(tmp_path: Path, stored: Fitted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sklearn.py").write_text("raise SystemExit('the current folder was imported')\n", encoding="utf-8")
    model, rows = on_disk(tmp_path, stored)
    digest = models.prediction_digest(models.predict(stored.model, stored.rows))
    assert models.smoke_digest(model, sha256(stored.content), rows) == digest


def test_a_file_that_broke_after_it_was_registered_fails_in_the_fresh_process(tmp_path: Path, stored: Fitted) -> None:
    model, rows = on_disk(tmp_path, stored)
    model.write_bytes(stored.content[:-1])
    with pytest.raises(UnsafeModelError) as refused:
        models.smoke_digest(model, sha256(stored.content), rows)
    assert refused.value.message.startswith("the model does not load and predict in a fresh process: ")
    assert "model.skops is not loaded: its bytes are not those that were registered" in refused.value.message
    assert "\n" not in refused.value.message


def test_rows_that_the_model_cannot_predict_fail_in_the_fresh_process(tmp_path: Path, stored: Fitted) -> None:
    model, rows = on_disk(tmp_path, stored)
    stored.rows.drop(columns="size").to_parquet(rows, index=False)
    with pytest.raises(UnsafeModelError, match=r"^the model does not load and predict in a fresh process: ValueError: .*size"):
        models.smoke_digest(model, sha256(stored.content), rows)


def test_a_fresh_process_that_does_not_answer_is_ended_and_told(tmp_path: Path, stored: Fitted) -> None:
    model, rows = on_disk(tmp_path, stored)
    with pytest.raises(UnsafeModelError, match=r"^the model did not load and predict within 0\.1 s in a fresh process$"):
        models.smoke_digest(model, sha256(stored.content), rows, timeout_s=0.1)


def test_threads_that_fit_at_once_in_a_fresh_process_find_scikit_learn_whole() -> None:
    program = """
import numpy as np, pandas as pd
from tasks.adapters import models
from tasks.core.candidates import candidates_for
from tasks.core.recipe import Recipe
from tasks.core.table import Column, Schema
X, y = pd.DataFrame({"a": np.arange(60.0)}), np.arange(60.0)
recipe = Recipe.of(Schema((Column("a", "number", "feature", ""), Column("y", "number", "target", "")), "regression"), X, y, 0)
candidates = candidates_for("regression", ["ridge", "svm", "nearest_neighbours"])
print(len(list(models.side_by_side(lambda c: models.fit(c.build(recipe), X, y), candidates, len(y)))))
"""
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "4\n"), done.stderr
