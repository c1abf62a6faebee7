"""Alarms: what people are told, on which channels, and when again."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias

from tasks.core.errors import UsageError
from tasks.core.names import digest, on_one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from tasks.core.use_case import Alarms

State: TypeAlias = Literal["telling", "told", "failed"]

CODE = re.compile(r"[A-Za-z0-9_.-]{1,80}")
SETTING = "EVERGREEN_ALARMS"
RUN_FAILED, RUN_LATE, NOT_MONITORED, ACTION_FAILED = "run_failed", "run_late", "not_monitored", "action_failed"
PATIENCE = timedelta(minutes=5)  # after which whoever was telling is taken for dead
LONGEST_TEXT = 2_000
_ADDRESS = re.compile(r"(?:(?P<name>[a-z0-9][a-z0-9_-]*)=)?(?P<url>(?P<scheme>[A-Za-z0-9]+)://\S*)")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


@dataclass(frozen=True)
class Alarm:
    """What people are told of a use case.

    Attributes:
        use_case: Whose.
        code: Stable name of what is the matter; an alarm with the same code is the same alarm.
        title: In a few words.
        text: In one or several sentences.
        link: Where to look; empty where nowhere.
        is_recovery: Whether it says that the matter is over.
    """

    use_case: str
    code: str
    title: str
    text: str
    link: str = ""
    is_recovery: bool = False

    @property
    def heading(self) -> str:
        """Give the line that stands above the text."""
        over = "over: " if self.is_recovery else ""
        return on_one_line(f"{self.use_case} · {over}{self.title}")

    @property
    def line(self) -> str:
        """Give all of it in one line, as a log has it."""
        more = [part for part in (self.text, self.link) if part and part != self.title]
        return on_one_line("; ".join([self.heading, *more]))

    @property
    def body(self) -> str:
        """Give the text, not longer than a message may be, with the link."""
        text = self.text if len(self.text) <= LONGEST_TEXT else f"{self.text[: LONGEST_TEXT - 1]}…"
        return "\n".join(part for part in (text, self.link) if part)


@dataclass(frozen=True)
class Channel:
    """Where alarms go.

    Attributes:
        name: As a person knows it, without secrets.
        url: Apprise's address; it may hold secrets, and is empty for the log.
    """

    name: str
    url: str = field(default="", repr=False)

    @property
    def key(self) -> str:
        """Name it in what is remembered, so that another address is another channel."""
        return digest(self.url)[:16] if self.url else self.name


LOG = Channel("log")


@dataclass(frozen=True)
class Told:
    """One time that a channel was told of an alarm, or was to be.

    Attributes:
        number: Of the times for this alarm and channel, from 1.
        is_recovery: Whether it was told that the alarm is over.
        state: Whether it is being told, was, or could not be.
        at: When that began.
        title: Of the alarm.
    """

    number: int
    is_recovery: bool
    state: State
    at: datetime
    title: str = ""


def is_silenced(channel: Channel, terms: Alarms, now: datetime) -> bool:
    """Say whether a channel is told nothing now; the log is told always."""
    return channel != LOG and terms.silence_until is not None and now < terms.silence_until


def is_due(alarm: Alarm, past: Sequence[Told], terms: Alarms, now: datetime) -> bool:
    """Say whether a channel is to be told: of an alarm once and again after hours, of its end once if it was told of the alarm.

    Args:
        alarm: What is to be told.
        past: What the channel was told of this alarm before, in order.
        terms: Of the use case.
        now: When.
    """
    if past and past[-1].state == "telling" and now - past[-1].at < PATIENCE:
        return False
    standing = standing_of(past)
    if alarm.is_recovery:
        return standing is not None
    return standing is None or now - standing.at >= timedelta(hours=terms.repeat_hours)


def standing_of(past: Iterable[Told]) -> Told | None:
    """Give the last time that a channel was told of an alarm that it does not know to be over; None where there is none."""
    told = [each for each in past if each.state == "told"]
    return told[-1] if told and not told[-1].is_recovery else None


def ended_by(flow: str) -> tuple[str, ...]:
    """Name the alarms about runs of a flow that are over when one ends well.

    >>> ended_by("monitor")
    ('run_failed.monitor', 'run_late.monitor', 'not_monitored')
    """
    return (f"{RUN_FAILED}.{flow}", f"{RUN_LATE}.{flow}", *((NOT_MONITORED,) if flow == "monitor" else ()))


def channels(terms: Alarms, configured: str) -> tuple[Channel, ...]:
    """Give the channels of a use case: those it names, or else all that are configured; the log comes first.

    Args:
        terms: Of the use case.
        configured: What `EVERGREEN_ALARMS` says: addresses with blanks between them, each with a name before it (`NAME=`) or without.

    Raises:
        UsageError: an address is none, or a name is that of no channel.
    """
    known = [_parse(text, f"{SETTING}, address {place}") for place, text in enumerate(configured.split(), 1)]
    if not terms.to:
        return (LOG, *dict.fromkeys(known))
    named = {channel.name: channel for channel in known}
    found: list[Channel] = []
    for place, text in enumerate(terms.to, 1):
        if "://" in text:
            found.append(_parse(text, f"alarms.to, address {place}"))
        elif text in named:
            found.append(named[text])
        elif _NAME.fullmatch(text):
            raise UsageError.unknown("channel", text, [name for name in named if _NAME.fullmatch(name)], where="alarms.to")
        else:  # perhaps an address that lost its beginning, and then it holds secrets
            message = f"alarms.to, address {place} is neither the name of a channel nor an address such as mailto://…"
            raise UsageError(message, where="alarms.to")
    return (LOG, *dict.fromkeys(found))


def _parse(text: str, where: str) -> Channel:
    found = _ADDRESS.fullmatch(text)
    if found is None:
        message = f"{where} is no address that Apprise knows; write SCHEME://… or NAME=SCHEME://…, such as mailto://… or slack://…"
        raise UsageError(message, where=where.partition(",")[0])
    return Channel(found["name"] or f"{found['scheme'].lower()} ({where})", found["url"])


def unknown_address(channel: Channel) -> UsageError:
    """Build the message for an address that Apprise cannot read, without it."""
    scheme = channel.url.partition("://")[0]
    message = (
        f"the address of channel {channel.name} is not one that Apprise reads as {scheme}://; its documentation says how it is written"
    )
    return UsageError(message, where=SETTING)


@dataclass(frozen=True)
class AlarmReport:
    """What became of what people were to be told.

    Attributes:
        use_case: Whose.
        code: Of the alarm.
        told: Names of the channels that were told now, the log aside.
        failed: Those that could not be.
        is_silenced: Whether nobody is told now.
        is_recovery: Whether it is over.
    """

    use_case: str
    code: str
    told: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    is_silenced: bool = False
    is_recovery: bool = False

    @property
    def state_name(self) -> str:
        """Name the run's final state."""
        if self.failed:
            return "Not delivered"
        return "Told" if self.told else "Silenced" if self.is_silenced else "Logged"

    @property
    def state_message(self) -> str:
        """Say in one sentence who was told."""
        what = f"{self.use_case}, {self.code}{' is over' * self.is_recovery}"
        parts = [f"{verb} {', '.join(names)}" for verb, names in (("told", self.told), ("could not tell", self.failed)) if names]
        if self.is_silenced:
            parts.append("told nobody, because alarms.silence_until is not over")
        return f"{what}: {'; '.join(parts) or 'logged; no channel is set that does not know it already'}"

    def as_json(self) -> dict[str, object]:
        """Give the document that scripts may rely on; keys are added, never renamed."""
        return {
            "use_case": self.use_case,
            "code": self.code,
            "told": [*self.told],
            "failed": [*self.failed],
            "silenced": self.is_silenced,
            "over": self.is_recovery,
        }


def describe(report: AlarmReport, _folder: str) -> str:
    """Give what a person reads of it."""
    return report.state_message
