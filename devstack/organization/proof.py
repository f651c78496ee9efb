"""Checks a backfill: every event by its id, and every cell of the ledger by its state, proof and findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from cloudtrail_elasticsearch.core.coverage.ledger import Ledger
from cloudtrail_elasticsearch.core.search.server import SearchServer
from devstack.faults.proof import read_event_ids
from devstack.organization.backfill import BackfillSettings
from devstack.organization.damage import Damage
from devstack.organization.trail import OrganizationTrail
from devstack.simulator.trails import Cell

_NAMED: Final = 5
"""The most cells of one kind that are named."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a backfill; `broken` lists the broken promises."""

    runs: Counter[str]
    cells: int
    signed: int
    """Cells that are complete or quiet, and signed."""
    named: int
    """Objects that the ledger's findings name."""
    events: int
    """The events that must be on the server."""
    lost: int
    twice: int
    """Documents beyond one for each event."""
    strangers: int
    """Documents of events that the trail does not have."""
    broken: tuple[str, ...]


def check_backfill(
    trail: OrganizationTrail,
    damage: Damage,
    settings: BackfillSettings,
    server: SearchServer,
    runs: Mapping[str, str],
) -> Outcome:
    """Compare the documents and the ledger with the files that the simulator wrote.

    :param runs: the state of each day's run
    """
    found = Counter(read_event_ids(server, settings.indices))
    all_ids, wanted = trail.event_ids(), trail.event_ids(without=damage.spoiled)
    cells = {_name_cell(document): document for document in Ledger(server, settings.pattern).read_cells()}
    counts = {
        "lost": len(wanted - found.keys()),
        "twice": found.total() - len(found),
        "strangers": len(found.keys() - all_ids),
    }
    broken = [f"{count} events {name}" for name, count in counts.items() if count]
    broken += check_runs(trail, damage, runs)
    broken += check_cells(trail.cells(), damage, cells)
    return Outcome(
        runs=Counter(runs.values()),
        cells=len(cells),
        signed=sum(_is_signed(document) for document in cells.values()),
        named=len({key for document in cells.values() for _, key in _list_findings(document) if key}),
        events=len(wanted),
        broken=tuple(broken),
        **counts,
    )


def check_runs(trail: OrganizationTrail, damage: Damage, runs: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each run that did not fail because of a damaged window, or failed without one."""
    damaged = {cell.day for cell in damage.findings}
    for day in trail.days:
        expected = "failed" if day in damaged else "success"
        if runs.get(str(day)) != expected:
            yield f"the run of {day} ended with state {runs.get(str(day))}, not {expected}"


def check_cells(planned: set[Cell], damage: Damage, cells: Mapping[Cell, dict[str, Any]]) -> Iterator[str]:
    """Yield a sentence for each kind of wrong cell, and for each damaged one that does not name its object.

    :param cells: the ledger's documents
    """
    yield from _name_some("cells are not in the ledger", planned - cells.keys())
    yield from _name_some("cells of the ledger were not planned", cells.keys() - planned)
    intact = {cell: document for cell, document in cells.items() if cell not in damage.findings}
    yield from _name_some(
        "intact cells are not complete and signed",
        {cell for cell, document in intact.items() if not _is_signed(document) or document["findings"]},
    )
    for cell, (kind, key) in damage.findings.items():
        document = cells.get(cell, {})
        about = f"{cell.account} {cell.region} {cell.day}"
        if _list_findings(document) != [(kind, key)]:
            yield f"{about}: the findings are {_list_findings(document)}, not {kind} of {key}"
        if document.get("state") != "failed" or key not in (document.get("problem") or ""):
            yield f"{about}: state {document.get('state')}, problem {document.get('problem')!r}"


def _name_some(what: str, cells: set[Cell]) -> Iterator[str]:
    if cells:
        some = sorted(f"{cell.account} {cell.region} {cell.day}" for cell in cells)[:_NAMED]
        yield f"{len(cells)} {what}: {', '.join(some)}"


def _name_cell(document: Mapping[str, Any]) -> Cell:
    return Cell(document["account"], document["region"], date.fromisoformat(document["day"]))


def _is_signed(document: Mapping[str, Any]) -> bool:
    return document["state"] in {"complete", "quiet"} and document["proof"] == "signed"


def _list_findings(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(finding["kind"], finding["key"]) for finding in document.get("findings") or ()]
