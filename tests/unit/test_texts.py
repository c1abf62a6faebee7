from __future__ import annotations

import io
import os
import resource
import tempfile
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.errors import StoreError
from tasks.core.reading import texts
from tasks.core.reading.blob import Blob, OpenFile, Spool
from tasks.core.reading.records import physical_lines
from tasks.core.reading.store import PIECE_ROWS, Columns, Store
from tasks.core.reading.texts import Text, whole_lines

if TYPE_CHECKING:
    from pathlib import Path

LINES = st.text(st.sampled_from('aé,"\r\n\u2028'), max_size=40)


def filed(content: bytes) -> Blob:
    file = OpenFile.temporary()
    file.write(0, content)
    return Blob(file)


@given(st.binary(max_size=40), st.integers(0, 45), st.integers(0, 45))
def test_bytes_of_a_file_are_read_as_those_in_memory(content: bytes, at: int, size: int) -> None:
    held, in_file = Blob(content), filed(content)
    assert in_file.size == held.size
    assert in_file.read(at, size) == held.read(at, size) == content[at : at + size]
    assert b"".join(in_file.parts(7)) == in_file.whole() == content


@given(
    st.binary(max_size=40), st.lists(st.tuples(st.sampled_from([os.SEEK_SET, os.SEEK_CUR, os.SEEK_END]), st.integers(0, 20)), max_size=4)
)
def test_a_blob_opens_as_any_file_does(content: bytes, steps: list[tuple[int, int]]) -> None:
    ours, other = filed(content).open(), io.BytesIO(content)
    for whence, offset in steps:
        assert ours.seek(offset, whence) == other.seek(offset, whence)
        assert ours.read(5) == other.read(5)


@pytest.mark.parametrize("held_bytes", [0, 3, 100])
def test_a_spool_gives_what_it_took_from_memory_or_from_a_file(held_bytes: int) -> None:
    spool = Spool(held_bytes)
    assert [spool.write(part) for part in (b"ab", b"", b"cde", b"f")] == [0, 2, 2, 5]
    assert (spool.size, spool.blob().whole()) == (6, b"abcdef")


def test_a_file_that_nobody_knows_any_more_is_closed_and_was_never_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    file = OpenFile.temporary()
    descriptor = file.descriptor
    assert not list(tmp_path.iterdir())
    del file
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_full_disk_is_one_sentence_that_names_the_way_out() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    file = OpenFile.temporary()
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(StoreError) as refused:
            file.write(0, b"x" * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert refused.value.message == f"cannot write to '{tempfile.gettempdir()}': file too large; set TMPDIR to a folder with more room"


@given(LINES, st.integers(1, 12))
def test_blocks_are_whole_lines_and_together_the_text(content: str, size: int) -> None:
    text = Text.of(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "BLOCK_BYTES", size)
        patch.setattr(texts, "LINES_BYTES", size)
        blocks, lines = list(text.blocks()), list(text.lines())
    assert b"".join(block.body for block in blocks).decode() == content
    assert lines == list(physical_lines(content))
    assert {(block.at, block.line) for block in blocks} <= {(line.at, line.number) for line in lines}


def test_a_block_does_not_end_inside_a_quoted_cell() -> None:
    text = Text.of('a,b\n1,"x\ny"\n2,z\n')
    assert text.block(0, 1, 9).body == b"a,b\n"
    assert text.block(0, 1, 13).body == b'a,b\n1,"x\ny"\n'
    assert text.block(0, 1, 9, has_quotes=False).body == b'a,b\n1,"x\n'


@given(st.text(st.sampled_from("ab'\u00a0"), max_size=30), st.integers(1, 5))
def test_signs_are_found_wherever_the_parts_are_cut(content: str, size: int) -> None:
    signs = ("'", "\u00a0", "ab'", "bbb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Blob, "parts", lambda self, start=0: (self.read(at, size) for at in range(start, self.size, size)))
        assert Text.of(content).holds(*signs) == {sign for sign in signs if sign in content}


@given(st.lists(LINES, max_size=6))
def test_parts_are_put_together_to_whole_lines(parts: list[str]) -> None:
    whole = list(whole_lines(parts))
    assert "".join(whole) == "".join(parts)
    assert [line for part in whole for line in io.StringIO(part, newline="")] == list(io.StringIO("".join(parts), newline=""))


@pytest.mark.parametrize("held_bytes", [0, 10**6])
def test_columns_are_the_same_in_memory_and_in_a_file(held_bytes: int) -> None:
    columns = Columns(Store(held_bytes))
    columns.extend([pd.Series(["a", "é"], dtype="str"), pd.Series(["", "x\ny"], dtype="str")])
    columns.extend([pd.Series(["c"], dtype="str"), pd.Series(["z"], dtype="str")])
    assert [column.tolist() for column in columns] == [["a", "é", "c"], ["", "x\ny", "z"]]
    assert columns.rows([2, 0]) == [("c", "z"), ("a", "")]
    assert [[part.tolist() for part in frame] for frame in columns.frames()] == [[["a", "é"], ["", "x\ny"]], [["c"], ["z"]]]
    kept = columns.take(pd.Series([0, 2]).to_numpy())
    assert [column.tolist() for column in kept.below(columns[:])] == [["a", "c", "a", "é", "c"], ["", "z", "", "x\ny", "z"]]


@pytest.mark.parametrize("halves", [[0], [0, 3], [1, 4, 0], [2, 2]])
def test_columns_are_in_equal_pieces_however_they_came(halves: list[int]) -> None:
    columns, whole = Columns(), np.arange(sum(halves) * PIECE_ROWS / 2)
    pieces = np.split(whole, np.cumsum(halves[:-1]) * (PIECE_ROWS // 2))
    columns.add_pieces(pd.Series(piece) for piece in pieces)
    columns.add(pd.Series(whole))
    assert [[part.tolist() for part in frame] for frame in columns.frames()] == [
        [whole[start : start + PIECE_ROWS].tolist()] * 2 for start in range(0, max(1, len(whole)), PIECE_ROWS)
    ]


@pytest.mark.parametrize("values", [[1.5, None], ["a", None], pd.to_datetime(["2024-01-31 10:30", None])])
def test_values_of_each_type_come_back_from_a_file_as_they_were(values: object) -> None:
    column = pd.Series(values)
    pd.testing.assert_series_equal(Columns.of([column], Store(held_bytes=0))[0], column, check_names=False)
