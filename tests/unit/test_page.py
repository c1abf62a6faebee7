from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core import train_page
from tasks.core.charts import WIDE, WIDTH, Series, line_chart
from tasks.core.evidence import Evidence, Explanation
from tasks.core.gate import Check, Comparison, Decision
from tasks.core.honesty import Doubt
from tasks.core.importance import Dependence, Importance
from tasks.core.looks import GateRows
from tasks.core.metrics import Interval, Prediction
from tasks.core.page import Badge, Facts, Figure, Link, Page, Section, Table, Text, Verdict, number, render, safe
from tasks.core.reading.terms import Repair, SetAside
from tasks.core.results import RowCounts, Score, TrainReport
from tasks.core.settings import Settings
from tasks.core.slices import Slice
from tasks.core.snapshot import Case, Snapshot, Study
from tasks.core.splits import Split
from tasks.core.table import Column, Schema, Task
from tasks.core.use_case import UseCase
from tasks.core.validation import ExpectationResult, Validation

HOSTILE = [
    "<script>x()</script>",
    '"><img src=https://a.b/c onerror=x>',
    "`</code><style>`",
    "a\x00\x1b[31m\ud800\uffff",
    "\u202egpj.exe",
    "",
]
NAMES = st.sampled_from(HOSTILE) | st.text(max_size=8)
OBJECTS = st.builds(Link, NAMES, NAMES) | st.builds(Badge, st.just("failed"), NAMES)
CELLS = NAMES | OBJECTS | st.floats() | st.integers() | st.none() | st.booleans()
PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
OPEN_ENDED = {"meta", "link", "img"}
ELEMENTS = re.compile(
    "html|head|meta|link|title|style|body|main|header|footer|section|div|h1|h2|p|span|strong|code|a|dl|dt|dd|table|caption|thead|tbody|tr|th|td"
    "|figure|figcaption|img|svg|text|path|rect|circle|g|details|summary"
)


class Document(HTMLParser):
    """A page that is read, with every element closed in its order, no element or attribute that acts, and no address but links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: dict[str, list[str]] = {}
        self.links: list[str] = []
        self.policy = ""
        self.feed(page)
        self.close()
        assert self.open == []
        assert len(self.words["style"]) == 1

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        assert ELEMENTS.fullmatch(tag)
        assert not [name for name in given if name.startswith("on") or name in {"srcset", "action", "background", "xlink:href"}]
        assert given.get("src", "data:image/png;base64,").startswith("data:image/png;base64,")
        assert "url(" not in given.get("style", "")
        if tag == "a":
            self.links.append(given["href"])
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"]
        if tag not in OPEN_ENDED:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.words.setdefault(self.open[-1] if self.open else "", []).append(data)


def page_of(*blocks: Text | Table | Figure | Facts, name: str = "Wine") -> str:
    return render(Page(name, Verdict("good", name, name), (Section(name, blocks),), Facts(((name, name),)), name))


def trained(task: Task, name: str, personal: tuple[str, ...] = ()) -> str:
    """Give the page of a run in which one name stands wherever a table can bring one."""
    is_regression = task == "regression"
    y, proba = (np.arange(40.0), None) if is_regression else (np.array([name, "b"] * 20), np.full((40, 2), 0.5))
    columns = (Column(name, "number", "unused", name), Column("day", "datetime", "time", ""), Column(name, "number", "target", name))
    schema = Schema(columns, task)
    result = ExpectationResult(f"'{name}': column values to be between", "warning", False, (1, 2), notes=name)
    scores = (Score("ridge", np.inf, np.nan, 0.1), Score("dummy", 1e300, 0.0, 1234.56))
    decision = Decision("baseline", "refused", (name,), (Check("baseline", "failed", name, name),))
    rows, validation = RowCounts(200, 160, 40), Validation(name, (result,))
    report = TrainReport("wine", name, schema, rows, "466cf5c9", validation, decision, "a72d", 1, (), "squared_error", scores)
    report = replace(report, metrics={"r2": Interval(np.nan, -np.inf, 0.5)}, baseline={"r2": np.nan}, seconds={"fit_judged": 0.04})
    report = replace(
        report, repairs=(Repair(name, (1, 2), name),), aside=(SetAside(3, name, name),) * 25, doubts=(Doubt("single_column", name),)
    )
    case = Case(UseCase(name="wine", data="wine.csv", pii=personal), Settings(), None)
    snapshot = Snapshot(Path("rows.parquet"), "466cf5c9", name, schema, rows, validation)
    study = Study(case, snapshot, Split(np.arange(160), np.arange(160, 200), is_ordered=True))
    said = Prediction(y, proba, () if is_regression else (name, "b"))
    compared = Comparison(40, 0.0, 0.1, 1.0)
    hashes = np.arange(160, dtype=np.uint64)
    evidence = Evidence(y, said, report.metrics, report.baseline, hashes, GateRows.of(hashes[:40]), compared)
    rise, band = Interval(0.1, -0.1, 0.3), np.array([[0.5, 0.6], [0.4, 0.5], [0.6, 0.7]])
    dependences = (
        Dependence(name, (1.0, 2.0), {"": band} if is_regression else {name: band}),
        Dependence(name, (name, "b"), {"": band} if is_regression else {"b": band}),
    )
    slices = (Slice(name, name, 40, rise, is_worse=True),)
    explanation = Explanation(report.doubts, (Importance(name, rise),), 2, dependences, slices, compared)
    return train_page.build(report, study, evidence, explanation)


@settings(max_examples=80, deadline=None)
@given(NAMES, st.lists(st.tuples(CELLS, CELLS), max_size=4))
def test_whatever_stands_in_it_a_page_is_well_formed_and_acts_on_nothing(name: str, rows: list[tuple[str, str]]) -> None:
    table = Table(name, (name, "b"), rows, numeric=(name,), marked={0: name})
    page = page_of(Text(name), table, Figure(name, PNG, name), name=name)
    Document(page)
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)
    page.encode("utf-8")


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("task", ["regression", "binary"])
def test_the_page_of_a_training_run_shows_hostile_names_and_numbers_as_text(task: Task, name: str) -> None:
    page = trained(task, name)
    document = Document(page)
    charts = re.findall(r"<svg.*?</svg>", page)
    count = {"regression": 7, "binary": 9}[task]
    assert [ET.fromstring(chart).tag for chart in charts] == ["{http://www.w3.org/2000/svg}svg"] * count
    # Charts cut a long name, so that what is left of it is text as well.
    without_name = re.sub(r"<text.*?</text>", "", page.replace(safe(name), ""))
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg\")", without_name)
    assert document.links == []
    page.encode("utf-8")


def test_seconds_are_shown_with_one_decimal_and_aligned_as_numbers() -> None:
    page = trained("regression", "a")
    assert re.findall(r'<td class="number">([\d.,]+)</td>(?=</tr>)', page)[-3:] == ["0.1", "1,234.6", "0.0"]


def test_a_page_asks_nothing_of_the_network() -> None:
    document = Document(page_of(Text("Text"), Figure("A picture", PNG)))
    assert document.policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
    assert not re.search(r"@import|url\(|//", document.words["style"][0])


@pytest.mark.parametrize("href", ["javascript:alert(1)", "data:text/html,x", "//a.b/c", "file:///etc", " https://a.b", "java\nscript:x"])
def test_an_address_that_is_neither_http_nor_relative_is_plain_text(href: str) -> None:
    links = Link("report", href), Link("mlflow", "https://a.b/c?d=1&e"), Link("page", "../1.html")
    document = Document(page_of(Facts([("Link", link) for link in links])))
    assert document.links == ["https://a.b/c?d=1&e", "../1.html"]
    assert "report" in document.words["dd"]


@pytest.mark.parametrize("row", [("a",), ("a", 1, 2), ()])
def test_a_table_refuses_a_row_that_does_not_fit_its_headings(row: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=rf"table 'Metrics': row 1 has {len(row)} cells for 2 columns"):
        Table("Metrics", ("metric", "value"), [("r2", 0.5), row])


@pytest.mark.parametrize("image", [b"", b"GIF89a", b"<svg/>", PNG[1:]])
def test_a_figure_refuses_bytes_that_are_no_png(image: bytes) -> None:
    with pytest.raises(ValueError, match="figure 'A picture': the bytes are not a PNG"):
        Figure("A picture", image)


def test_columns_of_numbers_are_aligned_and_columns_of_words_are_not() -> None:
    rows = [("a", 1.5, "2", 3, True), ("b", None, "", "-", False)]
    page = page_of(Table("All", ("name", "figure", "text", "mixed", "flag"), rows, numeric=("text",)))
    assert re.findall(r'<th scope="col" class="number">(\w+)', page) == ["figure", "text"]


def test_an_empty_table_says_so_and_a_long_cell_is_cut_with_the_whole_at_hand() -> None:
    assert Document(page_of(Table("None", ("a", "b"), []))).words["td"] == ["No rows"]
    document = Document(page_of(Table("Long", ("a", "b"), [("x", "y" * 5_000)])))
    assert "y" * 159 + "…" in document.words["span"]


def test_a_table_that_is_folded_shows_its_caption_and_is_closed() -> None:
    page = page_of(Table("2 checks", ("a", "b"), [("x", "y"), ("z", "y")], is_folded=True))
    assert Document(page).words["summary"] == ["2 checks"]
    assert re.search(r"<details>\n<summary>.*</summary>\n.*?<table>.*</table>.*?</details>", page, re.DOTALL)


def test_a_column_in_which_nothing_stands_is_left_out() -> None:
    rows = [("x", "", "", None), ("y", "", "here", None)]
    page = page_of(Table("Checks", ("check", "to pass", "note", "number"), rows))
    assert re.findall(r'<th scope="col"[^>]*>(\w+)', page) == ["check", "note", "number"]
    assert page.count("<td") == 4


def test_columns_of_dates_stay_on_one_line_and_those_of_many_words_have_room() -> None:
    page = page_of(Table("Looks", ("what", "when", "why"), [("kept", "2026-03-03 14:00", "so it is " * 9), ("kept", "", "")]))
    assert re.findall(r'<th scope="col"( class="\w+")?>(\w+)', page) == [
        ("", "what"),
        (' class="wordless"', "when"),
        (' class="long"', "why"),
    ]


def test_a_number_is_not_parted_from_its_sign_at_the_end_of_a_line() -> None:
    page = page_of(Text("95 % of 0.5 ± 2 %"))
    assert "<p>95\u00a0% of 0.5\u00a0±\u00a02\u00a0%</p>" in page


def test_a_figure_has_another_drawing_for_narrow_windows() -> None:
    wide, narrow = (line_chart([Series("a", [1, 2], [1.0, 2.0])], title="Loss", x_title="x", y_title="y", width=w) for w in (WIDE, WIDTH))
    page = page_of(Figure("Loss", wide, narrow=narrow))
    Document(page)
    assert f'<div class="wide">{wide}</div>' in page
    assert f'<div class="narrow">{narrow}</div>' in page
    assert page.index(".narrow { display: none; }") < page.index(".narrow { display: block; }")
    assert "min-width" not in wide + narrow, "a chart never scrolls"


@given(st.floats(-1e300, 1e300))
def test_every_number_is_printed_short_and_close(value: float) -> None:
    text = number(value)
    assert len(text) <= 14
    assert float(text.replace(",", "")) == pytest.approx(value, rel=6e-3)


@pytest.mark.parametrize("href", ["\\\\a.b/c", "/\\a.b/c", "\\/a.b/c", "..\\1.html"])
def test_an_address_with_a_backslash_is_plain_text_because_browsers_read_it_as_a_slash(href: str) -> None:
    document = Document(page_of(Facts([("Link", Link("report", href))])))
    assert document.links == []
    assert document.words["dd"].count("report") == 1


def test_the_page_of_a_training_run_folds_what_holds_and_what_was_not_asked() -> None:
    told = trained("regression", "a")
    assert Document(told).words["summary"] == ["Seconds that each step took"]
    assert "1 of 1 expectation of a fail" in told


def test_the_page_of_a_training_run_shows_repairs_and_the_first_twenty_rows_set_aside() -> None:
    page = trained("regression", "ragged")
    assert "<p>1 repairs, 25 rows set aside because they do not fit.</p>" in page
    assert '<tr><th scope="row">ragged</th><td>ragged</td><td class="wordless">1, 2</td></tr>' in page
    assert page.count('<tr><th scope="row" class="number">3</th><td>ragged</td><td>ragged</td></tr>') == 20


@pytest.mark.parametrize("task", ["regression", "binary"])
def test_the_page_begins_with_what_to_distrust_and_says_what_was_left_out(task: Task) -> None:
    page = trained(task, "wine colour")
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    assert headings[:3] == ["Warnings", "Training", "Result"]
    assert {"Predictions of the gate rows", "What it depends on", "What it gets wrong"} <= set(headings)
    assert "single column" in page
    assert "2 more columns, which alone tell less, were not shuffled." in page
    assert "the linear candidate" in page


@pytest.mark.parametrize("task", ["regression", "binary"])
def test_of_a_personal_target_no_plot_of_its_values_is_drawn(task: Task) -> None:
    shown, hidden = trained(task, "wine colour"), trained(task, "wine colour", personal=("wine colour",))
    drawn = ["<title>Confusion matrix</title>", "<title>ROC</title>", "<title>Predicted against true</title>", "<title>Residuals</title>"]
    assert sum(title in shown for title in drawn) == 2
    assert not any(title in hidden for title in drawn)
    assert "The target is personal" in hidden
    assert "is taken for" not in hidden
    assert "<title>Loss over time</title>" in hidden
