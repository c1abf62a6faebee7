"""What has come to a lake since it was last looked at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from tasks.adapters.lake import Lake
from tasks.core.lake.values import Terms

if TYPE_CHECKING:
    from pathlib import Path

    from tasks.adapters.lake.news import News


def at(day: float) -> datetime:
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day)


def rows(batch: str, *labels: float | None) -> pd.DataFrame:
    ids = pd.Series([f"{batch}{place}" for place in range(len(labels))], dtype="str")
    return pd.DataFrame({"id": ids, "x": np.arange(len(labels), dtype=float), "y": pd.Series(labels, dtype="float64")})


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Hold four rows, two with a label, the others with one a day later; then two rows more, one with a label."""
    lake = Lake(str(tmp_path), "wine", Terms(key=("id",), target="y"))
    lake.append("a", [rows("a", 1.0, 2.0, None, None)], arrived_at=at(0))
    lake.append_labels("l", [pd.DataFrame({"id": ["a2", "a1"], "y": [3.0, 9.0]})], arrived_at=at(1))
    lake.append("b", [rows("b", 5.0, None)], arrived_at=at(2))
    return lake


def told(news: News, most: int = 100) -> list[tuple[str, bool, float, float]]:
    return [
        (name, bool(is_new), float(label), float(lag))
        for came in news.chunks(most)
        for name, is_new, label, lag in zip(
            came.df["id"], came.is_new, came.df["y"].fillna(-1), np.nan_to_num(came.lag_s, nan=-1), strict=True
        )
    ]


def test_all_is_new_at_first_and_of_a_row_with_two_labels_the_last_counts(lake: Lake) -> None:
    news = lake.news()
    assert (news.rows, news.labelled, news.corrected) == (6, 4, 0)
    day = 86_400.0
    assert told(news) == [
        ("a0", True, 1.0, 0.0), ("a1", True, 9.0, day), ("a2", True, 3.0, day), ("a3", True, -1.0, -1.0),
        ("b0", True, 5.0, 0.0), ("b1", True, -1.0, -1.0),
    ]  # fmt: skip


def test_then_earlier_rows_come_that_have_a_first_label_and_corrections_do_not(lake: Lake) -> None:
    news = lake.news(rows_since=at(0), labels_since=at(0))
    assert (news.rows, news.labelled, news.corrected) == (2, 2, 1)
    assert told(news) == [("a2", False, 3.0, 86_400.0), ("b0", True, 5.0, 0.0), ("b1", True, -1.0, -1.0)]


def test_batches_of_the_very_same_second_are_told_apart(lake: Lake) -> None:
    moment = at(3)
    for place, batch in enumerate("cd"):
        lake.append(batch, [rows(batch, 1.0)], arrived_at=moment + timedelta(microseconds=place))
    assert [lake.news(rows_since=since, labels_since=since).batches for since in (at(2), moment)] == [{"c": 1, "d": 1}, {"d": 1}]


def test_rows_may_be_old_while_their_labels_still_wait_to_be_looked_at(lake: Lake) -> None:
    news = lake.news(rows_since=at(2), labels_since=at(0))
    assert (news.rows, news.labelled) == (0, 2)
    assert told(news) == [("a2", False, 3.0, 86_400.0), ("b0", False, 5.0, 0.0)]
    nothing = lake.news(rows_since=at(2), labels_since=at(2))
    assert (nothing.rows, nothing.labelled, told(nothing)) == (0, 0, [])


def test_of_many_rows_some_are_given_evenly_spread(lake: Lake) -> None:
    lake.append("c", [rows("c", *[1.0] * 50), rows("d", *[1.0] * 50)], arrived_at=at(3))
    given = [name for name, *_ in told(lake.news(rows_since=at(2), labels_since=at(2)), 10)]
    assert given == [f"{batch}{place}" for batch in "cd" for place in range(0, 50, 10)]
    assert lake.count_labelled() == 105
