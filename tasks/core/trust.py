"""Which stored types may be loaded: exact names, owned by this project, and nothing that a model file says of itself.

A prefix such as `numpy.` would let `numpy.load` through. A test fits every candidate and requires
exactly this list. The functions of NumPy in it compute, and do nothing else.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tasks.core.errors import UnsafeModelError

if TYPE_CHECKING:
    from collections.abc import Iterable

ALLOWED_TYPES = frozenset(
    {
        "functools.partial",
        "numpy.asarray",
        "numpy.clip",
        "numpy.diff",
        "numpy.dtype",
        "numpy.interp",
        "numpy.nan_to_num",
        "numpy.ravel",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.calibration._TemperatureScaling",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.metrics._dist_metrics.EuclideanDistance64",
        "sklearn.model_selection._split.KFold",
        "sklearn.neighbors._kd_tree.KDTree",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.tree._tree.Tree",
        "sklearn.utils._bunch.Bunch",
        "sklearn.utils.validation.check_array",
    }
)


def refuse_swapped_bytes(content: bytes, sha256: str, name: str) -> None:
    """Refuse a file whose bytes are not those that were registered.

    Raises:
        UnsafeModelError: they are not.
    """
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        message = f"{name} is not loaded: its bytes are not those that were registered (SHA-256 {found[:12]}… instead of {sha256[:12]}…)"
        raise UnsafeModelError(message, where=name)


def refuse_foreign_types(found: Iterable[str], name: str) -> None:
    """Refuse a model file that stores a type outside the allow-list.

    Raises:
        UnsafeModelError: it does; the message names the types.
    """
    foreign = sorted(set(found) - ALLOWED_TYPES)
    if foreign:
        message = f"{name} is not loaded: it stores types that no candidate has: {', '.join(foreign)}"
        raise UnsafeModelError(message, where=name)
