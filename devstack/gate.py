"""A gate before a server: it passes connections on, or refuses them, as if the server were down."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Final, Self
from urllib.parse import urlsplit

_HOST: Final = "127.0.0.1"
_BYTES: Final = 1 << 16


class Gate:
    """Listens on a port of its own inside the ``with`` block, and is open at first.

    A shut gate refuses connections and breaks those that it had passed on. Its address stays the same.

    :param url: of the server
    """

    def __init__(self, url: str) -> None:
        target = urlsplit(url)
        assert target.hostname is not None
        assert target.port is not None
        self._target = (target.hostname, target.port)
        self._lock = threading.Lock()
        self._ends: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self._port = 0

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.shut()

    @property
    def url(self) -> str:
        """The address that stands for the server's."""
        return f"http://{_HOST}:{self._port}"

    def open(self) -> None:
        """Pass connections on; if it is open already, do nothing."""
        if self._listener is None:
            self._listener = listener = socket.create_server((_HOST, self._port), backlog=128)
            self._port = int(listener.getsockname()[1])
            threading.Thread(target=self._accept, args=(listener,), name="gate", daemon=True).start()

    def shut(self) -> None:
        """Refuse connections, and break the present ones; if it is shut already, do nothing."""
        listener, self._listener = self._listener, None
        if listener is not None:
            _close(listener)
        with self._lock:
            ends, self._ends = self._ends, set()
        for end in ends:
            _close(end)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the gate was shut
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._connect, args=(listener, client), daemon=True).start()

    def _connect(self, listener: socket.socket, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._target)
        except OSError:
            _close(client)
            return
        with self._lock:
            self._ends |= {client, server}
        if self._listener is not listener:
            # The gate was shut meanwhile.
            _close(client)
        threading.Thread(target=self._pass_on, args=(server, client), daemon=True).start()
        self._pass_on(client, server)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_BYTES):
                target.sendall(data)
        for end in (source, target):
            _close(end)
        with self._lock:
            self._ends -= {source, target}


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
