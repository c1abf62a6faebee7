"""The checks between a challenger and the champion, and the decision that they make.

A comparison is paired: both models predict the same gate rows, and what counts is the mean difference of their losses
against its standard error. All figures are shares of the champion's mean loss.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from tasks.core.errors import UsageError
from tasks.core.splits import MIN_GATE_ROWS

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy as np

CheckOutcome = Literal["passed", "failed", "warned", "not applicable", "skipped", "waived"]
Verdict = Literal["promoted", "kept", "refused", "unchanged"]
MAX_REFIT_LOSS = 0.02
ANCHOR_TOLERANCES = 2  # small losses add up; so far they may, before versions count as worse than the last one that was better
SURE = 1.645  # standard errors that noise exceeds in one direction once in 20 times
BOTH_SIDES = 1.96  # standard errors on either side that hold the truth 19 times out of 20: what ± says wherever it stands
ERROR_RATE = 0.05
COMPARING = ("not_worse", "anchor", "repeated_looks")
LOWERING = frozenset({"not_worse", "anchor"})  # who waives these says that the champion may be worse than the one before
NEVER_WAIVED = {
    "gate_rows": "nothing is known of a version without rows that it was not fitted on",
    "baseline": "what does not beat the dummy is no model",
    "refit": "what is shipped is not what was judged",
    "loads_and_predicts": "what does not load predicts nothing",
}


@dataclass(frozen=True)
class Check:
    """One question of the gate and its answer.

    Attributes:
        code: Stable name.
        outcome: What came of it; *not applicable* is never *passed*.
        value: What was measured, and in words.
        limit: What would have been refused.
        how_to_pass: What a person can do about a failure.
    """

    code: str
    outcome: CheckOutcome
    value: str
    limit: str
    how_to_pass: str = ""

    def as_json(self) -> dict[str, object]:
        """Give the document that scripts may rely on."""
        return {**vars(self)}

    def __str__(self) -> str:
        """Say in one sentence what was found, what would have passed, and how to get there."""
        return f"{self.value} (limit: {self.limit}); to pass, {self.how_to_pass}"


@dataclass(frozen=True)
class Decision:
    """What becomes of a challenger; a refusal is a decision, not an error."""

    code: str
    verdict: Verdict
    reasons: tuple[str, ...]
    checks: tuple[Check, ...] = ()

    @property
    def reason(self) -> str:
        """Give the reasons as one sentence."""
        return "; ".join(self.reasons)

    def as_json(self) -> dict[str, object]:
        """Give the document that scripts may rely on."""
        checks = [check.as_json() for check in self.checks]
        return {"code": self.code, "verdict": self.verdict, "reasons": list(self.reasons), "checks": checks}


@dataclass(frozen=True)
class Comparison:
    """A challenger's losses against another model's on the same rows, as shares of the other's mean loss.

    Attributes:
        rows: Gate rows that neither model was fitted on.
        difference: Mean paired difference; positive when the challenger is worse, NaN without a row.
        error: Standard error of the difference.
        spread: Standard deviation of the paired differences of single rows.
        identical: Whether every prediction is equal.
    """

    rows: int
    difference: float
    error: float
    spread: float
    identical: bool = False

    def limit(self, tolerance: float) -> float:
        """Give the difference above which the challenger is refused: min(1.645 s, max(tolerance, 1.28 s))."""
        return min(SURE * self.error, max(tolerance, 1.28 * self.error))

    def resolution(self, tolerance: float) -> float:
        """Give the loss that would have been noticed four times out of five."""
        return self.limit(tolerance) + 0.84 * self.error

    @property
    def half_width(self) -> float:
        """Give half the width of the 95 % interval of the difference."""
        return BOTH_SIDES * self.error

    def as_json(self) -> dict[str, object]:
        """Give what the ledger and scripts may rely on; what is not known is null."""
        told = {"difference": self.difference, "error": self.error, "spread": self.spread}
        return {"rows": self.rows, **{name: value if math.isfinite(value) else None for name, value in told.items()}}

    @property
    def is_better(self) -> bool:
        """Say whether the challenger is better by more than noise can make it: one-sided at 5 %."""
        return self.difference + SURE * self.error < 0

    @property
    def is_worse(self) -> bool:
        """Say whether it is worse by more than noise can make it: one-sided at 5 %."""
        return self.difference - SURE * self.error > 0


def compare(challenger: np.ndarray, other: np.ndarray, *, blocks: int) -> Comparison:
    """Compare per-row losses of the same rows.

    Args:
        challenger: Losses of the challenger, shape (n,).
        other: Losses of the model that it is compared with, shape (n,).
        blocks: Contiguous blocks whose means count as independent; 0 where each row does.

    >>> import numpy as np
    >>> worse = compare(np.array([1.1, 1.2, 1.1, 1.2]), np.ones(4), blocks=0)
    >>> round(worse.difference, 3), worse.difference > worse.limit(0.02)
    (0.15, True)
    """
    import numpy as np

    if not len(other):
        return Comparison(rows=0, difference=math.nan, error=math.inf, spread=math.inf)
    scale = float(other.mean()) or 1.0
    paired = (challenger - other) / scale
    parts = np.array([part.mean() for part in np.array_split(paired, blocks)]) if blocks else paired
    deviation = float(parts.std(ddof=1)) if len(parts) > 1 else math.inf
    return Comparison(
        rows=len(paired),
        difference=float(paired.mean()),
        error=deviation / math.sqrt(len(parts)),
        spread=float(paired.std(ddof=1)) if len(paired) > 1 else math.inf,
    )


def check_rows(uncontaminated: int, contaminated: int) -> Check:
    """Ask whether enough gate rows are left that neither judged fit was fitted on."""
    value = f"{uncontaminated} gate row{'s' * (uncontaminated != 1)}" + (
        f", {contaminated} more are among those that one of the models was fitted on" if contaminated else ""
    )
    return Check(
        code="gate_rows",
        outcome="passed" if uncontaminated >= MIN_GATE_ROWS else "failed",
        value=value,
        limit=f"at least {MIN_GATE_ROWS}",
        how_to_pass="bring more labelled rows",
    )


def check_baseline(against_dummy: Comparison, champion_against_dummy: Comparison | None = None) -> Check:
    """Ask whether the challenger beats the dummy by more than noise can (one-sided at 5 %), where the champion does.

    On rows where the champion does not, it is enough not to be shown to be worse than the dummy: refusing what is not worse than the
    champion would keep a champion that is no better.

    Args:
        against_dummy: The challenger's comparison with the dummy.
        champion_against_dummy: The champion's, on rows that neither was fitted on; None where there is no champion, or there are too few.
    """
    rival, value = champion_against_dummy, _against("the dummy", against_dummy)
    is_asked = rival is None or rival.rows < MIN_GATE_ROWS or rival.is_better
    if not (is_asked or against_dummy.is_better or against_dummy.is_worse):
        return Check("baseline", "not applicable", f"{value}; on these rows the champion does not surely beat it either", "")
    return Check(
        code="baseline",
        outcome="passed" if against_dummy.is_better else "failed",
        value=value,
        limit="surely below the dummy's",
        how_to_pass="bring rows or columns that tell more about the target",
    )


def _against(whom: str, found: Comparison) -> str:
    return f"loss {signed_percent(found.difference)} against {whom}, ± {percent(found.half_width)}"


def check_not_worse(against_champion: Comparison | None, tolerance: float) -> Check:
    """Ask whether the gate rows do not show the challenger to be worse than the champion."""
    if against_champion is None:
        return Check("not_worse", "not applicable", "there is no champion", "")
    limit = against_champion.limit(tolerance)
    noticed = percent(against_champion.resolution(tolerance))
    return Check(
        code="not_worse",
        outcome="passed" if against_champion.difference <= limit else "failed",
        value=_against("the champion's", against_champion),
        limit=f"+{percent(limit)} (would have noticed {noticed} four times out of five)",
        how_to_pass="train on more or newer rows, or raise gate.tolerance in the use case",
    )


def check_anchor(against_anchor: Comparison | None, tolerance: float) -> Check:
    """Ask whether small losses have not added up since the last version that was promoted because it was better.

    One small loss after the other passes a comparison with the champion alone; together they are a large one. So the rows must show that
    it is within two tolerances of the anchor, except that noise alone refuses an equal one at most once in ten times.
    """
    if against_anchor is None:
        return Check("anchor", "not applicable", "the champion is the last version that was better", "")
    limit = max(ANCHOR_TOLERANCES * tolerance - 1.28 * against_anchor.error, 1.28 * against_anchor.error)
    return Check(
        code="anchor",
        outcome="passed" if against_anchor.rows >= MIN_GATE_ROWS and against_anchor.difference <= limit else "failed",
        value=_against("the last version that was better", against_anchor),
        limit=f"+{percent(limit)} on at least {MIN_GATE_ROWS} rows that neither was fitted on",
        how_to_pass="train on more or newer rows, or raise gate.tolerance in the use case",
    )


def check_looks(against_champion: Comparison | None, look: int) -> Check:
    """Ask whether a challenger on rows that judged others before is better beyond what so many tries make of luck.

    The k-th look at the same rows must be better at 5 % / (k (k + 1)), one-sided, so that all looks together err at most once in 20 times.
    """
    if against_champion is None:
        return Check("repeated_looks", "not applicable", "there is no champion", "")
    if look == 1:
        return Check("repeated_looks", "not applicable", "most of these gate rows judge for the first time", "")
    from statistics import NormalDist

    needed = NormalDist().inv_cdf(1 - ERROR_RATE / (look * (look + 1)))
    limit = -needed * against_champion.error
    return Check(
        code="repeated_looks",
        outcome="passed" if against_champion.difference < limit else "failed",
        value=f"loss {signed_percent(against_champion.difference)} against the champion's; this is look {look} at rows that judged before",
        limit=f"below {signed_percent(limit)}",
        how_to_pass="bring new labelled rows, so that the gate can judge on rows that no challenger was chosen by",
    )


def decide(checks: tuple[Check, ...], against_champion: Comparison | None) -> Decision:
    """Turn the checks into a decision; anything that did not pass and should have keeps the champion."""
    has_rows = all(check.outcome != "failed" for check in checks if check.code == "gate_rows")
    if against_champion is not None and against_champion.identical and has_rows:
        return Decision("identical", "kept", ("its predictions on the gate rows equal the champion's",), checks)
    if failed := [check for check in checks if check.outcome == "failed"]:
        verdict: Verdict = "kept" if against_champion is not None else "refused"
        return Decision(failed[0].code, verdict, tuple(str(check) for check in failed), checks)
    told = {check.code: check.value for check in checks}
    waived = [check for check in checks if check.outcome == "waived"]
    reasons = tuple(f"waived by a person: {check.code} ({check.value}; limit: {check.limit})" for check in waived)
    if against_champion is None:
        return Decision("first_champion", "promoted", ("first version", told["baseline"], *reasons), checks)
    code = "better" if against_champion.is_better else "not_worse"
    code = "waived" if LOWERING & {check.code for check in waived} else code
    return Decision(code, "promoted", (told["not_worse"], *reasons), checks)


def waive(checks: tuple[Check, ...], codes: Collection[str]) -> tuple[Check, ...]:
    """Let a person's word stand above checks that failed."""
    return tuple(replace(check, outcome="waived") if check.outcome == "failed" and check.code in codes else check for check in checks)


def refuse_waivers(codes: Collection[str], known: Collection[str]) -> None:
    """Refuse to waive what is no check, or what nobody's word replaces.

    Raises:
        UsageError: one of the codes is such.
    """
    what = "check that can be waived called"
    for code in codes:
        if code in NEVER_WAIVED:
            message = f"{code} cannot be waived: {NEVER_WAIVED[code]}"
            raise UsageError(message, where="--waive")
        if code not in known:
            raise UsageError.unknown(what, code, known, where="--waive")


def waiving(decision: Decision, use_case: str, version: int) -> str:
    """Give the command by which a person may promote a version that was refused; empty where nobody may."""
    failed = [check.code for check in decision.checks if check.outcome == "failed"]
    if decision.verdict == "promoted" or not failed or NEVER_WAIVED.keys() & set(failed):
        return ""
    waivers = " ".join(f"--waive {check.code}" for check in decision.checks if check.outcome in ("failed", "waived"))
    return f"python -m flows.promote {version} --use-case {use_case} {waivers} --because TEXT"


def check_refit(judged_loss: float, shipped_loss: float) -> Check:
    """Ask whether the shipped fit lost nothing that the judged fit had, on the gate rows."""
    change = (shipped_loss - judged_loss) / (judged_loss or 1.0)
    return Check(
        code="refit",
        outcome="passed" if change <= MAX_REFIT_LOSS else "failed",
        value=f"loss of the shipped fit {signed_percent(change)} against the judged fit's",
        limit=f"+{percent(MAX_REFIT_LOSS)}",
        how_to_pass="set refit: never in the use case",
    )


def check_loads(problem: str) -> Check:
    """Ask whether a fresh process loaded the registered files and predicted the same.

    Args:
        problem: Empty when it did.
    """
    return Check(
        code="loads_and_predicts",
        outcome="failed" if problem else "passed",
        value=problem or "a fresh process predicts the same",
        limit="equal predictions",
        how_to_pass="mend the installation and train again",
    )


def with_check(decision: Decision, check: Check, *, has_champion: bool) -> Decision:
    """Add a check that comes after the gate; when it failed, what had passed is not promoted."""
    checks = (*decision.checks, check)
    if check.outcome == "passed" or decision.verdict != "promoted":
        return replace(decision, checks=checks)
    return Decision(check.code, "kept" if has_champion else "refused", (str(check),), checks)


def begun_anew(decision: Decision) -> Decision:
    """Say of what was judged as a first version that it is none, for nobody can load those before it."""
    if decision.code != "first_champion":
        return decision
    return replace(decision, reasons=("no version before it can be loaded any more", *decision.reasons[1:]))


def held(decision: Decision, reason: str) -> Decision:
    """Say that a person rolled back, and that no version becomes champion by itself until the hold is released."""
    return Decision("hold", "kept", (reason,), decision.checks)


def awaiting(decision: Decision, reason: str) -> Decision:
    """Say that a version passed and that a person has the last word."""
    return Decision("awaiting_approval", "kept", (reason,), decision.checks)


def superseded(decision: Decision) -> Decision:
    """Say that another run promoted its version while this one was judged."""
    reason = "another run promoted its version while this one was judged; train again to be compared with it"
    return Decision("superseded", "kept", (reason,), decision.checks)


def unchanged(version: int, promote: str = "") -> Decision:
    """Say that the last attempt already answered this call.

    Args:
        version: That attempt's.
        promote: The command that promotes it, where it passed and waits for a person.
    """
    reason = f"rows and configuration are those of version {version}; --again trains all the same"
    waits = f", which passed and waits for a person: `{promote}`" if promote else ""
    return Decision("unchanged", "unchanged", (reason.replace(";", f"{waits};", 1),))


def percent(share: float) -> str:
    """Write a share in percent."""
    return f"{100 * share:.1f} %" if math.isfinite(share) else "∞"


def signed_percent(share: float) -> str:
    """Write a change in percent."""
    return f"{100 * share:+.1f} %".replace("-", "−") if math.isfinite(share) else "unknown"
