"""Works on the windows of a batch: the failure of one does not stop the others."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final, Protocol, TypeVar

from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.errors import (
    AccessDeniedError,
    ConfigurationError,
    CoverageError,
    LoaderError,
    StagingError,
    SupersededError,
    TransientError,
)
from cloudtrail_elasticsearch.core.side_by_side import run_side_by_side

log = logging.getLogger(__name__)

MOST_IN_A_ROW: Final = 5
"""If so many windows fail one after another, the rest is not tried: AWS, the server or the rights are at fault.

If all of them are of one account, only its other windows are not tried: it may have a key or a policy of its own.
Windows that fail because a permission is missing count for their account only.
"""

_MOST_OF_ACCOUNT: Final = 3
"""The most failed windows of an account that count towards `MOST_IN_A_ROW` of a whole batch."""

_MOST_NAMED: Final = 20
_FINAL: Final = (ConfigurationError, CoverageError, StagingError)
"""The errors that a further attempt does not resolve."""


class HasWindow(Protocol):
    """A window, or a value that has one."""

    @property
    def window(self) -> Window:
        """The window."""


Asked = TypeVar("Asked", bound=HasWindow)
Result = TypeVar("Result")


class EachWindow:
    """Works on numbered windows side by side, and keeps the errors of those that fail."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_a_row: Counter[str] = Counter()
        """The failures since the last success, by account."""
        self._denied: set[str] = set()
        """The accounts with a missing permission."""
        self._errors: dict[int, tuple[Window, Exception | None]] = {}
        """The window and the error of each one that failed; None for those that were not tried."""

    @property
    def failures(self) -> dict[int, str]:
        """The reason of each window that failed or was not tried, by its number."""
        texts = {number: _describe(error) for number, (_, error) in self._errors.items() if error is not None}
        # The account's own reason is the better one: its role may be missing, for example.
        of_account = {self._errors[number][0].account: text for number, text in texts.items()}
        newest = next(reversed(texts.values()), "")
        return {
            number: texts.get(number) or f"it was not tried after: {of_account.get(window.account, newest)}"
            for number, (window, _) in sorted(self._errors.items())
        }

    def run(
        self, work: Callable[[Asked], Result], windows: Iterable[tuple[int, Asked]], parallel: int
    ) -> Iterator[tuple[int, Asked, Result]]:
        """Yield the result of each window that did not fail, in the order in which they are ready.

        :raises SupersededError: another attempt has replaced this one
        """

        def attempt(numbered: tuple[int, Asked]) -> tuple[int, Asked, list[Result]]:
            number, each = numbered
            if self._is_hopeless(each):
                self._fail(number, each, None)
                return number, each, []
            try:
                result = work(each)
            except SupersededError:
                raise
            except Exception as error:  # noqa: BLE001 - the other windows are worked on, and `check` raises it
                self._fail(number, each, error)
                return number, each, []
            with self._lock:
                self._in_a_row.clear()
            return number, each, [result]

        for number, each, results in run_side_by_side(attempt, windows, parallel):
            for result in results:
                yield number, each, result

    def fail(self, number: int, each: HasWindow, error: Exception) -> None:
        """Keep the error of a window on which no work is possible."""
        self._errors[number] = (each.window, error)

    def check(self, doing: str, total: int) -> None:
        """Raise an error that names the windows that failed, if there are any.

        :param doing: what failed, such as ``listed``
        :param total: the number of all windows
        If there is only one window, its own error is raised.

        :raises TransientError: a further attempt can succeed for at least one of them
        :raises CoverageError: no further attempt can succeed
        """
        if not self._errors:
            return
        tried = {window.name: error for window, error in self._errors.values() if error is not None}
        if total == 1:
            raise next(iter(tried.values()))
        lines = [f"  {name}: {_describe(error)}" for name, error in list(tried.items())[:_MOST_NAMED]]
        more = len(self._errors) - len(lines)
        if more:
            lines.append(f"  and {more} further windows; {len(self._errors) - len(tried)} of them were not tried")
        text = f"{len(self._errors)} of {total} windows were not {doing}:\n" + "\n".join(lines)
        if all(isinstance(error, _FINAL) for error in tried.values()):
            raise CoverageError(text)
        raise TransientError(text) from next(iter(tried.values()))

    def _is_hopeless(self, each: HasWindow) -> bool:
        with self._lock:
            failed = self._in_a_row
            of_all = sum(
                min(count, _MOST_OF_ACCOUNT) for account, count in failed.items() if account not in self._denied
            )
            return of_all >= MOST_IN_A_ROW or failed[each.window.account] >= MOST_IN_A_ROW

    def _fail(self, number: int, each: HasWindow, error: Exception | None) -> None:
        with self._lock:
            self._in_a_row[each.window.account] += 1
            if isinstance(error, AccessDeniedError):
                self._denied.add(each.window.account)
            self._errors[number] = (each.window, error)
        if isinstance(error, LoaderError):
            log.error("%s failed: %s", each.window.name, error)
        elif error is not None:
            log.error("%s failed.", each.window.name, exc_info=error)


def _describe(error: Exception) -> str:
    # The text of other errors is not written by this package, and could quote a file.
    return str(error) if isinstance(error, LoaderError) else f"{type(error).__name__}; the log has the details"
