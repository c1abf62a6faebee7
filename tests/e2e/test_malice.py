"""Models that nobody should load, as champions behind our back: no door loads them, and each says how to go on."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from mlflow import MlflowClient

from tasks.adapters.tracking.model_registry import MANIFEST_TAG
from tasks.core.champions import JUDGED_FILE, SHIPPED_FILE
from tests import malice
from tests.houses import copy_home
from tests.invariants import check, path_of

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conftest import Clerk, Desk

pytestmark = pytest.mark.fault
SCORE = ("score", "houses.csv", "--use-case", "houses", "--json")
WHY = ("--use-case", "houses", "--because", "the champion is broken")
TOLD = "unsafe model: "
GO_BACK = "go back to version 1 with `python -m flows.rollback 1 --use-case houses --because TEXT`"


@dataclass(frozen=True)
class Siege:
    """A use case whose champion, version 2, somebody attacks who may write into the registry."""

    clerk: Clerk
    client: MlflowClient

    @staticmethod
    def of(clerk: Clerk) -> Siege:
        return Siege(clerk, MlflowClient(f"sqlite:///{clerk.desk.home / 'mlflow.db'}"))

    @property
    def canary(self) -> Path:
        return self.clerk.desk.folder / "canary"

    @property
    def folder(self) -> Path:
        """Give the folder of the champion's files."""
        return path_of(self.client.get_model_version_download_uri("houses", "2"))

    def forge(self, version: str, folder: Path, source: str = "2") -> None:
        """Let a version say what version 2 says of itself, and that the files in a folder are those that were registered."""
        tags = self.client.get_model_version("houses", source).tags
        found = {file: folder / file for file in json.loads(tags[MANIFEST_TAG])}
        manifest = {file: hashlib.sha256(path.read_bytes()).hexdigest() for file, path in found.items() if path.exists()}
        for tag, value in {**tags, MANIFEST_TAG: json.dumps(manifest)}.items():
            self.client.set_model_version_tag("houses", version, tag, value)

    def register(self, write: Callable[[Path], object]) -> str:
        """Register a changed copy of the champion's folder as the next version, and as champion."""
        folder = shutil.copytree(self.folder, self.clerk.desk.folder / "made", dirs_exist_ok=True)
        write(folder)
        version = self.client.create_model_version("houses", folder.as_uri(), self.client.get_model_version("houses", "2").run_id)
        self.client.set_registered_model_alias("houses", "champion", str(version.version))
        return str(version.version)

    def ask(self, *call: str) -> tuple[int, str, str]:
        """Give the exit code, what was answered, and the last line of what was told."""
        done: subprocess.CompletedProcess[str] = self.clerk.run(*call)
        assert not self.canary.exists(), call
        return done.returncode, done.stdout, (done.stderr.splitlines() or [""])[-1]

    def alias(self) -> int:
        return int(self.client.get_registered_model("houses").aliases["champion"])


@pytest.fixture(scope="module")
def siege(module_desk: Desk, clerk_at: Callable[[Desk], Clerk], two_champions: Desk) -> Siege:
    copy_home(two_champions.folder, module_desk.folder)
    return Siege.of(clerk_at(module_desk))


@pytest.fixture
def restored(siege: Siege) -> Iterator[Siege]:
    """Give the siege, and put the champion's files back when it is over."""
    good = {path: path.read_bytes() for path in siege.folder.rglob("*") if path.is_file()}
    tags = siege.client.get_model_version("houses", "2").tags
    yield siege
    for path, content in good.items():
        path.write_bytes(content)
    for tag, value in tags.items():
        siege.client.set_model_version_tag("houses", "2", tag, value)
    shutil.rmtree(siege.clerk.desk.folder / "made", ignore_errors=True)
    for version in siege.client.search_model_versions("name = 'houses'"):
        if int(version.version) > 2:
            siege.client.delete_model_version("houses", version.version)


@pytest.mark.parametrize("kind", malice.KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.usefixtures("trial")
def test_a_malicious_file_in_the_place_of_the_champions_is_loaded_by_nobody(restored: Siege, kind: Callable[[bytes, Path], bytes]) -> None:
    siege, file = restored, restored.folder / SHIPPED_FILE
    file.write_bytes(kind(file.read_bytes(), siege.canary))
    siege.forge("2", siege.folder)
    code, answer, _ = siege.ask("doctor", "--use-case", "houses", "--json")
    broken, rewritten = json.loads(answer.splitlines()[0])["problems"]
    assert (code, rewritten.partition(";")[0]) == (1, "the tag evergreen.manifest of version 2 of houses was rewritten")
    assert broken.startswith("model.skops of version 2 of houses is not loaded: its bytes are not those that were registered (SHA-256 ")
    assert broken.endswith(GO_BACK)
    code, answer, told = siege.ask(*SCORE)
    assert (code, json.loads(answer)["error"]["message"], told) == (1, broken, TOLD + broken)


@pytest.mark.usefixtures("trial")
def test_a_forged_version_that_is_aliased_is_not_the_champion_and_nobody_vouches_for_it(restored: Siege) -> None:
    siege = restored
    forged = siege.register(lambda folder: (folder / SHIPPED_FILE).write_bytes(malice.that_is_another_valid_model(b"", siege.canary)))
    siege.forge(forged, siege.clerk.desk.folder / "made")
    code, answer, _ = siege.ask("doctor", "--use-case", "houses")
    assert (code, f"the alias champion points at version {forged}, and the ledger says version 2; " in answer) == (1, True)
    told = f"version {forged} of houses never came before the gate, so nobody vouches for its files"
    assert siege.ask(*SCORE[:-1], "--version", forged) == (1, "", TOLD + told)
    code, answer, _ = siege.ask(*SCORE)
    assert (code, json.loads(answer)["version"], siege.alias()) == (0, 2, 2)


@pytest.mark.parametrize("write", malice.FOLDERS)
@pytest.mark.usefixtures("trial")
def test_a_model_of_another_kind_that_is_aliased_is_loaded_by_nobody(restored: Siege, write: Callable[[Path, Path], None]) -> None:
    siege = restored
    foreign = siege.register(lambda folder: write(folder, siege.canary))
    code, answer, _ = siege.ask("doctor", "--use-case", "houses", "--json")
    assert (code, json.loads(answer.splitlines()[0])["problems"][1:]) == (
        1,
        [f"version {foreign} of houses was not registered by Evergreen, which never loads it; delete it in MLflow"],
    )
    code, answer, _ = siege.ask(*SCORE)
    assert (code, json.loads(answer)["version"], siege.alias()) == (0, 2, 2)
    code, _, told = siege.ask(*SCORE, "--version", foreign)
    assert (code, told) == (1, f"store: version {foreign} of 'houses' was not registered by Evergreen; use another name with --use-case")


def test_doctor_also_looks_at_the_files_of_earlier_champions(siege: Siege) -> None:
    file = path_of(siege.client.get_model_version_download_uri("houses", "1")) / JUDGED_FILE
    good = file.read_bytes()
    file.write_bytes(good[:-1])
    code, answer, _ = siege.ask("doctor", "--use-case", "houses", "--json")
    file.write_bytes(good)
    (problem,) = json.loads(answer.splitlines()[0])["problems"]
    assert code == 1
    assert problem.startswith(
        "extra_files/judged.skops of version 1 of houses is not loaded: its bytes are not those that were registered ("
    )
    assert problem.endswith("; restore it from a backup")


JUDGES = (("train", "--use-case", "houses", "--again"), ("promote", "1", *WHY))
DOCTOR = ("doctor", "--use-case", "houses")


@pytest.mark.parametrize(
    ("file", "doors"),
    [(SHIPPED_FILE, (SCORE, DOCTOR)), (JUDGED_FILE, (*JUDGES, DOCTOR)), ("", (*JUDGES, SCORE, DOCTOR))],
    ids=["shipped", "judged", "deleted"],
)
@pytest.mark.usefixtures("trial")
def test_whoever_needs_a_broken_champion_says_how_to_go_back_and_going_back_works(
    heir: Clerk, file: str, doors: tuple[tuple[str, ...], ...]
) -> None:
    siege = Siege.of(heir)
    if file:
        (siege.folder / file).write_bytes(malice.pickled(b"", siege.canary))
    else:
        siege.client.delete_model_version("houses", "2")
    for door in doors:
        code, answer, told = siege.ask(*door)
        assert (code, GO_BACK in answer + told) == (1, True), (door, answer, told)
    code, answer, _ = siege.ask("status", "--use-case", "houses")
    assert (code, GO_BACK in answer) == (0, True)
    assert siege.ask("rollback", *WHY)[0] == 0
    assert check(heir.desk.home, "houses", lambda: heir.run(*SCORE)) == [1, 2, 1]
    assert not siege.canary.exists()
