"""`python -m flows` lists what can be asked; `python -m flows <job>` asks it. The console script `evergreen` is the same."""

from __future__ import annotations

import sys

from flows import _entry


def main() -> None:
    """Answer the question or run the job that the command line names, or list them all."""
    name, *rest = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help"):
        print(_entry.overview())
    elif name == "demo":
        _entry.play(rest)
    elif name in _entry.QUESTIONS:
        _entry.answer(name, rest)
    else:
        _entry.main(name, rest)


if __name__ == "__main__":
    main()
