"""Which failures Airflow should try again: those that pass by themselves, not those that must be mended."""

from __future__ import annotations

from typing import Any, Final

from cloudtrail_elasticsearch import airflows
from cloudtrail_elasticsearch.core.errors import ConfigurationError, CoverageError, StagingError

FINAL: Final = (ConfigurationError, CoverageError, StagingError)

fails_for_good = airflows.ends_on(FINAL)
"""Decorates every operator's ``execute``."""


def retry_arguments() -> dict[str, Any]:
    """Return every operator's arguments by which it fails at once for what another attempt cannot mend."""
    return airflows.final_failures(FINAL)
