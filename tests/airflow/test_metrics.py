"""The metrics of a run, as a StatsD server receives them from Airflow."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from devstack.simulator import DEFAULT_ACCOUNT, Fault, FaultKind
from tests.airflow.conftest import Services
from tests.clock import today

DAY = today() - timedelta(days=3)
REGIONS = ["ap-northeast-3", "eu-west-1"]
BEGINNING = "airflow.cloudtrail."


class StatsD:
    """A StatsD server: a UDP socket, and the received messages."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]
        self.counters: Counter[str] = Counter()
        self.gauges: dict[str, float] = {}

    def hear(self) -> None:
        """Read the new messages: ``name:value|c`` and ``name:value|g``."""
        self.counters.clear()
        while True:
            try:
                told = self._socket.recv(65_536).decode()
            except BlockingIOError:
                return
            for line in told.splitlines():
                name, _, value = line.partition(":")
                figure, kind, *_ = value.split("|")
                if name.startswith(BEGINNING) and kind == "c":
                    self.counters[name.removeprefix(BEGINNING)] += int(figure)
                elif name.startswith(BEGINNING) and kind == "g":
                    self.gauges[name.removeprefix(BEGINNING)] = float(figure)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def statsd(monkeypatch: pytest.MonkeyPatch) -> Iterator[StatsD]:
    """A server, and this process configured to send metrics to it like the process of a task."""
    server = StatsD()
    for name, value in {"ON": "true", "HOST": "127.0.0.1", "PORT": str(server.port)}.items():
        monkeypatch.setenv(f"AIRFLOW__METRICS__STATSD_{name}", value)
    set_up()
    yield server
    monkeypatch.undo()
    set_up()
    server.close()


def set_up() -> None:
    from airflow.sdk.observability import stats
    from airflow.sdk.observability.metrics import stats_utils

    stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=False)


def run(dag: Any, services: Services, **others: Any) -> Any:
    days = {"start": str(DAY), "end": str(DAY + timedelta(days=1))}
    return dag.test(run_conf=days | {"regions": REGIONS, "index": f"{services.index}-%Y.%m"} | others)


def test_a_run_sends_its_figures_once(dag: Any, services: Services, statsd: StatsD) -> None:
    """Events looked up, staged and indexed, and calls, including throttled ones. A run without work sends none."""
    services.simulator.service.faults.add(Fault(FaultKind.THROTTLE, region="eu-west-1", count=3))
    began = datetime.now(UTC)
    assert str(run(dag, services).state) == "success"
    ended = datetime.now(UTC)
    statsd.hear()
    start = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
    end = start + timedelta(days=1, seconds=-1)
    truth = {region: list(services.simulator.truth(region, start, end)) for region in REGIONS}
    events = sum(map(len, truth.values()))
    assert events > 20
    assert statsd.counters.pop("calls") >= 5
    assert statsd.counters == {
        "calls_throttled": 3,
        "events_looked_up": events,
        "events_staged": events,
        "events_indexed": events,
    }
    ages = {name.removeprefix("newest_event_age."): age for name, age in statsd.gauges.items()}
    assert set(ages) == {f"{DEFAULT_ACCOUNT}.{region}" for region in REGIONS if truth[region]}
    least, most = ((moment - end).total_seconds() for moment in (began, ended))
    assert all(least <= age <= most + 86_400 for age in ages.values())

    assert str(run(dag, services).state) == "success"
    statsd.hear()
    assert statsd.counters == {}


def test_late_events_are_counted_when_they_are_found(
    dag: Any, late_dag: Any, services: Services, statsd: StatsD
) -> None:
    """The second lookup counts its calls, and only the new events."""
    start = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
    late = list(services.simulator.truth("eu-west-1", start, start + timedelta(days=1, seconds=-1)))[::5]
    schedule = services.simulator.service.arrived.schedule
    schedule.update(dict.fromkeys(late, datetime.now(UTC).timestamp() + 86_400))
    run(dag, services)
    statsd.hear()
    schedule.update(dict.fromkeys(late, 0.0))
    assert str(run(late_dag, services).state) == "success"
    statsd.hear()
    assert statsd.counters.pop("calls") >= 2
    assert statsd.counters == dict.fromkeys(("events_looked_up", "events_staged", "events_indexed"), len(late))


def test_calls_and_quarantined_events_are_counted(dag: Any, services: Services, statsd: StatsD) -> None:
    """The calls of a fetch that finally fails, and the events that an index rejects."""
    from cloudtrail_elasticsearch.core.encoding import codec
    from cloudtrail_elasticsearch.sinks.connect import connect
    from cloudtrail_elasticsearch.sinks.settings import SearchSettings

    server = connect(SearchSettings.from_url(services.search_url))
    hopeless = {name: {"type": "long"} for name in ("eventName", "overflow", "unindexed")}
    server.request("PUT", f"/{services.index}-{DAY:%Y.%m}", codec.encode({"mappings": {"properties": hopeless}}))
    services.simulator.service.faults.add(Fault(FaultKind.ACCESS_DENIED, region="ap-northeast-3"))
    assert str(run(dag, services).state) == "failed"
    statsd.hear()
    assert statsd.counters["calls"] >= 2
    assert statsd.counters["events_quarantined"] == statsd.counters["events_staged"] > 0
    assert "events_indexed" not in statsd.counters
