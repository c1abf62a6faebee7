from __future__ import annotations

import pytest

from tasks.core.reading.blob import Blob
from tasks.core.reading.delimited import read_text
from tasks.core.reading.terms import ReadingOptions

TOWNS = ["Bonn", "Ulm", "Kiel", "Hamm", "Jena", "Trier", "Halle", "Worms"]
ROWS = "town,people,area\n" + "".join(f"{town},{7 * n + 10},{n}.5\n" for n, town in enumerate(TOWNS))


def aside(text: str) -> list[tuple[int, str]]:
    table = read_text(Blob(text.encode()), ReadingOptions(), "t.csv", lambda *_: None)
    return [(row.line, row.reason) for row in table.aside]


@pytest.mark.parametrize(
    ("last", "told"),
    [
        ("Total,276,32.0", "a row of totals"),
        ("Insgesamt,276,32.0", "a row of totals"),
        ("合計,276,32", "a row of totals"),
        ("everything,276,32.0", "a row of totals"),
        (",276,32.0", "a row of totals"),
        ("Average,34.5,4.0", "a row of means"),
        ("Durchschnitt:,34.5,4.0", "a row of means"),
        ("Max,59,7.5", "a row of statistics"),
        ("SD,17.15,2.45", "a row of statistics"),
    ],
)
def test_a_last_row_that_sums_up_the_others_is_set_aside(last: str, told: str) -> None:
    assert aside(f"{ROWS}{last}\n") == [(10, told)]


def test_several_of_them_are() -> None:
    assert aside(f"{ROWS}Mean,34.5,4.0\nMin,10,0.5\nMax,59,7.5\n") == [
        (10, "a row of means"),
        (11, "a row of statistics"),
        (12, "a row of statistics"),
    ]


def test_a_first_row_is_that_sums_up_the_others() -> None:
    head, _, rest = ROWS.partition("\n")
    assert aside(f"{head}\nGermany,276,32.0\n{rest}") == [(2, "a row of totals")]


@pytest.mark.parametrize(
    "last",
    [
        "Max,61,8.5",  # somebody's name
        "Mean,60,9.5",  # a town in Germany, if a small one
        "Ulm,276,32.0",  # comes again
        "Gera,276,9.5",  # one of two
        "Average,,",
    ],
)
def test_a_row_that_sums_nothing_up_is_a_row(last: str) -> None:
    assert not [reason for _, reason in aside(f"{ROWS}{last}\n") if "row of" in reason]


def test_equal_rows_and_rows_of_zeros_are_rows() -> None:
    assert aside("a,b\n" + "0,0\n" * 9) == []
    assert aside("a,b\n" + "5,5\n" * 9) == []


@pytest.mark.parametrize("label", ["{} Total", "Summe {}", "Итого {}:"])
def test_sums_of_groups_are_set_aside_however_many(label: str) -> None:
    content = "region,item,sold,price\n"
    for part, size in 4 * (("North", 5), ("South", 7)):
        content += "".join(f"{part if n == 1 else ''},item {n},{n * size},{n}.50\n" for n in (1, 2, 3))
        content += f"{label.format(part)},,{6 * size},7.50\n"
    assert aside(content) == [(line, "a row of totals") for line in range(5, 34, 4)]
    assert aside(content.replace(f",{6 * 5},", ",31,")) == [(line, "a row of totals") for line in range(9, 34, 8)]


def test_a_mark_names_a_sum_in_lists_of_accounts_with_the_minus_behind() -> None:
    rows = "what;pieces;amount\nbolt;x1;1.500,25\nnut;x2;250,00-\npipe;x3;100,00\nvalve;x4;10,00\n"
    assert aside(f"{rows}*;;1.360,25\n") == [(6, "a row of totals")]


@pytest.mark.parametrize(
    "rows",
    [
        "S,1,2\nE,3,4\nW,5,9\nS,2,3\nN,1,2\n",
        "Y,1,0\nY,0,1\nN,1,1\nY,0,0\nN,4,4\n",
    ],
    ids=["the least of the others", "a letter that returns"],
)
def test_a_category_that_is_called_like_a_count_is_a_row(rows: str) -> None:
    assert aside(f"region,x,y\n{rows}") == []


def test_a_row_of_counts_is_told_by_its_numbers() -> None:
    assert aside(f"{ROWS}N,8,8\n") == [(10, "a row of statistics")]
    assert aside(f"{ROWS}N,10,0.5\n") == []
