"""The page about reading lists every repair there is, in the words of the code."""

from __future__ import annotations

import re
from pathlib import Path

from tasks.core.reading import layout, ragged
from tasks.core.reading.damage import DAMAGE, as_markdown

ROOT = Path(__file__).parents[2]
CODE = re.compile(r'(?:Repair|Way|note|_repairs|Mixture)\(\s*"([a-z_]+)"|^ *\("([a-z]+_[a-z_]+)", "|^ *"([a-z]+_names)": "', re.MULTILINE)


def test_the_page_is_what_the_code_says() -> None:
    assert (ROOT / "docs/reading.md").read_text(encoding="utf-8") == as_markdown(), "python -m tasks.core.reading.damage > docs/reading.md"


def test_every_repair_of_the_code_is_listed_and_every_listed_one_is_made() -> None:
    folders = (ROOT / "tasks/core/reading", ROOT / "tasks/core/formats", ROOT / "tasks/adapters/sources")
    sources = [path.read_text(encoding="utf-8") for folder in folders for path in folder.glob("*.py") if path.name != "damage.py"]
    made = {code for text in sources for found in CODE.findall(text) for code in found if code}
    assert made == set(DAMAGE)


def test_every_way_to_make_a_row_fit_is_listed() -> None:
    assert {way.code for way in ragged.WAYS} <= set(DAMAGE)
    assert {repair.code for repair in layout.unique_names(["a", "a", "", " b"], 4)[1]} <= set(DAMAGE)
