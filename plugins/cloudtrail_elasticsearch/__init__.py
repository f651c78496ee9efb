"""Loads every CloudTrail event of an AWS account into Elasticsearch or OpenSearch with Airflow, and verifies it.

This module imports nothing of Airflow before a name is used: Airflow's provider discovery imports it before
Airflow's configuration exists.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.dag_factory import (
        LateEvents,
        LateFiles,
        LiveEvents,
        LiveTrail,
        LookupEvents,
        Trail,
        cloudtrail_dag,
    )

__all__ = ["LateEvents", "LateFiles", "LiveEvents", "LiveTrail", "LookupEvents", "Trail", "cloudtrail_dag"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Return one of the names for DAG files."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("cloudtrail_elasticsearch.dag_factory"), name)
