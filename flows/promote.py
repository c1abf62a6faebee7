"""Say the last word on a version: make it champion, or reject it."""

from __future__ import annotations

from flows import _entry

if __name__ == "__main__":
    _entry.main("promote")

from tasks import data, evaluation, judging, notify, promotion, registry, training, versions
from tasks.core.options import PromoteOptions
from tasks.core.succession import SuccessionReport
from tasks.record import flow


@flow
@notify.ends_alarms
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
    promotion.check_word(case, version, options)
    study = versions.study_again(case, version)
    champion = registry.load_champion(case, challenger=version.number, or_anew=True)
    fits = training.fit_again(study, versions.load_rival(case, version).judged)
    evidence = evaluation.measure(study, fits, champion)
    decision = judging.judge(study, fits, evidence, champion, evaluation.doubts_of(version), options.waive)
    shipped = registry.load_model(case.name, version.number)
    decision = evaluation.check_shipped(study, evidence, shipped, decision)
    return promotion.approve(study, shipped, version, evidence, champion, decision, options.because)
