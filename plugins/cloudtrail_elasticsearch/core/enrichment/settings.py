"""The settings of enrichment, as an operator's argument or an Airflow variable has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core.encoding import typed
from cloudtrail_elasticsearch.core.errors import EnrichmentError

EXAMPLE: Final = '{"ip_databases": ["GeoLite2-City.mmdb", "GeoLite2-ASN.mmdb"], "user_agents": true}'


class EnrichmentSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What documents are enriched with; nothing by default."""

    ip_databases: tuple[str, ...] = ()
    """The names of MaxMind-format files; of several with the same fields, the first one prevails."""
    user_agents: bool = False
    """Whether user agents are parsed."""
    account_names: bool = False
    """Whether accounts have the names that the ledger has for them."""


def parse_settings(given: Mapping[str, Any] | str, named_by: str) -> EnrichmentSettings:
    """Return the settings of an object, or of its JSON text; an empty text or object turns everything off.

    :param named_by: the argument or variable with the settings, for the error
    :raises EnrichmentError: a name is unknown, or a value is wrong
    """
    try:
        if isinstance(given, str):
            return typed.decode(given, EnrichmentSettings) if given.strip() else EnrichmentSettings()
        return typed.convert(given, EnrichmentSettings)
    except msgspec.MsgspecError as error:
        raise EnrichmentError(f"{named_by} is wrong: {error}. Write it like {EXAMPLE}.") from error
