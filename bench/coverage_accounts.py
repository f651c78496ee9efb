"""``coverage_accounts_answer`` and ``_draw``: the coverage page of a year of 200 accounts with 17 regions."""

from __future__ import annotations

import re
import statistics
from datetime import timedelta
from typing import Any, Final

from bench.coverage_page import LAST, Look, look_again, make_cell, pages_with_ledger
from bench.results import Result
from cloudtrail_elasticsearch.core.coverage.ledger import Ledger, VerifiedCell
from cloudtrail_elasticsearch.core.index.index_pattern import DEFAULT_INDEX
from cloudtrail_elasticsearch.core.search.server import SearchServer
from devstack.airflow import Airflow

ACCOUNTS: Final = 200
REGIONS: Final = 17
BUSY_REGIONS: Final = 6
"""The regions with events; the others are quiet, as most regions of most accounts."""
DAYS: Final = 365
LOOKS: Final = 5
ANSWER_TO_REACH: Final = 400
DRAW_TO_REACH: Final = 1_000

_END: Final = re.compile(rb'"end":("[^"]+")')
_UPDATED: Final = re.compile(rb'"updated_at":"[^"]+"')


class _Backdated:
    """A server that keeps bulk requests, and whose cells were updated when their days ended, as by daily runs."""

    def __init__(self, server: SearchServer) -> None:
        self._server = server
        self.engine, self.name = server.engine, server.name
        self.bulks: list[bytes] = []

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        """Send a request, in a bulk request with other times of updates."""
        if body and path.startswith("/_bulk"):
            body = b"\n".join(map(_backdate, body.split(b"\n")))
            self.bulks.append(body)
        return self._server.request(method, path, body)


def _backdate(line: bytes) -> bytes:
    end = _END.search(line)
    return line if end is None else _UPDATED.sub(b'"updated_at":' + end[1], line)


def measure() -> list[Result]:
    """Open the page of all accounts several times in a real browser, after a change and without one."""
    with pages_with_ledger(_fill) as (airflow, url):
        first, *looks = _looks(airflow, url)
    how = (
        f"{ACCOUNTS} accounts by {REGIONS} regions by {DAYS} days, each a document of the ledger on OpenSearch 3, "
        f"shown as accounts by days, with a real API server of Airflow and Debian's Chromium; median of {LOOKS} "
        f"page loads after the first one"
    )
    return [
        Result(
            name="coverage_accounts_answer",
            value=statistics.median(look.answer for look in looks),
            unit="ms",
            at_most=ANSWER_TO_REACH,
            how=f"from the request for the page's data to the parsed data, after a change of a day; {how}",
            limited_by=(
                "the search server's count of the cells of each account, index, source and day; the API server "
                "then reads only the days that changed. The first answer of an API server reads all days"
            ),
            parts={
                "first answer of the API server": first.answer,
                "without a change": statistics.median(look.again for look in looks),
            },
        ),
        Result(
            name="coverage_accounts_draw",
            value=statistics.median(look.draw for look in looks),
            unit="ms",
            at_most=DRAW_TO_REACH,
            how=f"from the parsed data to the finished layout of the rows in and near the window; {how}",
            limited_by="the browser: it makes and lays out sixteen thousand cells, and the others on scrolling",
        ),
    ]


def _fill(server: SearchServer) -> None:
    """Write the cells of one account with the loader's code, and those of the others as copies of them."""
    recorded = _Backdated(server)
    ledger = Ledger(recorded, DEFAULT_INDEX)
    ledger.record_verified_all(_cell(_name(0), region, ago) for region in range(REGIONS) for ago in range(DAYS))
    for account in range(1, ACCOUNTS):
        for body in recorded.bulks:
            copied = body.replace(_name(0).encode(), _name(account).encode())
            if server.request("POST", "/_bulk?filter_path=errors", copied)["errors"]:
                raise RuntimeError("the server rejected cells: nothing was measured")
    ledger.record_account_names({_name(account): f"team-{account}" for account in range(ACCOUNTS)})


def _name(account: int) -> str:
    return f"{100_000_000_000 + 7919 * account}"


def _cell(account: str, region: int, ago: int) -> VerifiedCell:
    events = (region * 7919 + ago * 104_729) % 10_000 if region < BUSY_REGIONS else 0
    # One cell in some hundred is not complete.
    lost = 5 if events > 5 and (region * 11 + ago * 7) % 397 == 0 else 0
    return make_cell(account, region, ago, events, lost)


def _looks(airflow: Airflow, search_url: str) -> list[Look]:
    first = LAST - timedelta(days=DAYS - 1)
    address = f"{airflow.url}/cloudtrail/coverage#account=*&first={first:%Y-%m-%d}&last={LAST:%Y-%m-%d}"
    changes = [_cell(_name(number), 0, 0) for number in range(LOOKS + 1)]
    return look_again(airflow, search_url, address, changes, ("table.grid tbody tr", ACCOUNTS))
