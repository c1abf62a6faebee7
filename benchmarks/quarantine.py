"""What the failing rows of a million cost: Great Expectations alone, with our rules, and asked for the rows itself.

Run: python benchmarks/quarantine.py [ROWS]. Each way judges the same table of 10 columns by 5 expectations a column, all of
which some rows fail, in a process of its own; prints CPU and wall seconds, peak memory, the ratio to Great Expectations
alone, and how many rows were set aside.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ALONE = """
import great_expectations as gx
from great_expectations.data_context.types.base import ProgressBarsConfig
context = gx.get_context(mode="ephemeral")
context.variables.progress_bars = ProgressBarsConfig(globally=False)
batch = context.data_sources.add_pandas("p").add_dataframe_asset("a").add_batch_definition_whole_dataframe("b").get_batch({"dataframe": df})
suite = gx.ExpectationSuite(**json.loads(path.read_text()))
first = batch.validate(suite, result_format={"result_format": "SUMMARY"})
aside = 0
"""
# As it was before there were rules: a second pass for the rows, and a list of reasons for each.
SECOND_PASS = """
second = batch.validate(suite, result_format={"result_format": "COMPLETE"})
reasons = {}
for result in second.results:
    for row in tuple(result.result["unexpected_index_list"]):
        reasons.setdefault(row, []).append(result.expectation_config.type)
aside = len({row: "; ".join(found) for row, found in sorted(reasons.items())})
"""
RULES = """
from tasks.adapters import suites
from tasks.core.validation import Validation
results = suites.evaluate(df, path)
assert all(result.failing_rows and not result.problem for result in results)
aside = len(Validation("all", results).set_aside(0, len(df))[0])
"""
WAYS = {"Great Expectations alone": ALONE, "with our rules": RULES, "with its own rows": ALONE + SECOND_PASS}
PROGRAM = """
import json, logging, resource, sys, time
from pathlib import Path
import pandas as pd
import great_expectations
logging.disable(logging.CRITICAL)
df, path = pd.read_parquet(sys.argv[1]), Path(sys.argv[2])
before, start = time.process_time(), time.perf_counter()
{way}
took = [time.process_time() - before, time.perf_counter() - start]
print(json.dumps([*took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, aside]))
"""


def main() -> None:
    """Write the table and the suite, judge them in each way, print the table."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        table, suite = Path(folder) / "rows.parquet", Path(folder) / "suite.json"
        write(table, rows)
        suite.write_text(json.dumps({"name": "all", "expectations": expectations()}), encoding="utf-8")
        print(f"{rows:,} rows x 10 columns, {len(expectations())} expectations", flush=True)
        print(f"{'':<26}{'CPU s':>8}{'x':>6}{'wall s':>8}{'x':>6}{'peak MB':>9}{'aside':>10}", flush=True)
        base: tuple[float, float] | None = None
        for name, way in WAYS.items():
            cpu, wall, peak, aside = measure(way, table, suite)
            base = base or (cpu, wall)
            print(f"{name:<26}{cpu:>8.1f}{cpu / base[0]:>6.2f}{wall:>8.1f}{wall / base[1]:>6.2f}{peak:>9,.0f}{aside:>10,.0f}", flush=True)


def write(path: Path, rows: int) -> None:
    """Write six columns of numbers, two of words and two of times; 1 % of the cells are missing, 0.5 % stand for something else."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    numbers = {f"x{place}": rng.normal(size=rows).round(7) for place in range(6)}
    words = {
        name: pd.Series(rng.choice(["tool", "toy", "food", "Köln", ""], rows, p=[0.3, 0.3, 0.2, 0.19, 0.01]), dtype="str")
        for name in ("kind", "place")
    }
    first = pd.Timestamp("2024-01-01")
    sold = first + pd.to_timedelta(rng.integers(0, 10**7, rows), unit="s")
    times = {"sold": sold, "paid": sold + pd.to_timedelta(rng.integers(-100, 10**5, rows), unit="s")}
    df = pd.DataFrame({**numbers, **words, **times})
    for name in df.columns:
        df.loc[rng.random(rows) < 0.01, name] = None
        df.loc[rng.random(rows) < 0.005, name] = -999.0 if name[0] == "x" else "?" if name in words else pd.Timestamp("1900-01-01")
    df.astype({"sold": "datetime64[us]", "paid": "datetime64[us]"}).to_parquet(path, index=False)


def expectations() -> list[dict[str, Any]]:
    """Ask five things of each column, every one of which some rows fail."""
    asked: list[tuple[str, dict[str, Any]]] = []
    for place in range(6):
        name = f"x{place}"
        asked += [
            ("expect_column_values_to_not_be_null", {"column": name}),
            ("expect_column_values_to_be_between", {"column": name, "min_value": -2.5, "max_value": 2.5}),
            ("expect_column_values_to_not_be_in_set", {"column": name, "value_set": [-999, 0]}),
            ("expect_compound_columns_to_be_unique", {"column_list": [name, "kind"]}),
            ("expect_column_values_to_be_unique", {"column": name}),
        ]
    for name in ("kind", "place"):
        asked += [
            ("expect_column_values_to_not_be_null", {"column": name}),
            ("expect_column_values_to_be_in_set", {"column": name, "value_set": ["tool", "toy", "food", "Köln"]}),
            ("expect_column_values_to_match_regex", {"column": name, "regex": "^[A-Za-zö]+$"}),
            ("expect_column_value_lengths_to_be_between", {"column": name, "min_value": 2}),
            ("expect_compound_columns_to_be_unique", {"column_list": [name, "x0"]}),
        ]
    for name in ("sold", "paid"):
        asked += [
            ("expect_column_values_to_not_be_null", {"column": name}),
            ("expect_column_values_to_be_between", {"column": name, "max_value": "2024-04-20T00:00:00"}),
            ("expect_column_values_to_not_be_in_set", {"column": name, "value_set": ["1900-01-01T00:00:00"]}),
            ("expect_column_pair_values_a_to_be_greater_than_b", {"column_A": "paid", "column_B": "sold", "or_equal": name == "paid"}),
            ("expect_column_values_to_be_unique", {"column": name}),
        ]
    return [{"type": kind, "kwargs": kwargs, "severity": "warning", "meta": {"quarantine": True}} for kind, kwargs in asked]


def measure(way: str, table: Path, suite: Path) -> tuple[float, float, float, float]:
    """Give CPU seconds, wall seconds, peak megabytes and rows set aside of a process that judges the table."""
    program = [sys.executable, "-c", PROGRAM.format(way=way), str(table), str(suite)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    cpu, wall, peak, aside = json.loads(done.stdout)
    return cpu, wall, peak, aside


if __name__ == "__main__":
    main()
