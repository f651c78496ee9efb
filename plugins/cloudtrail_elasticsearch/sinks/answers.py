"""What a search server's HTTP answer means, the same for both servers."""

from __future__ import annotations

from typing import Any, Final

from cloudtrail_elasticsearch.core.bulk import TRANSIENT, is_transient, reason
from cloudtrail_elasticsearch.core.errors import (
    AccessDeniedError,
    ConfigurationError,
    CredentialsError,
    LoaderError,
    RefusedError,
    ThrottledError,
    TooLargeError,
    TransientError,
)

_NO_TLS: Final = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "record layer failure")
"""What OpenSSL says of an answer that is not TLS, by its version."""


def unreachable(name: str, error: object) -> TransientError:
    """Return the error for a server that gives no answer."""
    plain = ", that it does not want https," if name.startswith("http:") else ""
    return TransientError(
        f"The search server {name} cannot be reached ({error}). Check the host and port of its connection{plain} "
        f"and that it runs. Nothing is lost: what is staged is sent by the next attempt."
    )


def unreadable(name: str, doing: str) -> RefusedError:
    """Return the error for an answer that is not JSON, though its status is that of success."""
    return RefusedError(
        f"What answers at {name} to {doing} is no search server. Give the connection the address of Elasticsearch "
        f"or OpenSearch itself, not that of Kibana, Dashboards or a login page.",
        200,
    )


def untrusted(name: str, why: object) -> ConfigurationError:
    """Return the error for a server with which no TLS connection is made."""
    if any(sign in str(why) for sign in _NO_TLS):
        return ConfigurationError(
            f"The search server {name} does not speak TLS ({why}). Use http as the connection's scheme, or the "
            f"port that has TLS."
        )
    return ConfigurationError(
        f"The certificate of the search server {name} is not trusted ({why}). Give the connection's ca_certs "
        f"the path of the authority's certificate, and as its host the name that the certificate is made for."
    )


def refusal(name: str, doing: str, status: int, body: Any) -> LoaderError:
    """Return the error for an answer whose status is 400 or more.

    Of a refusal to let the user in, no more than the first line is quoted: Amazon's next lines hold the request
    that was signed, its session token included.
    """
    if status == 401:
        return CredentialsError(
            f"The search server {name} does not know the connection's user (it answers 401 to {doing}). Check its "
            f"login and password, or its api_key; Amazon OpenSearch Service may want aws_conn_id instead."
        )
    error = _error(body)
    words = reason(error)[:2000]
    if status == 403:
        words = words.partition("\n")[0]
    said = f"The search server {name} answers {status} to {doing}: {words}"
    if status == 429:
        return ThrottledError(said)
    if status in TRANSIENT or is_transient(status, error):
        return TransientError(f"{said}. Nothing is lost: what is staged is sent by the next attempt.")
    if status == 403:
        return AccessDeniedError(
            f"{said}. Give the connection a user who may manage index templates and write to the indices; for "
            f"Amazon OpenSearch Service see minimal_policy.json."
        )
    if status == 413:
        return TooLargeError(said, status)
    return RefusedError(said, status)


def _error(body: Any) -> Any:
    """Return an answer's error: the servers' own, or Amazon's message, which stands alone."""
    if not isinstance(body, dict):
        return body
    return next((body[name] for name in ("error", "message", "Message") if body.get(name)), body)
