"""The command line of every job, made from its options type alone."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from difflib import get_close_matches
from types import UnionType
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, TypeVar, Union, get_args, get_origin

from pydantic import ValidationError

from tasks.core.errors import UsageError, plain
from tasks.core.options import POSITIONAL, Options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic.fields import FieldInfo


OptionsT = TypeVar("OptionsT", bound=Options)


@dataclass(frozen=True)
class Call(Generic[OptionsT]):
    """What a command line asks: the job's options, and how to answer."""

    options: OptionsT
    as_json: bool
    record: bool


class _Parser(argparse.ArgumentParser):
    """An argument parser that raises our errors instead of leaving the process."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help", where=self.prog)


class _Once(argparse.Action):
    """Store a value, and refuse a second one rather than lose the first."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: object, option_string: str | None = None
    ) -> None:
        if (first := getattr(namespace, self.dest, None)) is not None:
            parser.error(f"{_flag(self.dest)} is given twice: {first!r} and {values!r}")
        setattr(namespace, self.dest, values)


def parse(program: str, options: type[OptionsT], argv: Sequence[str]) -> Call[OptionsT]:
    """Read the command line of a program, named as a person calls it; `--help` prints and leaves.

    Raises:
        UsageError: an argument that does not exist or is given twice, or a value that it cannot have.
    """
    parser = _parser(program, options)
    # Intermixed lets files stand on both sides of a flag, but loses which of a table and its flag came first.
    takes_many = any(_is_many(field) and field.json_schema_extra == POSITIONAL for field in options.model_fields.values())
    known, unknown = parser.parse_known_intermixed_args(argv) if takes_many else parser.parse_known_args(argv)
    if unknown:
        raise UsageError(_unknown(unknown[0], parser), where=unknown[0])
    given = {name: value for name, value in vars(known).items() if name in options.model_fields and value is not None}
    for name, field in options.model_fields.items():
        if name in given and (choices := choices_of(field.annotation)) and given[name] not in choices:
            raise UsageError.unknown(f"value of {_flag(name)} called", str(given[name]), choices, where=_flag(name))
    try:
        return Call(options.model_validate(given), known.as_json, known.record)
    except ValidationError as error:
        problem = error.errors()[0]
        name = str(problem["loc"][0])
        if problem["type"] in ("too_short", "too_long"):
            field = options.model_fields[name]
            message = f"{program} needs {field.description}: {program} {(field.examples or [name.upper()])[0]}"
            raise UsageError(message, where=_flag(name)) from error
        raise UsageError(f"{_flag(name)} is {problem['input']!r}: {plain(problem)}", where=_flag(name)) from error


def wants_json(argv: Sequence[str]) -> bool:
    """Say whether a command line that may not parse asks for JSON."""
    return "--json" in argv


def _parser(program: str, options: type[Options]) -> argparse.ArgumentParser:
    parser = _Parser(prog=program, description=options.__doc__, allow_abbrev=False, add_help=True)
    for name, field in options.model_fields.items():
        _add(parser, name, field)
    parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON document on standard output")
    parser.add_argument("--no-record", action="store_false", dest="record", help="run plain functions, unseen by Prefect")
    return parser


def _add(parser: argparse.ArgumentParser, name: str, field: FieldInfo) -> None:
    extra = field.json_schema_extra
    text = field.description or ""
    if field.annotation is bool:
        parser.add_argument(_flag(name), action="store_true", default=None, help=text)
        return
    if choices := choices_of(field.annotation):
        text = f"{text}; one of {', '.join(choices)}"
    metavar = name.upper()
    if _is_many(field):
        if extra == POSITIONAL:
            parser.add_argument(name, nargs="+" if field.is_required() else "*", metavar=metavar, help=text)
        else:
            parser.add_argument(_flag(name), action="append", metavar=metavar, help=f"{text}; may be given several times")
        return
    parser.add_argument(_flag(name), action=_Once, metavar=metavar, help=text)
    if extra == POSITIONAL:
        # The flag's own default must not overwrite what stands without a flag.
        parser.add_argument(name, action=_Once, nargs="?", default=argparse.SUPPRESS, metavar=metavar, help=f"the same as {_flag(name)}")


def _is_many(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is tuple


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def choices_of(annotation: Any) -> list[str]:  # noqa: ANN401 (a type form has no type of its own yet)
    """List the values that an annotation allows, where it lists them."""
    if get_origin(annotation) is Literal:
        return [str(choice) for choice in get_args(annotation)]
    # `Literal[...] | None` is a typing.Union, `str | None` a types.UnionType.
    if get_origin(annotation) in (Union, UnionType):
        return [choice for part in get_args(annotation) for choice in choices_of(part)]
    return []


def _unknown(argument: str, parser: argparse.ArgumentParser) -> str:
    flags = sorted(flag for action in parser._actions for flag in action.option_strings)  # noqa: SLF001 (no public list)
    close = get_close_matches(argument.split("=", maxsplit=1)[0], flags, n=1)
    hint = f"did you mean {close[0]}?" if close else f"it takes {', '.join(flags)}"
    return f"'{argument}' is no argument of {parser.prog}; {hint}"
