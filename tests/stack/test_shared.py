"""Services that the workers of a run share."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
import xmlrpc.client
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from devstack.processes import ROOT
from devstack.shared import SharedServices, ask, served
from tests.clock import wait_until

pytestmark = pytest.mark.slow

TWO_TESTS = """
    import os, pathlib, pytest, time

    @pytest.mark.parametrize("number", range(2))
    def test_of_aws(aws, number):
        pathlib.Path({folder!r}, f"{{number}}.url").write_text(aws)
        time.sleep({seconds})
"""


@contextlib.contextmanager
def counted(started: list[str], ended: list[str]) -> Iterator[str]:
    started.append("it")
    time.sleep(0.1)
    yield f"http://it-{len(started)}"
    ended.append("it")


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=60):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def write_tests(folder: Path, seconds: float) -> None:
    (folder / "conftest.py").write_text("from tests.conftest import *\n")
    (folder / "test_it.py").write_text(textwrap.dedent(TWO_TESTS.format(folder=str(folder), seconds=seconds)))
    (folder / "pytest.ini").write_text("[pytest]\n")


def start_run(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pytest", "-p", "xdist", "-n", "2", "--rootdir", str(folder), str(folder)]
    # A killed run leaves its temporary files in TMPDIR. Loading the other plugins would take seconds.
    environment = {**os.environ, "TMPDIR": str(folder), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)


def wait_for_urls(folder: Path) -> list[str]:
    def urls() -> list[str]:
        found = [file.read_text() for file in folder.glob("*.url")]
        return found if len(found) == 2 and all(found) else []

    return wait_until(urls, "both tests have run")


def test_all_callers_get_the_same_service() -> None:
    """Requested by many threads over the network at once, it is started once; closing ends it."""
    started: list[str] = []
    ended: list[str] = []
    shared = SharedServices({"it": lambda: counted(started, ended)})
    with served(shared) as address, ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda _: ask(address, "it"), range(8))) == {"http://it-1"}
        assert ended == []
    shared.close()
    assert (started, ended) == (["it"], ["it"])


def test_an_unused_service_is_not_started() -> None:
    """A run of tests that need no server starts none."""
    started: list[str] = []
    shared = SharedServices({"it": lambda: counted(started, [])})
    with served(shared):
        pass
    shared.close()
    assert started == []


def test_every_caller_gets_the_reason_why_a_service_did_not_start() -> None:
    """The reason is kept, so later tests do not try and wait again."""
    tries: list[int] = []

    @contextlib.contextmanager
    def failing() -> Iterator[str]:
        tries.append(1)
        raise RuntimeError("no room left")
        yield

    with served(SharedServices({"it": failing})) as address:
        for _ in range(2):
            with pytest.raises(xmlrpc.client.Fault, match="no room left"):
                ask(address, "it")
    assert tries == [1]


def test_two_workers_use_one_server_which_ends_with_the_run(tmp_path: Path) -> None:
    """Both get the same address, and nothing answers there afterwards."""
    write_tests(tmp_path, seconds=0)
    assert start_run(tmp_path).wait() == 0
    urls = wait_for_urls(tmp_path)
    assert len(set(urls)) == 1
    assert not answers(urls[0])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_servers_end_with_an_interrupted_run(tmp_path: Path, number: signal.Signals) -> None:
    """After Ctrl-C and after a kill."""
    write_tests(tmp_path, seconds=600)
    run = start_run(tmp_path)
    url = wait_for_urls(tmp_path)[0]
    assert answers(url)
    run.send_signal(number)
    run.wait(60)
    wait_until(lambda: not answers(url), "the server has ended with the run")
