"""Programs that outlive whoever started them: each with a log and a note of its process, all with a mark by which they are found.

Whatever such a program starts inherits the mark. So nothing of it is missed when it is ended, whoever was killed before.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tasks.core.errors import StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import psutil

LOOPBACK = "127.0.0.1"
MARK = "STARTED_BY_EVERGREEN_UP"
SHOWN_COMMAND = 60
KILLED_WITHIN_S = 5


@dataclass(frozen=True)
class Note:
    """A program that was started: its process, when that began, and the port that it serves; 0 for none."""

    pid: int
    start: float
    port: int


class Programs:
    """The programs of one home."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "stack"
        self._mark = str(home)

    def log_of(self, name: str) -> Path:
        """Name the file that a program writes to."""
        return self.folder / f"{name}.log"

    def find(self, name: str) -> Note | None:
        """Find a program that lives."""
        note = self.noted(name)
        return note if note and _process(note) else None

    def noted(self, name: str) -> Note | None:
        """Give what was noted of a program when it was last started, unless that was forgotten; it may have been killed since."""
        try:
            return Note(**json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def forget(self) -> None:
        """Forget what was noted of programs that have ended."""
        for path in self.folder.glob("*.json"):
            if self.find(path.stem) is None:
                path.unlink()

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path, port: int = 0, sockets: Sequence[int] = ()
    ) -> int:
        """Start a program in a session of its own, and give its process.

        Raises:
            StoreError: it cannot be started, or its log not be written.
        """
        import psutil

        try:
            process = self._begin(name, command, environment, folder, sockets)
            process.returncode = 0  # whoever starts it does not wait for its end
            note = Note(process.pid, psutil.Process(process.pid).create_time(), port)
            partial = self.folder / f"{name}.partial"
            partial.write_text(json.dumps(asdict(note)), encoding="utf-8")
            partial.replace(self.folder / f"{name}.json")
        except OSError as error:
            message = f"{name} cannot be started: {error.strerror} ({error.filename or command[0]})"
            raise StoreError(message, where=name) from error
        return process.pid

    def run(self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> int:
        """Run a program to its end, and give its exit code.

        Raises:
            StoreError: it cannot be started, or its log not be written.
        """
        try:
            return self._begin(name, command, environment, folder).wait()
        except OSError as error:
            message = f"{name} cannot be started: {error.strerror} ({error.filename or command[0]})"
            raise StoreError(message, where=name) from error

    def _begin(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], folder: Path, sockets: Sequence[int] = ()
    ) -> subprocess.Popen[bytes]:
        self.folder.mkdir(exist_ok=True)
        path = self.log_of(name)
        if path.exists():  # it may say why the program ended
            path.replace(path.with_suffix(".before.log"))
        with path.open("wb") as log:
            return subprocess.Popen(
                list(command),
                cwd=folder,
                env={**environment, MARK: self._mark},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=list(sockets),
                start_new_session=True,
            )

    def tree(self, name: str) -> list[psutil.Process]:
        """List the processes of a program that lives, its own first."""
        import psutil

        note = self.find(name)
        process = _process(note) if note else None
        try:
            return [process, *process.children(recursive=True)] if process else []
        except psutil.NoSuchProcess:
            return []

    def last_words(self, name: str) -> str:
        """Give the last line of a program's log."""
        try:
            lines = self.log_of(name).read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def processes(self) -> list[psutil.Process]:
        """List every living process of the programs: those that were started, and what they started."""
        import psutil

        found: list[psutil.Process] = []
        for process in psutil.process_iter():
            try:
                if process.pid != os.getpid() and process.environ().get(MARK) == self._mark and _lives(process):
                    found.append(process)
            except (psutil.Error, OSError):
                continue  # somebody else's, or gone
        return found


def _process(note: Note) -> psutil.Process | None:
    import psutil

    try:
        process = psutil.Process(note.pid)
        return process if _lives(process) and abs(process.create_time() - note.start) < 1 else None
    except psutil.NoSuchProcess:
        return None


def _lives(process: psutil.Process) -> bool:
    import psutil

    try:
        # A killed process stays listed until its parent asks for it; in a container that may be never.
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def tell(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    """Send processes a signal; those that are gone are."""
    import psutil

    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue


def wait(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Wait until processes have ended, and give those that have not."""
    deadline = time.monotonic() + seconds
    while left := [process for process in processes if _lives(process)]:
        if time.monotonic() > deadline:
            return left
        time.sleep(0.05)
    return []


def end(processes: Sequence[psutil.Process], seconds: float) -> int:
    """Ask processes to end, kill those that have not after some seconds, and count them."""
    tell(processes, signal.SIGTERM)
    left = wait(processes, seconds)
    tell(left, signal.SIGKILL)
    wait(left, KILLED_WITHIN_S)
    return len(processes)


def listen(port: int, name: str) -> socket.socket:
    """Listen on a port of this machine alone.

    Raises:
        UsageError: somebody else does.
    """
    listener = socket.socket()
    # Connections of a server that was ended linger for a minute, and hinder nobody.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        option, used = f"--{name}-port", _user_of(port) or error.strerror
        message = f"port {port}, for {name}, is not free: {used}; end that, or choose another: evergreen up {option} {_free_port()}"
        raise UsageError(message, where=option) from error
    return listener


def _user_of(port: int) -> str:
    """Say who listens on a port, as far as this account may know."""
    import psutil

    for process in psutil.process_iter():
        try:
            if any(c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.port == port for c in process.net_connections("inet")):
                return f"process {process.pid} has it ({' '.join(process.cmdline())[:SHOWN_COMMAND]})"
        except (psutil.Error, OSError):
            continue
    return ""


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        return listener.getsockname()[1]
