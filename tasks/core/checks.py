"""What the gate asks beside its comparisons: these checks warn, and refuse where the use case says so.

A new check is a function that takes the `Material` and gives a `Finding`, and a line in `CHECKS`. Those that ask for chance share one
error budget: of a challenger within their limits, all of them together find something at the rate `error_rate` at most (Holm 1979).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from tasks.core import behaviour
from tasks.core.gate import COMPARING, Check, percent, signed_percent
from tasks.core.honesty import LEAKS, standard_error
from tasks.core.metrics import calibration_gaps, is_loss, row_losses
from tasks.core.names import on_one_line
from tasks.core.page import shorten
from tasks.core.slices import holm, named_parts, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    import numpy as np
    import pandas as pd

    from tasks.core.behaviour import Expected
    from tasks.core.gate_settings import Gate
    from tasks.core.honesty import Doubt
    from tasks.core.metrics import Interval, Prediction
    from tasks.core.table import Schema
    from tasks.core.use_case import Loss

MEGABYTE = 1_000_000
SHOWN_CASES = 3
MAX_WORDS = 40
UNRELATED_SHARE = 0.5
Part = tuple[str, str, "np.ndarray"]


@dataclass(frozen=True)
class Pair:
    """Challenger and champion on the gate rows that neither was fitted on.

    Attributes:
        rows: Their cells, in all columns.
        y: Their true values, shape (n,).
        new: What the challenger's judged fit says.
        old: What the champion's says.
        loss: That decides.
        blocks: Contiguous blocks whose means count as independent; 0 where each row does.
    """

    rows: pd.DataFrame
    y: np.ndarray
    new: Prediction
    old: Prediction
    loss: Loss
    blocks: int

    @property
    def is_regression(self) -> bool:
        """Say whether numbers are predicted."""
        return self.new.proba is None

    @cached_property
    def changes(self) -> np.ndarray:
        """Give by how much the loss of each row rose, as a share of the champion's mean loss."""
        old = row_losses(self.loss, self.y, self.old)
        return (row_losses(self.loss, self.y, self.new) - old) / (float(old.mean()) or 1.0)

    @cached_property
    def are_wrong(self) -> tuple[np.ndarray, np.ndarray]:
        """Say how wrong challenger and champion are in each row: 0 or 1 for classes, in champion's mean errors for numbers."""
        import numpy as np

        if not self.is_regression:
            return (self.new.values != self.y).astype(float), (self.old.values != self.y).astype(float)
        new, old = np.abs(self.new.values - self.y), np.abs(self.old.values - self.y)
        typical = float(old.mean()) or 1.0
        return new / typical, old / typical

    def chance_of(self, excess: float, values: np.ndarray) -> float:
        """Give the chance that a mean which exceeds nothing looks as if by so much (Student's t over rows, or blocks of them)."""
        from scipy.special import stdtr

        blocks = min(self.blocks, len(values))
        error = standard_error(values, blocks)
        if not 0 < error < math.inf:
            return float(error > 0 or excess <= 0)
        return float(stdtr((blocks or len(values)) - 1, -excess / error))


@dataclass(frozen=True)
class Material:
    """What checks may ask for. What costs something is a function, which a check calls that is asked.

    Attributes:
        gate: The limits.
        schema: Of the table.
        personal: Columns whose values are not quoted.
        metrics: Of the challenger.
        doubts: What is to distrust.
        pair: Challenger and champion; None where there is no champion, or hardly a row that neither was fitted on.
        why_alone: Why there is no pair.
        positive: The class that is looked for, of two.
        expected: Rows of which a person knows what must be predicted.
        predict: Lets the challenger predict.
        seconds: Times one row with challenger and champion.
        sizes: Gives the bytes of both.
    """

    gate: Gate
    schema: Schema
    predict: Callable[[pd.DataFrame], Prediction]
    seconds: Callable[[], tuple[float, float]]
    sizes: Callable[[], tuple[int, int]]
    personal: Collection[str] = ()
    metrics: Mapping[str, Interval] = field(default_factory=dict[str, "Interval"])
    doubts: Sequence[Doubt] = ()
    pair: Pair | None = None
    why_alone: str = ""
    positive: str = ""
    expected: Sequence[Expected] = ()


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        value: In words.
        limit: In words; empty where the check does not apply.
        is_over: Whether that is more than the limit allows.
        chance: That so much is found where there is no more than the limit; None where the figure knows no chance.
    """

    value: str
    limit: str = ""
    is_over: bool = False
    chance: float | None = None


@dataclass(frozen=True)
class Rule:
    """A check as the registry knows it.

    Attributes:
        code: Stable name.
        look: Answers it.
        how_to_pass: What a person can do about a failure.
        of_two: Whether it compares, and so needs a champion.
        by_chance: Whether it asks for chance, and shares the error budget.
        blocks: Whether it always refuses.
    """

    code: str
    look: Callable[[Material], Finding]
    how_to_pass: str
    of_two: bool = True
    by_chance: bool = False
    blocks: bool = False


def run(material: Material) -> tuple[Check, ...]:
    """Ask all checks that are not skipped; those that ask for chance fail only if that holds among all of them."""
    asked = [rule for rule in CHECKS if rule.code not in material.gate.skip]
    found = {rule.code: _look(rule, material) for rule in asked}
    chances = {code: finding.chance for code, finding in found.items() if finding.chance is not None}
    beyond = dict(zip(chances, holm([*chances.values()], material.gate.error_rate), strict=True))
    return tuple(_check(rule, found.get(rule.code), material.gate, beyond) for rule in CHECKS)


def _look(rule: Rule, material: Material) -> Finding:
    return Finding(material.why_alone) if rule.of_two and material.pair is None else rule.look(material)


def _check(rule: Rule, found: Finding | None, gate: Gate, beyond: Mapping[str, bool]) -> Check:
    if found is None:
        return Check(rule.code, "skipped", "gate.skip names it", "")
    if not found.limit:
        return Check(rule.code, "not applicable", found.value, "")
    is_bad = beyond.get(rule.code, found.is_over)
    worst = "failed" if rule.blocks or rule.code in gate.block else "warned"
    return Check(rule.code, worst if is_bad else "passed", found.value, found.limit, rule.how_to_pass)


# ------------------------------------------------------------------------------------------------- what knows no chance


def of_floors(material: Material) -> Finding:
    """Ask whether each metric reaches the floor that the use case sets."""
    floors = material.gate.floors
    if not floors:
        return Finding("gate.floors sets none")
    values = {name: material.metrics[name].value for name in floors}
    below = [name for name, floor in floors.items() if not (values[name] <= floor if is_loss(name) else values[name] >= floor)]
    told = [f"{name} {values[name]:.4g}" for name in below or floors]
    limits = [f"{name} at {'most' if is_loss(name) else 'least'} {floors[name]:.4g}" for name in below or floors]
    return Finding(", ".join(told), ", ".join(limits), is_over=bool(below))


def of_leakage(material: Material) -> Finding:
    """Ask whether no column gives the target away."""
    leaks = [doubt.message for doubt in material.doubts if doubt.code in LEAKS]
    more = f" (and {len(leaks) - 1} more)" if len(leaks) > 1 else ""
    return Finding(leaks[0] + more if leaks else "no column is suspected", "no suspect", is_over=bool(leaks))


def of_behaviour(material: Material) -> Finding:
    """Ask whether every row of `gate.behaviour` is predicted as it must be."""
    cases = material.expected
    if not cases:
        return Finding("gate.behaviour names no rows")
    wrong = behaviour.broken(cases, material.predict(behaviour.cells_of(cases, material.schema)))
    named = f": {'; '.join(case.where for case in wrong[:SHOWN_CASES])}{' …' if len(wrong) > SHOWN_CASES else ''}" if wrong else ""
    return Finding(f"{len(cases) - len(wrong)} of {len(cases)} cases hold{named and ', but not'}{named}", "all of them", bool(wrong))


def of_latency(material: Material) -> Finding:
    """Ask whether predicting one row takes not much longer than with the champion."""
    gate, (new, old) = material.gate, (1000 * seconds for seconds in material.seconds())
    limit = max(gate.latency_factor * old, gate.latency_ms)
    told = f"{gate.latency_factor:g} times the champion's, or {gate.latency_ms:g} ms"
    return Finding(f"{new:.3g} ms for one row, the champion {old:.3g} ms", told, is_over=new > limit)


def of_size(material: Material) -> Finding:
    """Ask whether the stored model is not much larger than the champion's."""
    gate, (new, old) = material.gate, (size / MEGABYTE for size in material.sizes())
    limit = max(gate.size_factor * old, gate.size_mb)
    told = f"{gate.size_factor:g} times the champion's, or {gate.size_mb:g} MB"
    return Finding(f"{new:.3g} MB, the champion {old:.3g} MB", told, is_over=new > limit)


# ---------------------------------------------------------------------------------------------------- what asks for chance


def of_slices(material: Material) -> Finding:
    """Ask whether the rows show a loss in none of the slices that the use case names."""
    pair, named = _paired(material), material.gate.slices
    if not named:
        return Finding("gate.slices names none")
    return _worst_of(material, [part for given in named for part in parts_of(given, pair.rows)])


def of_worst_slice(material: Material) -> Finding:
    """Ask whether the rows show a loss in no category and no quarter of any column that models see."""
    pair = _paired(material)
    simple = [name for name in material.schema.features if name not in material.personal]
    return _worst_of(material, [(name, words, inside) for name in simple for words, inside in named_parts(pair.rows[name])])


def _worst_of(material: Material, parts: Iterable[Part]) -> Finding:
    """Find the part whose loss rose most beyond chance, as the worst of so many."""
    pair, limit = _paired(material), material.gate.slice_loss
    large = [(name, words, pair.changes[inside]) for name, words, inside in parts if inside.sum() >= material.gate.slice_rows]
    if not large:
        return Finding(f"no part has {material.gate.slice_rows} gate rows")
    chances = [pair.chance_of(float(changes.mean()) - limit, changes) for _, _, changes in large]
    worst = min(range(len(large)), key=lambda place: (chances[place], -float(large[place][2].mean())))
    name, words, changes = large[worst]
    shown = _shown(material, name, words)
    among = f", the worst of {len(large)} parts" if len(large) > 1 else ""
    value = f"loss {signed_percent(float(changes.mean()))} of the champion's where {name} {shown} ({len(changes):,} rows){among}"
    return Finding(value, f"+{percent(limit)} beyond chance", chance=_first_of(chances))


def of_calibration(material: Material) -> Finding:
    """Ask whether the rows show no rise of the calibration error."""
    pair, limit = _paired(material), material.gate.calibration_rise
    if pair.is_regression:
        return Finding("numbers have no probabilities")
    new, old = calibration_gaps(pair.y, pair.new), calibration_gaps(pair.y, pair.old)
    rise = float(new.mean() - old.mean())
    value = f"calibration error {new.mean():.3f}, the champion's {old.mean():.3f}"
    return Finding(value, f"+{limit:.3g} beyond chance", chance=pair.chance_of(rise - limit, new - old))


def of_negative_flips(material: Material) -> Finding:
    """Ask whether few rows that the champion has right are wrong now; of numbers, are wrong by the champion's mean error more.

    Where the target is noisy, equal models differ on many rows. So the limit is at least half of what two models come to whose errors
    have nothing in common (the denominator of the relative negative flip rate of Yan et al. 2021).
    """
    import numpy as np

    pair = _paired(material)
    new, old = pair.are_wrong
    flipped = (new - old >= 1.0).astype(float)
    unrelated = float(np.searchsorted(np.sort(old), new - 1.0, side="right").mean()) / len(old)
    limit = max(material.gate.flips, UNRELATED_SHARE * unrelated)
    share, gained = float(flipped.mean()), float((old - new >= 1.0).mean())
    what = "much worse" if pair.is_regression else "wrong where the champion is right"
    value = f"{percent(share)} of the rows {what}, {percent(gained)} the other way"
    return Finding(value, f"{percent(limit)} beyond chance", chance=pair.chance_of(share - limit, flipped))


def of_protected(material: Material) -> Finding:
    """Ask whether the rows show no group to be treated more differently from the others than the champion does."""
    pair, limit = _paired(material), material.gate.protected_gap
    if not material.gate.protected:
        return Finding("gate.protected names no column")
    gaps = [
        (measure, name, words, _widening(pair, inside, *rates))
        for name in material.gate.protected
        for words, inside in named_parts(pair.rows[name])
        if min(inside.sum(), (~inside).sum()) >= material.gate.slice_rows
        for measure, rates in _rates(material).items()
    ]
    if not gaps:
        return Finding(f"no two groups have {material.gate.slice_rows} gate rows")
    # Twice, because a gap may open to either side.
    chances = [min(1.0, 2 * pair.chance_of(abs(new) - abs(old) - limit, moved)) for *_, (new, old, moved) in gaps]
    worst = min(range(len(gaps)), key=chances.__getitem__)
    measure, name, words, (new, old, _) = gaps[worst]
    shown = _shown(material, name, words)
    value = f"{measure} where {name} {shown} {signed_percent(new)} against the others', the champion's {signed_percent(old)}"
    return Finding(value, f"{percent(limit)} further away beyond chance", chance=_first_of(chances))


def _rates(material: Material) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Give by name what may differ between groups, in each row, for challenger and champion."""
    pair = _paired(material)
    rates = {"mean error" if pair.is_regression else "error rate": pair.are_wrong}
    if material.schema.task == "binary":
        new, old = (said.values == material.positive for said in (pair.new, pair.old))
        rates["rate of positive predictions"] = (new.astype(float), old.astype(float))
    return rates


def _widening(pair: Pair, inside: np.ndarray, new: np.ndarray, old: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Give the gap between a group and the others for both models, and rows whose mean is how the gap moved."""
    import numpy as np

    gaps = [float(rate[inside].mean() - rate[~inside].mean()) for rate in (new, old)]
    moved, moves = gaps[0] - gaps[1], new - old
    scatter = np.zeros(len(pair.y))
    for side, sign in ((inside, 1), (~inside, -1)):
        scatter[side] = sign * (moves[side] - moves[side].mean()) * len(scatter) / side.sum()
    return gaps[0], gaps[1], moved + scatter


def _paired(material: Material) -> Pair:
    if material.pair is None:
        message = "this check compares, and there is no champion"
        raise ValueError(message)
    return material.pair


def _first_of(chances: Sequence[float]) -> float:
    """Give the chance that the least likely of so many is there by chance (Bonferroni)."""
    return min(1.0, len(chances) * min(chances))


def _shown(material: Material, column: str, words: str) -> str:
    if column in material.personal:
        return "has a certain value, which is personal,"
    return f"is {shorten(on_one_line(words), MAX_WORDS)}"


CHECKS = (
    Rule("floors", of_floors, "bring rows or columns that tell more, or set another floor", of_two=False, blocks=True),
    Rule("behaviour", of_behaviour, "bring rows like these cases, or mend the cases", of_two=False),
    Rule("leakage", of_leakage, "name the column under drop:, or skip the check where it is known beforehand", of_two=False),
    Rule("slices", of_slices, "bring more rows of this slice, or raise gate.slice_loss", by_chance=True),
    Rule("worst_slice", of_worst_slice, "bring more rows of this part, or raise gate.slice_loss", by_chance=True),
    Rule("calibration", of_calibration, "bring more rows, or raise gate.calibration_rise", by_chance=True),
    Rule("negative_flips", of_negative_flips, "keep candidates: to the champion's recipe, or raise gate.flips", by_chance=True),
    Rule("protected", of_protected, "bring more rows of the group, or raise gate.protected_gap", by_chance=True),
    Rule("latency", of_latency, "name faster candidates:, or raise gate.latency_ms"),
    Rule("size", of_size, "name smaller candidates:, or raise gate.size_mb"),
)
CODES = tuple(rule.code for rule in CHECKS)
CAN_BE_WAIVED = (*COMPARING, *CODES)
