"""Speaking HTTP/1.1 by hand, as no library would."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection, HTTPResponse
from typing import Any

SECONDS = 20.0


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Message
    content: bytes

    def json(self) -> Any:
        return json.loads(self.content)


@dataclass(frozen=True)
class Wire:
    """The way to one server, as one host of it."""

    port: int
    host: str
    token: str = ""

    def call(self, method: str, path: str, body: bytes | Iterable[bytes] | None = None, **headers: str) -> Reply:
        """One request; bytes are sent with their length, pieces in chunks."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        in_pieces = body is not None and not isinstance(body, bytes)
        try:
            given = {**self._headers(), **{name.replace("_", "-"): value for name, value in headers.items()}}
            if in_pieces:
                given["Transfer-Encoding"] = "chunked"
            connection.request(method, path, body=body, headers=given, encode_chunked=in_pieces)
            return reply_of(connection.getresponse())
        finally:
            connection.close()

    @contextmanager
    def begun(self, method: str, path: str, *lines: str, **headers: str) -> Iterator[socket.socket]:
        """A connection on which a request has begun: its head is sent, nothing else."""
        given = {**self._headers(), **{name.replace("_", "-"): value for name, value in headers.items()}}
        fields = [f"{name}: {value}" for name, value in given.items()]
        with socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS) as client:
            client.sendall("\r\n".join([f"{method} {path} HTTP/1.1", *fields, *lines, "", ""]).encode())
            yield client

    def _headers(self) -> dict[str, str]:
        signed_in = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return {"Host": self.host, **signed_in}


def answer_on(client: socket.socket, method: str = "GET") -> Reply:
    response = HTTPResponse(client, method=method)
    response.begin()
    return reply_of(response)


def reply_of(response: HTTPResponse) -> Reply:
    return Reply(response.status, response.headers, response.read())
