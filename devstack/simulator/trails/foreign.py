"""Objects of others in the bucket of a trail: AWS Config, flow logs, load balancers, Athena, people."""

from __future__ import annotations

import gzip
from datetime import date
from typing import Final

import orjson

from devstack.simulator.trails.stores import Puts
from devstack.simulator.trails.trail import Trail

_FLOW_LOG: Final = (
    b"version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action\n"
    b"2 123456789012 eni-0a1b2c3d 10.0.0.5 10.0.0.9 443 49152 6 10 840 1795132800 1795132860 ACCEPT OK\n"
)
_REQUEST: Final = (
    b"https 2026-11-20T00:01:00.186641Z app/web/50dc6c495c0c9188 192.0.2.7:2817 10.0.0.1:80 0.0 0.001 0.0 200 200"
    b' 34 366 "GET https://www.example.com:443/ HTTP/1.1" "curl/8.5.0" TLS_AES_128_GCM_SHA256 TLSv1.3\n'
)


def write_foreign_objects(bucket: Puts, trail: Trail, account: str, region: str, day: date) -> tuple[str, ...]:
    """Write objects that no trail delivered beside those of a trail, and return their keys."""
    folder = f"{day:%Y/%m/%d}"
    unpadded = f"{day.year}/{day.month}/{day.day}"
    stamp = f"{day:%Y%m%d}"
    root, prefix = trail.root, f"{trail.prefix}/" if trail.prefix else ""
    config = f"{root}{account}/Config/{region}/{unpadded}"
    history = orjson.dumps({"fileVersion": "1.0", "configurationItems": []})
    flows = f"{root}{account}/vpcflowlogs/{region}/{folder}"
    balancer = f"{root}{account}/elasticloadbalancing/{region}/{folder}"
    objects = {
        f"{root}{account}/Config/ConfigWritabilityCheckFile": b"",
        f"{config}/ConfigHistory/{account}_Config_{region}_ConfigHistory_{stamp}T010203Z_1.json.gz": _gz(history),
        f"{flows}/{account}_vpcflowlogs_{region}_fl-01_{stamp}T0005Z_1.log.gz": _gz(_FLOW_LOG),
        f"{balancer}/{account}_elasticloadbalancing_{region}_app.web.50_{stamp}T0005Z_4q5x.log.gz": _gz(_REQUEST),
        f"{root}{account}/CloudTrail/": b"",
        f"{root}{account}/CloudTrail/{region}/{folder}/notes.txt": b"copied for the audit\n",
        f"{prefix}athena-results/{folder}/0f6d0a3e-7f1c-4c55-8d0a-6c0a4b4f7f61.csv": b'"eventname","count"\n',
        f"{prefix}athena-results/{folder}/0f6d0a3e-7f1c-4c55-8d0a-6c0a4b4f7f61.csv.metadata": b"\x0a\x04",
        "README.txt": b"Do not delete: bucket of the security team.\n",
    }
    for key, body in objects.items():
        bucket.put(key, body, {})
    return tuple(objects)


def _gz(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)
