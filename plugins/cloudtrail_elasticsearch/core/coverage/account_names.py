"""The names of accounts: plans record those of the organization in the ledger (`Ledger.record_account_names`)."""

from __future__ import annotations

from typing import Final

from cloudtrail_elasticsearch.core.search.reader import IndexReader

_AT_MOST: Final = 10_000
"""The most hits of a search (``index.max_result_window``); an organization has fewer accounts."""


def read_account_names(ledger: IndexReader) -> dict[str, str]:
    """Return the names of accounts that the ledger has, by account id. Sends one request.

    :raises TransientError: the server gave no complete answer
    """
    request = {
        "size": _AT_MOST,
        "query": {"exists": {"field": "account_name"}},
        "_source": ["account", "account_name"],
    }
    hits = ledger.find(request, dict[str, str])
    return {hit.source["account"]: hit.source["account_name"] for hit in hits}
