"""The charts of a training run's page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.core import charts
from tasks.core.curves import precision_recall, reliability, roc
from tasks.core.importance import shown_classes
from tasks.core.page import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from tasks.core.curves import Curve
    from tasks.core.evidence import Evidence
    from tasks.core.importance import Dependence, Importance

MAX_POINTS = 2000
MAX_CLASSES = 20


def of_numbers(evidence: Evidence) -> list[Figure]:
    """Show predicted against true numbers, and what is left of them."""
    import numpy as np

    shown = np.linspace(0, len(evidence.y) - 1, min(MAX_POINTS, len(evidence.y))).astype(int)
    true, said = evidence.y[shown], evidence.prediction.values[shown]
    scatter = charts.scatter_chart(true.tolist(), said.tolist(), title="Predicted against true")
    residuals = charts.residual_chart(said.tolist(), (true - said).tolist(), title="Residuals")
    return [
        Figure("Each point is a gate row; on the diagonal the prediction is right", scatter),
        Figure("Residuals: by how much each prediction misses", residuals),
    ]


def of_classes(evidence: Evidence) -> list[Figure]:
    """Show which classes are taken for which, how they are ranked, and whether probabilities come true."""
    said = evidence.prediction
    plots: list[Figure] = []
    if len(said.classes) <= MAX_CLASSES:
        counts = [[int(((evidence.y == true) & (said.values == label)).sum()) for label in said.classes] for true in said.classes]
        plots.append(Figure("Gate rows by class", charts.matrix_chart(counts, said.classes, title="Confusion matrix")))
    shown = [label for label in shown_classes(evidence.y, said.classes) if 0 < (evidence.y == label).sum() < len(evidence.y)]
    if not shown:
        return plots
    return [
        *plots,
        _curves("ROC: how many of a class are found, at how many false alarms", evidence, shown, roc, ("False alarms", "Found", "chance")),
        _curves(
            "Precision: how many of those said to be of a class are of it", evidence, shown, precision_recall, ("Found", "Precision", "")
        ),
        _curves("Calibration: whether probabilities come true", evidence, shown, reliability, ("Probability", "Frequency", "exact")),
    ]


def _curves(
    caption: str,
    evidence: Evidence,
    shown: Sequence[str],
    curve: Callable[[np.ndarray, np.ndarray], Curve],
    words: tuple[str, str, str],
) -> Figure:
    """Draw a curve of each class; the words are for the axes and for the diagonal, which is left out without one."""
    x_title, y_title, diagonal = words
    curves = [(label, curve(evidence.y == label, evidence.prediction.of_class(label))) for label in shown]
    lines = [charts.Series(label, points.x, points.y) for label, points in curves]
    lines += [charts.Series(diagonal, [0.0, 1.0], [0.0, 1.0])] if diagonal else []
    return Figure(caption, charts.line_chart(lines, title=caption.partition(":")[0], x_title=x_title, y_title=y_title))


def over_time(losses: np.ndarray, blocks: int, loss: str) -> Figure:
    """Show the mean loss of blocks of rows in their order."""
    import numpy as np

    means = [float(part.mean()) for part in np.array_split(losses, blocks)]
    series = charts.Series(loss, list(range(1, blocks + 1)), means)
    drawn = charts.line_chart([series], title="Loss over time", x_title="Block of gate rows", y_title=f"Mean {loss}")
    return Figure("Mean loss over the gate rows in order of time", drawn)


def of_learning(points: Sequence[tuple[int, float]], loss: str) -> Figure:
    """Show how the loss on the gate rows falls with the rows that are fitted to."""
    rows, losses = zip(*points, strict=True)
    series = charts.Series(loss, [float(count) for count in rows], [*losses])
    drawn = charts.line_chart([series], title="Learning curve", x_title="Rows fitted to", y_title=f"Mean {loss}")
    return Figure("Mean loss on the gate rows of fits to a quarter, to half, and to all of the rows", drawn)


def of_importance(importance: Sequence[Importance]) -> Figure:
    """Show by how much the loss rises without each feature."""
    rows = [charts.Interval(each.feature, *(100 * end for end in vars(each.rise).values())) for each in importance]
    return Figure("Importance", charts.whisker_chart(rows, title="Importance", x_title="Rise of the loss, %", reference=0.0))


def of_dependence(dependence: Dependence, target: str) -> Figure:
    """Show how predictions follow a feature: as lines over numbers, else one below the other."""
    name, curves = dependence.feature, dependence.curves
    is_of_number = "" in curves
    y_title = target if is_of_number else "Probability"
    has_band = len(curves) == 1
    caption = f"Mean prediction if {name} were so" + ", with quartiles of the rows" * has_band
    if dependence.is_number:
        x = [float(value) for value in dependence.values]
        lines = [charts.Series(label or target, x, *curve.tolist()[: 3 if has_band else 1]) for label, curve in curves.items()]
        return Figure(caption, charts.line_chart(lines, title=name, x_title=name, y_title=y_title))
    label, curve = next(iter(curves.items()))
    rows = [charts.Interval(str(value), *ends) for value, ends in zip(dependence.values, curve.T.tolist(), strict=True)]
    return Figure(caption, charts.whisker_chart(rows, title=name, x_title=y_title if is_of_number else f"Probability of {label}"))
