"""One table as people deliver it in five formats: wherever its values come from, they are the same to lake and model."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import yaml

from tasks.adapters.lake import Lake

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Clerk, Desk

ROWS = 60


def flats(rows: int = ROWS, seed: int = 5) -> pd.DataFrame:
    """Simulate offers; the key holds digits alone."""
    draw = np.random.default_rng(seed)
    lift, size = draw.integers(0, 2, rows).astype(bool), draw.uniform(40, 140, rows).round(1)
    seen = pd.date_range("2024-01-01", periods=rows, freq="7D")
    keys, kinds = [str(1000 + n) for n in range(rows)], draw.choice(["a", "b"], rows)
    return pd.DataFrame({"id": keys, "lift": lift, "size": size, "seen": seen, "kind": kinds, "let": lift | (size > 90)})


def write(df: pd.DataFrame, folder: Path, name: str, kind: str) -> list[str]:
    """Write rows as programs of each kind do, some cells empty, and say how they are named."""
    df = df.astype({"lift": "boolean"})
    df.loc[df.index[3], ["lift", "size", "kind"]] = [None, None, None]
    path = folder / f"{name}.{kind}"
    if kind == "csv":
        df.to_csv(path, index=False)
    elif kind == "parquet":
        df.to_parquet(path, index=False)
    elif kind == "jsonl":
        df.to_json(path, orient="records", lines=True, date_format="iso")
    elif kind == "xlsx":
        df.astype({"id": "int64"}).to_excel(path, index=False)
    else:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE flats (id TEXT, lift BOOLEAN, size REAL, seen TEXT, kind TEXT, let BOOLEAN)")
            df.assign(seen=df["seen"].astype(str)).to_sql("flats", connection, if_exists="append", index=False)
        return [f"sqlite:///{path}", "--read", "query=SELECT * FROM flats"]
    return [str(path)]


FORMATS = ("csv", "parquet", "jsonl", "xlsx", "db")


def begin(desk: Desk, **values: object) -> None:
    path = desk.folder / "deployments" / "use_cases" / "flats.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump({"key": ["id"], "target": "let", **values}), encoding="utf-8")


def write_suite(desk: Desk, *expectations: dict[str, object]) -> None:
    path = desk.folder / "expectations" / "flats.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"name": "flats", "expectations": expectations}), encoding="utf-8")


def ingest(clerk: Clerk, *arguments: str) -> str:
    done = clerk.run("ingest", *arguments, "--use-case", "flats")
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def rows_of(desk: Desk) -> pd.DataFrame:
    lake = Lake(str(desk.home / "lake"), "flats")
    lake = Lake(str(desk.home / "lake"), "flats", lake.begun_with())
    return lake.read(lake.snapshot())


@pytest.mark.parametrize("first", FORMATS)
def test_a_table_that_was_taken_in_is_known_in_every_format(clerk: Clerk, first: str) -> None:
    begin(clerk.desk)
    ingest(clerk, *write(flats(), clerk.desk.folder, "first", first))
    for again in FORMATS:
        told = ingest(clerk, *write(flats(), clerk.desk.folder, f"again-{again}", again))
        assert "nothing was done" in told, (again, told)
    rows = rows_of(clerk.desk)
    assert (len(rows), set(rows["lift"].dropna()), set(rows["let"])) == (ROWS, {"true", "false"}, {"true", "false"})


def test_a_model_predicts_the_same_for_rows_in_every_format(clerk: Clerk) -> None:
    begin(clerk.desk, candidates=["logistic"])
    done = clerk.run("train", *write(flats(400), clerk.desk.folder, "rows", "parquet"), "--use-case", "flats")
    assert done.returncode == 0, done.stderr
    scored = {kind: scores(clerk, kind) for kind in FORMATS}
    assert list(scored["csv"].columns) == ["id", "prediction", "proba_false", "proba_true"]
    for kind in FORMATS:
        pd.testing.assert_frame_equal(scored[kind], scored["csv"])
    digits = pd.read_csv(*write(flats(), clerk.desk.folder, "spelled", "csv")).replace({"lift": {True: 1, False: 0}})
    digits.to_csv(clerk.desk.folder / "digits.csv", index=False)
    pd.testing.assert_frame_equal(scores(clerk, "csv", "digits.csv"), scored["csv"])


def scores(clerk: Clerk, kind: str, *named: str) -> pd.DataFrame:
    out = clerk.desk.folder / "predicted.csv"
    rows = named or write(flats(), clerk.desk.folder, f"new-{kind}", kind)
    done = clerk.run("score", *rows, "--use-case", "flats", "--out", str(out))
    assert done.returncode == 0, done.stderr
    predicted = pd.read_csv(out, dtype=str)
    out.unlink()
    return predicted.drop(columns=["line", "version", "prediction_id"])


def test_what_the_suite_calls_text_may_begin_with_digits_alone_and_one_bad_cell_is_one_row(clerk: Clerk) -> None:
    begin(clerk.desk, target="price")
    types = {"id": "str", "size": "float64", "kind": "str", "lift": "str"}
    write_suite(
        clerk.desk,
        *(
            {"type": "expect_column_values_to_be_of_type", "kwargs": {"column": name, "type_": kind}, "severity": "critical"}
            for name, kind in types.items()
        ),
    )
    (clerk.desk.folder / "one.csv").write_text(
        "id,size,kind,lift,price\n1000,70,3,True,1\n1001,eighty,3,True,2\n1002,90,4,False,3\n", encoding="utf-8"
    )
    assert "3 read = 2 labelled + 0 unlabelled + 1 quarantined" in ingest(clerk, "one.csv")
    (clerk.desk.folder / "labels.csv").write_text("id,price\n1000,5\n1002,much\n", encoding="utf-8")
    assert "2 read = 1 labelled + 0 unlabelled + 1 quarantined" in ingest(clerk, "--labels", "labels.csv")
    rows = rows_of(clerk.desk)
    assert rows.to_dict("list") == {
        "id": ["1000", "1002"],
        "size": [70, 90],
        "kind": ["3", "4"],
        "lift": ["true", "false"],
        "price": [5, 3],
    }


def test_a_bad_cell_of_a_source_with_types_is_one_row_and_comes_back_mended(clerk: Clerk) -> None:
    begin(clerk.desk)
    ingest(clerk, *write(flats(), clerk.desk.folder, "first", "parquet"))
    more = flats(62)[ROWS:].astype({"size": object, "seen": str})
    more.loc[61, "size"] = "large"
    more.to_json(clerk.desk.folder / "more.jsonl", orient="records", lines=True)
    assert "2 read = 1 labelled + 0 unlabelled + 1 quarantined" in ingest(clerk, "more.jsonl")
    (sheet,) = (clerk.desk.home / "quarantine" / "flats").glob("*.csv")
    mended = pd.read_csv(sheet, dtype=str).assign(size="88", lift="TRUE")
    assert mended["_reasons"].tolist() == ["column 'size': 'large' among numbers"]
    mended.to_csv(clerk.desk.folder / "mended.csv", index=False)
    ingest(clerk, "mended.csv")
    assert rows_of(clerk.desk).iloc[-1][["id", "lift", "size"]].tolist() == ["1061", "true", 88]


def test_labels_that_come_alone_are_true_and_false_however_they_are_spelled(clerk: Clerk) -> None:
    begin(clerk.desk)
    ingest(clerk, *write(flats(), clerk.desk.folder, "first", "parquet"))
    for name, labels in (("words", "id,let\n 1000,TRUE\n1001,False\n1002,maybe\n"), ("digits", "id,let\n1003,1\n1004,0\n")):
        (clerk.desk.folder / f"{name}.csv").write_text(labels, encoding="utf-8")
        ingest(clerk, "--labels", f"{name}.csv")
    assert rows_of(clerk.desk)["let"].tolist()[:5] == ["true", "false", "maybe", "true", "false"]
