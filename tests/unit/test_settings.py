from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from tasks.core.errors import UsageError
from tasks.core.settings import PREFIX, Settings

FOLDER = Path("/srv/desk")


def read(**values: str) -> Settings:
    return Settings.from_values({PREFIX + name.upper(): value for name, value in values.items()}, FOLDER)


def refusal(**values: str) -> UsageError:
    with pytest.raises(UsageError) as refused:
        read(**values)
    assert refused.value.exit_code == 2
    return refused.value


def test_without_settings_all_state_is_in_one_folder_and_runs_are_recorded() -> None:
    settings = read()
    assert (settings.home, settings.project, settings.record) == (FOLDER / ".evergreen", FOLDER, True)
    assert settings.mlflow_uri == "sqlite:////srv/desk/.evergreen/mlflow.db"
    assert settings.mlflow_artifacts == "file:///srv/desk/.evergreen/artifacts"
    assert settings.ledger_address == "sqlite:////srv/desk/.evergreen/ledger.db"
    assert settings.lake_address == "/srv/desk/.evergreen/lake"


def test_the_stores_follow_the_home() -> None:
    settings = read(home="/data/my state")
    assert settings.mlflow_uri == "sqlite:////data/my state/mlflow.db"
    assert settings.mlflow_artifacts == "file:///data/my%20state/artifacts"
    assert settings.ledger_address == "sqlite:////data/my state/ledger.db"


def test_an_address_goes_before_the_home() -> None:
    settings = read(
        tracking_uri="http://mlflow:5000", artifacts_url="s3://models", ledger_url="postgresql://db/ledger", lake_url="s3://lake"
    )
    assert settings.mlflow_uri == "http://mlflow:5000"
    assert settings.mlflow_artifacts == "s3://models"
    assert settings.ledger_address == "postgresql://db/ledger"
    assert settings.lake_address == "s3://lake"


def test_relative_folders_are_taken_from_the_given_folder_and_absolute_ones_stay() -> None:
    assert read(home="state").home == FOLDER / "state"
    assert read(project="models").project == FOLDER / "models"
    assert read(home="/data/state").home == Path("/data/state")
    assert read(lake_url="rows").lake_address == str(FOLDER / "rows")
    assert read(lake_url="/data/rows").lake_address == "/data/rows"


def test_a_relative_folder_does_not_move_with_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_values({"EVERGREEN_HOME": "state"}, Path())
    monkeypatch.chdir("/")
    assert settings.home == tmp_path / "state"


@pytest.mark.parametrize("name", ["home", "project", "record", "tracking_uri", "artifacts_url", "ledger_url", "lake_url", "reports_url"])
def test_an_empty_value_is_the_default(name: str) -> None:
    assert read(**{name: ""}) == read()


@pytest.mark.parametrize(("value", "record"), [("false", False), ("0", False), ("no", False), ("TRUE", True), ("1", True)])
def test_record_takes_the_usual_words(value: str, record: bool) -> None:
    assert read(record=value).record is record


def test_names_of_others_are_left_alone() -> None:
    assert Settings.from_values({"PATH": "/bin", "MY_EVERGREEN_HOME": "x", "evergreen_home": "y"}, FOLDER) == read()


def test_a_mistyped_setting_gets_the_closest_one() -> None:
    refused = refusal(hom="state")
    assert refused.where == "EVERGREEN_HOM"
    available = ", ".join(sorted(PREFIX + name.upper() for name in Settings.model_fields))
    assert refused.message == f"there is no setting 'EVERGREEN_HOM'; did you mean 'EVERGREEN_HOME'? (available: {available})"


def test_a_value_that_a_setting_cannot_have_is_told_with_its_name() -> None:
    refused = refusal(record="maybe")
    assert refused.where == "EVERGREEN_RECORD"
    assert refused.message == "EVERGREEN_RECORD is 'maybe': input should be a valid boolean, unable to interpret input"


def test_a_page_has_an_address_where_the_reports_are_served_and_nothing_else_has() -> None:
    served = read(reports_url="https://ops.example/evergreen/")
    page = str(served.home / "reports" / "houses" / "chunks 3.html")
    assert served.link_to(page) == "https://ops.example/evergreen/houses/chunks%203.html"
    assert served.link_to("/srv/desk/.evergreen/quarantine/houses/d.csv") == "/srv/desk/.evergreen/quarantine/houses/d.csv"
    assert read().link_to(page) == page


def test_what_no_browser_opens_is_no_address_of_reports() -> None:
    refused = refusal(reports_url="file:///srv/reports")
    assert refused.where == "EVERGREEN_REPORTS_URL"
    assert refused.message == "EVERGREEN_REPORTS_URL is 'file:///srv/reports': must begin with http:// or https://, and have no blanks"


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        read().record = False  # pyright: ignore[reportAttributeAccessIssue]


def test_every_setting_says_what_it_is() -> None:
    assert all(field.description for field in Settings.model_fields.values())
