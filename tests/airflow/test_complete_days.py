"""Complete days as asset events in Airflow's database after real runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from devstack.simulator import DEFAULT_ACCOUNT, REGIONS
from tests.airflow.conftest import Services
from tests.clock import today

DAY = today() - timedelta(days=3)


def run(dag: Any, services: Services, **others: Any) -> Any:
    days = {"start": str(DAY), "end": str(DAY + timedelta(days=1))}
    # Few tasks, because each costs more than its work.
    done = dag.test(run_conf=days | {"index": f"{services.index}-%Y.%m", "tasks": 2} | others)
    assert str(done.state) == "success"
    return done


def events(services: Services) -> list[dict[str, Any]]:
    """Return the events of the test's own index, in order."""
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        found = session.scalars(select(AssetEvent).order_by(AssetEvent.id))
        told = [(event.asset.uri, dict(event.extra)) for event in found]
    mine = [(uri, extra) for uri, extra in told if extra.get("index") == f"{services.index}-%Y.%m"]
    assert {uri for uri, _ in mine} <= {f"cloudtrail://{DEFAULT_ACCOUNT}/days"}
    return [extra for _, extra in mine]


def truth(services: Services, *regions: str) -> set[str]:
    start = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
    end = start + timedelta(days=1, seconds=-1)
    return {event for region in regions or REGIONS for event in services.simulator.truth(region, start, end)}


def test_a_day_has_one_event_when_its_last_region_is_complete(dag: Any, services: Services) -> None:
    """Some regions are not a day. The run that completes the last region emits the event; later runs do not."""
    run(dag, services, regions=list(REGIONS)[1:])
    assert events(services) == []
    run(dag, services, regions=list(REGIONS)[:1])
    told = events(services)
    count = len(truth(services))
    assert told == [
        {
            "account": DEFAULT_ACCOUNT,
            "day": str(DAY),
            "index": f"{services.index}-%Y.%m",
            "regions": len(REGIONS),
            "staged": count,
            "indexed": count,
            "quarantined": 0,
            "left_out": 0,
            "source": "lookup_events",
        }
    ]
    run(dag, services, regions=list(REGIONS)[:1])
    run(dag, services, regions=list(REGIONS)[:1], force=True)
    run(dag, services, regions=list(REGIONS)[1:3], verify=True)
    assert events(services) == told


def test_a_changed_day_has_another_event(dag: Any, late_dag: Any, services: Services) -> None:
    """Late events change it. A search for late events that finds none does not."""
    late = sorted(truth(services, "eu-west-1"))[::5]
    schedule = services.simulator.service.arrived.schedule
    schedule.update(dict.fromkeys(late, datetime.now(UTC).timestamp() + 86_400))
    run(dag, services)
    schedule.update(dict.fromkeys(late, 0.0))
    run(late_dag, services, regions=["eu-west-1"])
    run(late_dag, services, regions=["eu-west-1"])
    count = len(truth(services))
    assert [event["staged"] for event in events(services)] == [count - len(late), count]


def test_only_one_coverage_task_runs_at_a_time(dag: Any, late_dag: Any) -> None:
    """Otherwise two runs of one day could both emit its event."""
    for each in (dag, late_dag):
        assert each.get_task("coverage").max_active_tis_per_dag == 1
