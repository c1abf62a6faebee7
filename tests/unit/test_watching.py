"""What a version leaves behind of its gate rows, and what can be expected of rows without labels."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.core.metrics import Prediction, row_losses
from tasks.core.retraining import Sample
from tasks.core.watching import Footprint, columns_of, estimate


def predicted(seed: int, count: int, shift: float = 0.0) -> tuple[np.ndarray, Prediction]:
    draw = np.random.default_rng(seed)
    proba = 1 / (1 + np.exp(-2 * draw.normal(shift, 1, count)))
    y = np.where(draw.random(count) < proba, "yes", "no")
    return y, Prediction(np.where(proba > 0.5, "yes", "no"), np.column_stack([1 - proba, proba]), ("no", "yes"))


def test_a_footprint_is_kept_as_text_and_anything_else_is_none() -> None:
    kept = Footprint.of("brier", *predicted(0, 500), 0.5)
    again = Footprint.from_text(kept.model_dump_json())
    assert again is not None
    assert again.reference.losses == kept.reference.losses
    assert np.allclose(again.reference.said[0], kept.reference.said[0])
    assert (Footprint.from_text(""), Footprint.from_text('{"loss": "brier"}')) == (None, None)


@pytest.mark.parametrize("shift", [0.0, 1.0, -2.0])
def test_where_rows_of_like_predictions_err_alike_the_band_holds_what_comes(shift: float) -> None:
    kept, held = Footprint.of("brier", *predicted(0, 3000), 0.5), 0
    for seed in range(1, 41):
        y, said = predicted(seed, 400, shift)
        expected = estimate(kept, columns_of(said, kept.classes))
        assert expected is not None
        held += expected.holds(Sample.of(row_losses("brier", y, said)))
    assert held >= 36


def test_what_the_target_depends_on_may_turn_unseen() -> None:
    kept, (y, said) = Footprint.of("brier", *predicted(0, 3000), 0.5), predicted(1, 400)
    turned = np.where(y == "yes", "no", "yes")
    expected = estimate(kept, columns_of(said, kept.classes))
    assert expected is not None
    assert not expected.holds(Sample.of(row_losses("brier", turned, said)))


def test_classes_that_a_model_does_not_know_have_no_probability() -> None:
    said = Prediction(np.array(["b"]), np.array([[0.2, 0.8]]), ("a", "b"))
    assert columns_of(said, ("a", "b", "c")).tolist() == [[0.2, 0.8, 0.0]]
    assert columns_of(said, ("a", "b")).tolist() == [[0.8]]
    assert columns_of(said, ("b",)).tolist() == [[0.8]]
