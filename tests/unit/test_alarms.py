"""Which alarms people are told of, when, and on which channels."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tasks.core.alarms import LOG, PATIENCE, Alarm, AlarmReport, Channel, State, Told, channels, describe, is_due, is_silenced
from tasks.core.errors import UsageError
from tasks.core.settings import Settings
from tasks.core.use_case import Alarms, UseCase

NOW = datetime(2031, 5, 1, 12, tzinfo=UTC)
ALARM = Alarm("houses", "data_broken", "column 'size' is 1000 times as large", "Look at it.", "http://127.0.0.1/page")
OVER = Alarm("houses", "data_broken", ALARM.title, "This is over.", is_recovery=True)
TERMS = Alarms()


def times(*states: State, hours: float = 1.0, recovered: bool = False) -> list[Told]:
    """List times of telling, the last one so many hours ago, and perhaps of a recovery."""
    at = NOW - timedelta(hours=hours)
    return [Told(n, recovered and n == len(states), state, at, ALARM.title) for n, state in enumerate(states, 1)]


@pytest.mark.parametrize(
    ("past", "is_told", "is_over_told"),
    [
        ([], True, False),
        (times("told"), False, True),
        (times("told", hours=23.9), False, True),
        (times("told", hours=24), True, True),
        (times("told", "told", recovered=True), True, False),
        (times("failed"), True, False),
        (times("told", "failed", recovered=True), False, True),
        (times("told", "failed", hours=25), True, True),
        (times("telling", hours=0.01), False, False),
        (times("telling"), True, False),
        (times("told", "telling", hours=0.01, recovered=True), False, False),
        (times("told", "telling", recovered=True), False, True),
    ],
)
def test_an_alarm_is_told_once_and_again_after_a_day_and_its_end_once(past: list[Told], *, is_told: bool, is_over_told: bool) -> None:
    assert is_due(ALARM, past, TERMS, NOW) == is_told
    assert is_due(OVER, past, TERMS, NOW) == is_over_told


def test_whoever_died_while_telling_is_waited_for_some_minutes_and_no_longer() -> None:
    dead = [Told(1, is_recovery=False, state="telling", at=NOW)]
    assert not is_due(ALARM, dead, TERMS, NOW + PATIENCE - timedelta(seconds=1))
    assert is_due(ALARM, dead, TERMS, NOW + PATIENCE)


def test_while_alarms_are_silenced_only_the_log_hears_of_them() -> None:
    terms = UseCase.from_values("houses", {"alarms": {"silence_until": "2031-05-01T14:00"}}, where="houses.yaml").alarms
    mail = Channel("mail", "mailto://x")
    assert is_silenced(mail, terms, NOW)
    assert not is_silenced(LOG, terms, NOW)
    assert not is_silenced(mail, terms, NOW + timedelta(hours=2))
    assert not is_silenced(mail, Alarms(), NOW)


def test_a_use_case_names_channels_or_has_all_and_each_once() -> None:
    configured = "ops=json://127.0.0.1/a\n  mailto://u:p@127.0.0.1 ops2=json://127.0.0.1/b json://127.0.0.1/c json://127.0.0.1/c"
    everyone = channels(Alarms(), configured)
    assert everyone[0] == LOG
    assert [channel.url for channel in everyone[1:3]] == ["json://127.0.0.1/a", "mailto://u:p@127.0.0.1"]
    named = channels(Alarms(to=("ops2", "json://10.0.0.1", "ops2")), configured)
    assert [channel.url for channel in named] == ["", "json://127.0.0.1/b", "json://10.0.0.1"]
    one = UseCase.from_values("houses", {"alarms": {"to": "ops"}}, where="houses.yaml")
    assert [channel.name for channel in channels(one.alarms, configured)] == ["log", "ops"]
    assert channels(Alarms(), "") == (LOG,)


@pytest.mark.parametrize(
    ("to", "configured", "message"),
    [
        (("opps",), "ops=json://127.0.0.1", "there is no channel 'opps'; did you mean 'ops'? (available: ops)"),
        ((), "json://127.0.0.1 tgram/S3CRET/1", "EVERGREEN_ALARMS, address 2 is no address that Apprise knows"),
        (("tgram//S3CRET/1",), "", "alarms.to, address 1 is neither the name of a channel nor an address"),
        (("Ops=tg ram://S3CRET/1",), "", "alarms.to, address 1 is no address that Apprise knows"),
    ],
)
def test_a_wrong_channel_is_refused_without_its_secret(to: tuple[str, ...], configured: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        channels(Alarms(to=to), configured)
    assert refused.value.message.startswith(message)
    assert "S3CRET" not in refused.value.message


def test_no_secret_shows_where_settings_and_channels_are_printed_or_refused() -> None:
    settings = Settings.from_values({"EVERGREEN_ALARMS": "json://S3CRET"}, Path("/srv"))
    assert settings.alarms.get_secret_value() == "json://S3CRET"
    with pytest.raises(UsageError) as refused:
        UseCase.from_values("houses", {"alarms": {"to": {"ops": "json://S3CRET"}}}, where="houses.yaml")
    assert "'alarms.to' is wrong: write a list" in refused.value.message
    told = [repr(settings), settings.model_dump_json(), repr(channels(Alarms(), "json://S3CRET")), refused.value.message]
    assert "S3CRET" not in "".join(told)
    (_, channel) = channels(Alarms(), "json://S3CRET")
    assert channel.name == "json (EVERGREEN_ALARMS, address 1)"
    assert "S3CRET" not in channel.key


def test_a_message_has_one_line_above_it_and_is_not_endless() -> None:
    alarm = Alarm("houses", "x", "two\nlines", "a" * 5000, "http://127.0.0.1/page")
    assert alarm.heading == "houses · two\\nlines"
    assert len(alarm.body) < 2100
    assert alarm.body.endswith("…\nhttp://127.0.0.1/page")
    assert ALARM.line == "houses · column 'size' is 1000 times as large; Look at it.; http://127.0.0.1/page"
    assert Alarm("houses", "x", "It broke.", "It broke.").line == "houses · It broke."
    assert OVER.heading == "houses · over: column 'size' is 1000 times as large"


def test_a_report_says_who_was_told() -> None:
    told = AlarmReport("houses", "x", told=("ops",), failed=("mail",))
    assert (told.state_name, describe(told, "")) == ("Not delivered", "houses, x: told ops; could not tell mail")
    assert AlarmReport("houses", "x", told=("ops",)).state_name == "Told"
    assert AlarmReport("houses", "x", is_silenced=True).state_name == "Silenced"
    quiet = AlarmReport("houses", "x", is_recovery=True)
    assert (quiet.state_name, quiet.state_message) == (
        "Logged",
        "houses, x is over: logged; no channel is set that does not know it already",
    )
