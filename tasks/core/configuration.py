"""The reference of a use case's file, made from the code that reads it.

`python -m tasks.core.configuration` prints the page `docs/configuration.md`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pydantic import BaseModel

from tasks.core import gate
from tasks.core.behaviour import ANSWERS
from tasks.core.checks import CHECKS
from tasks.core.command import choices_of
from tasks.core.use_case import UseCase
from tasks.core.use_case_file import spelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydantic.fields import FieldInfo

ALWAYS: dict[str, Callable[..., object]] = {
    "gate_rows": gate.check_rows,
    "baseline": gate.check_baseline,
    "not_worse": gate.check_not_worse,
    "anchor": gate.check_anchor,
    "repeated_looks": gate.check_looks,
    "refit": gate.check_refit,
    "loads_and_predicts": gate.check_loads,
}


def as_markdown() -> str:
    """Write the page that explains every key and every check."""
    sections = {key: type(default) for key, field in UseCase.model_fields.items() if isinstance(default := field.default, BaseModel)}
    plain = {key: field for key, field in UseCase.model_fields.items() if key != "name" and key not in sections}
    return "\n".join([
        "# The file of a use case",
        "",
        "<!-- made by: python -m tasks.core.configuration > docs/configuration.md -->",
        "",
        "`deployments/use_cases/NAME.yaml` holds what differs from the defaults; `python -m flows init TABLE` proposes one.",
        "",
        *_keys(plain),
        *(line for key, section in sections.items() if key != "gate" for line in _section(key, section)),
        *_section("gate", sections["gate"]),
        "## What the gate asks",
        "",
        "A check *passed*, *failed* (the challenger is not promoted) or *warned*. It is *not applicable* where there is nothing to ask it",
        "of, *skipped* where `gate.skip` names it, *waived* where it failed and a person promoted the version all the same:",
        "`python -m flows.promote VERSION --use-case NAME --waive CODE --because TEXT`.",
        "",
        "What stands behind *±*, here and wherever Evergreen says it, is half of a 95 % interval: 1.96 standard errors.",
        "",
        "Those *by chance* share the budget `gate.error_rate` (Holm 1979): each fails only where its figure is above its limit by more",
        "than chance explains, among all of them.",
        "",
        "| code | asks whether | refuses | by chance | may be waived |",
        "|---|---|---|---|---|",
        *(f"| `{code}` | {_asks(check)} | always | | {'no: ' + gate.NEVER_WAIVED[code] if code in gate.NEVER_WAIVED else 'yes'} |"
          for code, check in ALWAYS.items()),
        *(f"| `{rule.code}` | {_asks(rule.look)} | {'always' if rule.blocks else 'if `gate.block` names it'} | "
          f"{'yes' if rule.by_chance else ''} | yes |" for rule in CHECKS),
        "",
        f"The file of `gate.behaviour` has the columns of the table, as far as they matter, and {', '.join(ANSWERS)}:",
        "of a class, or of the ends between which a number, or the probability of the expected class, must lie.",
        "",
    ])  # fmt: skip


def _section(key: str, section: type[BaseModel]) -> Iterator[str]:
    yield f"## `{key}:`"
    yield ""
    yield from _keys(section.model_fields)


def _keys(fields: dict[str, FieldInfo]) -> Iterator[str]:
    has_reasons = any(_reason(field) for field in fields.values())
    yield f"| key | default | value |{' why this default |' * has_reasons}"
    yield f"|---|---|---|{'---|' * has_reasons}"
    for key, field in fields.items():
        meaning, _, default = (field.description or "").partition("; default: ")
        choices = choices_of(field.annotation)
        value = "; ".join([meaning, *([", ".join(choices)] if choices else [])])
        told = default or f"`{spelled(field.get_default())}`".replace("``", "")
        yield f"| `{key}` | {told} | {value} |{f' {_reason(field)} |' * has_reasons}"
    yield ""


def _reason(field: FieldInfo) -> str:
    return cast("dict[str, str]", field.json_schema_extra or {}).get("reason", "")


def _asks(check: Callable[..., object]) -> str:
    return (check.__doc__ or "").partition("\n")[0].removeprefix("Ask whether ").rstrip(".")


if __name__ == "__main__":
    print(as_markdown(), end="")  # noqa: T201 (the page)
