"""The failures of a batch's windows, as the tasks of the batch pass them on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core.encoding import typed
from cloudtrail_elasticsearch.core.log_text import safe_text

_MOST_REASONS: Final = 50
_LONGEST_REASON: Final = 1_000
"""A batch that fails in more ways than this, or with longer texts, must not make a large XCom."""

_MORE: Final = "The log of its task has the reason."


@dataclass(frozen=True, slots=True)
class Failure:
    """A reason, and the numbers of the windows that failed for it."""

    reason: str
    windows: tuple[int, ...]


def group_failures(reasons: Mapping[int, str]) -> list[dict[str, Any]]:
    """Return the reasons by the number of the window as plain values for an XCom; `read_failures` reads them back.

    Most windows that fail do so for the same reason, so each one is returned once.
    """
    by_reason: dict[str, list[int]] = {}
    for number, reason in sorted(reasons.items()):
        text = safe_text(reason, _LONGEST_REASON)
        by_reason.setdefault(text if text in by_reason or len(by_reason) < _MOST_REASONS else _MORE, []).append(
            number
        )
    return [msgspec.to_builtins(Failure(reason, tuple(windows))) for reason, windows in by_reason.items()]


def read_failures(value: Iterable[Any]) -> dict[int, str]:
    """Return the reason by the number of the window, from the values that `group_failures` returned."""
    return {number: each.reason for each in typed.convert(value, list[Failure]) for number in each.windows}
