"""Failing services: CloudTrail, S3, and read-only indices."""

from __future__ import annotations

from typing import Any, Final

from cloudtrail_elasticsearch.core.encoding import codec
from devstack.faults.fault import Fault
from devstack.faults.scene import Scene
from devstack.simulator import Fault as Answer
from devstack.simulator import FaultKind
from devstack.storage_faults import StorageFaultKind

PATIENCE: Final = 30.0
"""Seconds within which a request must hit the fault."""

_BLOCKS: Final = ("index.blocks.read_only_allow_delete", "index.blocks.write")
"""The block of a full disk, and one that people set. While the first is on, only it can be changed."""


def cloudtrail(kind: FaultKind, most: int) -> Fault:
    """Make LookupEvents answer up to this many requests with an error or with a broken connection."""

    def strike(scene: Scene) -> bool:
        count = scene.random.randint(1, most)
        faults = scene.simulator.service.faults
        faults.add(Answer(kind, count=count))

        def struck() -> bool | None:
            left = sum(fault["count"] for fault in faults.listed())
            return True if left < count else None

        return scene.until(struck, PATIENCE) or False

    def mend(scene: Scene) -> None:
        scene.simulator.service.faults.clear()

    return Fault(kind.replace("_", " "), strike, mend, (2, 6))


def storage(kind: StorageFaultKind, seconds: tuple[float, float]) -> Fault:
    """Make S3 answer every request of this kind with an error, or with a broken body, for some seconds."""

    def strike(scene: Scene) -> bool:
        scene.storage.break_storage(kind, scene.source_bucket)

        def struck() -> bool | None:
            return any(fault["answered"] for fault in scene.storage.storage_faults()) or None

        return scene.until(struck, PATIENCE) or False

    def mend(scene: Scene) -> None:
        scene.storage.mend_storage()

    name = "S3 full bucket" if kind is StorageFaultKind.FULL_BUCKET else f"S3 {kind.replace('_', ' ')}"
    return Fault(name, strike, mend, seconds)


def _make_read_only(scene: Scene) -> bool:
    """Make the existing indices read-only during a load."""
    block = {scene.random.choice(_BLOCKS): True}

    def blocked() -> bool | None:
        return True if scene.running("cell.load") and _set(scene, block) else None

    return scene.until(blocked, PATIENCE) or False


def _make_writable(scene: Scene) -> None:
    for block in _BLOCKS:
        _set(scene, {block: None})


def _set(scene: Scene, settings: dict[str, Any]) -> list[str]:
    """Change settings of the backfill's indices and return the names of the indices."""
    listed = scene.client.request("GET", f"/{scene.indices}/_settings?allow_no_indices=true")
    if listed:
        scene.client.request("PUT", f"/{scene.indices}/_settings", codec.encode(settings))
    return list(listed)


READ_ONLY_INDEX: Final = Fault("read-only index", _make_read_only, _make_writable, (4, 8))
