"""Batches of LookupEvents windows: those of a day, grouped for Airflow's mapped tasks.

An organization has thousands of windows a day, and most of them are quiet. Quiet windows share a task.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from cloudtrail_elasticsearch.core.coverage.batches import TASK_SECONDS, name_batch, share_work
from cloudtrail_elasticsearch.core.coverage.source import NAMES, Source
from cloudtrail_elasticsearch.core.coverage.windows import DAY, GLOBAL_REGION, Window, midnight
from cloudtrail_elasticsearch.core.encoding import codec

_WINDOW_SECONDS: Final = 0.05
_EVENT_SECONDS: Final = 0.0005
"""The processor time of a window, and of one of its events: pages of 50 are looked up, staged and loaded."""

_QUIET_SECONDS: Final = 1.0
"""A window that takes longer may be in another task than the account's other windows."""

_UNKNOWN_SECONDS: Final = TASK_SECONDS
"""The assumed processor time of a window that the ledger does not know: it may be a busy one."""

_IDENTITY_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class AccountPlan:
    """The regions of an account that a run loads."""

    account: str
    regions: tuple[str, ...]
    role: str = ""
    """The ARN of the role to assume; empty: the worker's own identity reads the account."""
    enabled: tuple[str, ...] = ()
    """All enabled regions of the account, if they are known and the run loads fewer."""
    is_refused: bool = False
    """Whether AWS refused to list the regions: the account's tasks will probably fail."""


@dataclass(frozen=True, slots=True)
class LookupWindow:
    """A window, and the role to assume for it."""

    window: Window
    role: str = ""


@dataclass(frozen=True, slots=True)
class LookupBatch:
    """The windows of one task, all of the same time."""

    name: str
    windows: tuple[LookupWindow, ...]
    enabled: Mapping[str, tuple[str, ...]]
    """All enabled regions of those accounts of which the run loads fewer."""

    @property
    def identity(self) -> dict[str, str]:
        """A hash of the windows: the results of a batch's tasks have it, so that no other batch takes them."""
        names = [each.window.name for each in self.windows]
        return {"batch": hashlib.sha256(codec.canonical(names)).hexdigest()[:_IDENTITY_DIGITS]}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for an XCom, about 20 bytes for each window; `from_dict` reads them back."""
        first = self.windows[0].window
        accounts: dict[str, dict[str, Any]] = {}
        for each in self.windows:
            account = accounts.setdefault(each.window.account, {"regions": []})
            account["regions"].append(each.window.region)
            if each.role:
                account["role"] = each.role
        for name, regions in self.enabled.items():
            accounts[name]["enabled"] = list(regions)
        return {
            "name": self.name,
            "source": first.source.value,
            "start": first.start.isoformat(),
            "end": first.end.isoformat(),
            "accounts": accounts,
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> LookupBatch:
        """Return the batch of the values that `to_dict` or, for a single window, `Window.to_dict` returned."""
        if "accounts" not in value:
            window = Window.from_dict(dict(value))
            return cls(window.name, (LookupWindow(window),), {})
        start, end = (datetime.fromisoformat(value[name]) for name in ("start", "end"))
        source = Source(value["source"])
        windows = tuple(
            LookupWindow(Window(account, region, start, end, source), of.get("role", ""))
            for account, of in value["accounts"].items()
            for region in of["regions"]
        )
        enabled = {name: tuple(of["enabled"]) for name, of in value["accounts"].items() if "enabled" in of}
        return cls(value["name"], windows, enabled)


@dataclass(frozen=True, slots=True)
class _Work:
    """Windows of one account, and their estimated processor time."""

    windows: tuple[LookupWindow, ...]
    seconds: float


def plan_lookup_batches(
    days: Iterable[date],
    accounts: Sequence[AccountPlan],
    usual: Mapping[tuple[str, str], float],
    tasks: int,
    source: Source = Source.LOOKUP_EVENTS,
) -> Iterator[LookupBatch]:
    """Yield the batches of each day; each window of the day is in exactly one of them.

    The windows of an account that refused are in a batch of its own, so that no other window's task fails.

    :param usual: the mean number of events of a cell by account and region, as far as the ledger knows
    :param tasks: the most batches of a day, not counting those of accounts that refused; at least 1
    """
    enabled = {plan.account: plan.enabled for plan in accounts if plan.enabled}
    # Enough accounts for all tasks: even windows that may be busy are kept with their account.
    are_unknown_apart = sum(not plan.is_refused for plan in accounts) < tasks
    for day in days:
        work = [
            piece
            for plan in accounts
            if not plan.is_refused
            for piece in _divide_account(_list_windows(plan, day, source), usual, are_unknown_apart)
        ]
        work.sort(key=_choose_order)
        groups = [
            *([window for each in group for window in each.windows] for group in share_work(work, tasks)),
            *(_list_windows(plan, day, source) for plan in accounts if plan.is_refused),
        ]
        for number, group in enumerate(groups, 1):
            windows = sorted(group, key=lambda each: each.window)
            yield LookupBatch(
                _name_batch([each.window for each in windows], number, len(groups)),
                tuple(windows),
                {
                    each.window.account: enabled[each.window.account]
                    for each in windows
                    if each.window.account in enabled
                },
            )


def _divide_account(
    windows: Iterable[LookupWindow], usual: Mapping[tuple[str, str], float], are_unknown_apart: bool
) -> Iterator[_Work]:
    """Yield the quiet windows of an account together, and each busy one alone.

    A task assumes the role of an account once, so windows that take little time are not spread over tasks.

    :param are_unknown_apart: whether windows that the ledger does not know are alone, too
    """
    together: list[LookupWindow] = []
    seconds = 0.0
    for each in windows:
        events = usual.get((each.window.account, each.window.region))
        own = _estimate_seconds(events)
        if are_unknown_apart if events is None else own > _QUIET_SECONDS:
            yield _Work((each,), own)
            continue
        together.append(each)
        seconds += own
    if together:
        yield _Work(tuple(together), seconds)


def _name_batch(windows: Sequence[Window], number: int, of: int) -> str:
    name = name_batch(windows, number, of)
    # A run can plan management events, too. The name of a single window begins with its source already.
    return name if len(windows) == 1 else f"{NAMES[windows[0].source]}{name}"


def _choose_order(work: _Work) -> tuple[float, bool, Window]:
    first = work.windows[0].window
    # False sorts before True: the region of the global services is the busiest one of most accounts.
    return -work.seconds, first.region != GLOBAL_REGION, first


def _list_windows(plan: AccountPlan, day: date, source: Source) -> list[LookupWindow]:
    start = midnight(day)
    windows = (Window(plan.account, region, start, start + DAY, source) for region in plan.regions)
    return [LookupWindow(window, plan.role) for window in windows]


def _estimate_seconds(events: float | None) -> float:
    return _UNKNOWN_SECONDS if events is None else _WINDOW_SECONDS + events * _EVENT_SECONDS
