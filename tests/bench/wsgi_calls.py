"""Calling a WSGI application in this thread, and the processor time that it takes."""

from __future__ import annotations

import io
import json
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

BATCH, BATCHES, WARM_UP = 100, 12, 60
Environ = dict[str, Any]
Application = Callable[..., Any]


def environ_of(method: str, host: str, path: str, body: Any = None, **headers: str) -> Environ:
    """What a server would hand over; headers are named as in WSGI, without HTTP_."""
    content = b"" if body is None else json.dumps(body).encode()
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SCRIPT_NAME": "",
        "SERVER_NAME": host,
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": host,
        "CONTENT_TYPE": "application/json" if content else "",
        "CONTENT_LENGTH": str(len(content)),
        "content": content,
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        **{f"HTTP_{name}": value for name, value in headers.items()},
    }


def microseconds(application: Application, environs: list[Environ], status: int) -> float:
    """The processor time of one request: the least of several batches, each request in its turn."""
    turns = cycle(environs)
    for _ in range(WARM_UP):
        _call(application, next(turns), status)
    return min(_batch(application, turns, status) for _ in range(BATCHES))


def _batch(application: Application, turns: Iterator[Environ], status: int) -> float:
    began = time.process_time()
    for _ in range(BATCH):
        _call(application, next(turns), status)
    return (time.process_time() - began) * 1e6 / BATCH


def _call(application: Application, environ: Environ, status: int) -> bytes:
    begun: list[Any] = []
    own = {**environ, "wsgi.input": io.BytesIO(environ["content"])}
    response = application(own, lambda *arguments: begun.extend(arguments))
    try:
        content = b"".join(response)
    finally:
        response.close()
    assert begun[0].startswith(str(status)), (begun[0], content[:500])
    return content
