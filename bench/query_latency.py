"""``query_latency``: the time of typical searches, with the loader's settings of an index and with others.

Each alternative is loaded into a new server. ``python -m bench.query_latency --folder FOLDER`` stores documents
and figures in a folder, and skips alternatives whose figures are there. So you can end a run at any time and
continue it later. ``--servers`` and ``--alternatives`` select what to measure. With ``--events`` other than the
default, no results are stored.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from bench import page
from bench.query_alternatives import ALTERNATIVES, Alternative
from bench.query_events import make_schema, read_documents, render_events
from bench.query_figures import Asked, Outcome, make_results
from bench.query_searches import Body, make_questions
from bench.results import Result, store
from bench.senders import DocumentLoader
from bench.size import read_size
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index.event_indices import EventIndices
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.search.server import SearchServer as SearchClient
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.search_server import DISTRIBUTIONS, SearchServer

SERVERS: Final = ("opensearch-3", "elasticsearch-9")
EVENTS: Final = 3_000_000
ROUNDS: Final = 40
WARM_UP: Final = 3

PATTERN: Final = IndexPattern("bench-latency")


def measure() -> list[Result]:
    """Measure all alternatives on all servers."""
    with tempfile.TemporaryDirectory() as folder:
        return _run(Path(folder), EVENTS, SERVERS, [each.name for each in ALTERNATIVES])


def main(argv: Sequence[str] | None = None) -> None:
    """Measure the selected alternatives whose figures are not in the folder yet."""
    parser = argparse.ArgumentParser(prog="python -m bench.query_latency", description=__doc__)
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=SERVERS)
    names = [each.name for each in ALTERNATIVES]
    parser.add_argument("--alternatives", nargs="+", choices=names, default=names)
    parser.add_argument(
        "--events", type=int, default=EVENTS, help="results are only stored for the default number"
    )
    parser.add_argument(
        "--folder", type=Path, required=True, help="of documents and figures; measured alternatives are skipped"
    )
    asked = parser.parse_args(argv)
    for result in _run(asked.folder, asked.events, asked.servers, asked.alternatives):
        print(f"  {result.sentence}", flush=True)


def _run(folder: Path, events: int, servers: Iterable[str], names: Sequence[str]) -> list[Result]:
    render_events(folder / str(events), events)
    stored = folder / f"outcomes-{events}.json"
    outcomes = msgspec.json.decode(stored.read_bytes(), type=list[Outcome]) if stored.exists() else []
    for server in servers:
        for alternative in ALTERNATIVES:
            is_measured = any((each.server, each.alternative) == (server, alternative.name) for each in outcomes)
            engine = DISTRIBUTIONS[server].engine
            if is_measured or alternative.name not in names or engine not in alternative.engines:
                continue
            outcomes.append(_measure(folder / str(events), server, alternative))
            print(f"  {outcomes[-1].sentence}", flush=True)
            stored.write_bytes(msgspec.json.encode(outcomes))
            if events == EVENTS:
                store(make_results(outcomes))
                page.write()
    return make_results(outcomes)


def _measure(documents: Path, name: str, alternative: Alternative) -> Outcome:
    with SearchServer(DISTRIBUTIONS[name], heap="2g") as running:
        server = connect(SearchSettings.from_url(running.url, timeout=600))
        # Created before the load, so that the time of the load is that of sending documents.
        make_index(server, PATTERN, alternative)
        loader = DocumentLoader(server, PATTERN, make_schema())
        loader.prepare()
        began = time.monotonic()
        report = loader.load(read_documents(documents))
        seconds = time.monotonic() - began
        if report.indexed != report.read:
            raise RuntimeError(f"{report}: not all documents were indexed, nothing was measured")
        _settle(server)
        bytes_each, segments = read_size(server, PATTERN.text)
        return Outcome(
            server=name,
            alternative=alternative.name,
            events=report.indexed,
            rate=report.indexed / seconds,
            bytes_each=bytes_each,
            segments=segments,
            asked=_ask(server),
        )


def make_index(server: SearchClient, pattern: IndexPattern, alternative: Alternative) -> None:
    """Create the index of a fixed pattern as a load does, with the alternative's settings in a custom component.

    :raises RuntimeError: the index has other settings
    """
    content = codec.encode({"template": {"settings": alternative.settings}})
    server.request("PUT", f"/_component_template/{pattern.template}@custom", content)
    indices = EventIndices(server, pattern, make_schema())
    indices.prepare()
    indices.ensure(pattern.text)
    found = server.request("GET", f"/{pattern.text}/_settings?flat_settings=true")[pattern.text]["settings"]
    for name, value in alternative.settings.items():
        wanted = value if isinstance(value, list) else str(value).lower()
        if found.get(name, []) != wanted:
            raise RuntimeError(f"{name} is {found.get(name)}, not {value}: nothing was measured")


def _settle(server: SearchClient) -> None:
    """Write everything to the disk, and wait until no segments are being merged and their files are removed."""
    _write_all(server)
    while server.request("GET", f"/{PATTERN.text}/_stats/merge")["_all"]["primaries"]["merges"]["current"]:
        time.sleep(1)
    _write_all(server)


def _write_all(server: SearchClient) -> None:
    """Close the readers of merged segments, and commit, so that the files of merged segments are removed."""
    for work in ("_refresh", "_flush?force=true"):
        server.request("POST", f"/{PATTERN.text}/{work}")


def _ask(server: SearchClient) -> list[Asked]:
    """Ask all questions, in turns, and return the time of each round."""
    questions = make_questions(server, PATTERN, WARM_UP + ROUNDS)
    took: list[list[float]] = [[] for _ in questions]
    for number in range(WARM_UP + ROUNDS):
        for question, times in zip(questions, took, strict=True):
            times.append(1e3 * _answer(server, question.rounds[number]))
    return [
        Asked(question.name, question.meaning, times[WARM_UP:])
        for question, times in zip(questions, took, strict=True)
    ]


def _answer(server: SearchClient, searches: Iterable[Body]) -> float:
    bodies = [codec.encode(search) for search in searches]
    began = time.monotonic()
    for body in bodies:
        # Without the cache of whole answers, which does not help with ranges that end now.
        server.request("POST", f"/{PATTERN.text}/_search?request_cache=false", body)
    return time.monotonic() - began


if __name__ == "__main__":
    main()
