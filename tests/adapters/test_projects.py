from __future__ import annotations

from pathlib import Path

import pytest

from tasks.adapters import projects
from tasks.core.errors import UsageError
from tasks.core.options import TrainOptions
from tasks.core.settings import Settings

BUNDLED = ["breast_cancer", "diabetes", "wine"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty project that is not the current folder."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    (tmp_path / "project" / projects.USE_CASES).mkdir(parents=True)
    (tmp_path / "project" / projects.SUITES).mkdir()
    return tmp_path / "project"


def settings(project: Path) -> Settings:
    return Settings.from_values({"EVERGREEN_PROJECT": str(project)}, Path.cwd())


def write(project: Path, content: str | bytes, name: str = "houses") -> Path:
    path = project / projects.USE_CASES / f"{name}.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(project: Path, name: str = "houses") -> str:
    with pytest.raises(UsageError) as refused:
        projects.load_use_case(name, project)
    assert refused.value.where == str(project / projects.USE_CASES / f"{name}.yaml")
    assert "\n" not in refused.value.message
    return refused.value.message


# ---------------------------------------------------------------------------------------------- what a person knows of rows


def test_the_cases_of_a_use_case_are_read_beside_it_whoever_asks(project: Path) -> None:
    write(project, "data: houses.csv\ngate: {behaviour: cases.csv}\n")
    (project / "cases.csv").write_text("size,at_most\n40,250\n", encoding="utf-8-sig")
    known = projects.resolve_known("houses", settings(project), list)
    assert [case.cells for case in known.expected] == [{"size": "40"}]
    assert projects.resolve(TrainOptions(use_case="houses"), settings(project)).expected == known.expected


@pytest.mark.parametrize(("content", "why"), [(None, "No such file or directory"), (b"\xff", "it is not UTF-8 text")])
def test_cases_that_cannot_be_read_are_told(project: Path, content: bytes | None, why: str) -> None:
    write(project, "gate: {behaviour: cases.csv}\n")
    if content:
        (project / "cases.csv").write_bytes(content)
    with pytest.raises(UsageError) as refused:
        projects.resolve_known("houses", settings(project), list)
    assert refused.value.message == f"gate.behaviour of houses names cases.csv, which cannot be read in {project}: {why}"


# ------------------------------------------------------------------------------------------------- where use cases are found


def test_without_a_project_the_bundled_use_cases_are_there(project: Path) -> None:
    assert projects.use_case_names(project) == BUNDLED
    assert projects.own_use_cases(project) == []
    case = projects.resolve(TrainOptions(), settings(project))
    assert (case.name, case.use_case.data) == ("diabetes", "sklearn:diabetes")
    assert case.suite == projects.bundled() / "expectations/diabetes.json"
    with pytest.raises(UsageError, match=r"say which use case is meant, with --use-case NAME \(there are: breast_cancer, diabetes, wine\)"):
        projects.resolve(TrainOptions(), settings(project), default=None)


@pytest.mark.parametrize("name", BUNDLED)
def test_every_bundled_use_case_has_a_suite_and_a_schedule(project: Path, name: str) -> None:
    case = projects.resolve(TrainOptions(use_case=name), settings(project))
    assert case.use_case.data == f"sklearn:{name}"
    assert case.use_case.schedule.train
    assert case.suite is not None
    assert case.suite.is_file()


def test_the_use_case_and_the_suite_of_the_project_go_before_the_bundled_ones(project: Path) -> None:
    write(project, "data: sklearn:diabetes\nseed: 7\n", "diabetes")
    suite = project / projects.SUITES / "diabetes.json"
    suite.touch()
    case = projects.resolve(TrainOptions(use_case="diabetes"), settings(project))
    assert case.use_case.seed == 7
    assert case.suite == suite
    assert projects.use_case_names(project) == BUNDLED
    assert projects.resolve(TrainOptions(use_case="wine"), settings(project)).use_case.data == "sklearn:wine"


def test_a_second_use_case_is_a_file(project: Path) -> None:
    write(project, "data: houses.csv\n")
    write(project, "data: flats.csv\n", "flats")
    assert projects.use_case_names(project) == sorted([*BUNDLED, "flats", "houses"])
    assert [use_case.name for use_case in projects.own_use_cases(project)] == ["flats", "houses"]
    assert projects.resolve(TrainOptions(use_case="houses"), settings(project)).suite is None


def test_a_mistyped_name_gets_the_closest_one(project: Path) -> None:
    with pytest.raises(UsageError) as refused:
        projects.resolve(TrainOptions(use_case="diabetis"), settings(project))
    assert refused.value.where == "--use-case"
    told = "there is no use case 'diabetis'; did you mean 'diabetes'? (available: breast_cancer, diabetes, wine)"
    assert refused.value.message == told


# ---------------------------------------------------------------------------------------------------------- tables by path


def test_a_table_makes_the_use_case_that_is_called_like_it(project: Path) -> None:
    case = projects.resolve(TrainOptions(data="Air Quality.csv"), settings(project))
    assert (case.name, case.use_case.data, case.suite) == ("air-quality", "Air Quality.csv", None)


def test_a_table_of_a_known_use_case_takes_its_words_but_its_own_rows(project: Path) -> None:
    write(project, "data: houses.csv\ntarget: price\nseed: 7\n")
    case = projects.resolve(TrainOptions(data="new/houses.csv", target="rent"), settings(project))
    assert (case.name, case.use_case.seed, case.use_case.target) == ("houses", 7, "rent")
    assert case.use_case.data == "new/houses.csv"


def test_a_table_may_be_given_to_a_use_case_that_has_no_file(project: Path) -> None:
    assert projects.resolve(TrainOptions(data="a.csv", use_case="flats"), settings(project)).name == "flats"


@pytest.mark.parametrize(("name", "told"), [("Flats", "'name' is 'Flats': string should match pattern"), ("a" * 61, "60")])
def test_a_name_that_no_use_case_can_have_is_refused(project: Path, name: str, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        projects.resolve(TrainOptions(data="a.csv", use_case=name), settings(project))
    assert told in refused.value.message
    assert refused.value.where == "--use-case"


def test_data_of_a_file_are_relative_to_the_project(project: Path) -> None:
    write(project, "data: tables/houses.csv\n")
    assert projects.resolve(TrainOptions(use_case="houses"), settings(project)).use_case.data == f"{project}/tables/houses.csv"
    write(project, "data: /srv/houses.csv\n")
    assert projects.resolve(TrainOptions(use_case="houses"), settings(project)).use_case.data == "/srv/houses.csv"


# ------------------------------------------------------------------------------------------------------------- wrong files


@pytest.mark.parametrize(
    "spelling", ["description: A\r\ndata: a.csv\r\n", "\ufeffdescription: A\ndata: a.csv", '{"description": "A", "data": "a.csv"}']
)
def test_spellings_of_one_file_mean_the_same(project: Path, spelling: str) -> None:
    write(project, spelling)
    use_case = projects.load_use_case("houses", project)
    assert use_case is not None
    assert (use_case.name, use_case.description, use_case.data) == ("houses", "A", "a.csv")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("description: A\ndata: [a.csv\n", "is not YAML: line 3, column 1: expected ',' or ']', but got '<stream end>'"),
        ("data: a.csv\n\ttarget: price\n", r"is not YAML: line 2, column 1: found character '\t' that cannot start any token"),
        ("data: !!python/object/apply:os.system [ls]", "could not determine a constructor for the tag"),
        (b"data: M\xfcller.csv", "is not YAML: 'utf-8' codec can't decode byte 0xfc in position 7: invalid start byte"),
        ("data: a\x00.csv", "is not YAML: unacceptable character #x0000: special characters are not allowed"),
        ("", "must hold keys and values, such as `data: table.csv`"),
        ("- data: a.csv", "must hold keys and values, such as `data: table.csv`"),
        ("1: 2\ndata: a.csv", "'1' is 1: keys should be strings"),
        ("datas: a.csv", "called 'datas'; did you mean 'data'?"),
        ("data: a.csv\ntaget: price", "called 'taget'; did you mean 'target'?"),
        ("data: a.csv\ngate: {tolerence: 0.1}", "called 'tolerence'; did you mean 'tolerance'?"),
        ("data: a.csv\ngate: {tolerance: 5}", "'gate.tolerance' is 5: input should be less than or equal to 0.5"),
        ("data: a.csv\ntask: regresion", "'task' is 'regresion': input should be 'regression', 'binary' or 'multiclass'"),
        ("data: a.csv\ndrop: id", "'drop' is 'id': write a list, such as [one, other]"),
        ("data: a.csv\nseed: -1", "'seed' is -1: input should be greater than or equal to 0"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_told_with_its_line_or_its_key(project: Path, content: str | bytes, told: str) -> None:
    path = write(project, content)
    message = refusal(project)
    assert told in message
    assert str(path) in message


def test_a_use_case_is_named_by_its_file_alone(project: Path) -> None:
    path = write(project, "name: flats\ndata: a.csv\n")
    told = f"{path} holds a key 'name', but a use case is named by its file: 'houses'; take the key out, or rename the file"
    assert refusal(project) == told


def test_a_file_name_that_cannot_be_a_use_case_is_told(project: Path) -> None:
    write(project, "data: a.csv\n", "My Houses")
    assert "'name' is 'My Houses': string should match pattern" in refusal(project, "My Houses")


# ---------------------------------------------------------------------------------------------------------------- writing


def test_files_are_replaced_at_one_stroke(project: Path) -> None:
    texts = {projects.PREFECT_YAML: "name: ü\n", projects.USE_CASES / "houses.yaml": "data: a.csv\n"}
    projects.write_files(project, dict.fromkeys(texts, "old"))
    projects.write_files(project, texts)
    assert {path: (project / path).read_text(encoding="utf-8") for path in texts} == texts
    assert not list(project.rglob("*.partial"))
    assert projects.read_prefect_yaml(project) == "name: ü\n"


@pytest.mark.parametrize("in_the_way", ["deployments", "deployments/use_cases/houses.yaml/folder"])
def test_where_one_file_cannot_be_written_none_is(tmp_path: Path, in_the_way: str) -> None:
    path = tmp_path / in_the_way
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    with pytest.raises(UsageError, match=r"^cannot write .*; nothing was written; mend that, or set EVERGREEN_PROJECT$"):
        projects.write_files(tmp_path, {projects.PREFECT_YAML: "name: a", projects.USE_CASES / "houses.yaml": "data: a.csv\n"})
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == [path]


def test_a_project_without_prefect_yaml_has_none(project: Path) -> None:
    assert projects.read_prefect_yaml(project) is None


def test_the_suite_of_the_project_is_read_and_no_bundled_one(project: Path) -> None:
    assert projects.own_suite("diabetes", project) is None
    assert projects.own_use_case("diabetes", project) is None
    (project / projects.SUITES / "diabetes.json").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"diabetes.json is not a Great Expectations suite: it is not UTF-8 text"):
        projects.own_suite("diabetes", project)


def test_data_are_named_so_that_the_project_can_be_moved(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    assert projects.name_in("tables/a.csv", project) == projects.name_in(str(project / "tables/a.csv"), project) == "tables/a.csv"
    assert projects.name_in("../a.csv", project / "inner") == f"{project}/../a.csv"
    assert [projects.name_in(data, project) for data in ("sklearn:wine", "s3://shop/a.csv")] == ["sklearn:wine", "s3://shop/a.csv"]
    assert projects.locate("tables/a.csv", project) == f"{project}/tables/a.csv"
