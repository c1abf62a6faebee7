"""Incidents: changes that the data themselves show to be damage. Suddenness alone is none.

A batch is held against the reference profile of its use case and against the batches before it. A shifted or wider
distribution is drift, which other checks judge; here it is no finding.
"""

from __future__ import annotations

from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from tasks.core.damaged_values import check_constant, check_missing, check_swapped, check_units, moment
from tasks.core.findings import Arrival, Case, Finding, Inspection, Limits

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from tasks.core.profiles import ColumnProfile, Profile

HOUR_US = 3.6e9


def inspect_batch(
    batch: Arrival,
    reference: Profile,
    history: Sequence[Arrival] = (),
    *,
    time: str | None = None,
    key: Collection[str] = (),
    limits: Limits | None = None,
) -> Inspection:
    """Find out what is wrong with a batch, worst first.

    Args:
        batch: The batch that came.
        reference: What the rows looked like that the model in use was made from.
        history: The batches before that were taken in, oldest first; blocked ones are not among them.
        time: The column that orders the rows, if one does.
        key: The columns that name the rows, if any do.
        limits: From where on a change is an incident.

    >>> import pandas as pd
    >>> from tasks.core.profiles import profile_rows
    >>> usual, metres = [[150.0 + x % 37 for x in range(90)], [1.5 + x % 37 / 100 for x in range(90)]]
    >>> reference, now = [profile_rows([pd.DataFrame({"height": x})]) for x in (usual, metres)]
    >>> [finding.message for finding in inspect_batch(Arrival("monday", now), reference).findings]
    ["'height' came as 1/100 of its values: median 1.64 instead of 164; converted back, it is as it was (gap ... before, ... after)"]
    """
    limits = limits or Limits()
    case = Case(batch, reference, history[-limits.history :], time, limits, key)
    checks = (_check_schema, _check_rows, _check_repeated, _check_time, check_missing, check_constant, check_units, check_swapped)
    found = [finding for check in checks for finding in check(case)] if batch.profile.rows else [_tell_empty(case)]
    return Inspection(tuple(sorted(found, key=lambda finding: finding.severity != "critical")), tuple(_list_not_applicable(case)))


def inspect_delivery(
    now: Arrival,
    past: Sequence[Arrival],
    champions: Profile | None,
    *,
    target: str | None,
    time: str | None = None,
    key: Collection[str] = (),
) -> Inspection:
    """Find out what is wrong with rows beside rows that came before, and with labels beside labels, whichever way they come.

    Args:
        now: What came.
        past: What was taken before, oldest first.
        champions: What the rows looked like that the model in use was made from, if there is one.
        target: The column of the labels.
        time: The column that orders the rows, if one does.
        key: The columns that name the rows, if any do.
    """
    rows, labels = now.without(target), now.only(target)
    earlier = [arrival.without(target) for arrival in past if arrival.profile.without(target).columns]
    told = [arrival.only(target) for arrival in past if _holds(arrival.profile.column(target or ""))]
    found, not_applicable = list[Finding](), list[tuple[str, str]]()
    if rows.profile.columns and earlier:
        inspection = inspect_batch(rows, champions.without(target) if champions else earlier[0].profile, earlier, time=time, key=key)
        found, not_applicable = [*inspection.findings], [*inspection.not_applicable]
    if _holds(now.profile.column(target or "")) and told:
        of_champions = champions.only(target) if champions and _holds(champions.column(target or "")) else told[0].profile
        found += _inspect_labels(labels, of_champions, told)
    return Inspection(tuple(sorted(found, key=lambda finding: finding.severity != "critical")), tuple(not_applicable))


def _holds(column: ColumnProfile | None) -> bool:
    return column is not None and _filled(column) > 0


def _inspect_labels(labels: Arrival, reference: Profile, history: Sequence[Arrival]) -> Iterator[Finding]:
    """Find damage of labels; that rows have none yet is no damage, so only labels alone are held against labels alone for that."""
    limits = Limits()
    case = Case(labels, reference, history[-limits.history :], None, limits)
    yield from check_constant(case)
    yield from check_units(case)
    alone = [arrival for arrival in case.history if arrival.is_labels]
    if labels.is_labels and alone:
        yield from check_missing(Case(labels, alone[0].profile, alone, None, limits))


def _tell_empty(case: Case) -> Finding:
    return Finding("batch-empty", "critical", "", "the batch holds no rows; look whether its source failed", {"rows": 0})


def _list_not_applicable(case: Case) -> Iterator[tuple[str, str]]:
    if not case.history:
        yield "rows", "no batch came before"
    if (why := _why_no_time(case)) is not None:
        yield "time", why
    hidden = [column.name for column in case.batch.profile.columns if column.pii and column.kind == "number"]
    if hidden:
        yield "unit-changed", f"no values are kept of {', '.join(map(repr, hidden))}"


# ---------------------------------------------------------------------------------------------------------------- schema


def _check_schema(case: Case) -> Iterator[Finding]:
    now, before = case.batch.profile.names, case.reference.names
    # What a person has accepted in the last batch is no news in this one.
    accepted = case.history[-1].profile.names if case.history else before
    yield from (_tell_missing(name, now, is_known=name not in accepted) for name in before if name not in now)
    yield from _find_twins(now)
    yield from (_tell_new(name, is_known=name in accepted) for name in now if name not in before)
    for column in case.batch.profile.columns:
        past = case.reference.column(column.name)
        if past and past.kind != column.kind and _filled(column) and _filled(past):
            message = f"'{column.name}' holds {_plural(column)} now, and held {_plural(past)}"
            yield Finding("column-kind", "critical", column.name, message, {"kind": column.kind, "was": past.kind})


def _filled(column: ColumnProfile) -> int:
    return column.present + column.infinite


def _plural(column: ColumnProfile) -> str:
    return {"number": "numbers", "date": "dates", "text": "text"}[column.kind]


def _tell_missing(name: str, now: Sequence[str], *, is_known: bool) -> Finding:
    twin = next((other for other in now if _fold(other) == _fold(name)), None)
    message = f"column '{name}' is missing" + (f"; '{twin}' came, which is written almost like it" if twin else "")
    message += "; as in the last batch, its cells are taken as empty" if is_known else "; accepted, the batch is taken with it empty"
    return Finding("column-missing", "warning" if is_known else "critical", name, message, {"columns": len(now), "twin": twin or ""})


def _tell_new(name: str, *, is_known: bool) -> Finding:
    what = "new; as in the last batch, it is left out" if is_known else "new; accepted, the batch is taken without it"
    return Finding("column-new", "warning" if is_known else "critical", name, f"column '{name}' is {what}", {})


def _find_twins(now: Sequence[str]) -> Iterator[Finding]:
    """Find columns whose names differ in case or blanks only; tables of the lake cannot hold both."""
    seen: dict[str, str] = {}
    for name in now:
        twin = seen.setdefault(_fold(name), name)
        if twin != name:
            message = f"columns '{twin}' and '{name}' differ only in how they are written; rename one"
            yield Finding("column-twins", "critical", name, message, {"twin": twin})


def _fold(name: str) -> str:
    return "".join(name.split()).casefold()


# ----------------------------------------------------------------------------------------------------------------- batch


def _check_rows(case: Case) -> Iterator[Finding]:
    if not case.history:
        return
    rows, seen = case.batch.volume, [arrival.volume for arrival in case.history]
    least, most = min(seen), max(seen)
    inputs: dict[str, float | str] = {"rows": rows, "least": least, "most": most, "limit": case.limits.volume}
    told = f"{rows:,} rows came, where {least:,} to {most:,} came before"
    if rows * case.limits.volume < least:
        yield Finding("rows-few", "warning", "", f"{told}; look whether the batch was cut off", inputs)
    if rows > most * case.limits.volume:
        yield Finding("rows-many", "warning", "", f"{told}; look whether rows came twice", inputs)


def _check_repeated(case: Case) -> Iterator[Finding]:
    now = case.batch.profile
    for arrival in reversed(case.history):
        how = _why_same(now, arrival.profile, case)
        if how is not None:
            severity = "critical" if now.rows >= case.limits.repeated_rows else "warning"
            message = f"the {now.rows:,} rows are those of batch '{arrival.name}' again{how}"
            yield Finding("batch-repeated", severity, "", message, {"rows": now.rows, "batch": arrival.name, "digest": now.digest})
            return


def _why_same(now: Profile, before: Profile, case: Case) -> str | None:
    """Say how two batches are the same; None where they are not."""
    if now.digest == before.digest:
        return ""
    if now.contents == before.contents:
        return ", in another order"
    ours, theirs = (_unnamed(profile, case) for profile in (now, before))
    is_telling = sum(column.distinct for column in ours if not column.pii) >= case.limits.repeated_values
    if not is_telling or now.rows != before.rows or ours != theirs:
        return None
    if len(ours) == len(now.columns):
        return ", with other labels"
    return ", under other keys" if any(now.column(name) != before.column(name) for name in case.key) else ", under other times"


def _unnamed(profile: Profile, case: Case) -> list[ColumnProfile]:
    """Leave out what names and orders rows, which may be made anew where rows are sent again."""
    return [column for column in profile.columns if column.kind != "date" and column.name != case.time and column.name not in case.key]


# ------------------------------------------------------------------------------------------------------------------ time


def _why_no_time(case: Case) -> str | None:
    if case.time is None:
        return "no column orders the rows"
    column = case.batch.profile.column(case.time)
    if column is None or column.maximum is None:
        return f"'{case.time}' holds no time that may be told"
    return None if _newest_times(case) else "no batch came before"


def _newest_times(case: Case) -> list[float]:
    columns = [arrival.profile.column(case.time or "") for arrival in case.history]
    return [column.maximum for column in columns if column and column.maximum is not None and column.kind == _time_kind(case)]


def _time_kind(case: Case) -> str | None:
    column = case.batch.profile.column(case.time or "")
    return column.kind if column else None


def _check_time(case: Case) -> Iterator[Finding]:
    column = case.batch.profile.column(case.time) if case.time else None
    before = _newest_times(case)
    if column is None or column.maximum is None or not before:
        return
    if column.maximum < max(before):
        told = f"its newest row is of {moment(column, column.maximum)}, and rows up to {moment(column, max(before))} had come"
        inputs: dict[str, float | str] = {"newest": column.maximum, "had_come": max(before)}
        yield Finding("time-past", "warning", column.name, f"the whole batch lies in the past: {told}", inputs)
    if column.kind == "date":
        yield from _check_late(case, column.name, column.maximum, before)


def _check_late(case: Case, name: str, newest: float, before: Sequence[float]) -> Iterator[Finding]:
    """Compare the age of the newest row with what it was when earlier batches came."""
    steps = [later - earlier for earlier, later in pairwise(before) if later > earlier]
    ages = [age for arrival in case.history if (age := _age(arrival, name)) is not None]
    age = _age(case.batch, name)
    if age is None or len(steps) < case.limits.past or len(ages) < case.limits.past:
        return
    limit = max(ages) + case.limits.late_steps * median(steps)
    if age > limit:
        told = f"{age / HOUR_US:,.1f} hours old, where {max(ages) / HOUR_US:,.1f} was the most and a batch comes every"
        message = f"the newest row is {told} {median(steps) / HOUR_US:,.1f} hours; look whether the source stands still"
        inputs: dict[str, float | str] = {"newest": newest, "age_us": age, "oldest_us": max(ages), "limit_us": limit}
        yield Finding("time-late", "warning", name, message, inputs)


def _age(arrival: Arrival, name: str) -> float | None:
    column = arrival.profile.column(name)
    return None if arrival.arrived_us is None or column is None or column.maximum is None else arrival.arrived_us - column.maximum
