from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version as installed
from typing import TYPE_CHECKING

import mlflow
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline

from tasks.adapters import home, models, tracking
from tasks.adapters.tracking import model_files, model_registry, runs
from tasks.core.champions import FITTED_ROWS_FILE, JUDGED_FILE, MANIFEST_FILES, SHIPPED_FILE, Attempt, NamedRows
from tasks.core.errors import SilentStoreError, StoreError
from tasks.core.metrics import Prediction
from tests.receivers import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

ATTEMPT = Attempt(snapshot="a" * 64, configuration="b" * 64, columns="c" * 64, target="price", task="regression")
ROWS = pd.DataFrame({"size": [1.0, 2.0, 3.0, 4.0]})
FITTED_ROWS = np.array([3, 7, 2**64 - 1], dtype=np.uint64)
# A training run that is killed between the artifact and the version.
KILLED_RUN = """
import sys, time
import numpy as np, pandas as pd
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from tasks.adapters import home, models
from tasks.adapters.tracking import model_files, runs
rows = pd.DataFrame({"size": [1.0, 2.0]})
model = Pipeline([("model", Ridge())]).fit(rows, [1.0, 2.0])
with runs.run(sys.argv[1], "train-killed-00000000", home.owner(), {}) as run_id:
    model_files.log_models(model, model, np.array([1], dtype="uint64"), rows, models.predict(model, rows))
    print(run_id, flush=True)
    time.sleep(600)
"""


@dataclass(frozen=True)
class Store:
    """A home with an MLflow store in it."""

    home: Path
    here: Path

    @property
    def artifacts(self) -> str:
        return (self.home / "artifacts").as_uri()


@dataclass(frozen=True)
class Logged:
    """A finished run with a shipped and a judged fit."""

    run_id: str
    model_id: str
    shipped: Pipeline
    judged: Pipeline


def killed_while_it_creates(path: Path) -> None:
    program = "import sys; from pathlib import Path; from tasks.adapters import tracking; tracking.create_sqlite_store(Path(sys.argv[1]))"
    new = path.with_suffix(".new")
    with subprocess.Popen([sys.executable, "-c", program, str(path)]) as process:
        while not (new.exists() and new.stat().st_size):
            assert process.poll() is None
            time.sleep(0.005)
        process.kill()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Generator[Store]:
    """Create a store where another process was killed creating it, in a folder with an awkward name that is not the current one."""
    folder, here = tmp_path_factory.mktemp("my höme, 100 %"), tmp_path_factory.mktemp("here")
    path = folder / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
        patch.chdir(here)
        killed_while_it_creates(path)
        assert not path.exists()
        assert path.with_suffix(".new").exists()
        tracking.create_sqlite_store(path)
        assert [file.name for file in folder.iterdir()] == ["mlflow.db"]
        home.switch_to_wal(path)
        yield Store(folder, here)


@pytest.fixture
def client(store: Store) -> mlflow.MlflowClient:
    return mlflow.MlflowClient()


@pytest.fixture(scope="module")
def logged(store: Store) -> Logged:
    judged = Pipeline([("model", Ridge(alpha=1.0))]).fit(ROWS, [1.0, 2.0, 3.0, 5.0])
    shipped = Pipeline([("model", Ridge(alpha=0.1))]).fit(ROWS, [1.0, 2.0, 3.0, 5.0])
    experiment = runs.ensure_experiment("logged", store.artifacts)
    with runs.run(experiment, "train-logged-aaaaaaaa", home.owner(), {"task": "regression", "seed": "0"}) as run_id:
        runs.log_dataset("logged", "sklearn:diabetes", "a" * 64)
        runs.log_metrics({"rmse": 1.5, "r2": float("nan"), "spread": float("inf")})
        runs.log_text("<p>ü</p>", "reports/train.html")
        runs.tag_run(runs.WARNINGS_TAG, "few_rows")
        model_id = model_files.log_models(shipped, judged, FITTED_ROWS, ROWS, models.predict(judged, ROWS))
    return Logged(run_id, model_id, shipped, judged)


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(StoreError) as refused:
        call()
    assert "\n" not in refused.value.message
    return refused.value.message


# ------------------------------------------------------------------------------------------------------- store, experiment


def test_an_experiment_is_made_once_with_its_artifacts_in_the_home(store: Store, client: mlflow.MlflowClient) -> None:
    first = runs.ensure_experiment("houses", store.artifacts)
    assert runs.ensure_experiment("houses", "file:///elsewhere") == first
    assert client.get_experiment(first).artifact_location == f"{store.artifacts}/houses"


def test_artifacts_that_cannot_be_reached_are_told_before_anything_is_fitted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nobody", "AWS_MAX_ATTEMPTS": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", "http://127.0.0.1:9")
    message = refusal(lambda: runs.ensure_experiment("remote", "s3://nowhere"))
    assert message.startswith("the artifacts at s3://nowhere cannot be reached: ")
    assert mlflow.get_experiment_by_name("remote") is None


def test_a_deleted_experiment_is_told_with_the_command_that_restores_it(store: Store, client: mlflow.MlflowClient) -> None:
    experiment = runs.ensure_experiment("deleted", store.artifacts)
    client.delete_experiment(experiment)
    message = refusal(lambda: runs.ensure_experiment("deleted", store.artifacts))
    assert message == (
        f"the MLflow experiment 'deleted' was deleted; bring it back with `mlflow experiments restore --experiment-id {experiment}`,"
        " or use another name with --use-case"
    )
    client.restore_experiment(experiment)
    assert runs.ensure_experiment("deleted", store.artifacts) == experiment


def test_a_store_that_cannot_be_used_is_told_in_one_sentence(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mlflow.db").write_text("no database\n" * 100, encoding="utf-8")
    for address, reason in (
        (f"sqlite:///{tmp_path}/mlflow.db", "file is not a database"),
        ("nonsense://host", "unsupported URI 'nonsense://host'"),
    ):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        message = refusal(lambda: runs.ensure_experiment("houses", store.artifacts))
        assert message.startswith("MLflow does not find or create the experiment 'houses': ")
        assert reason in message


# -------------------------------------------------------------------------------------------------------------------- runs


def test_a_run_ends_as_finished_with_what_it_was_given(logged: Logged, client: mlflow.MlflowClient) -> None:
    run = client.get_run(logged.run_id)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "train-logged-aaaaaaaa"
    assert run.data.params == {"task": "regression", "seed": "0"}
    assert run.data.tags[runs.OWNER_TAG] == home.owner()


def test_a_run_names_its_dataset(logged: Logged, client: mlflow.MlflowClient) -> None:
    (used,) = client.get_run(logged.run_id).inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("logged", "a" * 32)
    assert "sklearn:diabetes" in used.dataset.source
    assert [tag.value for tag in used.tags] == ["training"]


def test_figures_that_are_no_numbers_are_left_out(logged: Logged, client: mlflow.MlflowClient) -> None:
    assert client.get_run(logged.run_id).data.metrics == {"rmse": 1.5}


@pytest.mark.parametrize("raised", [ValueError, KeyboardInterrupt])
def test_a_run_in_which_something_is_raised_ends_as_failed(store: Store, client: mlflow.MlflowClient, raised: type[BaseException]) -> None:
    experiment = runs.ensure_experiment("failing", store.artifacts)
    with pytest.raises(raised), runs.run(experiment, f"train-failing-{raised.__name__}", home.owner(), {}) as run_id:
        raise raised
    assert client.get_run(run_id).info.status == "FAILED"
    assert mlflow.active_run() is None


def test_a_run_keeps_its_texts_and_tags(logged: Logged, client: mlflow.MlflowClient) -> None:
    assert runs.text_of(logged.run_id, "reports/train.html") == "<p>ü</p>"
    assert runs.text_of(logged.run_id, "explanation.json") == ""
    assert runs.text_of("no such run", "explanation.json") == ""
    assert client.get_run(logged.run_id).data.tags[runs.WARNINGS_TAG] == "few_rows"


def test_artifacts_never_land_in_the_current_folder(store: Store, logged: Logged) -> None:
    assert list(store.here.iterdir()) == []
    artifacts = store.home / "artifacts/logged"
    assert (artifacts / logged.run_id / "artifacts/reports/train.html").read_text(encoding="utf-8") == "<p>ü</p>"
    assert (artifacts / "models" / logged.model_id / "artifacts" / SHIPPED_FILE).is_file()


# ---------------------------------------------------------------------------------------------------------------- versions


def test_a_version_comes_back_as_it_was_registered(logged: Logged) -> None:
    registered = model_registry.register("register", logged.model_id, ATTEMPT, 0.1 + 0.2)
    assert (registered.number, registered.run_id, registered.attempt, registered.spread) == (1, logged.run_id, ATTEMPT, 0.1 + 0.2)
    assert type(registered.number) is int
    assert model_registry.newest_version("register") == registered
    assert model_registry.get_version("register", 1) == registered


def test_the_manifest_holds_the_digest_of_every_file(logged: Logged) -> None:
    registered = model_registry.register("manifest", logged.model_id, ATTEMPT, None)
    assert set(registered.manifest) == set(MANIFEST_FILES)
    for file, sha256 in registered.manifest.items():
        assert hashlib.sha256(model_files.fetch("manifest", 1, file)).hexdigest() == sha256
    assert registered.spread is None


def test_what_is_fetched_is_what_was_fitted(logged: Logged) -> None:
    registered = model_registry.register("fetched", logged.model_id, ATTEMPT, None)
    for file, fitted in ((SHIPPED_FILE, logged.shipped), (JUDGED_FILE, logged.judged)):
        loaded = models.load(model_files.fetch("fetched", 1, file), registered.manifest[file], file)
        assert loaded.predict(ROWS).tobytes() == fitted.predict(ROWS).tobytes()
    hashes = models.load_hashes(model_files.fetch("fetched", 1, FITTED_ROWS_FILE), registered.manifest[FITTED_ROWS_FILE], "hashes")
    assert hashes.tolist() == sorted(FITTED_ROWS.tolist())


def test_a_model_that_is_logged_for_a_classifier_has_a_signature(store: Store) -> None:
    experiment = runs.ensure_experiment("signature", store.artifacts)
    labels = np.array(["no", "no", "yes", "yes"])
    shipped = Pipeline([("model", Ridge())]).fit(ROWS, [0.0, 0.0, 1.0, 1.0])
    with runs.run(experiment, "train-signature-00000000", home.owner(), {}):
        model_id = model_files.log_models(shipped, shipped, FITTED_ROWS, ROWS, Prediction(labels, np.full((4, 2), 0.5), ("no", "yes")))
    signature = mlflow.models.get_model_info(f"models:/{model_id}").signature
    assert signature is not None
    assert signature.inputs.to_dict() == [{"type": "double", "name": "size", "required": True}]
    assert [output["type"] for output in signature.outputs.to_dict()] in (["string"], ["tensor"])


def test_requirements_are_explicit_and_those_of_this_environment(logged: Logged) -> None:
    assert model_files.requirements() == [f"{name}=={installed(name)}" for name in ("scikit-learn", "skops", "numpy", "pandas", "scipy")]
    model_registry.register("required", logged.model_id, ATTEMPT, None)
    stored = model_files.fetch("required", 1, "requirements.txt").decode().split()
    assert stored == [f"mlflow=={installed('mlflow')}", *model_files.requirements()]


def test_the_newest_version_is_the_last_by_number(logged: Logged, client: mlflow.MlflowClient) -> None:
    model_registry.register("many", logged.model_id, ATTEMPT, None)
    tags = client.get_model_version("many", "1").tags
    for _ in range(10):
        client.create_model_version("many", f"models:/{logged.model_id}", logged.run_id, tags)
    newest = model_registry.newest_version("many")
    assert newest is not None
    assert newest.number == 11


def test_a_decision_stands_on_its_version(logged: Logged) -> None:
    registered = model_registry.register("decided", logged.model_id, ATTEMPT, None)
    assert registered.decision == ""
    assert not registered.answers(ATTEMPT)
    model_registry.tag_decision("decided", 1, "not_worse", "loss −2 % against the champion's")
    decided = model_registry.newest_version("decided")
    assert decided == replace(registered, decision="not_worse")
    assert decided.answers(ATTEMPT)


def test_what_nobody_has_registered_is_not_found() -> None:
    assert model_registry.newest_version("unheard-of") is None
    assert model_registry.get_version("unheard-of", 1) is None
    assert model_registry.aliases("unheard-of") == {}


def test_a_version_that_somebody_else_registered_is_told_in_one_sentence(logged: Logged, client: mlflow.MlflowClient) -> None:
    client.create_registered_model("foreign")
    client.create_model_version("foreign", f"models:/{logged.model_id}", logged.run_id)
    told = "version 1 of 'foreign' was not registered by Evergreen; use another name with --use-case"
    assert refusal(lambda: model_registry.newest_version("foreign")) == told
    for tag, value in ((model_registry.ATTEMPT_TAG, '{"rows": 5}'), (model_registry.ATTEMPT_TAG, "?"), (model_registry.ATTEMPT_TAG, "[]")):
        client.set_model_version_tag("foreign", "1", tag, value)
        assert refusal(lambda: model_registry.get_version("foreign", 1)) == told


def test_versions_of_somebody_else_beside_ours_are_listed_apart(logged: Logged, client: mlflow.MlflowClient) -> None:
    model_registry.register("shared", logged.model_id, ATTEMPT, None)
    client.create_model_version("shared", f"models:/{logged.model_id}", logged.run_id)
    assert model_registry.foreign_versions("shared") == [2]
    assert [version.number for version in model_registry.versions("shared")] == [1]
    newest = model_registry.newest_version("shared")
    assert newest is not None
    assert newest.number == 1


def test_every_version_of_ours_names_its_rows(logged: Logged, client: mlflow.MlflowClient) -> None:
    for damaged in client.search_registered_models("name = 'foreign'"):
        client.delete_registered_model(damaged.name)
    client.create_registered_model("of others")
    client.create_model_version("of others", "file:///elsewhere")
    for lake in ("", '{"use_case": "naming"}'):
        model_registry.register("naming", logged.model_id, ATTEMPT, None, lake)
    found = [rows for rows in model_registry.named_rows(page_versions=1) if rows.use_case in ("naming", "of others")]
    assert sorted(found, key=lambda rows: rows.version) == [
        NamedRows("naming", 1, ATTEMPT.snapshot, ""),
        NamedRows("naming", 2, ATTEMPT.snapshot, '{"use_case": "naming"}'),
    ]
    client.set_model_version_tag("naming", "1", model_registry.ATTEMPT_TAG, "[]")
    assert refusal(lambda: list(model_registry.named_rows())).startswith("version 1 of 'naming' was not registered by Evergreen")
    client.delete_registered_model("naming")


def test_a_file_that_is_missing_is_told_in_one_sentence(store: Store, logged: Logged) -> None:
    model_registry.register("missing", logged.model_id, ATTEMPT, None)
    told = refusal(lambda: model_files.fetch("missing", 1, "nothing.txt"))
    assert told.startswith("models:/missing/1/nothing.txt cannot be fetched from the registry: ")
    assert told.endswith("No such artifact: 'nothing.txt'")
    away = [model.rename(model.with_suffix(".away")) for model in store.home.rglob("model.skops")]
    told = refusal(lambda: model_files.fetch("missing", 1, SHIPPED_FILE))
    for model in away:
        model.rename(model.with_suffix(".skops"))
    assert told.endswith("No such artifact: 'model.skops'")
    assert "version=7) not found" in refusal(lambda: model_files.fetch("missing", 7, SHIPPED_FILE))
    assert list(store.here.iterdir()) == []


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(("status", "is_silent"), [(200, False), (403, True), (500, True), (None, True)])
def test_a_store_that_does_not_answer_is_told_from_one_that_says_that_a_file_is_gone(
    status: int | None, monkeypatch: pytest.MonkeyPatch, *, is_silent: bool
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with artifact_store(status or 200) as port:
        address = f"http://127.0.0.1:{port}/api/2.0/mlflow-artifacts/artifacts/models"
        told = silence(address) if status else None
    assert (told if status else silence(address)) is is_silent


@pytest.mark.usefixtures("store")
def test_a_folder_that_may_not_be_entered_does_not_pass_for_one_that_is_gone(tmp_path: Path) -> None:
    (tmp_path / "models").symlink_to("models")  # root may enter all others
    assert silence(f"{tmp_path.as_uri()}/models")
    (tmp_path / "models").unlink()
    assert not silence(f"{tmp_path.as_uri()}/models")


@contextmanager
def artifact_store(status: int) -> Generator[int]:
    """Serve MLflow's protocol for artifacts of a store that is empty, or answers with an error alone."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_listing = "?path=" in self.path
            self.send_response(404 if status == 200 and not is_listing else status)
            self.end_headers()
            self.wfile.write(b'{"files": []}')

        def log_message(self, *_: object) -> None:
            pass

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield port


def silence(address: str) -> bool:
    client = mlflow.MlflowClient()
    client.create_registered_model("distant")
    client.create_model_version("distant", address)
    with pytest.raises(StoreError) as refused:
        model_files.fetch("distant", 1, SHIPPED_FILE)
    client.delete_registered_model("distant")
    return isinstance(refused.value, SilentStoreError)


# ----------------------------------------------------------------------------------------------------------------- aliases


def test_aliases_point_at_versions_by_their_numbers(logged: Logged) -> None:
    model_registry.register("aliased", logged.model_id, ATTEMPT, None)
    model_registry.register("aliased", logged.model_id, ATTEMPT, None)
    model_registry.set_alias("aliased", "champion", 1)
    assert model_registry.aliases("aliased") == {"challenger": 2, "champion": 1}
    assert {type(number) for number in model_registry.aliases("aliased").values()} == {int}
    model_registry.set_alias("aliased", "champion", 2)
    assert model_registry.aliases("aliased") == {"challenger": 2, "champion": 2}


def test_an_alias_of_what_is_not_there_is_told_in_one_sentence(logged: Logged) -> None:
    model_registry.register("unaliased", logged.model_id, ATTEMPT, None)
    message = refusal(lambda: model_registry.set_alias("unaliased", "champion", 9))
    assert message.startswith("MLflow does not set the alias 'champion' of unaliased to version 9: ")
    assert "unheard-of" in refusal(lambda: model_registry.set_alias("unheard-of", "champion", 1))


def test_writers_that_race_for_a_new_alias_all_succeed(logged: Logged) -> None:
    for _ in range(2):
        model_registry.register("raced", logged.model_id, ATTEMPT, None)
    failures: list[StoreError] = []
    start = threading.Barrier(8)

    def write(number: int) -> None:
        start.wait()
        try:
            for alias in ("champion", "previous", "third"):
                model_registry.set_alias("raced", alias, number)
        except StoreError as error:
            failures.append(error)

    writers = [threading.Thread(target=write, args=(1 + i % 2,)) for i in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failures == []
    assert set(model_registry.aliases("raced")) == {"challenger", "champion", "previous", "third"}


# ------------------------------------------------------------------------------------------------------- what is left over


@pytest.fixture(scope="module")
def killed(store: Store) -> tuple[str, str, str]:
    """Kill a process in the middle of its run; gives the experiment, the run, and what it said of itself while it lived."""
    experiment = runs.ensure_experiment("killed", store.artifacts)
    with subprocess.Popen([sys.executable, "-c", KILLED_RUN, experiment], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        run_id = process.stdout.readline().strip()
        assert runs.close_dead_runs(experiment, home.is_dead) == 0
        process.kill()
    return experiment, run_id, mlflow.MlflowClient().get_run(run_id).data.tags[runs.OWNER_TAG]


def test_the_run_of_a_killed_process_is_closed_and_its_model_removed(client: mlflow.MlflowClient, killed: tuple[str, str, str]) -> None:
    experiment, run_id, _ = killed
    assert client.get_run(run_id).info.status == "RUNNING"
    assert len(client.search_logged_models([experiment])) == 1
    assert runs.dead_runs("killed", home.is_dead) == [run_id]
    assert runs.close_dead_runs(experiment, home.is_dead) == 1
    assert runs.dead_runs("killed", home.is_dead) == runs.dead_runs("unheard-of", home.is_dead) == []
    assert client.get_run(run_id).info.status == "KILLED"
    assert client.search_logged_models([experiment]) == []
    assert runs.close_dead_runs(experiment, home.is_dead) == 0


def test_the_model_of_a_killed_run_stays_when_it_is_a_version(
    store: Store, client: mlflow.MlflowClient, killed: tuple[str, str, str]
) -> None:
    experiment = runs.ensure_experiment("killed-late", store.artifacts)
    model = Pipeline([("model", Ridge())]).fit(ROWS, [1.0, 2.0, 3.0, 5.0])
    with runs.run(experiment, "train-killed-late-00000000", killed[2], {}) as run_id:
        model_id = model_files.log_models(model, model, FITTED_ROWS, ROWS, models.predict(model, ROWS))
        model_registry.register("killed-late", model_id, ATTEMPT, None)
    client.update_run(run_id, status="RUNNING")
    assert runs.close_dead_runs(experiment, home.is_dead) == 1
    assert client.get_run(run_id).info.status == "KILLED"
    assert [logged.model_id for logged in client.search_logged_models([experiment])] == [model_id]
    assert model_files.fetch("killed-late", 1, SHIPPED_FILE)


def test_a_run_that_somebody_else_has_open_stays_open(store: Store, client: mlflow.MlflowClient) -> None:
    experiment = runs.ensure_experiment("open", store.artifacts)
    open_runs = [
        client.create_run(experiment).info.run_id,
        client.create_run(experiment, tags={runs.OWNER_TAG: "elsewhere:1:0.0"}).info.run_id,
    ]
    assert runs.close_dead_runs(experiment, home.is_dead) == 0
    assert {client.get_run(run_id).info.status for run_id in open_runs} == {"RUNNING"}


def test_a_registered_model_without_versions_is_removed_and_no_other(logged: Logged, client: mlflow.MlflowClient) -> None:
    client.create_registered_model("empty")
    model_registry.register("filled", logged.model_id, ATTEMPT, None)
    for name in ("empty", "filled", "unheard-of"):
        model_registry.remove_empty_model(name)
    assert [found.name for found in client.search_registered_models("name = 'empty'")] == []
    assert model_registry.newest_version("filled") is not None
