"""Decodes a search server's HTTP answer, or raises the error that it means; the same for both servers.

Errors quote only the servers' own errors (kind and reason) and Amazon's messages. Any other text could echo the
request with its credentials. For other answers an error has only the status, the content type and the kind of
body.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import (
    AccessDeniedError,
    ConfigurationError,
    CredentialsError,
    LoaderError,
    RejectedRequestError,
    ThrottledError,
    TooLargeError,
    TransientError,
    UnexpectedAnswerError,
)
from cloudtrail_elasticsearch.core.log_text import redact, safe_text
from cloudtrail_elasticsearch.core.search.bulk_answer import is_transient, join_reasons
from cloudtrail_elasticsearch.core.search.rejection_reasons import cut_quoted_content, never_fits

_NO_TLS: Final = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "record layer failure")
"""OpenSSL's errors for an answer that is not TLS; they differ between its versions."""

_STARTS: Final = {b"<": "HTML or XML", b"{": "cut-off JSON", b"[": "cut-off JSON"}

_NOTHING_FOUND: Final = frozenset({"index_templates", "component_templates", "found", "result"})
"""Names in a 404 answer that is not an error; Elasticsearch sends one if no template has the name, for example."""

_NOT_A_SERVER: Final = (
    "If a proxy answers while the server restarts, this is temporary and the request is retried. Otherwise the "
    "address is not a search server: set the connection's host to Elasticsearch or OpenSearch itself, not to "
    "Kibana, Dashboards or a login page. Nothing is lost: the next attempt sends the staged events."
)


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, not decoded yet."""

    status: int
    content_type: str | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request to a server, described for error messages.

    `secrets` are the loader's credentials; they are removed from every message.
    """

    server: str
    doing: str
    sent: int = 0
    """Bytes of the request's body."""
    secrets: Sequence[str] = ()

    def quote(self, text: object) -> str:
        """Return a server's text, safe to include in an error message."""
        return safe_text(redact(str(text), self.secrets))


def read_reply(exchange: Exchange, reply: Reply) -> Any:
    """Return the JSON of an answer.

    :raises UnexpectedAnswerError: the answer is not a search server's: HTML, no JSON object, a redirect, or an
        error with status 200
    :raises LoaderError: the server rejects the request; see `make_rejection`
    """
    answer = _decode(reply)
    if reply.status in {401, 403} or (reply.status >= 400 and _find_error(answer, reply.status) is not None):
        raise _reject(exchange, reply.status, answer)
    if reply.status == 404 and isinstance(answer, dict) and not _NOTHING_FOUND.isdisjoint(answer):
        raise RejectedRequestError(f"The search server {exchange.server} found nothing for {exchange.doing}.", 404)
    if not 200 <= reply.status < 300 or not isinstance(answer, dict) or "error" in answer:
        raise _make_unexpected(exchange, reply, answer)
    if exchange.secrets and "items" in answer:
        _redact_items(answer["items"], exchange.secrets, reply.body)
    return answer


def unreachable(exchange: Exchange, error: object) -> TransientError:
    """Return the error for a server that sends no answer."""
    scheme = ", http or https," if exchange.server.startswith("http:") else ""
    return TransientError(
        f"The search server {exchange.server} cannot be reached ({exchange.quote(error)}). Check host, "
        f"port{scheme} and that the server is running. Nothing is lost: the next attempt sends the staged "
        f"events."
    )


def untrusted(exchange: Exchange, why: object) -> ConfigurationError:
    """Return the error for a failed TLS connection."""
    reason_text = exchange.quote(why)
    if any(sign in str(why) for sign in _NO_TLS):
        return ConfigurationError(
            f"The search server {exchange.server} does not use TLS on this port ({reason_text}). Set the "
            f"connection's scheme to http, or use the server's TLS port."
        )
    return ConfigurationError(
        f"The certificate of the search server {exchange.server} is not trusted ({reason_text}). Set the "
        f"connection's ca_certs to the path of the CA's certificate, and its host to the name in the server's "
        f"certificate."
    )


def make_rejection(name: str, doing: str, status: int, body: Any) -> LoaderError:
    """Return the error for an answer with a status of 400 or more and an explanation in JSON.

    For status 403 only the first line is quoted: Amazon's next lines hold the signed request and session token.
    """
    return _reject(Exchange(name, doing), status, body)


def _reject(exchange: Exchange, status: int, body: Any) -> LoaderError:
    if status == 401:
        return CredentialsError(
            f"The search server {exchange.server} does not know the connection's user (it answered 401 to "
            f"{exchange.doing}). Check login and password, or api_key; Amazon OpenSearch Service may require "
            f"aws_conn_id instead."
        )
    error = _find_error(body, status)
    words = join_reasons(error) if error is not None else "it gives no reason"
    if not isinstance(error, dict) or status == 403:
        # Amazon's further lines quote the signed request with its session token.
        words = words.partition("\n")[0]
    message = (
        f"The search server {exchange.server} answered {status} to {exchange.doing}: "
        f"{exchange.quote(cut_quoted_content(words))}"
    )
    # Before `is_transient`, which counts every 429 as a passing one.
    if status == 413 or (status == 429 and never_fits(words, exchange.sent)):
        return TooLargeError(message, status)
    if status == 429:
        return ThrottledError(message)
    # Amazon's error is only a text; without a kind it would count as transient.
    if is_transient(status, error if isinstance(error, dict) else {"type": "message"}):
        return TransientError(f"{message}. Nothing is lost: the next attempt sends the staged events.")
    if status == 403:
        return AccessDeniedError(
            f"{message}. The connection's user needs the rights to manage index templates and to write to the "
            f"indices; for Amazon OpenSearch Service see minimal_policy.json."
        )
    return RejectedRequestError(message, status)


def _find_error(body: Any, status: int) -> Any:
    """Return an answer's error: the server's own, or Amazon's, which is only a message; None if it has neither.

    Gateways also answer 404 or 405 with only a message while a server restarts, so those are not errors.
    """
    if not isinstance(body, dict):
        return None
    error = body.get("error")
    if isinstance(error, dict) and ("type" in error or "reason" in error):
        return error
    # A bare text can be a gateway's, so it counts only with a repeated status, as the servers write it, or with
    # 400 or 403.
    if isinstance(error, str) and (body.get("status") == status or status in {400, 403}):
        return error
    messages = (body.get(name) for name in ("message", "Message"))
    return next((text for text in messages if isinstance(text, str) and status in {400, 403, 413, 429}), None)


def _decode(reply: Reply) -> Any:
    try:
        return codec.decode_answer(reply.body)
    except ValueError:
        # Bytes stand for an answer that is not JSON.
        return reply.body


def _make_unexpected(exchange: Exchange, reply: Reply, answer: Any) -> LoaderError:
    kind = safe_text(reply.content_type, 100) if reply.content_type else "no content type"
    message = (
        f"The search server {exchange.server} answered {reply.status} to {exchange.doing} with "
        f"{_describe_body(reply.body, answer)} ({kind}, {len(reply.body)} bytes)"
    )
    # Gateways also reject large requests, with a page instead of an error.
    if reply.status == 413:
        return TooLargeError(message, 413)
    if reply.status == 429:
        return ThrottledError(message)
    return UnexpectedAnswerError(f"{message}. {_NOT_A_SERVER}", reply.status)


def _describe_body(body: bytes, answer: Any) -> str:
    if isinstance(answer, bytes):
        text = body.lstrip()
        return _STARTS.get(text[:1], "text that is not JSON") if text else "an empty body"
    if answer is None:
        return "null"
    return {"dict": "JSON", "list": "a JSON list"}.get(type(answer).__name__, "a single JSON value")


def _redact_items(items: Any, secrets: Sequence[str], body: bytes) -> None:
    """Remove the secrets from the item errors of a bulk answer, if the body contains one."""
    # The search for the secrets is fast, and nearly always finds none.
    if not isinstance(items, list) or not any(secret.encode() in body for secret in secrets):
        return
    for item in items:
        for result in item.values() if isinstance(item, dict) else ():
            if isinstance(result, dict) and "error" in result:
                result["error"] = _redact(result["error"], secrets)


def _redact(value: Any, secrets: Sequence[str]) -> Any:
    if isinstance(value, dict):
        return {name: _redact(each, secrets) for name, each in value.items()}
    if isinstance(value, list):
        return [_redact(each, secrets) for each in value]
    return redact(value, secrets) if isinstance(value, str) else value
