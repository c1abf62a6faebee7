"""What each retraining policy is worth on a folder of time-ordered tables, and that none is fooled by their shuffled copies.

    python benchmarks/loop.py FOLDER [--chunks 40] [--no-shuffled]

Each table is a CSV file whose rows have a time column that is found, or are in order. Printed is, for each table and policy, the share of
what a fit after every chunk gains (`–` where that is next to nothing) and the fits as a share of the chunks; then means and worst cases.
The loss is the Brier score, or the absolute error.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any


def replayed(table: Path, chunks: int, home: str, *options: str) -> dict[str, dict[str, Any]] | str:
    """Give what each policy came to, or why there is nothing to tell."""
    command = [sys.executable, "-m", "flows.backtest", str(table.resolve()), "--chunks", str(chunks), "--json", "--no-record", *options]
    for loss in ("absolute_error", "brier"):
        environment = {**os.environ, "EVERGREEN_HOME": home}
        done = subprocess.run([*command, "--loss", loss], env=environment, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return json.loads(done.stdout)["policies"]
    return done.stderr.splitlines()[-1]


def shown(policy: dict[str, Any], chunks: int) -> str:
    """Write what a policy recovers at which share of fits."""
    share = policy["recovered"]
    return f"{'–' if share is None else f'{share:.3f}':>7} @{(policy['fits'] or 0) / chunks:4.0%}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--chunks", type=int, default=40)
    parser.add_argument("--no-shuffled", action="store_true")
    asked = parser.parse_args()
    found: dict[str, list[tuple[float | None, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as home:
        for table in sorted(asked.folder.glob("*.csv")):
            for options in ([], *([] if asked.no_shuffled else [["--shuffle"]])):
                name = f"{table.stem}{' shuffled' if options else ''}"
                policies = replayed(table, asked.chunks, home, *options)
                if isinstance(policies, str):
                    print(f"{name:<26} {policies}", flush=True)
                    continue
                print(
                    f"{name:<26} " + "  ".join(f"{key.partition('_')[0]} {shown(told, asked.chunks)}" for key, told in policies.items()),
                    flush=True,
                )
                causes = policies["policy"]["causes"] or {}
                if options:
                    print(
                        f"{'':<26} fired by performance or prediction: {sum(causes.get(key, 0) for key in ('performance', 'prediction'))}"
                    )
                for key, told in policies.items() if not options else ():
                    found[key.partition("_")[0]].append((told["recovered"], (told["fits"] or 0) / asked.chunks))
    for key, each in found.items():
        shares = [share for share, _ in each if share is not None]
        if shares:
            fits = sum(part for _, part in each) / len(each)
            print(f"{key:<10} mean {sum(shares) / len(shares):.3f}  worst {min(shares):.3f}  fits {fits:.0%}")


if __name__ == "__main__":
    main()
