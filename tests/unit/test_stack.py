from __future__ import annotations

from tasks.core.stack import DownReport, StackReport, page

PAGES = {"prefect": page(4200), "mlflow": page(5000), "evidently": page(4230), "reports": page(4240)}


def test_whoever_starts_everything_is_told_where_it_is_and_how_it_ends() -> None:
    told = StackReport(PAGES, ("prefect", "worker"), 19, "/srv/.evergreen/stack").as_text().splitlines()
    assert [line.split()[1] for line in told[:4]] == [*PAGES.values()]
    assert told[4:] == [
        "worker     runs what pages, schedules and monitors ask for: 19 deployments",
        "logs       /srv/.evergreen/stack",
        "up         started prefect, worker; `make down` (or `evergreen down`) ends it",
    ]


def test_whoever_starts_what_is_up_is_told_that_it_is() -> None:
    report = StackReport(PAGES, (), 19, "/srv/.evergreen/stack")
    assert report.as_text().splitlines()[-1] == "up         everything was up already; `make down` (or `evergreen down`) ends it"
    assert report.as_json() == {"pages": PAGES, "started": [], "deployments": 19, "logs": "/srv/.evergreen/stack"}


def test_the_end_is_told_with_what_goes_on_for_a_while() -> None:
    assert DownReport(0).as_text() == "nothing was up"
    assert DownReport(9).as_text() == "down: 9 processes ended"
    assert DownReport(9, "a run still records").as_text() == "down, but a run still records"
    assert DownReport(9, "a run still records").as_json() == {"ended": 9, "stays": "a run still records"}
