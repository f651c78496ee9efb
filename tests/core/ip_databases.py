"""Small MaxMind-format databases for the tests. Their addresses are reserved for documentation (RFC 5737)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet

PARIS: dict[str, Any] = {
    "city": {"geoname_id": 2988507, "names": {"de": "Paris (de)", "en": "Paris"}},
    "continent": {"code": "EU", "names": {"en": "Europe"}},
    "country": {"iso_code": "FR", "names": {"en": "France"}},
    "location": {"accuracy_radius": 20, "latitude": 48.8534, "longitude": 2.3488, "time_zone": "Europe/Paris"},
    "postal": {"code": "75000"},
    "registered_country": {"iso_code": "FR", "names": {"en": "France"}},
    "subdivisions": [
        {"iso_code": "IDF", "names": {"en": "Île-de-France"}},
        {"iso_code": "75", "names": {"en": "Paris"}},
    ],
}
PARIS_FIELDS: dict[str, Any] = {
    "city_name": "Paris",
    "continent_name": "Europe",
    "country_iso_code": "FR",
    "country_name": "France",
    "location": {"lat": 48.8534, "lon": 2.3488},
    "region_iso_code": "FR-75",
    "region_name": "Paris",
}
LIMA: dict[str, Any] = {
    "city": {"names": {"en": "Lima"}},
    "country": {"iso_code": "PE", "names": {"en": "Peru"}},
    "location": {"latitude": -12.0464, "longitude": -77.0428},
}
EXAMPLE_NET: dict[str, Any] = {
    "autonomous_system_number": 64_496,
    "autonomous_system_organization": "Example Net",
}
EXAMPLE_NET_FIELDS: dict[str, Any] = {"number": 64_496, "organization": {"name": "Example Net"}}

Records = Mapping[str, Mapping[str, Any]]

CITIES: Records = {"203.0.113.0/24": PARIS, "2001:db8::/32": LIMA}
NETWORKS: Records = {"203.0.113.0/25": EXAMPLE_NET, "2001:db8::/32": EXAMPLE_NET}


def write_database(file: Path, records: Records, kind: str = "GeoLite2-City", ip_version: int = 6) -> Path:
    """Write a database as update tools do: beside its place first, and then moved there."""
    writer = MMDBWriter(ip_version, kind, ["en"], ipv4_compatible=ip_version == 6)
    for network, record in records.items():
        writer.insert_network(IPSet([network]), dict(record))
    beside = file.with_suffix(".new")
    writer.to_db_file(str(beside))
    return beside.replace(file)
