"""Where a person looks on: a cell's documents in Kibana or OpenSearch Dashboards, its objects in S3's console."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.mapping import Engine

DATA_VIEW: Final = "cloudtrail-events"
"""The id of the data view, or index pattern, among the ready-made views."""

_CONSOLES: Final = {"cn-": "console.amazonaws.cn", "us-gov-": "console.amazonaws-us-gov.com"}
"""The consoles of AWS's other partitions, by how their regions begin.

https://docs.aws.amazon.com/general/latest/gr/managementconsole.html
"""

_PLAIN = re.compile(r"[A-Za-z_./~][A-Za-z0-9_./~]*")


def discover(base: str, engine: Engine, account: str, region: str, start: datetime, end: datetime) -> str:
    """Return the address of Discover with the events of an account's region between two times.

    It uses the data view that `make views` imports. The state stands in the fragment, as Rison, in each product's
    own form.
    """
    times = {"time": {"from": _time(start), "to": _time(end)}}
    query = {"language": "lucene", "query": f'awsRegion:"{region}" AND recipientAccountId:"{account}"'}
    if engine == "opensearch":
        shown = {"discover": {"columns": ["_source"]}, "metadata": {"indexPattern": DATA_VIEW, "view": "discover"}}
        state = {"_g": times, "_a": shown, "_q": {"query": query}}
        path = "/app/data-explorer/discover#?"
    else:
        state = {"_g": times, "_a": {"dataSource": {"type": "dataView", "dataViewId": DATA_VIEW}, "query": query}}
        path = "/app/discover#/?"
    return base.rstrip("/") + path + "&".join(f"{name}={_quoted(value)}" for name, value in state.items())


def staged_objects(bucket: str, folder: str, region: str) -> str:
    """Return the address of the S3 console with the objects of a folder, in the partition of the region."""
    found = (console for beginning, console in _CONSOLES.items() if region.startswith(beginning))
    console = next(found, "console.aws.amazon.com")
    return f"https://{console}/s3/buckets/{quote(bucket)}?prefix={quote(folder + '/', safe='')}"


def rison(value: Any) -> str:
    """Write plain values as Rison (https://github.com/Nanonid/rison)."""
    if isinstance(value, dict):
        return f"({','.join(f'{rison(name)}:{rison(each)}' for name, each in value.items())})"
    if isinstance(value, list):
        return f"!({','.join(map(rison, value))})"
    if isinstance(value, bool):
        return "!t" if value else "!f"
    if isinstance(value, str):
        return value if _PLAIN.fullmatch(value) else "'" + re.sub(r"([!'])", r"!\1", value) + "'"
    return "!n" if value is None else str(value)


def _quoted(value: Any) -> str:
    return quote(rison(value), safe="!'(),:*~")


def _time(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z")
