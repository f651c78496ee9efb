"""The set-up of indices on a server: creates what is missing, and updates what has changed."""

from __future__ import annotations

from cloudtrail_elasticsearch.core.documents.schema import Schema
from cloudtrail_elasticsearch.core.index.event_indices import EventIndices
from cloudtrail_elasticsearch.core.index.index_pattern import COVERAGE_INDEX, TEMPLATES, IndexPattern
from cloudtrail_elasticsearch.core.index.own_indices import update_own_indices
from cloudtrail_elasticsearch.core.index.own_templates import make_coverage_template
from cloudtrail_elasticsearch.core.index.templates import read_templates
from cloudtrail_elasticsearch.core.search.server import SearchServer


def prepare_indices(server: SearchServer, pattern: IndexPattern, schema: Schema) -> None:
    """Write the changed templates, and update those of the pattern's indices that the loader manages.

    If a dated pattern is up to date, this costs four small reads.

    :raises MappingError: an index of the loader has another strategy, or the server rejects a template
    """
    EventIndices(server, pattern, schema).prepare()


def prepare_ledger(server: SearchServer) -> None:
    """Write only the template and the fields of the coverage ledger; if up to date, this costs one small read.

    :raises MappingError: the server rejects the template
    """
    wanted = {f"{TEMPLATES}{COVERAGE_INDEX}": make_coverage_template()}
    update_own_indices(server, wanted, read_templates(server))
