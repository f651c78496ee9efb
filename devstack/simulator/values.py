"""Text, numbers and times as in real events, chosen by a member's name and shape.

`leaf` decides once for each member of a model which values it gets. The returned function then makes them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from botocore.model import Shape

from devstack.simulator.draw import Draw

HIDDEN: Final = "HIDDEN_DUE_TO_SECURITY_REASONS"
"""The text that AWS writes in place of a secret of any type."""


@dataclass(frozen=True, slots=True)
class Scene:
    """The time and place of an event, and its random choices. `time` is in epoch seconds."""

    draw: Draw
    account: str
    region: str
    time: int


Leaf = Callable[[Scene], Any]

_WORDS: Final = (
    "orders", "billing", "payments", "search", "frontend", "backend", "analytics", "ingest", "reports", "users",
    "catalog", "events", "audit", "media", "staging", "prod", "dev", "core", "edge", "batch", "metrics", "gateway",
)  # fmt: skip
_EC2_PREFIXES: Final = {
    "instance": "i", "volume": "vol", "snapshot": "snap", "image": "ami", "vpc": "vpc", "subnet": "subnet",
    "group": "sg", "securitygroup": "sg", "networkinterface": "eni", "allocation": "eipalloc",
    "association": "eipassoc", "routetable": "rtb", "internetgateway": "igw", "natgateway": "nat",
    "networkacl": "acl", "launchtemplate": "lt", "reservation": "r", "vpcendpoint": "vpce", "flowlog": "fl",
    "transitgateway": "tgw", "dhcpoptions": "dopt", "filesystem": "fs", "attachment": "eni-attach",
}  # fmt: skip
_SECRET = re.compile(
    r"(?i)(password|passphrase|secret(string|binary|key|accesskey)|privatekey|authtoken|plaintext|"
    r"masteruserpass|userdata$)"
)
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_POLICY_TEXT: Final = orjson.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
).decode()


def is_secret(name: str, shape: Shape) -> bool:
    """Return whether AWS would hide a member."""
    return bool(shape.metadata.get("sensitive")) or _SECRET.search(name) is not None


def words(scene: Scene) -> str:
    """Return a name like those that people choose."""
    draw = scene.draw
    return f"{draw.pick(_WORDS)}-{draw.pick(_WORDS)}-{draw.below(40)}"


def ip(scene: Scene) -> str:
    """Return a public IPv4 address."""
    draw = scene.draw
    return f"{draw.between(13, 99)}.{draw.below(256)}.{draw.below(256)}.{draw.between(1, 254)}"


def arn(service: str) -> Leaf:
    """Return the function that makes ARNs of a service."""
    if service == "iam":
        return lambda scene: f"arn:aws:iam::{scene.account}:role/{words(scene)}"
    return lambda scene: f"arn:aws:{service}:{scene.region}:{scene.account}:resource/{words(scene)}"


def iso_time(time: int) -> str:
    """Return a time like 2026-11-20T08:15:30Z."""
    return datetime.fromtimestamp(time, UTC).isoformat()[:19] + "Z"


def java_time(time: int) -> str:
    """Return a time like Aug 6, 2018 7:12:08 AM, which services on an old Java runtime write."""
    moment = datetime.fromtimestamp(time, UTC)
    hour = (moment.hour - 1) % 12 + 1
    half = "PM" if moment.hour >= 12 else "AM"
    return f"{_MONTHS[moment.month - 1]} {moment.day}, {moment.year} {hour}:{moment:%M:%S} {half}"


def leaf(name: str, shape: Shape, service: str) -> Leaf:
    """Return the function that makes the values of a scalar member that is not a time."""
    kind = shape.type_name
    if kind == "boolean":
        return lambda scene: scene.draw.chance(0.5)
    if kind in {"integer", "long"}:
        return _whole(shape.metadata)
    if kind in {"float", "double"}:
        return lambda scene: round(scene.draw.real() * 100, 3)
    if kind == "blob":
        return lambda scene: base64.b64encode(scene.draw.hex(12).encode()).decode()
    if shape.metadata.get("enum"):
        choices = tuple(shape.metadata["enum"])
        return lambda scene: scene.draw.pick(choices)
    return _text(name.lower(), service)


def _whole(limits: dict[str, Any]) -> Leaf:
    low = int(limits.get("min", 0))
    high = max(low, min(int(limits.get("max", low + 1000)), low + 10_000))
    return lambda scene: scene.draw.between(low, high)


def _text(name: str, service: str) -> Leaf:
    for ending, make in _BY_ENDING:
        if name.endswith(ending):
            return make
    if name.endswith(("arn", "arns")):
        return arn("iam" if "role" in name else service)
    if name.endswith("id"):
        return _identifier(name.removesuffix("id"))
    for part, make in _BY_PART:
        if part in name:
            return make
    return words


def _identifier(thing: str) -> Leaf:
    prefix = _EC2_PREFIXES.get(thing)
    if prefix:
        return lambda scene: f"{prefix}-0{scene.draw.hex(16)}"
    if thing.endswith("account"):
        return lambda scene: scene.account
    return lambda scene: scene.draw.uuid()


_BY_ENDING: Final[tuple[tuple[str, Leaf], ...]] = (
    ("nexttoken", lambda scene: scene.draw.base64(88)),
    ("clienttoken", lambda scene: scene.draw.uuid()),
    ("requesttoken", lambda scene: scene.draw.uuid()),
    ("token", lambda scene: scene.draw.base64(44)),
    ("accountid", lambda scene: scene.account),
    ("ownerid", lambda scene: scene.account),
    ("accesskeyid", lambda scene: "AKIA" + scene.draw.upper(16)),
    ("kmskeyid", lambda scene: f"arn:aws:kms:{scene.region}:{scene.account}:key/{scene.draw.uuid()}"),
    ("bucket", words),
    ("role", arn("iam")),
    ("region", lambda scene: scene.region),
    ("availabilityzone", lambda scene: scene.region + scene.draw.pick("abc")),
    ("instancetype", lambda scene: scene.draw.pick(("t3.micro", "m6i.large", "c7g.xlarge", "r6g.2xlarge"))),
)

_BY_PART: Final[tuple[tuple[str, Leaf], ...]] = (
    ("policydocument", lambda _: _POLICY_TEXT),
    ("cidripv6", lambda _: "::/0"),
    ("ipv6", lambda scene: f"2600:1f18:{scene.draw.hex(4)}::{scene.draw.hex(3)}"),
    ("cidr", lambda scene: f"10.{scene.draw.below(256)}.0.0/16"),
    ("ipaddress", ip),
    ("publicip", ip),
    ("email", lambda scene: f"{scene.draw.pick(_WORDS)}@example.com"),
    ("url", lambda scene: f"https://{scene.draw.pick(_WORDS)}.example.com/{scene.draw.lower(6)}"),
    ("endpoint", lambda scene: f"{scene.draw.lower(10)}.{scene.region}.amazonaws.com"),
    ("dnsname", lambda scene: f"{scene.draw.pick(_WORDS)}.{scene.region}.elb.amazonaws.com"),
    ("md5", lambda scene: scene.draw.hex(32)),
    ("sha256", lambda scene: scene.draw.hex(64)),
    ("version", lambda scene: str(scene.draw.between(1, 30))),
    ("description", lambda scene: f"{scene.draw.pick(_WORDS)}, for {scene.draw.pick(_WORDS)} and others"),
)
