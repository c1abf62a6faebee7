"""Look at a champion: are its newest rows sound, how good is it on them, and shall it be retrained?"""

from __future__ import annotations

from flows import _entry

if __name__ == "__main__":
    _entry.main("monitor")

from flows.train import train
from tasks import data, deciding, monitoring, notify, promotion, registry, telling
from tasks.core.monitoring import OVERTAKEN, MonitorReport, alarms_of, restored, watched_by
from tasks.core.options import MonitorOptions, TrainOptions
from tasks.core.snapshot import Case
from tasks.record import flow


@flow
@notify.ends_alarms
def monitor(options: MonitorOptions = MonitorOptions()) -> MonitorReport:
    """Look at what came for a champion since the last look, decide by the rules that a backtest replays, and do that.

    Args:
        options: Whose champion.
    """
    case = data.resolve_known(options.use_case)
    registry.open_stores(case)
    notify.check_channels(case)
    with notify.telling_of_loss(case):
        post = monitoring.take_post(case, registry.load_scorer(case, None))
    broken = monitoring.find_broken(post)
    seen = monitoring.read_news(post)
    performance = monitoring.judge_performance(post, seen)
    estimated = monitoring.estimate_unlabelled(post, seen)
    features = monitoring.find_moved_features(post, seen)
    together = monitoring.compare_rows(post, seen, features)
    decided = deciding.decide(post, seen, performance, broken)
    report = telling.report(post, seen, (broken, performance, estimated, features, together), decided)
    limits = case.use_case.retrain
    notify.notify(case, alarms_of(report, limits), watched=watched_by(report, limits))  # before anything that may fail
    report = telling.conclude(case, report, _act(case, report))
    return telling.draw(post, seen, report)


def _act(case: Case, report: MonitorReport) -> str:
    """Do what was decided, and say what became of it; nothing where nothing was to be done."""
    if report.choice.version is not None:
        if not promotion.restore(case, report.choice.version, report.choice.reasons):
            return OVERTAKEN
        notify.notify(case, [restored(report)], watched=())
        return f"version {report.choice.version} is champion again"
    if report.choice.outcome != "retrain":
        return ""
    if deciding.ask(report):
        return "the deployment that trains was asked"
    with notify.telling_of_training(case):
        trained = train(TrainOptions(use_case=case.name, asked_by=report.memory.asked_by))
    return f"version {trained.version} was trained: {trained.decision.verdict}, {trained.decision.reason}"
