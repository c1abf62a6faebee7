from __future__ import annotations

import pytest

from tasks.core.errors import DataRefusedError
from tasks.core.reading.layout import Layout, find_table, is_header, unique_names
from tasks.core.reading.records import Style, physical_lines, read_records
from tasks.core.reading.shapes import kinds_of
from tasks.core.reading.terms import ReadingOptions

ROWS = "1,x,2.5\n2,y,3.5\n3,x,4.5\n"


def layout_of(text: str, **told: object) -> Layout:
    records = list(read_records(physical_lines(text), Style(",")))
    return find_table(records, ReadingOptions.model_validate(told), "t.csv")


def refusal(text: str, **told: object) -> str:
    with pytest.raises(DataRefusedError) as refused:
        layout_of(text, **told)
    return refused.value.message


@pytest.mark.parametrize(
    ("above", "first", "names", "repairs"),
    [
        ("a,b,c\n", 1, ("a", "b", "c"), []),
        ("", 0, (), [("no_header", ())]),
        ("Sales\n\na,b,c\n", 3, ("a", "b", "c"), [("preamble", (1,))]),
        ("# by: us\n# at: noon\na,b,c\n", 3, ("a", "b", "c"), [("preamble", (1, 2))]),
        ("# a,b,c\n", 1, ("a", "b", "c"), []),
        ("#Version: 1\n#Fields:,a,b,c\n", 2, ("a", "b", "c"), [("preamble", (1, 2))]),
        ("a;b;c\n", 1, ("a", "b", "c"), [("header_delimiter", (1,))]),
        ("b,c\n", 1, ("", "b", "c"), [("short_header", (1,))]),
        ("id,word,weight\n,,(kg)\n", 2, ("id", "word", "weight"), [("units_row", (2,))]),
        ("Sales,,\na,b,c\n", 2, ("a", "b", "c"), [("preamble", (1,))]),
        ("who,,how\na,b,c\n", 2, ("a", "b", "c"), [("preamble", (1,))]),
        ("2019,country,2020\n", 1, ("2019", "country", "2020"), []),
    ],
)
def test_the_first_row_of_data_is_found_below_what_stands_above_it(
    above: str, first: int, names: tuple[str, ...], repairs: list[object]
) -> None:
    layout = layout_of(above + ROWS)
    assert (layout.width, layout.first, layout.names) == (3, first, names)
    assert [(repair.code, repair.lines) for repair in layout.repairs] == repairs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("red,blue\ngreen,red\n", "t.csv, line 1: is this row the header ('red', 'blue')? nothing shows it; say so with --read header="),
        ("x,y\n" + ROWS.replace("1,", "7,"), "t.csv, line 1: 2 names for 3 columns; name all with --read names=a,b,c or pass over it"),
        ("a,b,c,d\n" + ROWS, "t.csv, line 1: 4 names for 3 columns; name all with --read names=a,b,c or pass over it with --read skip="),
    ],
)
def test_what_nothing_decides_is_refused_at_its_line(text: str, message: str) -> None:
    assert refusal(text).startswith(message)


def test_what_is_told_is_not_inferred() -> None:
    assert layout_of("red,blue\ngreen,red\n", header=True).names == ("red", "blue")
    assert layout_of("red,blue\ngreen,red\n", header=False).repairs == ()
    assert layout_of(ROWS, names="p,q,r").names == ("p", "q", "r")
    assert layout_of("p,q,r\n" + ROWS, names="p,q,r").first == 1
    assert layout_of("a,b,c\nd,e,f\n" + ROWS, skip=1).names == ("d", "e", "f")


SPECTRUM = "".join(f"{angle}.5,{angle * 7}\n" for angle in range(10, 20))
TOWNS = "".join(f"town {n},{n},{n + 2}\n" for n in range(9))


@pytest.mark.parametrize(
    ("text", "names", "first"),
    [
        ("Operator,Bob\nDate,2024-05-01\nAngle,Counts\n" + SPECTRUM, ("Angle", "Counts"), 3),
        ("Gain,2.5\nOffset,0.1\nAngle,Counts\n" + SPECTRUM, ("Angle", "Counts"), 3),
        ("Instrument,XRD-7\n\nAngle,Counts\n" + SPECTRUM, ("Angle", "Counts"), 3),
        ("Angle,Counts\nclosed,closed too\n" + SPECTRUM, ("Angle closed", "Counts closed too"), 2),
        ("Sales 2024,,\n,,\nBranch: Bonn,,\n,,\ntown,a,b\n" + TOWNS, ("town", "a", "b"), 5),
        ("Region,2019,\n,Sales,Cost\n" + TOWNS, ("Region", "2019 Sales", "2019 Cost"), 2),
        ("town,a,b,\n" + TOWNS, ("town", "a", "b"), 1),
        ("town,a,b,,,\n" + TOWNS, ("town", "a", "b"), 1),
        ("agency,number,day\n5s,15s,20d\n" + TOWNS, ("agency", "number", "day"), 2),
    ],
)
def test_the_names_are_found_below_what_stands_above_them(text: str, names: tuple[str, ...], first: int) -> None:
    layout = layout_of(text)
    assert (layout.names, layout.first) == (names, first)


def test_a_header_that_lacks_a_name_is_not_guessed_at_where_quotes_make_the_cells() -> None:
    rows = "".join(f'{n},said "a, b" twice,{n}\n' for n in range(9))
    assert refusal("id,what,n\n" + rows) == (
        "t.csv, line 1: 3 names for 4 columns; name all with --read names=a,b,c or pass over it with --read skip="
    )


def test_another_number_of_names_than_there_are_cells_is_refused_with_what_to_change() -> None:
    told = "t.csv: --read names= gives 2, and no row has 2 cells; name all, or say how cells are separated with"
    assert refusal(ROWS, names="p,q").startswith(told)


def test_more_lines_to_skip_than_there_are_is_refused_with_what_to_change() -> None:
    assert refusal(ROWS, skip=9) == "t.csv: no row below line 9 has 3 cells; pass over fewer lines with --read skip="


@pytest.mark.parametrize(
    ("first", "rows", "verdict"),
    [
        (["age", "name"], [["31", "Ann"], ["25", "Bob"]], True),
        (["44", "Eve"], [["31", "Ann"], ["25", "Bob"]], False),
        (["2019", "2020", "2021"], [["1", "2", "3"], ["4", "5", "6"]], None),
        (["colour"], [["red"], ["red"], ["blue"], ["red"]], True),
        (["red"], [["red"], ["red"], ["blue"], ["red"]], False),
        (["code"], [["a1"], ["b2"]], True),
        (["red"], [["blue"]], None),
        (["name", "size"], [], None),
        (["land", "2019", "2020"], [["France", "1", "2"], ["Spain", "3", "4"]], True),
        (["land", "2019", "2020"], [["France", "1999", "2000"], ["Spain", "2001", "2004"]], False),
        (["land", "2019", "2020"], [["land", "1", "2"], ["Spain", "3", "4"]], False),
        (["land", "1/22/20", "1/23/20"], [["France", "1", "2"], ["Spain", "3", "4"]], True),
        (["land", "Lat", "1/22/20", "1/23/20"], [["France", "1.5", "1", "2"], ["Spain", "3.5", "3", "4"]], True),
        (["land", "1/22/20", "1/23/20"], [["France", "2/1/20", "2/2/20"], ["Spain", "3/1/20", "3/9/20"]], False),
        (["probe", "400", "405", "410", "415"], [["s1", "0.1", "0.5", "0.2", "0.9"], ["s2", "0.3", "0.1", "0.7", "0.8"]], True),
        (["probe", "400", "405", "411", "415"], [["s1", "0.1", "0.5", "0.2", "0.9"], ["s2", "0.3", "0.1", "0.7", "0.8"]], False),
        (["s0", "1", "2", "3", "4"], [["s1", "2", "3", "4", "5"], ["s2", "3", "4", "5", "6"]], False),
        (["0", "1", "2"], [["0.1", "0.5", "0.2"], ["0.3", "0.1", "0.7"]], None),
        (["land", "2019", "2020", ""], [["France", "1", "2", ""], ["Spain", "3", "4", ""]], True),
        (["land", "2019", "2019"], [["France", "1", "2"], ["Spain", "3", "4"]], False),
    ],
)
def test_a_header_is_told_by_what_stands_below_it(first: list[str], rows: list[list[str]], verdict: bool | None) -> None:
    assert is_header(first, rows, kinds_of(rows) if rows else kinds_of([first])) is verdict


def test_every_column_gets_a_name_of_its_own() -> None:
    names, repairs = unique_names(["a", " A", "a_2", "", "b\nc"], 5)
    assert names == ("a", "A_2", "a_2_2", "column_4", "b c")
    assert [str(repair) for repair in repairs] == [
        "padded names: blanks around names were taken off: A, b c",
        "duplicate names: names that differ from others by case at most were numbered: A_2, a_2_2",
        "empty names: columns without a name were named: column_4",
    ]
    assert unique_names([], 2) == (("column_1", "column_2"), [])
