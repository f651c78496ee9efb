"""Whether a search server is the one meant, and lets its user load: asked without writing anything."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.errors import AccessDeniedError, ConfigurationError, RefusedError
from cloudtrail_elasticsearch.core.index_setup import SearchServer
from cloudtrail_elasticsearch.core.mapping import (
    DEFAULT_INDEX,
    OWN_INDICES,
    QUARANTINE_INDEX,
    TEMPLATES,
    IndexPattern,
)
from cloudtrail_elasticsearch.core.send import MISSING_IS_EMPTY
from cloudtrail_elasticsearch.sinks.answers import unreadable
from cloudtrail_elasticsearch.sinks.connect import Greeting, greeting

PRIVILEGES: Final = ("create_index", "index", "maintenance", "read", "view_index_metadata")
"""What the loader needs on its own indices, and on those it loads into.

https://www.elastic.co/docs/reference/elasticsearch/security-privileges
"""

_ON_NEW_FIELDS: Final = ("indices:admin/mapping/put", "indices:admin/settings/update")
"""What it needs besides where an upgrade adds fields to an index that is there."""


def check(server: SearchServer) -> str:
    """Return, in a sentence or two, which server answers and what its user may do.

    Elasticsearch is asked for the user's privileges. OpenSearch has no such question: there the reads that a load
    begins with are made, and only a load shows whether it may write.

    :raises ConfigurationError: the server is another one, or does not let this user load
    :raises TransientError: it gives no answer, or none for now
    """
    found = _greeting(server)
    if found.engine is not None and found.engine != server.engine:
        raise ConfigurationError(
            f"The search server {server.name} is {found.title}, and the connection says {server.engine}: choose "
            f"{found.engine} as its engine, or none, and the server is asked."
        )
    may = _privileges(server) if server.engine == "elasticsearch" else None
    if may is None:
        _read_what_a_load_reads(server)
        may = "lets this user read what a load reads first; whether it may write, a load will show"
    return f"{Greeting(server.engine, found.version).title} answers at {server.name}, and {may}."


def _greeting(server: SearchServer) -> Greeting:
    """Return what the server says it is: one may load without the right to ask, and Serverless does not say."""
    try:
        return greeting(server)
    except AccessDeniedError:
        return Greeting(None, None)
    except RefusedError as error:
        if error.status != 404:
            raise
        return Greeting(None, None)


def _read_what_a_load_reads(server: SearchServer) -> None:
    try:
        server.request("GET", f"/_index_template/{TEMPLATES}*")
    except RefusedError as error:
        if error.status != 404:  # there is none yet
            raise
    count = f"/{','.join(OWN_INDICES)}/_count?{MISSING_IS_EMPTY}"
    answer = server.request("POST", count)
    if not isinstance(answer, dict) or "count" not in answer:
        raise unreadable(server.name, f"POST {count}")


def _privileges(server: SearchServer) -> str | None:
    """Return what the user may do, as the end of a sentence; None where the server has no security to ask.

    https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-security-has-privileges

    :raises AccessDeniedError: what a load needs in any case is missing; the message names it
    """
    usual = IndexPattern(DEFAULT_INDEX).name(datetime.now(UTC))
    asked = {
        "cluster": ["manage_index_templates"],
        "index": [
            {"names": list(OWN_INDICES), "privileges": list(PRIVILEGES)},
            {"names": [QUARANTINE_INDEX], "privileges": ["delete"]},
            {"names": [usual], "privileges": [*PRIVILEGES, *_ON_NEW_FIELDS]},
        ],
    }
    try:
        answer = server.request("POST", "/_security/user/_has_privileges", codec.encode(asked))
    except RefusedError:
        return None
    if not isinstance(answer, dict) or "index" not in answer:
        return None
    lacking = {
        index: [name for name, has in rights.items() if not has] for index, rights in answer["index"].items()
    }
    for_events = lacking.pop(usual)
    missing = [f"{name} on the cluster" for name, has in answer["cluster"].items() if not has]
    missing += [f"{', '.join(sorted(names))} on {index}" for index, names in sorted(lacking.items()) if names]
    if missing:
        raise AccessDeniedError(
            f"The search server {server.name} answers, but the connection's user lacks {'; '.join(missing)}. Give "
            f"these to its role, or to the API key; docs/security.md has a role to copy."
        )
    if for_events:
        return (
            f"this user may load, but not into {usual}, where events go unless the DAG's param index says "
            f"otherwise: it lacks {', '.join(sorted(for_events))} there"
        )
    return "this user may load"
