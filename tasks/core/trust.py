"""Which stored types may be loaded: exact names, owned by this project, and nothing that a model file says of itself.

A prefix such as `numpy.` would let `numpy.load` through. A test fits every candidate and requires
exactly this list. The functions of NumPy in it compute, and do nothing else.
"""

from __future__ import annotations

import hashlib
import io
import re
import stat
import zipfile
from collections import Counter
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
# What skops calls the entries of a file: by the identity of an array, or by a random one.
STORED_NAME = re.compile(r"schema\.json|[0-9]+\.np[yz]|[0-9a-f-]{36}\.bin")


def refuse_swapped_bytes(content: bytes, sha256: str, name: str) -> None:
    """Refuse a file whose bytes are not those that were registered.

    Raises:
        UnsafeModelError: they are not.
    """
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        message = f"{name} is not loaded: its bytes are not those that were registered (SHA-256 {found[:12]}… instead of {sha256[:12]}…)"
        raise UnsafeModelError(message, where=name)


def refuse_odd_archive(content: bytes, name: str) -> None:
    """Refuse an archive that skops would not have written: each entry plain, named once, and stored as it is.

    What is stored as it is cannot unpack to more than the bytes of the file, whatever it declares.

    Raises:
        UnsafeModelError: it is none.
        zipfile.BadZipFile: it is no archive at all.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
    named = Counter(entry.orig_filename for entry in entries)
    odd = next((f"{entry.orig_filename!r} {oddity}" for entry in entries if (oddity := _oddity_of(entry, named))), "")
    if not odd and sum(entry.file_size for entry in entries) > len(content):
        odd = "its entries overlap"
    if odd:
        message = f"{name} is not loaded: it is no archive as skops writes it: {odd}"
        raise UnsafeModelError(message, where=name)


def _oddity_of(entry: zipfile.ZipInfo, named: Counter[str]) -> str:
    if not STORED_NAME.fullmatch(entry.orig_filename):
        return "is no name of its own"
    if named[entry.orig_filename] > 1:
        return "is there twice"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "is a link"
    if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
        return f"is compressed, to be {entry.file_size:,} bytes"
    return ""


def refuse_foreign_types(found: Iterable[str], name: str) -> None:
    """Refuse a model file that stores a type outside the allow-list.

    Raises:
        UnsafeModelError: it does; the message names the types.
    """
    foreign = sorted(set(found) - ALLOWED_TYPES)
    if foreign:
        message = f"{name} is not loaded: it stores types that no candidate has: {', '.join(foreign)}"
        raise UnsafeModelError(message, where=name)
