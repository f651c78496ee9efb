"""What a search server's HTTP answer means, the same for both servers."""

from __future__ import annotations

from typing import Any

from cloudtrail_elasticsearch.core.bulk import TRANSIENT, is_transient, reason
from cloudtrail_elasticsearch.core.errors import (
    AccessDeniedError,
    LoaderError,
    RefusedError,
    ThrottledError,
    TooLargeError,
    TransientError,
)


def unreachable(name: str, error: object) -> TransientError:
    """Return the error for a server that gives no answer."""
    return TransientError(
        f"The search server {name} cannot be reached ({error}). Check the host and port of its connection, and "
        f"that it runs. Nothing is lost: what is staged is sent by the next attempt."
    )


def refusal(name: str, doing: str, status: int, body: Any) -> LoaderError:
    """Return the error for an answer whose status is 400 or more."""
    error = body.get("error", body) if isinstance(body, dict) else body
    said = f"The search server {name} answers {status} to {doing}: {reason(error)[:2000]}"
    if status == 429:
        return ThrottledError(said)
    if status in TRANSIENT or is_transient(status, error):
        return TransientError(f"{said}. Nothing is lost: what is staged is sent by the next attempt.")
    if status in {401, 403}:
        return AccessDeniedError(
            f"{said}. Give the connection a user who may manage index templates and write to the indices; for "
            f"Amazon OpenSearch Service see minimal_policy.json."
        )
    if status == 413:
        return TooLargeError(said, status)
    return RefusedError(said, status)
