"""What the operating system does for us: it ends the connections of those who do not take their answers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from .limits import UNREAD_SECONDS

DESCRIPTORS = Path("/proc/self/fd")
AGAIN_SECONDS = 0.1


def end_unread_connections(loop: asyncio.AbstractEventLoop) -> None:
    """Set TCP_USER_TIMEOUT (RFC 5482) on the listening socket, from which accepted ones have it.

    A worker of Granian listens on a socket of its own, some time after its application was started. Other systems than
    Linux have no such option; there, who takes nothing keeps a connection, though no thread.
    """
    if sys.platform != "linux":
        return
    listening = list(_listening())
    for one in listening:
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNREAD_SECONDS * 1000))
        one.close()
    if not listening:
        loop.call_later(AGAIN_SECONDS, end_unread_connections, loop)


def _listening() -> Iterator[socket.socket]:
    for entry in DESCRIPTORS.iterdir():
        with contextlib.suppress(OSError):  # it was closed meanwhile, or is no socket
            one = socket.socket(fileno=os.dup(int(entry.name)))
            if one.type == socket.SOCK_STREAM and one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                yield one
            else:
                one.close()
