"""Go back to an earlier champion, and keep automatic promotions away until that is released."""

from __future__ import annotations

from flows import _entry

if __name__ == "__main__":
    _entry.main("rollback")

from tasks import data, notify, promotion, registry
from tasks.core.options import RollbackOptions
from tasks.core.succession import SuccessionReport
from tasks.record import flow


@flow
@notify.ends_alarms
def rollback(options: RollbackOptions = RollbackOptions()) -> SuccessionReport:
    """Make an earlier version champion again and hold it, or release that hold.

    Args:
        options: Which version and why, or that the hold is over.
    """
    case = data.resolve_known(options.use_case)
    registry.open_stores(case)
    if options.release:
        return promotion.release(case, options.because)
    return promotion.roll_back(case, options.version, options.because)
