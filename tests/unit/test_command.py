from __future__ import annotations

import re
from typing import Annotated

import pytest
from pydantic import Field

from tasks.core.command import Call, parse, wants_json
from tasks.core.errors import UsageError
from tasks.core.options import CompareOptions, Options, PreviewOptions, TrainOptions

TRAIN = "python -m flows.train"
PREVIEW = "python -m flows preview"
FLAGS = "--again, --asked-by, --data, --group, --help, --json, --no-record, --read, --seconds, --target, --task, --time, --trials"
FLAGS += ", --use-case, -h"
TASKS = "(available: binary, multiclass, regression)"


class ScoreOptions(Options):
    """Predict rows."""

    chunk_rows: Annotated[int, Field(ge=1, description="rows held in memory")] = 1000


def train(*argv: str) -> Call[TrainOptions]:
    return parse(TRAIN, TrainOptions, argv)


def refusal(*argv: str, options: type[Options] = TrainOptions) -> UsageError:
    with pytest.raises(UsageError) as refused:
        parse(TRAIN, options, argv)
    assert refused.value.exit_code == 2
    return refused.value


def test_a_call_without_arguments_has_the_defaults_and_is_recorded() -> None:
    assert train() == Call(TrainOptions(), as_json=False, record=True)


@pytest.mark.parametrize("program", [TRAIN, "python -m flows deployments"])
def test_help_names_the_command_that_was_called(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        parse(program, TrainOptions, ["--help"])
    assert left.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: {program} [-h]")


def test_help_says_what_each_option_is_for_and_what_it_can_be(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        train("--help")
    told = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert "Train a challenger; it becomes champion when the gate does not show it to be worse." in told
    assert "positional arguments: DATA the same as --data" in told
    assert "--task TASK what kind of prediction (default: from the target); one of regression, binary, multiclass" in told
    assert "--json print one JSON document on standard output" in told
    for field in TrainOptions.model_fields.values():
        assert field.description
        assert field.description in told


@pytest.mark.parametrize("argv", [("a.csv",), ("--data", "a.csv"), ("--data=a.csv",), ("--", "a.csv")])
def test_a_table_stands_with_or_without_its_flag(argv: tuple[str, ...]) -> None:
    assert train(*argv).options == TrainOptions(data="a.csv")


@pytest.mark.parametrize("argv", [("a.csv", "--target", "price"), ("--target", "price", "a.csv"), ("--target=price", "a.csv")])
def test_a_table_stands_before_or_after_the_flags(argv: tuple[str, ...]) -> None:
    assert train(*argv).options == TrainOptions(data="a.csv", target="price")


def test_what_follows_the_first_equals_sign_is_the_value() -> None:
    options = train("--use-case=flats", "--target=a=b", "--time=-1", "--task=binary", "--again").options
    assert options == TrainOptions(use_case="flats", target="a=b", time="-1", task="binary", again=True)


def test_json_and_no_record_say_how_to_answer_and_are_no_options() -> None:
    assert train("--json", "a.csv", "--no-record") == Call(TrainOptions(data="a.csv"), as_json=True, record=False)


def test_a_command_line_that_does_not_parse_can_still_ask_for_json() -> None:
    assert wants_json(["--taget", "price", "--json"])
    assert not wants_json(["--taget", "price"])


@pytest.mark.parametrize(
    ("argv", "told", "where"),
    [
        (("--taget", "x"), f"'--taget' is no argument of {TRAIN}; did you mean --target?", "--taget"),
        (("--taget=x",), f"'--taget=x' is no argument of {TRAIN}; did you mean --target?", "--taget=x"),
        (("--use_case", "x"), f"'--use_case' is no argument of {TRAIN}; did you mean --use-case?", "--use_case"),
        (("--tas", "binary"), f"'--tas' is no argument of {TRAIN}; did you mean --task?", "--tas"),
        (("a.csv", "b.csv"), f"'b.csv' is no argument of {TRAIN}; it takes {FLAGS}", "b.csv"),
        (("--task", "regresion"), f"there is no value of --task called 'regresion'; did you mean 'regression'? {TASKS}", "--task"),
        (("--task=forecast",), f"there is no value of --task called 'forecast' {TASKS}", "--task"),
        (("--task=",), f"there is no value of --task called '' {TASKS}", "--task"),
        (("--target",), f"argument --target: expected one argument; see {TRAIN} --help", TRAIN),
        (("--again=yes",), f"argument --again: ignored explicit argument 'yes'; see {TRAIN} --help", TRAIN),
        (("a.csv", "--data", "b.csv"), f"--data is given twice: 'a.csv' and 'b.csv'; see {TRAIN} --help", TRAIN),
        (("--data=a.csv", "b.csv"), f"--data is given twice: 'a.csv' and 'b.csv'; see {TRAIN} --help", TRAIN),
        (("--target=a", "--target=b"), f"--target is given twice: 'a' and 'b'; see {TRAIN} --help", TRAIN),
    ],
)
def test_a_wrong_call_is_told_in_one_sentence_with_the_closest_match(argv: tuple[str, ...], told: str, where: str) -> None:
    refused = refusal(*argv)
    assert (refused.message, refused.where) == (told, where)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("many", "--chunk-rows is 'many': input should be a valid integer, unable to parse string as an integer"),
        ("0", "--chunk-rows is '0': input should be greater than or equal to 1"),
    ],
)
def test_a_value_that_an_option_cannot_have_is_told_with_its_flag(value: str, told: str) -> None:
    refused = refusal("--chunk-rows", value, options=ScoreOptions)
    assert (refused.message, refused.where) == (told, "--chunk-rows")
    assert parse(TRAIN, ScoreOptions, ["--chunk-rows", "7"]).options.chunk_rows == 7


@pytest.mark.parametrize(
    "argv",
    [
        ("a.csv", "b.csv", "--as-text", "--out", "kept"),
        ("--as-text", "--out", "kept", "a.csv", "b.csv"),
        ("a.csv", "--as-text", "b.csv", "--out=kept"),
        ("--as-text", "a.csv", "--out", "kept", "b.csv"),
    ],
)
def test_files_stand_on_any_side_of_the_flags(argv: tuple[str, ...]) -> None:
    assert parse(PREVIEW, PreviewOptions, argv).options == PreviewOptions(paths=("a.csv", "b.csv"), as_text=True, out="kept")


def test_what_follows_two_dashes_is_a_file_whatever_it_looks_like() -> None:
    assert parse(PREVIEW, PreviewOptions, ["a.csv", "--", "--json"]).options.paths == ("a.csv", "--json")


def test_an_option_of_many_values_keeps_them_in_the_order_given() -> None:
    call = train("--read", "header=no", "a.csv", "--read=delimiter==", "--read", "skip=2")
    assert call.options == TrainOptions(data="a.csv", read=("header=no", "delimiter==", "skip=2"))


def test_help_says_which_options_may_be_given_several_times(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(PREVIEW, PreviewOptions, ["--help"])
    told = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert told.startswith(f"usage: {PREVIEW} [-h]")
    assert "PATHS files, folders, URLs" in told
    assert "--read READ how the files are written, as KEY=VALUE; may be given several times" in told


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ((), f"the following arguments are required: PATHS; see {PREVIEW} --help"),
        (("--as-text",), f"the following arguments are required: PATHS; see {PREVIEW} --help"),
        (("a.csv", "--as-txt", "b.csv"), f"'--as-txt' is no argument of {PREVIEW}; did you mean --as-text?"),
        (("a.csv", "--out", "x", "b.csv", "--out", "y"), f"--out is given twice: 'x' and 'y'; see {PREVIEW} --help"),
    ],
)
def test_a_wrong_call_about_many_files_is_told_in_one_sentence(argv: tuple[str, ...], told: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse(PREVIEW, PreviewOptions, argv)
    assert refused.value.message == told


@pytest.mark.parametrize("argv", [["1"], ["1", "2", "3"]])
def test_what_takes_so_many_values_says_how_it_is_called(argv: list[str]) -> None:
    program = "python -m flows compare"
    with pytest.raises(UsageError) as refused:
        parse(program, CompareOptions, argv)
    assert (refused.value.message, refused.value.where) == (f"{program} needs two versions: {program} 1 2", "--versions")
