"""What exact reading of a clean file costs, beside pandas in chunks, and polars and DuckDB where they are installed.

Run: python benchmarks/reader.py [ROWS]. Each way reads the same 20 columns in a process of its own, from CSV, Parquet and JSON lines;
prints CPU and wall seconds and peak memory, and the ratio to pandas in chunks.

Then: what damage costs that a file has very much of, at a size and at four times that size. Beyond four times the seconds, and some,
a rule takes more than its share.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EVERGREEN = (
    "from tasks.adapters import sources\nfrom tasks.core.reading import reader, terms\n"
    "o = terms.ReadingOptions()\nreading = reader.read(sources.load(path, o), o, sources.split_columns)\n"
    "assert reading.verdict == 'exact'\nfor frame in reading.table.frames(): pass"
)
CSV = {
    "pandas in chunks": "import pandas as pd\nfor chunk in pd.read_csv(path, chunksize=100_000, float_precision='round_trip'): pass",
    "pandas": "import pandas as pd\npd.read_csv(path, float_precision='round_trip')",
    "evergreen": EVERGREEN,
    "polars": "import polars as pl\npl.read_csv(path)",
    "duckdb": "import duckdb\nduckdb.sql(f\"create table t as select * from read_csv('{path}')\")",
}
PARQUET = {
    "pandas in chunks": "import pyarrow.parquet as pq\nfor batch in pq.ParquetFile(path).iter_batches(100_000): batch.to_pandas()",
    "evergreen": EVERGREEN,
}
JSON_LINES = {
    "pandas in chunks": "import pandas as pd\nfor chunk in pd.read_json(path, lines=True, chunksize=100_000): pass",
    "evergreen": EVERGREEN,
}
DAMAGE = {
    "a quote that is never closed": lambda n: 'a,b,c\n0,"x,1\n' + "1,word,2\n" * n,
    "a quote opened on every line": lambda n: "a,b,c\n" + '1,"word,2\n' * n,
    "cells over two lines": lambda n: "a,b\n" + '1,"two\nlines"\n' * n,
    "a short row in every hundred": lambda n: "a,b,c\n" + ("1,word,2\n" * 99 + "1,word\n") * (n // 100),
    "blank lines": lambda n: "a,b,c\n1,x,2\n" + "\n" * n + "2,y,3\n3,z,4\n",
    "a line of dashes": lambda n: "a,b,c\n1,x,2\n2,y,3\n" + "-" * 20 * n + "x\n3,z,4\n",
    "a line of cells": lambda n: "a,b,c\n1,x,2\n2,y,3\n" + "1," * n + "\n3,z,4\n",
    "a line of quotes": lambda n: 'a,b,c\n1,x,2\n2,y,3\n3,"' + 'x"y' * n + ",3\n4,z,4\n",
    "five rows of many columns": lambda n: "\n".join(",".join(f"{sign}{place}" for place in range(n // 40)) for sign in "c1234"),
}
SIZE = 20_000
PROGRAM = """
import json, resource, sys, time
path, start = sys.argv[1], time.perf_counter()
{read}
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps([used.ru_utime + used.ru_stime, time.perf_counter() - start, used.ru_maxrss / 1024]))
"""


def main() -> None:
    """Write the file, read it in each way, print the table."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        for kind, reads in (("csv", CSV), ("parquet", PARQUET), ("jsonl", JSON_LINES)):
            path = Path(folder) / f"clean.{kind}"
            write(path, rows)
            compare(reads, path, rows)
            path.unlink()
    print(f"\n{'damage':<32}{'CPU s':>8}{'of 4 x':>8}{'x':>6}")
    for name, text in DAMAGE.items():
        few, many = seconds(text(SIZE)), seconds(text(4 * SIZE))
        print(f"{name:<32}{few:>8.2f}{many:>8.2f}{many / few:>6.1f}")


def compare(reads: dict[str, str], path: Path, rows: int) -> None:
    """Read a file in each way, and print a table."""
    print(f"\n{rows:,} rows x 20 columns, {path.name}, {path.stat().st_size / 1e6:,.0f} MB")
    print(f"{'':<20}{'CPU s':>8}{'x':>6}{'wall s':>8}{'peak MB':>9}")
    base = 0.0
    for name, read in reads.items():
        if name in ("polars", "duckdb") and importlib.util.find_spec(name) is None:
            continue
        cpu, wall, peak = measure(read, path)
        base = base or cpu
        print(f"{name:<20}{cpu:>8.1f}{cpu / base:>6.2f}{wall:>8.1f}{peak:>9,.0f}")


def write(path: Path, rows: int) -> None:
    """Write a table of numbers, categories and dates, in the format that its name says."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng, parquet = np.random.default_rng(0), None
    for start in range(0, rows, 100_000):
        size = min(100_000, rows - start)
        numbers = {f"x{place}": rng.normal(size=size).round(6) for place in range(14)}
        counts = {f"n{place}": rng.integers(0, 1000, size) for place in range(3)}
        when = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(start, start + size), unit="min")
        words = {"kind": rng.choice(["tool", "toy", "food"], size), "place": rng.choice(["Lyon", "Porto", "Köln"], size)}
        df = pd.DataFrame({"when": when.strftime("%Y-%m-%d %H:%M:%S"), **numbers, **counts, **words})
        if path.suffix == ".csv":
            df.to_csv(path, mode="a", header=start == 0, index=False)
        elif path.suffix == ".jsonl":
            df.to_json(path, mode="a", orient="records", lines=True, force_ascii=False)
        else:
            table = pa.Table.from_pandas(df, preserve_index=False)
            parquet = parquet or pq.ParquetWriter(path, table.schema)
            parquet.write_table(table)
    if parquet:
        parquet.close()


def seconds(text: str) -> float:
    """Give the CPU seconds that it takes to read a text, or to refuse it."""
    from tasks.adapters.sources import split_columns
    from tasks.core.errors import EvergreenError
    from tasks.core.reading.blob import Blob
    from tasks.core.reading.delimited import read_text
    from tasks.core.reading.terms import ReadingOptions

    blob = Blob(text.encode())
    start = time.process_time()
    with contextlib.suppress(EvergreenError):
        read_text(blob, ReadingOptions(), "t.csv", split_columns)
    return time.process_time() - start


def measure(read: str, path: Path) -> tuple[float, float, float]:
    """Give CPU seconds, wall seconds and peak megabytes of a process that reads a file."""
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(read=read), str(path)], capture_output=True, text=True, check=True)
    cpu, wall, peak = json.loads(done.stdout)
    return cpu, wall, peak


if __name__ == "__main__":
    main()
