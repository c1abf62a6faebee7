"""Let the champion, or another version, predict the rows of a table."""

from __future__ import annotations

from flows import _entry

if __name__ == "__main__":
    _entry.main("score")

from tasks import data, notify, registry, scoring, validation
from tasks.core.options import ScoreOptions
from tasks.core.scoring import ScoreReport
from tasks.record import flow


@flow
@notify.ends_alarms
def score(options: ScoreOptions = ScoreOptions()) -> ScoreReport:
    """Predict the rows of a table that satisfy their suite; the others are set aside with their reasons.

    Args:
        options: Which rows, which version, and where the predictions go.
    """
    case = data.resolve_scoring(options)
    registry.open_stores(case)
    scorer = registry.load_scorer(case, options.version)
    batch = data.read_inputs(case, scorer)
    verdict = validation.validate_unlabelled(case, batch, scorer.target)
    return scoring.score(case, scorer, batch, verdict, options.out)
