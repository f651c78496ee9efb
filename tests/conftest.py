"""Real services for the tests, shared by all workers of a run: a server is started when a test first asks for it.

Tests run side by side on the same servers: each names its indices with `unique_index_prefix` and has a `bucket`
of its own.

``--fast`` leaves out the tests that need a service, and ``--promise NAME`` runs the tests of one promise.
"""

from __future__ import annotations

import contextlib
import gzip
import itertools
import os
import signal
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clock import today

CHECKOUT = Path(__file__).resolve().parents[1]
CORPUS = CHECKOUT.parent / "shared" / "cloudtrail-corpus"
SAMPLE = CHECKOUT / "tests" / "data" / "events.ndjson"
SERVICES = {"service", "airflow_home"}
"""The fixtures behind every server and Airflow that the tests share."""

SEARCH_SERVERS = ("opensearch", "opensearch2", "elasticsearch", "elasticsearch8", "search_url")
"""The fixtures that return the URL of a search server without security."""

MAIN_SERVERS = ("opensearch-3", "elasticsearch-9")
"""The servers that each test with the fixture `search_url` runs on."""

NEED_AIRFLOW = {"airflow2", "airflow3", "celery", "packages", "queue", "system"}
"""The folders whose tests all need a running Airflow, or an environment of their own."""

PROMISES = (
    "nothing-lost",
    "no-duplicates",
    "order-free",
    "findable",
    "reversible",
    "restartable",
    "bounded",
    "polite",
    "closed",
    "proven-by-aws",
    "ours-alone",
)
"""The names of the promises in tests/README.md, as the marker `promise` takes them."""

SHARED_BY = "DEVSTACK_SHARED_BY"

_leave = contextlib.ExitStack()


def _leave_real_accounts_alone() -> None:
    """Keep tests away from any real account and Airflow home."""
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


# At import, because the conftest of a folder that is given to pytest imports Airflow before pytest is configured.
_leave_real_accounts_alone()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that choose tests."""
    parser.addoption("--fast", action="store_true", help="leave out slow tests and tests that need a service")
    parser.addoption("--promise", choices=PROMISES, help="run only the tests of this promise")


def pytest_configure(config: pytest.Config) -> None:
    """Start the tests' clock, and offer the services to the workers."""
    # A shell that starts us in the background makes us and our children ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    today()
    # A plugin of its own, because the other hook of this name must come first.
    config.pluginmanager.register(_Alternation())
    is_fast: bool = config.getoption("fast")
    _load_profile("fast" if is_fast else "untimed")
    if not is_fast and not hasattr(config, "workerinput"):
        _offer_services()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import no test module of these folders with ``--fast``: all of their tests need a running Airflow."""
    needs_airflow = collection_path.parent == CHECKOUT / "tests" and collection_path.name in NEED_AIRFLOW
    return True if config.getoption("fast") and needs_airflow else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Apply ``--fast`` and ``--promise``, and run the longest tests first, so that none runs alone at the end."""
    is_fast, promise = config.getoption("fast"), config.getoption("promise")
    left_out = [
        item
        for item in items
        if (is_fast and (_needs_service(item) or item.get_closest_marker("slow")))
        or (promise and promise not in {name for mark in item.iter_markers("promise") for name in mark.args})
    ]
    items.sort(key=lambda item: ("system" not in item.path.parts, item.get_closest_marker("slow") is None))
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        kept = set(items).difference(left_out)
        items[:] = [item for item in items if item in kept]


class _Alternation:
    """Lets tests of the main search servers take turns, so that each server has a core of a small machine.

    Pytest runs all tests of one server first. A server changes its templates and indices in one thread, so that
    several workers were no faster than one.
    """

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Exchange tests of one server with those of the other; all other tests keep their places."""
        lanes = {name: [item for item in items if _main_server(item) == name] for name in MAIN_SERVERS}
        turns = (item for turn in itertools.zip_longest(*lanes.values()) for item in turn if item is not None)
        items[:] = [next(turns) if _main_server(item) else item for item in items]


def _main_server(item: pytest.Item) -> str | None:
    """Return the server that the fixture `search_url` names, if the test has it."""
    name = _parameters(item).get("search_url")  # of some tests, a parameter of this name is a URL
    return name if name in MAIN_SERVERS else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report in one line if the recorded events are missing."""
    if not CORPUS.is_dir() and not terminalreporter.config.getoption("fast"):
        terminalreporter.write_line(
            f"The recorded events are not in ../{CORPUS.relative_to(CHECKOUT.parent)}: "
            f"their tests used the generated events of {SAMPLE.relative_to(CHECKOUT)} instead.",
            yellow=True,
        )


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a long or packed value by its argument: gzip data has a time, so it differs between a run's workers."""
    is_packed = isinstance(val, bytes) and val.startswith(b"\x1f\x8b")
    return argname if is_packed or (isinstance(val, bytes | str) and len(val) > 40) else None


def pytest_unconfigure() -> None:
    """End the services."""
    _leave.close()


def _needs_service(item: pytest.Item) -> bool:
    """Whether a test uses a shared service; a parameter that is called `service` does not count."""
    parameters = _parameters(item)
    return any(name in SERVICES and name not in parameters for name in getattr(item, "fixturenames", ()))


def _parameters(item: pytest.Item) -> dict[str, Any]:
    """Return the values of a test's parameters, by their names."""
    return item.callspec.params if hasattr(item, "callspec") else {}


def _load_profile(name: str) -> None:
    """Load a hypothesis profile. None has a deadline, so that a busy machine fails no test."""
    with contextlib.suppress(ImportError):
        from hypothesis import settings

        settings.register_profile("untimed", deadline=None)
        settings.register_profile("fast", deadline=None, max_examples=20)
        settings.load_profile(name)


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
    if SHARED_BY not in os.environ:
        pytest.fail("No services run here: with --fast, a test that needs one must be marked slow.")
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
    """The URL of an Elasticsearch 9 with security; `devstack.shared.PASSWORDS` has its users."""
    return service("elasticsearch-9-secured")


@pytest.fixture(scope="session", params=MAIN_SERVERS)
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
def unique_index_prefix(request: pytest.FixtureRequest) -> Iterator[str]:
    """The prefix of a test's indices, templates and data streams. At the end, its templates are deleted."""
    urls = {request.getfixturevalue(name) for name in SEARCH_SERVERS if name in request.fixturenames}
    prefix = f"test-{uuid.uuid4().hex[:12]}"
    yield prefix
    from tests.templates import delete_templates

    for url in urls:
        delete_templates(url, prefix)


@pytest.fixture(scope="session")
def corpus(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of recorded CloudTrail events; if it is missing, and with --fast, one with the sample."""
    if CORPUS.is_dir() and not pytestconfig.getoption("fast"):
        return CORPUS
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "sample.ndjson.gz").write_bytes(gzip.compress(SAMPLE.read_bytes(), mtime=0))
    return folder


@pytest.fixture(scope="session")
def recorded_events(corpus: Path) -> list[dict[str, Any]]:
    """Every recorded event, as it was recorded."""
    import orjson

    return [orjson.loads(line) for file in sorted(corpus.glob("*.ndjson.gz")) for line in _lines(file)]


def _lines(file: Path) -> Iterator[bytes]:
    with gzip.open(file) as lines:
        yield from lines
