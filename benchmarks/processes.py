"""What a whole command costs, with the processes that it starts; for the other programs here."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

HEADER = f"{'':<34}{'CPU s':>8}{'wall s':>8}{'peak MB':>9}{'largest process MB':>20}"


@dataclass
class Cost:
    """CPU and wall seconds; the peak of the resident bytes of all processes together, and of the largest one."""

    cpu: float = 0.0
    wall: float = 0.0
    together: int = 0
    largest: int = 0

    def as_row(self, what: str) -> str:
        """Write a line of the table that `HEADER` begins."""
        return f"{what:<34}{self.cpu:>8.1f}{self.wall:>8.1f}{self.together / 2**20:>9,.0f}{self.largest / 2**20:>20,.0f}"


def cost_of(folder: Path, *arguments: str) -> Cost:
    """Run this interpreter in a folder, with the project's code and none of its settings."""
    theirs = {name: value for name, value in os.environ.items() if not name.startswith(("EVERGREEN_", "PREFECT_", "MLFLOW_"))}
    environment = {**theirs, "PREFECT_HOME": str(folder / "prefect"), "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    start, cost, cpu = time.perf_counter(), Cost(), dict[int, float]()
    process = psutil.Popen([sys.executable, *arguments], cwd=folder, env=environment)
    while process.poll() is None:
        sizes = _look(process, cpu)
        cost.together, cost.largest = max(cost.together, sum(sizes)), max(cost.largest, *sizes, 0)
        time.sleep(0.05)
    if process.returncode:
        sys.exit(f"{' '.join(arguments)} ended with {process.returncode}")
    cost.cpu, cost.wall = sum(cpu.values()), time.perf_counter() - start
    return cost


def _look(process: psutil.Process, cpu: dict[int, float]) -> list[int]:
    """Give the resident bytes of a process and of each that it started; note the CPU seconds of each."""
    sizes: list[int] = []
    with suppress(psutil.NoSuchProcess):
        for each in [process, *process.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess), each.oneshot():
                sizes.append(each.memory_info().rss)
                times = each.cpu_times()
                cpu[each.pid] = times.user + times.system
    return sizes
