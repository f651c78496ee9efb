"""Senders of documents to a search server, each in its own process: the loader, a bare sender, a helper.

``free`` is the loader with rules that cost nothing: its staged lines are finished documents, each after its id.
It shows how much of the loader's overhead a loader without rules would have too. ``parts`` is the helper with the
unchanged events of the staged parts. ``naive`` is what people write: the same events, read with gzip and the
standard json, and sent with ``streaming_bulk``.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import http.client
import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import boto3
import msgspec
import orjson

from bench.children import BUCKET, CREDENTIALS, past_weekday
from cloudtrail_elasticsearch.core.chunks import split_into_chunks
from cloudtrail_elasticsearch.core.documents.events import LookedUpEvent
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES, Strategy
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.index import setup
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.loading.adapter import Adapter
from cloudtrail_elasticsearch.core.loading.loader import Loader, LoadSettings
from cloudtrail_elasticsearch.core.search import bulk
from cloudtrail_elasticsearch.core.search.bulk import BulkItem
from cloudtrail_elasticsearch.core.search.sender import Sender
from cloudtrail_elasticsearch.core.search.server import Engine, SearchServer
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from cloudtrail_elasticsearch.staging import Staging
from cloudtrail_elasticsearch.staging.parts import pack_events
from cloudtrail_elasticsearch.staging.records import Standing

INDEX: Final = "bench-steady"
PREFIX: Final = "steady"
HELPER_CHUNK: Final = 1_000
PART: Final = 20_000
"""Documents of a staged part; about as many as a fetch puts into one."""

Send = Callable[[], int]
"""Sends everything and returns the number of events."""


class Sent(msgspec.Struct, frozen=True):
    """The cost of a send."""

    events: int
    seconds: float
    processor_seconds: float

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.seconds


class _Asked(argparse.Namespace):
    sender: str
    s3: str
    search: str
    strategy: Any
    events: int
    bodies: Path
    senders: int
    megabytes: int


def main(argv: Sequence[str] | None = None) -> None:
    """Send documents and print the cost."""
    parser = argparse.ArgumentParser(prog="python -m bench.senders")
    parser.add_argument("sender", choices=("render", "ours", "free", "bare", "helper", "parts", "naive"))
    parser.add_argument("--s3", required=True)
    parser.add_argument("--search", required=True)
    parser.add_argument("--strategy", choices=STRATEGIES, required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--bodies", type=Path, required=True)
    parser.add_argument("--senders", type=int, default=2)
    parser.add_argument("--megabytes", type=int, default=5)
    asked = parser.parse_args(argv, _Asked())
    if asked.sender == "render":
        _render(asked)
        took = Sent(asked.events, 1.0, 0.0)
    else:
        server = connect(SearchSettings.from_url(asked.search))
        make_new_index(server, asked.strategy)
        send = _SENDERS[asked.sender](server, asked)
        began, worked = time.monotonic(), time.process_time()
        events = send()
        took = Sent(events, time.monotonic() - began, time.process_time() - worked)
        server.request("POST", f"/{INDEX}/_refresh")
        held = server.request("GET", f"/{INDEX}/_count")["count"]
        if held != events:
            sys.exit(f"{held} of {events} events are indexed: nothing was measured")
    sys.stdout.buffer.write(msgspec.json.encode(took))
    sys.stdout.flush()
    os._exit(0)


def make_new_index(server: SearchServer, strategy: Strategy) -> None:
    """Delete the index of the benches, and create it as the loader does."""
    server.request("DELETE", f"/{INDEX}?ignore_unavailable=true")
    setup.prepare_indices(server, IndexPattern(INDEX), build_schema(strategy, load_rules()))
    server.request("PUT", f"/{INDEX}")


def _staging(asked: _Asked, prefix: str) -> Staging:
    return Staging(boto3.client("s3", endpoint_url=asked.s3, **CREDENTIALS), BUCKET, prefix)


def _lines(asked: _Asked, prefix: str = PREFIX) -> Iterator[bytes]:
    area = _staging(asked, prefix)
    manifest = area.manifest(past_weekday(1))
    assert manifest is not None
    return itertools.islice((line for part in manifest.parts for line in area.lines(part)), asked.events)


def _ours(server: SearchServer, asked: _Asked) -> Send:
    loader = Loader(server, IndexPattern(INDEX), build_schema(asked.strategy, load_rules()))
    loader.prepare()
    lines = _lines(asked)
    # For the first event, the loader creates the index or compares its mapping, which is no cost of each event.
    first = loader.load(itertools.islice(lines, 1)).indexed
    return lambda: first + loader.load(lines).indexed


class DocumentLoader(Loader):
    """A loader of finished documents of one index: each line has an id and a document, instead of an event."""

    def _render(self, line: bytes) -> BulkItem:
        identifier, _, document = line.partition(b" ")
        return BulkItem(identifier.decode(), self.index_of(None), document, line)


def _free(server: SearchServer, asked: _Asked) -> Send:
    loader = DocumentLoader(server, IndexPattern(INDEX), build_schema(asked.strategy, load_rules()))
    loader.prepare()
    lines = _lines(asked, f"{PREFIX}-{asked.strategy}")
    return lambda: loader.load(lines).indexed


def _items(server: SearchServer, asked: _Asked) -> Iterator[BulkItem]:
    pattern = IndexPattern(INDEX)
    adapter = Adapter(server, Sender(server, LoadSettings()), pattern, build_schema(asked.strategy, load_rules()))
    for line in _lines(asked):
        item = adapter.render(line)
        assert isinstance(item, BulkItem)
        yield item


def _render(asked: _Asked) -> None:
    """Write the documents as bulk requests, each after its action, and stage them, each after its id."""
    area, window = _staging(asked, f"{PREFIX}-{asked.strategy}"), past_weekday(1)
    manifest = _staging(asked, PREFIX).manifest(window)
    assert manifest is not None
    server = connect(SearchSettings.from_url(asked.search))
    # The documents are made for the loader's own index, not for one of another strategy.
    make_new_index(server, asked.strategy)
    with asked.bodies.open("wb") as file:

        def write(item: BulkItem) -> LookedUpEvent:
            assert item.document is not None
            file.write(bulk.encode_bulk_body([item]))
            return LookedUpEvent(item.id, window.start, b"%b %b" % (item.id.encode(), item.document))

        parts = tuple(
            area.write_part(window, manifest.fetch, str(number), pack_events(events, window.start))
            for number, events in enumerate(split_into_chunks(map(write, _items(server, asked)), PART))
        )
    area.publish(replace(manifest, parts=parts), Standing())


def _documents(asked: _Asked) -> Iterator[tuple[bytes, bytes]]:
    """Yield each action with its document."""
    with asked.bodies.open("rb") as file:
        yield from itertools.islice(zip(file, file, strict=True), asked.events)


def _bare(_: SearchServer, asked: _Asked) -> Send:
    bodies = list(_bodies(_documents(asked), asked.megabytes * 2**20))
    waiting = iter(bodies)
    address = urlsplit(asked.search).netloc

    def work() -> None:
        connection = http.client.HTTPConnection(address)
        for body in waiting:
            connection.request("POST", "/_bulk", body, {"content-type": "application/x-ndjson"})
            answer = connection.getresponse().read()
            if b'"errors":false' not in answer[:200]:
                sys.exit(f"a request failed: {answer[:500]!r}")

    def send() -> int:
        threads = [threading.Thread(target=work) for _ in range(asked.senders)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return asked.events

    return send


def _bodies(documents: Iterable[tuple[bytes, bytes]], most: int) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    for action, document in documents:
        held += (action, document)
        size += len(action) + len(document)
        if size >= most:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def _helper(server: SearchServer, asked: _Asked) -> Send:
    actions = [
        {"_op_type": kind, **target, "_source": orjson.loads(document)}
        for action, document in _documents(asked)
        for kind, target in orjson.loads(action).items()
    ]
    gc.freeze()
    return _parallel_bulk(server, asked, actions)


def _parts(server: SearchServer, asked: _Asked) -> Send:
    events = (orjson.loads(line)["event"] for line in _lines(asked))
    return _parallel_bulk(server, asked, _make_actions(events))


def _parallel_bulk(server: SearchServer, asked: _Asked, actions: Iterable[dict[str, Any]]) -> Send:
    client, helpers = connect_client(server.engine, asked.search)
    return lambda: sum(
        ok for ok, _ in helpers.parallel_bulk(client, actions, thread_count=2, chunk_size=HELPER_CHUNK)
    )


def _naive(server: SearchServer, asked: _Asked) -> Send:
    manifest = _staging(asked, PREFIX).manifest(past_weekday(1))
    assert manifest is not None
    s3 = boto3.client("s3", endpoint_url=asked.s3, **CREDENTIALS)
    bodies = (s3.get_object(Bucket=BUCKET, Key=part.key)["Body"].read() for part in manifest.parts)
    lines = (line for body in bodies for line in gzip.decompress(body).splitlines())
    events = (json.loads(line)["event"] for line in itertools.islice(lines, asked.events))
    return lambda: send_naively(server.engine, asked.search, events)


def send_naively(engine: Engine, url: str, events: Iterable[dict[str, Any]]) -> int:
    """Send unchanged events with the client library's ``streaming_bulk`` and its defaults.

    :returns: the number of events that the server accepted
    """
    client, helpers = connect_client(engine, url)
    return sum(ok for ok, _ in helpers.streaming_bulk(client, _make_actions(events), raise_on_error=False))


def _make_actions(events: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the actions of the clients' helpers for unchanged events."""
    return ({"_index": INDEX, "_id": event["eventID"], "_source": event} for event in events)


def connect_client(engine: Engine, url: str) -> tuple[Any, Any]:
    """Return the engine's own client, and the module of its helpers."""
    if engine == "opensearch":
        import opensearchpy

        return opensearchpy.OpenSearch(url, timeout=60, pool_maxsize=4), opensearchpy.helpers
    import elasticsearch
    from elasticsearch import helpers

    return elasticsearch.Elasticsearch(url, request_timeout=60, connections_per_node=4), helpers


_SENDERS: Final = {
    "ours": _ours,
    "free": _free,
    "bare": _bare,
    "helper": _helper,
    "parts": _parts,
    "naive": _naive,
}


if __name__ == "__main__":
    main()
