from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.adapters import sources
from tasks.adapters.sources import split_columns
from tasks.core.errors import DataRefusedError, EvergreenError
from tasks.core.reading.blob import Blob
from tasks.core.reading.delimited import TextTable, read_text
from tasks.core.reading.terms import ReadingOptions

OPTIONS = ReadingOptions()
WORDS = st.text(st.sampled_from("abcXYZ äß.,;|'\"-"), max_size=8).map(lambda text: f"w{text}".strip())
ROWS = st.lists(st.tuples(st.integers(0, 999).map(str), WORDS, st.sampled_from(["1.5", "2.25", "13.0"]), WORDS), min_size=3, max_size=12)
HEADER = ("number", "word", "price", "note")


def read(content: str | bytes, *, carefully: bool = False, options: ReadingOptions = OPTIONS) -> TextTable:
    data = content if isinstance(content, bytes) else content.encode()
    return read_text(Blob(data), options, "t.csv", (lambda *_: None) if carefully else split_columns)


def outcome(content: str | bytes, *, carefully: bool) -> TextTable | str:
    """Give the table, or the sentence that refuses it."""
    try:
        return read(content, carefully=carefully)
    except EvergreenError as error:
        return error.message


def rows(table: TextTable) -> list[tuple[str, ...]]:
    return list(zip(*(column.tolist() for column in table.cells), strict=True))


def codes(table: TextTable) -> list[str]:
    return [repair.code for repair in table.repairs]


def refusal(content: str) -> str:
    with pytest.raises(DataRefusedError) as refused:
        read(content)
    return refused.value.message


@given(
    ROWS,
    st.sampled_from(",;\t|"),
    st.sampled_from("\"'"),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_what_the_csv_module_writes_is_read_cell_for_cell_or_told(
    written: list[tuple[str, ...]], delimiter: str, quote: str, end: str, quoting: int, encoding: str
) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quotechar=quote, lineterminator=end, quoting=quoting).writerows([HEADER, *written])
    try:
        table = read(text.getvalue().encode(encoding))
    except DataRefusedError:
        return
    if not table.repairs and not table.aside:
        assert (table.names, rows(table)) == (HEADER, written)


@given(st.lists(st.text(st.sampled_from('ab1,;"\n# -'), max_size=12), max_size=8).map("\n".join))
def test_the_fast_way_and_the_careful_way_read_the_same(body: str) -> None:
    content = f"name,size\nx,1\ny,2\nz,3\n{body}\n"
    careful, fast = outcome(content, carefully=True), outcome(content, carefully=False)
    if isinstance(careful, str) or isinstance(fast, str):
        assert careful == fast
        return
    assert rows(fast) == rows(careful)
    assert fast.lines.tolist() == careful.lines.tolist()
    assert (fast.repairs, fast.aside) == (careful.repairs, careful.aside)


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_arbitrary_bytes_are_a_table_or_one_sentence(data: bytes) -> None:
    found = outcome(data, carefully=False)
    if isinstance(found, str):
        assert "\n" not in found
    else:
        assert {len(column) for column in found.cells} == {len(found.lines)}


@pytest.mark.parametrize(
    ("content", "code", "kept"),
    [
        ("Sales 2024\n\na,b\n1,x\n2,y\n", "preamble", [("1", "x"), ("2", "y")]),
        ("a,b,c\n1,x,2\n2,y,3\nSource: us\n", "footer", [("1", "x", "2"), ("2", "y", "3")]),
        ("a,b\n1,x\n\n2,y\n", "blank_lines", [("1", "x"), ("2", "y")]),
        ("a,b\n1,x\na,b\n2,y\n", "repeated_header", [("1", "x"), ("2", "y")]),
        ("a,b\n1,x\n2;y\n3,z\n", "row_delimiter", [("1", "x"), ("2", "y"), ("3", "z")]),
        ("a,b\n1,x\n2,y,,\n3,z\n", "long_row", [("1", "x"), ("2", "y"), ("3", "z")]),
        ('a,b\n1,x\n2,"y\n3,z\n', "unclosed_quote", [("1", "x"), ("2", "y"), ("3", "z")]),
        ('a,b\n1,x\n2,5" pipe\n3,z\n', "stray_quotes", [("1", "x"), ("2", '5" pipe'), ("3", "z")]),
        ("weight,size\n(kg),(m)\n1,2\n3,4\n", "units_row", [("1", "2"), ("3", "4")]),
        ("1,x\n2,y\n3,z\n", "no_header", [("1", "x"), ("2", "y"), ("3", "z")]),
        ("a,b,\n1,x,\n2,y,\n", "trailing_delimiter", [("1", "x"), ("2", "y")]),
        ("a\tb\nx\ty\n---\t---\nx\tz\nw\ty\nw\tz\n", "rule_lines", [("x", "y"), ("x", "z"), ("w", "y"), ("w", "z")]),
        ("a,b\n'001,x\n'002,y\n", "excel_text", [("001", "x"), ("002", "y")]),
        ("“a”,“b”\n“1”,“x, or z”\n“2”,“y”\n", "typographic_quotes", [("1", "x, or z"), ("2", "y")]),
        ("«a»;«b»\n«1»;«x»\n«2»;«y»\n", "typographic_quotes", [("1", "x"), ("2", "y")]),
        ('"a,b"\n"1,x"\n"2,y"\n', "wrapped_rows", [("1", "x"), ("2", "y")]),
    ],
)
def test_each_damage_is_repaired_and_told(content: str, code: str, kept: list[tuple[str, ...]]) -> None:
    table = read(content)
    assert code in codes(table)
    assert rows(table) == kept


def test_a_row_that_fits_in_no_way_is_set_aside_with_its_line_and_text() -> None:
    table = read("a,b,c\n1,2,x\n3,4,y\n5\n6,7,z\n")
    assert [(row.line, row.text, row.reason) for row in table.aside] == [(4, "5", "1 cell where the table has 3")]
    assert table.lines.tolist() == [2, 3, 5]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("red,blue\ngreen,red\n", "t.csv, line 1: is this row the header ('red', 'blue')?"),
        ("<html><body>no</body></html>", "t.csv is a web page or XML, not a table"),
        ("\n\n", "t.csv is empty"),
        ("a,b\n<<<<<<< HEAD\n1,2\n=======\n3,4\n>>>>>>> x\n", "t.csv holds a merge conflict"),
    ],
)
def test_what_cannot_be_decided_is_refused_in_one_sentence(content: str, told: str) -> None:
    assert refusal(content).startswith(told)


def test_what_a_person_knows_goes_before_what_is_found() -> None:
    table = read("red,blue\ngreen,red\n", options=ReadingOptions.from_pairs(["header=no"]))
    assert rows(table) == [("red", "blue"), ("green", "red")]
    assert read("x;1\ny;2\n", options=ReadingOptions.from_pairs(["names=a,b", "delimiter=semicolon"])).names == ("a", "b")


@pytest.mark.parametrize("body", ['1,a\n2,"b, ""c"""', "1,a\r\n2,b", '1,"two\nlines"\n2,ß', "1,a\n2", "1,a\n2,b,c", "1,\n,2"])
def test_large_texts_are_split_as_small_ones_are(body: str) -> None:
    long_row = f"0,{'x' * sources.SMALL_BYTES}\n"
    small, large = (split_columns(text.encode(), ",", 2) for text in (body, long_row + body))
    if small is None or large is None:
        assert small is large
    else:
        assert [column.tolist()[1:] for column in large] == [column.tolist() for column in small]


@pytest.mark.parametrize("carefully", [False, True])
@pytest.mark.parametrize("title", ['"Title\nsub"', '"Title\nsub\nmore"', '"Title, of\nsub\nmore",x'])
def test_a_title_over_several_lines_is_passed_over_whole(title: str, *, carefully: bool) -> None:
    table = read(f"{title}\na,b,c\n1,x,2\n2,y,3\n3,z,4\n", carefully=carefully)
    assert (table.names, rows(table)[0], codes(table), table.aside) == (("a", "b", "c"), ("1", "x", "2"), ["preamble"], ())


@pytest.mark.parametrize("body", ['name,v\ncafé,="01"\ngrün,="02"\n', '"name,v"\n"café,01"\n"grün,02"\n'])
@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_text_that_is_repaired_as_a_whole_keeps_its_encoding_and_its_repairs(body: str, encoding: str) -> None:
    told = ReadingOptions(encoding=encoding)
    for options in (told, OPTIONS):
        table = read(body.encode(encoding), options=options)
        assert rows(table) == [("café", "01"), ("grün", "02")]
        assert table.dialect.encoding == (encoding if encoding == "cp1252" else "utf-16-le")
        assert ("encoding" in codes(table)) == (encoding == "cp1252" and options is OPTIONS)


def test_so_many_lines_below_the_table_are_no_footer() -> None:
    few, many = ("a,b,c\n" + "1,x,2\n" * 100 + "note\n" * count for count in (5, 40))
    assert codes(read(few)) == ["footer"]
    assert refusal(many).startswith("t.csv, line 102: 1 cell where the table has 3; so it is with 40 of 140 rows")


def test_lines_to_skip_are_no_sample_of_the_table() -> None:
    table = read("note\n" * 4000 + "a;b\n1;x\n2;y\n", options=ReadingOptions(skip=4000))
    assert (table.names, rows(table), table.lines.tolist()) == (("a", "b"), [("1", "x"), ("2", "y")], [4002, 4003])
    with pytest.raises(DataRefusedError, match=r"^t.csv holds nothing below line 9; pass over fewer lines with --read skip=$"):
        read("a,b\n1,x\n", options=ReadingOptions(skip=9))


@pytest.mark.parametrize("cells", ["<5,<3", "..,..", "unknown,missing", "k.A.,k.A.", "x,x", "*,*", "closed,<3", "########,########"])
def test_values_that_are_not_there_do_not_make_a_row_the_header(cells: str) -> None:
    told = refusal(f"Hamburg,{cells}\n" + "".join(f"town{n},{n},{3 * n}\n" for n in range(24)))
    assert told.endswith("nothing shows it; say so with --read header=yes or header=no")


@pytest.mark.parametrize("cells", ["..,..", "k.A.,n.v.", "########,########"])
def test_a_first_row_without_values_is_not_joined_to_the_names(cells: str) -> None:
    table = read(f"city,a,b\nHamburg,{cells}\n" + "".join(f"town{n},{n},{3 * n}\n" for n in range(24)))
    assert (table.names, len(table.lines)) == (("city", "a", "b"), 25)


READINGS = "".join(f"{n}:00,{n},{3 * n},OK\n" for n in range(10, 22))


@pytest.mark.parametrize("carefully", [False, True])
@pytest.mark.parametrize(
    "again", ["TIME,IN,OUT,STATE", "Time, In, Out, State", "Logger 7,,,\nTime,In,Out,State", '"Time","In","Out","State"']
)
def test_what_stands_above_the_rows_is_passed_over_wherever_it_stands_again(again: str, *, carefully: bool) -> None:
    table = read(f"Logger 7,,,\nTime,In,Out,State\n{READINGS}{again}\n{READINGS}", carefully=carefully)
    assert (rows(table), codes(table)) == (rows(read("Time,In,Out,State\n" + 2 * READINGS)), ["preamble", "repeated_header"])


@pytest.mark.parametrize("carefully", [False, True])
@pytest.mark.parametrize("below", ["Time,Out,In,State", "Time,In,Out,Remark", "State,in,OUT,time"])
def test_rows_below_other_names_are_not_read_as_those_of_the_table(below: str, *, carefully: bool) -> None:
    with pytest.raises(DataRefusedError, match=r"^t.csv, line 14: names of the columns stand here again, in another order"):
        read(f"Time,In,Out,State\n{READINGS}{below}\n{READINGS}", carefully=carefully)


@pytest.mark.parametrize("gap", ["\n", "\nStocks\n", "Stocks\n"])
def test_a_header_of_other_names_below_a_gap_is_of_another_table(gap: str) -> None:
    told = refusal(f"Time,In,Out,State\n{READINGS}{gap}Since,Sold,Left,Shop\n{READINGS}")
    where = f"t.csv, line {14 + gap.count(chr(10))}"
    assert told.startswith(f"{where}: what stands here looks like the header of another table ('Since', 'Sold', 'Left'); split")
    for row in ("unknown,unknown,unknown,OK", "10:00,none,none,OK", "see page,4,5,OK"):
        assert len(read(f"Time,In,Out,State\n{READINGS}{gap}{row}\n{READINGS}").lines) >= 24


def test_names_in_another_order_among_texts_are_no_values() -> None:
    words = "red,north,Ann\nblue,south,Bob\n" * 8
    assert refusal(f"colour,region,name\n{words}region,colour,name\n{words}").startswith("t.csv, line 18: names of the columns stand here")


def test_ballots_name_no_columns() -> None:
    table = read("ann,bob,eve\nbob,ann,eve\neve,bob,ann\nann,eve,bob\n" * 3)
    assert (codes(table), len(table.lines)) == (["no_header"], 12)


def test_a_table_above_another_one_is_not_passed_over_as_a_preamble() -> None:
    orders, refunds = "Date,Shop,Amount\n" + "2024-01-01,Lyon,1.5\n" * 5, "Date,Amount,Fee\n" + "2024-02-01,3.5,1\n" * 8
    told = refusal(f"Orders\n{orders}\nRefunds\n{refunds}")
    assert told == ("t.csv, line 2: a table of 3 columns stands above one of 3; split the file, or read the lower one with --read skip=7")
    assert refusal(READINGS * 2 + READINGS.replace("OK", "OK,7") * 3).startswith(
        "t.csv, line 1: a table of 4 columns stands above one of 5"
    )
    assert len(read(f"Orders\n{orders}\nRefunds\n{refunds}", options=ReadingOptions(skip=7)).lines) == 8


LIKERT = "".join(f"{n},{'agree' if n % 2 else 'no'},{'aabb'[n % 4]},{'yes' if n % 3 else 'so'}\n" for n in range(40))


@pytest.mark.parametrize("first", [",I like it,I use it,It is cheap", "number,I like it,I use it,It is cheap"])
def test_a_second_row_of_names_is_no_row(first: str) -> None:
    table = read(f"id,Q1,Q2,Q3\n{first}\n{LIKERT}")
    assert (len(table.lines), [row.line for row in table.aside] or codes(table)) == (40, [2] if first.startswith(",") else ["header_rows"])


@pytest.mark.parametrize("first", ["77,I like it,I use it,It is cheap", ",agree,I use it,It is cheap"])
def test_a_first_row_that_holds_what_others_do_is_a_row(first: str) -> None:
    assert len(read(f"id,Q1,Q2,Q3\n{first}\n{LIKERT}").lines) == 41


LICENCE = "Permission is granted, free of charge, to any person\nto use, copy, modify; merge\nAS IS, with no warranty\n\n" * 9


@pytest.mark.parametrize(
    "above",
    [
        LICENCE,
        f"Licence\n\n{LICENCE}",
        "".join(f"# {line}\n" for line in LICENCE.splitlines()),
        "% from the station, on the roof\n% by us, all of us\n\n",
        "// from, the station\n// by, us\n",
        "; made on Monday\n; by us, all of us\n",
    ],
)
def test_text_above_a_table_says_nothing_of_how_it_is_written(above: str) -> None:
    table = read(f"{above}a,b,c\n1,x,2\n2,y,3\n3,z,4\n")
    assert (table.names, rows(table)[0], codes(table)) == (("a", "b", "c"), ("1", "x", "2"), ["preamble"])
    assert table.lines.tolist() == [above.count("\n") + n for n in (2, 3, 4)]


@pytest.mark.parametrize(
    "body",
    [";first;second\n;EUR;EUR\nLyon;1;2\nUlm;3;4\nKiel;5;6\n", "note,n\n" + '"one\n\ntwo",1\n' * 6 + "x,2\ny,3\nz,4\n"],
)
def test_rows_are_no_text_above_a_table(body: str) -> None:
    assert "preamble" not in codes(read(body))


def test_a_title_with_a_comma_stands_above_a_header() -> None:
    assert read("Sales of 2024, in EUR\na,b,c\n1,x,2\n2,y,3\n3,x,4\n").names == ("a", "b", "c")


@pytest.mark.parametrize("mark", ["\x1f", "\x1e", "\t\t", "|||", ",,"])
def test_unusual_delimiters_part_cells(mark: str) -> None:
    table = read("".join(f"{mark.join(cells)}\n" for cells in [("a", "b", "c"), ("1", "x", ""), ("2", "y z", "3")]))
    assert (table.names, rows(table), codes(table)) == (("a", "b", "c"), [("1", "x", ""), ("2", "y z", "3")], [])


def test_backticks_are_quotes() -> None:
    table = read("`id`,`name`,`size`\n`1`,`x, y`,`2.5`\n`2`,`z`,`3.5`\n")
    assert (rows(table), table.dialect.quote, codes(table)) == ([("1", "x, y", "2.5"), ("2", "z", "3.5")], "`", [])
    assert rows(read("command,n\n`ls -l`,1\n`ls -a`,2\n")) == [("`ls -l`", "1"), ("`ls -a`", "2")]


def test_last_rows_in_another_delimiter_are_rows() -> None:
    table = read("id,name,size\n" + "".join(f"{n},x{n},{2 * n}\n" for n in range(30)) + "31;x31;62\n32;x32;64\n")
    assert rows(table)[-1] == ("32", "x32", "64")
    assert codes(table) == ["row_delimiter"]


def test_last_rows_that_only_hold_their_date_are_rows() -> None:
    table = read("day,a,b\n" + "".join(f"2024-01-{n:02d},{n},{2 * n}\n" for n in range(1, 20)) + "2024-01-20,,\n2024-01-21,,\n")
    assert (len(table.lines), table.aside) == (21, ())


def test_last_lines_that_only_hold_text_are_set_aside_and_counted() -> None:
    table = read("town,a,b\n" + "".join(f"t{n},{n},{2 * n}\n" for n in range(20)) + "Source: the town hall,,\n")
    assert [(row.line, row.text) for row in table.aside] == [(22, "Source: the town hall,,")]


def test_a_padded_table_below_another_one_is_set_aside() -> None:
    body = "id,day,a\n" + "".join(f"{n},2024-01-{n:02d},{n}\n" for n in range(1, 21))
    table = read(f"{body},,\ncity,chief,\nLyon,Ann,\nUlm,Bob,\n")
    assert [row.line for row in table.aside] == [23, 24, 25]
    assert "as rows of another table" in table.aside[0].reason
    assert len(read(f"{body},,\nRows,20,\nLast,30,\n").aside) == 2
    for rest in ("21,2024-01-21,\n22,2024-01-22,\n", "city,chief,5\nLyon,Ann,\n"):
        assert len(read(f"{body},,\n{rest}").lines) == 22


def test_last_lines_that_are_cut_off_behind_a_number_are_set_aside_and_counted() -> None:
    table = read("id,a,b\n" + "".join(f"{n},{n},{2 * n}\n" for n in range(20)) + "31\n32\n")
    assert [row.line for row in table.aside] == [22, 23]


FIXED = "".join(
    f"{n:<6}{'' if n % 5 == 2 else ('Lyon', 'Bad Homburg')[n % 2]:<14}{'' if n % 7 == 3 else n * 2.5:>6}\n" for n in range(10, 40)
)


@pytest.mark.parametrize("body", ['a,b\n="01",2\n="02",3\n', f"no    town          amount\n{FIXED}"])
def test_text_above_a_table_is_told_once_when_the_table_is_rewritten(body: str) -> None:
    assert codes(read(f"% from, us\n% by, all\n{body}")).count("preamble") == 1


@pytest.mark.parametrize("title", ["", "LIST OF THE TOWNS THAT WERE VISITED\n"])
def test_columns_of_fixed_width_may_hold_empty_cells(title: str) -> None:
    table = read(f"{title}no    town          amount\n{FIXED}")
    assert (table.names, codes(table)) == (("no", "town", "amount"), ["fixed_width", *(["preamble"] if title else [])])
    assert rows(table)[:4] == [("10", "Lyon", ""), ("11", "Bad Homburg", "27.5"), ("12", "", "30.0"), ("13", "Bad Homburg", "32.5")]
    assert (rows(table)[7], len(table.lines)) == (("17", "", ""), 30)


def test_a_row_that_goes_across_a_gap_is_set_aside() -> None:
    table = read(f"no    town          amount\n{FIXED}40    a town whose name is long\n41    Ulm            102.5\n")
    assert [(row.line, row.text) for row in table.aside] == [(32, "40    a town whose name is long")]
    assert rows(table)[-1] == ("41", "Ulm", "102.5")


def test_columns_without_a_gap_between_them_are_not_parted() -> None:
    body = "".join(f"{n * 1234.5:<7}{n:<2}    {'' if n % 5 == 2 else n % 7}\n" for n in range(40))
    assert refusal(body).startswith("t.csv, line 1: is this row the header")
