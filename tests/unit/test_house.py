"""The house rules, as tests: each fires on a planted violation, the core is cheap to import, and its examples are true."""

from __future__ import annotations

import doctest
import importlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS = {contract["id"]: contract["name"] for contract in CONFIGURATION["tool"]["importlinter"]["contracts"]}
BANNED = CONFIGURATION["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-module-level-imports"]
CORE = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / "tasks/core").rglob("*.py") if path.stem != "__init__"
)


# (contract, file, import, how the contract names it)
PLANTS = [
    ("flows-on-top", "tasks/core/planted.py", "import flows.planted", "tasks.core.planted -> flows.planted"),
    ("layers", "tasks/core/planted.py", "import tasks.adapters.planted", "tasks.core.planted -> tasks.adapters.planted"),
    ("layers", "tasks/adapters/planted.py", "import tasks.record", "tasks.adapters.planted -> tasks.record"),
    ("layers", "tasks/record.py", "import tasks.data", "tasks.record -> tasks.data"),
    ("layers", "tasks/validation.py", "import tasks.training", "tasks.validation -> tasks.training"),
    ("flows", "flows/planted.py", "import tasks.adapters.planted", "flows.planted -> tasks.adapters.planted"),
    ("flows", "flows/planted.py", "import mlflow", "flows.planted -> mlflow"),
    ("core", "tasks/core/planted.py", "import sqlalchemy", "tasks.core.planted -> sqlalchemy"),
    ("adapters", "tasks/adapters/planted.py", "import tasks.adapters.planted_too", "tasks.adapters.planted -> tasks.adapters.planted_too"),
    ("prefect", "tasks/adapters/planted.py", "import prefect", "tasks.adapters.planted -> prefect"),
    ("prefect", "tasks/training.py", "import prefect", "tasks.training -> prefect"),
    ("prefect", "flows/planted.py", "import prefect", "flows.planted -> prefect"),
]


def copy_house(folder: Path) -> None:
    for package in ("flows", "tasks"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", program, "--no-logo", "--no-cache"],
        cwd=folder,
        env={**os.environ, "COLUMNS": "400"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Give what each contract says of a copy of the house with every violation planted in it at once."""
    folder = tmp_path_factory.mktemp("house")
    copy_house(folder)
    (folder / "tasks/adapters/planted_too.py").touch()
    for _, file, line, _ in PLANTS:
        with (folder / file).open("a", encoding="utf-8") as module:
            module.write(f"\n{line}\n")
    output = lint_imports(folder).stdout
    broken = output.partition("Broken contracts")[2]
    starts = sorted((broken.index(f"\n{name}\n"), contract) for contract, name in CONTRACTS.items() if f"\n{name}\n" in broken)
    ends = [start for start, _ in starts[1:]] + [len(broken)]
    return {contract: broken[start:end] for (start, contract), end in zip(starts, ends, strict=True)}


def test_the_house_keeps_its_contracts(tmp_path: Path) -> None:
    copy_house(tmp_path)
    answer = lint_imports(tmp_path)
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize(("contract", "file", "line", "named"), PLANTS, ids=[plant[3] for plant in PLANTS])
def test_a_planted_import_breaks_its_contract(complaints: dict[str, str], contract: str, file: str, line: str, named: str) -> None:
    assert named in complaints[contract], f"`{line}` in {file} passes '{CONTRACTS[contract]}'"


def test_every_contract_has_a_planted_violation() -> None:
    assert {plant[0] for plant in PLANTS} == set(CONTRACTS)


def test_a_module_of_tasks_without_a_layer_is_refused(tmp_path: Path) -> None:
    copy_house(tmp_path)
    (tmp_path / "tasks/planted.py").touch()
    answer = lint_imports(tmp_path)
    assert answer.returncode == 1
    assert "tasks.planted" in answer.stdout


def test_every_adapter_may_know_the_home(tmp_path: Path) -> None:
    copy_house(tmp_path)
    (tmp_path / "tasks/adapters/planted.py").write_text("import tasks.adapters.home\n", encoding="utf-8")
    answer = lint_imports(tmp_path)
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize("file", ["tasks/planted.py", "tasks/core/planted.py", "tasks/adapters/planted.py", "flows/planted.py"])
def test_ruff_refuses_engines_and_numbers_at_module_level(file: str) -> None:
    source = "".join(f"import {name}\n" for name in BANNED)
    answer = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format=json", f"--stdin-filename={file}", "-"],
        cwd=ROOT,
        input=source,
        capture_output=True,
        text=True,
        check=False,
    )
    refused = {found["location"]["row"] for found in json.loads(answer.stdout) if found["code"] == "TID253"}
    assert refused == set(range(1, len(BANNED) + 1))


def test_no_core_module_loads_an_engine() -> None:
    program = "import importlib, sys\nfor name in sys.argv[1:]:\n    importlib.import_module(name)\n    print(name, *sys.modules)\n"
    answer = subprocess.run([sys.executable, "-c", program, *CORE], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = [line.split() for line in answer.stdout.splitlines()]
    assert [name for name, *_ in loaded] == CORE
    assert not {name: found for name, *modules in loaded if (found := set(BANNED).intersection(modules))}


@pytest.mark.parametrize("module", CORE)
def test_the_examples_of_a_core_module_are_true(module: str) -> None:
    assert doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS).failed == 0
