from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from tasks.adapters.sources import split_columns
from tasks.core.errors import DataRefusedError
from tasks.core.formats.source import Content
from tasks.core.preview import FilePreview, Told, as_csv
from tasks.core.reading import reader
from tasks.core.reading.blob import Blob
from tasks.core.reading.terms import ReadingOptions, SetAside
from tasks.core.schema import infer_schema
from tasks.core.table import Column, Table

if TYPE_CHECKING:
    from tasks.core.reading.reader import Reading

TEXT = "id,word,size\n" + "".join(f"{n},w{n % 2},{n}.5\n" for n in range(1, 31))
DAMAGED = "Sales\n" + TEXT.replace("5,w1,5.5\n", "5\n\n").replace("7,w1,7.5", "7;w1;7.5")


def reading_of(text: str, *, as_text: bool = False) -> Reading:
    return reader.read([Content("t.csv", "text", data=Blob(text.encode()))], ReadingOptions(), split_columns, as_text=as_text)


def preview_of(text: str, message: str = "", out: str = "") -> FilePreview:
    reading = reading_of(text)
    schema = None if message else infer_schema(reading.table.df)
    columns = schema.columns if schema else (Column("id", "number", "unused", ""),)
    return FilePreview.of("t.csv", reading, columns, schema, message, out)


def test_an_exact_file_is_one_screen() -> None:
    lines = preview_of(TEXT).as_text().splitlines()
    assert lines[0] == "t.csv · exact"
    assert lines[1] == "  format    csv, utf-8, commas, with header"
    assert lines[2] == "  rows      30 read = 30 kept + 0 set aside"
    assert lines[3].startswith("  trains    ")
    assert [line.split()[0] for line in lines[4:]] == ["id", "word", "size"]


def test_repairs_and_rows_set_aside_are_told_with_their_lines() -> None:
    text = preview_of(DAMAGED).as_text()
    assert "t.csv · repaired" in text
    assert "  rows      30 read = 29 kept + 1 set aside" in text
    assert "  repaired  preamble: lines before the table were passed over (line 1)" in text
    assert "  repaired  row delimiter: the row has another delimiter than the rest (line 10)" in text
    assert "  set aside line 7: 1 cell where the table has 3: '5'" in text


def test_a_refused_file_is_its_sentence() -> None:
    preview = FilePreview.refused("t.csv", DataRefusedError("t.csv is empty", where="t.csv"))
    assert preview.as_text() == "t.csv · refused\n  t.csv is empty"
    line = preview.as_json()
    assert (line["verdict"], line["message"], line["dialect"], line["task"]) == ("refused", "t.csv is empty", {}, None)
    assert line["rows"] == {"read": 0, "kept": 0, "quarantined": 0}


def test_a_file_that_cannot_be_trained_on_says_why() -> None:
    assert "  trains    not as it is: too few rows" in preview_of(TEXT, message="too few rows").as_text()


def test_json_accounts_for_every_row() -> None:
    line = json.loads(json.dumps(preview_of(DAMAGED, out="out/t.csv").as_json()))
    assert line["rows"] == {"read": 30, "kept": 29, "quarantined": 1}
    assert line["quarantined"] == [{"line": 7, "text": "5", "reason": "1 cell where the table has 3"}]
    assert {"code": "blank_lines", "lines": [8], "detail": "lines that hold nothing between the rows were passed over"} in line["repairs"]
    assert [column["name"] for column in line["columns"]] == ["id", "word", "size"]
    assert (line["out"], line["dialect"]["delimiter"]) == ("out/t.csv", ",")


def test_a_long_list_is_cut_and_its_rest_is_counted() -> None:
    reading = reading_of(TEXT)
    aside = tuple(SetAside(n, "x" * 99, "odd") for n in range(2, 1503))
    columns = tuple(Column(f"c{n}", "number", "feature", "") for n in range(40))
    preview = FilePreview("t.csv", "repaired", "no", reading.dialect, 2000, (), aside, columns)
    text = preview.as_text()
    assert "and 1496 more rows set aside" in text
    assert "… 28 more columns" in text
    assert max(map(len, text.splitlines())) < 100
    assert len(preview.as_json()["quarantined"]) == 1000
    assert preview.as_json()["rows"] == {"read": 2000, "kept": 499, "quarantined": 1501}


def test_as_text_writes_the_cells_exactly_as_they_stood() -> None:
    rows = [["id", "Size (kg)", "when"], *[[f"00{n}", "1.234,50", f"0{n}/04/2024"] for n in range(1, 6)], ["006", " ?", 'say "x"\n, y']]
    text = io.StringIO()
    csv.writer(text, delimiter=";").writerows(rows)
    written = "".join(as_csv(reading_of(text.getvalue(), as_text=True), as_text=True))
    assert list(csv.reader(io.StringIO(written, newline=""))) == rows


@pytest.mark.parametrize(
    ("values", "cells"),
    [
        ([1.0, 2.5, None], ["1", "2.5", ""]),
        ([1e16, 0.1, -0.0], ["1e+16", "0.1", "0"]),
        (pd.to_datetime(["2024-01-31", None]), ["2024-01-31", ""]),
        (pd.to_datetime(["2024-01-31 10:30", "2024-02-01 00:00"]), ["2024-01-31 10:30:00", "2024-02-01 00:00:00"]),
        (["a,b", 'c"', None], ["a,b", 'c"', ""]),
    ],
)
def test_values_are_written_so_that_they_are_read_back(values: object, cells: list[str]) -> None:
    df = pd.DataFrame({"n": range(len(cells)), "v": values})
    content = Content("t", "parquet", table=Table.of(df, "t", np.arange(1, len(df) + 1)))
    table = reader.read([content], ReadingOptions(), split_columns)
    assert [row[1] for row in list(csv.reader(io.StringIO("".join(as_csv(table, as_text=False)))))[1:]] == cells


def test_an_answer_of_one_sentence_is_that_sentence() -> None:
    assert (Told("done").as_text(), Told("done").as_json()) == ("done", {"message": "done"})
