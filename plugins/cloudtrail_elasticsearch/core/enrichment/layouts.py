"""The records of MaxMind-format databases: their layouts, and the ECS fields ``geo`` and ``as`` of each.

- Nested names, as in GeoIP, GeoLite2 and DB-IP: https://dev.maxmind.com/geoip/docs/databases/city-and-country
  and https://db-ip.com/db/format/ip-to-city-lite/mmdb.html
- Flat texts, as in IPinfo: https://ipinfo.io/developers/database-types
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

LONGEST_TEXT: Final = 1_000
"""The most characters of a text from a database; a longer one is left out."""

_LANGUAGE: Final = "en"
_NOTHING: Final[Mapping[str, Any]] = {}
_LARGEST_NUMBER: Final = 2**32 - 1
"""The largest number of an autonomous system. https://www.rfc-editor.org/rfc/rfc6793"""

_read_as_number: Final = re.compile(r"(?:AS)?(\d{1,10})", re.ASCII | re.IGNORECASE).fullmatch
_is_code: Final = re.compile(r"[A-Z]{2}").fullmatch


def describe_record(record: Any) -> dict[str, dict[str, Any]]:
    """Return the ECS objects ``geo`` and ``as`` of a record; without values of a kind, its object is missing."""
    if not isinstance(record, dict):
        return {}
    is_nested = any(isinstance(record.get(name), dict) for name in ("city", "continent", "country", "location"))
    described = {
        "geo": _read_nested_place(record) if is_nested else _read_flat_place(record),
        "as": _read_network(record),
    }
    return {name: fields for name, fields in described.items() if fields}


def _read_nested_place(record: Mapping[str, Any]) -> dict[str, Any]:
    country, location = _object(record, "country"), _object(record, "location")
    divisions = record.get("subdivisions")
    # The last one is the most specific: a county after its country in the United Kingdom.
    region = divisions[-1] if isinstance(divisions, list) and divisions else None
    region = region if isinstance(region, dict) else _NOTHING
    code, region_code = _text(country, "iso_code"), _text(region, "iso_code")
    return _without_none(
        {
            "city_name": _read_name(_object(record, "city")),
            "continent_name": _read_name(_object(record, "continent")),
            "country_iso_code": code,
            "country_name": _read_name(country),
            "location": _read_location(location.get("latitude"), location.get("longitude")),
            "region_iso_code": f"{code}-{region_code}" if code and region_code else None,
            "region_name": _read_name(region),
        }
    )


def _read_flat_place(record: Mapping[str, Any]) -> dict[str, Any]:
    country, code, region_code = (_text(record, name) for name in ("country", "country_code", "region_code"))
    name = _text(record, "country_name")
    # In some files `country` is the code, in others the name.
    if country and _is_code(country):
        code = code or country
    else:
        name = name or country
    continent = _text(record, "continent")
    if continent and _is_code(continent):
        continent = None
    return _without_none(
        {
            "city_name": _text(record, "city"),
            "continent_name": _text(record, "continent_name") or continent,
            "country_iso_code": code,
            "country_name": name,
            "location": _read_location(
                record.get("lat", record.get("latitude")), record.get("lng", record.get("longitude"))
            ),
            "region_iso_code": f"{code}-{region_code}" if code and region_code else None,
            "region_name": _text(record, "region"),
        }
    )


def _read_network(record: Mapping[str, Any]) -> dict[str, Any]:
    traits = _object(record, "traits")
    number = record.get("autonomous_system_number", traits.get("autonomous_system_number", record.get("asn")))
    found = _read_as_number(str(number))
    if not found or int(found[1]) > _LARGEST_NUMBER:
        return {}
    name = (
        _text(record, "autonomous_system_organization")
        or _text(traits, "autonomous_system_organization")
        or _text(record, "as_name")
        or _text(record, "name")
    )
    return {"number": int(found[1]), **({"organization": {"name": name}} if name else {})}


def _read_location(latitude: Any, longitude: Any) -> dict[str, float] | None:
    try:
        north, east = float(latitude), float(longitude)
    except (TypeError, ValueError):
        return None
    # A server rejects a document with a point off the globe. NaN is in no range.
    return {"lat": north, "lon": east} if -90 <= north <= 90 and -180 <= east <= 180 else None


def _read_name(place: Mapping[str, Any]) -> str | None:
    return _text(_object(place, "names"), _LANGUAGE)


def _object(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = record.get(name)
    return value if isinstance(value, dict) else _NOTHING


def _text(record: Mapping[str, Any], name: str) -> str | None:
    value = record.get(name)
    return value if isinstance(value, str) and 0 < len(value) <= LONGEST_TEXT else None


def _without_none(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
