"""People are told of alarms through real receivers: once, again when it did not arrive, and when it is over."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tasks import notify as verbs
from tasks.adapters import alarms, home, ledger, told
from tasks.core.alarms import LOG, Alarm, Channel, Told
from tasks.core.errors import StoreError, UsageError
from tasks.core.options import AlarmOptions, MaintainOptions, TrainOptions
from tasks.core.settings import Settings
from tasks.core.snapshot import Case
from tasks.core.use_case import UseCase
from tests.receivers import Receiver, mail_server, web_hook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tasks.core.alarms import AlarmReport

ALARM = Alarm("houses", "data_broken", "column 'size' is 1000 times as large", "Accept the batch, or mend it.", "http://127.0.0.1/page")
RACERS = 8


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with web_hook() as receiver:
        yield receiver


def case_of(folder: Path, configured: str, **terms: object) -> Case:
    """Make a use case whose alarms go where that says."""
    settings = Settings.from_values({"EVERGREEN_HOME": "home", "EVERGREEN_ALARMS": configured}, folder)
    home.prepare(settings.home)
    return Case(UseCase.from_values("houses", {"alarms": terms}, where="houses.yaml"), settings, None)


def tell(case: Case, *raised: Alarm, watched: tuple[str, ...] = ("data_broken",)) -> list[AlarmReport]:
    """Call the verb without Prefect."""
    return [*vars(verbs.notify).get("fn", verbs.notify)(case, raised, watched=watched)]


def went_by(case: Case, channel: Channel, hours: float) -> None:
    """Let the last telling be so many hours ago."""
    address = case.settings.ledger_address
    last = told.past(address, ALARM, channel)[-1]
    ago = Told(last.number + 1, last.is_recovery, last.state, datetime.now(UTC) - timedelta(hours=hours), last.title)
    assert told.claim(address, ALARM, channel, ago)


def test_a_web_hook_is_told_once_again_after_a_day_and_once_when_it_is_over(hook: Receiver, tmp_path: Path) -> None:
    case = case_of(tmp_path, f"ops=json://127.0.0.1:{hook.port}")
    for _ in range(3):
        tell(case, ALARM)
    (message,) = hook.hooks
    assert message["title"] == "houses · column 'size' is 1000 times as large"
    assert message["message"] == "Accept the batch, or mend it.\nhttp://127.0.0.1/page"
    went_by(case, Channel("ops", f"json://127.0.0.1:{hook.port}"), hours=25)
    assert tell(case, ALARM)[0].told == ("ops",)
    assert [tell(case)[0].told for _ in range(3)] == [("ops",), (), ()]
    assert [message["title"] for message in hook.hooks[2:]] == ["houses · over: column 'size' is 1000 times as large"]
    assert tell(case, ALARM)[0].told == ("ops",), "it is a new one"


def test_a_page_that_a_browser_finds_is_told_by_its_address(hook: Receiver, tmp_path: Path) -> None:
    case = case_of(tmp_path, f"ops=json://127.0.0.1:{hook.port}")
    case = replace(case, settings=case.settings.model_copy(update={"reports_url": "https://ops.example"}))
    tell(case, replace(ALARM, link=str(case.settings.home / "reports" / "houses" / "monitor.html")))
    assert hook.hooks[0]["message"] == "Accept the batch, or mend it.\nhttps://ops.example/houses/monitor.html"


def test_mail_reaches_a_real_server_as_people_read_it(tmp_path: Path) -> None:
    with mail_server() as post:
        case = case_of(tmp_path, f"mailto://127.0.0.1:{post.port}?from=evergreen@example.org&to=ann@example.org&format=text")
        assert tell(case, ALARM)[0].told == ("mailto (EVERGREEN_ALARMS, address 1)",)
    (mail,) = post.mails
    assert mail["to"] == "ann@example.org"
    assert mail["subject"] == "houses · column 'size' is 1000 times as large"
    assert "Accept the batch, or mend it.\nhttp://127.0.0.1/page" in mail.get_content().replace("\r\n", "\n")


def test_what_is_not_delivered_is_a_warning_and_tried_again_for_that_channel_alone(
    hook: Receiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    case = case_of(tmp_path, f"ops=json://ann:S3CRET@127.0.0.1:{hook.port}/T0KEN gone=json://ann:S3CRET@127.0.0.1:9/T0KEN")
    hook.takes = False
    with caplog.at_level(logging.DEBUG):
        assert tell(case, ALARM)[0].failed == ("ops", "gone")
    (warned, _) = [record.getMessage() for record in caplog.records if "did not reach" in record.getMessage()]
    assert warned == (
        "alarm data_broken of houses did not reach channel ops, and is tried again next time; the program apprise -vv says why"
    )
    assert "S3CRET" not in caplog.text
    assert "T0KEN" not in caplog.text
    hook.takes = True
    again = tell(case, ALARM)[0]
    assert (again.told, again.failed) == (("ops",), ("gone",))
    assert tell(case, ALARM)[0].told == ()
    assert len(hook.hooks) == 1


def test_the_end_of_what_never_arrived_is_not_told_and_one_that_did_not_arrive_is(hook: Receiver, tmp_path: Path) -> None:
    case = case_of(tmp_path, f"ops=json://127.0.0.1:{hook.port}")
    hook.takes = False
    tell(case, ALARM)
    hook.takes = True
    tell(case)
    assert hook.hooks == []
    tell(case, ALARM)
    hook.takes = False
    assert tell(case)[0].failed == ("ops",)
    hook.takes = True
    assert tell(case)[0].told == ("ops",)
    assert len(hook.hooks) == 2


def test_nobody_is_told_while_alarms_are_silenced_and_then_what_still_stands(
    hook: Receiver, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    configured = f"ops=json://127.0.0.1:{hook.port}"
    silenced = case_of(tmp_path, configured, silence_until="2999-01-01")
    (report,) = tell(silenced, ALARM)
    assert (report.state_name, hook.hooks) == ("Silenced", [])
    assert "alarm: houses · column 'size' is 1000 times as large" in caplog.text
    assert tell(case_of(tmp_path, configured), ALARM)[0].told == ("ops",)
    tell(silenced)
    assert len(hook.hooks) == 1
    assert tell(case_of(tmp_path, configured))[0].told == ("ops",)


def test_without_any_channel_the_log_is_told_and_knows_when_it_is_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    case = case_of(tmp_path, "")
    caplog.set_level(logging.INFO)
    assert tell(case, ALARM)[0].state_name == "Logged"
    for _ in range(2):
        tell(case)
    assert [record.getMessage() for record in caplog.records].count("alarm: houses · over: column 'size' is 1000 times as large") == 1


def test_of_several_who_find_the_same_one_tells(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'ledger.db'}"
    told.create(address)
    told.create(address)
    start = threading.Barrier(RACERS)
    telling = Told(1, is_recovery=False, state="telling", at=datetime.now(UTC))

    def race(_: int) -> bool:
        start.wait()
        return told.claim(address, ALARM, LOG, telling)

    with ThreadPoolExecutor(RACERS) as racers:
        assert sum(racers.map(race, range(RACERS))) == 1


def test_whoever_was_killed_while_telling_is_followed_by_another(hook: Receiver, tmp_path: Path) -> None:
    case, channel = case_of(tmp_path, f"ops=json://127.0.0.1:{hook.port}"), Channel("ops", f"json://127.0.0.1:{hook.port}")
    tell(case)
    dying = Told(1, is_recovery=False, state="telling", at=datetime.now(UTC), title=ALARM.title)
    assert told.claim(case.settings.ledger_address, ALARM, channel, dying)
    assert tell(case, ALARM)[0].told == ()
    went_by(case, channel, hours=0.1)
    assert tell(case, ALARM)[0].told == ("ops",)


def test_an_alarm_is_told_although_nothing_can_be_remembered(hook: Receiver, tmp_path: Path) -> None:
    case = case_of(tmp_path, f"ops=json://127.0.0.1:{hook.port}")
    (case.settings.home / "ledger.db").write_text("this is no database, and long enough to be seen as none" * 20, encoding="utf-8")
    assert [tell(case, ALARM)[0].told for _ in range(2)] == [("ops",)] * 2
    assert len(hook.hooks) == 2


def test_the_table_stands_beside_the_ledgers_own(tmp_path: Path) -> None:
    case = case_of(tmp_path, "")
    tell(case, ALARM)
    assert ledger.use_cases(case.settings.ledger_address) == []
    assert told.past(case.settings.ledger_address, ALARM, LOG)[0].state == "told"


@pytest.mark.parametrize("url", ["nosuch://S3CRET", "slack://S3CRET", "mailto://"])
def test_an_address_that_apprise_cannot_read_is_refused_without_its_secret(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(UsageError) as refused:
        alarms.check([Channel("ops", url)])
    scheme = url.partition(":")[0]
    assert refused.value.message.startswith(f"the address of channel ops is not one that Apprise reads as {scheme}://")
    assert "S3CRET" not in refused.value.message + caplog.text


def test_an_alarm_of_an_unknown_or_broken_use_case_goes_to_everyone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "deployments" / "use_cases"
    folder.mkdir(parents=True)
    (folder / "broken.yaml").write_text("data: [x\n", encoding="utf-8")
    (folder / "quiet.yaml").write_text("alarms: {silence_until: 2999-01-01}\n", encoding="utf-8")
    monkeypatch.setenv("EVERGREEN_PROJECT", str(tmp_path))
    monkeypatch.setenv("EVERGREEN_HOME", str(tmp_path / "home"))
    assert verbs.find_case("quiet").use_case.alarms.silence_until is not None
    assert [verbs.find_case(name).name for name in ("broken", "No Such Thing", None)] == ["broken", "no-such-thing", "all"]


def test_what_a_call_raises_has_its_first_line_as_title() -> None:
    case = Case(UseCase(name="houses"), Settings.from_values({}, home.Path("/srv")), None)
    (alarm,) = verbs.raised(case, AlarmOptions(text="It broke.\nSee the log.", code="prefect.flow-run.Crashed", link="http://127.0.0.1/x"))
    assert (alarm.title, alarm.text, alarm.code) == ("It broke.", "It broke.\nSee the log.", "prefect.flow-run.Crashed")
    assert verbs.raised(case, AlarmOptions(over=True)) == []
    with pytest.raises(UsageError, match="say what is the matter, with --text TEXT"):
        verbs.raised(case, AlarmOptions())


# ----------------------------------------------------------------------------------------------------- alarms about runs


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let flows find a home of their own, and record nothing."""
    monkeypatch.setenv("EVERGREEN_PROJECT", str(tmp_path))
    monkeypatch.setenv("EVERGREEN_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(verbs, "notify", vars(verbs.notify).get("fn", verbs.notify))
    return tmp_path


@dataclass(frozen=True)
class Outcome:
    use_case: str = "houses"


def flow(name: str, outcome: object = Outcome()) -> Callable[[object], object]:
    """Make a flow of that name, which ends well."""

    def ends_well(_: object) -> object:
        return outcome

    ends_well.__name__ = name
    return verbs.ends_alarms(ends_well)


def raise_alarm(use_case: str, *codes: str) -> Case:
    """Tell of runs as automations do."""
    case = verbs.find_case(use_case)
    tell(case, *(Alarm(case.name, code, f"run {code} did not go well", "See there.") for code in codes), watched=())
    return case


def standing(case: Case, *codes: str) -> set[str]:
    return told.standing(case.settings.ledger_address, case.name, codes)


def test_a_run_that_ends_well_ends_the_alarms_about_runs_of_its_flow_and_no_other(at_home: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    codes = [f"{code}.{name}" for code in ("run_failed", "run_late") for name in ("train", "monitor")] + ["not_monitored"]
    case = raise_alarm("houses", *codes)
    other = raise_alarm("flats", *codes)
    flow("train")(TrainOptions())
    assert standing(case, *codes) == {"run_failed.monitor", "run_late.monitor", "not_monitored"}
    flow("monitor")(TrainOptions())
    assert standing(case, *codes) == set()
    assert standing(other, *codes) == {*codes}
    assert [record.getMessage() for record in caplog.records].count("alarm: houses · over: run run_failed.train did not go well") == 1
    raise_alarm("houses", "run_failed.train")
    assert standing(case, *codes) == {"run_failed.train"}, "the next failure is told again"


def test_what_is_done_for_all_use_cases_ends_the_alarms_of_all(at_home: Path) -> None:
    case = raise_alarm("all", "run_failed.maintain")
    flow("maintain", outcome=None)(MaintainOptions(use_case="houses"))
    assert standing(case, "run_failed.maintain") == {"run_failed.maintain"}
    flow("maintain", outcome=None)(MaintainOptions())
    assert standing(case, "run_failed.maintain") == set()


def test_where_no_alarm_was_ever_told_a_run_that_ends_well_leaves_nothing(at_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flow("train")(TrainOptions())
    assert not (at_home / "home").exists()
    address = home.settings().ledger_address
    home.prepare(at_home / "home")
    ledger.create(address)
    monkeypatch.setattr(verbs, "notify", None)
    flow("train")(TrainOptions())
    assert told.standing(address, "houses", {"run_failed.train"}) == set()


def test_a_run_that_ends_well_stays_so_although_nobody_can_be_told(
    at_home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    raise_alarm("houses", "run_failed.train")
    monkeypatch.setenv("EVERGREEN_ALARMS", "ops=nosuch://S3CRET")
    assert flow("train")(TrainOptions()) == Outcome()
    assert "whether alarms are over was not told: the address of channel ops" in caplog.text
    assert "S3CRET" not in caplog.text


def test_a_training_that_fails_outside_a_deployment_is_an_alarm_and_fails_all_the_same(
    at_home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    case, silent = verbs.find_case("houses"), StoreError("MLflow does not answer", where="mlflow")
    with pytest.raises(StoreError), verbs.telling_of_training(case):
        raise silent
    with pytest.raises(ZeroDivisionError), verbs.telling_of_training(case):
        _ = 1 / 0
    assert "alarm: houses · the training that a look asked for failed; MLflow does not answer" in caplog.text
    assert "alarm: houses · the training that a look asked for failed; ZeroDivisionError: division by zero" in caplog.text
    assert standing(case, "run_failed.train") == {"run_failed.train"}
    flow("train")(TrainOptions())
    assert standing(case, "run_failed.train") == set()
