"""The live DAG with a run every five minutes by Airflow's own schedule, which a bench measures."""

from datetime import timedelta

from cloudtrail_elasticsearch import LiveEvents, cloudtrail_dag

dag = cloudtrail_dag(
    "live_each_five_minutes",
    source=LiveEvents(),
    schedule=timedelta(minutes=5),
    index="live-bench-%Y.%m",
    own_events="keep",
    is_paused_upon_creation=False,
)
