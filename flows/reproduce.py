"""Fit a version again from what its run kept, and require that it predicts what the stored one does."""

from __future__ import annotations

from flows import _entry

if __name__ == "__main__":
    _entry.main("reproduce")

from tasks import data, notify, registry, reproduction, training, versions
from tasks.core.options import ReproduceOptions
from tasks.core.reproducing import Reproduction
from tasks.record import flow


@flow
@notify.ends_alarms
def reproduce(options: ReproduceOptions = ReproduceOptions()) -> Reproduction:
    """Fit the recorded recipe to the recorded rows again and compare what both say of the gate rows.

    Args:
        options: Which version.
    """
    case = data.resolve_known(options.use_case)
    registry.open_stores(case)
    original = reproduction.recall(case, options.version)
    study = versions.study_again(case, original.version)
    judged, shipped = training.fit_recorded(study, original)
    return reproduction.compare(study, original, judged, shipped)
