"""Tell people that something needs them; automations call this for what no flow can tell by itself."""

from __future__ import annotations

from flows import _entry

if __name__ == "__main__":
    _entry.main("alarm")

from tasks import notify
from tasks.core.alarms import AlarmReport
from tasks.core.options import AlarmOptions
from tasks.record import flow


@flow
@notify.ends_alarms
def alarm(options: AlarmOptions = AlarmOptions()) -> AlarmReport:
    """Tell the channels of a use case of an alarm unless they know it, or that it is over.

    Args:
        options: What is the matter, and whose it is.
    """
    case = notify.find_case(options.use_case)
    (report,) = notify.notify(case, notify.raised(case, options), watched={options.code})
    return report
