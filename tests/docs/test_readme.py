"""The README is true: its commands run as written in a clean copy, and print what it shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# Settings of this run, and of the make that may have started it, which would print the folders that it enters.
FOREIGN = ("EVERGREEN_", "PREFECT_", "MLFLOW_", "VIRTUAL_ENV", "MAKE", "MFLAGS", "ARGS")
PROGRESS = re.compile(r" *\d+\.\d s  .*\n")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def steps(block: str) -> list[tuple[str, str]]:
    """Split a console block into its commands and what each is shown to print."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)[1:]
    return [(command.partition("   #")[0], shown) for command, shown in zip(parts[::2], parts[1::2], strict=True)]


def plain(text: str) -> str:
    """Take out what differs from run to run: progress lines, seconds, and where the environment is."""
    text = PROGRESS.sub("", text).replace(str(Path(sys.executable).parent), ".venv/bin")
    return re.sub(r" +\d+\.\d$", " S", text, flags=re.MULTILINE).strip()


@pytest.fixture
def clean_copy(tmp_path: Path) -> Path:
    if not (ROOT / ".git").exists():
        pytest.skip("this is no checkout, so there is nothing to copy cleanly")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    folder = tmp_path / "evergreen"
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def run(command: str, folder: Path, **variables: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    environment = {**kept, **variables}
    done = subprocess.run(["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False, input="")
    return done.stdout + "".join(f"{line}\n" for line in done.stderr.splitlines() if not line.startswith(("WARNING:", "[notice]")))


@pytest.mark.clone
def test_the_two_commands_set_up_run_and_test_a_clean_copy(request: pytest.FixtureRequest) -> None:
    (run_command, shown), (test_command, _) = steps(blocks("console")[0])
    if printed := os.environ.get("FIRST_COMMAND_PRINTED"):  # by CI, whose checkout is clean and whose second command runs this
        assert plain(Path(printed).read_text(encoding="utf-8")) == plain(shown)
        return
    clean_copy: Path = request.getfixturevalue("clean_copy")
    first = run(run_command, clean_copy)
    assert plain(first) == plain(shown)
    # The whole of the tests would run this test again.
    tested = run(test_command, clean_copy, PYTEST_ADDOPTS="-q tests/unit/test_names.py tests/unit/test_errors.py")
    assert re.search(r"^\d+ passed", tested, re.MULTILINE), tested


def test_what_the_readme_shows_is_what_is_printed(clean_copy: Path) -> None:
    """Run the later blocks from top to bottom in one copy, in the environment of this test."""
    variables = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "EVERGREEN_RECORD": "false"}
    for block in blocks("console")[1:]:
        for command, shown in steps(block):
            printed = run(command, clean_copy, **variables)
            if shown.strip():
                assert plain(printed).endswith(plain(shown)), f"$ {command}\n{printed}"


def test_the_use_case_of_the_readme_is_one() -> None:
    import yaml

    from tasks.core.use_case import UseCase

    for text in blocks("yaml"):
        assert UseCase.from_values("shown", yaml.safe_load(text), where="README.md")


def test_the_readme_is_short_and_links_lead_somewhere() -> None:
    assert len(README.splitlines()) <= 150
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", README):
        assert (ROOT / target).exists(), target
