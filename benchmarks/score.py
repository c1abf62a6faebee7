"""What scoring a large table costs, beside a bare script that reads it in chunks, predicts with the same kind of model and writes Parquet.

Run: python benchmarks/score.py [ROWS]. Trains a champion on 20,000 rows of 20 columns in a temporary folder, then
`python -m flows.score` predicts ROWS others (1,000,000 if none are given). Prints CPU and wall seconds and the peak of the
resident memory, of all processes together (the Prefect server among them) and of the largest one.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from processes import HEADER, cost_of

CHUNK = 100_000
TRAINED = 20_000
BARE = """
import pandas as pd, pyarrow as pa
from pyarrow import parquet
from sklearn.ensemble import HistGradientBoostingRegressor
seen = pd.read_csv("seen.csv").astype({"kind": "category"})
model = HistGradientBoostingRegressor(categorical_features="from_dtype").fit(seen.drop(columns="y"), seen["y"])
writer = None
for chunk in pd.read_csv("new.csv", chunksize=100_000, dtype={"kind": seen["kind"].dtype}):
    rows = pa.Table.from_pandas(pd.DataFrame({"id": chunk["id"], "prediction": model.predict(chunk)}), preserve_index=False)
    writer = writer or parquet.ParquetWriter("bare.parquet", rows.schema)
    writer.write_table(rows)
writer.close()
"""


def main() -> None:
    """Train, score in both ways, and print the table."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "seen.csv", TRAINED, seed=0, target=True)
        write(folder / "new.csv", rows, seed=1, target=False)
        (folder / "deployments/use_cases").mkdir(parents=True)
        use_case = "data: seen.csv\ntarget: y\nkey: [id]\ncandidates: [hist_gradient_boosting]\n"
        (folder / "deployments/use_cases/parts.yaml").write_text(use_case, encoding="utf-8")
        cost_of(folder, "-m", "flows.train", "--use-case", "parts", "--no-record")
        print(f"{rows:,} rows x 20 columns, {(folder / 'new.csv').stat().st_size / 1e9:.2f} GB\n{HEADER}", flush=True)
        bare = cost_of(folder, "-c", BARE)
        print(bare.as_row("bare script"), flush=True)
        ours = cost_of(folder, "-m", "flows.score", "new.csv", "--use-case", "parts", "--out", "predictions.parquet")
        print(ours.as_row("flows.score"))
    print(f"CPU x {ours.cpu / bare.cpu:.2f}, wall x {ours.wall / bare.wall:.2f}, memory x {ours.largest / bare.largest:.2f}")


def write(path: Path, rows: int, *, seed: int, target: bool) -> None:
    """Write a table of a key, 18 numbers and a kind, and the target where it is asked for."""
    import numpy as np
    import pandas as pd

    draw = np.random.default_rng(seed)
    for start in range(0, rows, CHUNK):
        size = min(CHUNK, rows - start)
        numbers = draw.normal(size=(size, 18)).round(4)
        df = pd.DataFrame(numbers, columns=[f"x{place}" for place in range(18)])
        df.insert(0, "id", np.arange(start, start + size))
        df["kind"] = draw.choice(["a", "b", "c"], size)
        if target:
            df["y"] = numbers[:, 0] + numbers[:, 1] ** 2 + (df["kind"] == "a") + draw.normal(0, 0.1, size)
        df.to_csv(path, mode="a", header=not start, index=False)


if __name__ == "__main__":
    main()
