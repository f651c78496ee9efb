"""Real services for the tests, shared by all workers of a run: a server is started when a test first asks for it.

Tests run side by side on the same servers: each names its indices with `unique_index_prefix` and has a `bucket`
of its own.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import signal
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
CORPUS = CHECKOUT.parent / "shared" / "cloudtrail-corpus"
SHARED_BY = "DEVSTACK_SHARED_BY"

_leave = contextlib.ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    """Keep tests away from any real account and Airflow home, and offer the services to the workers."""
    # A shell that starts us in the background has us ignore Ctrl-C, and whatever we start too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in [name for name in os.environ if name.startswith(("AWS_", "AIRFLOW_CONN_"))]:
        del os.environ[name]
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AIRFLOW__CORE__DAGS_FOLDER": str(CHECKOUT / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(CHECKOUT / "plugins"),
        "AIRFLOW_HOME": _leave.enter_context(tempfile.TemporaryDirectory(prefix="airflow-")),
    }
    _untime()
    if not hasattr(config, "workerinput"):
        _offer_services()


def pytest_unconfigure() -> None:
    """End the services."""
    _leave.close()


def _untime() -> None:
    """Have hypothesis look at what examples do, and not at how long they take on a busy machine."""
    with contextlib.suppress(ImportError):
        from hypothesis import settings

        settings.register_profile("untimed", deadline=None)
        settings.load_profile("untimed")


def _offer_services() -> None:
    try:
        from devstack.shared import SharedServices, served, services
    except ImportError:  # without the development dependencies only tests that need no service can run
        return
    shared = SharedServices(services())
    _leave.callback(shared.close)
    os.environ[SHARED_BY] = _leave.enter_context(served(shared))


@pytest.fixture(scope="session")
def service() -> Callable[[str], str]:
    """The URL of a service by its name, as soon as it answers."""
    from devstack.shared import ask

    return lambda name: ask(os.environ[SHARED_BY], name)


@pytest.fixture(scope="session")
def opensearch(service: Callable[[str], str]) -> str:
    """The URL of an OpenSearch 3."""
    return service("opensearch-3")


@pytest.fixture(scope="session")
def opensearch2(service: Callable[[str], str]) -> str:
    """The URL of an OpenSearch 2."""
    return service("opensearch-2")


@pytest.fixture(scope="session")
def elasticsearch(service: Callable[[str], str]) -> str:
    """The URL of an Elasticsearch 9."""
    return service("elasticsearch-9")


@pytest.fixture(scope="session")
def elasticsearch8(service: Callable[[str], str]) -> str:
    """The URL of an Elasticsearch 8."""
    return service("elasticsearch-8")


@pytest.fixture(scope="session")
def secured_elasticsearch(service: Callable[[str], str]) -> str:
    """The URL of an Elasticsearch 9 that asks who it is; `devstack.shared.PASSWORDS` has its users."""
    return service("elasticsearch-9-secured")


@pytest.fixture(scope="session", params=["opensearch-3", "elasticsearch-9"])
def search_url(request: pytest.FixtureRequest, service: Callable[[str], str]) -> str:
    """The URL of a search server; the test runs once on each of the main two."""
    return service(request.param)


@pytest.fixture(scope="session")
def aws(service: Callable[[str], str]) -> str:
    """The endpoint of S3, STS and EC2."""
    return service("aws")


@pytest.fixture
def bucket(aws: str) -> str:
    """The name of a new S3 bucket."""
    import boto3

    name = f"test-{uuid.uuid4().hex}"
    boto3.client("s3", endpoint_url=aws).create_bucket(Bucket=name)
    return name


@pytest.fixture
def unique_index_prefix() -> str:
    """What a test's indices, templates and data streams begin with."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of recorded CloudTrail events."""
    if not CORPUS.is_dir():
        pytest.skip(f"the recorded events are not there: {CORPUS}")
    return CORPUS


@pytest.fixture(scope="session")
def recorded_events(corpus: Path) -> list[dict[str, Any]]:
    """Every recorded event, as it was recorded."""
    import orjson

    return [orjson.loads(line) for file in sorted(corpus.glob("*.ndjson.gz")) for line in _lines(file)]


def _lines(file: Path) -> Iterator[bytes]:
    with gzip.open(file) as lines:
        yield from lines
