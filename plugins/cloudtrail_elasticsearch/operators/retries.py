"""The retry policy of the tasks: Airflow retries temporary failures, and not those that somebody must fix."""

from __future__ import annotations

from typing import Any, Final

from cloudtrail_elasticsearch import airflows
from cloudtrail_elasticsearch.core.errors import ConfigurationError, CoverageError, StagingError

# A damaged part stays damaged until the window is fetched again, and a retry of the check counts the same cells.
FINAL: Final = (ConfigurationError, CoverageError, StagingError)

never_retry_final_errors = airflows.fail_without_retry(FINAL)
"""Decorates every operator's ``execute``."""


def make_retry_arguments() -> dict[str, Any]:
    """Return the arguments for every operator that prevent retries after failures that a retry cannot fix."""
    return airflows.make_retry_arguments(FINAL)
