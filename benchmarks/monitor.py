"""What a look at a champion costs, beside Evidently's default preset on tables of the same size.

Run: python benchmarks/monitor.py [ROWS] [FEATURES] [--no-evidently]. A champion is trained on 20,000 rows that were ingested; then
ROWS (1,000,000) rows of FEATURES (10) columns come with their labels, and `flows.monitor` looks at them. Printed are the CPU seconds of
the look itself without pictures, once the engines are loaded, those of `DataDriftPreset` on two tables of so many rows in memory, their
ratio, and the whole command `python -m flows.monitor` with its memory.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from processes import HEADER, cost_of

FIRST, CHUNK = 20_000, 100_000
LOOK = """
import logging, time
import pandas, deltalake, mlflow.sklearn, skops.io, sklearn.ensemble, pyarrow.dataset
logging.getLogger("evergreen").setLevel(logging.WARNING)
from flows.monitor import monitor
from tasks.core.options import MonitorOptions
from tasks.adapters.tracking import model_registry
model_registry.versions("sales")
start = time.process_time()
found = monitor(MonitorOptions(use_case="sales"))
print(time.process_time() - start, found.window.rows, found.choice.code)
"""
EVIDENTLY = """
import sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np, pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset
rows, columns = int(sys.argv[1]), int(sys.argv[2])
old, new = (pd.DataFrame(np.random.default_rng(seed).normal(size=(rows, columns))).rename(columns=str) for seed in (0, 1))
start = time.process_time()
Report([DataDriftPreset()]).run(new, old).dict()
print(time.process_time() - start)
"""


def main() -> None:
    """Measure the one beside the other."""
    asked = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    rows, features = (int(asked[place]) if len(asked) > place else usual for place, usual in enumerate((1_000_000, 10)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder, rows, features)
        print(HEADER, flush=True)
        copy = folder / "state-before"
        subprocess.run(["cp", "-r", str(folder / ".evergreen"), str(copy)], check=True)
        print(cost_of(folder, "-m", "flows.monitor", "sales").as_row(f"flows.monitor, {rows:,} x {features}"), flush=True)
        subprocess.run(["rm", "-rf", str(folder / ".evergreen")], check=True)
        copy.rename(folder / ".evergreen")
        cpu, seen, code = run(folder, "-c", LOOK).split()
        print(f"the look alone: {float(cpu):.2f} CPU s for {int(seen):,} rows ({code})", flush=True)
        if "--no-evidently" not in sys.argv:
            theirs = float(run(folder, "-c", EVIDENTLY, str(rows), str(features)))
            print(f"DataDriftPreset: {theirs:.2f} CPU s; ratio 1 to {theirs / float(cpu):.1f}")


def prepare(folder: Path, rows: int, features: int) -> None:
    """Train a champion on the first rows, and ingest the others."""
    (folder / "deployments" / "use_cases").mkdir(parents=True)
    asked = "target: y\nkey: [id]\ncandidates: [hist_gradient_boosting]\nmonitor: {pictures: false}\n"
    asked += "retrain: {growth: 1000000, staleness: 1000}\n"
    (folder / "deployments" / "use_cases" / "sales.yaml").write_text(asked, encoding="utf-8")
    write(folder / "first.csv", 0, FIRST, features)
    write(folder / "then.csv", FIRST, rows, features)
    for command in (["flows.ingest", "first.csv", "--use-case", "sales"], ["flows.train", "--use-case", "sales"]):
        run(folder, "-m", *command)
    run(folder, "-m", "flows.ingest", "then.csv", "--use-case", "sales")


def write(path: Path, first: int, rows: int, features: int) -> None:
    """Write a table whose target depends on its first two features."""
    import numpy as np
    import pandas as pd

    for start in range(first, first + rows, CHUNK):
        size = min(CHUNK, first + rows - start)
        draw = np.random.default_rng(start)
        X = draw.normal(size=(size, features)).round(4)
        y = (X[:, 0] + 0.5 * X[:, 1] + draw.normal(size=size)).round(3)
        df = pd.DataFrame(X, columns=[f"x{place}" for place in range(features)])
        df.insert(0, "id", np.arange(start, start + size))
        df.assign(y=y).to_csv(path, mode="a", header=start == first, index=False)


def run(folder: Path, *arguments: str) -> str:
    """Run this interpreter in a folder, unrecorded, and give the last line that it prints."""
    theirs = {name: value for name, value in os.environ.items() if not name.startswith(("EVERGREEN_", "PREFECT_", "MLFLOW_"))}
    environment = {**theirs, "EVERGREEN_RECORD": "false", "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    done = subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout.strip().splitlines()[-1]


if __name__ == "__main__":
    main()
