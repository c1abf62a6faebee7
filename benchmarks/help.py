"""What `--help` costs in CPU seconds, beside an empty Python and one that imports pydantic.

Run: python benchmarks/help.py [TIMES]
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S = 0.6
FLOWS = ("train", "ingest", "score", "maintain")
QUESTIONS = ("preview", "init", "deployments")


def main(times: int) -> None:
    """Print the least of a few runs of each."""
    calls = {"python -c pass": ["-c", "pass"], "python -c 'import pydantic'": ["-c", "import pydantic"]}
    calls |= {f"python -m flows.{job} --help": ["-m", f"flows.{job}", "--help"] for job in FLOWS}
    calls |= {f"python -m flows {name} --help": ["-m", "flows", name, "--help"] for name in QUESTIONS}
    for told, arguments in calls.items():
        spent = min(cost(arguments) for _ in range(times))
        print(f"{told:<40}{spent:>8.3f} s{spent / LIMIT_S:>8.0%} of what is allowed")


def cost(arguments: list[str]) -> float:
    """Give the CPU seconds of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
