"""The short form of ``make faults``: processes killed and an index blocked while a real backfill runs."""

from __future__ import annotations

from random import Random

import pytest

from devstack.faults.fault import Fault, Rotation
from devstack.faults.kills import KILL_SEARCH_SERVER
from devstack.faults.kinds import (
    KILL_API_SERVER,
    KILL_FETCH,
    KILL_FETCHS_SUPERVISOR,
    KILL_LOAD,
    KILL_LOADS_SUPERVISOR,
    KILL_SCHEDULER,
)
from devstack.faults.round import RoundSettings, play
from devstack.faults.services import READ_ONLY_INDEX
from devstack.search_server import ELASTICSEARCH_9, OPENSEARCH_3, Distribution

pytestmark = pytest.mark.xdist_group("faults")

ALWAYS = (KILL_SEARCH_SERVER, READ_ONLY_INDEX)


@pytest.mark.parametrize(
    ("distribution", "of_airflow"),
    [
        (OPENSEARCH_3, (KILL_FETCHS_SUPERVISOR, KILL_LOAD, KILL_SCHEDULER)),
        (ELASTICSEARCH_9, (KILL_FETCH, KILL_LOADS_SUPERVISOR, KILL_API_SERVER)),
    ],
    ids=[OPENSEARCH_3.name, ELASTICSEARCH_9.name],
)
def test_a_backfill_survives_whatever_is_killed(
    distribution: Distribution, of_airflow: tuple[Fault, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Tasks, supervisors, one of Airflow's services and the search server are killed: every event, once."""
    faults = (*ALWAYS, *of_airflow)
    settings = RoundSettings(
        distribution,
        seed=7,
        faults=len(faults),
        days=2,
        regions=("eu-west-1", "us-east-1"),
        volume=1000,
        runs_at_once=1,
        pause=2,
    )
    with capsys.disabled():
        outcome = play(settings, Rotation(faults, Random(7)), print)
    assert outcome.broken == ()
    assert outcome.faults.keys() == {fault.name for fault in faults}
