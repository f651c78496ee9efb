"""The local stack: S3, a search server, and the simulator on 127.0.0.1: ``python -m devstack.stack``.

The simulator serves CloudTrail, STS, EC2 and Organizations.

It prints a line ``NAME=URL`` for each service and runs until Ctrl-C. Unknown options are passed to the simulator.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import signal
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, Self

from cloudtrail_elasticsearch.core.errors import LoaderError
from cloudtrail_elasticsearch.core.search.server import Engine
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.aws import AwsServices
from devstack.endpoints import SEARCH_URL, Endpoints
from devstack.processes import ROOT, Child, ServiceError, module
from devstack.search_server import DISTRIBUTIONS, OPENSEARCH_3, Distribution, DownloadError, SearchServer


@dataclass(frozen=True, slots=True)
class StackSettings:
    """The parts of the stack, and the folder of its state.

    :param search_url: a running search server to use instead of `search`; from CLOUDTRAIL_SEARCH_URL if set
    :param simulator: options for ``python -m devstack.simulator``
    """

    state: Path = ROOT / ".demo" / "stack"
    search: Distribution = OPENSEARCH_3
    search_url: str | None = field(default_factory=lambda: os.environ.get(SEARCH_URL) or None)
    heap: str = "1g"
    simulator: Sequence[str] = ()


class Stack:
    """Starts the services on entering and ends them on leaving; indices and buckets stay in the state folder."""

    def __init__(self, settings: StackSettings | None = None) -> None:
        self._settings = settings or StackSettings()
        self._children: list[Child] = []

    def __enter__(self) -> Self:
        state = self._settings.state.resolve()
        with contextlib.ExitStack() as stack:
            stack.enter_context(_claimed(state))
            cloudtrail = self._start_simulator(stack, state)
            aws = stack.enter_context(AwsServices(state / "aws"))
            self._children.append(aws.process)
            search, engine = self._start_search(stack, state)
            self.endpoints = Endpoints(aws.endpoint_url, cloudtrail, search, engine)
            self._leave = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave.close()

    @property
    def search_url(self) -> str:
        """The address of the search server."""
        return self.endpoints.search

    def environment(self) -> dict[str, str]:
        """Return the environment variables that make boto3 and Airflow use the stack and nothing else."""
        return self.endpoints.environment()

    def create_bucket(self, name: str) -> None:
        """Create a bucket, unless an earlier run created it."""
        self.endpoints.client("s3").create_bucket(Bucket=name)

    def lookup_calls(self) -> int:
        """Return the number of LookupEvents requests to the simulator since its start."""
        with urllib.request.urlopen(f"{self.endpoints.cloudtrail}/_control/statistics", timeout=30) as answer:
            return sum(int(region["calls"]) for region in json.load(answer).values())

    def check(self) -> None:
        """Check that every service still runs.

        :raises ServiceError: a service ended by itself; the message quotes its log
        """
        for child in self._children:
            child.check()

    def _start_simulator(self, stack: contextlib.ExitStack, state: Path) -> str:
        command = module("devstack.simulator", *self._settings.simulator)
        simulator = Child("The CloudTrail simulator", command, state / "simulator.log")
        stack.callback(simulator.stop)
        self._children.append(simulator)
        return simulator.announced_url()

    def _start_search(self, stack: contextlib.ExitStack, state: Path) -> tuple[str, Engine]:
        if self._settings.search_url:
            url = self._settings.search_url.rstrip("/")
            return url, connect(SearchSettings.from_url(url)).engine
        search = self._settings.search
        server = SearchServer(search, state / search.name, self._settings.heap)
        stack.enter_context(server)
        self._children.append(server.process)
        return server.url, search.engine


def main() -> int:
    """Run the stack until a signal ends it."""
    parser = argparse.ArgumentParser(prog="python -m devstack.stack", description=__doc__)
    parser.add_argument(
        "--state", type=Path, default=StackSettings().state, help="the folder of indices and buckets"
    )
    parser.add_argument("--search", choices=DISTRIBUTIONS, default=OPENSEARCH_3.name, help="the search server")
    parser.add_argument("--heap", default=StackSettings().heap, help="the search server's Java heap")
    known, others = parser.parse_known_args()
    settings = StackSettings(known.state, DISTRIBUTIONS[known.search], heap=known.heap, simulator=others)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _run(settings)
    except KeyboardInterrupt:
        return 0
    except (ServiceError, DownloadError, LoaderError) as error:
        print(error, file=sys.stderr)
        return 1


def _run(settings: StackSettings) -> NoReturn:
    with Stack(settings) as stack:
        for name, url in stack.endpoints.urls.items():
            print(f"{name}={url}", flush=True)
        while True:
            stack.check()
            time.sleep(1)


@contextlib.contextmanager
def _claimed(state: Path) -> Iterator[None]:
    state.mkdir(parents=True, exist_ok=True)
    with (state / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServiceError(
                f"A stack is already running with its state in {state}: stop it, or set another --state."
            ) from None
        yield


if __name__ == "__main__":
    sys.exit(main())
