"""Enrichment of documents: adds fields about the caller's address, user agent and account. ADR-0030"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudtrail_elasticsearch.core.enrichment.databases import Databases
from cloudtrail_elasticsearch.core.enrichment.user_agents import UserAgents


@dataclass(frozen=True, slots=True)
class Enrichment:
    """The parts that are on. Threads may share it."""

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

    def enrich_address(self, described: dict[str, Any]) -> None:
        """Add the place and the network to the ECS fields of an address, as `ecs.describe_address` returns them.

        :raises EnrichmentError: a database is broken
        """
        if self.databases and (source := described.get("source")):
            source |= self.databases.find(source["ip"])

    def describe_user_agent(self, text: str | None) -> Mapping[str, Any]:
        """Return the ECS fields of a user agent's text; None has no fields."""
        fields = self.user_agents.describe(text) if self.user_agents and text else None
        return {"user_agent": fields} if fields else {}

    def enrich_call(self, described: dict[str, Any]) -> None:
        """Add the name of its account to the ECS fields of a call, as `ecs.describe_call` returns them."""
        account = described["cloud"].get("account")
        if account and self.account_names and (name := self.account_names.get(account["id"])):
            account["name"] = name
