from __future__ import annotations

from pathlib import Path

import pytest

from tasks.core.errors import UsageError
from tasks.core.settings import Settings

FOLDER = Path("/srv/project")


def settings(**values: str) -> Settings:
    return Settings.from_values(values, FOLDER)


def test_by_default_all_state_is_below_the_current_folder() -> None:
    found = settings()
    assert (found.home, found.project, found.record) == (FOLDER / ".evergreen", FOLDER, True)
    assert found.mlflow_uri == "sqlite:////srv/project/.evergreen/mlflow.db"
    assert found.mlflow_artifacts == "file:///srv/project/.evergreen/artifacts"
    assert found.ledger_address == "sqlite:////srv/project/.evergreen/ledger.db"


def test_every_address_can_be_another_one() -> None:
    found = settings(
        EVERGREEN_HOME="/state", EVERGREEN_TRACKING_URI="https://a", EVERGREEN_ARTIFACTS_URL="s3://b", EVERGREEN_LEDGER_URL="postgresql://c"
    )
    assert (found.home, found.mlflow_uri, found.mlflow_artifacts, found.ledger_address) == (
        Path("/state"),
        "https://a",
        "s3://b",
        "postgresql://c",
    )


def test_an_empty_value_is_the_default_and_other_variables_are_not_read() -> None:
    assert settings(EVERGREEN_HOME="", HOME="/root") == settings()


@pytest.mark.parametrize(("value", "is_recorded"), [("false", False), ("0", False), ("no", False), ("true", True), ("1", True)])
def test_recording_is_switched_by_a_word(value: str, *, is_recorded: bool) -> None:
    assert settings(EVERGREEN_RECORD=value).record is is_recorded


def test_a_mistyped_setting_gets_the_closest_one() -> None:
    with pytest.raises(UsageError, match="there is no setting 'EVERGREEN_HOEM'; did you mean 'EVERGREEN_HOME'"):
        settings(EVERGREEN_HOEM="x")


def test_a_value_that_cannot_be_is_told_with_its_name() -> None:
    with pytest.raises(UsageError, match="EVERGREEN_RECORD is 'maybe': ") as refused:
        settings(EVERGREEN_RECORD="maybe")
    assert refused.value.where == "EVERGREEN_RECORD"
