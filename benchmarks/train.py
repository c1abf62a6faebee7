"""What training costs beside a bare script that reads the same file, fits the same candidates on the same folds, and measures the same.

Run: python benchmarks/train.py [ROWS...], by default 10000 and 100000. Prints CPU and wall seconds and the peak of memory,
and how many times those of the script training takes: of the CPU 1.7 times at 10,000 rows, 1.07 at 100,000 and 1.05 at
1,000,000, of the memory 1.9, 1.6 and 1.7 times. On a busy machine set OMP_WAIT_POLICY=PASSIVE, or the threads of the script
that wait for one another count as work, sevenfold.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from processes import HEADER, cost_of

USE_CASE = "target: y\ncandidates: [ridge, hist_gradient_boosting, random_forest]\n"
BARE = """
import numpy as np, pandas as pd
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score
from tasks.core import schema, search, splits
from tasks.core.candidates import candidates_for
from tasks.core.recipe import Recipe

df = pd.read_csv("rows.csv")
table = schema.infer_schema(df, target="y")
X, y = df[table.features], df["y"].to_numpy()
split = splits.split_by_hash(splits.hash_rows(X), "rows", splits.gate_size(len(df)))
fit, truth = X.iloc[split.fit], y[split.fit]
folds = list(splits.folds(splits.hash_rows(fit), is_ordered=False))
first, further = search.rungs([len(validate) for _, validate in folds])
losses = {}
for candidate in candidates_for("regression", ["ridge", "hist_gradient_boosting", "random_forest"]):
    for train, validate in (folds[place] for place in (*first, *further)):
        model = candidate.build(Recipe.of(table, fit.iloc[train], truth[train], 0))
        if "n_jobs" in model[-1].get_params():
            model[-1].set_params(n_jobs=-1)
        model.fit(fit.iloc[train], truth[train])
        losses.setdefault(candidate.name, []).append(mean_squared_error(truth[validate], model.predict(fit.iloc[validate])))
best = min(losses, key=lambda name: np.mean(losses[name]))
for name in (best, "dummy"):
    (candidate,) = [each for each in candidates_for("regression", [name]) if each.name == name]
    model = candidate.build(Recipe.of(table, fit, truth, 0))
    if "n_jobs" in model[-1].get_params():
        model[-1].set_params(n_jobs=-1)
    said, true = model.fit(fit, truth).predict(X.iloc[split.gate]), y[split.gate]
    rng = np.random.default_rng(0)
    draws = [rng.integers(0, len(true), len(true)) for _ in range(200)]
    for measure in (mean_squared_error, mean_absolute_error, r2_score):
        print(name, measure.__name__, measure(true, said), np.quantile([measure(true[d], said[d]) for d in draws], (0.025, 0.975)))
"""


def main() -> None:
    """Compare on tables of some sizes."""
    print(HEADER)
    for rows in [int(argument.replace("_", "")) for argument in sys.argv[1:]] or [10_000, 100_000]:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            table(rows).to_csv(folder / "rows.csv", index=False)
            (folder / "deployments" / "use_cases").mkdir(parents=True)
            (folder / "deployments" / "use_cases" / "rows.yaml").write_text(f"data: rows.csv\n{USE_CASE}", encoding="utf-8")
            cost_of(folder, "-m", "flows.train", "--use-case", "rows")  # makes the home, and answers what a first run asks of the disk
            bare, ours = cost_of(folder, "-c", BARE), cost_of(folder, "-m", "flows.train", "--use-case", "rows", "--again")
        print(bare.as_row(f"{rows:,} rows, bare script"))
        print(ours.as_row(f"{rows:,} rows, flows.train"))
        ratios = ours.cpu / bare.cpu, ours.wall / bare.wall, ours.largest / bare.largest
        print("times the script: {:.2f} of the CPU, {:.2f} of the time, {:.2f} of the memory".format(*ratios), flush=True)


def table(rows: int) -> pd.DataFrame:
    """Give a table of 17 numbers and 3 categories, with a target that depends on some of them."""
    random = np.random.default_rng(0)
    df = pd.DataFrame(random.normal(size=(rows, 17)).round(4), columns=[f"x{place:02d}" for place in range(17)])
    df = df.assign(**{f"kind{place}": random.choice(list("abcdefgh"), rows) for place in range(3)})
    return df.assign(y=(3 * df["x00"] + df["x01"] * df["x02"] + (df["kind0"] == "a") + random.normal(size=rows)).round(4))


if __name__ == "__main__":
    main()
