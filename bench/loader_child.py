"""The loader from LookupEvents to the search server: fetches one cell to staging, then loads it."""

from __future__ import annotations

from collections.abc import Callable

from bench.children import Cell, make_source, make_staging, run_child
from bench.senders import INDEX
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.loading.loader import Loader
from cloudtrail_elasticsearch.core.progress import InMemoryStore
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from cloudtrail_elasticsearch.sources.lookup_events.fetch import fetch


def fetch_and_load(cell: Cell) -> Callable[[], tuple[int, int, int]]:
    """Make the clients, and return a function that fetches the cell and loads it."""
    staging, source = make_staging(cell), make_source(cell)
    server = connect(SearchSettings.from_url(cell.search))

    def run() -> tuple[int, int, int]:
        manifest = fetch(cell.window, source, staging, InMemoryStore())
        loader = Loader(server, IndexPattern(INDEX), build_schema("typed", load_rules()))
        loader.prepare()
        report = loader.load(line for part in manifest.parts for line in staging.lines(part))
        return report.indexed, manifest.calls, manifest.throttled

    return run


if __name__ == "__main__":
    run_child(fetch_and_load)
