"""Whether a search server is the one meant, and lets its user load: asked without writing anything."""

from __future__ import annotations

from typing import Any, Final

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.errors import AccessDeniedError, ConfigurationError, RefusedError
from cloudtrail_elasticsearch.core.index_setup import SearchServer
from cloudtrail_elasticsearch.core.mapping import OWN_INDICES, QUARANTINE_INDEX, TEMPLATES
from cloudtrail_elasticsearch.sinks.connect import Greeting, greeting

PRIVILEGES: Final = ("create_index", "index", "maintenance", "read", "view_index_metadata")
"""What the loader needs on its own indices, and on those it loads into.

https://www.elastic.co/docs/reference/elasticsearch/security-privileges
"""


def check(server: SearchServer) -> str:
    """Return, in a sentence, which server answers and that its user may do what could be asked.

    Elasticsearch is asked for the user's privileges. OpenSearch cannot be: there the reads that the loader begins
    with are made, and only a load shows whether it may write.

    :raises ConfigurationError: the server is another one, or does not let this user load
    :raises TransientError: it gives no answer, or none for now
    """
    found = _greeting(server)
    if found.engine is not None and found.engine != server.engine:
        raise ConfigurationError(
            f"The search server {server.name} is {found.title}, and the connection says {server.engine}: choose "
            f"{found.engine} as its engine, or none, and the server is asked."
        )
    _read_what_a_load_reads(server)
    asked = server.engine == "elasticsearch" and _has_privileges(server)
    may = "may load" if asked else "may read what a load reads first; whether it may write, a load will show"
    title = Greeting(server.engine, found.version).title
    return f"{title} answers at {server.name}, and this user {may}."


def _greeting(server: SearchServer) -> Greeting:
    """Return what the server says it is; a user may load without the right to ask, and Serverless is silent."""
    try:
        return greeting(server)
    except AccessDeniedError:
        return Greeting(None, None)
    except RefusedError as error:
        if error.status != 404:
            raise
        return Greeting(None, None)


def _read_what_a_load_reads(server: SearchServer) -> None:
    for method, path in (
        ("GET", f"/_index_template/{TEMPLATES}*"),
        ("POST", f"/{','.join(OWN_INDICES)}/_count?ignore_unavailable=true"),
    ):
        try:
            server.request(method, path)
        except RefusedError as error:
            if error.status != 404:  # there is none yet
                raise


def _has_privileges(server: SearchServer) -> bool:
    """Make sure that the user has the privileges; return whether the server could be asked.

    https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-security-has-privileges

    :raises AccessDeniedError: some are missing; the message names them
    """
    asked = {
        "cluster": ["manage_index_templates"],
        "index": [
            {"names": list(OWN_INDICES), "privileges": list(PRIVILEGES)},
            {"names": [QUARANTINE_INDEX], "privileges": ["delete"]},
        ],
    }
    try:
        answer = server.request("POST", "/_security/user/_has_privileges", codec.encode(asked))
    except RefusedError:  # a server without security has no such question
        return False
    missing = _missing(answer)
    if missing:
        raise AccessDeniedError(
            f"The search server {server.name} answers, but its user lacks {'; '.join(missing)}. Give these to the "
            f"user's role, or to the API key."
        )
    return True


def _missing(answer: dict[str, Any]) -> list[str]:
    cluster = [name for name, has in answer["cluster"].items() if not has]
    lacking = {index: _lacking(has) for index, has in answer["index"].items()}
    return [f"the cluster privilege {name}" for name in cluster] + [
        f"{', '.join(names)} on {index}" for index, names in sorted(lacking.items()) if names
    ]


def _lacking(has: dict[str, bool]) -> list[str]:
    return sorted(name for name, granted in has.items() if not granted)
