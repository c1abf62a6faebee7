"""Keep lakes and home small and quick: put small files together, and remove what no model version and no person needs."""

from __future__ import annotations

from flows import _entry

if __name__ == "__main__":
    _entry.main("maintain")

from tasks import maintenance, notify
from tasks.core.maintenance import MaintainReport
from tasks.core.options import MaintainOptions
from tasks.record import flow


@flow
@notify.ends_alarms
def maintain(options: MaintainOptions = MaintainOptions()) -> MaintainReport:
    """Maintain the lake of one use case, or all of them and the home; every snapshot that a model version names stays.

    Args:
        options: Which, and how long what nobody needs is kept.
    """
    with maintenance.upkeep(options) as plan:
        lakes = [maintenance.maintain_lake(plan, use_case) for use_case in plan.use_cases]
        tidied = maintenance.tidy_home(plan)
    return maintenance.report(lakes, tidied)
