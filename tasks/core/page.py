"""Build every report as one HTML file that works offline, in light and dark, on a phone and on paper."""

from __future__ import annotations

import math
import re
from base64 import b64encode
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from numbers import Integral, Real
from typing import TYPE_CHECKING, Literal, NewType, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Svg = NewType("Svg", str)
Tone: TypeAlias = Literal["good", "bad", "neutral"]
Outcome: TypeAlias = Literal["passed", "failed", "warned", "not applicable", "skipped", "waived"]

TONE_SYMBOLS: dict[Tone, str] = {"good": "✓", "bad": "✕", "neutral": "i"}
OUTCOME_SYMBOLS: dict[Outcome, str] = {
    "passed": "✓", "failed": "✕", "warned": "!", "not applicable": "—", "skipped": "»", "waived": "≈",
}  # fmt: skip
CELL_LIMIT = 160
LONG_CELL = 24
TOOLTIP_LIMIT = 2_000

# Control characters, lone surrogates (no file can hold them) and bidirectional overrides, which would reverse what follows a value.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
# Browsers read a backslash as a slash, so two of them would begin an address of another host.
SAFE_HREF = re.compile(r"https?://\S+|(?!//)[^\s:\\]+")
_UNBREAKABLE = re.compile(r"(?<=\d) (?=[%±])|(?<=±) ")
_COMMAND = re.compile(r"python -m flows[^;`]*")
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Badge:
    """A cell that shows the outcome of a check; `text` replaces the outcome's own name."""

    outcome: Outcome
    text: str = ""


@dataclass(frozen=True)
class Link:
    """A cell that leads somewhere; an address that is neither http(s) nor relative is shown as plain text."""

    text: str
    href: str


Cell: TypeAlias = str | float | Badge | Link | None


@dataclass(frozen=True)
class Verdict:
    """The band under the title: one word that says it all ("Promoted"), and the sentence that explains it."""

    tone: Tone
    word: str
    sentence: str = ""


@dataclass(frozen=True)
class Facts:
    """Short labelled values, shown as a grid."""

    items: Sequence[tuple[str, Cell]] = ()


@dataclass(frozen=True)
class Text:
    """Prose; an empty line starts a new paragraph and `backticks` mark code."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table whose first column names its rows; other columns in which nothing stands are left out.

    Args:
        caption: What the table shows, also read out by screen readers.
        columns: One heading per column.
        rows: Cells, as many in each row as there are columns.
        numeric: Headings of columns that hold numbers as text; columns of numbers are recognised.
        marked: Row number (from 0) -> the word that sets it apart, for example `{2: "chosen"}`.
        is_folded: Whether only its caption is seen until a reader opens it.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    numeric: Sequence[str] = ()
    marked: Mapping[int, str] = field(default_factory=dict[int, str])
    is_folded: bool = False

    def __post_init__(self) -> None:
        """Refuse rows that do not fit the headings."""
        for line, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                message = f"table '{self.caption}': row {line} has {len(row)} cells for {len(self.columns)} columns"
                raise ValueError(message)


@dataclass(frozen=True)
class Figure:
    """A chart from `tasks.core.charts`, or the bytes of a PNG.

    Args:
        caption: What it shows.
        image: The chart.
        alt: What a PNG shows, for those who cannot see it.
        narrow: The same chart for narrow windows, in which a wide one would be too small to read.
    """

    caption: str
    image: Svg | bytes
    alt: str = ""
    narrow: Svg | None = None

    def __post_init__(self) -> None:
        """Refuse bytes that no browser would show."""
        if isinstance(self.image, bytes) and not self.image.startswith(_PNG_SIGNATURE):
            message = f"figure '{self.caption}': the bytes are not a PNG"
            raise ValueError(message)


Block: TypeAlias = Text | Table | Figure | Facts


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it; figures that follow one another stand side by side."""

    heading: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Page:
    """A whole report. It holds no clock: the caller gives the time as a fact."""

    title: str
    verdict: Verdict
    sections: Sequence[Section] = ()
    facts: Facts = Facts()
    footer: str = ""


def render(page: Page) -> str:
    """Give the page as one HTML document that asks nothing of the network.

    >>> render(Page("Wine", Verdict("good", "Promoted"))).splitlines()[0]
    '<!doctype html>'
    """
    title = safe(shorten(page.title, CELL_LIMIT))
    return "\n".join([
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'\">",
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="color-scheme" content="light dark">',
        '<meta name="referrer" content="no-referrer">',
        # Without an icon of its own, a page that is served makes the browser ask for /favicon.ico.
        '<link rel="icon" href="data:,">',
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<header>\n<h1>{title}</h1>",
        _verdict(page.verdict),
        _facts(page.facts),
        "</header>",
        *(_section(section) for section in page.sections),
        f"</main>\n<footer>{_prose(page.footer)}</footer>\n</body>\n</html>\n",
    ])  # fmt: skip


def number(value: float | None) -> str:
    """Print a number as every report does: whole numbers in full, others with four significant digits.

    >>> number(1234567), number(0.48), number(12.0), number(0.0000123), number(float("nan"))
    ('1,234,567', '0.4800', '12', '1.23e-05', '—')
    """
    if value is None or math.isnan(value):
        return "—"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if isinstance(value, Integral) or (value == round(value) and abs(value) < 1e9):
        return f"{int(value):,}"
    if not 1e-4 <= abs(value) < 1e9:
        return f"{value:.3g}"
    return f"{value:,.{max(0, 3 - math.floor(math.log10(abs(value))))}f}"


def shorten(text: str, limit: int) -> str:
    """Cut a text to at most `limit` characters, the last of them an ellipsis.

    >>> shorten("sepal length (cm)", 12)
    'sepal lengt…'
    """
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def with_commands(text: str) -> str:
    """Mark commands as code, each up to a semicolon.

    >>> with_commands("take it in: python -m flows.ingest --accept ab; or wait")
    'take it in: `python -m flows.ingest --accept ab`; or wait'
    """
    return _COMMAND.sub(r"`\g<0>`", text)


def safe(text: str) -> str:
    """Give a text that can stand in HTML or XML, in an element or an attribute, without changing what is around it."""
    return escape(_UNPRINTABLE.sub("\ufffd", text))


def _prose(text: str) -> str:
    return re.sub(r"`([^`\n]+)`", r"<code>\1</code>", _words(text))


def _words(text: str) -> str:
    """Keep a number on one line with its percent sign and its plus or minus."""
    return safe(_UNBREAKABLE.sub("\u00a0", text))


def _cell(cell: Cell) -> str:
    match cell:
        case Badge(outcome, text):
            kind = outcome.replace(" ", "-")
            return f'<span class="badge {kind}"><span aria-hidden="true">{OUTCOME_SYMBOLS[outcome]}</span> {_cut(text or outcome)}</span>'
        case Link(text, href) if SAFE_HREF.fullmatch(href):
            return f'<a href="{safe(href)}" rel="noreferrer">{_cut(text)}</a>'
        case Link(text, _):
            return _cut(text)
        case str():
            return _cut(cell)
        case True | False:
            return "yes" if cell else "no"
        case _:
            return number(cell)


def _cut(text: str) -> str:
    """Keep a cell short; the whole of it, up to a limit, shows when it is pointed at."""
    short = shorten(text, CELL_LIMIT)
    return safe(text) if short == text else f'<span title="{safe(shorten(text, TOOLTIP_LIMIT))}">{safe(short)}</span>'


def _verdict(verdict: Verdict) -> str:
    symbol = f'<span class="symbol" aria-hidden="true">{TONE_SYMBOLS[verdict.tone]}</span>'
    return f'<p class="verdict {verdict.tone}">{symbol}<span><strong>{safe(verdict.word)}</strong> {_prose(verdict.sentence)}</span></p>'


def _section(section: Section) -> str:
    parts = [f"<section>\n<h2>{safe(section.heading)}</h2>"]
    for are_figures, run in groupby(section.blocks, lambda block: isinstance(block, Figure)):
        inner = "\n".join(_block(block) for block in run)
        parts.append(f'<div class="figures">\n{inner}\n</div>' if are_figures else inner)
    return "\n".join([*parts, "</section>"])


def _block(block: Block) -> str:
    match block:
        case Text(text):
            return "\n".join(f"<p>{_prose(paragraph)}</p>" for paragraph in re.split(r"\n\s*\n", text.strip()))
        case Table():
            return _table(block)
        case Figure():
            return _figure(block)
        case Facts():
            return _facts(block)


def _facts(facts: Facts) -> str:
    items = "\n".join(f"<div><dt>{safe(label)}</dt><dd>{_cell(value)}</dd></div>" for label, value in facts.items)
    return f'<dl class="facts">\n{items}\n</dl>' if items else ""


def _table(table: Table) -> str:
    columns = [*_told_columns(table)]
    head = "".join(f'<th scope="col"{kind}>{_cut(table.columns[index])}</th>' for index, kind in columns)
    rows = "\n".join(_row(row, columns, table.marked.get(line, "")) for line, row in enumerate(table.rows))
    body = rows or f'<tr><td class="none" colspan="{len(columns)}">No rows</td></tr>'
    caption = _words(table.caption)
    shown = (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{caption}">\n<table>\n<caption><span>{caption}</span></caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )
    return f"<details>\n<summary>{caption}</summary>\n{shown}\n</details>" if table.is_folded else shown


def _row(row: Sequence[Cell], columns: Sequence[tuple[int, str]], mark: str) -> str:
    name = _cell(row[0]) + (f' <span class="mark">{safe(mark)}</span>' if mark else "")
    cells = "".join(f"<td{kind}>{_cell(row[index])}</td>" for index, kind in columns[1:])
    kind = ' class="marked"' if mark else ""
    return f'<tr{kind}><th scope="row"{columns[0][1]}>{name}</th>{cells}</tr>'


def _told_columns(table: Table) -> Iterable[tuple[int, str]]:
    """Yield the place of each column in which something stands, and its class."""
    for index, name in enumerate(table.columns):
        cells = [row[index] for row in table.rows]
        if index and cells and all(cell == "" for cell in cells):
            continue
        filled = [cell for cell in cells if cell is not None]
        lengths = [len(cell) for cell in cells if isinstance(cell, str)]
        if name in table.numeric or (filled and all(_is_number(cell) for cell in filled)):
            yield index, ' class="number"'
        elif max(lengths, default=0) > LONG_CELL:
            yield index, ' class="long"'
        else:
            yield index, "" if any(map(_has_words, cells)) else ' class="wordless"'


def _has_words(cell: Cell) -> bool:
    return isinstance(cell, str) and any(map(str.isalpha, cell))


def _is_number(cell: object) -> bool:
    return isinstance(cell, Real) and cell is not True and cell is not False


def _figure(figure: Figure) -> str:
    image = figure.image
    if isinstance(image, bytes):
        image = f'<img alt="{safe(figure.alt or figure.caption)}" src="data:image/png;base64,{b64encode(image).decode()}">'
    if figure.narrow:
        image = f'<div class="wide">{image}</div>\n<div class="narrow">{figure.narrow}</div>'
    return f"<figure>\n<figcaption>{_words(figure.caption)}</figcaption>\n{image}\n</figure>"


_STYLE = """
:root {
  --ground: #fff; --surface: #f6f7f6; --line: #dfe3e0; --text: #1b211e; --muted: #59635d; --link: #0b5f86;
  --good: #17603a; --good-ground: #e2f2e7; --bad: #9b1c1c; --bad-ground: #fce8e6;
  --warn: #7a4a00; --warn-ground: #fdf0d5; --neutral: #3d4a55; --neutral-ground: #e9edf0;
  --series-1: #1f6f8b; --series-2: #bf5414; --series-3: #74509a; --series-4: #8a6d00; --series-5: #66707a; --series-6: #3c7d3f;
  color-scheme: light dark;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --ground: #141816; --surface: #1c211f; --line: #323a36; --text: #e4e9e6; --muted: #9ba7a0; --link: #7cc4e8;
    --good: #8fdbab; --good-ground: #16331f; --bad: #ffa8a0; --bad-ground: #431c1a;
    --warn: #f2c66d; --warn-ground: #3a2c0c; --neutral: #c3cdd5; --neutral-ground: #262e34;
    --series-1: #5fb3d1; --series-2: #ee9459; --series-3: #b79ae0; --series-4: #d3b343; --series-5: #98a3ad; --series-6: #7fc583;
  }
}
* { box-sizing: border-box; }
body {
  max-width: 65rem; margin: 0 auto; padding: 2.25rem 1.5rem 3rem; background: var(--ground); color: var(--text);
  font: 0.9375rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", sans-serif;
  font-variant-numeric: tabular-nums; -webkit-text-size-adjust: 100%; overflow-wrap: anywhere;
}
h1 { margin: 0 0 1rem; font-size: 1.625rem; line-height: 1.25; font-weight: 650; letter-spacing: -0.012em; text-wrap: balance; }
h2 { margin: 2.5rem 0 0.75rem; font-size: 1.125rem; line-height: 1.3; font-weight: 650; break-after: avoid; }
p { max-width: 44rem; margin: 0 0 0.875rem; text-wrap: pretty; }
a { color: var(--link); text-underline-offset: 0.15em; }
code { padding: 0.1em 0.3em; border-radius: 4px; background: var(--surface); font: 0.9em/1.4 ui-monospace, Menlo, Consolas, monospace; }
.verdict {
  display: flex; gap: 0.75rem; align-items: flex-start; max-width: none; margin: 0 0 1.25rem; padding: 0.75rem 1rem; font-size: 1rem;
  border-left: 4px solid; border-radius: 6px; print-color-adjust: exact;
}
.verdict strong { margin-right: 0.35em; }
.verdict code { background: none; }
.symbol {
  flex: none; width: 1.5rem; height: 1.5rem; border: 1.5px solid; border-radius: 50%;
  font-size: 0.8125rem; line-height: 1.3125rem; font-weight: 700; text-align: center;
}
.good, .passed { color: var(--good); background: var(--good-ground); }
.bad, .failed { color: var(--bad); background: var(--bad-ground); }
.warned, .waived { color: var(--warn); background: var(--warn-ground); }
.neutral, .not-applicable, .skipped { color: var(--neutral); background: var(--neutral-ground); }
.verdict > span:last-child { color: var(--text); }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: 0.875rem 1.5rem; margin: 0 0 1.25rem; }
dt, caption, figcaption, thead th, footer { font-size: 0.8125rem; line-height: 1.4; }
dt, thead th, footer { color: var(--muted); }
dd { margin: 0; font-weight: 550; }
.scroll { overflow-x: auto; margin: 0 0 1.5rem; }
.scroll:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
table { width: 100%; border-collapse: collapse; font-size: 0.875rem; }
caption, figcaption { padding-bottom: 0.375rem; font-weight: 600; text-align: left; }
caption span { position: sticky; left: 0; display: inline-block; max-width: calc(100vw - 2rem); }
th, td {
  min-width: 4rem; max-width: 24rem; padding: 0.375rem 0.75rem; border-bottom: 1px solid var(--line);
  text-align: left; vertical-align: baseline;
}
thead th { border-bottom-color: var(--muted); font-weight: 500; vertical-align: bottom; overflow-wrap: normal; }
tbody th, td { overflow-wrap: break-word; }
tbody th { font-weight: 500; }
.number { text-align: right; }
tbody .number, tbody .wordless { white-space: nowrap; }
.none { color: var(--muted); }
.marked { background: var(--surface); box-shadow: inset 3px 0 var(--series-1); }
.marked th, .marked td { font-weight: 650; }
.mark, .badge {
  display: inline-block; padding: 0 0.5em; border-radius: 1em;
  font-size: 0.75rem; line-height: 1.6; font-weight: 600; unicode-bidi: isolate;
}
.mark { border: 1px solid; color: var(--muted); line-height: 1.4; }
.badge { white-space: nowrap; print-color-adjust: exact; }
.figures {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(min(20rem, 100%), 1fr)); gap: 1.25rem 2rem; margin: 0 0 1.5rem;
}
figure { min-width: 0; max-width: 100%; margin: 0; break-inside: avoid; }
svg, img { display: block; max-width: 100%; height: auto; }
img { background: #fff; }
figure:has(.narrow) { grid-column: 1 / -1; }
.narrow { display: none; }
details { margin: 0 0 1.5rem; border-bottom: 1px solid var(--line); }
.scroll + details { margin-top: -1rem; }
summary { padding: 0.5rem 0.75rem; color: var(--link); font-size: 0.875rem; cursor: pointer; }
summary:focus-visible { outline: 2px solid var(--link); }
details caption { display: none; }
footer { margin-top: 3rem; padding-top: 0.75rem; border-top: 1px solid var(--line); }
@media screen and (max-width: 48rem) {
  .wide { display: none; }
  .narrow { display: block; }
  .narrow svg { width: 100%; max-width: 34rem; }
}
@media (max-width: 40rem) {
  body { padding: 1.25rem 1rem 2rem; }
  h1 { font-size: 1.375rem; }
  .facts { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0.75rem 1rem; }
  th, td { padding: 0.375rem 0.5rem; }
  .long { min-width: 8rem; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  .scroll { overflow: visible; }
  details::details-content { content-visibility: visible; height: auto; }
  tr { break-inside: avoid; }
}
"""
