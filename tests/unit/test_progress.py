"""Progress of a long task: one live line on a terminal, some lines in a log."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING

import pytest

from flows import _running
from tasks.adapters import steps

if TYPE_CHECKING:
    from collections.abc import Iterator


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def loggers() -> Iterator[None]:
    """Give the loggers back as they were."""
    named = [logging.getLogger(name) for name in ("", "evergreen", "evergreen.steps")]
    before = [([*each.handlers], each.level, each.propagate) for each in named]
    yield
    for each, (handlers, level, propagate) in zip(named, before, strict=True):
        each.handlers, each.propagate = handlers, propagate
        each.setLevel(level)


@pytest.mark.usefixtures("loggers")
def test_on_a_terminal_steps_share_one_line_that_other_news_replace() -> None:
    stream = Terminal()
    _running.show_progress(stream)
    for step in steps.told("fitted", range(12), 12):
        if step == 4:
            logging.getLogger("evergreen").info("a word between")
    lines = stream.getvalue().split("\n")
    assert len(lines) == 3
    assert lines[0].endswith("a word between")
    assert "\r\x1b[K" in lines[0]
    assert "fitted 6 of 12" in lines[1]
    assert "left" in lines[1]
    assert lines[1].rsplit("\r", 1)[1].count("fitted 12 of 12") == 1
    assert "fitted 10 of 12\n" not in stream.getvalue()


@pytest.mark.usefixtures("loggers")
def test_in_a_log_each_tenth_step_and_the_last_one_are_lines() -> None:
    stream = io.StringIO()
    _running.show_progress(stream)
    assert list(steps.told("fitted", "abcdefghijkl", 12)) == list("abcdefghijkl")
    assert [line.split("s  ")[1] for line in stream.getvalue().splitlines()] == ["fitted 10 of 12", "fitted 12 of 12"]
