"""Replay history chunk by chunk: what would retraining have been worth, by this policy and by others?"""

from __future__ import annotations

from flows import _entry

if __name__ == "__main__":
    _entry.main("backtest")

from tasks import backtesting, data, notify, validation
from tasks.core.backtest import BacktestReport
from tasks.core.options import BacktestOptions
from tasks.record import flow


@flow
@notify.ends_alarms
def backtest(options: BacktestOptions = BacktestOptions()) -> BacktestReport:
    """Fit to the rows before each chunk, let every policy choose among these fits, and compare what they lose.

    Args:
        options: Which rows, and how they are cut.
    """
    case = data.resolve(options)
    batch = data.read_rows(case)
    verdict = validation.validate(case, batch)
    snapshot = data.take_snapshot(case, batch, verdict)
    rehearsal = backtesting.arrange(case, snapshot, options)
    history = backtesting.fit_history(rehearsal)
    courses = backtesting.replay_policies(rehearsal, history)
    recommended = backtesting.recommend(rehearsal, history, courses)
    return backtesting.report(rehearsal, history, courses, recommended)
