"""The wheel is all that a machine needs: it trains from an empty folder, and its models load in another isolated process."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Desk

ROOT = Path(__file__).parents[2]
PREDICT = """
import json, os, sys
os.environ["EVERGREEN_HOME"] = sys.argv[1]
from tasks import registry
from tasks.adapters.home import bootstrap
from tasks.adapters import sources
from tasks.core.reading.terms import ReadingOptions
bootstrap()
model = registry.load_model("wine", int(sys.argv[2]))
X = sources.load("sklearn:wine", ReadingOptions())[0].table.df.drop(columns="target")
print(json.dumps({"tasks": registry.__file__, "classes": model.classes_.tolist(), "proba": model.predict_proba(X).tolist()}))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    isolation = [] if importlib.util.find_spec("hatchling") is None else ["--no-isolation"]
    command = [sys.executable, "-m", "build", "--wheel", *isolation, "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel alone into an environment that sees the packages of this one, and nothing of this checkout; give its Python."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", "--no-index", str(wheel)], check=True
    )
    here = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], capture_output=True, text=True, check=True
    )
    # A `.pth` adds the folder itself; the `.pth` files in it, which lead to this checkout, are not followed.
    Path(here.stdout.strip(), "packages.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return python


def test_the_wheel_holds_the_bundled_use_cases_and_nothing_of_the_workshop(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {"flows/train.py", "tasks/bundled/deployments/use_cases/wine.yaml", "tasks/bundled/expectations/wine.json"} <= set(names)
    assert {name.partition("/")[0] for name in names if ".dist-info" not in name} == {"flows", "tasks"}


def test_an_installed_wheel_trains_from_an_empty_folder_and_its_model_predicts_the_same_elsewhere(
    desk: Desk, installed: Path, tmp_path: Path
) -> None:
    elsewhere = type(desk)(desk.folder, str(installed))
    report = elsewhere.trained("--use-case", "wine", "--trials", "1", "--no-record")
    assert report["decision"]["verdict"] == "promoted"
    assert [path.name for path in desk.folder.iterdir()] == [".evergreen"]

    empty = tmp_path / "empty"
    empty.mkdir()
    arguments = ["-c", PREDICT, str(desk.home), str(report["version"])]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("EVERGREEN_", "MLFLOW_"))}
    loaded = subprocess.run([installed, "-I", *arguments], cwd=empty, env=environment, capture_output=True, text=True, check=False)
    assert loaded.returncode == 0, loaded.stderr
    theirs = json.loads(loaded.stdout)
    assert Path(theirs["tasks"]).is_relative_to(installed.parent.parent)

    trained = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert trained.returncode == 0, trained.stderr
    ours = json.loads(trained.stdout)
    assert Path(ours["tasks"]).is_relative_to(ROOT)
    assert (theirs["classes"], theirs["proba"]) == (ours["classes"], ours["proba"])
    assert list(empty.iterdir()) == []
