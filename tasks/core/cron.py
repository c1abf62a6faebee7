"""Cron as schedules write it: five fields, checked before a server is asked to keep them."""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from itertools import pairwise

FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
NAMES = {
    "month": ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    "weekday": ("sun", "mon", "tue", "wed", "thu", "fri", "sat"),
}
PART = re.compile(r"(?:\*|(?P<low>[a-z]+|[0-9]+)(?:-(?P<high>[a-z]+|[0-9]+))?)(?:/(?P<step>[0-9]+))?")
EXPECTED = 'cron has five fields, minute hour day month weekday, such as "0 3 * * 1" for Mondays at three'


def problem_of(text: str) -> str:
    """Say what keeps a text from being cron; empty when nothing does.

    >>> problem_of("*/15 6-22 * * mon-fri")
    ''
    >>> problem_of("0 25 * * *").partition(";")[0]
    "the hour is '25', and goes from 0 to 23"
    """
    given = text.split()
    if len(given) != len(FIELDS):
        return f"it has {len(given)} field{'s' if len(given) != 1 else ''}; {EXPECTED}"
    for (name, low, high), field in zip(FIELDS, given, strict=True):
        if not all(_is_part(part, name, low, high) for part in field.lower().split(",")):
            return f"the {name} is '{field}', and goes from {low} to {high}; {EXPECTED}"
    return ""


def longest_gap_minutes(text: str) -> int:
    """Give the longest time between two runs of a schedule, over all years that there can be.

    >>> longest_gap_minutes("*/15 6-22 * * *"), longest_gap_minutes("0 3 * * mon") // 60 // 24
    (435, 7)
    """
    start = date(2000, 1, 1)  # the next 28 years hold each weekday of each date, the 29th of February included
    due = [number for number in range(28 * 366) if _is_due(text, start + timedelta(days=number))]
    times = _times(text)
    within = max((late - early for early, late in pairwise(times)), default=0)
    between = max((late - early for early, late in pairwise(due)), default=366)
    return max(within, between * 24 * 60 - times[-1] + times[0])


def next_after(text: str, moment: datetime) -> datetime | None:
    """Give the next time in UTC that a schedule is due after a moment in UTC; None where there is none in 28 years.

    >>> from datetime import UTC
    >>> str(next_after("30 6 * * mon-fri", datetime(2026, 11, 27, 6, 30, tzinfo=UTC)))
    '2026-11-30 06:30:00+00:00'
    """
    for number in range(28 * 366):
        day = datetime.combine(moment.date() + timedelta(days=number), time(), tzinfo=moment.tzinfo)
        if _is_due(text, day.date()):
            later = (due for minutes in _times(text) if (due := day + timedelta(minutes=minutes)) > moment)
            if (found := next(later, None)) is not None:
                return found
    return None


def _times(text: str) -> list[int]:
    """List the minutes of a day on which a schedule is due."""
    minutes, hours = (_values(*kind, field) for kind, field in zip(FIELDS[:2], text.split()[:2], strict=True))
    return sorted(hour * 60 + minute for hour in hours for minute in minutes)


def _is_due(text: str, day: date) -> bool:
    fields = text.split()
    days, months, weekdays = (_values(*kind, field) for kind, field in zip(FIELDS[2:], fields[2:], strict=True))
    fits = (day.day in days, day.isoweekday() % 7 in {one % 7 for one in weekdays})
    # As cron has it: where both the day and the weekday are limited, either will do.
    is_either = fields[2][0] != "*" and fields[4][0] != "*"
    return day.month in months and (any(fits) if is_either else all(fits))


def _values(name: str, low: int, high: int, field: str) -> set[int]:
    found: set[int] = set()
    for part in field.lower().split(","):
        match = PART.fullmatch(part)
        first, last, step = match.group("low", "high", "step") if match else (None, None, None)
        begin = low if first is None else _number(first, name, low)
        end = high if first is None or (step and last is None) else _number(last or first, name, low)
        found.update(range(begin, end + 1, int(step or 1)))
    return found


def _is_part(text: str, name: str, low: int, high: int) -> bool:
    found = PART.fullmatch(text)
    if found is None:
        return False
    first, last, step = (found[group] for group in ("low", "high", "step"))
    ends = [_number(end, name, low) for end in (first, last) if end is not None]
    return all(low <= end <= high for end in ends) and ends == sorted(ends) and (step is None or 0 < int(step) <= high)


def _number(text: str, name: str, low: int) -> int:
    """Give the number of a name or numeral; -1 for neither."""
    if text.isdecimal():
        return int(text)
    known = NAMES.get(name, ())
    return known.index(text) + low if text in known else -1
