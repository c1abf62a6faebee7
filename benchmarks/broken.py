"""What a look at a champion says of broken deliveries: twelve kinds of damage in tables of a folder, each followed by the sound delivery.

Run: python benchmarks/broken.py FOLDER [TABLE...]. Of each CSV, the first two fifths of the rows are ingested in four deliveries and
trained on; the others come one after the other, first broken in one way, then as they were. A look after each must say `blocked` for the
first and go on with the second. Printed is what was said of each, and how many were right: on seven real tables all of them.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable

    from tasks.core.monitoring import MonitorReport

ROWS = 12_000  # of a table at most, those that came last
FIRST = 4
CASE = """target: {target}
key: [id]
candidates: [hist_gradient_boosting]
monitor: {{pictures: false}}
retrain: {{performance: 1000, prediction: 1, growth: 1000000, staleness: 100000}}
"""


def main() -> None:
    """Break the tables of a folder."""
    folder, *wanted = sys.argv[1:]
    sys.path.insert(0, str(Path(__file__).parents[1]))
    right = tried = 0
    for path in sorted(Path(folder).glob("*.csv")):
        if not wanted or path.stem in wanted:
            with tempfile.TemporaryDirectory() as name:
                found = break_table(path, Path(name))
            right, tried = right + sum(found), tried + len(found)
    print(f"{right} of {tried} are right")


def break_table(path: Path, folder: Path) -> list[bool]:
    """Say for each kind whether the broken delivery blocked and the sound one went on."""
    stand_in(folder)
    df = pd.read_csv(path, dtype=str).tail(ROWS).reset_index(drop=True)
    df.insert(0, "id", [f"{path.stem}-{place}" for place in range(len(df))])
    target = str(df.columns[-1])
    (folder / "deployments" / "use_cases").mkdir(parents=True)
    (folder / "deployments" / "use_cases" / "watched.yaml").write_text(CASE.format(target=f'"{target}"'), encoding="utf-8")
    first = int(0.4 * len(df))
    for place in np.array_split(np.arange(first), FIRST):
        deliver(write(folder, df.iloc[place]))
    train()
    look()
    others = np.array_split(np.arange(first, len(df)), len(KINDS))
    return [is_right(path.stem, kind, folder, df, others[place], target) for place, kind in enumerate(KINDS)]


def is_right(table: str, kind: str, folder: Path, df: pd.DataFrame, rows: np.ndarray, target: str) -> bool:
    """Deliver some rows broken and then as they are, and look after each."""
    sound = df.iloc[rows]
    deliver(write(folder, KINDS[kind](sound, df.iloc[rows - len(rows)], target)))
    broken = look()
    deliver(write(folder, sound))
    after = look()
    is_blocked, goes_on = broken.choice.outcome == "blocked", after.choice.outcome != "blocked" and after.window.rows == len(rows)
    print(f"  {table:<20}{kind:<28}{broken.choice.outcome:<9}{'goes on' if goes_on else after.state_message}")
    print(f"      {'; '.join(broken.choice.reasons)[:220]}", flush=True)
    return is_blocked and goes_on


def stand_in(folder: Path) -> None:
    """Let all state be in a folder, and what other settings say be left out."""
    for name in [name for name in os.environ if name.startswith(("EVERGREEN_", "PREFECT_", "MLFLOW_"))]:
        del os.environ[name]
    home = folder / ".evergreen"
    os.environ |= {"EVERGREEN_PROJECT": str(folder), "EVERGREEN_HOME": str(home), "EVERGREEN_RECORD": "false"}
    os.environ |= {"PREFECT_HOME": str(folder / "prefect"), "MLFLOW_TRACKING_URI": f"sqlite:///{home / 'mlflow.db'}"}
    os.chdir(folder)
    from tasks.adapters.home import bootstrap

    bootstrap()
    logging.getLogger("evergreen").setLevel(logging.ERROR)


def write(folder: Path, what: pd.DataFrame | str) -> Path:
    """Write a delivery."""
    path = folder / f"delivery-{len([*folder.glob('delivery-*')])}.csv"
    path.write_text(what if isinstance(what, str) else what.to_csv(index=False), encoding="utf-8")
    return path


def deliver(path: Path) -> None:
    """Ingest, whatever comes of it."""
    from flows.ingest import ingest
    from tasks.core.errors import EvergreenError
    from tasks.core.options import IngestOptions

    try:
        ingest(IngestOptions(use_case="watched", data=str(path)))
    except EvergreenError as error:
        logging.getLogger("evergreen").info("%s", error.message)


def train() -> None:
    """Train the champion."""
    from flows.train import train
    from tasks.core.options import TrainOptions

    train(TrainOptions(use_case="watched"))


def look() -> MonitorReport:
    """Look at it."""
    from flows.monitor import monitor
    from tasks.core.options import MonitorOptions

    return monitor(MonitorOptions(use_case="watched"))


# ---------------------------------------------------------------------------------------------------------------- damage


def numbers(df: pd.DataFrame, target: str) -> list[str]:
    """Give the columns of many different numbers, that of the most different ones first."""
    parsed = {name: pd.to_numeric(df[name], errors="coerce") for name in df.columns if name not in ("id", "ts", target)}
    return sorted(
        (name for name, values in parsed.items() if values.notna().any() and (values.notna() == df[name].notna()).all()),
        key=lambda name: -parsed[name].nunique(),
    )


def with_numbers(df: pd.DataFrame, target: str, change: Callable[[pd.Series], pd.Series]) -> pd.DataFrame:
    """Change the numbers of one column."""
    name = numbers(df, target)[0]
    return df.assign(**{name: change(pd.to_numeric(df[name])).astype(str)})


def swapped(df: pd.DataFrame, target: str) -> pd.DataFrame:
    """Write two columns under one another's names: those whose values differ most in size."""
    names = sorted(numbers(df, target), key=lambda name: pd.to_numeric(df[name]).median())
    return df.assign(**{names[0]: df[names[-1]], names[-1]: df[names[0]]})


def of_another_table(df: pd.DataFrame) -> pd.DataFrame:
    """Give rows of a table that nobody asked for."""
    draw = np.random.default_rng(0)
    return pd.DataFrame({"id": df["id"], "name": draw.choice(["ann", "bob"], len(df)), "salary": draw.normal(5000, 900, len(df)).round(2)})


def cut_off(df: pd.DataFrame) -> str:
    """Lose the second half of each line."""
    text = io.StringIO(df.to_csv(index=False))
    head = text.readline()
    return head + "".join(f"{line[: len(line) // 2]}\n" for line in text)


KINDS: dict[str, Callable[[pd.DataFrame, pd.DataFrame, str], pd.DataFrame | str]] = {
    "thousand times": lambda df, _, target: with_numbers(df, target, lambda values: values * 1000),
    "a hundredth": lambda df, _, target: with_numbers(df, target, lambda values: values / 100),
    "six in ten missing": lambda df, _, target: df.assign(
        **{numbers(df, target)[0]: df[numbers(df, target)[0]].where(np.random.default_rng(0).random(len(df)) > 0.6)}
    ),
    "constant": lambda df, _, target: with_numbers(df, target, lambda values: values * 0 + values.iloc[0]),
    "the same rows again": lambda df, before, _: before.assign(id=df["id"].to_numpy()[: len(before)]),
    "a column is missing": lambda df, _, target: df.drop(columns=numbers(df, target)[0]),
    "a column is renamed": lambda df, _, target: df.rename(columns={numbers(df, target)[0]: "renamed"}),
    "numbers came as words": lambda df, _, target: df.assign(
        **{numbers(df, target)[0]: np.resize(["low", "high", "n.a. (see mail)"], len(df))}
    ),
    "two columns swapped": lambda df, _, target: swapped(df, target),
    "lines are cut off": lambda df, _, __: cut_off(df),
    "another table": lambda df, _, __: of_another_table(df),
    "the target is constant": lambda df, _, target: df.assign(**{target: df[target].iloc[0]}),
}


if __name__ == "__main__":
    main()
