"""Enrichment of documents: adds fields about the caller's address, user agent and account. ADR-0030"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudtrail_elasticsearch.core.enrichment.databases import Databases
from cloudtrail_elasticsearch.core.enrichment.user_agents import UserAgents


@dataclass(frozen=True, slots=True)
class Enrichment:
    """The parts that are on; at least one is. Threads may share it."""

    databases: Databases | None = None
    user_agents: UserAgents | None = None
    account_names: Mapping[str, str] | None = None
    """The names of accounts, by id."""

    @property
    def kinds(self) -> list[str]:
        """The parts that are on, and the types of the databases; not the versions of their data."""
        databases = self.databases.kinds if self.databases else ()
        names = ("user_agents", self.user_agents), ("account_names", self.account_names)
        return [*databases, *(name for name, part in names if part is not None)]

    def version(self) -> int:
        """Return a number that changes when a database was read again."""
        return self.databases.version() if self.databases else 0

    def enrich_address(self, described: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the ECS fields of an address, as `ecs.describe_address` returns them, with its place and network.

        :raises EnrichmentError: a database is broken
        """
        source = described.get("source")
        if not self.databases or not source:
            return described
        return {"source": {**source, **self.databases.find(source["ip"])}}

    def describe_user_agent(self, text: str) -> Mapping[str, Any]:
        """Return the ECS fields of a user agent's text."""
        fields = self.user_agents.describe(text) if self.user_agents else None
        return {"user_agent": fields} if fields else {}

    def enrich_call(self, described: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the ECS fields of a call, as `ecs.describe_call` returns them, with the name of its account."""
        cloud: Mapping[str, Any] = described.get("cloud", {})
        account: Mapping[str, Any] = cloud.get("account", {})
        name = self.account_names.get(account.get("id", "")) if self.account_names else None
        if not name:
            return described
        return {**described, "cloud": {**cloud, "account": {**account, "name": name}}}
