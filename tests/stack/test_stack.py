"""The whole stack as a command and as a context manager, with the search server of the test run."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from devstack.endpoints import SEARCH_URL
from devstack.processes import ROOT, ServiceError
from devstack.search_server import DISTRIBUTIONS
from devstack.stack import Stack, StackSettings, main
from tests.clock import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("stack")]

QUIET = ("--volume", "0", "--latency", "0")
NAMES = [
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_CLOUDTRAIL",
    "AWS_ENDPOINT_URL_EC2",
    "AWS_ENDPOINT_URL_ORGANIZATIONS",
    "AWS_ENDPOINT_URL_STS",
    SEARCH_URL,
]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, search_url: str) -> Iterator[Stack]:
    settings = StackSettings(tmp_path_factory.mktemp("stack"), search_url=search_url, simulator=QUIET)
    with Stack(settings) as stack:
        yield stack


@contextlib.contextmanager
def command(state: Path, search_url: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """The stack as a process, and the URLs in its output."""
    process = subprocess.Popen(
        [sys.executable, "-m", "devstack.stack", "--state", str(state), *QUIET],
        cwd=ROOT,
        env={**os.environ, SEARCH_URL: search_url},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout as output:
        try:
            lines = [output.readline().rstrip("\n") for _ in NAMES]
            yield process, dict(line.split("=", 1) for line in lines)
        finally:
            process.kill()
            process.wait()


def connects(call: Callable[[], Any]) -> bool:
    try:
        call()
    except Exception:  # noqa: BLE001 - for any error, nothing answers
        return False
    return True


def in_environment(environment: dict[str, str], code: str) -> str:
    """Return the output of a Python process that has only this environment."""
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True, cwd=ROOT
    )
    return done.stdout.strip()


def test_an_unmodified_boto3_uses_the_stack(stack: Stack) -> None:
    """CloudTrail answers from the simulator, the other services from moto, all for the same account."""
    code = (
        "import boto3\n"
        "print(boto3.client('sts').get_caller_identity()['Account'],"
        " len(boto3.client('ec2').describe_regions()['Regions']),"
        " boto3.client('s3').list_buckets()['Buckets'],"
        " boto3.client('cloudtrail').lookup_events(MaxResults=1)['Events'])"
    )
    before = stack.lookup_calls()
    assert in_environment(stack.environment(), code) == "123456789012 17 [] []"
    assert stack.lookup_calls() == before + 1


def test_airflow_reads_the_connections(stack: Stack) -> None:
    """With the connection's JSON from the environment, our hook reaches the search server."""
    code = (
        "from cloudtrail_elasticsearch.hooks.search import SearchHook\n"
        "server = SearchHook('elasticsearch_default').get_conn()\n"
        "server.request('GET', '/_cluster/health')\n"
        "print(server.engine)"
    )
    environment = stack.environment() | {"AIRFLOW_HOME": os.environ["AIRFLOW_HOME"]}
    assert in_environment(environment, code).splitlines()[-1] == stack.endpoints.engine


def test_a_user_and_password_in_the_search_url_reach_the_connection(tmp_path: Path, opensearch: str) -> None:
    """They are decoded, and are not part of the host."""
    url = opensearch.replace("http://", "http://admin:p%40ss@")
    with Stack(StackSettings(tmp_path, search_url=url, simulator=QUIET)) as stack:
        connection = json.loads(stack.environment()["AIRFLOW_CONN_ELASTICSEARCH_DEFAULT"])
    assert (connection["login"], connection["password"], connection["host"]) == ("admin", "p@ss", "127.0.0.1")
    assert (connection["conn_type"], connection["extra"]) == ("cloudtrail_search", {"engine": "opensearch"})


def test_a_bucket_exists_when_the_stack_runs_again(tmp_path: Path, opensearch: str) -> None:
    """Creating it a second time changes nothing."""
    settings = StackSettings(tmp_path, search_url=opensearch, simulator=QUIET)
    with Stack(settings) as stack:
        stack.create_bucket("staging")
        stack.endpoints.client("s3").put_object(Bucket="staging", Key="key", Body=b"kept")
    with Stack(settings) as stack:
        stack.create_bucket("staging")
        kept = stack.endpoints.client("s3").get_object(Bucket="staging", Key="key")
        assert kept["Body"].read() == b"kept"


def test_two_stacks_do_not_share_their_state(stack: Stack, tmp_path: Path, opensearch: str) -> None:
    """The second is rejected with the name of the folder, and the first continues."""
    settings = StackSettings(tmp_path, search_url=opensearch, simulator=QUIET)
    with (
        Stack(settings),
        pytest.raises(ServiceError, match="A stack is already running with its state in"),
        Stack(settings),
    ):
        pytest.fail("it started")
    stack.check()


def test_a_service_that_ends_by_itself_is_noticed(tmp_path: Path, opensearch: str) -> None:
    """The check names it."""
    with Stack(StackSettings(tmp_path, search_url=opensearch, simulator=QUIET)) as stack:
        stack.check()
        simulator = next(child for child in stack._children if "simulator" in child.name)
        simulator.kill()
        with pytest.raises(ServiceError, match="The CloudTrail simulator ended with code"):
            stack.check()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_command_prints_its_urls_and_ends_its_services(
    tmp_path: Path, opensearch: str, number: signal.Signals
) -> None:
    """One NAME=URL per line, including the given search server, the only one that continues afterwards."""
    with command(tmp_path, opensearch) as (process, urls):
        assert list(urls) == NAMES
        assert urls[SEARCH_URL] == opensearch
        calls = (
            boto3.client("s3", endpoint_url=urls["AWS_ENDPOINT_URL_S3"]).list_buckets,
            boto3.client("sts", endpoint_url=urls["AWS_ENDPOINT_URL_STS"]).get_caller_identity,
            boto3.client("ec2", endpoint_url=urls["AWS_ENDPOINT_URL_EC2"]).describe_regions,
        )
        now = datetime.now(UTC)
        boto3.client("cloudtrail", endpoint_url=urls["AWS_ENDPOINT_URL_CLOUDTRAIL"]).lookup_events(
            StartTime=now - timedelta(hours=1), EndTime=now
        )
        assert all(connects(call) for call in calls)
        process.send_signal(number)
        assert process.wait(60) == (0 if number != signal.SIGKILL else -signal.SIGKILL)
        wait_until(lambda: not any(connects(call) for call in calls), "the services have ended with the stack")


@pytest.mark.parametrize(
    ("arguments", "search_url", "said"),
    [
        (["--volume", "many"], "http://127.0.0.1:1", "invalid int value: 'many'"),
        ([*QUIET], "http://127.0.0.1:1", "127.0.0.1:1"),
    ],
    ids=["an option that the simulator does not take", "a search server that does not answer"],
)
def test_a_failed_start_is_reported(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    search_url: str,
    said: str,
) -> None:
    """The command fails with the reason on stderr and no URL on stdout."""
    monkeypatch.setenv(SEARCH_URL, search_url)
    monkeypatch.setattr(sys, "argv", ["stack", "--state", str(tmp_path), *arguments])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert main() == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert said in output.err


def test_servers_are_named_by_engine_and_major_version() -> None:
    """The command line uses these names."""
    assert list(DISTRIBUTIONS) == ["opensearch-3", "opensearch-2", "elasticsearch-9", "elasticsearch-8"]
