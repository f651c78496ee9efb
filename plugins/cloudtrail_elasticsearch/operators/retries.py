"""Which failures Airflow should try again: those that pass by themselves, not those that must be mended."""

from __future__ import annotations

from typing import Any

from cloudtrail_elasticsearch.core.errors import ConfigurationError, CoverageError, StagingError

FINAL = (ConfigurationError, CoverageError, StagingError)


def retry_policy() -> Any:
    """Return a policy that fails at once for what another attempt cannot mend."""
    from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

    rules = [
        RetryRule(exception=kind, action=RetryAction.FAIL, reason="Another attempt cannot mend this")
        for kind in FINAL
    ]
    return ExceptionRetryPolicy(rules=rules)
