"""Train a challenger and let the gate decide whether it becomes champion."""

from __future__ import annotations

from flows import _entry

if __name__ == "__main__":
    _entry.main("train")

from tasks import cards, choosing, data, deciding, evaluation, judging, notify, promotion, registry, training, validation
from tasks.core.options import TrainOptions
from tasks.core.results import TrainReport
from tasks.record import flow


@flow
@notify.ends_alarms
@deciding.counts_as_attempt
def train(options: TrainOptions = TrainOptions()) -> TrainReport:
    """Take a table with a target to a version in the registry, and to a champion when the gate does not refuse it.

    Args:
        options: What to train on, and how.
    """
    case = data.resolve(options)
    registry.prepare_stores(case)
    batch = data.read_rows(case, options.since or deciding.since_of(case))
    if risen := None if options.since else deciding.risen_since(case, options.asked_by):
        batch = deciding.choose_rows(case, batch, data.read_rows(case, risen))
    verdict = validation.validate(case, batch)
    snapshot = data.take_snapshot(case, batch, verdict)
    last = registry.last_version(case, snapshot)
    champion = registry.load_champion(case, or_anew=options.again)
    if last and not options.again and registry.is_answered(case, snapshot, last):
        return evaluation.report_unchanged(case, snapshot, last)
    if last and not deciding.claim(case, options.asked_by):
        return evaluation.report_unchanged(case, snapshot, last)
    study = data.split_rows(case, snapshot, last)
    with registry.open_run(study):
        leaderboard = choosing.choose(study)
        fits = training.fit_judged(study, leaderboard)
        evidence = evaluation.evaluate(study, fits, champion)
        explanation = evaluation.explain(study, leaderboard, fits, evidence)
        decision = judging.judge(study, fits, evidence, champion, explanation.doubts)
        shipped = training.fit_shipped(study, leaderboard, fits, decision)
        decision = evaluation.check_shipped(study, evidence, shipped, decision)
        version = registry.register(study, fits, shipped, evidence)
        decision = promotion.promote(study, shipped, version, evidence, decision, champion)
        cards.write_card(case, version)
        return evaluation.report_training(study, leaderboard, evidence, explanation, version, decision)
