"""Documents without the time of sending, for comparisons: the time differs between loads."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, TypeVar

from cloudtrail_elasticsearch.core.search.sending_time import drop_time

Key = TypeVar("Key", bound=Hashable)


def drop_times(documents: Mapping[Key, dict[str, Any]]) -> dict[Key, dict[str, Any]]:
    """Return documents without their times; each must have one."""
    untimed = {key: drop_time(source) for key, source in documents.items()}
    assert None not in untimed.values()
    return {key: source for key, source in untimed.items() if source is not None}
