"""A TCP proxy before PostgreSQL that notes what the client asks for."""

from __future__ import annotations

import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO
from urllib.parse import urlsplit

ENCRYPTION_REQUESTS = (80877103, 80877104)  # SSLRequest, GSSENCRequest
COMMENT_OR_LITERAL = re.compile(r"/\*.*?\*/|'(?:[^']|'')*'", re.S)


class CountingProxy:
    """Listens on a free port of this machine. It counts before it forwards, so an answer implies the count."""

    def __init__(self, upstream: tuple[str, int]) -> None:
        self._upstream = upstream
        self._recorded: list[str] | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @contextmanager
    def recording(self) -> Iterator[list[str]]:
        """The messages sent within the block, each as the first words of its statements."""
        recorded: list[str] = []
        self._recorded = recorded
        try:
            yield recorded
        finally:
            self._recorded = None

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            server = socket.create_connection(self._upstream)
            for connection in (client, server):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._forward_requests, args=(client, server), daemon=True).start()
            threading.Thread(target=_forward_answers, args=(server, client), daemon=True).start()

    def _forward_requests(self, client: socket.socket, server: socket.socket) -> None:
        with client.makefile("rb") as stream, suppress(OSError, EOFError):
            _forward_startup(stream, server)
            group = ""
            while True:
                kind, head, body = _read_message(stream)
                group = self._note(kind, body, group)
                server.sendall(head + body)
        _close(server)

    def _note(self, kind: bytes, body: bytes, group: str) -> str:
        """Count a simple query, or a Sync with the statement that was parsed before it."""
        if kind == b"P":
            return first_words(body.split(b"\0")[1])
        if kind in (b"Q", b"S") and self._recorded is not None:
            self._recorded.append(first_words(body.rstrip(b"\0")) if kind == b"Q" else group or "(sync)")
        return "" if kind == b"S" else group


def lead_through(variable: str) -> CountingProxy | None:
    """Point the database URL in the variable at a new proxy, where the process was started with PROXIED=1."""
    if os.environ.get("PROXIED") != "1":
        return None
    parts = urlsplit(os.environ[variable])
    proxy = CountingProxy((parts.hostname or "", parts.port or 5432))
    account = f"{parts.username}:{parts.password}"
    os.environ[variable] = parts._replace(netloc=f"{account}@127.0.0.1:{proxy.port}").geturl()
    return proxy


def first_words(statement: bytes) -> str:
    """The first word of each statement in a message, such as ``SET+SET+SELECT``."""
    plain = COMMENT_OR_LITERAL.sub("", statement.decode(errors="replace"))
    return "+".join(part.split()[0].upper() for part in plain.split(";") if part.strip())


def _forward_startup(stream: BinaryIO, server: socket.socket) -> None:
    code = ENCRYPTION_REQUESTS[0]
    while code in ENCRYPTION_REQUESTS:
        head = _read(stream, 4)
        body = _read(stream, int.from_bytes(head, "big") - 4)
        code = int.from_bytes(body[:4], "big")
        server.sendall(head + body)


def _read_message(stream: BinaryIO) -> tuple[bytes, bytes, bytes]:
    head = _read(stream, 5)
    return head[:1], head, _read(stream, int.from_bytes(head[1:], "big") - 4)


def _read(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _forward_answers(server: socket.socket, client: socket.socket) -> None:
    with suppress(OSError):
        while data := server.recv(65536):
            client.sendall(data)
    _close(client)


def _close(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
