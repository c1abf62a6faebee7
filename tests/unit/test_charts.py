from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.core.charts import (
    WIDE,
    Interval,
    Marks,
    Series,
    bar_chart,
    interval_chart,
    line_chart,
    matrix_chart,
    residual_chart,
    scatter_chart,
    whisker_chart,
)

if TYPE_CHECKING:
    from tasks.core.page import Svg

HOSTILE = [
    "<script>alert(1)</script>",
    '"/><image href="https://a.b/c"/>',
    "]]>&amp;",
    "a\x00\x1b[31m\ud800\uffff",
    "\u202egpj.exe",
    "列" * 300,
    "",
]
NUMBERS = st.floats() | st.sampled_from([0.0, 5e-324, 1e-300, 1e149, -1e149, 1e308, math.inf, -math.inf, math.nan])
NAMES = st.sampled_from(HOSTILE) | st.text(max_size=8)
SVG = "{http://www.w3.org/2000/svg}"


def draw_all(name: str, a: float, b: float, c: float) -> list[Svg]:
    """Draw every chart with one name wherever a name can stand, and three numbers wherever numbers can."""
    series = [Series(name, [0, 1, 2], [a, b, c], [b, b, b], [c, c, c]), Series(name, [a, b, c], [0, 1, 2])]
    return [
        interval_chart(
            [Interval(name, a, *sorted((b, c))), Interval(name, b, *sorted((a, c)), reference=c)], title=name, reference_label=name
        ),
        scatter_chart([a, b, 1.0], [b, c, 2.0], title=name, x_title=name, y_title=name),
        residual_chart([a, b, 1.0], [b, c, 2.0], title=name),
        whisker_chart([Interval(name, a, *sorted((b, c))), Interval(name, b, a, a)], title=name, x_title=name, reference=c),
        bar_chart([(name, a), (name, b), ("", c)], title=name, x_title=name),
        matrix_chart([[3, 0], [1, 2]], [name, name], title=name),
        line_chart(series, title=name, x_title=name, y_title=name, width=WIDE),
    ]


def read(svg: Svg) -> ET.Element:
    """Parse a chart, and require that all it draws can be drawn and that nothing in it reaches out."""
    root = ET.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert root[0].tag == f"{SVG}title"
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in {"svg", "title", "text", "path", "rect", "circle", "g"}
        for name, value in element.attrib.items():
            assert not name.startswith("on")
            assert "href" not in name
            assert not re.search(r"nan|inf\b|url\(|://", value), (name, value)
        assert float(element.get("width", 0)) >= 0
    return root


def words(svg: Svg) -> list[str]:
    return [text.text or "" for text in read(svg).iter(f"{SVG}text")]


def paths(svg: Svg) -> list[str]:
    return [path.get("d", "") for path in read(svg).iter(f"{SVG}path")]


@settings(max_examples=80, deadline=None)
@given(NAMES, NUMBERS, NUMBERS, NUMBERS)
def test_whatever_the_names_and_numbers_a_chart_is_well_formed_and_draws_only_numbers(name: str, a: float, b: float, c: float) -> None:
    for svg in draw_all(name, a, b, c):
        read(svg)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", svg)


@pytest.mark.parametrize("name", HOSTILE[:3])
def test_a_hostile_name_is_shown_as_it_is_and_marks_up_nothing(name: str) -> None:
    for svg in draw_all(name, 1.0, 2.0, 3.0):
        assert read(svg)[0].text == name
        assert name not in svg


@pytest.mark.parametrize(
    "svg",
    [
        interval_chart([], title="Empty"),
        interval_chart([Interval("r2", math.nan, 0.0, 1.0)], title="Empty"),
        scatter_chart([], [], title="Empty"),
        scatter_chart([math.nan, 1.0], [1.0, math.inf], title="Empty"),
        bar_chart([], title="Empty"),
        bar_chart([("a", math.inf)], title="Empty"),
        matrix_chart([], [], title="Empty"),
        matrix_chart([[0, 0], [0, 0]], ["a", "b"], title="Empty"),
        line_chart([], title="Empty", x_title="x", y_title="y"),
        line_chart([Series("a", [], []), Series("b", [1.0], [math.nan])], title="Empty", x_title="x", y_title="y"),
    ],
)
def test_without_a_value_that_can_be_drawn_a_chart_says_so(svg: Svg) -> None:
    assert words(svg) == ["No data"]


def test_a_point_that_is_not_finite_is_left_out_and_the_others_stay() -> None:
    svg = scatter_chart([1.0, math.nan, 3.0, 4.0], [1.0, 2.0, math.inf, 4.0], title="Points")
    assert len(list(read(svg).iter(f"{SVG}circle"))) == 2


def test_a_gap_in_the_values_is_a_gap_in_the_line_and_a_point_between_two_gaps_is_a_dot_whatever_the_dashes() -> None:
    lone = Series("a", [1, 2, 3, 4, 5, 6], [1.0, 2.0, math.nan, 3.0, math.nan, 4.0])
    root = read(line_chart([Series("b", [1, 6], [1.0, 4.0]), lone], title="Loss", x_title="x", y_title="y"))
    dashed = [path.get("d", "") for path in root.iter(f"{SVG}path") if path.get("stroke-dasharray") == "7 3"]
    assert [re.sub(r"[-\d. ]+", "", path) for path in dashed] == ["Mh", "ML"], "the sample in the key, and the two points that are joined"
    assert len(list(root.iter(f"{SVG}circle"))) == 2


def test_a_line_that_the_title_of_its_axis_names_needs_no_key() -> None:
    one, other = Series("brier", [1, 2], [1.0, 2.0]), Series("judged", [1, 2], [2.0, 1.0])
    assert "brier" not in words(line_chart([one], title="Loss", x_title="x", y_title="mean brier"))
    assert "brier" in words(line_chart([one], title="Loss", x_title="x", y_title="found"))
    assert {"brier", "judged"} <= set(words(line_chart([one, other], title="Loss", x_title="x", y_title="mean brier")))


def test_marks_are_told_apart_by_their_signs_and_named_in_the_key() -> None:
    marks = [Marks("promoted", "dot", [(1, 1.0)]), Marks("returned", "diamond", [(2, 2.0)]), Marks("rejected", "cross", [(1, 1.0)])]
    marks += [Marks("alarm", "ring", [(1, 1.0), (2, 2.0), (3, math.nan)]), Marks("held", "dot", [])]
    svg = line_chart([Series("a", [1, 2, 3], [1.0, 2.0, 1.5])], title="Loss", x_title="x", y_title="y", marks=marks)
    assert {"a", "promoted", "returned", "rejected", "alarm"} <= set(words(svg))
    assert "held" not in words(svg), "what never happened needs no key"
    radii = [circle.get("r") for circle in read(svg).iter(f"{SVG}circle")]
    assert (radii.count("4.5"), radii.count("8.5")) == (2, 3), "one of each in the key"
    assert not any(path.get("stroke-dasharray") for path in read(svg).iter(f"{SVG}path") if "l9 9" in path.get("d", ""))


def test_the_diagonal_is_where_both_axes_agree() -> None:
    svg = scatter_chart([0.0, 10.0], [10.0, 0.0], title="Points")
    first, second = ((float(dot.get("cx", 0)), float(dot.get("cy", 0))) for dot in read(svg).iter(f"{SVG}circle"))
    ends = [tuple(map(float, point.split())) for point in paths(svg)[2].removeprefix("M").split("L")]
    assert ends == [(first[0], second[1]), (second[0], first[1])]


def test_a_prediction_that_is_right_stands_on_the_line_of_no_residual() -> None:
    root = read(residual_chart([10.0, 20.0], [0.0, -5.0], title="Residuals"))
    right, wrong = (float(dot.get("cy", 0)) for dot in root.iter(f"{SVG}circle"))
    (zero,) = [path.get("d", "") for path in root.iter(f"{SVG}path") if path.get("stroke-dasharray") == "5 4"]
    assert zero.startswith("M")
    assert float(zero[1:].split("H")[0].split()[1]) == pytest.approx(right)
    assert wrong > right


def test_whiskers_share_one_scale_with_their_reference() -> None:
    rows = [Interval("a", 1.0, 0.0, 2.0), Interval("b", 3.0, 2.0, 4.0)]
    root = read(whisker_chart(rows, title="Importance", x_title="Rise", reference=2.0))
    first, second = (float(dot.get("cx", 0)) for dot in root.iter(f"{SVG}circle"))
    (line,) = [path.get("d", "") for path in root.iter(f"{SVG}path") if path.get("stroke-dasharray") == "5 4"]
    assert float(line[1:].split()[0]) == pytest.approx((first + second) / 2, abs=0.1)
    ends = [path.get("d", "") for path in root.iter(f"{SVG}path") if path.get("stroke-opacity") == ".55"]
    assert float(ends[0].split("H")[1]) == pytest.approx(float(ends[1][1:].split()[0]))


def test_a_label_that_fits_is_not_cut() -> None:
    root = read(matrix_chart([[3, 0], [1, 2]], ["<=50K", ">50K"], title="Confusion matrix"))
    assert [text.text for text in root.iter(f"{SVG}text")].count("<=50K") == 2


def test_a_bar_is_as_long_as_its_value_and_starts_at_zero() -> None:
    bars = [
        (float(bar.get("x", 0)), float(bar.get("width", 0)))
        for bar in read(bar_chart([("a", 4.0), ("b", -2.0)], title="Bars")).iter(f"{SVG}rect")
    ]
    (right, long), (left, short) = bars
    assert long == pytest.approx(2 * short, abs=0.2)
    assert left + short == pytest.approx(right, abs=0.2)


def test_a_confusion_matrix_shows_each_count_and_shades_the_share_of_its_row() -> None:
    svg = matrix_chart([[3, 1], [0, 0]], ["no", "yes"], title="Classes")
    assert [word for word in words(svg) if word.isdigit()] == ["3", "1", "0", "0"]
    assert [rect.get("fill-opacity") for rect in read(svg).iter(f"{SVG}rect")] == ["0.375", "0.125", "0.000", "0.000"]


def test_series_of_unequal_length_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        line_chart([Series("a", [1, 2], [1.0])], title="Loss", x_title="x", y_title="y")
    with pytest.raises(ValueError, match="zip"):
        scatter_chart([1.0], [1.0, 2.0], title="Points")
