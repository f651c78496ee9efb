"""Child processes that end with us: at the end of a block, on Ctrl-C, and when we are killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

from devstack import guard

ROOT: Final = Path(__file__).resolve().parents[1]
_POLL_SECONDS: Final = 0.05
_TAIL_LINES: Final = 20

Ready = TypeVar("Ready")


class ServiceError(RuntimeError):
    """A service did not start, or ended by itself; the message quotes the end of its log."""


class Child:
    """A process in its own group, with a log file, and with a guard that ends the group if we are killed.

    :param temporary: a folder that the guard removes if we are killed before `stop` or `kill`
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        temporary: Path | None = None,
    ) -> None:
        self.name = name
        self._log = log
        self._guard = _start_guard(temporary)
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._tell_guard(self.pid)

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its group."""
        return self._process.pid

    def wait_until(self, ready: Callable[[], Ready | None], seconds: float) -> Ready:
        """Return the first value of ``ready`` that is not None.

        :raises ServiceError: the process ended first, or the time is over
        """
        deadline = time.monotonic() + seconds
        while (answer := ready()) is None:
            self.check()
            if time.monotonic() > deadline:
                raise ServiceError(f"{self.name} was not ready after {seconds:.0f} seconds. {self._last_words()}")
            time.sleep(_POLL_SECONDS)
        return answer

    def announced_url(self, seconds: float = 60) -> str:
        """Return the URL that the process prints on a line of its own when it listens."""
        return self.wait_until(self._printed_url, seconds)

    def check(self) -> None:
        """Check that the process runs.

        :raises ServiceError: it ended
        """
        code = self._process.poll()
        if code is not None:
            raise ServiceError(f"{self.name} ended with code {code}. {self._last_words()}")

    def end(self, seconds: float) -> int:
        """Wait until the process ends by itself, and return its exit code.

        :raises ServiceError: it has not ended in time
        """
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise ServiceError(f"{self.name} has not ended after {seconds:.0f} s. {self._last_words()}") from None

    def stop(self, seconds: float = 20) -> None:
        """Ask the group to end; after these seconds, kill the processes that are left."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        self.kill()

    def kill(self) -> None:
        """Kill the group at once, like ``kill -9``, and wait until it is gone."""
        self._signal(signal.SIGKILL)
        self._process.wait()
        guard.kill_group(self.pid)
        self._tell_guard("released")
        with contextlib.suppress(BrokenPipeError):
            self._guard.communicate()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def _tell_guard(self, word: object) -> None:
        assert self._guard.stdin is not None
        with contextlib.suppress(BrokenPipeError, ValueError):  # the guard is gone, or was released before
            self._guard.stdin.write(f"{word}\n".encode())

    def _printed_url(self) -> str | None:
        lines = self._log.read_text(errors="replace").splitlines(keepends=True)
        return next((line.strip() for line in lines if line.startswith("http") and line.endswith("\n")), None)

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
        return "\n".join([f"The end of {self._log}:", *(f"  {line}" for line in lines)])


def module(name: str, *arguments: str) -> list[str]:
    """Return the command that runs one of our modules as a process."""
    return [sys.executable, "-u", "-m", name, *arguments]


@contextlib.contextmanager
def folder_or_temporary(given: Path | None) -> Iterator[Path]:
    """Yield the given folder, created if necessary; else a temporary one that is removed at the end."""
    if given is None:
        with tempfile.TemporaryDirectory(prefix="devstack-", ignore_cleanup_errors=True) as temporary:
            yield Path(temporary)
    else:
        given.mkdir(parents=True, exist_ok=True)
        yield given.resolve()


def _start_guard(temporary: Path | None) -> subprocess.Popen[bytes]:
    arguments = [str(temporary)] if temporary else []
    return subprocess.Popen(
        [sys.executable, "-I", "-S", guard.__file__, *arguments],
        stdin=subprocess.PIPE,
        bufsize=0,
        start_new_session=True,
    )
