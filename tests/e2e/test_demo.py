"""The demonstration, as a newcomer starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flows", "demo", *arguments]
    return subprocess.run(command, cwd=folder, env=dict(os.environ), capture_output=True, text=True, check=False)


def test_it_plays_weeks_in_a_folder_of_its_own_and_explains_what_became_of_them(tmp_path: Path) -> None:
    done = demo(tmp_path, "play", "--weeks", "13")
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert [line.split()[:2] for line in told if line.startswith("week ")] == [["week", "12"]]
    assert "of market_risk\nchampion    from" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["play"]
    assert (tmp_path / "play" / ".evergreen" / "reports" / "market_risk" / "monitor.html").exists()

    again = demo(tmp_path, "play")
    assert again.returncode == 2
    assert again.stderr.endswith("play is there already; name another folder, or remove it\n")
