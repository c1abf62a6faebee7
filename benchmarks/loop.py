"""What each retraining policy is worth on a folder of time-ordered tables, and that none is fooled by their shuffled copies.

    python benchmarks/loop.py FOLDER [--chunks 40] [--no-shuffled]
    python benchmarks/loop.py FOLDER --delays 0 2 5 [--chunks 20]

Each table is a CSV file whose rows have a time column that is found, or are in order. Printed is, for each table and policy, the share of
what a fit after every chunk gains (`–` where that is next to nothing) and the fits as a share of the chunks; then means and worst cases.
With --delays, and only that, it is printed for each table and each number of chunks after which labels come: what a fit after every chunk
gains against never retraining, what of that the policy recovers, and what both gain of what a fit after every chunk would with labels at
once. The loss is the Brier score, or the absolute error.
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


def compare_delays(table: Path, chunks: int, home: str, delays: list[int]) -> None:
    """Print what late labels cost on a table; what is fitted is fitted once for all delays."""
    at_once: float | None = None
    for delay in delays:
        policies = replayed(table, chunks, home, "--delay", str(delay))
        if isinstance(policies, str):
            print(f"{table.stem:<26} {policies}", flush=True)
            return
        never, every, policy = (policies[name]["loss"] for name in ("never", "every", "policy"))
        at_once = never - every if at_once is None else at_once
        kept = (
            [f"{name} {(never - loss) / at_once:6.2f}" for name, loss in (("every", every), ("policy", policy))] if at_once > 0 else ["–"]
        )
        print(
            f"{table.stem:<26} delay {delay:>2}  every gains {(never - every) / never:6.1%}  policy {shown(policies['policy'], chunks)}"
            f"  of what every gains at delay {delays[0]}: {', '.join(kept)}",
            flush=True,
        )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--chunks", type=int, default=40)
    parser.add_argument("--no-shuffled", action="store_true")
    parser.add_argument("--delays", type=int, nargs="+", default=[], metavar="CHUNKS")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        tables = sorted(asked.folder.glob("*.csv"))
        if not asked.delays:
            compare_policies(tables, asked.chunks, home, with_shuffled=not asked.no_shuffled)
        for table in tables if asked.delays else ():
            compare_delays(table, asked.chunks, home, asked.delays)


def compare_policies(tables: list[Path], chunks: int, home: str, *, with_shuffled: bool) -> None:
    """Print what each policy comes to on each table, then means and worst cases."""
    found: dict[str, list[tuple[float | None, float]]] = defaultdict(list)
    for table in tables:
        for options in ([], *([["--shuffle"]] if with_shuffled else [])):
            name = f"{table.stem}{' shuffled' if options else ''}"
            policies = replayed(table, chunks, home, *options)
            if isinstance(policies, str):
                print(f"{name:<26} {policies}", flush=True)
                continue
            shares = "  ".join(f"{key.partition('_')[0]} {shown(told, chunks)}" for key, told in policies.items())
            print(f"{name:<26} {shares}", flush=True)
            causes = policies["policy"]["causes"] or {}
            if options:
                print(f"{'':<26} fired by performance or prediction: {sum(causes.get(key, 0) for key in ('performance', 'prediction'))}")
            for key, told in policies.items() if not options else ():
                found[key.partition("_")[0]].append((told["recovered"], (told["fits"] or 0) / chunks))
    for key, each in found.items():
        shares = [share for share, _ in each if share is not None]
        if shares:
            fits = sum(part for _, part in each) / len(each)
            print(f"{key:<10} mean {sum(shares) / len(shares):.3f}  worst {min(shares):.3f}  fits {fits:.0%}")


if __name__ == "__main__":
    main()
