from __future__ import annotations

import inspect
import pickle
import re

import pytest

from tasks.core import errors
from tasks.core.errors import (
    DataRefusedError,
    EvergreenError,
    NotReproducedError,
    SilentStoreError,
    StoreError,
    UnsafeModelError,
    UsageError,
)

KINDS: list[type[EvergreenError]] = [
    EvergreenError,
    UsageError,
    DataRefusedError,
    NotReproducedError,
    StoreError,
    SilentStoreError,
    UnsafeModelError,
]
TREE_LINE = re.compile(r"^(?P<branch>[│ ├└─]*)(?P<name>\w+Error)\s+(?P<told>.+)$", re.MULTILINE)


def tree() -> dict[str, str]:
    return {line["name"]: line["told"] for line in TREE_LINE.finditer(errors.__doc__ or "")}


def test_the_tree_at_the_top_of_the_module_is_the_tree_of_classes() -> None:
    classes = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]
    assert set(classes) == set(KINDS)
    assert list(tree()) == [kind.__name__ for kind in sorted(classes, key=lambda kind: inspect.getsourcelines(kind)[1])]
    depths = {line["name"]: len(line["branch"]) // 4 for line in TREE_LINE.finditer(errors.__doc__ or "")}
    assert depths == {kind.__name__: kind.__mro__.index(EvergreenError) for kind in classes}


@pytest.mark.parametrize(
    ("kind", "code", "exit_code"),
    [
        (EvergreenError, "failed", 1),
        (UsageError, "usage", 2),
        (DataRefusedError, "data_refused", 3),
        (NotReproducedError, "not_reproduced", 1),
        (StoreError, "store", 1),
        (SilentStoreError, "store_silent", 1),
        (UnsafeModelError, "unsafe_model", 1),
    ],
)
def test_each_error_has_a_code_and_the_exit_code_that_the_tree_tells(kind: type[EvergreenError], code: str, exit_code: int) -> None:
    error = kind("no such file", where="a.csv")
    assert (error.code, error.exit_code) == (code, exit_code)
    assert error.as_json() == {"error": {"code": code, "message": "no such file", "where": "a.csv"}}
    told = re.search(r"exit code (\d)", tree()[kind.__name__])
    assert exit_code == (int(told[1]) if told else EvergreenError.exit_code)


def test_no_two_errors_share_a_code() -> None:
    assert len({kind.code for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_is_the_same_beyond_a_process_border(kind: type[EvergreenError]) -> None:
    error = pickle.loads(pickle.dumps(kind("Größe ist 'x'", where="a.csv")))
    assert type(error) is kind
    assert (str(error), error.message, error.where, error.args) == ("Größe ist 'x'", "Größe ist 'x'", "a.csv", ("Größe ist 'x'",))


def test_an_error_may_be_about_no_place() -> None:
    assert EvergreenError("it failed").where == ""


@pytest.mark.parametrize(
    ("got", "available", "told"),
    [
        ("diabetis", ["wine", "diabetes"], "there is no use case 'diabetis'; did you mean 'diabetes'? (available: diabetes, wine)"),
        ("houses", ["wine", "diabetes"], "there is no use case 'houses' (available: diabetes, wine)"),
        ("wine-3", ["wine-1", "wine-32"], "there is no use case 'wine-3'; did you mean 'wine-32'? (available: wine-1, wine-32)"),
        ("", ["wine"], "there is no use case '' (available: wine)"),
        ("wine", [], "there is no use case 'wine' (none is available)"),
    ],
)
def test_an_unknown_name_is_told_with_the_closest_one_and_all_that_there_are(got: str, available: list[str], told: str) -> None:
    assert UsageError.unknown("use case", got, available).message == told


def test_an_unknown_name_is_where_it_went_wrong_unless_a_better_place_is_known() -> None:
    assert UsageError.unknown("use case", "wien", ["wine"]).where == "wien"
    assert UsageError.unknown("use case", "wien", ["wine"], where="--use-case").where == "--use-case"


def test_what_is_available_is_read_once() -> None:
    assert "(available: a, b)" in UsageError.unknown("column", "c", iter(["b", "a"])).message


def test_a_message_is_one_line_whatever_a_file_is_called() -> None:
    error = DataRefusedError("day\n1\x1b[2J\u202e.csv is empty")
    assert error.message == str(error) == "day\\n1\\x1b[2J\\u202e.csv is empty"
