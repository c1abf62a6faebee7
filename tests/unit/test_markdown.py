from __future__ import annotations

from tasks.core.markdown import as_markdown, leading_to, plain
from tasks.core.page import Badge, Facts, Figure, Link, Page, Section, Svg, Table, Text, Verdict

HOSTILE = "a|b\n# <script>x()</script> *bold* [link](https://a.b) `code`"


def page_of(*blocks: Text | Table | Figure | Facts) -> str:
    return as_markdown(Page("t", Verdict("good", "Good"), (Section("s", blocks),)))


def test_what_names_hold_means_nothing() -> None:
    told = plain(HOSTILE)
    assert "\n" not in told
    assert "<script" not in told
    table = page_of(Table("c", ("column",), [(HOSTILE,)])).splitlines()[-1]
    assert table == f"| {told} |"
    assert table.replace("\\|", "").count("|") == 2


def test_code_of_prose_stays_code_and_the_rest_is_plain() -> None:
    assert page_of(Text("run `a|b`, not *c*\n\nthen rest")).endswith("run `a|b`, not \\*c\\*\n\nthen rest")


def test_facts_are_a_list_and_figures_are_left_to_the_page() -> None:
    told = page_of(Facts([("Rows", 1200), ("Sure", True), ("Why", None)]), Figure("f", Svg("<svg/>")))
    assert told.endswith("## s\n\n- Rows: 1,200\n- Sure: yes\n- Why: —")


def test_cells_are_written_as_the_page_shows_them() -> None:
    rows = [(Badge("failed"), Link("page", "../1.html"), 0.5), (Badge("passed", "fine"), Link("evil", "javascript:x()"), float("nan"))]
    assert page_of(Table("c", ("a", "b", "c"), rows)).splitlines()[-2:] == [
        "| ✕ failed | [page](<../1.html>) | 0.5000 |",
        "| ✓ fine | evil | — |",
    ]


def test_only_an_address_is_a_link() -> None:
    assert leading_to("a *page*", "https://a.b/1.html") == r"[a \*page\*](<https://a.b/1.html>)"
    assert leading_to("page", "/srv/1.html") == "page: `/srv/1.html`"
