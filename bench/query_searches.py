"""The searches of ``query_latency``: typical ones over 30 days of events, with other values in each round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from bench.query_events import DAYS, FIRST_DAY
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.search.server import SearchServer
from devstack.views.definitions import DENIED, TIME
from devstack.views.panels import PANELS
from devstack.views.products import DASHBOARDS, KIBANA, ndjson
from devstack.views.searches import MOST_LISTED, make_query, make_range, make_search, parse_objects

WEEK: Final = 7
CALLERS: Final = 10
"""The number of callers in a table of the top callers."""

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and its searches in each round, which are sent one after another."""

    name: str
    meaning: str
    rounds: list[list[Body]]


def make_questions(server: SearchServer, pattern: IndexPattern, rounds: int) -> list[Question]:
    """Return the questions. Their callers are those of the index, busy and quiet ones in turn."""
    callers = _read_callers(server, pattern, rounds)
    ranges = range(rounds)
    return [
        Question(
            "latest events",
            f"the latest {MOST_LISTED} events of a day, newest first",
            [[_list_newest(_days_range(number, 1))] for number in ranges],
        ),
        Question(
            "week of a caller",
            f"the latest {MOST_LISTED} events of a caller in a week, and the number of all",
            [[_list_caller(callers[number % len(callers)], number)] for number in ranges],
        ),
        Question(
            "top denied callers",
            f"the {CALLERS} callers most often denied in {DAYS} days",
            [[_count_denied()] for _ in ranges],
        ),
        Question(
            "wildcard on an ARN",
            f"the latest {MOST_LISTED} events in {DAYS} days whose caller's ARN contains a text, and their number",
            [[_list_wildcard(callers[number % len(callers)])] for number in ranges],
        ),
        Question(
            "dashboard",
            f"all {len(PANELS)} panels of the dashboard for a week, one after another",
            [_ask_dashboard(server, pattern, number) for number in ranges],
        ),
    ]


def _list_newest(within: Body) -> Body:
    # Discover asks for the number of hits in another request.
    return {"query": within, "size": MOST_LISTED, "sort": [{TIME: "desc"}], "track_total_hits": False}


def _list_caller(arn: str, number: int) -> Body:
    return _list([{"term": {"userIdentity.arn": arn}}, _days_range(number, WEEK)])


def _list_wildcard(arn: str) -> Body:
    # A part of the session's or user's name.
    part = arn.rpartition("/")[2][1:-1]
    return _list([{"wildcard": {"userIdentity.arn": f"*{part}*"}}, _days_range(0, DAYS)])


def _list(filters: Sequence[Body]) -> Body:
    found = {"bool": {"filter": list(filters)}}
    return {"query": found, "size": MOST_LISTED, "sort": [{TIME: "desc"}], "track_total_hits": True}


def _count_denied() -> Body:
    filters = [make_query(DENIED), _days_range(0, DAYS)]
    terms = {"terms": {"field": "userIdentity.arn", "size": CALLERS}}
    return {"query": {"bool": {"filter": filters}}, "size": 0, "aggs": {"callers": terms}}


def _ask_dashboard(server: SearchServer, pattern: IndexPattern, number: int) -> list[Body]:
    objects = parse_objects(ndjson(KIBANA if server.engine == "elasticsearch" else DASHBOARDS, pattern))
    first = _day(number, WEEK)
    # The products' interval for a week.
    times = (f"{first}T00:00:00Z", f"{first + timedelta(days=WEEK)}T00:00:00Z", {"fixed_interval": "3h"})
    return [make_search(objects[panel.view.id], *times) for panel in PANELS]


def _read_callers(server: SearchServer, pattern: IndexPattern, count: int) -> list[str]:
    """Return callers: users and people, who are always busy, and roles' sessions of an hour, in turns."""
    found = []
    for query in ("userIdentity.arn:(*\\:user* OR *@*)", "userIdentity.arn:(*assumed\\-role* AND NOT *@*)"):
        terms = {"terms": {"field": "userIdentity.arn", "size": count}}
        body = codec.encode({"size": 0, "query": make_query(query), "aggs": {"callers": terms}})
        answer = server.request("POST", f"/{pattern.text}/_search", body)
        found.append([bucket["key"] for bucket in answer["aggregations"]["callers"]["buckets"]])
    return [each for pair in zip(*found, strict=False) for each in pair]


def _days_range(number: int, days: int) -> Body:
    first = _day(number, days)
    return make_range(f"{first}T00:00:00Z", f"{first + timedelta(days=days)}T00:00:00Z")


def _day(number: int, days: int) -> date:
    """Return the first day of a range of days; each round has another one."""
    return FIRST_DAY + timedelta(days=number % (DAYS - days + 1))
