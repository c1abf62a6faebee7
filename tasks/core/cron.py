"""Cron as schedules write it: five fields, checked before a server is asked to keep them."""

from __future__ import annotations

import re

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
