from __future__ import annotations

import pytest

from tasks.core.command import parse, wants_json
from tasks.core.errors import UsageError
from tasks.core.options import PreviewOptions, TrainOptions


def train(*argv: str) -> TrainOptions:
    return parse("train", TrainOptions, argv).options


def refusal(*argv: str) -> str:
    with pytest.raises(UsageError) as refused:
        parse("train", TrainOptions, argv)
    return refused.value.message


def test_without_arguments_every_option_has_its_default() -> None:
    call = parse("train", TrainOptions, [])
    assert call.options == TrainOptions()
    assert (call.as_json, call.record) == (False, True)


def test_the_data_may_stand_without_a_flag() -> None:
    assert train("a.csv") == train("--data", "a.csv") == train("--data=a.csv") == TrainOptions(data="a.csv")
    assert train("a.csv", "--target", "y", "--again") == TrainOptions(data="a.csv", target="y", again=True)


def test_an_option_that_takes_several_values_is_given_several_times() -> None:
    assert train("--read", "header=no", "--read", "delimiter=tab").read == ("header=no", "delimiter=tab")
    call = parse("preview", PreviewOptions, ["a.csv", "b.csv", "--as-text", "--json"])
    assert call.options == PreviewOptions(paths=("a.csv", "b.csv"), as_text=True)
    assert call.as_json


def test_how_to_answer_is_no_option_of_the_job() -> None:
    call = parse("train", TrainOptions, ["--json", "--no-record"])
    assert (call.as_json, call.record, call.options) == (True, False, TrainOptions())
    assert wants_json(["--json", "--nonsense"])
    assert not wants_json(["json"])


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--targte", "y"], "'--targte' is no argument of python -m flows.train; did you mean --target?"),
        (
            ["--task", "binry"],
            "there is no value of --task called 'binry'; did you mean 'binary'? (available: binary, multiclass, regression)",
        ),
        (["--target"], "argument --target: expected one argument; see python -m flows.train --help"),
        (["--tar", "y"], "'--tar' is no argument of python -m flows.train; did you mean --target?"),
    ],
)
def test_a_wrong_argument_is_told_with_the_closest_right_one(argv: list[str], message: str) -> None:
    assert refusal(*argv) == message


def test_a_second_positional_is_no_argument() -> None:
    assert refusal("a.csv", "b.csv").startswith("'b.csv' is no argument of python -m flows.train")


def test_a_preview_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="the following arguments are required: PATHS"):
        parse("preview", PreviewOptions, [])


def test_help_names_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        parse("train", TrainOptions, ["--help"])
    assert left.value.code == 0
    printed = capsys.readouterr().out
    assert all(f"--{name.replace('_', '-')}" in printed for name in TrainOptions.model_fields)
