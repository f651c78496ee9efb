"""Make the contents of the data files from botocore's models and the learned kinds."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping

import msgspec

from cloudtrail_elasticsearch.core.documents.catalogue import SHIPPED, Entry, Occurrence, ValueKind
from cloudtrail_elasticsearch.core.documents.declared_fields import FIELDS
from devstack.catalogue import declared, learned
from devstack.catalogue.learned import Learned
from devstack.catalogue.outlines import recorded_operations
from devstack.catalogue.tallies import Tally, tally

Tallies = Mapping[str, Mapping[ValueKind, Tally]]


def make_files(recorded: str) -> dict[str, bytes]:
    """Return the contents of each file by its name; the argument is the contents of ``recorded.txt``."""
    known = learned.read(recorded)
    tallies = dict(tally(recorded_operations()))
    lines = b"".join(msgspec.json.encode(entry) + b"\n" for entry in make_entries(tallies, known))
    return {
        SHIPPED: gzip.compress(lines, mtime=0),
        FIELDS: declared.write(declared.choose_paths(known, tallies)).encode(),
    }


def make_entries(tallies: Tallies, known: Learned) -> Iterator[Entry]:
    """Yield an entry for every path of the models or of the learned kinds, sorted."""
    for path in sorted(tallies.keys() | known.keys()):
        kinds, shown = tallies.get(path, {}), known.get(path, set())
        yield Entry(path, tuple(_occurrence(kind, kinds.get(kind), shown) for kind in sorted({*kinds, *shown})))


def _occurrence(kind: ValueKind, found: Tally | None, shown: set[ValueKind]) -> Occurrence:
    found = found or Tally()
    return Occurrence(kind, found.operations, len(found.services), kind in shown)
