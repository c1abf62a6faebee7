"""Damage within columns: values that are missing, that are all the same, or that came in another unit."""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING

from tasks.core import units
from tasks.core.findings import Finding
from tasks.core.units import UnitChange, find_unit_change, nearest_gap

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from tasks.core.findings import Case
    from tasks.core.profiles import ColumnProfile, Profile


def check_missing(case: Case) -> Iterator[Finding]:
    """Find columns that lack values in many more rows than ever before."""
    rows = case.batch.profile.rows
    past = [case.reference, *(arrival.profile for arrival in case.history)]
    for column in case.batch.profile.columns:
        seen = [_missing_share(profile, column.name) for profile in past if profile.rows and profile.column(column.name)]
        share = (column.missing + column.infinite) / rows
        if not seen or share <= max(seen):
            continue
        excess = _least_share(share, rows, case.limits.certainty) - max(seen)
        if excess > case.limits.missing:
            severity = "critical" if excess > case.limits.missing_critical else "warning"
            none = column.missing + column.infinite
            message = f"'{column.name}' has no value in {none:,} of {rows:,} rows ({share:.1%}), where {max(seen):.1%} was the most before"
            inputs: dict[str, float | str] = {"share": share, "most": max(seen), "excess": excess, "limit": case.limits.missing}
            yield Finding("values-missing", severity, column.name, message, inputs)


def _missing_share(profile: Profile, name: str) -> float:
    column = profile.column(name)
    return (column.missing + column.infinite) / profile.rows if column else 0.0


def _least_share(share: float, rows: int, z: float) -> float:
    """Give the lower end of Wilson's interval for a share of so many rows."""
    centre = share + z * z / (2 * rows)
    return (centre - z * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))) / (1 + z * z / rows)


def check_constant(case: Case) -> Iterator[Finding]:
    """Find columns that always varied and hold one value now, in more rows than one value ever lasted."""
    for column in case.batch.profile.columns:
        past = case.all_past(column.name)
        # A batch of a few rows may well hold one value, which shows nothing.
        has_varied = any(state.distinct > 1 for state in past)
        if (
            column.distinct != 1
            or not has_varied
            or any(state.distinct < 2 and state.present >= case.limits.constant_rows for state in past)
        ):
            continue
        longest = max(state.longest_run for state in past)
        if column.name == case.time and longest > 1:  # a day of many rows
            continue
        least = max(case.limits.constant_rows, case.limits.constant_runs * longest)
        if column.present >= least:
            what = "holds one value" if column.pii else f"is {_only_value(column)}"
            message = f"'{column.name}' {what} in all {column.present:,} rows, where {longest:,} rows in a row was the most before"
            inputs: dict[str, float | str] = {"rows": column.present, "longest_run": longest, "limit": least}
            yield Finding("values-constant", "critical", column.name, message, inputs)


def _only_value(column: ColumnProfile) -> str:
    if column.kind == "text":
        return f"'{column.frequent[0][0]}'" if column.frequent else "one long text"
    return moment(column, column.minimum or 0.0)


def moment(column: ColumnProfile, value: float) -> str:
    """Write a value of a column of numbers or dates.

    >>> from tasks.core.profiles import ColumnProfile
    >>> moment(ColumnProfile(name="ts", kind="date"), 86_400e6), moment(ColumnProfile(name="x", kind="number"), 0.25)
    ('1970-01-02T00:00:00', '0.25')
    """
    import numpy as np

    return str(np.datetime64(int(value), "us").astype("datetime64[s]")) if column.kind == "date" else f"{value:.6g}"


def check_units(case: Case) -> Iterator[Finding]:
    """Find columns that came in another unit while the others stood still."""
    swapped = {name for finding in check_swapped(case) for name in (finding.column, finding.inputs["other"])}
    asked = (column for column in case.batch.profile.columns if column.name not in swapped)
    columns = {column.name: column for column in asked if _is_comparable(column, case)}
    usual = {name: _usual_gap(case, name) for name in columns}
    found = {name: _find_change(case, column, usual[name]) for name, column in columns.items()}
    others = [name for name, change in found.items() if change is None]
    moved = sum(_has_moved(case, columns[name], usual[name]) for name in others) / max(1, len(others))
    for name, change in found.items():
        if change is not None and moved <= (case.limits.moved if _is_strong(change) else case.limits.moved_temperature):
            yield _tell_unit(case, columns[name], change, {"gap_usual": usual[name], "others_moved": moved})


def check_swapped(case: Case) -> Iterator[Finding]:
    """Find two columns of numbers that came under one another's names: both are far from their own past, and each is at the other's."""
    comparable = {column.name: column for column in case.batch.profile.columns if _is_comparable(column, case)}
    own = {name: _gap_to(case, column, name) for name, column in comparable.items()}
    usual = {name: _usual_gap(case, name) for name in comparable}
    limits = case.limits.unit
    far = [name for name, gap in own.items() if gap >= max(limits.far, limits.gain * usual[name])]
    for one, other in combinations(far, 2):
        gaps = {one: _gap_to(case, comparable[one], other), other: _gap_to(case, comparable[other], one)}
        noise = limits.noise / min(comparable[one].present, comparable[other].present) ** 0.5
        rooms = {one: usual[other], other: usual[one]}
        if all(
            gap <= min(max(rooms[name], noise, limits.back), limits.back_at_most) and gap * limits.gain <= own[name]
            for name, gap in gaps.items()
        ):
            message = f"'{one}' and '{other}' came under one another's names: each holds what the other held"
            inputs: dict[str, float | str] = {"other": other, "gap_before": own[one], "gap_after": gaps[one]}
            yield Finding("columns-swapped", "critical", one, message, inputs)


def _gap_to(case: Case, column: ColumnProfile, name: str) -> float:
    """Measure how far a column lies from the past of one, itself or another."""
    return nearest_gap(_quantiles(column), [_quantiles(state) for state in _past(case, name)])


def _is_comparable(column: ColumnProfile, case: Case) -> bool:
    if column.name == case.time or column.name in case.key:  # these go on and on, by a factor too
        return False
    return bool(column.quantiles) and column.kind == "number" and bool(_past(case, column.name))


def _past(case: Case, name: str, until: int | None = None) -> list[ColumnProfile]:
    """Give the states of a column that hold quantiles: it may have been text, or marked `pii`, before."""
    return [state for state in case.past(name, until=until) if state.kind == "number" and state.quantiles]


def _quantiles(column: ColumnProfile) -> np.ndarray:
    import numpy as np

    return np.array(column.quantiles)


def _usual_gap(case: Case, name: str) -> float:
    """Give the largest gap to its past that a column has shown, batch by batch; 0 when none came before.

    Where it began or ceased to vary the gap is infinite, which tells nothing of how it moves otherwise.
    """
    gaps = [0.0]
    for place, arrival in enumerate(case.history):
        column = arrival.profile.column(name)
        if column and column.quantiles:
            gaps.append(nearest_gap(_quantiles(column), [_quantiles(state) for state in _past(case, name, place)]))
    return max(gap for gap in gaps if math.isfinite(gap))


def _find_change(case: Case, column: ColumnProfile, usual: float) -> UnitChange | None:
    return find_unit_change(column, _past(case, column.name), usual, case.limits.unit)


def _has_moved(case: Case, column: ColumnProfile, usual: float) -> bool:
    return _gap_to(case, column, column.name) > max(case.limits.still, 1.5 * usual)


def _is_strong(change: UnitChange) -> bool:
    return change.conversion.evidence in ("power of ten", "exact")


def _tell_unit(case: Case, column: ColumnProfile, change: UnitChange, inputs: dict[str, float | str]) -> Finding:
    conversion = change.conversion
    undone = conversion.undo(_quantiles(column))
    state = min((_quantiles(state) for state in _past(case, column.name)), key=lambda state: units.gap(undone, state))
    how = f"came as {conversion.name} its values" if _is_strong(change) else f"seems to have gone from {conversion.name}"
    told = f"median {column.quantiles[50]:.6g} instead of {state[50]:.6g}; converted back, it is as it was"
    return Finding(
        "unit-changed",
        "critical",
        column.name,
        f"'{column.name}' {how}: {told} (gap {change.before:.3g} before, {change.after:.2g} after)",
        {
            "conversion": conversion.name,
            "factor": conversion.factor,
            "offset": conversion.offset,
            "gap_before": change.before,
            "gap_after": change.after,
            **inputs,
        },
    )
