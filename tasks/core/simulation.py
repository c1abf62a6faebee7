"""A simulated market, for demonstrations and tests. Nobody ever traded here; every row is drawn from a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

WEEKS, DAYS, HOURS = 60, 5, 8
CHANGE_WEEK = 32  # from here on what used to calm the market stirs it
FAULT_WEEK = 45  # volumes of this week came in pieces instead of thousands
FAULT = 1000
ECHO_WEEKS = range(50, 53)  # in which the market is once more as it was before the change
LATE_WEEKS = 2  # labels of the last weeks have not come
BEGIN = "2031-01-06"
TARGET = "stressed"


def market_risk(seed: int = 0, weeks: int = WEEKS) -> pd.DataFrame:
    """Simulate the hours of a market: will the next one be stressed?

    Price, volume and rate features; a change of regime in week 32, and three weeks from week 50 on that are as before it; a week whose
    volumes are in another unit; labels that are missing in the last two weeks because they come late. Weeks count from 0, and have 5
    days of 8 hours.

    Args:
        seed: Of all draws.
        weeks: How many.

    Returns:
        A row for each hour, in the order of `ts`; `stressed` is `yes`, `no`, or missing where its label has not come.
    """
    import numpy as np
    import pandas as pd

    draw, rows = np.random.default_rng(seed), weeks * DAYS * HOURS
    week = np.arange(rows) // (DAYS * HOURS)
    days = pd.date_range(BEGIN, periods=weeks * DAYS, freq="B").repeat(HOURS)
    ts = days + pd.to_timedelta(np.tile(np.arange(9, 9 + HOURS), weeks * DAYS), unit="h")
    volatility = np.exp(_wandering(draw, rows, 0.97, 0.25))
    change = draw.normal(0, 0.4, rows) * volatility
    volume = np.exp(_wandering(draw, rows, 0.9, 0.4) + 0.3 * volatility) * 120
    rate = 2 + _wandering(draw, rows, 0.995, 0.1)
    spread = 1 + 0.3 * volatility + draw.gamma(2, 0.1, rows)
    side = np.where((week >= CHANGE_WEEK) & ~np.isin(week, ECHO_WEEKS), -1.0, 1.0)
    risk = -0.9 + 1.1 * np.log(volatility) + 1.5 * (rate - 2) + side * (1.6 * np.log(volume / 160) + 0.5 * change) + 0.4 * (spread - 1.5)
    stressed = np.where(draw.random(rows) < 1 / (1 + np.exp(-4.0 * risk)), "yes", "no").astype(object)
    stressed[week >= weeks - LATE_WEEKS] = None
    features = {"price": 100 * np.exp(np.cumsum(change) / 200), "change": change, "volatility": volatility, "rate": rate, "spread": spread}
    features["volume"] = np.where(week == FAULT_WEEK, volume * FAULT, volume)
    df = pd.DataFrame({name: values.round(4) for name, values in features.items()})
    return df.assign(ts=ts, **{TARGET: pd.Series(stressed, dtype="str")})[["ts", *df, TARGET]]


def _wandering(draw: np.random.Generator, rows: int, memory: float, size: float) -> np.ndarray:
    """Draw values that stay near where they were (an autoregressive process of order 1)."""
    import numpy as np

    values, now = np.empty(rows), 0.0
    for place, step in enumerate(draw.normal(0, size * (1 - memory**2) ** 0.5, rows)):
        now = memory * now + step
        values[place] = now
    return values
