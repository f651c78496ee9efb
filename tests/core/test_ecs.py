"""The envelope in the Elastic Common Schema."""

from __future__ import annotations

from typing import Any

import pytest

from cloudtrail_elasticsearch.core.documents import ecs_names
from cloudtrail_elasticsearch.core.documents.declared_fields import OPEN_OBJECTS
from cloudtrail_elasticsearch.core.documents.events import Event
from cloudtrail_elasticsearch.core.documents.normalize import Normalizer
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES, Strategy
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.index.ecs_properties import find_field, list_aliases
from cloudtrail_elasticsearch.core.index.event_template import make_event_mappings
from cloudtrail_elasticsearch.core.search.server import Engine

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


def test_the_account_is_the_callers() -> None:
    """Or the recipient's, if the record does not name the caller's."""
    other = {"userIdentity": ASSUMED_ROLE, "recipientAccountId": "210987654321"}
    assert described(other)["cloud"]["account"]["id"] == "123456789012"
    assert described({"recipientAccountId": "210987654321"})["cloud"]["account"]["id"] == "210987654321"
    assert described({"accountId": "210987654321"})["cloud"]["account"]["id"] == "210987654321"


@pytest.mark.parametrize(
    ("operation", "category", "types"),
    [
        ("CreateUser", ["iam"], ["user", "creation"]),
        ("AttachGroupPolicy", ["iam"], ["group", "change"]),
        ("AssumeRole", ["authentication"], ["info"]),
        ("DeleteBucket", ["file"], ["deletion"]),
        ("RunInstances", None, ["info"]),
        (None, None, ["info"]),
    ],
)
def test_an_operation_has_a_category(operation: str | None, category: list[str] | None, types: list[str]) -> None:
    """As Elastic's integration documents it; an operation that it does not name is information."""
    event = described({"eventName": operation, "eventID": "1"})["event"]
    assert (event.get("category"), event["type"]) == (category, types)


def test_a_session_named_by_an_address_has_an_email() -> None:
    """The part before the @ is a related user, too; so are the users that a call acts on."""
    record = {
        "userIdentity": ASSUMED_ROLE | {"principalId": "AROAEXAMPLE:ada@example.com"},
        "requestParameters": {"userName": "bob", "newUserName": "rob"},
    }
    source = described(record)
    assert source["user"] == {"name": "admin", "email": "ada@example.com"}
    assert source["related"]["user"] == ["ada", "ada@example.com", "admin", "bob", "rob"]
    named = described({"userIdentity": {"type": "IAMUser", "userName": "ada@example.com"}})
    assert named["user"] == {"name": "ada@example.com", "email": "ada@example.com"}


def test_the_service_and_the_version_of_tls_are_computed() -> None:
    """The service without its domain, the version without its protocol."""
    source = described({"eventSource": "sts.amazonaws.com", "tlsDetails": {"tlsVersion": "TLSv1.3"}})
    assert source["cloud"]["service"] == {"name": "sts"}
    assert source["tls"] == {"version": "1.3", "version_protocol": "tls"}
    assert "tls" not in described({"eventSource": "sts.amazonaws.com", "tlsDetails": {"tlsVersion": "unknown"}})


@pytest.mark.parametrize(
    ("additional", "flags"),
    [
        ({"MFAUsed": "No", "MobileVersion": "No"}, {"mfa_used": False, "mobile_version": False}),
        ({"MFAUsed": "Yes"}, {"mfa_used": True}),
        ({"MFAUsed": None}, None),
        ("hidden", None),
        (None, None),
    ],
)
def test_a_sign_in_has_flags(additional: Any, flags: dict[str, bool] | None) -> None:
    """Of other calls, the same data has none."""
    source = described({"eventName": "ConsoleLogin", "additionalEventData": additional})
    expected: Any = flags and {"cloudtrail": {"console_login": {"additional_eventdata": flags}}}
    assert source.get("aws") == expected
    assert "aws" not in described({"eventName": "CheckMfa", "additionalEventData": additional})


@pytest.mark.parametrize("engine", ["elasticsearch", "opensearch"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_field_is_mapped_and_every_alias_has_its_field(strategy: Strategy, engine: Engine) -> None:
    """Every field that documents fill is declared, and every alias names a field that holds values itself."""
    properties = make_event_mappings(build_schema(strategy, load_rules(), texts=True), engine)["properties"]
    for name in ecs_names.KEYWORDS:
        assert _field(properties, name) == {"type": "keyword"}
    for name, path in list_aliases(engine).items():
        target = find_field(properties, path)
        if target is None:
            # An alias cannot reach below a flat field, and no alias can name an object.
            assert ("." in path, strategy) in {(True, "flattened"), (False, "typed")}, name
            assert path.partition(".")[0] in OPEN_OBJECTS
        else:
            assert _field(properties, name) == {"type": "alias", "path": path}
            assert target["type"] in {"keyword", "ip", "boolean", "date", "flat_object", "flattened"}


def test_values_are_copied_to_declared_fields() -> None:
    """Under the typed strategy every listed field exists, and indexes its values at its targets, too."""
    properties = make_event_mappings(build_schema("typed", load_rules()), "opensearch")["properties"]
    for target, paths in ecs_names.COPIES.items():
        assert _field(properties, target)["type"] == "keyword"
        for path in paths:
            assert target in _field(properties, path)["copy_to"]


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
