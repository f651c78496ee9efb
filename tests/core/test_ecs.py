"""The envelope in the Elastic Common Schema."""

from __future__ import annotations

from typing import Any

import pytest

from cloudtrail_elasticsearch.core import ecs
from cloudtrail_elasticsearch.core.events import Event
from cloudtrail_elasticsearch.core.mapping import event_mappings
from cloudtrail_elasticsearch.core.normalize import Normalizer
from cloudtrail_elasticsearch.core.rules import load_rules
from cloudtrail_elasticsearch.core.shape import STRATEGIES, Strategy, build

ASSUMED_ROLE = {
    "type": "AssumedRole",
    "principalId": "AROAEXAMPLE:ada",
    "accountId": "123456789012",
    "sessionContext": {"sessionIssuer": {"userName": "admin"}},
}


def described(record: dict[str, Any]) -> dict[str, Any]:
    return Normalizer(build("typed", load_rules())).document(Event(record, {})).source


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
def test_the_outcome(record: dict[str, Any], outcome: str) -> None:
    """An error means failure; a sign-in tells it in its answer."""
    assert described(record)["event"]["outcome"] == outcome


@pytest.mark.parametrize(
    ("identity", "name", "related"),
    [
        ({"type": "IAMUser", "userName": "ada", "principalId": "AIDAEXAMPLE"}, "ada", ["ada"]),
        (ASSUMED_ROLE, "admin", ["ada", "admin"]),
        ({"type": "Root", "principalId": "123456789012"}, None, None),
        ("nobody", None, None),
        (None, None, None),
    ],
)
def test_the_user(identity: Any, name: str | None, related: list[str] | None) -> None:
    """The user's name, or the role's; the session's is related."""
    source = described({"userIdentity": identity})
    assert source.get("user", {}).get("name") == name
    assert source.get("related", {}).get("user") == related


def test_the_account_is_that_whose_trail_it_is() -> None:
    """recipientAccountId, or the caller's account where an old event has none."""
    assert described({"userIdentity": ASSUMED_ROLE})["cloud"]["account"]["id"] == "123456789012"
    other = {"userIdentity": ASSUMED_ROLE, "recipientAccountId": "210987654321"}
    assert described(other)["cloud"]["account"]["id"] == "210987654321"


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_field_is_mapped_and_every_alias_has_its_field(strategy: Strategy) -> None:
    """What describe fills is declared; an alias names a field that is."""
    properties = event_mappings(build(strategy, load_rules()), "opensearch")["properties"]
    for name in ecs.KEYWORDS:
        assert _field(properties, name) == {"type": "keyword"}
    for name, path in ecs.ALIASES.items():
        assert _field(properties, name) == {"type": "alias", "path": path}
        assert _field(properties, path)["type"] in {"keyword", "ip"}


def test_it_can_be_turned_off() -> None:
    """Then the address alone is left, which no field of CloudTrail's own can hold as one."""
    shape = build("typed", load_rules(), ecs=False)
    record = {"sourceIPAddress": "203.0.113.7", "userIdentity": ASSUMED_ROLE}
    source = Normalizer(shape).document(Event(record, {})).source
    assert source == {**record, "source": {"ip": "203.0.113.7"}}
    assert not {"event", "cloud", "user", "related"} & event_mappings(shape, "opensearch")["properties"].keys()


def _field(properties: dict[str, Any], path: str) -> Any:
    *parents, leaf = path.split(".")
    for name in parents:
        properties = properties[name]["properties"]
    return properties[leaf]
