"""How far a long task is, in words."""

from __future__ import annotations

WIDTH = 24


def line(what: str, done: int, total: int, seconds: float) -> str:
    """Draw how much is done after so many seconds, and say how long the rest will take at that pace.

    >>> line("fitted", 10, 40, 30.0)
    'fitted 10 of 40  ━━━━━━──────────────────  about 1:30 left'
    """
    filled = WIDTH * done // total
    left = round(seconds / done * (total - done))
    rest = f"about {left // 60}:{left % 60:02} left" if done < total else f"{round(seconds)} s"
    return f"{what} {done} of {total}  {'━' * filled}{'─' * (WIDTH - filled)}  {rest}"
