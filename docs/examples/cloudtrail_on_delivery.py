"""Loads a trail's log files when S3 reports them to an SQS queue, and every hour if no message comes.

Airflow's triggerer reads the queue; it needs the package aiobotocore. The Airflow variable cloudtrail_trail_queue
has the queue's URL. A message only starts a run: the run lists the bucket itself, so a lost message delays its log
file until the next run. While a run works, further messages wait for the run after it.
"""

from __future__ import annotations

from airflow.providers.amazon.aws.triggers.sqs import SqsSensorTrigger
from airflow.sdk import Asset, AssetOrTimeSchedule, AssetWatcher, CronTriggerTimetable, Variable

from cloudtrail_elasticsearch import LiveTrail, cloudtrail_dag

queue = SqsSensorTrigger(
    sqs_queue=Variable.get("cloudtrail_trail_queue"),
    # Ten messages for each request, and up to 100 for each run.
    max_messages=10,
    num_batches=10,
    # S3 delivers the log files of many regions within seconds: one run loads them all.
    waiter_delay=30,
)
watcher = AssetWatcher(name="cloudtrail_trail_queue", trigger=queue)
deliveries = Asset("cloudtrail_trail_deliveries", watchers=[watcher])

dag = cloudtrail_dag(
    "cloudtrail_on_delivery",
    source=LiveTrail(),
    schedule=AssetOrTimeSchedule(assets=deliveries, timetable=CronTriggerTimetable("0 * * * *", timezone="UTC")),
    doc_md=__doc__,
)
