"""Databases of addresses: the layouts of their providers, replaced files, and files that cannot be used."""

from __future__ import annotations

import importlib.util
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.enrichment.databases import CHECK_SECONDS, Databases
from cloudtrail_elasticsearch.core.enrichment.layouts import LONGEST_TEXT, describe_record
from cloudtrail_elasticsearch.core.errors import EnrichmentError
from tests.core.ip_databases import (
    CITIES,
    EXAMPLE_NET,
    EXAMPLE_NET_FIELDS,
    LIMA,
    NETWORKS,
    PARIS,
    PARIS_FIELDS,
    write_database,
)

IN_PARIS = "203.0.113.9"
LIMA_FIELDS = {
    "city_name": "Lima",
    "country_iso_code": "PE",
    "country_name": "Peru",
    "location": {"lat": -12.0464, "lon": -77.0428},
}


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def city(tmp_path: Path) -> Path:
    return write_database(tmp_path / "city.mmdb", CITIES)


@pytest.fixture
def asn(tmp_path: Path) -> Path:
    return write_database(tmp_path / "asn.mmdb", NETWORKS, "GeoLite2-ASN")


@pytest.mark.parametrize(
    ("record", "described"),
    [
        pytest.param(PARIS, {"geo": PARIS_FIELDS}, id="GeoLite2-City"),
        pytest.param(EXAMPLE_NET, {"as": EXAMPLE_NET_FIELDS}, id="GeoLite2-ASN"),
        pytest.param(
            {
                "city": {"names": {"en": "Lima (Miraflores)"}},
                "continent": {"code": "SA", "geoname_id": 6255150, "names": {"en": "South America"}},
                "country": {"geoname_id": 3932488, "is_in_european_union": False, "iso_code": "PE"},
                "location": {"latitude": -12.1, "longitude": -77},
                "subdivisions": [{"names": {"en": "Lima Province"}}],
            },
            {
                "geo": {
                    "city_name": "Lima (Miraflores)",
                    "continent_name": "South America",
                    "country_iso_code": "PE",
                    "location": {"lat": -12.1, "lon": -77.0},
                    "region_name": "Lima Province",
                }
            },
            id="DBIP-City-Lite",
        ),
        pytest.param(
            {"country": {"iso_code": "PE"}, "traits": {**EXAMPLE_NET, "isp": "Example"}},
            {"geo": {"country_iso_code": "PE"}, "as": EXAMPLE_NET_FIELDS},
            id="DBIP-ISP",
        ),
        pytest.param(
            {
                "country": "Peru",
                "country_code": "PE",
                "continent": "South America",
                "continent_code": "SA",
                "asn": "AS64496",
                "as_name": "Example Net",
                "as_domain": "example.net",
            },
            {
                "geo": {"continent_name": "South America", "country_iso_code": "PE", "country_name": "Peru"},
                "as": EXAMPLE_NET_FIELDS,
            },
            id="IPinfo Lite",
        ),
        pytest.param(
            {
                "country": "PE",
                "country_name": "Peru",
                "continent": "SA",
                "continent_name": "South America",
                "asn": "AS64496",
                "as_name": "Example Net",
            },
            {
                "geo": {"continent_name": "South America", "country_iso_code": "PE", "country_name": "Peru"},
                "as": EXAMPLE_NET_FIELDS,
            },
            id="IPinfo country_asn",
        ),
        pytest.param(
            {
                "city": "Lima",
                "country": "PE",
                "lat": "-12.0464",
                "lng": "-77.0428",
                "region": "Lima Province",
                "region_code": "LMA",
                "postal_code": "15001",
            },
            {
                "geo": {
                    "city_name": "Lima",
                    "country_iso_code": "PE",
                    "location": {"lat": -12.0464, "lon": -77.0428},
                    "region_iso_code": "PE-LMA",
                    "region_name": "Lima Province",
                }
            },
            id="IPinfo location",
        ),
        pytest.param(
            {"asn": "AS64496", "domain": "example.net", "name": "Example Net", "country": "PE"},
            {"geo": {"country_iso_code": "PE"}, "as": EXAMPLE_NET_FIELDS},
            id="IPinfo ASN",
        ),
        pytest.param({"is_anonymous": True}, {}, id="another kind"),
        pytest.param(["PE"], {}, id="no object"),
        pytest.param({"asn": "", "lat": "", "lng": "", "city": ""}, {}, id="empty"),
        pytest.param({"asn": 2**32, "location": {"latitude": 91, "longitude": 0}}, {}, id="out of range"),
        pytest.param({"location": {"latitude": float("nan"), "longitude": 0}}, {}, id="no number"),
        pytest.param({"city": "x" * (LONGEST_TEXT + 1), "asn": True, "country": ["PE"]}, {}, id="odd"),
    ],
)
def test_the_layouts_of_providers_have_the_same_fields(record: Any, described: dict[str, Any]) -> None:
    """Whatever the provider, under the names of ECS; a value that a server would reject is left out."""
    assert describe_record(record) == described


def test_places_and_networks_come_from_several_files(city: Path, asn: Path) -> None:
    """Of IPv4 and IPv6 addresses. Addresses of private networks have neither."""
    databases = Databases([city, asn])
    assert databases.kinds == ("GeoLite2-City", "GeoLite2-ASN")
    assert databases.find(IN_PARIS) == {"as": EXAMPLE_NET_FIELDS, "geo": PARIS_FIELDS}
    assert databases.find("203.0.113.200") == {"geo": PARIS_FIELDS}
    assert databases.find("2001:db8::1") == {"as": EXAMPLE_NET_FIELDS, "geo": LIMA_FIELDS}
    assert [databases.find(address) for address in ("10.0.0.1", "192.168.1.1", "fd00::1", "::1")] == [{}] * 4


def test_the_first_file_prevails_as_a_whole(city: Path, tmp_path: Path) -> None:
    """A place is never put together from two files, which can disagree."""
    country = write_database(tmp_path / "country.mmdb", {"203.0.113.0/24": {"country": {"iso_code": "BE"}}})
    assert Databases([city, country]).find(IN_PARIS) == {"geo": PARIS_FIELDS}
    assert Databases([country, city]).find(IN_PARIS) == {"geo": {"country_iso_code": "BE"}}


def test_a_file_of_ipv4_addresses_has_no_other(tmp_path: Path) -> None:
    """An IPv6 address is then an address without a place."""
    databases = Databases([write_database(tmp_path / "4.mmdb", {"203.0.113.0/24": PARIS}, ip_version=4)])
    assert databases.find(IN_PARIS) == {"geo": PARIS_FIELDS}
    assert databases.find("2001:db8::1") == {}


def test_a_replaced_file_is_read_again(city: Path, clock: Clock) -> None:
    """Within a minute, and the number that caches depend on changes only then."""
    databases = Databases([city], clock)
    first = databases.version()
    assert databases.find(IN_PARIS) == {"geo": PARIS_FIELDS}
    write_database(city, {"203.0.113.0/24": LIMA})
    clock.now += CHECK_SECONDS - 1
    assert (databases.version(), databases.find(IN_PARIS)) == (first, {"geo": PARIS_FIELDS})
    clock.now += 1
    assert databases.version() != first
    assert databases.find(IN_PARIS) == {"geo": LIMA_FIELDS}
    second = databases.version()
    clock.now += CHECK_SECONDS
    assert databases.version() == second


def test_a_file_that_is_replaced_badly_stays_in_use(
    city: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A load goes on with the earlier file, and the log has the reason, until a sound file is there."""
    databases = Databases([city], clock)
    first = databases.version()
    for harm in (city.unlink, lambda: city.write_bytes(b"half a file")):
        harm()
        clock.now += CHECK_SECONDS
        caplog.clear()
        assert (databases.version(), databases.find("203.0.113.77")) == (first, {"geo": PARIS_FIELDS})
        assert f"{city} was not read again; the earlier one stays in use" in caplog.text
    write_database(city, {"203.0.113.0/24": LIMA})
    clock.now += CHECK_SECONDS
    assert databases.version() != first
    assert databases.find("203.0.113.77") == {"geo": LIMA_FIELDS}


def test_threads_share_the_databases_while_files_are_replaced(city: Path, asn: Path, clock: Clock) -> None:
    """Every answer is that of one of the files, and the last answers are those of the last file."""
    databases = Databases([city, asn], clock)

    def look_up(number: int) -> set[Any]:
        found = set()
        for each in range(400):
            databases.version()
            place = databases.find(f"203.0.113.{(each + number) % 256}")["geo"]
            found.add(place["city_name"])
        return found

    with ThreadPoolExecutor(8) as threads:
        working = [threads.submit(look_up, number) for number in range(16)]
        for turn in range(10):
            write_database(city, {"203.0.113.0/24": LIMA if turn % 2 else PARIS})
            clock.now += CHECK_SECONDS
        found = set().union(*(each.result() for each in working))
    assert found <= {"Paris", "Lima"}
    clock.now += CHECK_SECONDS
    databases.version()
    assert databases.find(IN_PARIS)["geo"] == LIMA_FIELDS


@pytest.mark.promise("closed")
@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(
            lambda file: None, r"cannot be read: No such file or directory\. Put a database", id="missing"
        ),
        pytest.param(Path.mkdir, r"cannot be read: it is not a regular file", id="folder"),
        pytest.param(os.mkfifo, r"cannot be read: it is not a regular file", id="pipe"),
        pytest.param(lambda file: file.write_text("secret"), r"is broken, or not in MaxMind's format", id="text"),
        pytest.param(lambda file: file.write_bytes(b""), r"is broken|cannot be read", id="empty"),
        pytest.param(
            lambda file: file.write_bytes(write_database(file, CITIES).read_bytes()[:-200]),
            r"is broken, or not in MaxMind's format",
            id="cut off",
        ),
        pytest.param(
            lambda file: write_database(file, {"203.0.113.0/24": {"is_anonymous": True, "note": "secret"}}),
            r"has neither places nor autonomous systems\. Name a City, Country or ASN database",
            id="another kind",
        ),
    ],
)
def test_an_error_names_a_file_that_cannot_be_used(tmp_path: Path, make: Any, words: str) -> None:
    """In one sentence with the remedy, when it is opened; no error quotes a file."""
    file = tmp_path / "city.mmdb"
    make(file)
    with pytest.raises(EnrichmentError, match=words) as raised:
        Databases([file])
    assert f"The database {file} " in str(raised.value)
    assert "secret" not in str(raised.value)


def test_an_error_names_the_packages_that_are_not_installed(city: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without the extra loads as before, until enrichment is turned on."""
    monkeypatch.setattr("cloudtrail_elasticsearch.core.enrichment.packages.find_spec", lambda name: None)
    with pytest.raises(
        EnrichmentError, match=r"maxminddb is not installed.*cloudtrail-elasticsearch\[enrichment\]"
    ):
        Databases([city])


def test_the_reader_is_the_one_in_c(city: Path) -> None:
    """The reader in Python takes several times as long."""
    import maxminddb

    assert importlib.util.find_spec("maxminddb.extension") is not None
    assert type(maxminddb.open_database(city)).__module__ == "maxminddb.extension"
