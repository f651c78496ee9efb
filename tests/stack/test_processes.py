"""Child processes: their logs, their end, and the end of the parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from devstack.processes import ROOT, Child, ServiceError, folder_or_temporary
from tests.clock import wait_until
from tests.processes import is_running

pytestmark = pytest.mark.slow

SLEEP = "import time; time.sleep(600)"
# A child that ignores SIGTERM, starts another child and prints its id.
STUBBORN = f"""
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(subprocess.Popen([sys.executable, "-c", {SLEEP!r}]).pid, flush=True)
time.sleep(600)
"""


def python(code: str) -> list[str]:
    return [sys.executable, "-u", "-c", code]


def wait_for_text(file: Path) -> str:
    return wait_until(
        lambda: text if file.exists() and (text := file.read_text()).endswith("\n") else "", f"{file} has a line"
    )


def test_a_child_that_prints_its_url_is_ready(tmp_path: Path) -> None:
    """The URL is the first line that looks like one, whatever else is printed."""
    child = Child("it", python(f"print('hello\\nhttp://127.0.0.1:1\\nbye'); {SLEEP}"), tmp_path / "log")
    try:
        assert child.announced_url() == "http://127.0.0.1:1"
    finally:
        child.kill()


def test_a_child_that_ends_before_it_is_ready_is_quoted(tmp_path: Path) -> None:
    """The error has the name, the exit code and the last output."""
    child = Child("The thing", python("import sys; sys.exit('no room left')"), tmp_path / "log")
    with pytest.raises(ServiceError, match=r"The thing ended with code 1\.(.|\n)*no room left"):
        child.announced_url()
    child.kill()


def test_a_child_that_is_never_ready_is_an_error(tmp_path: Path) -> None:
    """The wait has a limit."""
    child = Child("The thing", python(SLEEP), tmp_path / "log")
    try:
        with pytest.raises(ServiceError, match="The thing was not ready after 0 seconds"):
            child.announced_url(seconds=0.2)
    finally:
        child.kill()


def test_stopping_ends_the_whole_group(tmp_path: Path) -> None:
    """A child that ignores the signal is killed, with the processes that it started."""
    log = tmp_path / "log"
    child = Child("it", python(STUBBORN), log)
    grandchild = int(wait_for_text(log))
    child.stop(seconds=0.2)
    assert not is_running(child.pid)
    assert not is_running(grandchild)


def test_stopping_twice_is_fine(tmp_path: Path) -> None:
    """A child that a test killed is stopped again by its owner."""
    child = Child("it", python(SLEEP), tmp_path / "log")
    child.kill()
    child.stop()
    with pytest.raises(ServiceError, match="ended with code -9"):
        child.check()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_when_the_parent_is_ended_by_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    """Whatever the signal: no child, no grandchild and no temporary folder."""
    temporary, log = tmp_path / "temporary", tmp_path / "log"
    temporary.mkdir()
    code = f"""
        import time
        from pathlib import Path
        from devstack.processes import Child
        child = Child("it", {python(STUBBORN)!r}, Path({str(log)!r}), temporary=Path({str(temporary)!r}))
        print(child.pid, flush=True)
        time.sleep(600)
    """
    parent = subprocess.Popen(
        python(textwrap.dedent(code)), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    grandchild = int(wait_for_text(log))
    parent.send_signal(number)
    parent.wait(60)
    parent.stdout.close()
    try:
        wait_until(
            lambda: not (is_running(child) or is_running(grandchild) or temporary.exists()), "nothing is left"
        )
    except AssertionError:
        os.killpg(child, signal.SIGKILL)
        raise


def test_a_temporary_folder_is_removed_and_a_given_one_stays(tmp_path: Path) -> None:
    """A given folder is created with its parents."""
    with folder_or_temporary(None) as temporary, folder_or_temporary(tmp_path / "a" / "b") as given:
        (temporary / "file").touch()
        (given / "file").touch()
    assert not temporary.exists()
    assert (tmp_path / "a" / "b" / "file").exists()
