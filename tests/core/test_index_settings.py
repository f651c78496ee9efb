"""Settings of new indices: the values of a run, the merge with the user's components, policies and advice."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from cloudtrail_elasticsearch.cli import main
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.errors import AccessDeniedError, ConfigurationError, RejectedRequestError
from cloudtrail_elasticsearch.core.index.component_templates import flatten_settings, merge_mappings
from cloudtrail_elasticsearch.core.index.event_alias import update_alias
from cloudtrail_elasticsearch.core.index.event_template import make_event_mappings
from cloudtrail_elasticsearch.core.index.index_creation import IndexCreation
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.index.index_settings import IndexSettings
from cloudtrail_elasticsearch.core.index.lifecycle import LifecyclePolicy, put_policy
from cloudtrail_elasticsearch.core.index.shard_advice import IndexSize, find_shard_advice, make_shard_advice

MONTHLY = IndexPattern("cloudtrail-%Y.%m")
GB = 1_000_000_000


class FakeServer:
    """A server that records requests and gives prepared answers, or raises them, by the beginning of the path."""

    name = "http://127.0.0.1:9"

    def __init__(self, engine: Any, **answers: Any) -> None:
        self.engine = engine
        self.answers = {f"/{path}": answer for path, answer in answers.items()}
        self.sent: list[tuple[str, str, Any]] = []

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        self.sent.append((method, path, json.loads(body) if body else None))
        for start, answer in self.answers.items():
            if start in path:
                if isinstance(answer, Exception):
                    raise answer
                return answer
        return {"acknowledged": True}


def test_a_rendered_template_is_parsed() -> None:
    """Texts and numbers give the same settings; an empty text chooses nothing, and zero replicas is a choice."""
    given = IndexSettings.parse(shards="3", replicas=0, lifecycle="", pipeline="geo")
    assert given == IndexSettings(shards=3, replicas=0, pipeline="geo")
    assert IndexSettings.parse(shards="", replicas=None) == IndexSettings()
    assert given.make_content("opensearch") == {
        "index.number_of_shards": 3,
        "index.number_of_replicas": 0,
        "index.default_pipeline": "geo",
    }


@pytest.mark.parametrize("wrong", [{"shards": "0"}, {"shards": "two"}, {"replicas": -1}, {"shards": 1025}])
def test_a_wrong_number_is_reported(wrong: dict[str, Any]) -> None:
    """By its name, with the range."""
    with pytest.raises(ConfigurationError, match=rf"{next(iter(wrong))} is .* whole number from"):
        IndexSettings.parse(**wrong)


def test_a_policy_is_a_setting_of_elasticsearch_only() -> None:
    """ISM has no such setting: its policy is attached to the created index."""
    chosen = IndexSettings(lifecycle="keep")
    assert chosen.make_content("elasticsearch") == {"index.lifecycle.name": "keep"}
    assert chosen.make_content("opensearch") == {}


def test_settings_are_flattened() -> None:
    """Nested, dotted and without `index`, as users write them and servers return them."""
    given = {
        "number_of_shards": 2,
        "index": {"codec": "default", "sort": {"field": ["a", "b"]}},
        "index.priority": 1,
    }
    assert flatten_settings(given) == {
        "index.number_of_shards": 2,
        "index.codec": "default",
        "index.sort.field": ["a", "b"],
        "index.priority": 1,
    }


def test_mappings_are_merged_as_the_server_merges_them() -> None:
    """Objects field by field, other fields as a whole; dotted names stand for objects."""
    lower = {
        "dynamic": False,
        "properties": {"a": {"properties": {"b": {"type": "keyword"}, "c": {"type": "date"}}}},
    }
    upper = {"properties": {"a.b": {"type": "text", "analyzer": "x"}, "d": {"type": "ip"}}, "runtime": {"r": {}}}
    assert merge_mappings(lower, upper) == {
        "dynamic": False,
        "runtime": {"r": {}},
        "properties": {
            "a": {"properties": {"b": {"type": "text", "analyzer": "x"}, "c": {"type": "date"}}},
            "d": {"type": "ip"},
        },
    }
    assert merge_mappings(lower, {"properties": {"a": {"type": "keyword"}}})["properties"] == {
        "a": {"type": "keyword"}
    }


@pytest.mark.parametrize("options", [{"type": "object"}, {"dynamic": "strict"}, {}])
def test_an_object_without_fields_of_the_user_keeps_the_loaders(options: dict[str, Any]) -> None:
    """Only its options are the user's, as on the server; without its fields, no value in it would be found."""
    lower = {"properties": {"a": {"properties": {"b": {"type": "keyword"}}}}}
    assert merge_mappings(lower, {"properties": {"a": options}})["properties"] == {
        "a": {**options, "properties": {"b": {"type": "keyword"}}}
    }


@pytest.mark.parametrize(
    ("pattern", "alias"),
    [
        ("cloudtrail-%Y.%m", "cloudtrail-events"),
        ("cloudtrail-%Y.%m.%d", "cloudtrail-events"),
        ("audit-%Y-a", "audit-a-events"),
        ("cloudtrail", None),
    ],
)
def test_no_pattern_with_dates_can_name_its_alias(pattern: str, alias: str | None) -> None:
    """Patterns that differ in their dates only share it; a fixed name has none."""
    made = IndexPattern(pattern)
    assert made.alias == alias
    assert alias is None or not made.produces(alias)


def test_a_user_who_may_not_read_the_alias_loads_without_it(caplog: pytest.LogCaptureFixture) -> None:
    """A role can name the pattern's indices only, and the loader itself never uses the alias."""
    server = FakeServer("opensearch", **{"cloudtrail-events?": AccessDeniedError("no permissions")})
    assert update_alias(server, MONTHLY, ["cloudtrail-2026.11"]) is None
    assert [method for method, _, _ in server.sent] == ["GET"]
    assert "cloudtrail-events" in caplog.text
    assert "no permissions" in caplog.text


def test_the_log_has_the_whole_request_for_an_administrator(caplog: pytest.LogCaptureFixture) -> None:
    """Also for a year of daily indices."""
    server = FakeServer(
        "opensearch", **{"cloudtrail-events?": {}, "_aliases": AccessDeniedError("no permissions")}
    )
    days = [f"cloudtrail-2026.{month:02d}.{day:02d}" for month in range(1, 13) for day in range(1, 29)]
    assert update_alias(server, IndexPattern("cloudtrail-%Y.%m.%d"), days) == "cloudtrail-events"
    logged = json.loads(caplog.messages[-1].partition("POST /_aliases ")[2])
    assert logged == {"actions": [{"add": {"indices": days, "alias": "cloudtrail-events"}}]}


@pytest.mark.parametrize(
    ("age", "answer", "attaches", "warns"),
    [
        (timedelta(minutes=5), {"updated_indices": 1, "failures": False, "failed_indices": []}, True, False),
        (
            timedelta(minutes=5),
            {"failures": True, "failed_indices": [{"reason": "It already has a policy."}]},
            True,
            False,
        ),
        (timedelta(minutes=5), {"failures": True, "failed_indices": [{"reason": "No such policy."}]}, True, True),
        (timedelta(minutes=5), {"failures": True, "failed_indices": []}, True, True),
        (timedelta(days=2), {}, False, False),
    ],
)
def test_a_policy_is_attached_to_an_index_of_an_earlier_attempt(
    caplog: pytest.LogCaptureFixture, age: timedelta, answer: Any, attaches: bool, warns: bool
) -> None:
    """That attempt was killed, or the server's answer came too late. An older index stays as it is."""
    created = str(round((datetime.now(UTC) - age).timestamp() * 1000))
    index = {"cloudtrail-2026.11": {"settings": {"index": {"creation_date": created}}}}
    server = FakeServer("opensearch", **{"_plugins/_ism/add": answer, "cloudtrail-2026.11?": index})
    mappings = make_event_mappings(build_schema("typed", load_rules()), "opensearch")
    IndexCreation(server, MONTHLY, mappings, IndexSettings(lifecycle="keep")).complete("cloudtrail-2026.11")
    sent = [(path, body) for method, path, body in server.sent if method == "POST"]
    assert sent == [("/_plugins/_ism/add/cloudtrail-2026.11", {"policy_id": "keep"})] * attaches
    assert ("keep is not attached" in caplog.text) == warns


def test_an_index_gets_no_policy_that_nobody_chose() -> None:
    """Neither does an alias of other indices. ILM's policy is a setting of the index."""
    mappings = make_event_mappings(build_schema("typed", load_rules()), "opensearch")
    for engine, chosen in (("opensearch", None), ("elasticsearch", "keep"), ("opensearch", "keep")):
        index = {"theirs": {"settings": {"index": {"creation_date": "1795000000000"}}}}
        server = FakeServer(engine, **{"cloudtrail-2026.11?": index})
        IndexCreation(server, MONTHLY, mappings, IndexSettings(lifecycle=chosen)).complete("cloudtrail-2026.11")
        assert [path for method, path, _ in server.sent if method == "POST"] == []


@pytest.mark.promise("findable")
def test_values_are_not_copied_to_a_field_of_the_user_that_rejects_them() -> None:
    """The server would reject each document with such a value, and all of the event would go to overflow."""
    alias = {"type": "alias", "path": "related.entity"}
    custom = {"properties": {"related": {"properties": {"entity": {"type": "long"}}}, "mine": alias}}
    component = {"name": "a", "component_template": {"template": {"mappings": custom}}}
    server = FakeServer("opensearch", _component_template={"component_templates": [component]})
    mappings = make_event_mappings(build_schema("typed", load_rules()), "opensearch")
    rejecting = IndexCreation(server, MONTHLY, mappings, IndexSettings()).create("cloudtrail-2026.11")
    assert rejecting == {"related.entity"}
    _, path, body = server.sent[-1]
    assert path == "/cloudtrail-2026.11"
    created = body["mappings"]["properties"]
    assert created["related"]["properties"]["entity"] == {"type": "long"}
    assert created["requestParameters"]["properties"]["userName"]["copy_to"] == ["entity.target.id"]
    assert created["mine"] == alias
    assert created["event"]["properties"]["action"] == {"type": "alias", "path": "eventName"}


@pytest.mark.parametrize("engine", ["elasticsearch", "opensearch"])
def test_no_phase_of_the_policy_makes_an_index_read_only(engine: Any) -> None:
    """Late events and backfills still write to old indices."""
    text = json.dumps(LifecyclePolicy("keep", 30, 400).make_content(engine))
    assert '"30d"' in text
    assert '"400d"' in text
    for action in ("readonly", "read_only", "forcemerge", "force_merge", "shrink", "ism_template", "rollover"):
        assert action not in text


@pytest.mark.parametrize(("warm", "delete"), [(0, 10), (10, 10), (30, 7), (-1, 1)])
def test_a_policy_needs_days_in_order(warm: int, delete: int) -> None:
    """The message has both numbers."""
    with pytest.raises(ConfigurationError, match=rf"{warm} days until warm and {delete} until deletion"):
        LifecyclePolicy("keep", warm, delete)


@pytest.mark.parametrize("name", ["", "a/b", "a b", "_all", "a,b", "*"])
def test_a_policy_needs_a_valid_name(name: str) -> None:
    """It is part of a request's path."""
    with pytest.raises(ConfigurationError, match="not a valid name"):
        LifecyclePolicy(name, 1, 2)


def test_a_policy_is_written() -> None:
    """With ILM's request, and with ISM's, which must name the version of a policy that it replaces."""
    policy = LifecyclePolicy("keep", 30, 400)
    ilm = FakeServer("elasticsearch")
    put_policy(ilm, policy)
    assert ilm.sent == [("PUT", "/_ilm/policy/keep", policy.make_content("elasticsearch"))]
    new = FakeServer("opensearch", **{"_plugins/_ism/policies/keep": RejectedRequestError("none", 404)})
    with pytest.raises(ConfigurationError, match=r"keep could not be written: none. The server needs the plugin"):
        put_policy(new, policy)
    assert [path for _, path, _ in new.sent] == ["/_plugins/_ism/policies/keep"] * 2
    stored = FakeServer("opensearch", **{"_plugins/_ism/policies/keep": {"_seq_no": 7, "_primary_term": 2}})
    put_policy(stored, policy)
    assert stored.sent[-1][:2] == ("PUT", "/_plugins/_ism/policies/keep?if_seq_no=7&if_primary_term=2")


def test_the_command_rejects_a_wrong_policy(capsys: pytest.CaptureFixture[str]) -> None:
    """Before it contacts a server."""
    assert main(["lifecycle", "--url", "http://127.0.0.1:9", "--delete-days", "7"]) == 2
    assert "30 days until warm and 7 until deletion" in capsys.readouterr().err


def size(gigabytes: float, events: int, shards: int = 1, name: str = "cloudtrail-2026.11") -> IndexSize:
    return IndexSize(name, events, int(gigabytes * GB), shards)


def test_a_shard_that_will_be_too_large_is_reported() -> None:
    """10 GB after 5 days of 2 million events are 60 GB after the 30 days of November."""
    advice = make_shard_advice(MONTHLY, date(2026, 11, 5), [size(10, 10_000_000)], 2_000_000)
    assert advice is not None
    assert "A shard of cloudtrail-2026.11 will have about 60 GB: 2,000,000 events a day of 1000 bytes" in advice
    assert "for 30 days, in 1 primary shard." in advice
    assert "choose 2 primary shards" in advice
    assert "cloudtrail-elasticsearch-cloudtrail-y.m@custom" in advice
    assert "an index for each day" in advice


def test_shards_of_up_to_50_gb_are_no_matter() -> None:
    """Neither with more shards, nor with daily indices, nor without a measured event."""
    day = date(2026, 11, 5)
    assert make_shard_advice(MONTHLY, day, [size(10, 10_000_000, shards=2)], 2_000_000) is None
    assert make_shard_advice(IndexPattern("a-%Y.%m.%d"), day, [size(10, 10_000_000)], 2_000_000) is None
    assert make_shard_advice(MONTHLY, day, [size(0, 0)], 0) is None
    assert make_shard_advice(MONTHLY, day, [size(49, 10_000_000)], 0) is None
    assert make_shard_advice(MONTHLY, day, [size(51, 10_000_000)], 0) is not None


def test_a_new_index_is_compared_with_the_month_before() -> None:
    """On the first day of a month, its index does not exist yet."""
    shards = {"0": [{"routing": {"primary": True}}]}
    primaries = {"docs": {"count": 60_000_000}, "store": {"size_in_bytes": 60 * GB}}
    stats = {"indices": {"cloudtrail-2026.10": {"primaries": primaries, "shards": shards}}}
    count = {"count": 14_000_000, "_shards": {"total": 1, "successful": 1, "failed": 0}}
    server = FakeServer("opensearch", _stats=stats, _count=count)
    advice = find_shard_advice(server, MONTHLY, date(2026, 11, 1))
    assert advice is not None
    assert "A shard of cloudtrail-2026.11 will have about 60 GB" in advice
    assert server.sent[0][1].startswith("/cloudtrail-2026.11,cloudtrail-2026.10/_stats")
    assert "*" not in server.sent[1][1]


def test_no_index_gives_no_advice() -> None:
    """And a user who may not read the sizes gets the server's error, which the plan logs."""
    assert find_shard_advice(FakeServer("opensearch", _stats={}), MONTHLY, date(2026, 11, 5)) is None
    with pytest.raises(AccessDeniedError):
        find_shard_advice(FakeServer("opensearch", _stats=AccessDeniedError("no")), MONTHLY, date(2026, 11, 5))
