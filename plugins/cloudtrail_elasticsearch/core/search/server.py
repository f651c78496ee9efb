"""The interface through which the core sends requests to a search server: one method."""

from __future__ import annotations

from typing import Any, Literal, Protocol

Engine = Literal["elasticsearch", "opensearch"]


class SearchServer(Protocol):
    """A search server that answers requests."""

    @property
    def name(self) -> str:
        """The server's address, without credentials."""

    @property
    def engine(self) -> Engine:
        """The server's engine."""

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        """Send JSON (newline-delimited for ``_bulk``) and return the answer's JSON.

        :raises TransientError: a retry can succeed: a lost connection, a timeout, 408, 429, 5xx, a block, an
            answer that no search server gives
        :raises AccessDeniedError: the server does not allow this user to make the request
        :raises RejectedRequestError: the server rejects the request, and a retry would give the same answer
        """
