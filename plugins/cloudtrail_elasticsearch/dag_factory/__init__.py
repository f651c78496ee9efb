"""Makes the DAGs: those of `dags/`, and anyone's own with another source, index, schedule or connection."""

from __future__ import annotations

from cloudtrail_elasticsearch.dag_factory.factory import cloudtrail_dag
from cloudtrail_elasticsearch.dag_factory.sources import (
    LateEvents,
    LateFiles,
    LiveEvents,
    LiveTrail,
    LookupEvents,
    Trail,
)

__all__ = ["LateEvents", "LateFiles", "LiveEvents", "LiveTrail", "LookupEvents", "Trail", "cloudtrail_dag"]
