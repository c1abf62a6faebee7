"""Steps of a long task: each one for a terminal, each tenth for a log."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, TypeVar

from tasks.core import progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")
EACH = 10
log = logging.getLogger("evergreen")
live = logging.getLogger("evergreen.steps")  # only a terminal listens, and leaves out what `log` says of the same steps
live.propagate = False


def told(what: str, items: Iterable[T], total: int) -> Iterator[T]:
    """Yield items as they come, and tell of each how many are done and how long the others will take.

    Args:
        what: Was done to an item, such as `fitted`.
        items: What is worked through.
        total: How many there are.
    """
    began = time.monotonic()
    for done, item in enumerate(items, 1):
        live.info("%s", progress.line(what, done, total, time.monotonic() - began), extra={"is_last": done == total})
        if done % EACH == 0 or done == total:
            log.info("%s %s of %s", what, done, total, extra={"is_step": True})
        yield item
