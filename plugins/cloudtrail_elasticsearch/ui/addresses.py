"""The addresses of a cell's documents in Kibana or OpenSearch Dashboards, and of its objects in the S3 console."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.search.server import Engine

DATA_VIEW: Final = "cloudtrail-events"
"""The id of the ready-made data view (OpenSearch: index pattern)."""

_CONSOLES: Final = {"cn-": "console.amazonaws.cn", "us-gov-": "console.amazonaws-us-gov.com"}
"""The consoles of AWS's other partitions, by the prefix of their regions.

https://docs.aws.amazon.com/general/latest/gr/managementconsole.html
"""

_UNQUOTED = re.compile(r"[A-Za-z_./~][A-Za-z0-9_./~]*")


def discover(
    base: str, engine: Engine, accounts: Collection[str], regions: Collection[str], start: datetime, end: datetime
) -> str:
    """Return the address of Discover, filtered to the events of accounts and regions between two times.

    It uses the data view that `make views` imports. Both products read their state from the URL fragment, as
    Rison, but each in its own form.
    """
    times = {"time": {"from": _format_time(start), "to": _format_time(end)}}
    named = [_name_any(["awsRegion"], regions)]
    # Aggregated events have `accountId` instead.
    named.append(_name_any(["recipientAccountId", "accountId"], accounts))
    query = {"language": "lucene", "query": " AND ".join(named)}
    if engine == "opensearch":
        shown = {"discover": {"columns": ["_source"]}, "metadata": {"indexPattern": DATA_VIEW, "view": "discover"}}
        state = {"_g": times, "_a": shown, "_q": {"query": query}}
        path = "/app/data-explorer/discover#?"
    else:
        state = {"_g": times, "_a": {"dataSource": {"type": "dataView", "dataViewId": DATA_VIEW}, "query": query}}
        path = "/app/discover#/?"
    return base.rstrip("/") + path + "&".join(f"{name}={_quote_rison(value)}" for name, value in state.items())


def staged_objects(bucket: str, folder: str, region: str) -> str:
    """Return the address of a folder in the S3 console of the region's partition."""
    found = (console for beginning, console in _CONSOLES.items() if region.startswith(beginning))
    console = next(found, "console.aws.amazon.com")
    return f"https://{console}/s3/buckets/{quote(bucket)}?prefix={quote(folder + '/', safe='')}"


def rison(value: Any) -> str:
    """Return plain values as Rison (https://github.com/Nanonid/rison)."""
    if isinstance(value, dict):
        return f"({','.join(f'{rison(name)}:{rison(each)}' for name, each in value.items())})"
    if isinstance(value, list):
        return f"!({','.join(map(rison, value))})"
    # Before numbers, because a boolean is an int, too.
    if isinstance(value, bool):
        return "!t" if value else "!f"
    if isinstance(value, str):
        return value if _UNQUOTED.fullmatch(value) else "'" + re.sub(r"([!'])", r"!\1", value) + "'"
    return "!n" if value is None else str(value)


def _name_any(fields: Sequence[str], values: Collection[str]) -> str:
    """Return a Lucene query for documents that have one of the values in one of the fields."""
    terms = " OR ".join(f'{field}:"{value}"' for value in sorted(values) for field in fields)
    return terms if len(fields) * len(values) == 1 else f"({terms})"


def _quote_rison(value: Any) -> str:
    # These characters have a meaning in Rison, and are allowed in a fragment.
    return quote(rison(value), safe="!'(),:*~")


def _format_time(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z")
