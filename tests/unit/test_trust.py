from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.errors import UnsafeModelError
from tasks.core.trust import ALLOWED_TYPES, refuse_foreign_types, refuse_swapped_bytes

NAME = "model.skops of version 3 of wine"


@given(st.binary(max_size=50))
def test_the_registered_bytes_pass(content: bytes) -> None:
    refuse_swapped_bytes(content, hashlib.sha256(content).hexdigest(), NAME)


@given(st.binary(min_size=1, max_size=50), st.integers(0, 399))
def test_one_flipped_bit_is_refused(content: bytes, place: int) -> None:
    place %= 8 * len(content)
    flipped = bytearray(content)
    flipped[place // 8] ^= 1 << place % 8
    with pytest.raises(UnsafeModelError):
        refuse_swapped_bytes(bytes(flipped), hashlib.sha256(content).hexdigest(), NAME)


def test_a_refusal_of_swapped_bytes_shows_both_digests() -> None:
    with pytest.raises(UnsafeModelError) as refused:
        refuse_swapped_bytes(b"swapped", hashlib.sha256(b"registered").hexdigest(), NAME)
    assert refused.value.message == (
        f"{NAME} is not loaded: its bytes are not those that were registered (SHA-256 37e0d51511fe… instead of b1a9e561106e…)"
    )
    assert (refused.value.where, refused.value.code, refused.value.exit_code) == (NAME, "unsafe_model", 1)


def test_no_digest_lets_nothing_through() -> None:
    with pytest.raises(UnsafeModelError):
        refuse_swapped_bytes(b"", "", NAME)


@given(st.lists(st.sampled_from(sorted(ALLOWED_TYPES))))
def test_the_types_of_candidates_pass(types: list[str]) -> None:
    refuse_foreign_types(types, NAME)


@pytest.mark.parametrize("foreign", ["numpy.load", "numpy", "numpy.dtype.evil", "functools.reduce", "builtins.eval", "Numpy.dtype", ""])
def test_only_exact_names_are_allowed(foreign: str) -> None:
    with pytest.raises(UnsafeModelError) as refused:
        refuse_foreign_types(["numpy.dtype", foreign], NAME)
    assert refused.value.message == f"{NAME} is not loaded: it stores types that no candidate has: {foreign}"
    assert refused.value.where == NAME


def test_a_refusal_names_each_foreign_type_once_in_order() -> None:
    with pytest.raises(UnsafeModelError, match=r"no candidate has: builtins\.exec, os\.system$"):
        refuse_foreign_types(iter(["os.system", "builtins.exec", "os.system", "functools.partial"]), NAME)
