"""Checks a search server and the rights of the connection's user, without writing anything."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import msgspec

from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import (
    AccessDeniedError,
    ConfigurationError,
    RejectedRequestError,
    UnexpectedAnswerError,
)
from cloudtrail_elasticsearch.core.index.index_pattern import (
    DEFAULT_INDEX,
    OWN_INDICES,
    QUARANTINE_INDEX,
    TEMPLATES,
    IndexPattern,
)
from cloudtrail_elasticsearch.core.search.answers import Count, send_request
from cloudtrail_elasticsearch.core.search.bulk import MISSING_IS_EMPTY
from cloudtrail_elasticsearch.core.search.server import SearchServer
from cloudtrail_elasticsearch.sinks.connect import Greeting, ask_greeting

PRIVILEGES: Final = ("create_index", "index", "maintenance", "read", "view_index_metadata")
"""The privileges that the loader needs on its own indices and on the indices of events.

https://www.elastic.co/docs/reference/elasticsearch/security-privileges
"""

_ON_NEW_FIELDS: Final = ("indices:admin/mapping/put", "indices:admin/settings/update")
"""The further privileges that it needs when an upgrade adds fields to an existing index."""


class _Rights(msgspec.Struct, frozen=True):
    index: dict[str, dict[str, bool]]
    cluster: dict[str, bool]


def check(server: SearchServer) -> str:
    """Return a sentence with the server's name and version and the rights of the user.

    Elasticsearch has an API for the user's privileges. OpenSearch has none: the check only makes the reads that a
    load begins with, and only a load shows whether the user may write.

    :raises ConfigurationError: the server is of another engine, or the user may not load
    :raises TransientError: the server does not answer, or has a temporary fault
    """
    found = _read_greeting(server)
    if found.engine is not None and found.engine != server.engine:
        raise ConfigurationError(
            f"The search server {server.name} is {found.title}, but the connection's engine is {server.engine}: "
            f"set the engine to {found.engine}, or leave it empty to detect it from the server."
        )
    may = _describe_privileges(server) if server.engine == "elasticsearch" else None
    if may is None:
        _try_first_reads(server)
        may = "this user may read the loader's templates and indices; only a load shows whether the user may write"
    return f"{Greeting(server.engine, found.version).title} answers at {server.name}, and {may}."


def _read_greeting(server: SearchServer) -> Greeting:
    """Return the server's greeting; empty if the user may not read it, or if it is Serverless, which has none."""
    try:
        return ask_greeting(server)
    except AccessDeniedError:
        return Greeting(None, None)
    except (RejectedRequestError, UnexpectedAnswerError) as error:
        if error.status != 404:
            raise
        return Greeting(None, None)


def _try_first_reads(server: SearchServer) -> None:
    for path in (f"/_index_template/{TEMPLATES}*", f"/_component_template/{TEMPLATES}*"):
        try:
            server.request("GET", path)
        except RejectedRequestError as error:
            if error.status != 404:  # none exists yet
                raise
    count = f"/{','.join(OWN_INDICES)}/_count?{MISSING_IS_EMPTY}"
    send_request(server, Count, "POST", count)


def _describe_privileges(server: SearchServer) -> str | None:
    """Return the user's rights, as the end of a sentence; None if the server's security is off.

    https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-security-has-privileges

    :raises AccessDeniedError: a privilege that every load needs is missing; the message names it
    """
    # The connection has no index of its own, so the default one is checked.
    usual = IndexPattern(DEFAULT_INDEX).name(datetime.now(UTC))
    asked = {
        "cluster": ["manage_index_templates"],
        "index": [
            {"names": list(OWN_INDICES), "privileges": list(PRIVILEGES)},
            {"names": [QUARANTINE_INDEX], "privileges": ["delete"]},
            {"names": [usual], "privileges": [*PRIVILEGES, *_ON_NEW_FIELDS]},
        ],
    }
    path = "/_security/user/_has_privileges"
    try:
        answer = send_request(server, _Rights, "POST", path, codec.encode(asked))
    # If security is off, the server has no such API.
    except (RejectedRequestError, UnexpectedAnswerError):
        return None
    lacking = {index: [name for name, has in rights.items() if not has] for index, rights in answer.index.items()}
    # Not an error: the DAG's param `index` may name another index.
    for_events = lacking.pop(usual, [])
    missing = [f"{name} on the cluster" for name, has in answer.cluster.items() if not has]
    missing += [f"{', '.join(sorted(names))} on {index}" for index, names in sorted(lacking.items()) if names]
    if missing:
        raise AccessDeniedError(
            f"The search server {server.name} answers, but the connection's user lacks {'; '.join(missing)}. Add "
            f"these privileges to the user's role or to the API key; docs/security.md has a role to copy."
        )
    if for_events:
        return (
            f"this user may load, but not into {usual}, the default index: the user lacks "
            f"{', '.join(sorted(for_events))} there. This matters unless the DAG's param index names another index"
        )
    return "this user may load"
