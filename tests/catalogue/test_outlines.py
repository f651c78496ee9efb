"""The outlines of operations: AWS's models in CloudTrail's rendering, without values."""

from __future__ import annotations

from typing import Any

import pytest

from cloudtrail_elasticsearch.core.documents.catalogue import Occurrence, ValueKind, catalogue
from devstack.catalogue.outlines import Recorded, kind_of, recorded_operations
from devstack.catalogue.tallies import tally
from devstack.simulator import event_for
from devstack.simulator.values import HIDDEN

TEXT, NUMBER, OBJECT, MAP = ValueKind.TEXT, ValueKind.NUMBER, ValueKind.OBJECT, ValueKind.MAP


def modelled(path: str) -> set[ValueKind]:
    """Return the kinds that AWS's models have at a path."""
    return {found.kind for found in catalogue()[path].occurrences if found.operations}


@pytest.mark.parametrize(
    ("path", "kinds"),
    [
        ("requestParameters.functionName", {TEXT}),
        ("requestParameters.instancesSet.items.instanceId", {TEXT}),
        ("requestParameters.CreateFlowLogsRequest.ResourceId.content", {TEXT}),
        ("requestParameters.CreateFlowLogsRequest.ResourceId.tag", {NUMBER}),
        ("responseElements._return", {ValueKind.BOOLEAN}),
        ("responseElements.CreateFlowLogsResponse.xmlns", {TEXT}),
        ("requestParameters.bucketName", {TEXT}),
        ("requestParameters.Host", {TEXT}),
        ("requestParameters.CreateBucketConfiguration.LocationConstraint", {TEXT}),
        ("requestParameters.secretString", {TEXT}),
        ("requestParameters.attributes.VisibilityTimeout", {TEXT}),
        ("responseElements.functions", set()),
        ("responseElements.credentials.expiration", {ValueKind.TIME}),
    ],
)
def test_an_outline_has_cloudtrails_spelling(path: str, kinds: set[ValueKind]) -> None:
    """First letters, EC2's two forms, S3's names, secrets and map keys; a reading call has no response."""
    assert modelled(path) == kinds


def test_no_path_below_a_map_is_in_the_catalogue() -> None:
    """The keys there are chosen by callers."""
    assert MAP in modelled("requestParameters.environment.variables") | modelled("requestParameters.variables")
    assert modelled("requestParameters.variables.PATH") == set()


def test_a_shape_that_contains_itself_is_followed_for_a_few_levels() -> None:
    """No path is longer."""
    loop: dict[str, Any] = {"leaf": TEXT}
    loop["again"] = [loop]
    found = dict(tally([Recorded("wafv2", "CreateRuleGroup", loop, None)]))
    assert "requestParameters.again.again.again.again.leaf" in found
    assert max(path.count(".") for path in found) == 5


def test_operations_and_services_are_counted() -> None:
    """Each kind has its own counts. A list counts as its elements."""
    shared = {"name": [TEXT]}
    operations = [
        Recorded("iam", "CreateRole", shared, None),
        Recorded("iam", "CreateUser", shared, None),
        Recorded("ses", "CreateReceiptRule", {"name": {"first": NUMBER}}, None),
    ]
    found = dict(tally(operations))
    counts = {kind: (one.operations, one.services) for kind, one in found["requestParameters.name"].items()}
    assert counts == {TEXT: (2, {"iam"}), OBJECT: (1, {"ses"})}
    assert found["requestParameters.name.first"][NUMBER].operations == 1


SAMPLED = ["autoscaling", "cloudfront", "ec2", "ecs", "iam", "lambda", "rds", "s3", "sqs", "wafv2"]


@pytest.mark.slow
@pytest.mark.parametrize("service", SAMPLED)
def test_the_catalogue_has_every_name_of_simulated_events(service: str) -> None:
    """To the depth that is followed; names below a map and redacted objects are exceptions."""
    known = {entry.path: entry.occurrences for entry in catalogue()}
    operations = [found.operation for found in recorded_operations([service])]
    unknown = set()
    for operation in operations:
        event = event_for(service, operation, seed=4)
        for top in ("requestParameters", "responseElements"):
            unknown |= {path for path in _paths(event[top], top, known) if path not in known}
    assert unknown == set()


def _paths(value: Any, path: str, known: dict[str, tuple[Occurrence, ...]]) -> set[str]:
    if isinstance(value, list):
        return {found for element in value for found in _paths(element, path, known)}
    found = set() if value is None or value == HIDDEN else {path}
    if isinstance(value, dict) and path.count(".") < 5 and not _is_map(known.get(path, ())):
        for name, child in value.items():
            found |= _paths(child, f"{path}.{name}", known)
    return found


def _is_map(occurrences: tuple[Occurrence, ...]) -> bool:
    return any(found.kind is MAP for found in occurrences)


@pytest.mark.parametrize(
    ("value", "kind"),
    [("x", TEXT), (1, NUMBER), (1.5, NUMBER), (True, ValueKind.BOOLEAN), ({}, OBJECT), (MAP, MAP)],
)
def test_the_kind_of_a_value(value: Any, kind: ValueKind) -> None:
    """A boolean is not a number, and a kind is returned unchanged."""
    assert kind_of(value) is kind
