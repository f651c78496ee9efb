"""A DAG that S3's messages start: a log file arrives in moto's S3, and its events are on the server."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import boto3
import pytest

from cloudtrail_elasticsearch.core.index.index_pattern import DEFAULT_INDEX
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.airflow import TRIGGERER, Airflow, AirflowSettings
from devstack.endpoints import REGION, Endpoints
from devstack.faults.proof import read_event_ids
from devstack.processes import ROOT
from devstack.simulator import DEFAULT_ACCOUNT
from tests.system.test_backfill import until

pytestmark = pytest.mark.queue

DAG_ID: Final = "cloudtrail_on_delivery"
EXAMPLES: Final = ROOT / "docs" / "examples"
PYTHON: Final = os.environ.get("QUEUE_PYTHON", "")
"""The interpreter of the environment that `make test-queue` has installed."""


class Trail:
    """A bucket that reports its objects to a queue, as the example configures it."""

    def __init__(self, aws: str) -> None:
        self.s3 = boto3.client("s3", endpoint_url=aws)
        self.sqs = boto3.client("sqs", endpoint_url=aws)
        self.bucket = f"trail-{uuid.uuid4().hex[:8]}"
        self.s3.create_bucket(Bucket=self.bucket)
        self.queue = self.sqs.create_queue(QueueName=self.bucket)["QueueUrl"]
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])
        configuration = json.loads((EXAMPLES / "trail-notifications" / "notification.json").read_text())
        configuration["QueueConfigurations"][0]["QueueArn"] = attributes["Attributes"]["QueueArn"]
        self.s3.put_bucket_notification_configuration(Bucket=self.bucket, NotificationConfiguration=configuration)

    def deliver(self) -> str:
        """Put a log file with one event of now, and return the event's id."""
        now, event_id = datetime.now(UTC), str(uuid.uuid4())
        records = {"Records": [{"eventID": event_id, "eventTime": f"{now:%Y-%m-%dT%H:%M:%SZ}"}]}
        folder = f"AWSLogs/{DEFAULT_ACCOUNT}/CloudTrail/{REGION}/{now:%Y/%m/%d}"
        name = f"{DEFAULT_ACCOUNT}_CloudTrail_{REGION}_{now:%Y%m%dT%H%MZ}_{uuid.uuid4().hex[:16]}.json.gz"
        self.s3.put_object(
            Bucket=self.bucket, Key=f"{folder}/{name}", Body=gzip.compress(json.dumps(records).encode())
        )
        return event_id

    def count_messages(self) -> int:
        """Return the number of messages in the queue."""
        found = self.sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["All"])["Attributes"]
        return int(found["ApproximateNumberOfMessages"]) + int(found["ApproximateNumberOfMessagesNotVisible"])


@pytest.fixture
def trail(aws: str) -> Trail:
    return Trail(aws)


@pytest.fixture
def airflow(aws: str, opensearch: str, trail: Trail, tmp_path: Path) -> Iterator[Airflow]:
    """A scheduler and a triggerer with the example DAG, which nobody has unpaused."""
    (tmp_path / "dags").mkdir()
    shutil.copy(EXAMPLES / f"{DAG_ID}.py", tmp_path / "dags")
    environment = Endpoints(aws, aws, opensearch, "opensearch").environment() | {
        "AWS_ENDPOINT_URL_SQS": aws,
        "AIRFLOW_VAR_CLOUDTRAIL_TRAIL_BUCKET": trail.bucket,
        "AIRFLOW_VAR_CLOUDTRAIL_TRAIL_QUEUE": trail.queue,
        # The scheduler starts runs by itself, and the API server of a busy machine answers late.
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "true",
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
    }
    settings = AirflowSettings(
        tmp_path / "airflow", environment, dags=tmp_path / "dags", port=0, python=Path(PYTHON)
    )
    with Airflow(settings) as running:
        running.start(TRIGGERER)
        yield running


def test_a_delivered_log_file_starts_a_run_that_loads_it(airflow: Airflow, trail: Trail, opensearch: str) -> None:
    """No clock: the run's type is that of an asset event, and the message leaves the queue."""
    server = connect(SearchSettings.from_url(opensearch))

    def runs() -> list[dict[str, Any]]:
        return [run for run in airflow.runs(DAG_ID) if run["run_type"] == "asset_triggered"]

    def held() -> set[str]:
        return set(read_event_ids(server, DEFAULT_INDEX.partition("%")[0] + "*"))

    until(lambda: DAG_ID in {dag["dag_id"] for dag in airflow.request("GET", "/dags")["dags"]}, "the DAG")
    airflow.request("PATCH", f"/dags/{DAG_ID}", {"is_paused": False})
    first = trail.deliver()
    until(lambda: first in held(), "the first event")
    until(lambda: [run["state"] for run in runs()] == ["success"], "the end of the first run")
    second = trail.deliver()
    until(lambda: second in held(), "the second event")
    until(lambda: [run["state"] for run in runs()] == ["success"] * 2, "the end of the second run")
    assert trail.count_messages() == 0
