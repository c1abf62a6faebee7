"""How long the demonstration takes, and whether its story is told: what comes to pass in it hangs on every rule of the loop.

Run: python benchmarks/demo.py. It plays all weeks in a folder of its own and prints the seconds; it fails where a part of the story is
missing.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STORY = {
    "growth retrains": r"week \d+ +retrains +there are",
    "a turn of the market retrains": r"week 3[2-5] +retrains +the loss is above",
    "that training is promoted": r"version \d+ was trained: promoted, loss \N{MINUS SIGN}[3-9]\d",
    "a broken batch blocks": r"week 45 +blocked +week-45.csv is held: 'volume' came as 1,000 times",
    "what was true before brings its version back": r"week 50 +restored +version \d+ is better",
    "a promotion is taken back": r"week 5[3-7] +restored +version \d+ is better",
    "a challenger is refused": r"version \d+ was trained: kept",
    "the story is explained": r"history +\d{4}-",
}


def main() -> None:
    """Play it, and look for each part of the story."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "flows", "demo"], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        print(f"{time.monotonic() - begun:.0f} s, exit code {done.returncode}")
    found = {part: re.search(pattern, done.stdout) is not None for part, pattern in STORY.items()}
    for part, is_told in found.items():
        print(f"{part:<46} {'yes' if is_told else 'NO'}")
    sys.exit(done.returncode or not all(found.values()))


if __name__ == "__main__":
    main()
