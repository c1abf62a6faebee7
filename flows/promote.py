"""Say the last word on a version: make it champion, or reject it."""

from __future__ import annotations

from flows import _entry

if __name__ == "__main__":
    _entry.main("promote")

from tasks import data, evaluation, promotion, registry, training, versions
from tasks.core.options import PromoteOptions
from tasks.core.succession import SuccessionReport
from tasks.record import flow


@flow
def promote(options: PromoteOptions = PromoteOptions()) -> SuccessionReport:
    """Judge a version again, against whoever is champion now, and make it champion if it passes; or reject it.

    Args:
        options: Which version, what becomes of it, and why.
    """
    case = data.resolve_known(options.use_case)
    registry.open_stores(case)
    version = promotion.find_waiting(case, options.version)
    if options.reject:
        return promotion.reject(case, version, options.because)
    promotion.check_age(case, version)
    study = versions.study_again(case, version)
    champion = registry.load_champion(case, challenger=version.number)
    fits = training.fit_again(study, versions.load_rival(case, version).judged)
    evidence = evaluation.measure(study, fits, champion)
    return promotion.approve(study, version, evidence, champion, options.because)
