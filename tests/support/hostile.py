"""``python -m tests.support.hostile KIND PORT HOST CLIENTS SECONDS``: clients that hold on to what they are given.

Whoever is thrown out comes back at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

PAUSE = 1.0
PIPELINED = 50
SMALL_BUFFER = 4096
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA_FRAME, HEADERS_FRAME, SETTINGS_FRAME, END_HEADERS = 0, 1, 4, 4


@dataclass
class Client:
    """One of them. ``until`` is when it stops."""

    port: int
    host: str
    until: float
    connections: int = 0

    @property
    def is_over(self) -> bool:
        return time.monotonic() > self.until

    async def come_back(self, act: Act) -> None:
        while not self.is_over:
            self.connections += 1
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._once(act)
            await asyncio.sleep(0.05)

    async def _once(self, act: Act) -> None:
        raw = socket.socket()
        raw.setblocking(False)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", self.port))
        reader, writer = await asyncio.open_connection(sock=raw, limit=SMALL_BUFFER)
        try:
            await act(self, reader, writer)
        finally:
            writer.transport.abort()

    def head(self, method: str, path: str, *lines: str) -> bytes:
        return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {self.host}", *lines, "", ""]).encode()

    async def drip(self, writer: asyncio.StreamWriter, piece: bytes) -> None:
        """Send the same piece again and again, as slowly as one dares."""
        while not self.is_over:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(PAUSE)

    async def stay(self) -> None:
        await asyncio.sleep(max(0.0, self.until - time.monotonic()))


Act = Callable[[Client, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def silence(client: Client, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)


async def slow_head(client: Client, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(client.head("GET", "/")[:-2])
    await client.drip(writer, b"X-A: b\r\n")


async def slow_body(client: Client, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(client.head("POST", "/sign-in/", "Content-Length: 100000"))
    await client.drip(writer, b"a")


async def slow_chunks(client: Client, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(client.head("POST", "/sign-in/", "Transfer-Encoding: chunked"))
    await client.drip(writer, b"1\r\na\r\n")


async def half_close(client: Client, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(client.head("POST", "/sign-in/", "Content-Length: 1000") + b"a")
    writer.write_eof()
    await reader.read(SMALL_BUFFER)


async def unread_file(client: Client, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(client.head("GET", "/static/large.css") * PIPELINED)
    await client.stay()


async def unread_pages(client: Client, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(client.head("GET", "/sign-in/") * PIPELINED)
    await client.stay()


async def http2_bodies(client: Client, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Ten streams that announce a body which never comes, gone after half a second."""
    writer.write(PREFACE + _frame(SETTINGS_FRAME, 0, 0, b""))
    for stream in range(1, 21, 2):
        writer.write(_frame(HEADERS_FRAME, END_HEADERS, stream, _hpack(client.host)))
    await writer.drain()
    await asyncio.sleep(0.5)


KINDS: dict[str, Act] = {
    act.__name__: act
    for act in (silence, slow_head, slow_body, slow_chunks, half_close, unread_file, unread_pages, http2_bodies)
}


@contextmanager
def attacking(kind: str, port: int, host: str, *, clients: int, seconds: float) -> Iterator[None]:
    """For the time of the block, or so many seconds, from another process."""
    arguments = [kind, str(port), host, str(clients), str(seconds)]
    process = subprocess.Popen([sys.executable, "-m", "tests.support.hostile", *arguments], stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _hpack(host: str) -> bytes:
    """POST to the sign-in page, each field as a literal without indexing (RFC 7541, 6.2.2)."""
    fields = {":method": "POST", ":scheme": "http", ":path": "/sign-in/", ":authority": host, "content-length": "1000"}
    pairs = [(name.encode(), value.encode()) for name, value in fields.items()]
    return b"".join(b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value for name, value in pairs)


async def _attack(kind: str, port: int, host: str, clients: int, seconds: float) -> int:
    crowd = [Client(port, host, time.monotonic() + seconds) for _ in range(clients)]
    await asyncio.gather(*(client.come_back(KINDS[kind]) for client in crowd))
    return sum(client.connections for client in crowd)


if __name__ == "__main__":
    kind, port, host, clients, seconds = sys.argv[1:]
    made = asyncio.run(_attack(kind, int(port), host, int(clients), float(seconds)))
    print(json.dumps({"kind": kind, "connections": made}))
