"""The file of a new use case: what was found is set, everything else stands commented out with its default and its meaning."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from pydantic import BaseModel

from tasks.core.command import choices_of
from tasks.core.schema import GROUP, IDENTIFIER, LEAK
from tasks.core.use_case import UseCase

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic.fields import FieldInfo

    from tasks.core.table import Schema

CODE_WIDTH = 34
WIDE = 10**6
WIDTH = 110


@dataclass(frozen=True)
class Setting:
    """A key that something was found out about.

    Attributes:
        value: As YAML knows it.
        why: The evidence, in a few words.
        is_certain: Whether it is set, or only suggested.
    """

    value: object
    why: str
    is_certain: bool = True


def settle(asked: UseCase, schema: Schema, data: str | None, personal: Mapping[str, str]) -> dict[str, Setting]:
    """Say what is known of the keys of a use case: what was asked or found is set, what only a person can know is suggested.

    Args:
        asked: What the call says.
        schema: Of the table.
        data: What to write as its data; None where that may hold a secret.
        personal: Columns that may be about persons, and why.
    """
    target = next(column for column in schema.columns if column.role == "target")
    settings = {
        "target": Setting(schema.target, target.evidence),
        "task": Setting(schema.task, "given" if asked.task else "from the values of the target"),
    }
    if data is not None:
        settings["data"] = Setting(data, "")
    if schema.time is not None:
        evidence = next(column.evidence for column in schema.columns if column.role == "time")
        settings["time"] = Setting(schema.time, evidence.replace("orders the rows", "found"))
    if reading := asked.reading.model_dump(mode="json", exclude_defaults=True):
        settings["reading"] = Setting(reading, "given")
    if untold := {name: why for name, why in personal.items() if name not in asked.pii}:
        settings["pii"] = Setting([*untold], " and ".join(dict.fromkeys(untold.values())), is_certain=False)
    if leaks := [column.name for column in schema.columns if LEAK in column.evidence]:
        settings["drop"] = Setting(leaks, "the target may be read off", is_certain=False)
    return {**settings, **_group(schema), **_key(asked, schema)}


def _group(schema: Schema) -> dict[str, Setting]:
    if schema.group is not None:
        return {"group": Setting(schema.group, "given")}
    suspected = [column.name for column in schema.columns if GROUP in column.evidence]
    if schema.time is not None or len(suspected) != 1:
        return {}
    return {"group": Setting(suspected[0], "its values return; only where new ones will come", is_certain=False)}


def _key(asked: UseCase, schema: Schema) -> dict[str, Setting]:
    if asked.key:
        return {"key": Setting([*asked.key], "given")}
    found = next((column for column in schema.columns if column.role == "unused" and column.evidence.startswith(IDENTIFIER)), None)
    if found is None:
        return {}
    return {"key": Setting([found.name], f"it is {found.evidence}; only where no other table uses them again", is_certain=False)}


def write(name: str, origin: str, settings: Mapping[str, Setting]) -> str:
    """Write the file of a use case.

    Args:
        name: Of the use case.
        origin: What it was proposed from.
        settings: By key.

    >>> print(write("houses", "houses.csv", {"target": Setting("price", "last column")}).splitlines()[4])
    target: price                       # column to predict: last column
    """
    lines = [
        f"# The use case '{name}', proposed from {in_one_line(origin)}. It is yours to edit; nothing overwrites it.",
        "# What is commented out shows its default.",
    ]
    for key, field in UseCase.model_fields.items():
        if key != "name":
            lines += _lines(key, field, settings.get(key))
    return "\n".join(lines) + "\n"


def _lines(key: str, field: FieldInfo, setting: Setting | None) -> Iterator[str]:
    meaning, _, default = (field.description or "").partition("; ")
    if setting is not None:
        mark, why = ("", setting.why) if setting.is_certain else ("# ", f"suggested, because {setting.why}")
        yield _line(f"{mark}{key}: {spelled(setting.value)}", ": ".join(filter(None, (meaning, why))))
        return
    value = field.get_default()
    if isinstance(value, BaseModel):
        yield _line(f"# {key}:", field.description or "")
        for inner, inner_field in type(value).model_fields.items():
            yield _line(f"#   {inner}: {spelled(inner_field.get_default())}".rstrip(), inner_field.description or "")
        return
    options = choices_of(field.annotation)
    told = [meaning, *([", ".join(options)] if options else []), *([default] if default else [])]
    yield _line(f"# {key}: {spelled(value)}".rstrip(), "; ".join(told))


def _line(code: str, comment: str) -> str:
    return f"{code:<{CODE_WIDTH}}  # {in_one_line(comment)}"


def spelled(value: object) -> str:
    """Spell a value in one line of YAML; nothing for None, which YAML reads from nothing."""
    import yaml

    if value is None:
        return ""
    plain = [*cast("tuple[object, ...]", value)] if isinstance(value, tuple) else value
    text = yaml.safe_dump(plain, default_flow_style=True, allow_unicode=True, width=WIDE, sort_keys=False).removesuffix("...\n")
    if not text.strip("\n").isprintable():  # in double quotes every character has an escape
        text = yaml.safe_dump(plain, default_flow_style=True, default_style='"', width=WIDE, sort_keys=False)
    return text.strip(" \n")


def with_section(text: str, key: str, values: Mapping[str, object], why: str) -> str:
    r"""Put a section into the text of a use case, in the place of one of that name, and leave the rest as it stands.

    >>> print(with_section("data: a.csv\nretrain:\n  growth: 2\nseed: 1\n", "retrain", {"growth": 1.5}, "measured"), end="")
    data: a.csv
    seed: 1
    retrain:  # measured
      growth: 1.5
    """
    kept: list[str] = []
    is_replaced = False
    for line in text.splitlines():
        if line.strip() and not line[0].isspace() and not (is_replaced and line.startswith("#  ")):  # a key of it, commented out
            is_replaced = line.partition(":")[0] == key
        if not is_replaced:
            kept.append(line)
    first, *more = textwrap.wrap(in_one_line(why), WIDTH, break_long_words=False) or [""]
    comment = [f"{key}:  # {first}", *(f"  # {line}" for line in more)]
    section = [*comment, *(f"  {name}: {spelled(value)}" for name, value in values.items())]
    return "\n".join([*kept, *section]) + "\n"


def in_one_line(text: str) -> str:
    """Keep a text in its line, whatever names of columns and files hold."""
    return "".join(c if c.isprintable() else " " for c in text)
