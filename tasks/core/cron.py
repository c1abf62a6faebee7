"""Cron as schedules write it: five fields, checked before a server is asked to keep them."""

from __future__ import annotations

import re
from datetime import date, timedelta
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
    minutes, hours, days, months, weekdays = (_values(*kind, field) for kind, field in zip(FIELDS, text.split(), strict=True))
    # As cron has it: where both the day and the weekday are limited, either will do.
    is_either = text.split()[2][0] != "*" and text.split()[4][0] != "*"

    def is_due(day: date) -> bool:
        fits = (day.day in days, day.isoweekday() % 7 in {one % 7 for one in weekdays})
        return day.month in months and (any(fits) if is_either else all(fits))

    start = date(2000, 1, 1)  # the next 28 years hold each weekday of each date, the 29th of February included
    due = [number for number in range(28 * 366) if is_due(start + timedelta(days=number))]
    times = sorted(hour * 60 + minute for hour in hours for minute in minutes)
    within = max((late - early for early, late in pairwise(times)), default=0)
    between = max((late - early for early, late in pairwise(due)), default=366)
    return max(within, between * 24 * 60 - times[-1] + times[0])


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
