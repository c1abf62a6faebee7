from __future__ import annotations

import numpy as np
import pytest

from tasks.core.behaviour import Expected, cells_of, parse
from tasks.core.errors import UsageError
from tasks.core.metrics import Prediction
from tasks.core.table import Column, Schema, Task


def schema(task: Task) -> Schema:
    features = [Column(name, kind, "feature", "") for name, kind in (("size", "number"), ("town", "category"), ("sold", "datetime"))]
    return Schema((*features, Column("y", "number", "target", "")), task)


def refusal(text: str, where: str = "cases.csv", task: Task = "regression") -> str:
    with pytest.raises(UsageError) as refused:
        parse(text, where)[0].refuse_what_cannot_be(schema(task))
    assert refused.value.where.startswith(where)
    return refused.value.message


def test_cases_read_the_same_from_csv_and_from_yaml() -> None:
    table = 'size,town,at_least,expected\n40,"Bern, west",0.5,yes\n,,,no\n'
    listed = "- {size: 40, town: 'Bern, west', at_least: 0.5, expected: 'yes'}\n- {size: null, expected: 'no'}\n"
    (one, other), (first, second) = parse(table, "cases.csv"), parse(listed, "cases.yaml")
    assert (one.cells, one.at_least, one.expected) == (first.cells, first.at_least, first.expected)
    assert (other.cells, other.expected) == (second.cells, second.expected) == ({}, "no")
    assert one.where == "cases.csv, case 1"


def test_true_and_false_of_yaml_have_the_form_that_tables_have() -> None:
    (case,) = parse("- {town: true, expected: false}\n", "cases.yml")
    assert (case.cells, case.expected) == ({"town": "true"}, "false")


def test_rows_are_as_models_see_them_and_what_is_left_out_is_missing() -> None:
    X = cells_of(parse("sold,size,at_most\n2024-02-29,3,1\n,,1\n", "cases.csv"), schema("regression"))
    assert X.dtypes.astype("str").to_dict() == {"size": "float64", "town": "str", "sold": "datetime64[us]"}
    assert X["size"].tolist()[0] == 3.0
    assert str(X["sold"][0]) == "2024-02-29 00:00:00"
    assert X.isna().sum().tolist() == [1, 2, 1]


@pytest.mark.parametrize(
    ("text", "where", "told"),
    [
        ("", "cases.csv", "cases.csv holds no case; write rows with the columns of the table and expected, at_least, at_most"),
        ("siez,at_most\n3,1\n", "cases.csv", "there is no column of models in cases.csv, case 1 called 'siez'; did you mean 'size'?"),
        ("size,at_most\n3\n", "cases.csv", "cases.csv, case 1 has more or fewer cells than there are columns"),
        ("size,at_most\n3,low\n", "cases.csv", "cases.csv, case 1: at_most is 'low', which is no number"),
        ("size,at_most\nlarge,1\n", "cases.csv", "cases.csv, case 1: 'size' holds numbers, and a cell of it is none"),
        ("sold,at_most\nsoon,1\n", "cases.csv", "cases.csv, case 1: 'sold' holds datetimes, and a cell of it is none"),
        ("size,expected\n3,7\n", "cases.csv", "cases.csv, case 1: a number is hardly ever met exactly; say at_least and at_most"),
        ("size: 3", "cases.yaml", "cases.yaml must hold a list of cases, such as `- {size: 40, at_most: 250}`"),
        ("- {size: 3", "cases.yaml", "cases.yaml is not YAML: "),
    ],
)
def test_what_is_no_case_is_refused_with_its_place(text: str, where: str, told: str) -> None:
    assert refusal(text, where).startswith(told)


def test_of_a_class_the_expected_one_is_named() -> None:
    assert refusal("size,at_most\n3,0.5\n", task="binary").endswith(
        "say which class is expected; at_least and at_most are of its probability"
    )


@pytest.mark.parametrize(
    ("case", "holds"),
    [
        (Expected("", {}, "yes"), True),
        (Expected("", {}, "no"), False),
        (Expected("", {}, "no", at_least=0.3), True),
        (Expected("", {}, "no", at_least=0.4), False),
        (Expected("", {}, "yes", at_most=0.65), False),
        (Expected("", {}, "maybe", at_least=0.01), False),
    ],
)
def test_a_class_is_met_by_being_said_or_by_its_probability(case: Expected, holds: bool) -> None:
    assert case.holds(Prediction(np.array(["yes"]), np.array([[0.3, 0.7]]), ("no", "yes"))) is holds


@pytest.mark.parametrize(("case", "holds"), [((2.0, 3.0), True), ((2.6, None), False), ((None, 2.4), False), ((2.5, 2.5), True)])
def test_a_number_is_met_between_its_ends(case: tuple[float | None, float | None], holds: bool) -> None:
    assert Expected("", {}, "", *case).holds(Prediction(np.array([2.5]))) is holds
