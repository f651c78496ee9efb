"""The short form of ``make faults``: processes killed and an index blocked while a real backfill runs.

Elasticsearch takes the backfill of LookupEvents, OpenSearch that of a trail; ``make faults`` has all servers.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from random import Random

import pytest

from devstack.days import last_settled_day
from devstack.faults.fault import Rotation
from devstack.faults.kills import KILL_SEARCH_SERVER
from devstack.faults.kinds import (
    KILL_API_SERVER,
    KILL_FETCH,
    KILL_FETCHS_SUPERVISOR,
    KILL_LIST,
    KILL_LOAD,
    KILL_LOADS_SUPERVISOR,
    KILL_SCHEDULER,
)
from devstack.faults.round import RoundSettings, read_trail, run_round
from devstack.faults.services import READ_ONLY_INDEX, storage
from devstack.search_server import ELASTICSEARCH_9, OPENSEARCH_3
from devstack.storage_faults import StorageFaultKind

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]

make_settings = partial(RoundSettings, seed=7, days=2, regions=("eu-west-1", "us-east-1"), runs_at_once=1, pause=2)


@pytest.mark.promise("nothing-lost", "restartable")
def test_a_backfill_survives_kills_and_a_blocked_index(capsys: pytest.CaptureFixture[str]) -> None:
    """Tasks, supervisors, an Airflow service and the search server are killed: every event is indexed once."""
    faults = (
        KILL_SEARCH_SERVER,
        READ_ONLY_INDEX,
        KILL_FETCH,
        KILL_FETCHS_SUPERVISOR,
        KILL_LOADS_SUPERVISOR,
        KILL_API_SERVER,
    )
    settings = make_settings(ELASTICSEARCH_9, faults=len(faults), volume=1000)
    with capsys.disabled():
        outcome = run_round(settings, Rotation(faults, Random(7)), print)
    assert outcome.broken == ()
    assert outcome.faults.keys() == {fault.name for fault in faults}


@pytest.mark.promise("nothing-lost", "restartable")
def test_the_backfill_of_a_trail_survives_kills_and_broken_bodies(capsys: pytest.CaptureFixture[str]) -> None:
    """Tasks, the scheduler and the search server are killed, and S3 breaks: every event is indexed once."""
    faults = (
        KILL_SEARCH_SERVER,
        KILL_LIST,
        KILL_LOAD,
        KILL_SCHEDULER,
        storage(StorageFaultKind.TRUNCATED_BODY, (2, 4)),
    )
    last = last_settled_day() - timedelta(days=1)
    settings = make_settings(OPENSEARCH_3, faults=len(faults), last=last)
    with capsys.disabled():
        outcome = run_round(settings, Rotation(faults, Random(7)), print, read_trail)
    assert outcome.broken == ()
    assert outcome.faults
