from __future__ import annotations

import bz2
import csv
import gzip
import hashlib
import io
import lzma
import os
import subprocess
import sys
import zipfile
from collections import Counter, defaultdict
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.damage import KINDS, CleanTable, Damaged, add_kind, clean_tables, corpus, known_spectrum

ROOT = Path(__file__).parents[2]
SPECTRUM = Path(os.environ.get("CSV_SPECTRUM", "csv-spectrum"))

Rows = list[tuple[str, ...]]

# Lines came in; without them the file is the clean table again.
INSERTED = [
    "preamble_title",
    "preamble_comments",
    "preamble_licence",
    "preamble_of_other_comments",
    "preamble_metadata",
    "preamble_padded_with_delimiters",
    "footer_note",
    "footer_padded_with_delimiters",
    "totals_row",
    "subtotal_rows",
    "units_row",
    "two_level_header",
    "repeated_header",
    "repeated_header_in_upper_case",
    "blank_lines_at_start",
    "blank_lines_in_the_middle",
    "blank_lines_at_end",
    "lines_of_spaces",
    "lines_of_delimiters",
    "comments_in_the_middle",
    "log_line_in_the_middle",
]

# A few rows are spoilt; without their lines, the other rows are untouched.
SPOILT_ROWS = [
    "ragged_short_row",
    "ragged_short_row_of_empty_cells",
    "ragged_long_by_trailing_delimiters",
    "cell_left_out",
    "extra_cell",
    "unquoted_delimiter",
    "unquoted_delimiter_beside_text",
    "shifted_right",
    "shifted_right_at_full_width",
    "shifted_left_at_full_width",
    "line_broken_between_cells",
    "line_broken_in_text",
    "two_rows_on_one_line",
    "two_rows_run_together",
    "last_row_cut_off",
    "one_row_in_another_delimiter",
    "one_row_in_another_quote",
    "one_cell_in_curly_quotes",
    "stray_quote",
    "quoted_words_in_an_unquoted_cell",
    "inner_quotes_not_doubled",
    "unclosed_quote_in_the_middle",
    "unclosed_quote_at_the_end",
    "one_row_wrapped_in_quotes",
    "nul_bytes",
    "control_characters",
]

# The csv module reads the truth once it is told what the file is.
READABLE = {
    "clean": {},
    "quoted_newlines_and_delimiters": {},
    "doubled_quotes": {},
    "all_quoted": {},
    "only_text_quoted": {},
    "line_separators_of_unicode": {},
    "duplicate_column_names": {},
    "line_break_in_a_column_name": {},
    "index_without_a_name": {},
    "one_column": {},
    "one_row": {},
    "huge_integers": {},
    "stray_quote": {},
    "carriage_return_line_feeds": {},
    "carriage_returns": {},
    "mixed_line_ends": {},
    "semicolon_delimiter": {"delimiter": ";"},
    "tab_delimiter": {"delimiter": "\t"},
    "pipe_delimiter": {"delimiter": "|"},
    "control_a_delimiter": {"delimiter": "\x01"},
    "unit_separator_delimiter": {"delimiter": "\x1f"},
    "single_quote_dialect": {"quotechar": "'"},
    "comma_and_space": {"skipinitialspace": True},
    "backslash_escaped_quotes": {"escapechar": "\\", "doublequote": False},
}

ENCODINGS = {
    "utf8_bom": "utf-8-sig",
    "utf16_little_endian": "utf-16",
    "utf16_big_endian": "utf-16",
    "utf16_without_mark": "utf-16-le",
    "latin1": "latin-1",
    "windows_1252": "cp1252",
    "windows_1250": "cp1250",
}

UNPACK = {
    "packed_by_gzip": gzip.decompress,
    "packed_by_bzip2": bz2.decompress,
    "packed_by_xz": lzma.decompress,
    "gzip_named_csv": gzip.decompress,
}

# Their truth is a part of the clean table, another shape of it, or nothing.
RESHAPED = {"header_only", "one_column", "one_column_of_text", "one_row"}


@cache
def whole() -> tuple[Damaged, ...]:
    return tuple(corpus(1))


@cache
def by_kind() -> dict[str, list[Damaged]]:
    found: dict[str, list[Damaged]] = defaultdict(list)
    for damaged in whole():
        found[damaged.kind].append(damaged)
    return found


def read(text: str, **dialect: object) -> Rows:
    return [tuple(row) for row in csv.reader(io.StringIO(text, newline=""), **dialect)]


def truth(damaged: Damaged) -> Rows:
    return [damaged.header, *damaged.rows]


def without_damaged_lines(damaged: Damaged) -> Rows:
    lines = damaged.content.decode().split("\n")
    return read("\n".join(line for number, line in enumerate(lines, 1) if number not in damaged.lines))


def clean_table(damaged: Damaged, seed: int = 1) -> CleanTable:
    name = damaged.name.split(".")[0].rsplit("_", 1)[1]
    return next(table for table in clean_tables(seed) if table.name == name)


def test_there_are_four_hundred_files_of_forty_kinds_and_every_kind_is_there_twice() -> None:
    files = whole()

    assert len(files) >= 400
    assert len(KINDS) >= 40
    assert set(Counter(damaged.kind for damaged in files)) == set(KINDS)
    assert min(Counter(damaged.kind for damaged in files).values()) >= 2


def test_each_name_is_there_once_and_is_a_file_name() -> None:
    names = [damaged.name for damaged in whole()]

    assert len(set(names)) == len(names)
    assert all(Path(name).name == name and Path(name).suffix for name in names)


def test_the_same_seed_gives_the_same_files_in_another_process() -> None:
    program = "import hashlib; from tests.damage import corpus; print(hashlib.sha256(repr(corpus(1, 170)).encode()).hexdigest())"
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment, cwd=ROOT)

    assert other.stdout.strip() == hashlib.sha256(repr(list(whole()[:170])).encode()).hexdigest()


def test_a_shorter_corpus_is_the_start_of_a_longer_one() -> None:
    assert corpus(1, 50) == list(whole()[:50])


def test_other_seeds_damage_other_lines() -> None:
    corpora = [whole()[: len(KINDS)], *(corpus(seed, len(KINDS)) for seed in (2, 3))]

    for kind in ("ragged_short_row", "unclosed_quote_in_the_middle", "blank_lines_in_the_middle", "nul_bytes"):
        assert len({damaged.lines for files in corpora for damaged in files if damaged.kind == kind}) >= 2, kind


def test_files_are_small() -> None:
    assert max(len(damaged.content) for damaged in whole()) < 200_000


@settings(max_examples=4, deadline=None)
@given(st.integers(min_value=0, max_value=10**9))
def test_each_truth_is_a_table_whatever_the_seed(seed: int) -> None:
    for damaged in corpus(seed, len(KINDS)):
        assert {len(row) for row in damaged.rows} <= {len(damaged.header)}, damaged.kind
        assert damaged.rows or damaged.is_undecidable, damaged.kind
        assert list(damaged.lost) == sorted(set(damaged.lost)), damaged.kind
        assert list(damaged.lines) == sorted(set(damaged.lines)), damaged.kind
        assert all(1 <= line <= damaged.content.count(b"\n") + 1 for line in damaged.lines), damaged.kind


def test_no_row_goes_missing_unless_it_is_said_to_be_lost() -> None:
    for damaged in whole():
        if damaged.header and damaged.kind not in RESHAPED:
            assert len(damaged.rows) + len(damaged.lost) == len(clean_table(damaged).rows), damaged.name


@pytest.mark.parametrize("kind", INSERTED)
def test_without_the_lines_that_came_in_the_file_is_the_clean_table(kind: str) -> None:
    for damaged in by_kind()[kind]:
        assert damaged.lines
        assert without_damaged_lines(damaged) == truth(damaged)
        assert damaged.rows == clean_table(damaged).rows
        assert not damaged.is_undecidable


@pytest.mark.parametrize("kind", SPOILT_ROWS)
def test_only_the_named_lines_are_spoilt(kind: str) -> None:
    for damaged in by_kind()[kind]:
        left, expected = without_damaged_lines(damaged), iter(truth(damaged))

        assert damaged.lines
        assert all(row in expected for row in left)  # in the same order
        assert len(left) >= len(truth(damaged)) - len(damaged.lines) - (kind == "two_rows_on_one_line")


@pytest.mark.parametrize(
    "kind", ["ragged_short_row", "cell_left_out", "extra_cell", "shifted_right_at_full_width", "two_rows_run_together"]
)
def test_a_row_that_nobody_can_restore_is_lost_at_its_place_in_the_clean_table(kind: str) -> None:
    for damaged in by_kind()[kind]:
        assert damaged.lost
        assert damaged.rows == tuple(row for at, row in enumerate(clean_table(damaged).rows) if at not in damaged.lost)


@pytest.mark.parametrize("kind", READABLE)
def test_the_csv_module_reads_the_truth_with_the_right_dialect(kind: str) -> None:
    for damaged in by_kind()[kind]:
        assert read(damaged.content.decode(), **READABLE[kind]) == truth(damaged)


@pytest.mark.parametrize("kind", ENCODINGS)
def test_the_right_encoding_gives_the_truth(kind: str) -> None:
    for damaged in by_kind()[kind]:
        assert read(damaged.content.decode(ENCODINGS[kind])) == truth(damaged)


@pytest.mark.parametrize("kind", ["latin1", "windows_1252", "windows_1250", "mixed_encodings"])
def test_the_wrong_encoding_is_not_utf8(kind: str) -> None:
    for damaged in by_kind()[kind]:
        with pytest.raises(UnicodeDecodeError):
            damaged.content.decode()


@pytest.mark.parametrize("kind", UNPACK)
def test_what_is_packed_is_the_clean_table(kind: str) -> None:
    for damaged in by_kind()[kind]:
        assert read(UNPACK[kind](damaged.content).decode()) == truth(damaged)


def test_a_zip_holds_one_table_or_is_undecidable() -> None:
    for kind, name in {"packed_by_zip": "table.csv", "zip_with_leftovers": "data/table.csv", "zip_with_two_tables": "a.csv"}.items():
        for damaged in by_kind()[kind]:
            with zipfile.ZipFile(io.BytesIO(damaged.content)) as archive:
                assert read(archive.read(name).decode()) == truth(damaged)
                tables = [entry for entry in archive.namelist() if entry.endswith(".csv") and "MACOSX" not in entry]
                assert damaged.is_undecidable == (len(tables) > 1)


def test_numbers_in_another_spelling_have_the_clean_cells_as_truth() -> None:
    spellings = {
        "decimal_commas": ";",
        "thousands_separators": ",",
        "thousands_points_and_decimal_commas": ";",
        "currency_signs": ",",
        "negatives_in_parentheses": ",",
    }
    for kind, delimiter in spellings.items():
        for damaged in by_kind()[kind]:
            assert damaged.rows == clean_table(damaged).rows
            assert read(damaged.content.decode(), delimiter=delimiter) != truth(damaged)


def test_a_missing_value_in_numbers_is_the_empty_text_at_each_named_line() -> None:
    for damaged in by_kind()["missing_as_question_mark"]:
        asked = [row for row in read(damaged.content.decode()) if "?" in row]

        assert asked
        assert all(tuple("" if cell == "?" else cell for cell in row) in damaged.rows for row in asked)


@pytest.mark.parametrize(
    "kind", ["percent_signs", "booleans_in_many_spellings", "dates_in_mixed_formats", "namibia", "mojibake", "mixed_currencies"]
)
def test_where_the_meaning_is_an_opinion_the_cells_stand(kind: str) -> None:
    for damaged in by_kind()[kind]:
        assert read(damaged.content.decode()) == truth(damaged)
        assert damaged.rows != clean_table(damaged).rows


def test_without_a_header_no_name_is_known_and_the_first_line_is_a_row() -> None:
    for damaged in by_kind()["no_header"]:
        assert set(damaged.header) == {""}
        assert read(damaged.content.decode()) == list(damaged.rows)


def test_without_a_table_only_a_refusal_is_right() -> None:
    for kind in ("html_error_page", "json_error", "xml_error", "pointer_of_git_lfs", "empty_file", "only_blank_lines", "random_bytes"):
        for damaged in by_kind()[kind]:
            assert damaged.is_undecidable
            assert damaged.header == damaged.rows == ()


def test_most_kinds_can_be_decided() -> None:
    undecidable = {damaged.kind for damaged in whole() if damaged.is_undecidable}

    assert len(undecidable) < 0.15 * len(KINDS)


def test_two_kinds_of_one_name_are_an_error() -> None:
    with pytest.raises(ValueError, match="two kinds are named clean"):
        add_kind("clean", KINDS["clean"])


def test_clean_tables_are_of_many_sorts() -> None:
    tables = {table.name: table for table in clean_tables(1)}

    assert len(tables) >= 12
    assert len(tables["wide"].header) == 60
    assert len(tables["trips"].rows) == 300
    assert len(tables["few"].rows) == 2
    assert tables["reading"].roles == ("number",)
    assert all(set(table.roles) & {"id", "integer", "number", "money"} for table in tables.values() if table.name != "words")
    assert sum(cell == "" for row in tables["sparse"].rows for cell in row) > len(tables["sparse"].rows)
    assert any(row[0].startswith("0") for row in tables["parts"].rows)


def test_a_checkout_of_csv_spectrum_becomes_files_with_their_truth(tmp_path: Path) -> None:
    for name, content, truth in (
        ("newlines.csv", 'a,b\n"x\ny",2\n', '[{"a": "x\\ny", "b": "2"}]'),
        (
            "location_coordinates.csv",
            "Contact Phone Number,Cities\n2095257564,Modesto",
            '{"Contact Phone Number": "123", "Cities": "Modesto"}',
        ),
    ):
        (tmp_path / "csvs").mkdir(exist_ok=True)
        (tmp_path / "json").mkdir(exist_ok=True)
        (tmp_path / "csvs" / name).write_text(content)
        (tmp_path / "json" / name).with_suffix(".json").write_text(truth)

    coordinates, newlines = known_spectrum(tmp_path)

    assert (newlines.kind, newlines.header, newlines.rows) == ("spectrum_newlines", ("a", "b"), (("x\ny", "2"),))
    assert coordinates.rows == (("2095257564", "Modesto"),)  # its JSON is known to be wrong


@pytest.mark.skipif(not SPECTRUM.is_dir(), reason="CSV_SPECTRUM names no checkout of csv-spectrum")
def test_csv_spectrum_says_in_json_what_the_csv_module_reads() -> None:
    files = known_spectrum(SPECTRUM)

    assert len(files) == 12
    for damaged in files:
        assert read(damaged.content.decode()) == truth(damaged), damaged.name
