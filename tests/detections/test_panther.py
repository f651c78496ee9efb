"""The paths that Python rules read from an event."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from devstack.detections.errors import RuleError
from devstack.detections.panther import HELPERS, RULES, read_panther_rules

HELPER = """
    def helper_context(event):
        return {"region": event.get("awsRegion")}
"""


def read(tmp_path: Path, rule: str) -> frozenset[str]:
    for folder, text in ((RULES, rule), (HELPERS, HELPER)):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "one.py").write_text(dedent(text))
    ((name, paths),) = read_panther_rules(tmp_path)
    assert name == "one"
    return paths


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ('event.get("eventName") == "x"', {"eventName"}),
        ('event["eventName"]', {"eventName"}),
        ('event.deep_get("userIdentity", "type", default="")', {"userIdentity.type"}),
        ('deep_get(event, "userIdentity", "type")', {"userIdentity.type"}),
        ('event.get("requestParameters", {}).get("key")', {"requestParameters.key"}),
        ('(event.get("requestParameters") or {}).get("key")', {"requestParameters.key"}),
        ('event.get("resources")[0].get("ARN")', {"resources.ARN"}),
        ('any(each.get("ARN") for each in event.get("resources", []))', {"resources.ARN"}),
        ('[x["a"] for x in event.deep_walk("b", "c")]', {"b.c.a"}),
        ("helper_context(event)", {"awsRegion"}),
        ('event.get("p_any"), event.udm("source_ip"), event.get(name)', set()),
        ('other.get("eventName")', set()),
    ],
)
def test_paths_of_an_expression(tmp_path: Path, body: str, paths: set[str]) -> None:
    assert read(tmp_path, f"def rule(event):\n    return {body}\n") == paths


def test_variables_hold_parts_of_the_event(tmp_path: Path) -> None:
    rule = """
    def rule(event):
        parameters = event.get("requestParameters", {})
        for item in parameters.get("items", []):
            if item.get("cidrIp"):
                return True
        return (name := event.get("responseElements")) and name.get("user")

    def title(event):
        return f"{event.get('awsRegion')} {parameters.get('not of this function')}"
    """
    assert read(tmp_path, rule) == {"requestParameters.items.cidrIp", "responseElements.user", "awsRegion"}


def test_another_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="checkout of panther-analysis"):
        list(read_panther_rules(tmp_path))
