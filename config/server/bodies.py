"""Receiving the body of a request, with deadlines, and no more of it than the application agrees to read."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from granian.rsgi import Headers as GivenHeaders
from granian.rsgi import HTTPProtocol, ProtocolClosed

from .limits import BYTES_PER_SECOND, GRACE_SECONDS, IDLE_SECONDS, MEMORY, PIECE, RECEIVING, SPOOL
from .messages import Body
from .refusals import CUT_SHORT, NO_ROOM, TOO_LONG, TOO_MANY, TOO_SLOW, Refused

Asking = Callable[[int | None], Awaitable[int]]
"""Asks the application whether a body of this length, if it is announced, may come: how long it may be, or Refused."""


class Receiver:
    """Receives the bodies of one process; those that are long go to files without a name in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._spooled = 0
        self._receiving: Counter[str] = Counter()

    async def receive(self, headers: GivenHeaders, protocol: HTTPProtocol, network: str, ask: Asking) -> Body:
        """The whole body: bytes, or a file at its beginning.

        Raises Refused if it is cut short, too slow, longer than agreed, one of too many from this network, or if
        there is no room for it.
        """
        if "content-length" not in headers and "transfer-encoding" not in headers:
            return b""
        announced = _announced(headers)
        if announced == 0:
            return b""
        with self._counted(network):
            body = _Body(self._folder, self._make_room)
            try:
                await self._read(body, announced, protocol, ask)
            except BaseException:
                body.close()
                self._spooled -= body.in_file
                raise
        return body.whole()

    def release(self, body: Body) -> None:
        """Say that nobody needs a body any more."""
        if not isinstance(body, bytes):
            body.seek(0, 2)
            self._spooled -= body.tell()
            body.close()

    async def _read(self, body: _Body, announced: int | None, protocol: HTTPProtocol, ask: Asking) -> None:
        loop = asyncio.get_running_loop()
        agreed = await ask(announced) if (announced or 0) > MEMORY else None
        began, ends = loop.time(), 0
        try:
            async with asyncio.timeout_at(began + IDLE_SECONDS) as limit:
                async for piece in protocol:
                    ends += not piece
                    body.add(piece)
                    if body.size > MEMORY and agreed is None:
                        limit.reschedule(None)
                        agreed = await ask(announced)
                        began = loop.time() - body.size / BYTES_PER_SECOND
                    if body.size > (MEMORY if agreed is None else agreed):
                        raise Refused(TOO_LONG)
                    slowest = began + GRACE_SECONDS + body.size / BYTES_PER_SECOND
                    limit.reschedule(min(loop.time() + IDLE_SECONDS, slowest))
        except TimeoutError:
            raise Refused(TOO_SLOW) from None
        except (ProtocolClosed, RuntimeError):
            raise Refused(CUT_SHORT) from None
        # Granian gives an empty piece for the end and, before it, one for each error, as of a body that was cut short.
        if ends > 1 or (announced is not None and announced != body.size):
            raise Refused(CUT_SHORT)

    def _make_room(self, more: int) -> None:
        if self._spooled + more > SPOOL:
            raise Refused(NO_ROOM)
        self._spooled += more

    @contextmanager
    def _counted(self, network: str) -> Iterator[None]:
        if self._receiving[network] >= RECEIVING:
            raise Refused(TOO_MANY)
        self._receiving[network] += 1
        try:
            yield
        finally:
            self._receiving[network] -= 1
            if not self._receiving[network]:
                del self._receiving[network]


class _Body:
    """A body on its way: in memory first, in a file once it is long."""

    def __init__(self, folder: Path, make_room: Callable[[int], None]) -> None:
        self._folder, self._make_room = folder, make_room
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self.size = self.in_file = 0

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size <= MEMORY:
            self._memory += piece
            return
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder, buffering=PIECE)  # noqa: SIM115 - see close
            self._file.write(self._memory)
            self._memory.clear()
        self._make_room(self.size - self.in_file)
        self.in_file = self.size
        self._file.write(piece)

    def whole(self) -> Body:
        if self._file is None:
            return bytes(self._memory)
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def _announced(headers: GivenHeaders) -> int | None:
    """The length that the client announces; with transfer codings it does not count (RFC 9112, section 6.3)."""
    length = str(headers.get("content-length", ""))
    return int(length) if length.isdigit() and "transfer-encoding" not in headers else None
