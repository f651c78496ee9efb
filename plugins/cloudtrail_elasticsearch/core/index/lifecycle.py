"""A lifecycle policy for the events' indices: hot, warm, delete. ILM in Elasticsearch, ISM in OpenSearch.

No phase makes an index read-only, so late events and backfills can still be loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import msgspec

from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import ConfigurationError, RejectedRequestError
from cloudtrail_elasticsearch.core.search.answers import send_request
from cloudtrail_elasticsearch.core.search.server import Engine, SearchServer

DEFAULT_POLICY: Final = "cloudtrail"

_HOT_PRIORITY: Final = 100
_WARM_PRIORITY: Final = 50
"""After a restart, the server recovers the indices with the highest priority first."""


@dataclass(frozen=True, slots=True)
class LifecyclePolicy:
    """The ages of an index, in days from its creation, at which it becomes warm and is deleted.

    :raises ConfigurationError: the index would be deleted before it is warm, or the name is not valid
    """

    name: str
    warm_days: int
    delete_days: int

    def __post_init__(self) -> None:
        if not 0 < self.warm_days < self.delete_days:
            raise ConfigurationError(
                f"The lifecycle policy {self.name!r} has {self.warm_days} days until warm and {self.delete_days} "
                f"until deletion. Choose at least one day, and more days until deletion than until warm."
            )
        if not self.name or set(self.name) & set(" ,/*?\"'<>|\\#") or self.name.startswith("_"):
            raise ConfigurationError(
                f"{self.name!r} is not a valid name of a lifecycle policy: choose letters, digits, '-' and '_'."
            )

    def make_content(self, engine: Engine) -> dict[str, Any]:
        """Return the policy as the engine's API takes it."""
        return self._make_ilm() if engine == "elasticsearch" else self._make_ism()

    def _make_ilm(self) -> dict[str, Any]:
        """Return a policy of ILM; a warm index also moves to the warm nodes, if there are any.

        Without ``forcemerge`` and ``readonly``, which would make the index read-only.

        https://www.elastic.co/docs/manage-data/lifecycle/index-lifecycle-management/index-lifecycle
        """
        return {
            "policy": {
                "phases": {
                    "hot": {"min_age": "0ms", "actions": {"set_priority": {"priority": _HOT_PRIORITY}}},
                    "warm": {
                        "min_age": f"{self.warm_days}d",
                        "actions": {"set_priority": {"priority": _WARM_PRIORITY}},
                    },
                    "delete": {"min_age": f"{self.delete_days}d", "actions": {"delete": {}}},
                }
            }
        }

    def _make_ism(self) -> dict[str, Any]:
        """Return a policy of ISM, without `ism_template`: its wildcards would match indices of others (ADR-0016).

        https://docs.opensearch.org/latest/im-plugin/ism/policies/
        """
        return {
            "policy": {
                "description": "CloudTrail events: hot, warm, delete.",
                "default_state": "hot",
                "states": [
                    {
                        "name": "hot",
                        "actions": [{"index_priority": {"priority": _HOT_PRIORITY}}],
                        "transitions": [_make_transition("warm", self.warm_days)],
                    },
                    {
                        "name": "warm",
                        "actions": [{"index_priority": {"priority": _WARM_PRIORITY}}],
                        "transitions": [_make_transition("delete", self.delete_days)],
                    },
                    {"name": "delete", "actions": [{"delete": {}}], "transitions": []},
                ],
            }
        }


class _Stored(msgspec.Struct, frozen=True):
    """The version of a stored ISM policy, which a change must name."""

    seq_no: int = msgspec.field(name="_seq_no")
    primary_term: int = msgspec.field(name="_primary_term")


def put_policy(server: SearchServer, policy: LifecyclePolicy) -> None:
    """Write a policy; it replaces one of the same name.

    :raises ConfigurationError: the server has no lifecycle management, or rejects the policy
    """
    body = codec.encode(policy.make_content(server.engine))
    name = quote(policy.name, safe="")
    path = f"/_ilm/policy/{name}" if server.engine == "elasticsearch" else f"/_plugins/_ism/policies/{name}"
    try:
        if server.engine == "opensearch":
            path += _make_condition(server, path)
        server.request("PUT", path, body)
    except RejectedRequestError as error:
        needed = "ILM" if server.engine == "elasticsearch" else "the plugin opensearch-index-management (ISM)"
        raise ConfigurationError(
            f"The lifecycle policy {policy.name} could not be written: {error}. The server needs {needed}."
        ) from error


def _make_condition(server: SearchServer, path: str) -> str:
    """Return the query that lets a request replace the stored policy; empty if there is none.

    https://docs.opensearch.org/latest/im-plugin/ism/api/#update-policy
    """
    try:
        stored = send_request(server, _Stored, "GET", path)
    except RejectedRequestError as error:
        if error.status != 404:
            raise
        return ""
    return f"?if_seq_no={stored.seq_no}&if_primary_term={stored.primary_term}"


def _make_transition(state: str, days: int) -> dict[str, Any]:
    return {"state_name": state, "conditions": {"min_index_age": f"{days}d"}}
