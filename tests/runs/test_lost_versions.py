"""What becomes of a use case whose versions are lost one after the other: by hand, by damage, by deletion."""

from __future__ import annotations

import hashlib
import socket
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from tasks import cards, standing
from tasks.adapters import home, ledger
from tasks.adapters.tracking import model_registry
from tasks.core.errors import SilentStoreError, StoreError, UnsafeModelError, UsageError
from tasks.core.options import CardOptions, CompareOptions, ExplainOptions, StatusOptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Project

    from tasks.core.champions import Epoch
    from tasks.core.gate import Decision

AGAIN = "train again with `python -m flows.train --use-case pumps --again`"


def train(project: Project, seed: int, **options: object) -> Epoch:
    random = np.random.default_rng(seed)
    X = random.normal(size=(200, 2)).round(6)
    y = (3 * X[:, 0] - 2 * X[:, 1] + random.normal(size=200)).round(6)
    project.write_table("pumps", pd.DataFrame(X, columns=["a", "b"]).assign(y=y))
    project.train(use_case="pumps", **options).state.result()
    return line()[-1]


def valves(project: Project, seed: int) -> Decision:
    random = np.random.default_rng(seed)
    a = random.normal(size=200).round(6)
    project.write_table("valves", pd.DataFrame({"a": a, "y": (a + random.normal(size=200)).round(6)}))
    return project.train(use_case="valves").report.decision


def test_what_waits_for_a_person_is_named_by_whoever_meets_it(project: Project) -> None:
    gate = {"tolerance": 0.5}
    project.write_use_case("valves", data="valves.csv", candidates=["ridge"], gate={**gate, "approval": True})
    assert valves(project, 0).code == "awaiting_approval"
    first = "version 1 waits for a person: `python -m flows.promote 1 --use-case valves --because TEXT`"
    with pytest.raises(UsageError) as refused:
        project.score(use_case="valves", data="valves.csv").state.result()
    assert refused.value.message == f"use case 'valves' has no champion; {first}, or name a version"
    project.decide("promote", use_case="valves", because="it is fine").state.result()
    project.write_use_case("valves", data="valves.csv", candidates=["ridge"], gate=gate)
    assert valves(project, 1).verdict == "promoted"
    project.decide("rollback", use_case="valves", because="the plant was rebuilt").state.result()
    assert valves(project, 2).code == "hold"
    (told,) = standing.status(StatusOptions(use_case="valves"))
    assert [waiting.version for waiting in told.waiting] == [3]
    promote = "`python -m flows.promote 3 --use-case valves --because TEXT`"
    released = project.decide("rollback", use_case="valves", release=True).state.result()
    assert released.note == f"version 3 passed meanwhile and still waits: {promote}, or train on newer rows"
    assert f"those of version 3, which passed and waits for a person: {promote}; --again" in valves(project, 2).reason


def line() -> list[Epoch]:
    return ledger.line_of_champions(home.settings().ledger_address, "pumps")


def model_of(epoch: Epoch) -> Path:
    files = home.settings().home.rglob("model.skops")
    return next(path for path in files if hashlib.sha256(path.read_bytes()).hexdigest() == epoch.manifest["model.skops"])


def delete(number: int) -> None:
    import mlflow

    mlflow.MlflowClient().delete_model_version("pumps", str(number))


def score_refusal(project: Project) -> str:
    with pytest.raises((StoreError, UnsafeModelError)) as refused:
        project.score(use_case="pumps", data="pumps.csv").state.result()
    return refused.value.message


@pytest.fixture(scope="module")
def models(project: Project) -> list[Path]:
    """Three champions, and the files of their models."""
    project.write_use_case("pumps", data="pumps.csv", candidates=["ridge"], gate={"tolerance": 0.5})
    return [model_of(train(project, seed)) for seed in range(3)]


@pytest.mark.usefixtures("models")
def test_explain_compare_and_card_let_an_alias_that_was_moved_follow_the_ledger_again() -> None:
    for ask in (
        lambda: standing.explain(ExplainOptions(use_case="pumps")),
        lambda: standing.compare(CompareOptions(use_case="pumps", versions=(1, 2))),
        lambda: cards.card(CardOptions(use_case="pumps")),
    ):
        model_registry.set_alias("pumps", "champion", 1)
        list(ask())
        assert model_registry.aliases("pumps")["champion"] == 3


def test_bytes_that_were_swapped_are_told_by_explain_and_refused_by_compare_and_card(models: list[Path]) -> None:
    content = models[1].read_bytes()
    models[1].write_bytes(models[2].read_bytes())
    (told,) = standing.explain(ExplainOptions(use_case="pumps", version=2))
    assert "BROKEN      model.skops of version 2 of pumps " in told.as_text()
    for ask in (
        lambda: standing.compare(CompareOptions(use_case="pumps", versions=(1, 2))),
        lambda: cards.card(CardOptions(use_case="pumps", version=2)),
    ):
        with pytest.raises(UnsafeModelError, match=r"model\.skops of version 2 of pumps"):
            list(ask())
    models[1].write_bytes(content)


@pytest.mark.usefixtures("models")
def test_a_former_champion_that_was_deleted_is_a_warning_and_nobody_is_sent_back_to_it(project: Project, models: list[Path]) -> None:
    delete(2)
    (told,) = standing.doctor(StatusOptions(use_case="pumps"))
    gone = "version 2 of pumps was champion once, and is gone from the registry"
    assert (told.problems, told.warnings) == ((), (f"{gone}: nobody can go back to it, compare with it or fit it again",))
    with pytest.raises(StoreError) as refused:
        project.decide("rollback", use_case="pumps", because="the plant was rebuilt").state.result()
    message = "version 2 of pumps, which was champion once, is gone from the registry; version 1 is whole: name that one"
    assert refused.value.message == message
    models[2].unlink()
    advice = "go back to version 1 with `python -m flows.rollback 1 --use-case pumps --because TEXT`"
    assert score_refusal(project).endswith(f"; {advice}")
    (told,) = standing.status(StatusOptions(use_case="pumps"))
    assert told.problems[0].endswith(f"; {advice}")
    project.decide("rollback", use_case="pumps", version=1, because="the plant was rebuilt").state.result()
    assert line()[-1].version == 1


@pytest.mark.usefixtures("models")
def test_while_the_store_of_artifacts_does_not_answer_nobody_begins_anew(project: Project) -> None:
    before = line()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with artifacts_at(f"http://127.0.0.1:{port}/api/2.0/mlflow-artifacts/artifacts/gone"):
        with pytest.raises(SilentStoreError, match=r"cannot be fetched, for its store does not answer: .*, and run again$") as refused:
            train(project, 8, again=True)
        (told,) = standing.status(StatusOptions(use_case="pumps"))
    assert "--again" not in refused.value.message + "".join(told.problems)
    assert line() == before


@contextmanager
def artifacts_at(address: str) -> Iterator[None]:
    """Let MLflow look for the files of all models elsewhere."""
    with closing(sqlite3.connect(home.settings().home / "mlflow.db")) as database:
        known = database.execute("SELECT storage_location, name, version FROM model_versions").fetchall()
        with database:
            database.execute("UPDATE model_versions SET storage_location = ?", (address,))
        yield
        with database:
            database.executemany("UPDATE model_versions SET storage_location = ? WHERE name = ? AND version = ?", known)


@pytest.mark.usefixtures("models")
def test_where_no_version_is_whole_only_a_person_begins_anew_and_that_works(project: Project, models: list[Path]) -> None:
    models[0].write_bytes(models[0].read_bytes()[:99])
    assert score_refusal(project).endswith(f"; no other version is whole, so restore it from a backup, or {AGAIN}")
    judged = models[0].parent / "extra_files" / "judged.skops"
    content = judged.read_bytes()
    judged.write_bytes(content[:99])
    with pytest.raises(UnsafeModelError):
        train(project, 7)
    judged.write_bytes(content)
    project.decide("rollback", use_case="pumps", release=True).state.result()
    champion = train(project, 0, again=True)  # it predicts what the lost one did
    assert (champion.epoch, champion.version, champion.code) == (5, 4, "first_champion")
    assert champion.reason.startswith("no version before it can be loaded any more; loss")
    assert project.score(use_case="pumps", data="pumps.csv").state.result().version == 4
