from __future__ import annotations

import bz2
import gzip
import http.server
import io
import json
import lzma
import math
import os
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import fsspec
import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.adapters.sources import load, split_columns
from tasks.core.errors import DataRefusedError, EvergreenError, UsageError
from tasks.core.reading import blob, reader, texts
from tasks.core.reading.terms import ReadingOptions, Repair
from tests.receivers import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tasks.core.formats.source import Content

ROOT = Path(__file__).parents[2]
MIB = 2**20
CSV = b"a,b\n1,x\n2,y\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def one(source: str, **options: str) -> Content:
    (content,) = load(source, ReadingOptions.model_validate(options))
    return content


def read(content: bytes, name: str = "t.csv", **options: str) -> Content:
    Path(name).write_bytes(content)
    return one(name, **options)


def refusal(source: str, kind: type[EvergreenError] = DataRefusedError, **options: str) -> str:
    with pytest.raises(EvergreenError) as refused:
        load(source, ReadingOptions.model_validate(options))
    assert type(refused.value) is kind, refused.value.message
    assert "\n" not in refused.value.message
    return refused.value.message


def refused_bytes(content: bytes, name: str = "t.csv") -> str:
    Path(name).write_bytes(content)
    return refusal(name)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def grid(content: Content) -> tuple[tuple[str, ...], ...]:
    assert content.sheet is not None
    return tuple(content.sheet)


def cells(frame: pd.DataFrame | None) -> list[list[object]]:
    assert frame is not None
    assert {str(dtype) for dtype in frame.dtypes} <= {"float64", "str", "datetime64[us]"}
    return [[None if pd.isna(cell) else cell for cell in row] for row in frame.itertuples(index=False)]


# ------------------------------------------------------------------------------------------------------------------- text


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.txt", "t", ".csv", "T.CSV", "t.dat"])
def test_text_is_handed_on_untouched_whatever_its_name(here: Path, name: str) -> None:
    content = read(CSV, name)
    assert (content.source, content.format, content.compression, content.data.whole(), content.note) == (name, "text", "", CSV, "")


@pytest.mark.parametrize(
    "text",
    [
        "a;ü\n1;é\n".encode("cp1252"),
        "a,b\n1,ü\n".encode("utf-16"),
        "a,b\n1,ü\n".encode("utf-16-le"),
        "\ufeffa,b\n1,ü\n".encode(),
        b"a,b\n1,x\0y\n2,\x01\n",
        b"<DATE>\t<OPEN>\n2024-01-01\t5\n",
        b"<5,x\n>9,y\n",
        b"{1},b\n1,2\n",
        b"[a],[b]\n1,2\n",
        b"PAR1,PAR2\n1,2\n",
        b"PAR1\n1\n",
        b"FEA1,FEA2\n1,2\n",
        b"ORC,b\n1,2\n",
        b"BZh9,b\n1,2\n",
        b"PK,b\n1,2\n",
        b"404: Not Found,b\n1,2\n",
    ],
)
def test_text_that_resembles_something_else_is_text(here: Path, text: bytes) -> None:
    content = read(text)
    assert (content.format, content.data.whole()) == ("text", text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "t.csv is empty"),
        (b"\xef\xbb\xbf", "t.csv is empty"),
        (b"\xff\xfe", "t.csv is empty"),
        (b"\n \r\n\n", "t.csv holds nothing but blanks or NUL bytes"),
        (b"\0" * 10_000, "t.csv holds nothing but blanks or NUL bytes"),
        (
            b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head>",
            "t.csv is an HTML page ('404 Not Found'), not a table; fetch the file itself",
        ),
        (b"\xef\xbb\xbf  <HTML><body>x", "t.csv is an HTML page, not a table; fetch the file itself"),
        ("<html>".encode("utf-16"), "t.csv is an HTML page, not a table; fetch the file itself"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "t.csv is XML or HTML, not a table; export the table as CSV"),
        (b"<table><tr><td>1</td></tr></table>\n", "t.csv is XML or HTML, not a table; export the table as CSV"),
        (b"404: Not Found", "t.csv is an error message, not a table; fetch it again"),
        (b"503 Service Unavailable\n", "t.csv is an error message, not a table; fetch it again"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
            "t.csv is a Git LFS pointer, not the file it stands for; run: git lfs pull",
        ),
        (b"%PDF-1.7\n%\xe2\xe3", "t.csv is a PDF document; export the table as CSV"),
        (b"SQLite format 3\0\x10\0", "t.csv is an SQLite database; name it as sqlite:///t.csv with --read query='SELECT ...'"),
        (b"ARROW1\0\0\xff\xff", "t.csv is an Arrow (Feather) file; write the table as Parquet"),
        (b"FEA1\0\0\0\0FEA1", "t.csv is an Arrow (Feather) file; write the table as Parquet"),
        (b"PARE\x15\x04", "t.csv is an encrypted Parquet file; write it without encryption"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "Workbook".encode("utf-16-le"),
            "t.csv is an old Excel (.xls) or other Office file; save the sheet as .xlsx or CSV, or run: "
            "libreoffice --headless --convert-to xlsx t.csv",
        ),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le"),
            "t.csv is a password-protected Excel file; save it without a password",
        ),
        (b"\x80\x04\x95\x10", "t.csv is a pickle, which may run code when it is opened; write the table as Parquet"),
        (b"\x89PNG\r\n\x1a\n", "t.csv is an image; name a table"),
        (b"7z\xbc\xaf\x27\x1c\0", "t.csv is a 7z or RAR archive; unpack it and name the file"),
        (b"t.csv" + bytes(252) + b"ustar\x0000", "t.csv is a tar archive; unpack it and name the folder"),
        (bytes(range(256)) * 8, "t.csv is binary data of a format that is not known; give a text file, Parquet or Excel"),
    ],
)
def test_what_is_no_table_is_refused_in_one_sentence(here: Path, content: bytes, message: str) -> None:
    assert refused_bytes(content) == message


def test_a_named_encoding_says_that_bytes_are_text(here: Path) -> None:
    text = bytes(range(256)) * 8
    assert read(text, encoding="cp037").data.whole() == text


@pytest.mark.parametrize("option", [{"sheet": "x"}, {"query": "SELECT 1"}])
def test_an_option_of_another_format_is_refused(here: Path, option: dict[str, str]) -> None:
    Path("t.csv").write_bytes(CSV)
    expected = {
        "sheet": "--read sheet is for Excel files; t.csv is none",
        "query": "--read query is for databases, such as sqlite:///t.csv",
    }
    assert refusal("t.csv", UsageError, **option) == expected[next(iter(option))]


# ------------------------------------------------------------------------------------------------------------- compressed


def zipped(**entries: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


def zstd(content: bytes) -> bytes:
    return pa.compress(content, codec="zstd", asbytes=True)


PACK = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstd, "zip": lambda content: zipped(**{"t.csv": content})}


@pytest.mark.parametrize("kind", PACK)
def test_a_compressed_file_is_unpacked(here: Path, kind: str) -> None:
    content = read(PACK[kind](CSV), f"t.csv.{kind}")
    assert (content.format, content.compression, content.data.whole(), content.note) == ("text", kind, CSV, "")


@pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zst"])
def test_archives_of_several_parts_are_read_to_the_end(here: Path, kind: str) -> None:
    assert read(PACK[kind](CSV) + PACK[kind](b"3,z\n"), f"t.csv.{kind}").data.whole() == CSV + b"3,z\n"


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_archive_is_refused(here: Path, kind: str, damage: str) -> None:
    text = "".join(f"{i},{random.Random(i).random()}\n" for i in range(2000)).encode()
    packed = PACK[kind](text)
    if damage == "flipped" and kind == "zst":  # frames without a checksum cannot tell; break the structure
        packed = packed[:4] + b"\xff" * 8 + packed[12:]
    middle = len(packed) // 2
    packed = packed[:middle] if damage == "cut" else packed[:middle] + bytes([packed[middle] ^ 0xFF]) + packed[middle + 1 :]
    message = refused_bytes(packed, f"t.csv.{kind}")
    assert re.fullmatch(rf"t\.csv\.{kind} is damaged or cut off, and cannot be unpacked \({kind}: .+\); fetch it again", message)


def test_a_zip_holds_exactly_one_table(here: Path) -> None:
    mac = {"__MACOSX/._t.csv": b"x", ".DS_Store": b"x", "folder/": b""}
    assert read(zipped(**mac, **{"folder/t.csv": CSV}), "t.zip").data.whole() == CSV
    assert refused_bytes(zipped(**mac), "t.zip") == "t.zip is a zip archive without a file in it"
    two = zipped(**{"b.csv": CSV, "a.csv": CSV}, **mac)
    assert refused_bytes(two, "t.zip") == "t.zip holds 2 files (b.csv, a.csv); unpack it and name one, or the folder"


def test_an_encrypted_zip_is_refused(here: Path) -> None:
    packed = bytearray(zipped(**{"t.csv": CSV}))
    packed[6] |= 1
    packed[packed.index(b"PK\x01\x02") + 8] |= 1
    assert refused_bytes(bytes(packed), "t.zip") == "t.zip is protected by a password; unpack it and name 't.csv'"


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("xl/workbook.bin", "t.zip is a spreadsheet, but not .xlsx; save the sheet as .xlsx or CSV"),
        ("[Content_Types].xml", "t.zip is an Office document, not a table; save the table as .xlsx or CSV"),
    ],
)
def test_other_office_files_are_refused(here: Path, entry: str, message: str) -> None:
    assert refused_bytes(zipped(**{entry: b"x"}), "t.zip") == message


def test_an_archive_in_an_archive_is_refused(here: Path) -> None:
    message = "t.gz holds an archive in an archive (bz2 in gz); unpack it and name the table in it"
    assert refused_bytes(gzip.compress(bz2.compress(CSV)), "t.gz") == message


def test_what_an_archive_holds_is_looked_at(here: Path) -> None:
    assert refused_bytes(gzip.compress(b""), "t.gz") == "t.gz is empty"
    assert refused_bytes(gzip.compress(b"<html>"), "t.gz") == "t.gz is an HTML page, not a table; fetch the file itself"


def test_a_small_file_may_shrink_a_thousandfold(here: Path) -> None:
    text = b"a,b\n" + b"0,0\n" * 200_000
    packed = lzma.compress(text)
    assert len(text) > 100 * len(packed)
    assert read(packed, "t.xz").data.whole() == text


def bomb(kind: str) -> bytes:
    """Give an archive of about a MB that unpacks to many GB, without ever having packed them."""
    zeros = bytes(16 * MIB)
    if kind == "zip":
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        block = deflate.compress(zeros) + deflate.flush(zlib.Z_FULL_FLUSH)
        return zip_of(block * (2 * MIB // len(block)), 10 * 2**30)
    member = PACK[kind](zeros)
    return member * math.ceil(MIB / len(member))


def zip_of(deflated: bytes, size: int) -> bytes:
    """Write a zip archive around a stream that is already packed."""
    sizes = min(size, 0xFFFFFFFE)
    head = b"\x14\0\0\0\x08\0\0\0\0\0" + bytes(4) + len(deflated).to_bytes(4, "little") + sizes.to_bytes(4, "little") + b"\x05\0\0\0"
    central = b"PK\x01\x02\x14\0" + head + bytes(14) + b"t.csv"
    local = b"PK\x03\x04" + head + b"t.csv" + deflated
    end = b"PK\x05\x06" + bytes(4) + b"\1\0\1\0" + len(central).to_bytes(4, "little") + len(local).to_bytes(4, "little") + bytes(2)
    return local + central + end


MEASURE = """
import resource, sys, time
import pandas, pyarrow
from tasks.adapters.sources import load, split_columns
from tasks.core.errors import DataRefusedError
from tasks.core.reading.terms import ReadingOptions, Repair
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for source in sys.argv[1:]:
    start = time.monotonic()
    try:
        load(source, ReadingOptions())
    except DataRefusedError as refused:
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        print(round(time.monotonic() - start, 2), round(grown), refused.message, sep="|")
"""


def test_an_archive_bomb_is_refused_within_seconds_and_without_memory(here: Path) -> None:
    names = [f"bomb.{kind}" for kind in PACK]
    for name in names:
        Path(name).write_bytes(bomb(name.partition(".")[2]))
    answer = subprocess.run(
        [sys.executable, "-c", MEASURE, *names], env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    measured = [line.split("|") for line in answer.stdout.splitlines()]
    assert [message.split()[0] for *_, message in measured] == names, answer.stderr
    for seconds, grown_mib, message in measured:
        assert re.fullmatch(
            r"bomb\.\w+ unpacks to more than \d+ MiB, far more than its size; if you trust it, unpack it and name the file", message
        )
        assert float(seconds) < 5
        assert int(grown_mib) < 100


# ---------------------------------------------------------------------------------------------------------- lying names


def test_a_lying_extension_is_read_by_its_content_and_told(here: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), "t.csv")
    told = one("t.csv")
    assert (told.format, told.note) == ("parquet", "is named .csv but holds a Parquet file; it was read as that")
    assert [(repair.code, repair.detail) for repair in told.repairs] == [("lying_extension", told.note)]
    assert read(CSV, "t.parquet").note == "is named .parquet but holds text; it was read as that"
    assert read(CSV, "t.xls").note == "is named .xls but holds text; it was read as that"
    assert read(CSV, "t.csv.gz").note == "is named .gz but is not compressed"
    assert read(bz2.compress(CSV), "t.csv.gz").note == "is named .gz but is compressed with bz2"
    assert read(gzip.compress(CSV), "t.json.gz").note == "is named .json but holds text; it was read as that"
    assert read(workbook([["a"], [1]]), "t.csv").note == "is named .csv but holds an Excel workbook; it was read as that"
    assert read(b'{"a": 1}\n', "t.csv").note == "is named .csv but holds JSON; it was read as that"


# ---------------------------------------------------------------------------------------------------------------- files


def append(path: Path) -> None:
    with path.open("a") as file:
        file.write("1,2\n")


def replace(path: Path) -> None:
    Path("new.csv").write_text(path.read_text())
    Path("new.csv").replace(path)


def shrink(path: Path) -> None:
    os.truncate(path, 8)


@pytest.mark.parametrize("first", ["read", "changed"])
@pytest.mark.parametrize("change", [append, replace, shrink, Path.unlink])
def test_a_file_that_changes_while_it_is_read_is_refused(
    here: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object], first: str
) -> None:
    path, read_really = Path("t.csv"), blob.OpenFile.read
    path.write_text("a,b\n1,2\n3,4\n")

    def read(file: blob.OpenFile, at: int, size: int) -> bytes:
        if first == "changed":
            change(path)
        content = read_really(file, at, size)
        if first == "read":
            change(path)
        return content

    monkeypatch.setattr(blob.OpenFile, "read", read)
    if change is Path.unlink:
        assert refusal("t.csv", UsageError) == "there is no file 't.csv'; name a table, or sklearn:diabetes to try"
    else:
        assert refusal("t.csv") == "t.csv changed while it was read; try again when it is complete"


def rewrite_and_restore_the_time(path: Path) -> None:
    before = path.stat()
    path.write_text("a,b\n1,2\n3,5\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("change", [lambda path: path.write_text("a,b\n3,4\n"), rewrite_and_restore_the_time, lambda path: path.unlink()])
def test_a_file_that_does_not_fit_into_memory_is_refused_where_it_has_changed_at_the_end(
    here: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object]
) -> None:
    monkeypatch.setattr(blob, "HELD_BYTES", 0)
    Path("t.csv").write_text("a,b\n1,2\n3,4\n")
    contents = load("t.csv", ReadingOptions())
    assert reader.read(contents, ReadingOptions(), split_columns).table.df["b"].tolist() == [2, 4]
    change(Path("t.csv"))
    with pytest.raises(EvergreenError, match=r"changed while it was read|there is no file"):
        reader.read(contents, ReadingOptions(), split_columns)


@pytest.mark.parametrize("packed", ["", "gz", "bz2", "xz", "zst", "zip"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_nothing_changes_where_nothing_is_held_in_memory(here: Path, monkeypatch: pytest.MonkeyPatch, packed: str, encoding: str) -> None:
    text = "size,kind,when\n" + "".join(f'{n}.5,"é, {n % 3}",2024-01-{n % 28 + 1:02d}\n' for n in range(2000)) + "3\n"
    content, name = text.encode(encoding), f"t.csv.{packed}".rstrip(".")
    Path(name).write_bytes(PACK[packed](content) if packed else content)

    def outcome() -> tuple[object, ...]:
        reading = reader.read(load(name, ReadingOptions()), ReadingOptions(), split_columns)
        frames = pd.concat(reading.table.frames(), ignore_index=True)
        return frames.to_dict("list"), reading.table.lines.tolist(), reading.repairs, reading.aside, reading.dialect

    held = outcome()
    monkeypatch.setattr(blob, "HELD_BYTES", 0)
    monkeypatch.setattr(texts, "BLOCK_BYTES", 5000)
    assert outcome() == held


def test_a_missing_file_gets_the_closest_name_in_its_folder(here: Path) -> None:
    (here / "data").mkdir()
    (here / "data" / "adult.csv").write_text("a\n1\n")
    assert refusal("data/audlt.csv", UsageError) == "there is no file 'data/audlt.csv'; did you mean 'data/adult.csv'?"
    assert refusal("data/zzz.csv", UsageError) == "there is no file 'data/zzz.csv'; name a table, or sklearn:diabetes to try"
    assert refusal("date/adult.csv", UsageError) == "there is no file 'date/adult.csv', and no folder 'date'"


def test_what_is_no_regular_file_is_refused_without_waiting(here: Path) -> None:
    os.mkfifo("pipe.csv")
    Path("dangling.csv").symlink_to("gone.csv")
    Path("loop.csv").symlink_to("loop.csv")
    Path("zero.csv").symlink_to("/dev/zero")
    started = time.monotonic()
    assert refusal("pipe.csv", UsageError) == "'pipe.csv' is a pipe, socket or device, not a file; name a file"
    assert refusal("zero.csv", UsageError) == "'zero.csv' is a pipe, socket or device, not a file; name a file"
    assert refusal("dangling.csv", UsageError) == "'dangling.csv' is a link to 'gone.csv', which does not exist"
    assert refusal("loop.csv", UsageError) == "'loop.csv' cannot be read: too many levels of symbolic links"
    assert refusal("nul\0.csv", UsageError) == "'nul\\x00.csv' cannot be read: embedded null byte"
    assert refusal("x" * 300, UsageError) == f"'{'x' * 300}' cannot be read: file name too long"
    assert time.monotonic() - started < 1


def test_a_file_without_permission_is_refused(here: Path) -> None:
    Path("t.csv").write_bytes(CSV)
    Path("t.csv").chmod(0)
    here.chmod(0o755)
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)  # root may read everything
    try:
        assert refusal("t.csv", UsageError) == "'t.csv' cannot be read: permission denied"
    finally:
        os.seteuid(me)


def test_a_file_beyond_what_is_read_is_refused(here: Path) -> None:
    with Path("t.csv").open("wb") as file:
        file.truncate(9 * 2**30)
    assert refusal("t.csv") == "t.csv has 9.0 GiB, more than the 8 GiB that are read; split it"


# -------------------------------------------------------------------------------------------------------- folders, globs


def test_a_folder_gives_one_content_a_file_in_the_order_of_names(here: Path) -> None:
    Path("parts").mkdir()
    for name in ("b.csv", "a.csv", "_SUCCESS", ".b.csv.crc", ".DS_Store"):
        Path("parts", name).write_bytes(CSV)
    Path("parts/.cache").mkdir()
    assert [content.source for content in load("parts", ReadingOptions())] == ["parts/a.csv", "parts/b.csv"]


def test_a_glob_gives_its_files(here: Path) -> None:
    Path("y/2024").mkdir(parents=True)
    Path("y/2024/b.csv.gz").write_bytes(gzip.compress(CSV))
    Path("y/a.csv").write_bytes(CSV)
    Path("y/a[1].csv").write_bytes(CSV)
    assert [content.source for content in load("y/**/*.csv*", ReadingOptions())] == ["y/2024/b.csv.gz", "y/a.csv", "y/a[1].csv"]
    assert one("y/a[1].csv").source == "y/a[1].csv"
    assert one(f"{here}/y/a.c?v").data.whole() == CSV
    assert refusal("y/*.tsv", UsageError) == "'y/*.tsv' matches no file"


def test_a_folder_that_is_no_table_is_refused(here: Path) -> None:
    Path("d").mkdir()
    assert refusal("d", UsageError) == "'d' is a folder without files"
    Path("d/_SUCCESS").touch()
    assert refusal("d", UsageError) == "'d' is a folder without files"
    Path("d/a.csv").write_bytes(CSV)
    Path("d/b.jsonl").write_bytes(b'{"a": 1}\n')
    assert refusal("d") == "'d' holds files of several formats: 'd/a.csv' is text, 'd/b.jsonl' jsonl; keep one"
    Path("d/b.jsonl").write_bytes(b"")
    assert refusal("d") == "d/b.jsonl is empty"
    Path("d/year=2024").mkdir()
    assert refusal("d", UsageError) == "'d' holds folders (year=2024); name one, or a glob such as 'd/**/*.csv'"
    Path("d/_delta_log").mkdir()
    assert refusal("d") == "d is a Delta table, whose files are not simply its rows; write the rows to a Parquet file"


# ------------------------------------------------------------------------------------------------------------------ URLs


def test_a_file_url_is_the_file(here: Path) -> None:
    Path("t.csv").write_bytes(CSV)
    assert one(f"file://{here}/t.csv").data.whole() == CSV
    assert refusal("file:///nowhere/t.csv", UsageError) == "there is no file '/nowhere/t.csv', and no folder '/nowhere'"


def test_remote_files_folders_and_globs_are_read() -> None:
    fs = fsspec.filesystem("memory")
    fs.pipe(
        {"/sources/parts/b.csv": CSV, "/sources/parts/a.csv": gzip.compress(CSV), "/sources/parts/_SUCCESS": b"", "/sources/empty.csv": b""}
    )
    try:
        assert one("memory://sources/parts/b.csv").data.whole() == CSV
        expected = [("memory:///sources/parts/a.csv", "gz"), ("memory:///sources/parts/b.csv", "")]
        for source in ("memory://sources/parts", "memory://sources/parts/*.csv"):
            assert [(content.source, content.compression) for content in load(source, ReadingOptions())] == expected
        assert refusal("memory://sources/empty.csv") == "memory://sources/empty.csv is empty"
        assert refusal("memory://sources/gone.csv", UsageError) == "there is no file 'memory://sources/gone.csv'"
        assert refusal("memory://sources/*.tsv", UsageError) == "'memory://sources/*.tsv' matches no file"
    finally:
        fs.rm("/sources", recursive=True)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = self.path.startswith("/t.csv")
        self.send_response(200 if found else 500 if "broken" in self.path else 404)
        self.send_header("Content-Length", str(len(CSV) if found else 0))
        self.end_headers()
        self.wfile.write(CSV if found and self.command == "GET" else b"")

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield f"127.0.0.1:{port}"


def test_a_file_behind_http_is_read_and_secrets_in_its_url_are_not_shown(server: str) -> None:
    assert one(f"http://{server}/t.csv").data.whole() == CSV
    content = one(f"http://ann:geheim@{server}/t.csv?token=geheim")
    assert (content.source, content.data.whole()) == (f"http://***@{server}/t.csv?***", CSV)
    assert refusal(f"http://{server}/gone.csv?token=geheim", UsageError) == f"there is no file 'http://{server}/gone.csv?***'"
    message = refusal(f"http://{server}/broken.csv?token=geheim", UsageError)
    assert message == f"'http://{server}/broken.csv?***' cannot be read: the server answers 500"
    message = refusal("http://ann:geheim@127.0.0.1:1/t.csv", UsageError)
    assert message.startswith("'http://***@127.0.0.1:1/t.csv' cannot be read: Cannot connect to host")


@pytest.mark.parametrize(("url", "package", "extra"), [("s3://b/t.csv", "s3fs", "s3"), ("gs://b/t.csv", "gcsfs", "gcs")])
def test_a_url_that_needs_a_package_names_it(url: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    scheme = url.partition(":")[0]
    expected = (
        f"{scheme}:// URLs need a package that is not installed: pip install 'evergreen-modelops[{extra}]', or: pip install {package}"
    )
    assert refusal(url, UsageError) == expected


def test_an_unknown_kind_of_url_gets_the_closest_one() -> None:
    message = refusal("postgres://ann:geheim@h/d", UsageError)
    assert message.startswith("there is no kind of URL 'postgres://'; did you mean 'postgresql://'? (available: file://, gcs://, gs://,")
    assert "geheim" not in message


# ---------------------------------------------------------------------------------------------------------------- tables


@pytest.mark.parametrize(
    ("name", "shape", "targets"),
    [
        ("iris", (150, 5), {"setosa", "versicolor", "virginica"}),
        ("wine", (178, 14), None),
        ("breast_cancer", (569, 31), {"malignant", "benign"}),
        ("digits", (1797, 65), set("0123456789")),
    ],
)
def test_bundled_tables_have_class_names_as_their_target(name: str, shape: tuple[int, int], targets: set[str] | None) -> None:
    content = one(f"sklearn:{name}")
    assert content.format == "bundled"
    df = content.table.df
    assert df is not None
    assert df.shape == shape
    assert df.columns[-1] == "target"
    assert {str(dtype) for dtype in df.dtypes[:-1]} == {"float64"}
    assert df["target"].dtype == "str"
    assert targets is None or set(df["target"]) == targets


def test_diabetes_is_given_in_units_that_people_read() -> None:
    df = one("sklearn:diabetes").table.df
    assert df is not None
    assert df["age"].iloc[0] == 59.0
    assert df["target"].iloc[:2].tolist() == [151.0, 75.0]


def test_an_unknown_bundled_table_gets_the_closest_name() -> None:
    assert refusal("sklearn:diabetis", UsageError) == (
        "there is no bundled table 'diabetis'; did you mean 'diabetes'? (available: breast_cancer, diabetes, digits, iris, wine)"
    )
    assert refusal("sklearn:linnerud", UsageError) == (
        "'sklearn:linnerud' has three targets, and a model here has one; take one of breast_cancer, diabetes, digits, iris, wine"
    )


# --------------------------------------------------------------------------------------------------------------- parquet


def parquet(**columns: pa.Array) -> str:
    pq.write_table(pa.table(columns), "t.parquet")
    return "t.parquet"


def test_parquet_types_become_the_three_of_a_table(here: Path) -> None:
    berlin = timezone(timedelta(hours=2))
    source = parquet(
        whole=pa.array([1, None, 2**53]),
        small=pa.array([1, 2, 255], pa.uint8()),
        single=pa.array([0.1, None, float("nan")], pa.float32()),
        flag=pa.array([True, None, False]),
        word=pa.array(["a", "", None]),
        kind=pa.array(["p", "q", None]).dictionary_encode(),
        level=pa.array([3, 4, None]).dictionary_encode(),
        money=pa.array([Decimal("1.10"), None, Decimal("-99999.99")]),
        day=pa.array([date(2024, 2, 29), None, date(1, 1, 1)]),
        moment=pa.array([np.datetime64("2024-01-01T12:30:00.000005000"), None, None], pa.timestamp("ns")),
        zoned=pa.array(
            [datetime(2024, 7, 1, 12, tzinfo=berlin), datetime(2024, 7, 1, 12, tzinfo=UTC), None], pa.timestamp("ms", "Europe/Berlin")
        ),
        nothing=pa.nulls(3),
    )
    df = one(source).table.df
    assert df is not None
    assert df.index.equals(pd.RangeIndex(3))
    assert {name: str(dtype) for name, dtype in df.dtypes.items()} == {
        **dict.fromkeys(("whole", "small", "single", "level", "money", "nothing"), "float64"),
        **dict.fromkeys(("flag", "word", "kind"), "str"),
        **dict.fromkeys(("day", "moment", "zoned"), "datetime64[us]"),
    }
    got = {name: [None if pd.isna(value) else value for value in df[name]] for name in df.columns}
    assert got == {
        "whole": [1.0, None, 2.0**53],
        "small": [1.0, 2.0, 255.0],
        "single": [float(np.float32(0.1)), None, None],
        "flag": ["true", None, "false"],
        "word": ["a", None, None],
        "kind": ["p", "q", None],
        "level": [3.0, 4.0, None],
        "money": [1.1, None, -99999.99],
        "day": [pd.Timestamp("2024-02-29"), None, pd.Timestamp("0001-01-01")],
        "moment": [pd.Timestamp("2024-01-01 12:30:00.000005"), None, None],
        "zoned": [pd.Timestamp("2024-07-01 10:00"), pd.Timestamp("2024-07-01 12:00"), None],
        "nothing": [None, None, None],
    }


def test_parquet_integers_that_a_number_cannot_hold_become_text(here: Path) -> None:
    source = parquet(a=pa.array([2**53 + 1, None, 1]), b=pa.array([2**64 - 1, 0, 1], pa.uint64()))
    assert cells(one(source).table.df) == [["9007199254740993", "18446744073709551615"], [None, "0"], ["1", "1"]]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([1.0, float("inf")]), "t.parquet, column 'c', row 2 is infinite; write a number, or leave the cell empty"),
        (
            pa.array([Decimal("1.5"), Decimal("0.12345678901234567890")]),
            "t.parquet, column 'c', row 2 0.12345678901234567890 has more digits than a number holds; store it as text or as double",
        ),
        (
            pa.array([[1], [2]]),
            "t.parquet, column 'c' is of type list<element: int64>; numbers, text, booleans, dates and times can be read",
        ),
        (pa.array([{"x": 1}]), "t.parquet, column 'c' is of type struct<x: int64>; numbers, text, booleans, dates and times can be read"),
        (pa.array([b"x"]), "t.parquet, column 'c' is of type binary; numbers, text, booleans, dates and times can be read"),
        (
            pa.array([1], pa.time32("s")),
            "t.parquet, column 'c' is of type time32[ms]; numbers, text, booleans, dates and times can be read",
        ),
        (pa.array([1], pa.timestamp("ns")), "t.parquet, column 'c' cannot be read exactly (Casting from timestamp[ns] to timestamp[us]"),
    ],
)
def test_what_a_table_cannot_hold_exactly_is_refused(here: Path, column: pa.Array, message: str) -> None:
    assert message in refusal(parquet(c=column))


def test_parquet_columns_have_names_of_their_own_and_may_have_no_rows(here: Path) -> None:
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), "t.parquet")
    assert refusal("t.parquet") == "t.parquet has two columns called 'a'; rename one"
    assert cells(one(parquet(a=pa.array([], pa.int64()))).table.df) == []


def test_a_pandas_index_is_not_taken_for_the_last_column(here: Path) -> None:
    df = pd.DataFrame({"x": [1.0, 2.0], "y": ["a", "b"]}, index=pd.Index([10, 20], name="id"))
    df.to_parquet("t.parquet")
    assert refusal("t.parquet") == "t.parquet holds a pandas index as column 'id'; write it with index=False"
    df.reset_index(drop=True).to_parquet("t.parquet")
    assert cells(one("t.parquet").table.df) == [[1.0, "a"], [2.0, "b"]]


def test_a_damaged_parquet_file_is_refused(here: Path) -> None:
    content = Path(parquet(a=pa.array(range(1000)))).read_bytes()
    for damaged in (content[:-5], content[100:], content[:200]):
        Path("t.parquet").write_bytes(damaged)
        assert refusal("t.parquet").startswith("t.parquet is no Parquet file, or a damaged one (")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(allow_infinity=False), st.text(min_size=1, max_size=5), st.datetimes()), min_size=1, max_size=20))
def test_parquet_is_read_back_cell_for_cell(rows: list[tuple[float, str, datetime]]) -> None:
    numbers, words, moments = (list(column) for column in zip(*rows, strict=True))
    with tempfile.TemporaryDirectory() as folder:
        source = str(Path(folder) / "t.parquet")
        pq.write_table(pa.table({"n": pa.array(numbers), "w": pa.array(words), "m": pa.array(moments, pa.timestamp("us"))}), source)
        df = one(source).table.df
    assert df is not None
    assert np.array_equal(df["n"].to_numpy(), np.array(numbers), equal_nan=True)
    assert df["w"].tolist() == words
    assert [moment.to_pydatetime() for moment in df["m"]] == moments


# ------------------------------------------------------------------------------------------------------------------ JSON


def json_cells(text: str, name: str = "t.jsonl") -> tuple[list[str], list[list[object]], str]:
    content = read(text.encode(), name)
    assert content.format == "jsonl"
    assert content.table is not None
    return list(content.table.df.columns), cells(content.table.df), content.note


def test_json_lines_become_a_table() -> None:
    lines = '{"n": 1, "f": 2.5, "s": "x", "b": true, "d": "2024-01-31"}\n\n{"f": 1e3, "n": null, "b": false, "s": "", "d": null}\n'
    with tempfile.TemporaryDirectory() as folder:
        names, rows, note = json_cells(lines, f"{folder}/t.jsonl")
    assert names == ["n", "f", "s", "b", "d"]
    assert rows == [[1.0, 2.5, "x", "true", pd.Timestamp("2024-01-31")], [None, 1000.0, None, "false", None]]
    assert note == ""


@pytest.mark.parametrize(
    ("text", "names", "rows"),
    [
        ('[{"a": 1},\n {"a": 2}]', ["a"], [[1.0], [2.0]]),
        ('\ufeff{"a": 1}\r\n{"a": 2}', ["a"], [[1.0], [2.0]]),
        ('{"a": 1, "y": 5}\n{"a": 2, "b": 3, "y": 6}\n{"z": 0, "y": 7}', ["z", "a", "b", "y"], None),
        ('{"a": 9007199254740993}\n{"a": 1}', ["a"], [["9007199254740993"], ["1"]]),
        ('{"a": 123456789012345678901234567890}\n{"a": 1}', ["a"], [["123456789012345678901234567890"], ["1"]]),
        ('{"a": 9007199254740993}\n{"a": 1.5}', ["a"], [["9007199254740993"], ["1.5"]]),
        ('{"a": 9007199254740992}\n{"a": 0.1}', ["a"], [[2.0**53], [0.1]]),
        ('{"a": "007"}\n{"a": "1"}', ["a"], [["007"], ["1"]]),
        ('{"a": NaN}\n{"a": 1}', ["a"], [[None], [1.0]]),
        ('{"a": null}\n{"a": null}', ["a"], [[None], [None]]),
        (
            '{"a": "2024-01-01T10:00:00+02:00"}\n{"a": "2024-01-01T10:00:00Z"}',
            ["a"],
            [[pd.Timestamp("2024-01-01 08:00")], [pd.Timestamp("2024-01-01 10:00")]],
        ),
        ('{"a": "2024-01-01T10:00:00"}\n{"a": "2024-01-01T10:00:00Z"}', ["a"], [["2024-01-01T10:00:00"], ["2024-01-01T10:00:00Z"]]),
        ('{"a": "2024-02-30"}\n{"a": "2024-01-01"}', ["a"], [["2024-02-30"], ["2024-01-01"]]),
    ],
)
def test_json_values_are_kept_exactly(here: Path, text: str, names: list[str], rows: list[list[object]] | None) -> None:
    got_names, got, note = json_cells(text)
    assert (got_names, note) == (names, "")
    assert rows is None or got == rows


def test_text_of_json_or_sql_that_looks_like_dates_stays_text_where_that_is_known(here: Path) -> None:
    Path("t.jsonl").write_text('{"a": "2024-01-31", "b": "2024-01-31"}', encoding="utf-8")
    known = ReadingOptions().knowing(["a", "b"], {"a": "words"})
    (content,) = load("t.jsonl", known)
    assert content.table is not None
    assert cells(content.table.df) == [["2024-01-31", pd.Timestamp("2024-01-31")]]
    sqlite3.connect("z.db").close()
    (content,) = load("sqlite:///z.db", ReadingOptions(query="SELECT '2024-01-31' AS a").knowing(["a"], {"a": "text"}))
    assert content.table is not None
    assert cells(content.table.df) == [["2024-01-31"]]


def test_json_values_of_several_types_become_text_and_are_told(here: Path) -> None:
    _, got, note = json_cells('{"a": 1, "b": true}\n{"a": "x", "b": 2.50}\n{"a": 1.5, "b": null}')
    assert got == [["1", "true"], ["x", "2.5"], ["1.5", None]]
    assert note == "'a', 'b': values of several types, read as text"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1}\n{"a": {"b": 1}}', "t.jsonl, line 2: 'a' holds an object; give one plain value a key, such as 'a.x'"),
        ('{"a": 1}\n\n{"a": [1]}', "t.jsonl, line 3: 'a' holds an array; give one plain value a key, such as 'a.x'"),
        ('[{"a": 1}, {"a": []}]', "t.jsonl, element 2: 'a' holds an array; give one plain value a key, such as 'a.x'"),
        ('{"a": 1}\n{"a": 2', "t.jsonl, line 2: no JSON object on one line (expecting ',' delimiter)"),
        ('{"a": 1}\nx,y\n', "t.jsonl, line 2: no JSON object on one line (expecting value)"),
        ('{"a": 1} {"a": 2}\n', "t.jsonl, line 1: no JSON object on one line (extra data)"),
        ('{"a": 1}\n[2]\n', "t.jsonl, line 2: no JSON object but an array"),
        ('{"a": 1}\n3\n', "t.jsonl, line 2: no JSON object but the value 3"),
        ('{"a": 1, "a": 2}\n', "t.jsonl, line 1: no JSON object on one line (key 'a' twice in one object)"),
        ('{"a": 1e999}\n', "t.jsonl, line 1: no JSON object on one line (1e999 is too large for a number)"),
        ('{"a": Infinity}\n', "t.jsonl, line 1: no JSON object on one line (Infinity is no number; write null)"),
        ('{"a": "\\ud800"}\n', "t.jsonl, line 1: 'a' holds half a character (a lone surrogate); write it as UTF-8"),
        ('{"a": ' + "[" * 100_000, "t.jsonl, line 1: no JSON object on one line (nested too deeply)"),
        ('{\n  "a": [1, 2]\n}\n', "t.jsonl is one JSON object; give one object a line, or an array of objects"),
        ('[{"a": 1},\n{"a": 2]', "t.jsonl, line 2: no JSON array of objects (expecting ',' delimiter)"),
        ("[[1, 2]]", "t.jsonl, element 1: no JSON object but an array"),
        ("[]", "t.jsonl has no rows"),
        ("{}\n", "t.jsonl has no rows"),
        ('{"error": "rate limit", "code": 429}\n', "t.jsonl is an error message in JSON, not a table; fetch it again"),
    ],
)
def test_what_is_no_row_of_json_is_refused_with_its_line_and_key(here: Path, text: str, message: str) -> None:
    assert refused_bytes(text.encode(), "t.jsonl") == message


def test_json_that_is_not_utf8_is_refused_at_its_line(here: Path) -> None:
    assert refused_bytes('{"a": 1}\n{"a": "ü"}'.encode("latin-1"), "t.jsonl") == "t.jsonl, line 2: is not UTF-8; save it as UTF-8"
    assert cells(read('{"a": "ü"}'.encode("latin-1"), "t.jsonl", encoding="latin-1").table.df) == [["ü"]]
    assert cells(read('{"a": "ü"}'.encode("utf-16"), "t.jsonl").table.df) == [["ü"]]


JSON_VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_infinity=False) | st.text(st.characters(codec="utf-8"), max_size=5)
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from("abc"), JSON_VALUES, min_size=1), min_size=1, max_size=8))
def test_json_is_read_back_value_for_value(rows: list[dict[str, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        df = read("\n".join(map(json.dumps, rows)).encode(), f"{folder}/t.jsonl").table.df
    assert df is not None
    assert set(df.columns) == set().union(*rows)
    for number, row in enumerate(rows):
        for name in df.columns:
            assert is_same(row.get(name), df[name].iloc[number])


def is_same(value: object, got: object) -> bool:
    if value is None or value == "" or value != value:  # noqa: PLR0124
        return pd.isna(got) or (got == "nan" and value != "")  # type: ignore[return-value]
    if isinstance(value, bool):
        return got == str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:  # among texts without a fraction, as all sources write it
        return got in (value, str(int(value)))
    return got in (value, repr(value))


# ----------------------------------------------------------------------------------------------------------------- Excel


def workbook(*sheets: list[list[object]], change: object = None) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)  # type: ignore[arg-type]
    for number, rows in enumerate(sheets, start=1):
        page = book.create_sheet(f"Sheet{number}")
        for row in rows:
            page.append(row)
    if callable(change):
        change(book)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def edited(data: bytes, part: str, old: bytes, new: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as given_, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as changed:
        for name in given_.namelist():
            content = given_.read(name)
            if name == part:
                assert old in content
                content = content.replace(old, new)
            changed.writestr(name, content)
    return file.getvalue()


def test_excel_cells_are_given_as_they_are_shown(here: Path) -> None:
    def styled(book: openpyxl.Workbook) -> None:
        book.worksheets[0]["A2"].number_format = "00000"

    values = [
        [123, 1.0, 2.5, True, "x", None, moment("2024-01-31"), moment("2024-01-31 10:20:30")],
        [0.1, -3, 1e20, False, " y ", "#N/A", date(2024, 2, 29), timedelta(hours=30, minutes=5)],
    ]
    content = read(workbook([list("abcdefgh"), *values], change=styled), "t.xlsx")
    assert (content.format, content.compression, content.note) == ("excel", "", "")
    assert grid(content) == (
        tuple("abcdefgh"),
        ("00123", "1", "2.5", "true", "x", "", "2024-01-31", "2024-01-31 10:20:30"),
        ("0.1", "-3", "1e+20", "false", " y ", "#N/A", "2024-02-29", "30:05:00"),
    )


def test_excel_rows_keep_their_numbers_and_blank_margins_go(here: Path) -> None:
    def styled(book: openpyxl.Workbook) -> None:
        book.worksheets[0]["Z90"].number_format = "0.0"

    data = workbook([[], [None, "a", "b"], [], [None, 1, None]], change=styled)
    assert grid(read(data, "t.xlsx")) == (("", ""), ("a", "b"), ("", ""), ("1", ""))


def test_a_compressed_workbook_is_read(here: Path) -> None:
    content = read(gzip.compress(workbook([["a"], [1]])), "t.xlsx.gz")
    assert (content.format, content.compression, grid(content), content.note) == ("excel", "gz", (("a",), ("1",)), "")


def test_the_only_visible_sheet_with_cells_is_read(here: Path) -> None:
    def hidden(book: openpyxl.Workbook) -> None:
        book.worksheets[0].sheet_state = "hidden"

    data = workbook([["x"], [9]], [["a"], [1]], [], change=hidden)
    assert grid(read(data, "t.xlsx")) == (("a",), ("1",))
    assert grid(read(data, "t.xlsx", sheet="Sheet1")) == (("x",), ("9",))


def test_a_sheet_that_is_not_decided_is_refused(here: Path) -> None:
    Path("t.xlsx").write_bytes(workbook([["a"], [1]], [], [["b"], [2]]))
    assert refusal("t.xlsx") == "t.xlsx has 2 sheets with data (Sheet1, Sheet3); name one with --read sheet='Sheet1'"
    assert grid(one("t.xlsx", sheet="Sheet3")) == (("b",), ("2",))
    assert refusal("t.xlsx", sheet="Sheet2") == "t.xlsx sheet 'Sheet2' is empty"
    assert refusal("t.xlsx", UsageError, sheet="Shet3").startswith("there is no sheet 'Shet3'; did you mean 'Sheet3'?")
    assert refused_bytes(workbook([]), "t.xlsx") == "t.xlsx is empty: no visible sheet has a cell with a value"


def test_cells_merged_downwards_fill_their_rows_but_headers_stay(here: Path) -> None:
    def merged(book: openpyxl.Workbook) -> None:
        for area in ("A1:A2", "B1:C1", "A3:A4"):
            book.worksheets[0].merge_cells(area)

    data = workbook([["who", "income", None], [None, "2023", "2024"], ["Ann", 1, 2], [None, 3, 4], ["Bob", 5, 6]], change=merged)
    content = read(data, "t.xlsx")
    assert grid(content) == (("who", "income", ""), ("", "2023", "2024"), ("Ann", "1", "2"), ("Ann", "3", "4"), ("Bob", "5", "6"))
    assert [(repair.code, repair.detail) for repair in content.repairs] == [
        ("merged_cells", "1 cells merged with the one above them got its value")
    ]


def test_hidden_rows_and_columns_are_read_and_told(here: Path) -> None:
    def hidden(book: openpyxl.Workbook) -> None:
        sheet = book.worksheets[0]
        sheet.row_dimensions[3].hidden = sheet.row_dimensions[9].hidden = True
        sheet.column_dimensions["B"].hidden = sheet.column_dimensions["F"].hidden = True

    content = read(workbook([["a", "b"], [1, 2], [3, 4], [5, 6]], change=hidden), "t.xlsx")
    assert grid(content)[1:] == (("1", "2"), ("3", "4"), ("5", "6"))
    assert content.repairs == (Repair("hidden_cells", (3,), "hidden rows and columns of the sheet were read like the others"),)


def test_formulas_give_the_values_they_were_saved_with(here: Path) -> None:
    data = workbook([["a", "b"], [1, "=A2+1"], [2, "=A3+1"]])
    part = "xl/worksheets/sheet1.xml"
    message = "t.xlsx, sheet 'Sheet1', cell B2: a formula that was never computed; open the file in a spreadsheet program and save it"
    assert refused_bytes(data, "t.xlsx") == message
    zeros = edited(data, part, b"</f><v />", b"</f><v>0</v>")
    assert refused_bytes(zeros, "t.xlsx") == message
    computed = edited(edited(data, part, b"A2+1</f><v />", b"A2+1</f><v>2</v>"), part, b"A3+1</f><v />", b"A3+1</f><v>3</v>")
    assert grid(read(computed, "t.xlsx")) == (("a", "b"), ("1", "2"), ("2", "3"))
    empty = edited(data, part, b"</f><v />", b"</f><v></v>")
    as_text = edited(edited(empty, part, b'<c r="B2">', b'<c r="B2" t="str">'), part, b'<c r="B3">', b'<c r="B3" t="str">')
    assert grid(read(as_text, "t.xlsx")) == (("a", "b"), ("1", ""), ("2", ""))


def test_a_damaged_or_oversized_workbook_is_refused(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = workbook([["a"], [1]])
    broken = edited(data, "xl/worksheets/sheet1.xml", b"</sheetData>", b"</sheet")
    assert refused_bytes(broken, "t.xlsx").startswith("t.xlsx is no Excel workbook, or a damaged one (")
    assert refused_bytes(data[: len(data) // 2], "t.xlsx").startswith("t.xlsx is damaged or cut off, and cannot be unpacked (zip: ")
    large = edited(data, "xl/worksheets/sheet1.xml", b"</sheetData>", b"</sheetData>" + b" " * (20 * MIB))
    assert refused_bytes(large, "t.xlsx") == "t.xlsx unpacks to 20 MiB, too large for a workbook; save the sheet as CSV or Parquet"
    monkeypatch.setattr("tasks.core.formats.workbooks.MOST_CELLS", 3)
    assert refused_bytes(workbook([["a", "b"], [1, 2]]), "t.xlsx") == "t.xlsx has more than 3 cells; save the sheet as CSV or Parquet"


# ------------------------------------------------------------------------------------------------------------------- SQL


@pytest.fixture
def database(here: Path) -> str:
    with sqlite3.connect("x.db") as connection:
        connection.executescript("""
            CREATE TABLE sales (id INTEGER, price REAL, day TEXT, note TEXT, mix);
            INSERT INTO sales VALUES (1, 2.5, '2024-01-31', '100% :ok', 1), (2, NULL, '2024-02-01', '', 'x'),
                (9007199254740993, 1, NULL, 'y', NULL);
            CREATE VIEW cheap AS SELECT * FROM sales WHERE price < 2;
            CREATE TABLE blobs (b BLOB); INSERT INTO blobs VALUES (NULL), (x'00');
        """)
    connection.close()
    return "sqlite:///x.db"


def test_a_query_gives_its_rows(database: str) -> None:
    content = one(database, query="SELECT id, price, day, note FROM sales -- all;\n;")
    assert (content.source, content.format, content.note) == (database, "sql", "")
    assert content.table is not None
    assert list(content.table.df.columns) == ["id", "price", "day", "note"]
    assert cells(content.table.df) == [
        ["1", 2.5, pd.Timestamp("2024-01-31"), "100% :ok"],
        ["2", None, pd.Timestamp("2024-02-01"), None],
        ["9007199254740993", 1.0, None, "y"],
    ]
    assert cells(one(database, query="WITH c AS (SELECT * FROM cheap) SELECT count(*) AS n FROM c").table.df) == [[1.0]]
    assert cells(one(database, query="SELECT note FROM sales WHERE note LIKE '%0% :o%'").table.df) == [["100% :ok"]]


def test_what_an_sqlite_table_declares_as_booleans_is_true_and_false_and_other_integers_are_numbers(here: Path) -> None:
    with sqlite3.connect("y.db") as connection:
        connection.executescript("""
            CREATE TABLE days (wet BOOLEAN, hot bool, count INTEGER);
            INSERT INTO days VALUES (1, 0, 1), (NULL, 1, 0), (0, 7, 1);
        """)
    connection.close()
    content = one("sqlite:///y.db", query="SELECT wet, hot, count, wet AS rain, count > 0 AS any FROM days -- all\n;")
    assert content.table is not None
    assert cells(content.table.df) == [
        ["true", "false", 1.0, "true", 1.0],
        [None, "true", 0.0, None, 0.0],
        ["false", "7", 1.0, "false", 1.0],
    ]
    assert content.note == "'hot': values of several types, read as text"
    assert cells(one("sqlite:///y.db", query="SELECT max(wet) AS m FROM days").table.df) == [[1.0]]


def test_a_column_of_several_types_becomes_text_and_is_told(database: str) -> None:
    content = one(database, query="SELECT mix FROM sales")
    assert cells(content.table.df) == [["1"], ["x"], [None]]
    assert content.note == "'mix': values of several types, read as text"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("DROP TABLE sales", "--read query takes a SELECT; got 'DROP'"),
        ("", "--read query takes a SELECT; got ''"),
        ("SELECT 1; DELETE FROM sales", "--read query takes one statement; got several"),
        ("SELECT 'a' || \";\" /* ; */ FROM sales; SELECT 2", "--read query takes one statement; got several"),
        (
            "WITH t AS (SELECT 1) DELETE FROM sales",
            "--read query only reads; 'DELETE' may change something (if it is a name, quote it)",
        ),
        ("SELECT 1 INTO x", "--read query only reads; 'INTO' may change something (if it is a name, quote it)"),
        ("SELECT 1 /*! INTO x */", "--read query only reads; '/*!' may change something (if it is a name, quote it)"),
        ("SELECT x FROM sales", "sqlite:///x.db: no such column: x"),
        ("SELECT id, id FROM sales", "sqlite:///x.db has two columns called 'id'; rename one"),
        ("SELECT id FROM sales WHERE 0", "sqlite:///x.db has no rows"),
        ("SELECT b FROM blobs", "sqlite:///x.db, column 'b', row 2 is of type bytes; cast it to text or a number in the query"),
        ("SELECT 9e999 AS x", "sqlite:///x.db, column 'x', row 1 is infinite; write a number, or leave the cell empty"),
    ],
)
def test_a_query_that_is_no_table_or_may_write_is_refused(database: str, query: str, message: str) -> None:
    before = Path("x.db").read_bytes()
    assert refusal_of_any_kind(database, query) == message
    assert Path("x.db").read_bytes() == before


def refusal_of_any_kind(source: str, query: str) -> str:
    with pytest.raises(EvergreenError) as refused:
        load(source, ReadingOptions(query=query))
    assert isinstance(refused.value, UsageError | DataRefusedError)
    return refused.value.message


def test_without_a_query_the_tables_are_listed(database: str) -> None:
    assert refusal(database, UsageError) == (
        "sqlite:///x.db holds blobs, cheap, sales; say which rows with --read query='SELECT * FROM blobs'"
    )


def test_a_database_that_cannot_be_opened_is_refused_and_none_is_made(here: Path) -> None:
    assert (
        refusal("sqlite:///gone.db", UsageError, query="SELECT 1") == "there is no file 'gone.db'; name a table, or sklearn:diabetes to try"
    )
    assert refusal("sqlite://", UsageError, query="SELECT 1") == "'sqlite://' names no file; write it as sqlite:///folder/file.db"
    Path("t.db").write_bytes(b"not a database, but long enough to be taken for the header of one" * 20)
    assert refusal("sqlite:///t.db", UsageError, query="SELECT a FROM b") == "sqlite:///t.db: file is not a database"
    assert sorted(path.name for path in here.iterdir()) == ["t.db"]


def test_a_password_is_in_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    for url in ("postgresql://ann:geheim@localhost:1/d?password=geheim", "postgresql://ann:geheim@localhost:port/d"):
        assert "geheim" not in refusal(url, UsageError, query="SELECT 1")
    message = refusal("postgresql://ann:geheim@localhost:1/d", UsageError, query="SELECT 1")
    assert message == (
        "postgresql+psycopg:// URLs need a package that is not installed: "
        "pip install 'evergreen-modelops[postgres]', or: pip install psycopg"
    )


def test_values_of_databases_keep_their_digits_and_moments() -> None:
    from tasks.core.formats.values import rows_table

    berlin = timezone(timedelta(hours=2))
    rows = [
        {"d": Decimal("1.10"), "t": datetime(2024, 1, 1, 12, tzinfo=berlin), "e": date(2024, 1, 1), "b": True, "n": Decimal(5)},
        {"d": None, "t": None, "e": moment("2024-01-01 05:00"), "b": None, "n": 2},
    ]
    table, note = rows_table(rows, "db")
    assert note == ""
    assert cells(table.df) == [
        [1.1, pd.Timestamp("2024-01-01 10:00"), pd.Timestamp("2024-01-01"), "true", 5.0],
        [None, None, pd.Timestamp("2024-01-01 05:00"), None, 2.0],
    ]
    with pytest.raises(
        DataRefusedError, match=r"^db, column 'd', row 2 0\.12345678901234567890 has more digits than a number holds; cast it"
    ):
        rows_table([{"d": Decimal("0.5")}, {"d": Decimal("0.12345678901234567890")}], "db")


def test_rows_beyond_one_chunk_keep_their_order_and_types(monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks.core.formats.values import rows_table

    monkeypatch.setattr("tasks.core.formats.values.CHUNK_ROWS", 2)
    monkeypatch.setattr("tasks.core.reading.store.PIECE_ROWS", 2)
    rows = [{"a": 1}, {"a": 2}, {"a": 2.5}, {"a": 4, "b": "x"}, {"a": None}, {"a": None}, {"a": 2**60}, {"b": "y"}]
    assert cells(rows_table(rows[:6], "db")[0].df) == [[1.0, None], [2.0, None], [2.5, None], [4.0, "x"], [None, None], [None, None]]
    assert rows_table(rows, "db")[0].df["a"].dropna().tolist() == ["1", "2", "2.5", "4", str(2**60)]


@pytest.mark.parametrize("held", [blob.HELD_BYTES, 0])
@pytest.mark.parametrize("source", ["t.parquet", "t.jsonl"])
def test_a_table_that_comes_in_parts_is_the_same_table(here: Path, monkeypatch: pytest.MonkeyPatch, source: str, held: int) -> None:
    values = {
        "long": [1, None, 2**60, 4, 5],
        "kind": ["a", None, "", "b", "c"],
        "day": ["2024-01-31", None, "2024-02-01", "", "2024-02-03 05:00"],
        "blank": ["", "", None, "", ""],
        "size": [1.5, None, 2.5, 3.5, 4.5],
    }
    pq.write_table(pa.table(values), "t.parquet", row_group_size=3)
    rows = (dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True))
    Path("t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    whole = one(source).table
    monkeypatch.setattr(blob, "HELD_BYTES", held)
    monkeypatch.setattr("tasks.core.formats.values.CHUNK_ROWS", 2)
    monkeypatch.setattr("tasks.core.reading.store.PIECE_ROWS", 2)
    monkeypatch.setattr("tasks.core.formats.columns.BATCH_CELLS", 2 * len(values))
    parts = one(source).table
    assert whole is not None
    assert parts is not None
    pd.testing.assert_frame_equal(parts.df, whole.df)
    assert [len(frame) for frame in parts.frames()] == [2, 2, 1]
    assert set(parts.df["long"].dropna()) == {"1", str(2**60), "4", "5"}
