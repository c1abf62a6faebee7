"""Dates as people write them; which part is the day is decided by the column or not at all."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from tasks.core.reading.distinct import BLANKS, Mixture, Reading, shown
from tasks.core.reading.patterns import holds, matches, substitute

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

DateOrder = Literal["day-first", "month-first"]

DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ](?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?Z?)?"
PLAIN_DATE = DATE.replace("Z?", "").replace("[0-9]{4}", "[1-9][0-9]{3}", 1)
DATE_NAME = re.compile(r"(?i).*(?:date|datum|fecha|ymd|(?:^|[\W_])d(?:ay|t|ob)(?:[\W_]|$)).*")
ORDERED_DATES = 5  # by chance that many dates are in order once in 60 columns, and then both ways only if they are alike
SURE_DAYS = 5  # values that return that seldom beside few others are days, those others years

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTH = (
    r"((?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?))\.?"
)
WEEKDAY = r"(?:(?i:mon|tue|tues|wed|wednes|thu|thur|thurs|fri|sat|satur|sun)(?i:day)?\.?,? +)?"
DAY = r"([0-9]{1,2})"
ORDINAL = r"(?:st|nd|rd|th|\.)?"
YEAR = r"([0-9]{4})"
SHORT_YEAR = r"([0-9]{2})"
CLOCK = r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?(?:([AaPp])\.?[Mm]\.?)?(Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)?"
HALF = "[ \u00a0\u202f]?(?:[AaPp]\\.?[Mm]\\.?)?"
ZONE = r" ?(?:Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)"
CLOCK_TAIL = rf"(?:T|,? +)[0-9]{{1,2}}:[0-9]{{2}}(?::[0-9]{{2}}(?:[.,][0-9]{{1,9}})?)?{HALF}(?:{ZONE})?$"
ANY_ZONE = rf".*:[0-9]{{2}}(?:[.,][0-9]+)?{HALF}{ZONE}"


@dataclass(frozen=True)
class Style:
    """One way to write a day: its name for people, its pattern, and where year, month and day stand in it."""

    name: str
    pattern: str
    places: tuple[int, int, int]

    @property
    def is_open(self) -> bool:
        """Say whether day and month could be swapped."""
        return self.name.startswith("dd")


STYLES = (
    Style("yyyy-mm-dd", rf"{YEAR}-{DAY}-{DAY}", (1, 2, 3)),
    *(Style(f"dd{s}mm{s}yyyy", rf"{DAY}[{s}]{DAY}[{s}]{YEAR}", (3, 2, 1)) for s in "/.-"),
    Style("yyyy/mm/dd", rf"{YEAR}/{DAY}/{DAY}", (1, 2, 3)),
    Style("yyyy.mm.dd", rf"{YEAR}\.{DAY}\.{DAY}", (1, 2, 3)),
    Style("12 Jan 2024", rf"{WEEKDAY}{DAY}{ORDINAL}(?:[-/ .]| of )? ?{MONTH}[-/ ,]* ?{YEAR}", (3, 2, 1)),
    Style("Jan 12, 2024", rf"{WEEKDAY}{MONTH}[- ]?{DAY}{ORDINAL},?[- ]?{YEAR}", (3, 1, 2)),
    Style("2024-Jan-12", rf"{YEAR}[-/ ]?{MONTH}[-/ ]?{DAY}", (1, 2, 3)),
    *(Style(f"dd{s}mm{s}yy", rf"{DAY}[{s}]{DAY}[{s}]{SHORT_YEAR}", (3, 2, 1)) for s in "/.-"),
    Style("12-Jan-24", rf"{DAY}[-/ ]?{MONTH}[-/ ]{SHORT_YEAR}", (3, 2, 1)),
)
COMPACT = Style("yyyymmdd", r"((?:19|20)[0-9]{2})(0[1-9]|1[0-2])([0-3][0-9])", (1, 2, 3))


def plain_dates(cells: pd.Series[str]) -> pd.Series | None:
    """Give a column of dates in ISO 8601 without an offset, and empty cells, as dates; None if any cell is something else.

    >>> import pandas as pd
    >>> plain_dates(pd.Series(["2024-01-31 10:30", ""])).tolist()
    [Timestamp('2024-01-31 10:30:00'), NaT]
    """
    import pandas as pd

    filled = cells[cells != ""]
    for part in (filled.iloc[:100], filled):
        if not len(part) or not matches(part, PLAIN_DATE).all():
            return None
    try:
        moments = filled.astype("timestamp[us][pyarrow]")
    except ValueError:  # of Arrow, at the first day that no calendar has
        return None
    values = pd.Series(moments.to_numpy("datetime64[us]"), index=filled.index, name=filled.name)
    return values if len(values) == len(cells) else values.reindex(cells.index)


def read_dates(cells: pd.Series[str], rows: np.ndarray, order: DateOrder | None = None) -> Reading:
    """Read distinct cells as dates, as far as the column itself, or `order`, leaves only one way to read them.

    Args:
        cells: Distinct cells, none of them missing; the name tells whether 20240131 may be a date.
        rows: For each row its cell, as a label of `cells`, in the order of the table.
        order: Which of day and month comes first wherever both could.
    """
    import pandas as pd

    nothing = pd.Series(pd.NaT, index=cells.index, dtype="datetime64[us]")
    stripped = cells.str.strip(BLANKS)
    if matches(stripped, DATE).all():
        return _same_zone(Reading(_iso(stripped).reindex(cells.index), alike=cells.index), stripped, rows)
    days, clocks = _split(stripped)
    read = [_read_style(style, found, rows, order) for style, found in _by_style(days)]
    if not read:
        return Reading(nothing)
    values = pd.concat([part.values for part in read])
    alike = values.index
    values = (values + _clock(clocks, alike)).dropna()
    doubt = next((part.doubt for part in read if part.doubt), "")
    notes = tuple(dict.fromkeys(note for part in read for note in part.notes if note != STYLES[0].name))
    reasons = {cell: reason for part in read for cell, reason in part.reasons.items()}
    mixtures = (*(m for part in read for m in part.mixtures), *_mixed_styles(read, rows))
    result = Reading(values.reindex(cells.index), notes, mixtures, doubt, reasons, alike)
    return _same_zone(result, stripped, rows)


def _iso(plain: pd.Series[str]) -> pd.Series:
    """Give the dates of the calendar among cells of the one plain format, the fast way."""
    import pandas as pd

    values = pd.to_datetime(plain.str.removesuffix("Z"), format="ISO8601", errors="coerce").astype("datetime64[us]")
    return values[values.dt.year > 0]


def _split(moments: pd.Series[str]) -> tuple[pd.Series[str], pd.Series[str]]:
    """Give the days, and the clocks where there are any, without blanks."""
    has_clock = holds(moments, CLOCK_TAIL)
    # Taking away what is not wanted costs a fiftieth of a group after `.*`.
    clocks = substitute(moments[has_clock], f"^[^:]*[T{BLANKS}]|[{BLANKS}]")
    days = substitute(moments[has_clock], r"(?:T|,? +)[0-9]{1,2}:.*$")
    return moments.where(~has_clock, days), clocks


def _by_style(days: pd.Series[str]) -> list[tuple[Style, pd.Series[str]]]:
    found: list[tuple[Style, pd.Series[str]]] = []
    styles = (*STYLES, COMPACT) if DATE_NAME.fullmatch(str(days.name)) else STYLES
    for style in styles:
        is_style = matches(days, style.pattern)
        if is_style.any():
            found.append((style, days[is_style]))
            days = days[~is_style]
    return found


def _read_style(style: Style, days: pd.Series[str], rows: np.ndarray, told: DateOrder | None) -> Reading:
    """Read the cells of one style; its notes start with its name as it turns out, day or month first."""
    import pandas as pd

    years, months, dates = (_part(style, days, place) for place in style.places)
    notes = [style.name]
    if style.pattern.endswith(SHORT_YEAR):
        years = years + 1900 + 100 * (years < 69)
        notes.append("years of two digits are 1969 to 2068")
        if _is_doubtful_year(years, months, dates, style):
            nothing = pd.Series(pd.NaT, index=days.index, dtype="datetime64[us]")
            return Reading(nothing, doubt=f"{shown(days.iloc[0])} has a year of two digits that may be read otherwise")
    if not style.is_open:
        return Reading(_calendar(years, months, dates), tuple(notes))
    day_first, month_first = _calendar(years, months, dates), _calendar(years, dates, months)
    decided = told or _decide_order(months, dates, rows, day_first, month_first, is_dotted="." in style.name)
    if decided == "month-first":
        return Reading(month_first, (style.name.replace("dd", "DD").replace("mm", "dd").replace("DD", "mm"), *notes[1:]))
    if decided == "day-first":
        return Reading(day_first, tuple(notes))
    return _read_undecided(days, day_first, month_first)


def _part(style: Style, days: pd.Series[str], place: int) -> pd.Series[int]:
    part = substitute(days, f"^{style.pattern}$", rf"\{place}")
    if part.iloc[0][:1].isalpha():
        return part.str[:3].str.lower().map({name: number for number, name in enumerate(MONTHS, start=1)})
    return _whole(part)


def _whole(digits: pd.Series[str]) -> pd.Series[int]:
    import pandas as pd

    return pd.Series(digits.astype("int64[pyarrow]").to_numpy("int64"), index=digits.index, name=digits.name)


def _calendar(years: pd.Series[int], months: pd.Series[int], dates: pd.Series[int]) -> pd.Series:
    """Give days of the calendar, and NaT for what is none."""
    import pandas as pd

    first = ((years - 1970) * 12 + (months - 1)).to_numpy().astype("datetime64[M]")
    day = first.astype("datetime64[D]") + (dates.to_numpy() - 1).astype("timedelta64[D]")
    is_real = (years > 0) & (months >= 1) & (months <= 12) & (dates >= 1) & (day.astype("datetime64[M]") == first)
    return pd.Series(day.astype("datetime64[us]"), index=years.index).where(is_real)


def _is_doubtful_year(years: pd.Series[int], middle: pd.Series[int], first: pd.Series[int], style: Style) -> bool:
    """Say whether years of two digits may belong to another century, or be the days of dates that start with the year."""
    if years.between(2031, 2068).any() or "birth" in str(years.name).lower():
        return True
    is_last = (years % 100 > 31).any() or (middle > 12).any() or max(SURE_DAYS, 2 * years.nunique()) <= first.nunique()
    return style.is_open and not is_last


def _decide_order(
    second: pd.Series[int], first: pd.Series[int], rows: np.ndarray, day_first: pd.Series, month_first: pd.Series, *, is_dotted: bool
) -> DateOrder | None:
    """Decide by a part beyond 12, by the dot, which nobody puts between month and day, or by the order of the rows."""
    is_day_first, is_month_first = ((first > 12) & (second <= 12)).any(), ((second > 12) & (first <= 12)).any()
    if is_day_first != is_month_first:
        return "day-first" if is_day_first else "month-first"
    if is_day_first:
        return None
    if is_dotted or (first == second).all():
        return "day-first"
    in_order = [_are_in_order(dates, rows) for dates in (day_first, month_first)]
    if in_order[0] != in_order[1]:
        return "day-first" if in_order[0] else "month-first"
    return None


def _are_in_order(dates: pd.Series, rows: np.ndarray) -> bool:
    by_row = dates.reindex(rows).dropna()
    return len(dates) >= ORDERED_DATES and bool(by_row.is_monotonic_increasing or by_row.is_monotonic_decreasing)


def _read_undecided(days: pd.Series[str], day_first: pd.Series, month_first: pd.Series) -> Reading:
    """Read what has one reading only; where day-first and month-first cells are mixed, those are a repair."""
    is_sure = day_first.isna() | month_first.isna() | (day_first == month_first)
    values = day_first.fillna(month_first).where(is_sure)
    swapped = day_first.isna() & month_first.notna()
    mixtures = (Mixture("mixed_dates", swapped, "month-first dates among day-first dates"),) if swapped.any() else ()
    unsure = days[~is_sure]
    if not len(unsure):
        return Reading(values, ("day-first and month-first",), mixtures)
    doubt = f"{shown(unsure.iloc[0])} may be day-first or month-first; --read dates=day-first, or dates=month-first decides"
    reasons = {int(cell): f"{shown(str(days.at[cell]))} may be day-first or month-first" for cell in unsure.index}
    return Reading(values, ("day-first or month-first",), mixtures, doubt, reasons)


def _clock(clocks: pd.Series[str], index: pd.Index) -> pd.Series:
    """Give the time of day of each cell, in UTC where an offset is written; NaT for what no clock shows."""
    import pandas as pd

    def part(n: int) -> pd.Series[str]:
        return substitute(clocks, f"^{CLOCK}$", rf"\{n}")

    hours, minutes, seconds = (_whole("0" + part(n)) for n in (1, 2, 3))
    fraction, half = part(4).str.pad(9, side="right", fillchar="0"), part(5).str.lower()
    is_real = (minutes < 60) & (seconds < 60) & ((half == "") & (hours < 24) | (half != "") & hours.between(1, 12))
    is_real &= fraction.str.endswith("000")  # nanoseconds would be lost
    hours = hours.where(half == "", hours % 12 + 12 * (half == "p"))
    total = ((hours * 60 + minutes - _offset_minutes(part(6))) * 60 + seconds) * 1_000_000 + _whole(fraction.str[:6])
    times = pd.Series(total.to_numpy().astype("timedelta64[us]"), index=clocks.index).where(is_real)
    return times.reindex(index, fill_value=pd.Timedelta(0).as_unit("us"))


def _offset_minutes(zones: pd.Series[str]) -> pd.Series[int]:
    digits = substitute(zones, "[^0-9]").str.pad(4, side="right", fillchar="0")
    minutes = _whole(digits.str[:2]) * 60 + _whole(digits.str[2:])
    return minutes.where(~zones.str.startswith("-"), -minutes)


def _same_zone(reading: Reading, stripped: pd.Series[str], rows: np.ndarray) -> Reading:
    """Keep the dates with an offset, or those without, whichever are more: they cannot be compared."""
    values = reading.values
    zoned = matches(stripped, ANY_ZONE) & values.notna()
    if not zoned.any():
        return reading
    plain = values.notna() & ~zoned
    notes = (*reading.notes, "in UTC") if matches(stripped[zoned], ".*(?:Z|UTC|GMT)").all() else (*reading.notes, "offsets turned to UTC")
    if not plain.any():
        return replace(reading, notes=notes)
    is_more = zoned.reindex(rows, fill_value=False).sum() >= plain.reindex(rows, fill_value=False).sum()
    dropped, kept = (plain, "with") if is_more else (zoned, "without")
    others = {int(cell): f"{shown(stripped[int(cell)])} among dates {kept} an offset" for cell in dropped.index[dropped].tolist()}
    doubt = reading.doubt or "some dates have an offset and others none"
    return replace(
        reading,
        values=values.where(~dropped),
        notes=notes if is_more else reading.notes,
        doubt=doubt,
        reasons={**reading.reasons, **others},
    )


def _mixed_styles(read: list[Reading], rows: np.ndarray) -> tuple[Mixture, ...]:
    """Report the cells that are not in the most frequent style."""
    import pandas as pd

    masks = [part.values.notna() for part in read]
    sizes = [int(mask.reindex(rows, fill_value=False).sum()) for mask in masks]
    main = sizes.index(max(sizes))
    few = [n for n, size in enumerate(sizes) if n != main and size]
    if not few:
        return ()
    names = ", ".join(read[n].notes[0] for n in few)
    return (Mixture("mixed_dates", pd.concat([masks[n] for n in few]), f"dates such as {names} among {read[main].notes[0]}"),)
