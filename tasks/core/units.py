"""Whether a column came in another unit: its quantiles return to what they were under one factor, or a factor and an offset.

That a column has moved is no sign of damage, however suddenly. What is looked for is a conversion that somebody makes by
mistake, that undoes the move, and that a natural drift would not happen to be. Common factors such as inches to
centimetres are not tried: of columns that doubled on seven tables, 8 % would have been taken for kilograms that came in pounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from tasks.core.profiles import ColumnProfile

Evidence = Literal["power of ten", "temperature", "exact"]
# The middle 90 % of the values; where that is one value, almost all.
INNER = ((5, 95), (1, 99))


@dataclass(frozen=True)
class Conversion:
    """A column's values became factor × value + offset."""

    name: str
    evidence: Evidence
    factor: float
    offset: float = 0.0

    def undo(self, values: np.ndarray) -> np.ndarray:
        """Give what the values were.

        >>> import numpy as np
        >>> Conversion("°C to °F", "temperature", 1.8, 32).undo(np.array([32.0, 212.0])).tolist()
        [0.0, 100.0]
        """
        import numpy as np

        with np.errstate(over="ignore"):  # beyond 1e308 it was another conversion
            return (values - self.offset) / self.factor

    @property
    def is_hundreds(self) -> bool:
        """Say whether values became a hundred times larger or smaller, or more."""
        return self.evidence == "power of ten" and not 0.05 < self.factor < 50


@dataclass(frozen=True)
class UnitLimits:
    """From where on a move of quantiles is a conversion; gaps are in units of the width of the middle 90 %.

    Attributes:
        far: Gap that the move must have at least: quieter ones do no harm.
        back: Gap that may remain, where the column was never further from its past.
        back_at_most: Gap that may remain in any case: beyond it nothing has come back.
        back_hundreds: Gap that may remain where the factor is 100 or more, or 1/100 or less: no drift goes that far.
        gain: How many times smaller the gap must become, and how many times larger than usual it must be.
        gain_shift: The same for °C and K, which a shift alone could explain.
        doubt: How many times nearer the width must be to that of a temperature than to that of growth alone.
        scale: Factor that the scale may still differ by.
        scale_hundreds: The same where the factor is 100 or more, or 1/100 or less.
        noise: Gap to the past of a batch of n rows, times √n, that sampling alone makes: on four unordered tables, cut into 24
            batches each, 1 of 1,056 gaps was larger.
        exact_share: Share of the quantiles that must have one and the same ratio to the past, for a factor of any size.
        exact_values: Distinct values that these must hold: small whole numbers can double by chance.
        factor: Least ratio that counts as another unit, for a factor of any size.
    """

    far: float = 0.25
    back: float = 0.1
    back_at_most: float = 0.4
    back_hundreds: float = 1.0
    gain: float = 4.0
    gain_shift: float = 20.0
    doubt: float = 2.0
    scale: float = 1.5
    scale_hundreds: float = 3.0
    noise: float = 1.1
    exact_share: float = 0.7
    exact_values: int = 8
    factor: float = 1.05


@dataclass(frozen=True)
class UnitChange:
    """A conversion that brings a column back, with the gap to its past before and after it is undone."""

    conversion: Conversion
    before: float
    after: float


POWERS = tuple(
    Conversion(f"{10**power:,} times" if power > 0 else f"1/{10**-power:,} of", "power of ten", 10.0**power)
    for power in range(-9, 10)
    if power
)
TEMPERATURES = (
    Conversion("°C to °F", "temperature", 1.8, 32.0),
    Conversion("°F to °C", "temperature", 1 / 1.8, -32 / 1.8),
    Conversion("°C to K", "temperature", 1.0, 273.15),
    Conversion("K to °C", "temperature", 1.0, -273.15),
    Conversion("°F to K", "temperature", 1 / 1.8, 273.15 - 32 / 1.8),
    Conversion("K to °F", "temperature", 1.8, 32 - 1.8 * 273.15),
)


def gap(one: np.ndarray, other: np.ndarray) -> float:
    """Measure how far two columns lie apart: the mean distance of their quantiles, over the width of the narrower one.

    Args:
        one: Quantiles at 0 %, 1 % … 100 %, shape (101,).
        other: Those of the other column.

    Returns:
        A number of widths of the middle 90 %; infinite where one of the columns is as good as constant.

    >>> import numpy as np
    >>> hundred = np.arange(101.0)
    >>> gap(hundred, hundred), round(gap(hundred, hundred + 45), 2)
    (0.0, 0.5)
    """
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):  # beyond 1e308 they are far apart, and that is all that counts
        for low, high in INNER:
            width = min(one[high] - one[low], other[high] - other[low])
            if width > 0:
                distance = float(np.abs(one[low : high + 1] - other[low : high + 1]).mean() / width)
                return distance if distance == distance else np.inf  # noqa: PLR0124 (infinities may have met)
    return 0.0 if np.array_equal(one, other) else np.inf


def nearest_gap(values: np.ndarray, past: Sequence[np.ndarray]) -> float:
    """Measure how far a column lies from the nearest of its past states; infinite where there is none."""
    return min((gap(values, state) for state in past), default=float("inf"))


def find_unit_change(column: ColumnProfile, past: Sequence[ColumnProfile], usual: float, limits: UnitLimits) -> UnitChange | None:
    """Find the conversion that brings a column of numbers back to its past, if there is one.

    Args:
        column: The column now.
        past: The same column in the reference and in the batches before, at least one state; each holds values.
        usual: The largest gap to its past that the column has shown.
        limits: From where on it is a conversion.
    """
    import numpy as np

    now, states = np.array(column.quantiles), [np.array(state.quantiles) for state in past]
    if column.distinct <= 2 and all(state.distinct == 2 for state in past):
        return _of_two_values(now, states)
    before = nearest_gap(now, states)
    if before < max(limits.far, limits.gain * usual) or column.distinct < 2:
        return None
    noise = limits.noise / min(column.present, *(state.present for state in past)) ** 0.5
    room = max(usual, noise, limits.back)
    tried = [_try(conversion, now, states, before) for conversion in _worth_trying(now, states, limits)]
    fitting = [change for change in tried if _is_fit(change, now, states, room, noise, limits)]
    return min(fitting or _find_exact(now, states, before, limits), key=lambda change: change.after, default=None)


def _worth_trying(now: np.ndarray, states: Sequence[np.ndarray], limits: UnitLimits) -> list[Conversion]:
    """List the conversions under which the width comes back; a gap costs more."""
    ratios = [_width(now) / _width(state) for state in states if _width(state)]
    return [c for c in (*POWERS, *TEMPERATURES) if any(1 / limits.scale_hundreds <= r / c.factor <= limits.scale_hundreds for r in ratios)]


def _try(conversion: Conversion, now: np.ndarray, states: Sequence[np.ndarray], before: float) -> UnitChange:
    return UnitChange(conversion, before, nearest_gap(conversion.undo(now), states))


def _is_fit(change: UnitChange, now: np.ndarray, states: Sequence[np.ndarray], room: float, noise: float, limits: UnitLimits) -> bool:
    """Say whether a conversion explains a move that a drift would not make."""
    import numpy as np

    conversion = change.conversion
    undone = conversion.undo(now)
    state = min(states, key=lambda state: gap(undone, state))
    back, scale = _leeway(conversion, room, noise, limits, is_signed=bool(state[5] < 0 < state[95]))
    ratio = _width(undone) / (_width(state) or np.inf)
    is_back = change.after <= back and change.after * limits.gain <= change.before and 1 / scale <= ratio <= scale
    return is_back and (conversion.evidence != "temperature" or _must_be_temperature(change, now, state, limits))


def _leeway(conversion: Conversion, room: float, noise: float, limits: UnitLimits, *, is_signed: bool) -> tuple[float, float]:
    """Say which gap may remain, and by which factor the widths may differ.

    What lies around zero and spreads ten times wider looks as if its unit had changed. So there the factor must be met as
    closely as samples can, unless it is one of hundreds.
    """
    if conversion.is_hundreds:
        return limits.back_hundreds, limits.scale_hundreds
    if is_signed and conversion.evidence == "power of ten":
        return noise, math.exp(2 * noise)
    return min(room, limits.back_at_most), limits.scale


def _must_be_temperature(change: UnitChange, now: np.ndarray, state: np.ndarray, limits: UnitLimits) -> bool:
    """Say whether the values are temperatures, and their width fits neither growth alone nor a shift alone as well."""
    conversion = change.conversion
    if not _are_temperatures(conversion, now, state):
        return False
    if conversion.factor == 1:  # °C and K; a shift explains it by itself, so it must be a far one that is met closely
        return change.after * limits.gain_shift <= change.before
    wider, grown = math.log(_width(now) / _width(state)), float((now @ state) / (state @ state))
    off = abs(wider - math.log(conversion.factor))
    return off < abs(wider) and (grown <= 0 or limits.doubt * off < abs(wider - math.log(grown)))


def _width(quantiles: np.ndarray) -> float:
    return float(quantiles[95] - quantiles[5]) or float(quantiles[99] - quantiles[1])


def _are_temperatures(conversion: Conversion, now: np.ndarray, state: np.ndarray) -> bool:
    """Say whether the values would be temperatures between -90 and 200 °C; 1.8 times a price is no such thing."""
    import numpy as np

    unit = conversion.name.partition(" to ")[0]
    inner = np.array([state[1], state[99], *conversion.undo(now)[[1, 99]]])
    celsius = (inner - 32) / 1.8 if unit == "°F" else inner - 273.15 if unit == "K" else inner
    return bool(((celsius >= -90) & (celsius <= 200)).all())


def _of_two_values(now: np.ndarray, states: Sequence[np.ndarray]) -> UnitChange | None:
    """Find the power of ten between two values now and two before; rare ones show in no quantile but the outermost."""
    ends = [(float(quantiles[0]), float(quantiles[-1])) for quantiles in (now, *states)]
    if ends[0] in ends[1:]:
        return None
    for conversion in POWERS:
        scaled = [[value * conversion.factor for value in state] for state in ends[1:]]
        if any(all(map(math.isclose, ends[0], state)) for state in scaled):
            return UnitChange(conversion, abs(math.log10(conversion.factor)), 0.0)
    return None


def _find_exact(now: np.ndarray, states: Sequence[np.ndarray], before: float, limits: UnitLimits) -> list[UnitChange]:
    """Find a factor of any size that many quantiles share to the sixth digit, as those of rounded values do."""
    return [change for state in states if (change := _exact_from(now, state, states, before, limits))]


def _exact_from(now: np.ndarray, state: np.ndarray, states: Sequence[np.ndarray], before: float, limits: UnitLimits) -> UnitChange | None:
    import numpy as np

    usable = (state != 0) & (now != 0)
    if not usable.any():
        return None
    with np.errstate(over="ignore", under="ignore"):
        ratios = now[usable] / state[usable]
    factor = float(np.median(ratios))
    if not np.isfinite(factor) or factor <= 0 or 1 / limits.factor < factor < limits.factor:
        return None
    same = np.abs(ratios / factor - 1) < 1e-6
    if same.mean() < limits.exact_share or len(np.unique(state[usable][same])) < limits.exact_values:
        return None
    change = _try(Conversion(f"{factor:.6g} times", "exact", factor), now, states, before)
    return change if change.after <= limits.back_at_most and change.after * limits.gain <= before else None
