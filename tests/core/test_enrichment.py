"""Enrichment: fields beside the event, the same on both ways to a document, and ignored when it is restored."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.documents.changes import Drop, Mask
from cloudtrail_elasticsearch.core.documents.events import Event, parse_line
from cloudtrail_elasticsearch.core.documents.explain import locate
from cloudtrail_elasticsearch.core.documents.fast_path import FastPath
from cloudtrail_elasticsearch.core.documents.normalize import Normalizer
from cloudtrail_elasticsearch.core.documents.restore import DERIVED, restore
from cloudtrail_elasticsearch.core.documents.rules import Rule, load_rules
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES, Schema, Strategy
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.enrichment.databases import CHECK_SECONDS, Databases
from cloudtrail_elasticsearch.core.enrichment.enrichment import Enrichment
from cloudtrail_elasticsearch.core.enrichment.fields import FIELDS, split_enrichment
from cloudtrail_elasticsearch.core.enrichment.settings import EnrichmentSettings, parse_settings
from cloudtrail_elasticsearch.core.enrichment.user_agents import LONGEST, UserAgents
from cloudtrail_elasticsearch.core.errors import EnrichmentError
from cloudtrail_elasticsearch.core.index.event_template import make_event_mappings
from cloudtrail_elasticsearch.core.search.bulk import BulkItem
from cloudtrail_elasticsearch.core.search.stored_documents import is_stored
from tests.core.ip_databases import (
    CITIES,
    EXAMPLE_NET_FIELDS,
    LIMA,
    NETWORKS,
    PARIS,
    PARIS_FIELDS,
    write_database,
)
from tests.core.strategies import records, values
from tests.core.test_fast_path import EVENT, agree

AWS_CLI = "aws-cli/2.17.32 md/awscrt#0.21.2 ua/2.0 os/linux#6.1.147 md/arch#x86_64 lang/python#3.11.8"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 "
    "Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.1.2 Mobile/15E148 Safari/604.1"
)
IN_PARIS: dict[str, Any] = EVENT | {"sourceIPAddress": "203.0.113.9", "userAgent": AWS_CLI}
AGENTS = UserAgents()


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


CLOCK = Clock()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("databases")


@pytest.fixture(scope="module")
def enrichment(folder: Path) -> Enrichment:
    city = write_database(folder / "city.mmdb", CITIES)
    asn = write_database(folder / "asn.mmdb", NETWORKS, "GeoLite2-ASN")
    return Enrichment(Databases([city, asn]), AGENTS, {"123456789012": "audit"})


@pytest.fixture(scope="module")
def schemas(enrichment: Enrichment) -> Mapping[Strategy, Schema]:
    return {name: replace(build_schema(name, load_rules()), enrichment=enrichment) for name in STRATEGIES}


def document(schema: Schema, event: Mapping[str, Any]) -> dict[str, Any]:
    made = Normalizer(schema).document(Event(dict(event), {})).source
    decoded: dict[str, Any] = codec.decode(codec.encode(made))
    return decoded


def test_all_parts_add_their_fields(schemas: Mapping[Strategy, Schema]) -> None:
    """Beside the other ECS fields of the same objects."""
    made = document(schemas["typed"], IN_PARIS)
    assert made["source"] == {"ip": "203.0.113.9", "as": EXAMPLE_NET_FIELDS, "geo": PARIS_FIELDS}
    assert made["cloud"]["account"] == {"id": "123456789012", "name": "audit"}
    assert made["user_agent"] == {
        "name": "aws-cli",
        "version": "2.17.32",
        "os": {"name": "Linux", "full": "Linux"},
    }


def test_fields_of_enrichment_are_mapped_and_derived(schemas: Mapping[Strategy, Schema]) -> None:
    """Every field is in the mapping, of this type, also without enrichment; `restore` ignores all of them."""
    off = make_event_mappings(build_schema("typed", load_rules()), "elasticsearch")
    assert make_event_mappings(schemas["typed"], "elasticsearch") == off
    for path, kind in FIELDS.items():
        field: dict[str, Any] = off
        for name in path.split("."):
            field = field["properties"][name]
        assert field == {"type": kind}
        assert path.partition(".")[0] in DERIVED
    assert (
        "geo"
        not in make_event_mappings(build_schema("typed", (), ecs=False), "opensearch")["properties"]["source"]
    )


@pytest.mark.parametrize(
    ("changes", "source"),
    [
        ({"sourceIPAddress": "cloudformation.amazonaws.com"}, None),
        ({"sourceIPAddress": "AWS Internal"}, None),
        ({"sourceIPAddress": ["203.0.113.9"]}, None),
        ({"sourceIPAddress": "10.1.2.3"}, {"ip": "10.1.2.3"}),
        ({"sourceIPAddress": "fe80::1"}, {"ip": "fe80::1"}),
        ({"sourceIPAddress": "198.51.100.1"}, {"ip": "198.51.100.1"}),
    ],
)
def test_only_known_addresses_have_places(
    schemas: Mapping[Strategy, Schema], changes: dict[str, Any], source: Any
) -> None:
    """Names of services, private and unknown addresses have none, and other accounts no name."""
    identity = IN_PARIS["userIdentity"] | {"accountId": "210987654321"}
    made = document(schemas["typed"], IN_PARIS | changes | {"userIdentity": identity})
    assert made.get("source") == source
    assert made["cloud"]["account"] == {"id": "210987654321"}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.promise("reversible")
def test_recorded_events_are_enriched_alike_and_restored(
    strategy: Strategy, schemas: Mapping[Strategy, Schema], recorded_events: list[dict[str, Any]]
) -> None:
    """Both ways make the same bytes, which differ from a plain document in enrichment only."""
    schema, plain = schemas[strategy], build_schema(strategy, load_rules())
    fast, walk, without = FastPath(schema), Normalizer(schema), Normalizer(plain)
    seen = 0
    for recorded in recorded_events:
        event = recorded | {"sourceIPAddress": "203.0.113.9"} if "sourceIPAddress" in recorded else recorded
        line = codec.encode(event)
        made = walk.document(Event(event, {})).source
        assert restore(made) == event
        rest, groups = split_enrichment(codec.decode(codec.encode(made)))
        assert rest == codec.decode(codec.encode(without.document(Event(event, {})).source))
        seen += "source.geo" in groups
        found = fast.document(line)
        if found is not None:
            assert found.source == codec.encode(made)
    assert seen > len(recorded_events) / 2


@pytest.mark.promise("reversible")
@given(
    changes=st.dictionaries(
        st.sampled_from(["userAgent", "sourceIPAddress", "source", "user_agent", "cloud", "geo", "tls"]),
        values | records | st.sampled_from([AWS_CLI, CHROME, "203.0.113.1", "2001:db8::5"]),
    )
)
def test_any_event_is_enriched_alike_and_restored(
    schemas: Mapping[Strategy, Schema], changes: dict[str, Any]
) -> None:
    """Also if it has values of its own under the names of ECS, or odd user agents and addresses."""
    event = json.loads(json.dumps(EVENT | changes))
    line = codec.encode(event)
    agree(schemas["typed"], line)
    parsed = parse_line(line)
    assert isinstance(parsed, Event)
    made = Normalizer(schemas["typed"]).document(parsed).source
    assert codec.decode(codec.encode(restore(made))) == codec.decode(line)
    # Enrichment is no value of the event.
    assert all(not found.field.startswith(("source.", "user_agent.", "cloud.")) for found in locate(made))


def test_values_that_rules_remove_are_not_looked_up(enrichment: Enrichment) -> None:
    """The address and the user agent are those of the document."""
    rules = (
        Rule("no-address", "sourceIPAddress", "Private.", Drop(), ()),
        Rule("no-agent", "userAgent", "Private.", Mask("hidden"), ()),
    )
    schema = replace(build_schema("typed", (*rules, *load_rules())), enrichment=enrichment)
    made = document(schema, IN_PARIS)
    assert "source" not in made
    assert "user_agent" not in made
    assert made["userAgent"] == "hidden"
    assert FastPath(schema).document(codec.encode(IN_PARIS)) is None


def test_a_replaced_database_changes_the_next_documents(tmp_path: Path) -> None:
    """Also of callers that are cached, on both ways."""
    clock = Clock()
    city = write_database(tmp_path / "city.mmdb", {"203.0.113.0/24": PARIS})
    schema = replace(build_schema("typed", load_rules()), enrichment=Enrichment(Databases([city], clock)))
    fast, walk = FastPath(schema), Normalizer(schema)

    def cities() -> list[str]:
        found = fast.document(codec.encode(IN_PARIS))
        assert found is not None
        sources = [codec.decode(found.source), walk.document(Event(IN_PARIS, {})).source]
        return [source["source"]["geo"]["city_name"] for source in sources]

    assert cities() == cities() == ["Paris", "Paris"]
    write_database(city, {"203.0.113.0/24": LIMA})
    clock.now += CHECK_SECONDS
    assert cities() == ["Lima", "Lima"]


def test_finished_windows_depend_on_the_kinds_of_enrichment(tmp_path: Path) -> None:
    """Turning a part on loads a window again that is asked for again. New data in a database does not."""
    plain = build_schema("typed", load_rules())
    city = write_database(tmp_path / "city.mmdb", CITIES)

    def fingerprint(enrichment: Enrichment | None) -> str:
        return replace(plain, enrichment=enrichment).fingerprint

    first = fingerprint(Enrichment(Databases([city])))
    write_database(city, {"203.0.113.0/24": LIMA})
    assert fingerprint(Enrichment(Databases([city]))) == first
    others = [
        None,
        Enrichment(user_agents=AGENTS),
        Enrichment(account_names={}),
        Enrichment(Databases([city]), AGENTS),
        Enrichment(Databases([write_database(tmp_path / "other.mmdb", CITIES, "DBIP-City-Lite")])),
    ]
    assert len({first, *map(fingerprint, others)}) == 6
    assert fingerprint(Enrichment(account_names={"123456789012": "a"})) == fingerprint(
        Enrichment(account_names={})
    )


@pytest.mark.parametrize(
    ("text", "described"),
    [
        (
            CHROME,
            {
                "name": "Chrome",
                "version": "120.0.0.0",
                "os": {"name": "Windows", "full": "Windows 10", "version": "10"},
            },
        ),
        (
            IPHONE,
            {
                "device": {"name": "iPhone"},
                "name": "Mobile Safari",
                "version": "17.1.2",
                "os": {"name": "iOS", "full": "iOS 17.1.2", "version": "17.1.2"},
            },
        ),
        ("Boto3/1.34.0", {"device": {"name": "Spider"}, "name": "Boto3", "version": "1.34.0"}),
        ("console.amazonaws.com", {}),
        ("AWS Internal", {}),
        ("", {}),
    ],
)
def test_user_agents_are_parsed(text: str, described: dict[str, Any]) -> None:
    """What the parser does not know has no field, and no value such as Other."""
    assert AGENTS.describe(text) == described


def test_a_long_user_agent_is_cut_off() -> None:
    """The end of a hostile text costs nothing."""
    assert AGENTS.describe("x" * LONGEST + "Boto3/1.34.0") == {}
    assert AGENTS.describe("Boto3/1.34.0 " + "(" * 1_000_000)["name"] == "Boto3"


ENRICHED: dict[str, Any] = {
    "eventID": "1",
    "source": {"ip": "203.0.113.9", "geo": {"city_name": "Paris"}},
    "cloud": {"provider": "aws", "account": {"id": "1", "name": "audit"}},
    "user_agent": {"name": "Boto3"},
    "event": {"kind": "event"},
}
PLAIN: dict[str, Any] = {
    "eventID": "1",
    "source": {"ip": "203.0.113.9"},
    "cloud": {"provider": "aws", "account": {"id": "1"}},
    "event": {"kind": "event"},
}
MOVED = ENRICHED | {"source": {"ip": "203.0.113.9", "geo": {"city_name": "Lima"}}}


@pytest.mark.parametrize(
    ("stored", "ours", "stays"),
    [
        pytest.param(ENRICHED, ENRICHED, True, id="equal"),
        pytest.param(ENRICHED, MOVED, True, id="another place"),
        pytest.param(ENRICHED, PLAIN, True, id="turned off since"),
        pytest.param(PLAIN, ENRICHED, False, id="turned on since"),
        pytest.param(PLAIN | {"user_agent": {"name": "Boto3"}}, ENRICHED, False, id="a part turned on since"),
        pytest.param(ENRICHED, ENRICHED | {"eventID": "2"}, False, id="another value"),
        pytest.param(ENRICHED, MOVED | {"source": {"ip": "203.0.113.8"}}, False, id="another address"),
    ],
)
def test_a_repeated_load_keeps_the_enrichment(stored: dict[str, Any], ours: dict[str, Any], stays: bool) -> None:
    """A document that differs in enrichment only stays, unless it lacks a part, or is to be renewed."""
    sent = stored | {"event": {"kind": "event", "ingested": "2026-11-20T01:02:03.000Z"}}
    item = BulkItem("1", "index", codec.encode(ours), b"")
    assert is_stored(item, sent) is stays
    assert is_stored(item, sent, renews_enrichment=True) is (stored == ours)


def test_settings_are_an_object_or_its_json() -> None:
    """Nothing is on by default."""
    settings = {"ip_databases": ["city.mmdb"], "user_agents": True}
    assert parse_settings(settings, "It") == parse_settings(json.dumps(settings), "It")
    assert parse_settings(settings, "It") == EnrichmentSettings(("city.mmdb",), user_agents=True)
    assert (
        parse_settings("", "It") == parse_settings({}, "It") == parse_settings("{}", "It") == EnrichmentSettings()
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ('{"ip_database": []}', r"The variable x is wrong: .*unknown field `ip_database`.* Write it like \{"),
        ('{"user_agents": "yes"}', r"Expected `bool`, got `str`"),
        ('["city.mmdb"]', r"Expected `object`, got `array`"),
        ("city.mmdb", r"JSON is malformed"),
        ({"ip_databases": "city.mmdb"}, r"Expected `array`, got `str`"),
    ],
)
def test_wrong_settings_are_rejected_by_name(given: Any, words: str) -> None:
    """With an example."""
    with pytest.raises(EnrichmentError, match=words):
        parse_settings(given, "The variable x")


def test_nothing_is_imported_if_all_is_off(tmp_path: Path) -> None:
    """The packages, which need a third of a second and 16 MB, cost nothing then."""
    file = tmp_path / "event.json"
    file.write_bytes(codec.encode(IN_PARIS))
    program = (
        "import sys; from cloudtrail_elasticsearch.cli import main; "
        f"status = main(['normalize', {str(file)!r}]); "
        "sys.exit(status or bool({'maxminddb', 'ua_parser'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert "geo" not in codec.decode(done.stdout)["source"]
