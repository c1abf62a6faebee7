"""A report page as Markdown, for terminals and for what shows no HTML; figures are left to the page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tasks.core.names import on_one_line
from tasks.core.page import OUTCOME_SYMBOLS, SAFE_HREF, Badge, Facts, Figure, Link, Table, Text, number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tasks.core.page import Block, Cell, Page

_CODE = re.compile(r"(`[^`\n]+`)")
_SPECIAL = re.compile(r"[\\`*\[\]|]")


def as_markdown(page: Page) -> str:
    """Give a page as Markdown (GitHub's flavour, for its tables).

    >>> from tasks.core.page import Page, Verdict
    >>> print(as_markdown(Page("wine", Verdict("good", "Promoted", "it is `better`"))))
    # wine
    <BLANKLINE>
    **Promoted**: it is `better`
    """
    verdict = f"**{plain(page.verdict.word)}**" + (f": {_prose(page.verdict.sentence)}" if page.verdict.sentence else "")
    parts = [f"# {plain(page.title)}", verdict, *_block(page.facts)]
    for section in page.sections:
        parts += [f"## {plain(section.heading)}", *(part for block in section.blocks for part in _block(block))]
    return "\n\n".join([*parts, *([_prose(page.footer)] if page.footer else [])])


def plain(text: str) -> str:
    r"""Write a text so that it means nothing in Markdown or HTML.

    >>> plain("a|b <script> *x*")
    'a\\|b &lt;script> \\*x\\*'
    """
    return _SPECIAL.sub(r"\\\g<0>", on_one_line(text)).replace("&", "&amp;").replace("<", "&lt;")


def leading_to(text: str, address: str) -> str:
    """Write a link to a page; where its address is a path, which no browser opens from another page, so that a person can copy it.

    >>> print(leading_to("the page", "http://127.0.0.1:4240/monitor.html"), leading_to("the page", "/srv/monitor.html"))
    [the page](<http://127.0.0.1:4240/monitor.html>) the page: `/srv/monitor.html`
    """
    return _cell(Link(text, address)) if address.startswith(("http://", "https://")) else f"{plain(text)}: `{address}`"


def _prose(text: str) -> str:
    return "".join(part if _CODE.fullmatch(part) else plain(part) for part in _CODE.split(text))


def _block(block: Block) -> Iterator[str]:
    match block:
        case Text(text):
            yield from (_prose(paragraph) for paragraph in re.split(r"\n\s*\n", text.strip()))
        case Facts(items):
            if items:
                yield "\n".join(f"- {plain(name)}: {_cell(cell)}" for name, cell in items)
        case Table():
            yield f"{plain(block.caption)}:"
            yield "\n".join([_row(block.columns), _row(["---"] * len(block.columns)), *map(_row, block.rows)])
        case Figure():
            return


def _row(cells: Sequence[Cell]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(cell: Cell) -> str:
    match cell:
        case Badge(outcome, text):
            return f"{OUTCOME_SYMBOLS[outcome]} {plain(text or outcome)}"
        case Link(text, href):
            return f"[{plain(text)}](<{href}>)" if SAFE_HREF.fullmatch(href) and "<" not in href and ">" not in href else plain(text)
        case str():
            return plain(cell)
        case True | False:
            return "yes" if cell else "no"
        case _:
            return number(cell)
