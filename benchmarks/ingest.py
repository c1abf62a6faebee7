"""What taking a large batch into the lake costs, as a person starts it: CPU, time, and the memory of all its processes together.

Run: python benchmarks/ingest.py [ROWS] [SHARE...]. Writes a table of 20 columns and a suite of 40 expectations into a
temporary folder; of the rows each SHARE (0.01 and 0.6 if none is given) fails an expectation that sets them aside. Then
`python -m flows.ingest` takes it into a fresh lake, and the lake's snapshot is taken. Prints CPU and wall seconds and the
peak of the resident memory, of all processes together (the Prefect server among them) and of the largest one.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from processes import HEADER, cost_of

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
    print(HEADER, flush=True)
    for share in shares:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write(folder, rows, share)
            ingest = cost_of(folder, "-m", "flows.ingest", "sales.csv", "--use-case", "sales")
            print(ingest.as_row(f"ingest, {share:.0%} set aside"), flush=True)
            snapshot = cost_of(folder, "-c", SNAPSHOT, str(folder / ".evergreen" / "lake"))
            print(snapshot.as_row("snapshot of what is left"), flush=True)


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


if __name__ == "__main__":
    main()
