"""Logs advice on shards in the plan tasks."""

from __future__ import annotations

import logging
from datetime import date

from airflow.providers.common.compat.sdk import AirflowException

from cloudtrail_elasticsearch.core.errors import LoaderError
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.index.shard_advice import find_shard_advice

log = logging.getLogger(__name__)


def log_shard_advice(search_conn_id: str | None, index: str, day: date) -> None:
    """Log a warning if a shard of the day's index will be too large; an error does not fail the plan.

    :param search_conn_id: the connection to the search server; None: there is no advice
    """
    from cloudtrail_elasticsearch.hooks.search import SearchHook

    if not search_conn_id:
        return
    try:
        advice = find_shard_advice(SearchHook(search_conn_id).get_conn(), IndexPattern(index), day)
    # A missing connection is Airflow's error; the tasks that need it report it.
    except (LoaderError, AirflowException) as error:
        log.info("The sizes of the indices are unknown, so there is no advice on shards: %s", error)
    else:
        if advice:
            log.warning(advice)
