"""The envelope in the Elastic Common Schema."""

from __future__ import annotations

from typing import Any

import pytest

from cloudtrail_elasticsearch.core.documents import ecs
from cloudtrail_elasticsearch.core.documents.events import Event
from cloudtrail_elasticsearch.core.documents.normalize import Normalizer
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES, Strategy
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.index.event_template import make_event_mappings

ASSUMED_ROLE = {
    "type": "AssumedRole",
    "principalId": "AROAEXAMPLE:ada",
    "accountId": "123456789012",
    "sessionContext": {"sessionIssuer": {"userName": "admin"}},
}


def described(record: dict[str, Any]) -> dict[str, Any]:
    return Normalizer(build_schema("typed", load_rules())).document(Event(record, {})).source


@pytest.mark.parametrize(
    ("record", "outcome"),
    [
        ({"eventName": "RunInstances"}, "success"),
        ({"eventName": "RunInstances", "errorCode": "AccessDenied"}, "failure"),
        ({"eventName": "CheckMfa", "errorMessage": "denied"}, "failure"),
        ({"eventName": "ConsoleLogin", "responseElements": {"ConsoleLogin": "Failure"}}, "failure"),
        ({"eventName": "ConsoleLogin", "responseElements": {"ConsoleLogin": "Success"}}, "success"),
        ({"eventName": "RunInstances", "errorCode": None}, "success"),
    ],
)
def test_an_error_or_a_failed_sign_in_is_a_failure(record: dict[str, Any], outcome: str) -> None:
    """A sign-in reports its outcome in the response."""
    assert described(record)["event"]["outcome"] == outcome


@pytest.mark.parametrize(
    ("identity", "name", "related"),
    [
        ({"type": "IAMUser", "userName": "ada", "principalId": "AIDAEXAMPLE"}, "ada", ["ada"]),
        (ASSUMED_ROLE, "admin", ["ada", "admin"]),
        ({"type": "Root", "principalId": "123456789012"}, None, ["root"]),
        ("nobody", None, None),
        (None, None, None),
    ],
)
def test_the_user_is_a_user_or_a_role(identity: Any, name: str | None, related: list[str] | None) -> None:
    """A role's session is a related user, and so is root: the record names no other."""
    source = described({"userIdentity": identity})
    assert source.get("user", {}).get("name") == name
    assert source.get("related", {}).get("user") == related


def test_the_account_is_the_recipient_of_the_event() -> None:
    """recipientAccountId, or the caller's account if an old event has none."""
    assert described({"userIdentity": ASSUMED_ROLE})["cloud"]["account"]["id"] == "123456789012"
    other = {"userIdentity": ASSUMED_ROLE, "recipientAccountId": "210987654321"}
    assert described(other)["cloud"]["account"]["id"] == "210987654321"


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_field_is_mapped_and_every_alias_has_its_field(strategy: Strategy) -> None:
    """Every field that `describe` fills is declared, and every alias names a declared field."""
    properties = make_event_mappings(build_schema(strategy, load_rules()), "opensearch")["properties"]
    for name in ecs.KEYWORDS:
        assert _field(properties, name) == {"type": "keyword"}
    for name, path in ecs.ALIASES.items():
        assert _field(properties, name) == {"type": "alias", "path": path}
        assert _field(properties, path)["type"] in {"keyword", "ip"}


def test_ecs_fields_can_be_turned_off() -> None:
    """Only the address stays, because no field of CloudTrail holds it as an IP address."""
    schema = build_schema("typed", load_rules(), ecs=False)
    record = {"sourceIPAddress": "203.0.113.7", "userIdentity": ASSUMED_ROLE}
    source = Normalizer(schema).document(Event(record, {})).source
    assert source == {**record, "source": {"ip": "203.0.113.7"}}
    properties = make_event_mappings(schema, "opensearch")["properties"]
    assert not {"cloud", "user", "related"} & properties.keys()
    # Every document has the time of sending.
    assert properties["event"] == {"properties": {"ingested": {"type": "date"}}}


def _field(properties: dict[str, Any], path: str) -> Any:
    *parents, leaf = path.split(".")
    for name in parents:
        properties = properties[name]["properties"]
    return properties[leaf]
