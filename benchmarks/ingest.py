"""What taking a large batch into the lake costs, as a person starts it: CPU, time, and the memory of all its processes together.

Run: python benchmarks/ingest.py [ROWS] [SHARE...]. Writes a table of 20 columns and a suite of 40 expectations into a
temporary folder; of the rows each SHARE (0.01 and 0.6 if none is given) fails an expectation that sets them aside. Then
`python -m flows.ingest` takes it into a fresh lake, and the lake's snapshot is taken. Prints CPU and wall seconds and the
peak of the resident memory, the Prefect server among it.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

CHUNK = 100_000
NUMBERS = [f"x{place:02}" for place in range(14)]
TEXTS = ["kind", "place", "note"]
SNAPSHOT = """
import sys
from tasks.adapters.lake import Lake
lake = Lake(sys.argv[1], "sales")
print(Lake(sys.argv[1], "sales", lake.begun_with()).snapshot().rows)
"""


def main() -> None:
    """Measure each share of failing rows and print the table."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    shares = [float(share) for share in sys.argv[2:]] or [0.01, 0.6]
    print(f"{rows:,} rows x 20 columns, {len(expectations())} expectations")
    print(f"{'':<34}{'CPU s':>8}{'wall s':>8}{'peak MB':>9}", flush=True)
    for share in shares:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write(folder, rows, share)
            show(f"ingest, {share:.0%} set aside", folder, "-m", "flows.ingest", "sales.csv", "--use-case", "sales")
            show("snapshot of what is left", folder, "-c", SNAPSHOT, str(folder / ".evergreen" / "lake"))


def write(folder: Path, rows: int, share: float) -> None:
    """Write the table, the use case and the suite."""
    import numpy as np
    import pandas as pd

    draw = np.random.default_rng(0)
    for start in range(0, rows, CHUNK):
        size = min(CHUNK, rows - start)
        numbers = {name: draw.normal(50, 9, size).round(3) for name in NUMBERS}
        numbers["x00"] = np.where(draw.random(size) < share, -numbers["x00"].clip(1), numbers["x00"].clip(1))
        texts = {name: draw.choice([f"{name} {place}" for place in range(50)], size) for name in TEXTS}
        sold = np.datetime64("2024-01-01", "s") + np.arange(start, start + size)
        df = pd.DataFrame(
            {"id": np.arange(start, start + size), "sold": sold, **texts, **numbers, "price": draw.normal(300, 40, size).round(2)}
        )
        df.to_csv(folder / "sales.csv", mode="a", header=not start, index=False)
    files = {
        "deployments/use_cases/sales.yaml": "key: [id]\ntarget: price\ntime: sold\n",
        "expectations/sales.json": json.dumps({"name": "sales", "expectations": expectations()}),
    }
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_text(text, encoding="utf-8")


def expectations() -> list[dict[str, Any]]:
    """Ask about every column; one bound sets aside the rows that it does not hold for."""
    asked: list[dict[str, Any]] = [
        {"type": "expect_table_columns_to_match_set", "kwargs": {"column_set": columns()}, "severity": "critical"}
    ]
    asked += [_asked("expect_column_values_to_not_be_null", "info", column=name) for name in columns()]
    asked += [_asked("expect_column_values_to_be_between", "info", column=name, min_value=-99, max_value=999) for name in NUMBERS]
    asked += [_asked("expect_column_value_lengths_to_be_between", "info", column=name, min_value=3, max_value=9) for name in TEXTS]
    asked += [_asked("expect_column_mean_to_be_between", "info", column="price", min_value=1, max_value=999)]
    asked += [_asked("expect_column_values_to_be_between", "warning", column="x00", min_value=0) | {"meta": {"quarantine": True}}]
    return asked


def columns() -> list[str]:
    """Name the columns in their order."""
    return ["id", "sold", *TEXTS, *NUMBERS, "price"]


def _asked(kind: str, severity: str, **kwargs: object) -> dict[str, Any]:
    return {"type": kind, "kwargs": kwargs, "severity": severity}


def show(what: str, folder: Path, *command: str) -> None:
    """Run a command in the folder and print what it cost."""
    theirs = {name: value for name, value in os.environ.items() if not name.startswith(("EVERGREEN_", "PREFECT_", "MLFLOW_"))}
    code = str(Path(__file__).resolve().parents[1])
    environment = {**theirs, "PREFECT_HOME": str(folder / "prefect"), "PYTHONPATH": code}
    start, peak, cpu = time.perf_counter(), 0, dict[int, float]()
    process = psutil.Popen([sys.executable, *command], cwd=folder, env=environment)
    while process.poll() is None:
        peak = max(peak, _look(process, cpu))
        time.sleep(0.05)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    print(f"{what:<34}{sum(cpu.values()):>8.1f}{time.perf_counter() - start:>8.1f}{peak / 2**20:>9,.0f}", flush=True)


def _look(process: psutil.Process, cpu: dict[int, float]) -> int:
    """Give the resident bytes of a process and those that it started; note the CPU seconds of each."""
    resident = 0
    with suppress(psutil.NoSuchProcess):
        for each in [process, *process.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess), each.oneshot():
                resident += each.memory_info().rss
                times = each.cpu_times()
                cpu[each.pid] = times.user + times.system
    return resident


if __name__ == "__main__":
    main()
