"""What has come to a lake since it was last looked at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from tasks.adapters.lake import Lake
from tasks.core.lake.keys import RowKeys
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


# ------------------------------------------------------------------------------------------------- rows that no key names


@pytest.fixture
def nameless(tmp_path: Path) -> Lake:
    """Hold two equal rows and another one, each with its label, which was looked at."""
    lake = Lake(str(tmp_path), "dice", Terms(target="y"))
    lake.append("a", [cells("a", "a", "b", y=["no", "no", "yes"])], arrived_at=at(0))
    return lake


def cells(*texts: str, y: list[str | None] | None = None) -> pd.DataFrame:
    df = pd.DataFrame({"x": pd.Series(texts, dtype="str")})
    return df if y is None else df.assign(y=pd.Series(y, dtype="str"))


def late(lake: Lake, batch: str, rows: pd.DataFrame, day: float, **labels: str) -> None:
    """Label some cells of rows by the names that the lake has for them."""
    label = rows["x"].map(labels)
    named = pd.DataFrame({"row_key": RowKeys().of(rows), "y": label})[label.notna()]
    lake.append_labels(batch, [named], arrived_at=at(day))


def counted(news: News) -> tuple[int, int, int]:
    return news.rows, news.labelled, news.corrected


def seen(news: News) -> list[tuple[str, bool, str, float]]:
    """Tell cell, whether the row is new, its new label, and after how many days it came."""
    return [
        (text, bool(is_new), label, lag / 86_400)
        for came in news.chunks(100)
        for text, is_new, label, lag in zip(
            came.df["x"], came.is_new, came.df["y"].fillna(""), np.nan_to_num(came.lag_s, nan=-86_400), strict=True
        )
    ]


def test_rows_that_equal_earlier_ones_are_new_rows_with_new_labels(nameless: Lake) -> None:
    assert counted(nameless.news()) == (3, 3, 0)
    nameless.append("b", [cells("b", "a", "a", "c", y=["yes", "no", "no", "no"])], arrived_at=at(1))
    news = nameless.news(rows_since=at(0), labels_since=at(0))
    assert counted(news) == (4, 4, 0)
    assert seen(news) == [("b", True, "yes", 0), ("a", True, "no", 0), ("a", True, "no", 0), ("c", True, "no", 0)]
    assert counted(nameless.news(rows_since=at(1), labels_since=at(1))) == (0, 0, 0)


def test_the_same_rows_again_are_as_many_labels_again_and_none_of_them_waited(nameless: Lake) -> None:
    for day in (1, 2):
        nameless.append(f"again-{day}", [cells("a", "a", "b", y=["no", "no", "yes"])], arrived_at=at(day))
    news = nameless.news(rows_since=at(0), labels_since=at(0))
    assert counted(news) == (6, 6, 0)
    assert [(label, lag) for _, _, label, lag in seen(news)] == 2 * [("no", 0), ("no", 0), ("yes", 0)]
    assert {came for part in news.chunks(100) for came in part.arrived_us.tolist()} == {at(day).timestamp() * 1e6 for day in (1, 2)}


def test_labels_that_wait_to_be_looked_at_are_of_the_rows_that_they_came_with(nameless: Lake) -> None:
    nameless.append("b", [cells("a", "c", y=["no", None])], arrived_at=at(1))
    nameless.append("c", [cells("a", y=["no"])], arrived_at=at(2))
    news = nameless.news(rows_since=at(1), labels_since=at(0))
    assert counted(news) == (1, 2, 0)
    assert seen(news) == [("a", False, "no", 0), ("a", True, "no", 0)]


def test_late_labels_are_the_first_of_rows_that_came_since_others_did_for_rows_like_them(nameless: Lake) -> None:
    rows = cells("a", "a", "b", "c")
    for week in (1, 2):
        nameless.append(f"rows-{week}", [rows], arrived_at=at(7 * week))
        late(nameless, f"labels-{week}", rows, 7 * week + 3, a="no", b=f"week {week}")
        news = nameless.news(rows_since=at(7 * week), labels_since=at(7 * week - 4 if week > 1 else 0))
        assert counted(news) == (0, 3, 0)
        assert seen(news) == [("a", False, "no", 3), ("a", False, "no", 3), ("b", False, f"week {week}", 3)]
    assert counted(nameless.news(rows_since=at(17), labels_since=at(17))) == (0, 0, 0)


def test_labels_that_come_later_for_rows_that_have_one_are_corrections(nameless: Lake) -> None:
    rows = cells("a", "c", "a")
    nameless.append("b", [rows], arrived_at=at(1))
    late(nameless, "l", rows, 2, a="no")
    late(nameless, "m", cells("a", "a", "b", y=["no", "no", "yes"]), 3, b="no")
    nameless.append("c", [cells("b", y=["yes"])], arrived_at=at(4))
    late(nameless, "n", rows, 5, a="yes", c="no")
    assert counted(nameless.news(rows_since=at(1), labels_since=at(1))) == (1, 4, 1)
    then = nameless.news(rows_since=at(2), labels_since=at(2))
    assert counted(then) == (1, 2, 3)
    assert seen(then) == [("c", False, "no", 4), ("b", True, "yes", 0)]
    assert counted(nameless.news(rows_since=at(4), labels_since=at(2))) == (0, 2, 2), "corrections count once, labels that wait again"


def test_a_label_is_of_no_row_that_came_after_it(nameless: Lake) -> None:
    nameless.append("b", [cells("c")], arrived_at=at(1))
    late(nameless, "l", cells("c"), 2, c="yes")
    nameless.append("c", [cells("c")], arrived_at=at(3))
    news = nameless.news(rows_since=at(0), labels_since=at(0))
    assert counted(news) == (2, 1, 0)
    assert seen(news) == [("c", True, "yes", 1), ("c", True, "", -1)]
