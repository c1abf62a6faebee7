from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.core import names
from tasks.core.use_case import NAME

WITHOUT_NUL = st.text(st.characters(exclude_characters="\0", codec="utf-8"))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("houses", "houses"),
        ("Air Quality", "air-quality"),
        ("Kreditkarten (2024)_final", "kreditkarten-2024-final"),
        ("__a..b--c__", "a-b-c"),
        ("7", "7"),
        ("Größe", "groe-aedc3f"),
        ("市場", "table-126555"),
        ("---", "table"),
        ("", "table"),
    ],
)
def test_any_text_has_a_dashed_spelling(text: str, name: str) -> None:
    assert names.dashed(text) == name


@given(st.text())
def test_a_dashed_spelling_can_name_a_use_case_and_stays_as_it_is(text: str) -> None:
    name = names.dashed(text)
    assert re.fullmatch(NAME, name)
    assert "--" not in name
    assert names.dashed(name) == name


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("houses.csv", "houses"),
        ("/srv/data/Air Quality.csv", "air-quality"),
        ("../houses.parquet", "houses"),
        ("houses", "houses"),
        ("houses.2024.csv", "houses-2024"),
        (".csv", "csv"),
        ("sklearn:wine", "wine"),
        ("", "table"),
    ],
)
def test_a_table_names_its_use_case(source: str, name: str) -> None:
    assert names.use_case_of(source) == name


def test_a_digest_is_the_sha_256_of_its_text() -> None:
    assert names.digest("wine") == hashlib.sha256(b"wine").hexdigest()
    assert re.fullmatch(r"[0-9a-f]{64}", names.digest("Größe", ""))


@given(st.lists(WITHOUT_NUL, min_size=1), st.lists(WITHOUT_NUL, min_size=1))
def test_texts_have_one_digest_exactly_when_each_of_them_is_the_same(some: list[str], others: list[str]) -> None:
    assert (names.digest(*some) == names.digest(*others)) == (some == others)


@pytest.mark.parametrize(("some", "others"), [(("ab", "c"), ("a", "bc")), (("a", ""), ("a",)), (("a", "b"), ("b", "a"))])
def test_texts_that_join_to_the_same_are_kept_apart(some: tuple[str, ...], others: tuple[str, ...]) -> None:
    assert names.digest(*some) != names.digest(*others)


def test_a_run_is_named_by_job_use_case_and_eight_digits() -> None:
    assert names.run_name("train", "air-quality", "0123456789abcdef") == "train-air-quality-01234567"


@pytest.mark.parametrize(
    ("source", "stem"),
    [
        ("sales.CSV.GZ", "sales"),
        ("data/sales.2024.csv.zst", "sales.2024"),
        ("s3://bucket/year/sales.parquet?versionId=7", "sales"),
        ("https://host/sales.csv#row=4", "sales"),
        ("data/sales/", "sales"),
        ("sqlite:///shop.db", "shop"),
        ("https://host", "host"),
    ],
)
def test_a_source_is_named_without_folders_endings_and_what_an_address_adds(source: str, stem: str) -> None:
    assert names.stem_of(source) == stem
