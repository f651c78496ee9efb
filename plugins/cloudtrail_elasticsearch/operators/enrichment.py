"""The enrichment of the load tasks: its settings, its databases' folder, and the names of accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from cloudtrail_elasticsearch.core.enrichment.settings import EnrichmentSettings, parse_settings
from cloudtrail_elasticsearch.core.errors import EnrichmentError
from cloudtrail_elasticsearch.core.user_files import confine_file
from cloudtrail_elasticsearch.operators.base import read_setting
from cloudtrail_elasticsearch.operators.rules_folder import DATABASES_FOLDER

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.enrichment.enrichment import Enrichment
    from cloudtrail_elasticsearch.core.search.server import SearchServer

VARIABLE: Final = "cloudtrail_enrichment"
"""The Airflow variable with the settings, as JSON."""


def read_settings(given: Mapping[str, Any] | str | None) -> tuple[EnrichmentSettings, str]:
    """Return the settings of an operator's argument, or if it is None, of the Airflow variable; and their name.

    :raises EnrichmentError: a setting is wrong
    """
    named_by = f"The Airflow variable {VARIABLE}" if given is None else "The operator's enrichment"
    content = given if isinstance(given, Mapping) else read_setting(given, VARIABLE)
    return parse_settings(content, named_by), named_by


def open_enrichment(given: Mapping[str, Any] | str | None, server: SearchServer) -> Enrichment | None:
    """Return the enrichment of an operator's argument, or if it is None, of the variable; None: all is off.

    :param server: has the ledger, whose names of accounts are read if they are wanted
    :raises EnrichmentError: a setting is wrong, or a database is missing, broken, or outside of its folder
    """
    settings, named_by = read_settings(given)
    # Nothing is imported if all is off.
    return None if settings == EnrichmentSettings() else _open(settings, named_by, server)


def _open(settings: EnrichmentSettings, named_by: str, server: SearchServer) -> Enrichment:
    from cloudtrail_elasticsearch.core.enrichment.databases import Databases
    from cloudtrail_elasticsearch.core.enrichment.enrichment import Enrichment
    from cloudtrail_elasticsearch.core.enrichment.user_agents import UserAgents

    folder, advice = DATABASES_FOLDER.find(), DATABASES_FOLDER.advice
    files = [confine_file(name, folder, named_by, advice, EnrichmentError) for name in settings.ip_databases]
    return Enrichment(
        databases=Databases(files) if files else None,
        user_agents=UserAgents() if settings.user_agents else None,
        account_names=_read_names(server) if settings.account_names else None,
    )


def _read_names(server: SearchServer) -> dict[str, str]:
    from cloudtrail_elasticsearch.core.coverage.account_names import read_account_names
    from cloudtrail_elasticsearch.core.index.index_pattern import COVERAGE_INDEX
    from cloudtrail_elasticsearch.core.search.reader import IndexReader
    from cloudtrail_elasticsearch.core.search.sender import LoadSettings, Sender

    ledger = IndexReader(Sender(server, LoadSettings()).request, COVERAGE_INDEX)
    # The plan of this run may have recorded the names just now.
    ledger.refresh()
    return read_account_names(ledger)
