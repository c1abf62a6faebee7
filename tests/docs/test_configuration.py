"""The reference of a use case's file says what the code says."""

from __future__ import annotations

from pathlib import Path

from tasks.core.checks import CODES
from tasks.core.configuration import ALWAYS, as_markdown
from tasks.core.gate import COMPARING, NEVER_WAIVED
from tasks.core.gate_settings import Gate

PAGE = Path(__file__).parents[2] / "docs/configuration.md"
COMMAND = "python -m tasks.core.configuration > docs/configuration.md"


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == as_markdown(), COMMAND


def test_every_limit_of_the_gate_says_why_it_is_what_it_is() -> None:
    assert all(field.description and field.json_schema_extra for field in Gate.model_fields.values())


def test_every_check_is_listed_and_may_be_waived_or_says_why_not() -> None:
    assert set(ALWAYS) == {*COMPARING, *NEVER_WAIVED}
    assert all(f"| `{code}` | " in as_markdown() for code in (*ALWAYS, *CODES))
