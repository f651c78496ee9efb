"""Backfills of a real Airflow: a new one replaces an open one, with a printed line for each step."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from devstack.airflow import Airflow, AirflowSettings, BusyError
from devstack.airflow_api import AirflowError
from devstack.backfills import close_backfills, open_backfills, replace_backfill

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("stack-backfills")]

DAG_ID = "cloudtrail_to_elasticsearch"
FIRST, LAST = date(2026, 11, 1), date(2026, 11, 2)


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    """An Airflow with one open backfill and without a scheduler, which would close it."""
    started = Airflow(AirflowSettings(tmp_path_factory.mktemp("backfills"), {}, port=0))
    started.prepare()
    started.backfill(DAG_ID, str(FIRST), str(LAST))
    started.start("api-server")
    try:
        started.await_answer()
        yield started
    finally:
        started.stop()


def states(airflow: Airflow) -> list[str]:
    return [run["state"] for run in airflow.runs(DAG_ID)]


def test_an_open_backfill_is_replaced_at_once(airflow: Airflow) -> None:
    """Airflow's command rejects a second one. Its queued runs become queued runs of the new one."""
    (old,) = open_backfills(airflow, DAG_ID)
    with pytest.raises(BusyError):
        airflow.backfill(DAG_ID, str(FIRST), str(LAST))
    lines: list[str] = []
    replace_backfill(airflow, DAG_ID, FIRST, LAST, 2, lines.append)
    (new,) = open_backfills(airflow, DAG_ID)
    assert new["id"] != old["id"]
    assert states(airflow) == ["queued", "queued"]
    assert lines == [
        f"Closing backfill {old['id']}, which Airflow still holds open: 2 of its runs have not ended."
    ]


def test_a_backfill_whose_runs_have_ended_is_replaced(airflow: Airflow) -> None:
    """The scheduler leaves it open for up to 30 s after its last run."""
    for run in airflow.runs(DAG_ID):
        path = f"/dags/{DAG_ID}/dagRuns/{run['dag_run_id']}".replace("+", "%2B")
        airflow.request("PATCH", path, {"state": "success"})
    lines: list[str] = []
    replace_backfill(airflow, DAG_ID, FIRST, LAST, 2, lines.append)
    assert states(airflow) == ["queued", "queued"]
    assert "all of its runs have ended" in lines[0]


def test_after_a_backfill_is_closed_the_command_creates_one(airflow: Airflow) -> None:
    """Without waiting for the scheduler."""
    close_backfills(airflow, DAG_ID, lambda _: None)
    assert open_backfills(airflow, DAG_ID) == []
    airflow.backfill(DAG_ID, str(FIRST), str(LAST), "--reprocess-behavior", "completed")
    assert len(open_backfills(airflow, DAG_ID)) == 1


def test_a_permanent_error_is_raised_at_once(airflow: Airflow) -> None:
    """A retry cannot help if the DAG does not exist."""
    lines: list[str] = []
    with pytest.raises(AirflowError, match="404"):
        replace_backfill(airflow, "no_such_dag", FIRST, LAST, 2, lines.append)
    assert lines == []


def test_a_locked_database_is_reported_and_retried(airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheduler locks SQLite at times: each retry prints a line with the seconds so far."""
    asked = airflow.request
    answers: Iterator[AirflowError | None] = iter([AirflowError("Database is locked.", 503)])

    def locked_once(method: str, path: str, body: object = None) -> Any:
        if method == "POST" and (error := next(answers, None)):
            raise error
        return asked(method, path, body)

    monkeypatch.setattr(airflow, "request", locked_once)
    lines: list[str] = []
    replace_backfill(airflow, DAG_ID, FIRST, LAST, 2, lines.append)
    assert any("Database is locked" in line and "s so far" in line for line in lines)
    assert len(open_backfills(airflow, DAG_ID)) == 1
