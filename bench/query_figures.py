"""The figures of ``query_latency``: the measurements of each alternative, and the results computed from them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from bench.query_alternatives import ALTERNATIVES, LOADERS
from bench.query_events import DAYS
from bench.results import Result

TO_REACH: Final = 1.5
SIZE_TO_REACH: Final = 1.1

_LIMITS: Final = {
    "latest events": "unpacking and sending the found events, in any order of the index",
    "week of a caller": "unpacking the found events, which are spread over the index in any order",
    "top denied callers": "the wildcards of the query, and counting the callers of all hits",
    "wildcard on an ARN": "comparing each distinct ARN with the text",
    "dashboard": "counting the values of all events of a week, once for each panel",
    "size": "the order of documents: similar ones side by side compress best",
}


class Asked(msgspec.Struct, frozen=True):
    """A question, and the time of each round."""

    name: str
    meaning: str
    milliseconds: list[float]

    def percentile(self, percent: int) -> float:
        """Return the milliseconds within which this percentage of the rounds ended."""
        return statistics.quantiles(self.milliseconds, n=100, method="inclusive")[percent - 1]


class Outcome(msgspec.Struct, frozen=True):
    """The measurements of one alternative on one server."""

    server: str
    alternative: str
    events: int
    rate: float
    """Events per second of the load."""
    bytes_each: float
    segments: int
    asked: list[Asked]

    @property
    def name(self) -> str:
        """The server and the alternative."""
        return f"{self.server} {self.alternative}"

    @property
    def sentence(self) -> str:
        """The outcome as a line of output."""
        times = ", ".join(
            f"{each.name} {each.percentile(50):.0f}/{each.percentile(95):.0f} ms" for each in self.asked
        )
        return (
            f"{self.name}: {self.rate:,.0f} events/s, {self.bytes_each:.0f} bytes an event in {self.segments} "
            f"segments; p50/p95: {times}"
        )


def make_results(outcomes: Sequence[Outcome]) -> list[Result]:
    """Return a figure for each question, and one for the size; none without the loader's own figures."""
    own = [each for each in outcomes if each.alternative == LOADERS.name]
    if not own:
        return []
    return [
        *(_make_latency(outcomes, number) for number in range(len(own[0].asked))),
        _make_size(outcomes),
    ]


def _make_latency(outcomes: Sequence[Outcome], number: int) -> Result:
    asked = outcomes[0].asked[number]
    parts = {
        f"{each.name}: p{percent}, milliseconds": each.asked[number].percentile(percent)
        for each in outcomes
        for percent in (50, 95)
    }
    return Result(
        name=f"query_latency_{asked.name.replace(' ', '_').lower()}",
        value=_compare(outcomes, lambda each: each.asked[number].percentile(50)),
        unit="times the fastest alternative's time",
        at_most=TO_REACH,
        how=(
            f"{asked.meaning}: the median time with the loader's settings, divided by that of the fastest "
            f"alternative on the same server; the highest of the servers. {outcomes[0].events:,} generated events "
            f"of {DAYS} days in one index of mapping=typed, as the load leaves it when no segments are being "
            f"merged; {len(asked.milliseconds)} rounds after a warm-up, with other days and callers in each, from "
            f"the request to the parsed answer, without the request cache. {_describe_alternatives(outcomes)}"
        ),
        limited_by=_LIMITS[asked.name],
        parts=parts,
    )


def _make_size(outcomes: Sequence[Outcome]) -> Result:
    return Result(
        name="query_latency_size",
        value=_compare(outcomes, lambda each: each.bytes_each),
        unit="times the smallest alternative's size",
        at_most=SIZE_TO_REACH,
        how=(
            f"the store size of the indices of query_latency, not merged to one segment: with the loader's "
            f"settings, divided by that of the smallest alternative on the same server; the highest of the "
            f"servers. Rates are those of the loader with documents that were rendered in advance. "
            f"{_describe_alternatives(outcomes)}"
        ),
        limited_by=_LIMITS["size"],
        parts={f"{each.name}: bytes an event": each.bytes_each for each in outcomes}
        | {f"{each.name}: load, events/s": each.rate for each in outcomes}
        | {f"{each.name}: segments": each.segments for each in outcomes},
    )


def _compare(outcomes: Sequence[Outcome], measured: Callable[[Outcome], float]) -> float:
    """Return the loader's value, divided by the lowest one of the same server; the highest of the servers."""
    own = [each for each in outcomes if each.alternative == LOADERS.name]
    return max(
        measured(each) / min(measured(other) for other in outcomes if other.server == each.server) for each in own
    )


def _describe_alternatives(outcomes: Sequence[Outcome]) -> str:
    """Return the alternatives that were measured on each server, and their meanings."""
    measured: dict[str, list[str]] = {}
    for each in outcomes:
        measured.setdefault(each.server, []).append(each.alternative)
    servers = "; ".join(f"on {server}: {', '.join(names)}" for server, names in measured.items())
    known = {each.alternative for each in outcomes}
    meanings = "; ".join(f"{each.name}: {each.meaning}" for each in ALTERNATIVES if each.name in known)
    return f"Measured {servers} ({meanings})"
