"""Verbs on alarms: tell each channel once, again after hours, and when it is over."""

from __future__ import annotations

import functools
import logging
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from tasks import record
from tasks.adapters import alarms, home, ledger, projects, told
from tasks.core.alarms import ACTION_FAILED, LOG, RUN_FAILED, Alarm, AlarmReport, Told, channels, ended_by, is_due, is_silenced
from tasks.core.deployments import ALL
from tasks.core.errors import EvergreenError, StoreError, UnsafeModelError, UsageError
from tasks.core.monitoring import CHAMPION_UNUSABLE
from tasks.core.names import dashed, on_one_line
from tasks.core.page import shorten
from tasks.core.snapshot import Case
from tasks.core.use_case import MAX_NAME, UseCase
from tasks.record import task

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Sequence

    from tasks.core.alarms import Channel, State
    from tasks.core.options import AlarmOptions
    from tasks.core.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")
LONGEST_TITLE = 90
log = logging.getLogger("evergreen")


def find_case(name: str | None) -> Case:
    """Find the use case whose channels are told; a file that is missing or wrong must not lose an alarm, so then all channels are."""
    settings = home.settings()
    home.prepare(settings.home)
    found: UseCase | None = None
    try:
        found = projects.load_use_case(name, settings.project) if name else None
    except UsageError as error:
        log.warning("%s; so all channels of EVERGREEN_ALARMS are told", error.message)
    return Case(found or UseCase(name=dashed(name)[:MAX_NAME] if name else ALL), settings, None)


def raised(case: Case, options: AlarmOptions) -> list[Alarm]:
    """Give the alarm that a call raises; none where it says that it is over.

    Raises:
        UsageError: it does not say what is the matter.
    """
    if options.over:
        return []
    text = options.text.strip()
    if not text:
        message = "say what is the matter, with --text TEXT, or that it is --over"
        raise UsageError(message, where="--text")
    return [Alarm(case.name, options.code, shorten(text.splitlines()[0], LONGEST_TITLE), text, options.link)]


def check_channels(case: Case) -> tuple[Channel, ...]:
    """Give the channels of a use case, the log first; whoever does much before an alarm can be raised calls this before.

    Raises:
        UsageError: an address is none, or a name is that of no channel.
    """
    found = channels(case.use_case.alarms, case.settings.alarms.get_secret_value())
    alarms.check(channel for channel in found if channel != LOG)
    return found


@task
def notify(case: Case, raised: Sequence[Alarm], *, watched: Collection[str]) -> tuple[AlarmReport, ...]:
    """Tell of what is raised and not known, and of what was told and is over; what is not delivered is tried again next time.

    Args:
        case: Whose channels.
        raised: Alarms, one for each code.
        watched: Codes that were looked at; those of them that are not raised are over.

    Returns:
        What became of each alarm and of each watched code that is not raised, in that order.

    Raises:
        UsageError: an address is none, or a name is that of no channel.
    """
    known = check_channels(case)
    raised = [replace(alarm, link=case.settings.link_to(alarm.link)) for alarm in raised]
    for alarm in raised:
        log.warning("alarm: %s", alarm.line)
    if not _can_remember(case.settings):
        return tuple(_tell_again(alarm, known) for alarm in raised)
    over = sorted(set(watched) - {alarm.code for alarm in raised})
    return tuple(_tell(case, alarm, known) for alarm in [*raised, *(_recovery(case, code) for code in over)])


@contextmanager
def telling_of_loss(case: Case) -> Generator[None]:
    """Tell people when a champion cannot be used, and let it be refused all the same; a look that could use it says that this is over."""
    try:
        yield
    except (StoreError, UnsafeModelError) as error:
        notify(case, [Alarm(case.name, CHAMPION_UNUSABLE, "the champion cannot be used", error.message)], watched=())
        raise


@contextmanager
def telling_of_training(case: Case) -> Generator[None]:
    """Tell people when a training fails that is no run of a deployment, which Prefect watches, and let it fail all the same."""
    try:
        yield
    except Exception as error:
        text = error.message if isinstance(error, EvergreenError) else f"{type(error).__name__}: {error}"
        notify(case, [Alarm(case.name, f"{RUN_FAILED}.train", "the training that a look asked for failed", text)], watched=())
        raise


def ends_alarms(function: Callable[P, R]) -> Callable[P, R]:
    """Let a flow that ends well say that alarms about its runs are over: one that failed, came late, or could not be started."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        outcome = function(*args, **kwargs)
        asked = next(iter((*args, *kwargs.values())), None)
        use_case = getattr(outcome, "use_case", None) or getattr(asked, "use_case", None) or ALL
        _end(use_case, ended_by(function.__name__))
        if automation := record.started_by_automation():
            _end(ALL, (f"{ACTION_FAILED}.{automation}",))
        return outcome

    return run


def _end(use_case: str, codes: Collection[str]) -> None:
    """Tell that alarms are over if any stands; what hinders that is a warning, for the run itself ended well."""
    try:
        settings = home.settings()
        is_begun = settings.ledger_url or (settings.home / "ledger.db").exists()
        if is_begun and (standing := told.standing(settings.ledger_address, use_case, codes)):
            notify(find_case(use_case), (), watched=standing)
    except (StoreError, UsageError) as error:
        log.warning("whether alarms are over was not told: %s", error.message)


def _can_remember(settings: Settings) -> bool:
    """Create the stores where they are missing; where that fails an alarm is told all the same."""
    try:
        ledger.prepare(settings)
        with home.lock(settings.home, "stores"):
            told.create(settings.ledger_address)
    except StoreError as error:
        log.warning("alarms may be told twice: %s", error.message)
        return False
    return True


def _recovery(case: Case, code: str) -> Alarm:
    past = told.past(case.settings.ledger_address, Alarm(case.name, code, "", ""), LOG)
    return Alarm(case.name, code, past[-1].title if past else code, "This is over.", is_recovery=True)


def _tell_again(alarm: Alarm, known: Sequence[Channel]) -> AlarmReport:
    sent = {channel.name: alarms.send(alarm, channel) for channel in known if channel != LOG}
    failed = tuple(name for name, is_sent in sent.items() if not is_sent)
    return AlarmReport(alarm.use_case, alarm.code, tuple(name for name in sent if name not in failed), failed)


def _tell(case: Case, alarm: Alarm, known: Sequence[Channel]) -> AlarmReport:
    states = {channel.name: _tell_channel(case, alarm, channel) for channel in known}
    was_told, failed = (
        tuple(name for name, state in states.items() if state == which and name != LOG.name) for which in ("told", "failed")
    )
    silenced = any(is_silenced(channel, case.use_case.alarms, datetime.now(UTC)) for channel in known)
    return AlarmReport(case.name, alarm.code, was_told, failed, silenced, alarm.is_recovery)


def _tell_channel(case: Case, alarm: Alarm, channel: Channel) -> State | None:
    """Tell one channel if that is due and no other process does; None where it is not."""
    address, terms, now = case.settings.ledger_address, case.use_case.alarms, datetime.now(UTC)
    past = told.past(address, alarm, channel)
    if is_silenced(channel, terms, now) or not is_due(alarm, past, terms, now):
        return None
    telling = Told(past[-1].number + 1 if past else 1, alarm.is_recovery, "telling", now, on_one_line(alarm.title))
    if not told.claim(address, alarm, channel, telling):
        return None
    state = _deliver(alarm, channel)
    told.settle(address, alarm, channel, telling.number, state)
    return state


def _deliver(alarm: Alarm, channel: Channel) -> State:
    if channel == LOG:
        if alarm.is_recovery:
            log.info("alarm: %s", alarm.heading)
        return "told"
    if alarms.send(alarm, channel):
        return "told"
    log.warning(
        "alarm %s of %s did not reach channel %s, and is tried again next time; the program apprise -vv says why",
        alarm.code,
        alarm.use_case,
        channel.name,
    )
    return "failed"
