"""Values of personal columns are where rows are kept, and nowhere else, whatever is wrong with them."""

from __future__ import annotations

import io
import json
import sqlite3
import zipfile
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import yaml
from pyarrow import parquet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Desk

ROWS = 60
SECRET, AMOUNT = "zsecretq", 73915264  # each personal cell holds one of them
KEPT_IN = {"lake", "quarantine", "held", "snapshots"}
SUITE = {
    "name": "people",
    "expectations": [
        {"type": "expect_column_values_to_be_unique", "kwargs": {"column": "mail", "mostly": 0.5}, "severity": "critical"},
        {"type": "expect_column_values_to_match_regex", "kwargs": {"column": "mail", "regex": "@", "mostly": 0.5}, "severity": "critical"},
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "income", "min_value": 1000}, "severity": "critical"},
    ],
}


def people(seed: int) -> pd.DataFrame:
    """Simulate people; each file has people of its own."""
    draw = np.random.default_rng(seed)
    age = draw.integers(18, 80, ROWS)
    mail = [f"{SECRET}{seed}.{n}@example.org" for n in range(ROWS)]
    income = [f"{AMOUNT}{seed}{n:02}" for n in range(ROWS)]
    return pd.DataFrame({"mail": mail, "income": income, "age": age, "score": (age * 2 + draw.normal(size=ROWS)).round(2)})


def damaged() -> Iterator[tuple[str, str]]:
    """Yield files that are wrong in ways of their own."""
    yield "a-good.csv", people(1).to_csv(index=False)
    yield "b-type.csv", people(2).assign(income=lambda df: df["income"].where(df.index != 5, f"{SECRET} a month")).to_csv(index=False)
    half = people(3).assign(income=lambda df: df["income"].where(df.index % 2 == 0, f"{SECRET} unknown"))
    yield "c-text.csv", half.to_csv(index=False)
    yield "d-long.csv", people(4).assign(mail=lambda df: df["mail"] * 2000).to_csv(index=False)
    twice = people(5)
    yield "e-twice.csv", pd.concat([twice, twice.tail(3)]).to_csv(index=False)
    yield "f-cells.csv", people(6).to_csv(index=False) + f"{SECRET}, of {SECRET},{AMOUNT}600,33,66\n{SECRET}\n"
    yield "g-header.csv", "".join(f"{SECRET} {n},{SECRET}\n" for n in range(4))
    yield "h-rule.csv", people(7).assign(mail=lambda df: df["mail"].where(df.index > 3, f"{SECRET} at home")).to_csv(index=False)
    yield "i-rule.csv", people(8).assign(mail=lambda df: f"{SECRET} of " + df.index.astype(str)).to_csv(index=False)
    yield "j-quote.csv", people(9).to_csv(index=False).replace(f"{SECRET}9.7@", f'"{SECRET}9.7@', 1)
    yield "k-same.csv", people(10).assign(age=40).to_csv(index=False) + f"{SECRET}10.x,{AMOUNT}1099,forty,80\n"
    yield "l-missing.csv", people(11).assign(mail=None).to_csv(index=False) + f",{AMOUNT}1199,44,88\n"
    yield "m-rows.json", json.dumps([*people(12).to_dict("records"), {"mail": {SECRET: SECRET}, "income": [AMOUNT], "age": 3, "score": 1}])
    yield "n-broken.json", '[{"mail": "' + SECRET + '", "income": ' + str(AMOUNT) + "},"
    yield "o-columns.csv", people(13).assign(Mail=f"{SECRET} other", telephone=AMOUNT).to_csv(index=False)
    yield "p-mixed.csv", people(14).assign(income=lambda df: df["income"].where(df.index > 8, "1.234,5" + str(AMOUNT))).to_csv(index=False)
    yield "q-dates.csv", people(15).assign(income=f"01/02/{AMOUNT}").to_csv(index=False)


def is_told(text: str) -> bool:
    digits = (str(AMOUNT), f"{AMOUNT / 1e7:.6g}", f"{AMOUNT / 1e7:.4g}e+")
    return SECRET in text.casefold() or any(sign in text.replace(",", "") for sign in digits)


def contents(path: Path) -> Iterator[str]:
    """Yield all that a file holds, unpacked."""
    data = path.read_bytes() if path.exists() else b""  # SQLite removes what it keeps beside a database with the last who closes it
    if data[:4] == b"PAR1":
        yield parquet.read_table(path).to_pandas().to_csv()
    elif data[:16].startswith(b"SQLite format 3"):
        with closing(sqlite3.connect(path)) as connection:
            yield from connection.iterdump()
    elif zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            yield from (packed.read(name).decode("utf-8", errors="replace") for name in packed.namelist())
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        yield data.decode(encoding, errors="replace")


def test_values_of_personal_columns_are_told_nowhere(desk: Desk) -> None:
    use_case = {"key": ["mail"], "target": "score", "pii": ["mail", "income"], "landing": "landing", "candidates": ["ridge"]}
    for folder, name, text in (
        ("deployments/use_cases", "people.yaml", yaml.safe_dump(use_case)),
        ("expectations", "people.json", json.dumps(SUITE)),
    ):
        (desk.folder / folder).mkdir(parents=True)
        (desk.folder / folder / name).write_text(text, encoding="utf-8")
    incoming = desk.folder / "landing" / "incoming"
    incoming.mkdir(parents=True)
    for name, text in damaged():
        (incoming / name).write_text(text, encoding="utf-8")
    told = [desk.run("-m", "flows.ingest", "--use-case", "people", "--json")]
    for sheet in (desk.home / "quarantine" / "people").glob("*.csv"):
        (incoming / f"mended-{sheet.name}").write_bytes(sheet.read_bytes())
    told += [desk.run("-m", "flows.ingest", "--use-case", "people"), desk.run("-m", "flows.train", "--use-case", "people", "--json")]
    files = [path for path in desk.home.rglob("*") if path.is_file()]
    holding = {path.relative_to(desk.home).parts for path in files if any(map(is_told, contents(path)))}
    assert {parts[0] for parts in holding} == KEPT_IN
    assert [done.returncode for done in told] == [3, 3, 0]
    assert not [done for done in told if is_told(done.stdout + done.stderr)]
    # What a search must have seen: the record of these runs in Prefect and MLflow, and the pages.
    searched = {path.name for path in files}
    assert {"prefect.db", "mlflow.db", "ledger.db", "1.html"} <= searched, searched
    assert any("people-batch" in text for path in files if path.name == "prefect.db" for text in contents(path))
