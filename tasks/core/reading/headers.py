"""Whether a row names the columns below it: by what stands in it, and what stands below."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from tasks.core.reading.shapes import shape_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tasks.core.reading.shapes import Kind

FIRST_YEAR, LAST_YEAR = 1800, 2200
MIN_STEPS = 4  # numbers in equal steps beside names, such as wavelengths
MAX_ALIKE = 0.2
NAME = re.compile(r"[^\W\d][\w .()/%°#&+:-]*")
CENSORED = re.compile(r"[<>≤≥]=? ?[0-9][0-9.,]*")  # less than what can be measured
# Words that stand where a value should be; over a column of numbers they are no evidence of a name.
PLACEHOLDER = re.compile(
    r"missing|unknown|unbekannt|suppressed|confidential|n\.? ?[avdb]\.?|k\.? ?a\.?|s\.? ?o\.?|not available|withheld|#[a-z/0]+[!?]?"
)


def is_header(first: Sequence[str], body: Sequence[Sequence[str]], kinds: Sequence[Kind]) -> bool | None:
    """Say whether a row names the columns of the rows below it; None where nothing shows it.

    >>> from tasks.core.reading.shapes import kinds_of
    >>> rows = [["31", "Ann"], ["25", "Bob"]]
    >>> is_header(["age", "name"], rows, kinds_of(rows)), is_header(["44", "Eve"], rows, kinds_of(rows))
    (True, False)
    """
    shapes = [shape_of(cell) for cell in first]
    typed = [place for place, kind in enumerate(kinds) if kind.shape in ("number", "date")]
    named = [place for place in typed if shapes[place] == "text"]
    valued = [place for place in typed if shapes[place] in ("number", "date")]
    if series := _series(first, body, kinds):
        beside = [place for place, cell in enumerate(first) if cell.strip() and place not in series]
        return _come_only_once(first, body, beside) if beside else None  # or a row of such values
    if named and valued and all(_is_year(first[place]) for place in valued):
        return True  # years as names beside names
    if not body or (valued and named):
        return None
    if named:
        return None if are_placeholders([first[place] for place in named]) else True
    if valued or any(shape in ("number", "date") for shape in shapes):
        return False
    return _is_header_of_text(first, body)


def are_placeholders(cells: Sequence[str]) -> bool:
    """Say whether texts over numbers may stand for values that are not there, rather than name them: `..`, `<5`, unknown."""
    folded = [cell.strip().casefold() for cell in cells]
    is_same = len(folded) > 1 and len(set(folded)) == 1
    return (
        is_same
        or any(CENSORED.fullmatch(cell) for cell in folded)
        or all(PLACEHOLDER.fullmatch(cell) or not any(c.isalpha() for c in cell) for cell in folded)
    )


def _series(first: Sequence[str], body: Sequence[Sequence[str]], kinds: Sequence[Kind]) -> list[int]:
    """Find years, dates or numbers in equal steps that go over a row as names do, and over no row below it.

    Returns:
        Their places: all that hold a number or a date; none where they are no series.
    """
    places = [place for place, cell in enumerate(first) if shape_of(cell) in ("number", "date")]
    cells = [first[place].strip() for place in places]
    columns = [[row[place].strip() for row in body if row[place].strip()] for place in places]
    if len(places) < 2 or len(set(cells)) < len(cells):
        return []
    if all(shape_of(cell) == "date" and not _is_year(cell) for cell in cells):
        return places if all(kinds[place].shape != "date" for place in places) else []
    if all(map(_is_year, cells)):
        is_new = not any(column and all(map(_is_year, column)) for column in columns)
        return places if is_new and _steps_equally(cells) else []
    if len(places) < (MIN_STEPS if len(places) < len(first) else 3) or not _steps_equally(cells):
        return []
    alike = sum(_steps_equally([row[place] for place in places]) for row in body)
    return places if alike < MAX_ALIKE * max(1, len(body)) else []


def _steps_equally(cells: Sequence[str]) -> bool:
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError:
        return False
    steps = [after - before for before, after in pairwise(numbers)]
    return steps[0] != 0 and all(abs(step - steps[0]) <= 1e-6 * abs(steps[0]) for step in steps)


def _come_only_once(first: Sequence[str], body: Sequence[Sequence[str]], places: Sequence[int]) -> bool:
    """Say whether each of these cells begins with a letter and stands nowhere below itself."""
    return all(first[place].strip()[0].isalpha() and all(row[place] != first[place] for row in body) for place in places)


def _is_year(cell: str) -> bool:
    return cell.strip().isdecimal() and FIRST_YEAR <= int(cell) <= LAST_YEAR


def _is_header_of_text(first: Sequence[str], body: Sequence[Sequence[str]]) -> bool | None:
    """Decide among columns of text: a name does not occur below it where values come again and again."""
    columns = list(zip(*body, strict=True))
    again = [name in column for name, column in zip(first, columns, strict=True) if name.strip()]
    if any(again):
        return False
    repeating = any(len(set(column)) <= len(column) / 2 for column in columns)
    are_names = len(set(first)) == len(first) and all(NAME.fullmatch(name.strip()) for name in first if name.strip())
    if repeating and len(body) >= 4 and are_names:
        return True
    # Values that all hold digits, or all are longer than any name, are of another make than the names above them.
    differs = any(
        all(any(c.isdigit() for c in cell) for cell in column) and not any(c.isdigit() for c in name)
        for name, column in zip(first, columns, strict=True)
    )
    return True if are_names and differs and len(body) >= 2 else None
