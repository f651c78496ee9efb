"""Change the objects of a trail after their delivery, as somebody who wants to hide events would.

Each function changes one object, or adds one, and returns the key of the object that a verification must name.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson

from devstack.simulator.trails.keys import SigningKeys
from devstack.simulator.trails.log_files import compress, sha256
from devstack.simulator.trails.stores import Bucket

_NOT_GZIP: Final = b"not gzip"


def remove_event(bucket: Bucket, key: str) -> str:
    """Remove the first event of a log file."""
    content = orjson.loads(gzip.decompress(bucket.get(key).body))
    del content["Records"][0]
    return _replace(bucket, key, compress(orjson.dumps(content)))


def change_event(bucket: Bucket, key: str) -> str:
    """Change one member of the first event of a log file."""
    content = orjson.loads(gzip.decompress(bucket.get(key).body))
    content["Records"][0]["awsRegion"] = "eu-south-2"
    return _replace(bucket, key, compress(orjson.dumps(content)))


def append_event(bucket: Bucket, key: str) -> str:
    """Append a second gzip member, which most programs that unpack a file read too."""
    body = bucket.get(key).body
    return _replace(bucket, key, body + compress(b'{"Records":[]}'))


def break_gzip(bucket: Bucket, key: str) -> str:
    """Replace an object by bytes that are not gzip."""
    return _replace(bucket, key, _NOT_GZIP)


def truncate(bucket: Bucket, key: str) -> str:
    """Keep the first half of an object."""
    body = bucket.get(key).body
    return _replace(bucket, key, body[: len(body) // 2])


def delete(bucket: Bucket, key: str) -> str:
    """Delete an object."""
    bucket.delete(key)
    return key


def copy_log_file(bucket: Bucket, key: str) -> str:
    """Store a log file again under another random part of its name, which no digest lists."""
    stem = key.removesuffix(".json.gz")
    copy = f"{stem[:-16]}{'0' * 16}.json.gz"
    bucket.put(copy, *bucket.get(key))
    return copy


def drop_from_digest(bucket: Bucket, key: str) -> str:
    """Remove the log files from a digest and keep its signature."""
    return _edit(bucket, key, lambda content: content.update(logFiles=[]))


def replace_hash(bucket: Bucket, key: str) -> str:
    """Replace the hash of a digest's first log file, as somebody who changed the file would."""
    return _edit(bucket, key, lambda content: content["logFiles"][0].update(hashValue="0" * 64))


def drop_signature(bucket: Bucket, key: str) -> str:
    """Remove the signature of a digest."""
    body, metadata = bucket.get(key)
    bucket.put(key, body, {name: value for name, value in metadata.items() if name != "signature"})
    return key


def move_digest(bucket: Bucket, key: str) -> str:
    """Put the digest that the digest links to in its place: both verify, but one is not where it belongs."""
    previous = orjson.loads(gzip.decompress(bucket.get(key).body))["previousDigestS3Object"]
    bucket.put(key, *bucket.get(previous))
    return key


def sign_with_another_key(bucket: Bucket, key: str) -> str:
    """Sign a changed digest with a key that CloudTrail does not know."""
    body, metadata = bucket.get(key)
    content = orjson.loads(gzip.decompress(body))
    signing = SigningKeys(seed=666, bits=1024).at("", 0)
    content |= {"logFiles": [], "digestPublicKeyFingerprint": signing.fingerprint}
    text = orjson.dumps(content)
    previous = content["previousDigestSignature"] or "null"
    place = f"{content['digestS3Bucket']}/{key}"
    signature = signing.sign(f"{content['digestEndTime']}\n{place}\n{sha256(text)}\n{previous}")
    bucket.put(key, compress(text), {**metadata, "signature": signature})
    return key


Tampering = Callable[[Bucket, str], str]

WITH_LOG_FILES: Final[Mapping[str, Tampering]] = MappingProxyType(
    {
        tampering.__name__: tampering
        for tampering in (remove_event, change_event, append_event, break_gzip, truncate, delete, copy_log_file)
    }
)
"""Each tampering with a log file, by its name."""

WITH_DIGESTS: Final[Mapping[str, Tampering]] = MappingProxyType(
    {
        tampering.__name__: tampering
        for tampering in (
            drop_from_digest,
            replace_hash,
            drop_signature,
            move_digest,
            sign_with_another_key,
            break_gzip,
            delete,
        )
    }
)
"""Each tampering with a digest that has log files and is not the first of its chain, by its name."""


def _replace(bucket: Bucket, key: str, body: bytes) -> str:
    bucket.put(key, body, bucket.get(key).metadata)
    return key


def _edit(bucket: Bucket, key: str, change: Callable[[dict[str, Any]], None]) -> str:
    content = orjson.loads(gzip.decompress(bucket.get(key).body))
    change(content)
    return _replace(bucket, key, compress(orjson.dumps(content)))
