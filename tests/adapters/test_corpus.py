"""The reader on the corpus of damage: what it must never do, and how much of it it must get right."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import pytest

from tasks.adapters import sources
from tasks.core.errors import EvergreenError
from tasks.core.reading import reader
from tasks.core.reading.cells import typed
from tasks.core.reading.terms import ReadingOptions
from tests.damage import Damaged, corpus

if TYPE_CHECKING:
    from tasks.core.reading.reader import Reading

Result = Literal["right", "set aside", "different", "silent", "refused"]
OPTIONS = ReadingOptions()
SPECTRUM = Path(__file__).parents[3] / "shared/data/dirty/csv-spectrum"


@dataclass(frozen=True)
class Outcome:
    """What the reader made of one file, held against the truth."""

    damaged: Damaged
    result: Result
    reading: Reading | None
    message: str = ""


def cells_of(values: pd.Series) -> list[str]:
    return ["" if pd.isna(value) else repr(value) if isinstance(value, float) else str(value) for value in values]


def rows_of(columns: list[list[str]]) -> list[tuple[str, ...]]:
    return list(zip(*columns, strict=True))


def truth_of(damaged: Damaged) -> list[tuple[str, ...]]:
    """Give the true cells with the types that they have on their own."""
    columns = [
        pd.Series(column, dtype="str", name=name) for name, column in zip(damaged.header, zip(*damaged.rows, strict=True), strict=True)
    ]
    return rows_of([cells_of(typed(column, np.arange(len(column)), OPTIONS).values) for column in columns])


def judge(damaged: Damaged, folder: Path) -> Outcome:
    path = folder / damaged.name
    path.write_bytes(damaged.content)
    try:
        reading = reader.read(sources.load(str(path), OPTIONS), OPTIONS, sources.split_columns)
    except EvergreenError as error:
        return Outcome(damaged, "refused", None, error.message)
    df, truth = reading.table.df, truth_of(damaged)
    found = rows_of([cells_of(df[name]) for name in df.columns])
    if found == truth:
        return Outcome(damaged, "right", reading)
    extra, missing = Counter(found) - Counter(truth), Counter(truth) - Counter(found)
    if not extra and missing.total() <= len(reading.aside):
        return Outcome(damaged, "set aside", reading)
    return Outcome(damaged, "silent" if reading.verdict == "exact" else "different", reading)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> list[Outcome]:
    folder = tmp_path_factory.mktemp("corpus")
    return [judge(damaged, folder) for damaged in corpus(seed=7)]


def count(outcomes: list[Outcome], result: Result) -> int:
    return sum(outcome.result == result for outcome in outcomes)


def test_nothing_is_silently_wrong(outcomes: list[Outcome]) -> None:
    assert [outcome.damaged.name for outcome in outcomes if outcome.result == "silent"] == []


def test_four_files_in_five_are_read_as_their_truth(outcomes: list[Outcome]) -> None:
    assert count(outcomes, "right") >= 0.8 * len(outcomes)


def test_a_repair_that_went_wrong_is_rare_and_told_with_its_lines(outcomes: list[Outcome]) -> None:
    wrong = [outcome for outcome in outcomes if outcome.result == "different" and not outcome.damaged.is_undecidable]
    assert len(wrong) <= 0.03 * len(outcomes), [outcome.damaged.name for outcome in wrong]
    for outcome in wrong:
        assert outcome.reading
        assert outcome.reading.repairs or outcome.reading.aside


def test_what_nobody_could_decide_is_refused_more_often_than_not(outcomes: list[Outcome]) -> None:
    undecidable = [outcome for outcome in outcomes if outcome.damaged.is_undecidable]
    assert count(undecidable, "refused") >= len(undecidable) / 2


def test_what_can_be_decided_is_seldom_refused(outcomes: list[Outcome]) -> None:
    decidable = [outcome for outcome in outcomes if not outcome.damaged.is_undecidable]
    refused = [outcome for outcome in decidable if outcome.result == "refused"]
    assert len(refused) <= 0.03 * len(decidable), [outcome.message for outcome in refused]


def test_a_clean_file_is_exact(outcomes: list[Outcome]) -> None:
    clean = [outcome for outcome in outcomes if outcome.damaged.kind == "clean"]
    assert clean
    assert all(outcome.reading and outcome.reading.verdict == "exact" and outcome.result == "right" for outcome in clean)


def test_a_refusal_is_one_sentence_about_the_file(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.message:
            assert outcome.damaged.name in outcome.message
            assert "\n" not in outcome.message


def test_every_row_is_kept_or_set_aside(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.reading:
            lines = [*outcome.reading.table.lines.tolist(), *(row.line for row in outcome.reading.aside)]
            assert len(lines) == outcome.reading.rows
