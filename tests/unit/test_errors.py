from __future__ import annotations

import pickle
import re

import pytest

from tasks.core import errors
from tasks.core.errors import DataRefusedError, EvergreenError, StoreError, UnsafeModelError, UsageError


def test_the_tree_in_the_docstring_is_that_of_the_classes() -> None:
    drawn = re.findall(r"^\W*(\w+Error)\b", errors.__doc__ or "", re.MULTILINE)
    assert drawn == ["EvergreenError", *(kind.__name__ for kind in EvergreenError.__subclasses__())]


@pytest.mark.parametrize(
    ("kind", "code", "exit_code"),
    [
        (EvergreenError, "failed", 1),
        (UsageError, "usage", 2),
        (DataRefusedError, "data_refused", 3),
        (StoreError, "store", 1),
        (UnsafeModelError, "unsafe_model", 1),
    ],
)
def test_each_error_has_its_code_and_exit_code(kind: type[EvergreenError], code: str, exit_code: int) -> None:
    error = kind("it is so", where="t.csv, line 3")
    assert error.exit_code == exit_code
    assert error.as_json() == {"error": {"code": code, "message": "it is so", "where": "t.csv, line 3"}}


def test_an_error_crosses_a_process_border_whole() -> None:
    copy = pickle.loads(pickle.dumps(UsageError("it is so", where="--target")))
    assert (type(copy), copy.message, copy.where) == (UsageError, "it is so", "--target")


@pytest.mark.parametrize(
    ("got", "available", "message"),
    [
        ("diabetis", ["wine", "diabetes"], "there is no use case 'diabetis'; did you mean 'diabetes'? (available: diabetes, wine)"),
        ("zzz", ["wine"], "there is no use case 'zzz' (available: wine)"),
        ("zzz", [], "there is no use case 'zzz' (none is available)"),
    ],
)
def test_an_unknown_name_is_told_with_what_there_is(got: str, available: list[str], message: str) -> None:
    error = UsageError.unknown("use case", got, available)
    assert (error.message, error.where) == (message, got)
