"""Access to the pages: users who may read the DAG see them, users who may trigger it may start a backfill."""

from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import get_user, requires_access_dag
from fastapi import Depends

from cloudtrail_elasticsearch.ui.answers import DAG_ID

may_read = Depends(requires_access_dag(method="GET", param_dag_id=DAG_ID))
"""Responds with 401 if the user is not logged in, and with 403 if the user may not read the DAG."""


def may_backfill(user: Annotated[BaseUser, Depends(get_user)]) -> bool:
    """Return whether the user may start a backfill; Airflow's own API checks the same right."""
    return bool(
        get_auth_manager().is_authorized_dag(
            method="POST", access_entity=DagAccessEntity.RUN, details=DagDetails(id=DAG_ID), user=user
        )
    )
