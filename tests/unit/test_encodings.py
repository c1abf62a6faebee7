from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.errors import DataRefusedError
from tasks.core.reading.blob import Blob
from tasks.core.reading.encodings import Decoded, decode, wide_encoding

TEXT = "name,size\nAnn,1\nZoë,2\n"


def told_whole(decoded: Decoded) -> tuple[object, ...]:
    return decoded.text.whole(), decoded.encoding, decoded.repairs


def told(decoded: Decoded) -> list[tuple[str, tuple[int, ...]]]:
    return [(repair.code, repair.lines) for repair in decoded.repairs]


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
        (b"", "utf-8"),
        (b"", "utf-16-le"),
        (b"", "utf-16-be"),
    ],
)
def test_unicode_is_read_as_it_stands_with_and_without_a_mark(mark: bytes, encoding: str) -> None:
    assert told_whole(decode(Blob(mark + TEXT.encode(encoding)), "t.csv")) == (TEXT, encoding, ())


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("name\nKöln\nJürgen Straße\n", "cp1252"),
        ("name\n5 € voucher\n", "cp1252"),
        ("name\nKraków Główny\nŁódź\n", "cp1250"),
        ("name\n" + "Москва и область, улица\n" * 5, "cp1251"),
        ("name\n" + "東京都千代田区の住所です\n" * 5, "cp932"),
    ],
)
def test_a_code_page_is_found_and_told_with_its_lines(text: str, encoding: str) -> None:
    decoded = decode(Blob(text.encode(encoding)), "t.csv")
    assert (decoded.text.whole(), decoded.encoding) == (text, encoding)
    foreign = tuple(number for number, line in enumerate(text.splitlines(), start=1) if not line.isascii())
    assert told(decoded) == [("encoding", foreign)]
    assert decoded.repairs[0].detail == f"not UTF-8; read as {encoding}, which fits; another can be named with --read encoding="


def test_lines_of_two_encodings_are_each_read_as_what_they_are() -> None:
    decoded = decode(Blob(b"a\nZo\xc3\xab\nJ\xfcrgen\nb\n"), "t.csv")
    assert decoded.text.whole() == "a\nZoë\nJürgen\nb\n"
    assert told(decoded) == [("mixed_encodings", (3,))]


def test_a_guess_is_told_with_what_another_page_would_read() -> None:
    decoded = decode(Blob("name\nZoë\n".encode("cp1252")), "t.csv")
    assert decoded.text.whole() == "name\nZoë\n"
    assert decoded.repairs[0].detail == "not UTF-8; guessed cp1252; cp1257 would read 'ė' for 'ë'; --read encoding= decides"


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_a_file_that_ends_within_a_character_is_utf8_all_the_same(mark: bytes) -> None:
    decoded = decode(Blob(mark + TEXT.encode() + b"Bo\xc3"), "t.csv")
    assert (decoded.text.whole(), decoded.encoding, told(decoded)) == (TEXT + "Bo\ufffd", "utf-8", [("cut_off", (4,))])


def test_a_last_letter_is_no_half_character_where_nothing_else_is_utf8() -> None:
    assert decode(Blob(b"name\ncaf\xe9"), "t.csv").text.whole() == "name\ncafé"


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_a_mark_that_was_encoded_twice_is_taken_off_and_told(mark: bytes) -> None:
    decoded = decode(Blob(mark + "\u00ef\u00bb\u00bf".encode() + TEXT.encode()), "t.csv")
    assert (decoded.text.whole(), told(decoded)) == (TEXT, [("mojibake", (1,))])


@pytest.mark.parametrize("given", [None, "cp1252"])
def test_a_mark_before_bytes_that_are_not_utf8_is_no_dead_end(given: str | None) -> None:
    decoded = decode(Blob(codecs.BOM_UTF8 + TEXT.encode("cp1252")), "t.csv", given)
    assert decoded.text.whole() == TEXT


def test_mojibake_is_told_and_kept() -> None:
    text = "name\nZoÃ«\nAnn\nitâ€™s\n"
    decoded = decode(Blob(text.encode()), "t.csv")
    assert decoded.text.whole() == text
    assert told(decoded) == [("mojibake", (2, 4))]


@pytest.mark.parametrize(
    ("sign", "code"),
    [("\0", "nul_bytes"), ("\x0b", "control_characters"), ("\x0c", "control_characters"), ("\u200b", "invisible_characters")],
)
def test_what_nobody_sees_is_taken_out(sign: str, code: str) -> None:
    decoded = decode(Blob(f"a\nb{sign}{sign}\nc\n{sign}d\n".encode()), "t.csv")
    assert decoded.text.whole() == "a\nb\nc\nd\n"
    assert told(decoded) == [(code, (2, 4))]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x1e", "\x0b"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_by_line_ends_alone(separator: str, end: str) -> None:
    decoded = decode(Blob(f"a{separator}{end}b{separator}c{end}d\0{end}".encode()), "t.csv")
    assert ("nul_bytes", (3,)) in told(decoded)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_given_encoding_that_does_not_fit_is_refused_at_its_line(end: str) -> None:
    with pytest.raises(DataRefusedError) as refused:
        decode(Blob(f"a,b{end}1,x{end}".encode() + b"2,\xff\n"), "t.csv", "utf-8")
    assert refused.value.message == "t.csv, line 3: byte 0xff is not UTF-8; name another encoding, such as --read encoding=cp1252"


def test_a_given_encoding_goes_before_what_fits() -> None:
    assert told_whole(decode(Blob(b"\xe9"), "t.csv", "cp1251")) == ("й", "cp1251", ())


@pytest.mark.parametrize("written", ["utf-16-le", "utf-16-be", "utf-16"])
def test_a_file_that_is_said_to_be_utf16_need_not_have_a_mark(written: str) -> None:
    decoded = decode(Blob(TEXT.encode(written)), "t.csv", "utf-16")
    assert (decoded.text.whole(), decoded.repairs) == (TEXT, ())


def test_a_file_with_half_a_character_of_utf16_is_refused() -> None:
    with pytest.raises(DataRefusedError, match=r"^t.csv, line 1: byte 0x21 is not UTF-16-LE; name another encoding"):
        decode(Blob(b"a,b\n1,x\n!"), "t.csv", "utf-16")


def test_a_mark_goes_before_what_is_said_and_is_told() -> None:
    decoded = decode(Blob(codecs.BOM_UTF8 + TEXT.encode()), "t.csv", "cp1252")
    assert (decoded.text.whole(), told(decoded)) == (TEXT, [("encoding", (1,))])
    assert decoded.repairs[0].detail == "begins with the mark of utf-8; read as that, not as cp1252"


def test_zeros_in_both_halves_are_no_utf16() -> None:
    assert wide_encoding(b"a\0b\0") == "utf-16-le"
    assert wide_encoding(b"\0a\0b") == "utf-16-be"
    assert wide_encoding(b"a\0\0b") == ""
    assert wide_encoding(b"") == ""


@given(st.binary(max_size=100))
def test_any_bytes_become_text_without_anything_invisible_or_are_refused(data: bytes) -> None:
    try:
        decoded = decode(Blob(data), "t.csv")
    except DataRefusedError:
        return
    assert "\0" not in decoded.text.whole()
    assert all(list(repair.lines) == sorted(set(repair.lines)) and repair.lines for repair in decoded.repairs)


@pytest.mark.parametrize("mark", ["\x1c", "\x1d", "\x1e", "\x1f"])
def test_the_separators_of_ascii_stay_where_they_part_cells(mark: str) -> None:
    text = TEXT.replace(",", mark) + "Bob 3\n" + 20 * f"Eve{mark}4\n"
    assert told_whole(decode(Blob(text.encode()), "t.csv")) == (text, "utf-8", ())
    assert told(decode(Blob(f"{text}a\x02b{mark}4\n".encode()), "t.csv")) == [("control_characters", (25,))]
    assert told(decode(Blob(f"a,b\n1{mark},2\n3,4\n".encode()), "t.csv")) == [("control_characters", (2,))]


def test_colours_of_a_terminal_are_taken_out_whole() -> None:
    decoded = decode(Blob(b"a,b\n\x1b[1;32m1\x1b[0m,2\n"), "t.csv")
    assert (decoded.text.whole(), told(decoded)) == ("a,b\n1,2\n", [("control_characters", (2,))])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf16_below_other_text_is_read_as_that_and_told(encoding: str) -> None:
    decoded = decode(Blob(TEXT.encode() + "Łódź,3\nBob,4\n".encode(encoding)), "t.csv")
    assert (decoded.text.whole(), told(decoded)) == (f"{TEXT}Łódź,3\nBob,4\n", [("mixed_encodings", (4,))])


def test_much_utf16_below_one_line_does_not_make_that_line_utf16() -> None:
    decoded = decode(Blob(b"na\xefve,size\n" + (50 * TEXT).encode("utf-16-le")), "t.csv")
    assert decoded.text.whole() == "naïve,size\n" + 50 * TEXT
    assert decode(Blob("Имя\nАнна\n12345678901234\n".encode("utf-16-le")), "t.csv").encoding == "utf-16-le"


def test_utf16_below_other_text_that_ends_within_a_character_is_refused() -> None:
    with pytest.raises(DataRefusedError, match=r"^t.csv, line 4: from here on the text is UTF-16-LE, but not to its end; split"):
        decode(Blob(TEXT.encode() + "Łódź,3\nBob,4\n".encode("utf-16-le") + b"x"), "t.csv")
