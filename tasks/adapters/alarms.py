"""Alarms through Apprise: e-mail, chats, webhooks. Addresses hold secrets, which Apprise may log, so it is not let log."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tasks.core.alarms import unknown_address

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from apprise import Apprise

    from tasks.core.alarms import Alarm, Channel

TALKERS = ("apprise", "urllib3.connectionpool")


def check(channels: Iterable[Channel]) -> None:
    """Refuse addresses that Apprise cannot read, before anything depends on them.

    Raises:
        UsageError: one cannot be read.
    """
    for channel in channels:
        _service(channel)


def send(alarm: Alarm, channel: Channel) -> bool:
    """Tell a channel, within seconds, and say whether it took that.

    Raises:
        UsageError: its address cannot be read.
    """
    from apprise import NotifyFormat, NotifyType

    service = _service(channel)
    kind = NotifyType.SUCCESS if alarm.is_recovery else NotifyType.WARNING
    with _in_silence():
        return bool(service.notify(alarm.body, alarm.heading, kind, body_format=NotifyFormat.TEXT))


def _service(channel: Channel) -> Apprise:
    from apprise import Apprise

    service = Apprise()
    with _in_silence():
        plugin = Apprise.instantiate(channel.url, suppress_exceptions=True)  # `add` would take commas for borders of addresses
        if plugin is None or not service.add(plugin):
            raise unknown_address(channel)
    return service


@contextmanager
def _in_silence() -> Generator[None]:
    """Keep messages that may hold addresses with their secrets from every log."""
    talkers = [logging.getLogger(name) for name in TALKERS]
    before = [talker.disabled for talker in talkers]
    for talker in talkers:
        talker.disabled = True
    try:
        yield
    finally:
        for talker, was_disabled in zip(talkers, before, strict=True):
            talker.disabled = was_disabled
