"""What appending to the lake and reading a snapshot back cost, beside plain Parquet files of the same rows.

Run: python benchmarks/lake.py [ROWS]. Each way works on the same 20 columns in chunks of 100,000 rows, in a process of its own;
prints CPU and wall seconds and peak memory, which holds the interpreter and its imports.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

CHUNK = 100_000
CHUNKS = f"""
import numpy as np, pandas as pd
from pathlib import Path
def chunks(rows):
    rng = np.random.default_rng(0)
    for start in range(0, rows, {CHUNK}):
        size = min({CHUNK}, rows - start)
        numbers = {{f"x{{place}}": rng.normal(size=size) for place in range(16)}}
        words = {{"kind": pd.Series(rng.choice(["tool", "toy", "food"], size), dtype="str")}}
        when = (np.datetime64("2024-01-01", "us") + np.arange(start, start + size) * np.timedelta64(1, "s")).astype("M8[us]")
        id, y = np.arange(start, start + size, dtype=float), rng.normal(size=size)
        yield pd.DataFrame({{"id": id, **words, "when": when, **numbers, "y": y}})
"""
LAKE = """
from datetime import UTC, datetime
from tasks.adapters.lake import Lake, LakeSnapshot, Terms
def lake(name, **terms):
    return Lake(str(folder), name, Terms(**terms))
"""
KEYED = "lake('keyed', key=('id',), target='y')"
PARTS = {
    "rows alone": "for df in chunks(rows): pass",
    "parquet: write": (
        "import pyarrow as pa, pyarrow.parquet as pq\nwriter = None\n"
        "for df in chunks(rows):\n"
        "    table = pa.Table.from_pandas(df, preserve_index=False)\n"
        "    writer = writer or pq.ParquetWriter(folder / 'plain.parquet', table.schema, compression='zstd')\n"
        "    writer.write_table(table)\n"
        "writer.close()"
    ),
    "lake: append, hashed keys": "assert lake('hashed').append('b', chunks(rows), arrived_at=datetime.now(UTC)).observations == rows",
    "lake: append, key and labels": f"assert {KEYED}.append('b', chunks(rows), arrived_at=datetime.now(UTC)).labels == rows",
    "parquet: read": (
        "import pyarrow.parquet as pq\n"
        "batches = pq.ParquetFile(folder / 'plain.parquet').iter_batches(200_000)\n"
        "assert sum(len(batch.to_pandas()) for batch in batches) == rows"
    ),
    "lake: take snapshot": "(folder / 'hashed.json').write_text(lake('hashed').snapshot().as_text())",
    "lake: read snapshot": (
        "snapshot = LakeSnapshot.from_text((folder / 'hashed.json').read_text())\n"
        "assert sum(len(df) for df in lake('hashed').read_chunks(snapshot)) == rows"
    ),
    "lake: snapshot with labels": f"assert {KEYED}.snapshot().labelled == rows",
    "lake: maintain": f"{KEYED}.maintain()",
}
PROGRAM = """
import json, resource, sys, time
{imports}
folder, rows, start = Path(sys.argv[1]), int(sys.argv[2]), time.perf_counter()
{part}
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([used.ru_utime + used.ru_stime, time.perf_counter() - start, used.ru_maxrss / 1024]))
"""


def main() -> None:
    """Do each part and print the table."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as name:
        print(f"{rows:,} rows x 20 columns in chunks of {CHUNK:,}")
        print(f"{'':<30}{'CPU s':>8}{'wall s':>8}{'peak MB':>9}")
        for part, code in PARTS.items():
            cpu, wall, peak = measure(code, Path(name), rows)
            print(f"{part:<30}{cpu:>8.1f}{wall:>8.1f}{peak:>9,.0f}", flush=True)


def measure(part: str, folder: Path, rows: int) -> tuple[float, float, float]:
    """Give CPU seconds, wall seconds and peak megabytes of a process that does a part."""
    program = PROGRAM.format(imports=CHUNKS + LAKE, part=part)
    done = subprocess.run([sys.executable, "-c", program, str(folder), str(rows)], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    cpu, wall, peak = json.loads(done.stdout)
    return cpu, wall, peak


if __name__ == "__main__":
    main()
