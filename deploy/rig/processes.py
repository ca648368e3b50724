"""A child process in a process group of its own, so that what it started in turn ends with it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path


class Process:
    """One started program; its output goes to a file."""

    def __init__(
        self,
        command: Sequence[str | os.PathLike[str]],
        output: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = Path(command[0]).name
        self.output = output
        with output.open("ab") as sink:
            self._child = subprocess.Popen(
                [os.fspath(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=None if env is None else dict(env),
                cwd=cwd,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The process id, which is the id of its group too."""
        return self._child.pid

    def running(self) -> bool:
        """Whether the program has not ended yet."""
        return self._child.poll() is None

    def exit_code(self) -> int | None:
        """The exit code, or None while it runs; below zero: the signal that ended it."""
        return self._child.poll()

    def wait(self, seconds: float) -> int:
        """Waits for the end and returns the exit code."""
        return self._child.wait(seconds)

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the program alone."""
        if self.running():
            os.kill(self.pid, number)

    def stop(self, seconds: float = 15.0) -> int:
        """Asks with SIGTERM, and kills the group when it has not ended in time. Returns the exit code."""
        self.send(signal.SIGTERM)
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        return self.kill()

    def kill(self) -> int:
        """Ends the whole group with SIGKILL, waits until it is gone, and returns the exit code."""
        self._signal_group(signal.SIGKILL)
        code = self._child.wait(10)
        deadline = time.monotonic() + 10
        while self._group_lives() and time.monotonic() < deadline:
            time.sleep(0.02)
        return code

    def tail(self, lines: int = 20) -> str:
        """The end of what it printed."""
        text = self.output.read_text(errors="replace") if self.output.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _signal_group(self, number: int) -> bool:
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def _group_lives(self) -> bool:
        """Whether any process of the group is left that is not a mere zombie."""
        if not self._signal_group(0):
            return False
        return any(_in_group(entry, self.pid) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _in_group(entry: Path, group: int) -> bool:
    try:
        fields = (entry / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return int(fields[2]) == group and fields[0] != "Z"
