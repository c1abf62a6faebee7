from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tasks.core.deployments import BEGIN, END, update
from tasks.core.errors import UsageError
from tasks.core.use_case import UseCase

ROOT = Path(__file__).parents[2]
AROUND = f"name: mine\n{BEGIN}\nold\n{END}\n# my own words\n"
HOUSES = UseCase(name="houses", data="houses.csv", description="Prices.", schedule="0 4 * * 1")


def entries(*use_cases: UseCase) -> list[dict[str, object]]:
    return yaml.safe_load(update(AROUND, use_cases))["deployments"]


def test_what_stands_outside_the_markers_stays_to_the_letter() -> None:
    updated = update(AROUND, [HOUSES])
    assert updated.startswith(f"name: mine\n{BEGIN}\n")
    assert updated.endswith(f"{END}\n# my own words\n")
    assert "old" not in updated


def test_updating_twice_changes_nothing() -> None:
    once = update(AROUND, [HOUSES])
    assert update(once, [HOUSES]) == once


def test_a_use_case_becomes_a_deployment_of_the_training_flow() -> None:
    (entry,) = entries(HOUSES)
    assert (entry["name"], entry["entrypoint"], entry["description"]) == ("houses", "flows.train:train", "Prices.")
    assert entry["parameters"] == {"options": {"use_case": "houses"}}
    assert entry["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}
    assert entry["schedules"] == [{"cron": "0 4 * * 1", "timezone": "UTC", "slug": "train"}]


def test_without_a_schedule_it_is_run_by_hand() -> None:
    (entry,) = entries(HOUSES.model_copy(update={"schedule": None}))
    assert entry["schedules"] == []


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}\n{BEGIN}"])
def test_a_file_without_its_markers_is_not_touched(text: str) -> None:
    with pytest.raises(UsageError, match=r"prefect\.yaml needs the lines"):
        update(text, [HOUSES])


def test_the_checked_in_file_is_what_the_use_cases_make_of_it() -> None:
    paths = sorted((ROOT / "deployments/use_cases").glob("*.yaml"))
    use_cases = [UseCase.from_values(path.stem, yaml.safe_load(path.read_text(encoding="utf-8")), where=path.name) for path in paths]
    text = (ROOT / "prefect.yaml").read_text(encoding="utf-8")
    assert update(text, use_cases) == text
