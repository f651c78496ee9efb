"""The component templates of an index template, on the real servers: the user's ones apply. ADR-0029"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.documents.restore import restore
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import MappingError, RejectedRequestError
from cloudtrail_elasticsearch.core.index.component_templates import COMMON_CUSTOM
from cloudtrail_elasticsearch.core.index.event_template import make_event_mappings
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.index.index_settings import IndexSettings
from cloudtrail_elasticsearch.core.index.templates import read_templates
from cloudtrail_elasticsearch.core.loading.loader import Loader, LoadSettings
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings

SCHEMA = build_schema("flattened", load_rules())
QUICK = LoadSettings(patience=5, longest_pause=0.1)
EVENTS = [
    {
        "eventID": f"80000000-0000-0000-0000-{number:012d}",
        "eventTime": f"2026-{month}-20T01:02:03Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "CreateBucket",
        "userIdentity": {"type": "IAMUser", "userName": f"user {number}"},
    }
    for number, month in enumerate(["10", "11"] * 3)
]
LINES = [codec.encode(event) for event in EVENTS]


class Counted:
    """A server that records the method and the path of each request."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.engine, self.name = server.engine, server.name
        self.sent: list[tuple[str, str]] = []

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        self.sent.append((method, path))
        return self._server.request(method, path, body)


@pytest.fixture
def server(search_url: str) -> Any:
    return connect(SearchSettings.from_url(search_url))


@pytest.fixture
def pattern(server: Any, unique_index_prefix: str) -> Iterator[IndexPattern]:
    pattern = IndexPattern(f"{unique_index_prefix}-%Y.%m")
    yield pattern
    for index in server.request("GET", f"/{unique_index_prefix}*?filter_path=*.settings.index.uuid"):
        server.request("DELETE", f"/{index}")
    for kind, names in (
        ("_index_template", [name for name in read_templates(server, "") if unique_index_prefix in name]),
        ("_component_template", [f"{pattern.template}@{part}" for part in ("mappings", "settings", "custom")]),
    ):
        for name in names:
            with contextlib.suppress(RejectedRequestError):
                server.request("DELETE", f"/{kind}/{name}")


@pytest.fixture
def customize(server: Any, pattern: IndexPattern) -> Callable[..., None]:
    """Put the pattern's own ``@custom`` component, as a user does."""

    def put(mappings: dict[str, Any] | None = None, settings: dict[str, Any] | None = None, **more: Any) -> None:
        template = {"mappings": mappings or {}, "settings": settings or {}, **more}
        body = codec.encode({"template": template})
        server.request("PUT", f"/_component_template/{pattern.template}@custom", body)

    return put


def prepared(server: Any, pattern: IndexPattern, settings: IndexSettings | None = None) -> Loader:
    loader = Loader(server, pattern, SCHEMA, QUICK, index_settings=settings)
    loader.prepare()
    return loader


def load(server: Any, pattern: IndexPattern, settings: IndexSettings | None = None) -> Loader:
    """Load the events; none is rejected, and all are proven."""
    loader = prepared(server, pattern, settings)
    report = loader.load(LINES)
    assert (report.read, report.quarantined) == (6, 0)
    assert loader.count_held(LINES).indexed == 6
    return loader


def settings_of(server: Any, index: str) -> dict[str, Any]:
    found: dict[str, Any] = server.request("GET", f"/{index}")[index]["settings"]["index"]
    return found


def component(server: Any, name: str) -> dict[str, Any]:
    (found,) = server.request("GET", f"/_component_template/{name}")["component_templates"]
    content: dict[str, Any] = found["component_template"]
    return content


def november(pattern: IndexPattern) -> str:
    return pattern.text.replace("%Y.%m", "2026.11")


def test_the_template_is_composed(server: Any, pattern: IndexPattern) -> None:
    """Of the loader's two components and the user's two, which are made empty; the user's prevail."""
    load(server, pattern)
    (found,) = server.request("GET", f"/_index_template/{pattern.template}")["index_templates"]
    own = [f"{pattern.template}@mappings", f"{pattern.template}@settings"]
    customs = [COMMON_CUSTOM, f"{pattern.template}@custom"]
    assert found["index_template"]["composed_of"] == own + customs
    assert component(server, own[0])["template"]["mappings"]["_meta"]["managed_by"] == "cloudtrail-elasticsearch"
    assert "settings" in component(server, own[1])["template"]
    assert component(server, customs[1])["template"] == {}
    assert settings_of(server, november(pattern))["refresh_interval"] == "30s"


@pytest.mark.slow
@pytest.mark.parametrize("older", ["opensearch-2", "elasticsearch-8"])
def test_older_servers_compose_the_template_too(
    service: Callable[[str], str], unique_index_prefix: str, older: str
) -> None:
    """With settings of the user, a contradicting field, the run's choices, and the alias."""
    server = connect(SearchSettings.from_url(service(older)))
    pattern = IndexPattern(f"{unique_index_prefix}-%Y.%m")
    custom = {
        "settings": {"index": {"codec": "default"}},
        "mappings": {"properties": {"eventName": {"type": "date"}, "mine": {"type": "long"}}, "dynamic": True},
    }
    body = codec.encode({"template": custom})
    server.request("PUT", f"/_component_template/{pattern.template}@custom", body)
    load(server, pattern, IndexSettings(shards=2, replicas=0))
    found = server.request("GET", f"/{november(pattern)}")[november(pattern)]
    settings, mappings = found["settings"]["index"], found["mappings"]
    assert (settings["codec"], settings["number_of_shards"], settings["number_of_replicas"]) == (
        "default",
        "2",
        "0",
    )
    assert mappings["properties"]["eventName"]["type"] == "date"
    assert {"mine", "eventSource"} <= mappings["properties"].keys()
    assert str(mappings["dynamic"]).lower() == "false"
    assert found["aliases"] == {pattern.alias: {}}


def test_a_custom_component_is_never_overwritten(
    server: Any, pattern: IndexPattern, customize: Callable[..., None]
) -> None:
    """Neither one that exists before the first load, nor one that the user changes later."""
    for replicas in ("0", "2"):
        customize(settings={"index.number_of_replicas": replicas})
        prepared(server, pattern)
        prepared(server, pattern, IndexSettings(replicas=1))
        content = component(server, f"{pattern.template}@custom")
        assert content["template"]["settings"]["index"]["number_of_replicas"] == replicas
        assert "_meta" not in content


def test_custom_settings_apply_to_new_indices_only(
    server: Any, pattern: IndexPattern, customize: Callable[..., None]
) -> None:
    """They prevail over the loader's and over the run's; an existing index stays as it is."""
    load(server, pattern)
    before = server.request("GET", f"/{november(pattern)}")
    server.request("DELETE", f"/{november(pattern).replace('.11', '.10')}")
    customize(
        {"properties": {"team": {"type": "keyword"}, "message": {"type": "text", "analyzer": "mine"}}},
        {
            "number_of_shards": 3,
            "index.number_of_replicas": 0,
            "index": {"codec": "default", "refresh_interval": "5s", "sort.field": ["@timestamp"]},
            "analysis": {"analyzer": {"mine": {"type": "custom", "tokenizer": "standard"}}},
        },
        aliases={f"{november(pattern)}-mine": {}},
    )
    load(server, pattern, IndexSettings(shards=2))
    assert server.request("GET", f"/{november(pattern)}") == before
    october = november(pattern).replace(".11", ".10")
    found = settings_of(server, october)
    assert (found["number_of_shards"], found["number_of_replicas"]) == ("3", "0")
    assert (found["codec"], found["refresh_interval"]) == ("default", "5s")
    assert found["sort"]["field"] in ("@timestamp", ["@timestamp"])
    assert found["mapping"]["total_fields"]["limit"] == "5000"
    index = server.request("GET", f"/{october}")[october]
    assert index["mappings"]["properties"]["message"] == {"type": "text", "analyzer": "mine"}
    assert {"team", "eventName", "overflow"} <= index["mappings"]["properties"].keys()
    assert f"{november(pattern)}-mine" in index["aliases"]


def test_the_user_can_keep_the_doc_values_of_ids(
    server: Any, pattern: IndexPattern, customize: Callable[..., None]
) -> None:
    """Searches find an event by its id with and without them; sorting by the id needs them (ADR-0031)."""
    load(server, pattern)
    server.request("DELETE", f"/{november(pattern).replace('.11', '.10')}")
    customize({"properties": {"eventID": {"type": "keyword"}}})
    load(server, pattern)
    with_values, without = november(pattern).replace(".11", ".10"), november(pattern)
    for index in (with_values, without):
        server.request("POST", f"/{index}/_refresh")
        (first, *_) = EVENTS[0::2] if index == with_values else EVENTS[1::2]
        query = codec.encode({"query": {"term": {"event.id": {"value": first["eventID"]}}}})
        hits = server.request("POST", f"/{index}/_search", query)["hits"]["hits"]
        assert [restore(hit["_source"]) for hit in hits] == [first]
    body = codec.encode({"sort": ["event.id"]})
    hits = server.request("POST", f"/{with_values}/_search", body)["hits"]["hits"]
    assert [hit["_source"]["eventID"] for hit in hits] == [event["eventID"] for event in EVENTS[0::2]]
    with pytest.raises(RejectedRequestError, match="Use doc values instead"):
        server.request("POST", f"/{without}/_search", body)


def test_the_common_component_applies_to_all_patterns(server: Any, pattern: IndexPattern) -> None:
    """The pattern's own component prevails over it."""
    prepared(server, pattern)
    common = {"template": {"settings": {"index.max_result_window": 12000, "index.priority": 7}}}
    own = {"template": {"settings": {"index.priority": 9}}}
    try:
        server.request("PUT", f"/_component_template/{COMMON_CUSTOM}", codec.encode(common))
        server.request("PUT", f"/_component_template/{pattern.template}@custom", codec.encode(own))
        load(server, pattern)
    finally:
        server.request("PUT", f"/_component_template/{COMMON_CUSTOM}", b'{"template": {}}')
    found = settings_of(server, november(pattern))
    assert (found["max_result_window"], found["priority"]) == ("12000", "9")


def test_the_run_chooses_settings_of_new_indices(server: Any, pattern: IndexPattern) -> None:
    """Shards and replicas are in the created index and in the ``@settings`` component."""
    load(server, pattern, IndexSettings(shards=2, replicas=0))
    found = settings_of(server, november(pattern))
    assert (found["number_of_shards"], found["number_of_replicas"]) == ("2", "0")
    content = component(server, f"{pattern.template}@settings")["template"]["settings"]["index"]
    assert content["number_of_shards"] == "2"
    load(server, pattern, IndexSettings(shards=1))
    assert settings_of(server, november(pattern))["number_of_shards"] == "2"


CONFLICTS = [
    {"properties": {"eventName": {"type": "text"}}},
    {"properties": {"eventName": {"type": "date"}, "mine": {"type": "long"}}},
    {"properties": {"userIdentity.type": {"type": "long"}}},
    {"properties": {"userIdentity": {"properties": {"userName": {"type": "integer"}}}}},
    {"properties": {"eventSource": {"type": "keyword", "ignore_above": 5}}, "dynamic": True, "_meta": {"o": 1}},
    {"properties": {"sourceIPAddress": {"type": "ip"}}, "dynamic": "strict", "date_detection": True},
]


@pytest.mark.promise("nothing-lost")
@pytest.mark.parametrize("mappings", CONFLICTS)
def test_a_contradicting_field_breaks_no_load(
    server: Any, pattern: IndexPattern, customize: Callable[..., None], mappings: dict[str, Any]
) -> None:
    """The user's field applies; rejected values go to overflow, nothing is lost, and each event is restored."""
    prepared(server, pattern)
    customize(mappings)
    load(server, pattern)
    found = server.request("GET", f"/{november(pattern)}")[november(pattern)]["mappings"]
    assert str(found["dynamic"]).lower() == "false"
    assert found["_meta"]["managed_by"] == "cloudtrail-elasticsearch"
    assert found["properties"]["overflow"]["type"].startswith("flat")
    if "eventName" in mappings["properties"]:
        assert found["properties"]["eventName"] == mappings["properties"]["eventName"]
    server.request("POST", f"/{november(pattern)}/_refresh")
    hits = server.request("POST", f"/{november(pattern)}/_search")["hits"]["hits"]
    restored = sorted((restore(hit["_source"]) for hit in hits), key=lambda event: event["eventID"])  # type: ignore[index]
    assert restored == EVENTS[1::2]


def test_a_contradicting_field_is_reported(
    server: Any, pattern: IndexPattern, customize: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    """Once for a created index, with the path and the components' names."""
    prepared(server, pattern)
    customize({"properties": {"eventName": {"type": "date"}}})
    with caplog.at_level(logging.WARNING):
        load(server, pattern)
    told = [record.getMessage() for record in caplog.records if "instead of the loader's" in record.getMessage()]
    assert len(told) == 2
    assert all(f"{pattern.template}@custom instead of the loader's, at eventName" in each for each in told)


@pytest.mark.parametrize(
    ("mappings", "settings", "told"),
    [
        ({"_routing": {"required": True}}, {}, "requires routing values"),
        ({}, {"index.sort.field": ["nothing"]}, "did not create the index .*nothing.*correct it in"),
    ],
)
def test_an_impossible_component_is_reported(
    server: Any,
    pattern: IndexPattern,
    mappings: dict[str, Any],
    settings: dict[str, Any],
    told: str,
) -> None:
    """The load fails before it sends a document; the message names the component."""
    template = {"template": {"mappings": mappings, "settings": settings}}
    server.request("PUT", f"/_component_template/{pattern.template}@custom", codec.encode(template))
    with pytest.raises(MappingError, match=f"(?s)({told})") as raised:
        prepared(server, pattern).load(LINES)
    assert f"{pattern.template}@custom" in str(raised.value)
    assert not server.request("GET", f"/{november(pattern)[:-3]}*?filter_path=*.settings.index.uuid")


def test_a_plain_template_of_an_earlier_version_is_replaced(server: Any, pattern: IndexPattern) -> None:
    """Its index stays as it is, but for the alias, and later indices are composed."""
    mappings = make_event_mappings(SCHEMA, server.engine)
    old = {
        "index_patterns": [november(pattern)],
        "priority": 800,
        "template": {
            "settings": {"index": {"mapping": {"total_fields": {"limit": 5000}}, "codec": "best_compression"}},
            "mappings": mappings,
        },
        "_meta": mappings["_meta"],
    }
    server.request("PUT", f"/_index_template/{pattern.template}", codec.encode(old))
    server.request("PUT", f"/{november(pattern)}")
    before = server.request("GET", f"/{november(pattern)}")[november(pattern)]
    load(server, pattern)
    after = server.request("GET", f"/{november(pattern)}")[november(pattern)]
    assert after["aliases"] == {pattern.alias: {}}
    assert {**after, "aliases": {}} == before
    (found,) = server.request("GET", f"/_index_template/{pattern.template}")["index_templates"]
    assert found["index_template"]["composed_of"]
    assert set(found["index_template"]["index_patterns"]) == {
        november(pattern),
        november(pattern).replace(".11", ".10"),
        pattern.undated,
    }


def test_an_up_to_date_pattern_costs_reads_only(server: Any, pattern: IndexPattern) -> None:
    """A second load writes no template, component, index or alias."""
    load(server, pattern)
    counted = Counted(server)
    load(counted, pattern)
    writes = [path for method, path in counted.sent if method == "PUT" or path.startswith("/_aliases")]
    assert writes == []


def test_dags_with_different_choices_do_not_rewrite_templates(server: Any, pattern: IndexPattern) -> None:
    """From the second round on, neither writes anything; new indices have the fields of both."""
    counted = Counted(server)
    choices = [
        (build_schema("flattened", load_rules(), texts=True), IndexSettings(shards=2)),
        (SCHEMA, IndexSettings()),
        (build_schema("flattened", load_rules(), ecs=False), IndexSettings(replicas=0)),
    ]
    for turn in range(3):
        counted.sent.clear()
        for number, (schema, settings) in enumerate(choices):
            loader = Loader(counted, pattern, schema, QUICK, index_settings=settings)
            loader.prepare()
            if turn == 0 and number == 1:
                loader.load(LINES)
    assert [path for method, path in counted.sent if method == "PUT"] == []
    found = server.request("GET", f"/{november(pattern)}")[november(pattern)]["mappings"]
    assert {"texts", "related"} <= found["properties"].keys()
    assert found["_source"] == {"excludes": ["texts"]}
    content = component(server, f"{pattern.template}@settings")["template"]["settings"]["index"]
    assert (content["number_of_shards"], content["number_of_replicas"]) == ("2", "0")


@pytest.mark.promise("ours-alone")
def test_the_alias_covers_the_pattern_s_indices_only(server: Any, pattern: IndexPattern) -> None:
    """Old and new ones, and none with a similar name."""
    similar = november(pattern).replace(".11", ".13")
    server.request("PUT", f"/{similar}")
    load(server, pattern)
    indices = {november(pattern), november(pattern).replace(".11", ".10")}
    server.request(
        "POST",
        "/_aliases",
        codec.encode({"actions": [{"remove": {"index": november(pattern), "alias": pattern.alias}}]}),
    )
    assert server.request("GET", f"/{pattern.alias}").keys() == indices - {november(pattern)}
    load(server, pattern)
    assert server.request("GET", f"/{pattern.alias}").keys() == indices
    server.request("POST", f"/{pattern.alias}/_refresh")
    assert server.request("POST", f"/{pattern.alias}/_count")["count"] == 6


@pytest.mark.promise("ours-alone")
def test_an_index_with_the_alias_s_name_breaks_no_load(
    server: Any, pattern: IndexPattern, caplog: pytest.LogCaptureFixture
) -> None:
    """It stays as it is, and the pattern's indices get no alias."""
    assert pattern.alias is not None
    server.request("PUT", f"/{pattern.alias}")
    before = server.request("GET", f"/{pattern.alias}")
    load(server, pattern)
    assert f"because an index is called {pattern.alias}" in caplog.text
    assert server.request("GET", f"/{pattern.alias}") == before
    assert server.request("GET", f"/{november(pattern)}")[november(pattern)]["aliases"] == {}


def test_a_pipeline_of_the_user_is_part_of_the_index(server: Any, pattern: IndexPattern) -> None:
    """A repeated load finds equal documents if the pipeline changes none."""
    server.request("PUT", f"/_ingest/pipeline/{pattern.template}", b'{"processors": []}')
    try:
        load(server, pattern, IndexSettings(pipeline=pattern.template))
        assert settings_of(server, november(pattern))["default_pipeline"] == pattern.template
        versions = {"query": {"match_all": {}}, "version": True}
        report = prepared(server, pattern).load(LINES)
        assert (report.indexed, report.duplicates) == (0, 6)
        server.request("POST", f"/{november(pattern)}/_refresh")
        hits = server.request("POST", f"/{november(pattern)}/_search", codec.encode(versions))["hits"]["hits"]
        assert {hit["_version"] for hit in hits} == {1}
    finally:
        for index in server.request("GET", f"/{pattern.alias}"):
            server.request("DELETE", f"/{index}")
        server.request("DELETE", f"/_ingest/pipeline/{pattern.template}")


@pytest.mark.slow
def test_a_pipeline_that_adds_fields_breaks_no_proof(opensearch: str, unique_index_prefix: str) -> None:
    """Below an ECS object: each event is restored. A repeated load writes the documents again."""
    server = connect(SearchSettings.from_url(opensearch))
    pattern = IndexPattern(f"{unique_index_prefix}-%Y.%m")
    pipeline = {"processors": [{"set": {"field": "source.domain", "value": "here"}}]}
    server.request("PUT", f"/_ingest/pipeline/{unique_index_prefix}", codec.encode(pipeline))
    chosen = IndexSettings(pipeline=unique_index_prefix)
    for loads in (1, 2):
        load(server, pattern, chosen)
        server.request("POST", f"/{november(pattern)}/_refresh")
        found: Any = server.request("POST", f"/{november(pattern)}/_search", b'{"version":true}')
        hits = sorted(found["hits"]["hits"], key=lambda hit: hit["_id"])
        assert {hit["_version"] for hit in hits} == {loads}
        assert {hit["_source"]["source"]["domain"] for hit in hits} == {"here"}
        assert [restore(hit["_source"]) for hit in hits] == EVENTS[1::2]


@pytest.mark.slow
@pytest.mark.promise("nothing-lost")
@pytest.mark.parametrize("ignores", [False, True])
def test_a_pipeline_that_writes_an_alias_sends_events_to_the_quarantine(
    opensearch: str, unique_index_prefix: str, ignores: bool
) -> None:
    """The quarantine has the reason and the remedy. After the remedy, a replay indexes all events."""
    server = connect(SearchSettings.from_url(opensearch))
    pattern = IndexPattern(f"{unique_index_prefix}-%Y.%m")
    events = [event | {"userAgent": "aws-cli/2.27.41 md/awscrt#0.26.1"} for event in EVENTS]
    lines = [codec.encode(event) for event in events]
    chosen = IndexSettings(pipeline=unique_index_prefix)
    processor: dict[str, Any] = {"field": "userAgent", "ignore_missing": ignores}

    def put_pipeline() -> None:
        body = codec.encode({"processors": [{"user_agent": processor}]})
        server.request("PUT", f"/_ingest/pipeline/{unique_index_prefix}", body)

    put_pipeline()
    loader = prepared(server, pattern, chosen)
    report = loader.load(lines)
    assert (report.indexed, report.quarantined) == (0, 6)
    server.request("POST", "/cloudtrail-quarantine/_refresh")
    asked = codec.encode({"query": {"term": {"pattern": pattern.text}}})
    hits = server.request("POST", "/cloudtrail-quarantine/_search", asked)["hits"]["hits"]
    assert len(hits) == 6
    for hit in hits:
        assert "Cannot write to a field alias [user_agent.original]" in hit["_source"]["reason"]
        assert "list the properties without `original`" in hit["_source"]["reason"]
    processor["properties"] = ["name", "version", "os", "device"]
    put_pipeline()
    report = loader.replay()
    assert (report.indexed, report.quarantined) == (6, 0)
    server.request("POST", f"/{november(pattern)}/_refresh")
    (found, *_) = server.request("POST", f"/{november(pattern)}/_search")["hits"]["hits"]
    assert found["_source"]["user_agent"]["name"] == "aws-cli"
    assert found["_source"]["userAgent"] == "aws-cli/2.27.41 md/awscrt#0.26.1"
    assert restore(found["_source"]) in events
    for index in server.request("GET", f"/{pattern.alias}"):
        server.request("DELETE", f"/{index}")
    server.request("DELETE", f"/_ingest/pipeline/{unique_index_prefix}")


def test_a_lifecycle_policy_that_the_server_lacks_is_reported(
    server: Any, pattern: IndexPattern, caplog: pytest.LogCaptureFixture
) -> None:
    """The tests' servers have neither ILM nor ISM: Elasticsearch rejects the index, OpenSearch creates it."""
    chosen = IndexSettings(lifecycle="a-policy")
    if server.engine == "opensearch":
        load(server, pattern, chosen)
        assert f"a-policy is not attached to the index {november(pattern)}" in caplog.text
        assert f"POST /_plugins/_ism/add/{november(pattern)}" in caplog.text
    else:
        with pytest.raises(MappingError, match=r"index\.lifecycle\.name"):
            load(server, pattern, chosen)
