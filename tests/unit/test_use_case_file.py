from __future__ import annotations

import re

import numpy as np
import pandas as pd
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from tasks.core.schema import infer_schema
from tasks.core.use_case import UseCase
from tasks.core.use_case_file import Setting, settle, with_section, write

COMMENTED = re.compile(r"^# (?=[a-z ])", re.MULTILINE)
COLUMNS = st.text(min_size=1, max_size=12)


def uncommented(text: str) -> str:
    """Take the marks off all keys, as a person does off some; the first two lines are prose."""
    return COMMENTED.sub("", "".join(text.splitlines(keepends=True)[2:]))


def loaded(text: str) -> UseCase:
    return UseCase.from_values("houses", yaml.safe_load(text), where="houses.yaml")


def asked(**values: object) -> UseCase:
    return UseCase.from_values("houses", {"data": "houses.csv", **values}, where="houses.yaml")


def houses() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": pd.Series([f"h{n}" for n in range(30)], dtype="str"),
            "sold": pd.date_range("2024-01-01", periods=30).as_unit("us"),
            "size": [float(n % 7) for n in range(30)],
            "twice": [3.0 * (n * n % 11) for n in range(30)],
            "price": [1.5 * (n * n % 11) for n in range(30)],
        }
    )


# -------------------------------------------------------------------------------------------------------------- the file


def test_what_is_commented_out_is_the_default_and_leaves_out_no_key() -> None:
    text = write("houses", "houses.csv", {})
    assert yaml.safe_load(text) is None
    values = yaml.safe_load(uncommented(text))
    assert list(values) == [key for key in UseCase.model_fields if key != "name"]
    assert UseCase.from_values("houses", values, where="houses.yaml") == UseCase.from_values("houses", {}, where="houses.yaml")
    for key in ("gate", "reading", "schedule"):
        assert list(values[key]) == list(UseCase.model_fields[key].get_default().__class__.model_fields)


def test_every_key_says_what_it_means() -> None:
    lines = write("houses", "houses.csv", {}).splitlines()[2:]
    assert all(line.partition("  # ")[2].strip() for line in lines)
    assert "# refit: ordered                    # when the shipped fit adds the gate rows; never, ordered, always" in lines


def test_what_is_found_is_set_with_its_evidence_and_what_is_suggested_is_not_set() -> None:
    text = write("houses", "houses.csv", {"target": Setting("price", "last column"), "pii": Setting(["owner"], "its name says so", False)})
    assert "target: price                       # column to predict: last column\n" in text
    assert "# pii: [owner]  " in text
    assert "because its name says so\n" in text
    assert loaded(text).pii == ()
    assert loaded(uncommented(text)).pii == ("owner",)


@given(COLUMNS, st.lists(COLUMNS, min_size=1, max_size=3), COLUMNS)
@example("a", ["a"], "\xa0")  # a blank that YAML writes without quotes
def test_whatever_columns_are_called_the_file_says_it(target: str, key: list[str], why: str) -> None:
    text = write("houses", why, {"target": Setting(target, why), "key": Setting(key, why), "description": Setting(why, "")})
    found = loaded(text)
    assert (found.target, list(found.key), found.description) == (target, key, why)
    assert len(text.splitlines()) == len(write("houses", "", {}).splitlines())


# ------------------------------------------------------------------------------------------------------------ what is known


def test_what_is_asked_or_found_is_set_and_what_only_a_person_can_know_is_suggested() -> None:
    settings = settle(asked(reading={"decimal": ","}), infer_schema(houses()), "houses.csv", {"id": "its name says so"})
    assert {key: setting.value for key, setting in settings.items() if setting.is_certain} == {
        "data": "houses.csv",
        "target": "price",
        "task": "regression",
        "time": "sold",
        "reading": {"decimal": ","},
    }
    assert settings["time"].why == "found"
    assert {key: (setting.value, setting.why) for key, setting in settings.items() if not setting.is_certain} == {
        "pii": (["id"], "its name says so"),
        "drop": (["twice"], "the target may be read off"),
        "key": (["id"], "it is an identifier: 30 distinct values in 30 rows; only where no other table uses them again"),
    }


def test_a_group_is_suggested_where_one_column_may_be_it_and_set_where_it_is_given() -> None:
    count = np.arange(30.0)
    df = pd.DataFrame({"customer_id": count % 10, "size": count**0.5, "price": count**1.5})
    found, given = (settle(asked(), infer_schema(df, target="price", group=group), None, {})["group"] for group in (None, "customer_id"))
    assert (found.value, found.is_certain, given.value, given.is_certain) == ("customer_id", False, "customer_id", True)
    assert found.why == "its values return; only where new ones will come"


def test_what_a_person_has_said_is_not_suggested_again() -> None:
    said = asked(key=["id"], pii=["id"], drop=["twice"])
    settings = settle(said, infer_schema(houses(), drop=said.drop), None, {"id": "its name says so"})
    assert {key: setting.value for key, setting in settings.items()} == {
        "target": "price",
        "task": "regression",
        "time": "sold",
        "key": ["id"],
    }


def test_a_section_is_replaced_with_its_commented_keys_and_nothing_else_of_a_persons_goes() -> None:
    text = "# Ours.\nretrain:  # by hand\n  growth: 2.0\n#   share: 0.25   # attempts\n# The seed of all.\nseed: 1\n\n# card:\n#   owner:\n"
    found = with_section(text, "retrain", {"staleness": 3}, "measured")
    assert found == "# Ours.\n# The seed of all.\nseed: 1\n\n# card:\n#   owner:\nretrain:  # measured\n  staleness: 3\n"
