"""What passes for cron here is cron for Prefect."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.client.schemas.schedules import CronSchedule

from tasks.core.cron import EXPECTED, FIELDS, NAMES, problem_of


def parts(name: str, low: int, high: int) -> st.SearchStrategy[str]:
    numbers = st.integers(low - 1, high + 2).map(str)
    ends = numbers | st.sampled_from(NAMES[name]) if name in NAMES else numbers
    whole = st.just("*") | ends | st.tuples(ends, ends).map("-".join)
    return whole | st.tuples(whole, numbers).map("/".join)


FIELD_TEXTS = [st.just("*") | st.lists(parts(*field), min_size=1, max_size=2).map(",".join) for field in FIELDS]


@given(st.tuples(*FIELD_TEXTS).map(" ".join))
def test_what_passes_prefect_takes(text: str) -> None:
    if not problem_of(text):
        assert CronSchedule(cron=text).cron == text


@pytest.mark.parametrize("text", ["0 3 * * 1", "*/15 6-22 * * mon-fri", "0 0 1 jan,JUL *", "5/20 * * * 7", "0,30 * 1-15/2 * *"])
def test_what_people_write_passes(text: str) -> None:
    assert problem_of(text) == ""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "it has 0 fields"),
        ("hourly", "it has 1 field"),
        ("@daily", "it has 1 field"),
        ("0 0 3 * * 1", "it has 6 fields"),
        ("60 * * * *", "the minute is '60', and goes from 0 to 59"),
        ("0 3pm * * *", "the hour is '3pm', and goes from 0 to 23"),
        ("0 3 0 * *", "the day is '0', and goes from 1 to 31"),
        ("0 3 * mon *", "the month is 'mon', and goes from 1 to 12"),
        ("0 3 * * 5-1", "the weekday is '5-1', and goes from 0 to 7"),
        ("*/0 * * * *", "the minute is '*/0', and goes from 0 to 59"),
        ("0 3 * * 1,", "the weekday is '1,', and goes from 0 to 7"),
        ("٣ * * * *", "the minute is '٣', and goes from 0 to 59"),
    ],
)
def test_what_is_no_cron_is_told_by_its_field(text: str, told: str) -> None:
    assert problem_of(text) == f"{told}; {EXPECTED}"
