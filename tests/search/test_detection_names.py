"""The names of public detection rules on the real servers: searches under them find the events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.documents.restore import restore
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.loading.loader import Loader, LoadSettings
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings

ID = "50000000-0000-0000-0000-00000000000"
CALL: dict[str, Any] = {
    "eventVersion": "1.11",
    "userIdentity": {
        "type": "AssumedRole",
        "principalId": "AROAEXAMPLE:ada@example.com",
        "arn": "arn:aws:sts::123456789012:assumed-role/admin/ada@example.com",
        "accountId": "123456789012",
        "sessionContext": {
            "sessionIssuer": {"arn": "arn:aws:iam::123456789012:role/admin", "userName": "admin"},
            "attributes": {"mfaAuthenticated": "false"},
        },
    },
    "eventTime": "2026-11-20T01:02:03Z",
    "awsRegion": "us-east-1",
    "sourceIPAddress": "192.0.2.1",
    "readOnly": False,
    "recipientAccountId": "210987654321",
    "tlsDetails": {"tlsVersion": "TLSv1.3", "clientProvidedHostHeader": "iam.amazonaws.com"},
}
EVENTS: list[dict[str, Any]] = [
    CALL
    | {
        "eventID": f"{ID}1",
        "requestID": "70000000-0000-0000-0000-000000000001",
        "eventSource": "iam.amazonaws.com",
        "eventName": "AttachUserPolicy",
        "userAgent": "TruffleHog/3",
        "errorMessage": "User is not authorized to perform this",
        "requestParameters": {"userName": "bob", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
    },
    CALL
    | {
        "eventID": f"{ID}2",
        "eventSource": "signin.amazonaws.com",
        "eventName": "ConsoleLogin",
        "userAgent": "Mozilla/5.0",
        "responseElements": {"ConsoleLogin": "Success"},
        "additionalEventData": {"MFAUsed": "No", "LoginTo": "https://console.aws.amazon.com/"},
    },
    CALL
    | {
        "eventID": f"{ID}3",
        "eventSource": "ec2.amazonaws.com",
        "eventName": "DescribeInstanceAttribute",
        "userAgent": "aws-cli/2",
        "requestParameters": {"attribute": "userData", "undeclared": {"deep": ["Suspended"]}},
    },
    CALL
    | {
        "eventID": f"{ID}4",
        "eventSource": "sqs.amazonaws.com",
        "eventName": "CreateQueue",
        "userAgent": "aws-cli/2",
        "requestParameters": {"attribute": {"VisibilityTimeout": "43200"}},
    },
]

ALWAYS: list[tuple[str, str]] = [
    ("data_stream.dataset: aws.cloudtrail AND event.action: ConsoleLogin", "2"),
    ("event.category: authentication", "2"),
    ("event.type: (user AND change)", "1"),
    ("cloud.service.name: iam", "1"),
    ("cloud.account.id: 123456789012 AND event.action: CreateQueue", "4"),
    ("cloud.target.account.id: 210987654321 AND event.action: CreateQueue", "4"),
    ("aws.cloudtrail.user_identity.type: AssumedRole AND event.provider: sqs*", "4"),
    ("aws.cloudtrail.user_identity.session_context.mfa_authenticated: false AND event.provider: sqs*", "4"),
    ("aws.cloudtrail.recipient_account_id: 210987654321 AND event.provider: sqs*", "4"),
    ("aws.cloudtrail.error_message: *authorized*", "1"),
    ("errorMessage.text: AUTHORIZED", "1"),
    ("aws.cloudtrail.console_login.additional_eventdata.mfa_used: false", "2"),
    ("tls.client.server_name: iam.amazonaws.com AND tls.version: 1.3 AND event.provider: sqs*", "4"),
    ("user.email: ada@example.com AND related.user: ada AND event.provider: sqs*", "4"),
    ("userAgent: trufflehog*", "1"),
    ("userAgent: TRUFFLEHOG*", "1"),
    ("user_agent.original: TruffleHog*", "1"),
    ("user_agent.original: trufflehog*", ""),
    ("requestParameters.attribute: userData", "3"),
    # Without doc values (ADR-0031).
    (f"eventID: {ID}2", "2"),
    (f"event.id: {ID}3", "3"),
    (f"event.id: {ID[:8]}*", "1234"),
    ("requestID: 7*", "1"),
    ("aws.cloudtrail.request_id: 70000000-0000-0000-0000-000000000001", "1"),
]
TYPED: list[tuple[str, str]] = [
    ("additionalEventData.MFAUsed: NO", "2"),
    ("user.target.name: bob", "1"),
    ("related.entity: arn\\:aws\\:iam\\:\\:aws\\:policy*", "1"),
    ("aws.cloudtrail.flattened.request_parameters.attribute: userData", "3"),
    ("overflow.requestParameters.attribute.VisibilityTimeout: 43200", "4"),
]


@pytest.fixture
def server(search_url: str) -> Any:
    return connect(SearchSettings.from_url(search_url))


@pytest.fixture
def prefix(server: Any, unique_index_prefix: str) -> Iterator[str]:
    yield unique_index_prefix
    for name in server.request("GET", f"/{unique_index_prefix}*/_settings"):
        server.request("DELETE", f"/{name}")


def load(server: Any, index: str, strategy: Any) -> Loader:
    schema = build_schema(strategy, load_rules(), texts=True)
    loader = Loader(server, IndexPattern(index), schema, LoadSettings(patience=2, longest_pause=0.1))
    loader.prepare()
    report = loader.load([codec.encode(event) for event in EVENTS])
    assert (report.indexed + report.duplicates, report.quarantined) == (len(EVENTS), 0)
    loader.count(())
    return loader


def find(server: Any, index: str, query: dict[str, Any]) -> str:
    """Return the last digits of the ids of the found documents."""
    answer = server.request("POST", f"/{index}/_search", codec.encode({"query": query, "size": 100}))
    return "".join(sorted(hit["_id"][-1] for hit in answer["hits"]["hits"]))


@pytest.mark.promise("findable")
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_rules_find_events_by_their_own_names(server: Any, prefix: str, strategy: Any) -> None:
    """With texts and every alias in one index, and events that are restored exactly."""
    load(server, prefix, strategy)
    searches = [*ALWAYS, *(TYPED if strategy == "typed" else [])]
    if strategy == "flattened" and server.engine == "opensearch":
        searches.append(("aws.cloudtrail.flattened.request_parameters.attribute: userData", "3"))
    found = {text: find(server, prefix, {"query_string": {"query": text}}) for text, _ in searches}
    assert found == dict(searches)
    end = ".text" if server.engine == "opensearch" else ""
    for name, pattern, hits in (
        ("request_parameters", "*userName=bob, policyArn=*Administrator*", "1"),
        ("request_parameters", "*deep=[[]Suspended]*", ""),
        ("request_parameters", "*Suspended*", "3"),
        ("response_elements", "*ConsoleLogin=Success*", "2"),
        ("additional_eventdata", "*MFAUsed=No*", "2"),
    ):
        assert find(server, prefix, {"wildcard": {f"aws.cloudtrail.{name}{end}": pattern}}) == hits, pattern
    hits = server.request("POST", f"/{prefix}/_search", b'{"size":100}')["hits"]["hits"]
    assert all("texts" not in hit["_source"] for hit in hits)
    events = {event["eventID"]: event for event in EVENTS}
    assert {hit["_id"]: restore(hit["_source"]) for hit in hits} == events


def test_an_event_that_is_loaded_again_stays_as_it_is(server: Any, prefix: str) -> None:
    """Although the stored document lacks its texts."""
    load(server, prefix, "typed")
    load(server, prefix, "typed")
    answer = server.request("POST", f"/{prefix}/_search", b'{"size":100,"version":true}')
    assert [hit["_version"] for hit in answer["hits"]["hits"]] == [1] * len(EVENTS)


def test_security_analytics_names_are_put(server: Any, prefix: str) -> None:
    """Its aliases name the loader's fields already, and it can put them again."""
    load(server, prefix, "typed")
    body = {
        "properties": {"aws.cloudtrail.request_parameters.arn": {"type": "alias", "path": "requestParameters.arn"}}
    }
    if server.engine == "opensearch":
        server.request("PUT", f"/{prefix}/_mapping", codec.encode(body))
        query = {"query_string": {"query": "aws.cloudtrail.event_name: CreateQueue"}}
        assert find(server, prefix, query) == "4"
