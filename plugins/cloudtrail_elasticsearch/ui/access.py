"""Access to the pages: users who may read the DAG see them, users who may trigger it may start a backfill."""

from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from fastapi import Depends, FastAPI

from cloudtrail_elasticsearch.airflows import HAS_LOGIN_COOKIE
from cloudtrail_elasticsearch.ui.backfills import DAG_ID

if HAS_LOGIN_COOKIE:
    from airflow.api_fastapi.core_api.security import get_user, requires_access_dag

    find_user = get_user
    may_read = Depends(requires_access_dag(method="GET", param_dag_id=DAG_ID))
    """Responds with 401 if the user is not logged in, and with 403 if the user may not read the DAG."""
else:
    from cloudtrail_elasticsearch.ui.login_of_airflow_3_0 import (  # type: ignore[assignment]
        check_reader,
        find_user,
        respond_to_anonymous,
    )

    may_read = Depends(check_reader)


def add_login(app: FastAPI) -> None:
    """Let users of Airflow 3.0's UI open the pages in a browser; a no-op in later versions."""
    if not HAS_LOGIN_COOKIE:
        app.exception_handler(401)(respond_to_anonymous)


def may_backfill(user: Annotated[BaseUser, Depends(find_user)]) -> bool:
    """Return whether the user may start a backfill; Airflow's own API checks the same right."""
    return bool(
        get_auth_manager().is_authorized_dag(
            method="POST", access_entity=DagAccessEntity.RUN, details=DagDetails(id=DAG_ID), user=user
        )
    )
