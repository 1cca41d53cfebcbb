"""A request as it came, and what is answered."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from granian.rsgi import HTTPProtocol, ProtocolClosed, Scope

Headers = list[tuple[str, str]]
Environ = dict[str, Any]
Body = bytes | IO[bytes]

SAME_OF_ALL: Environ = {
    "SCRIPT_NAME": "",
    "SERVER_SOFTWARE": "Granian",
    "wsgi.errors": sys.stderr,
    "wsgi.version": (1, 0),
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
    "wsgi.input_terminated": True,
}
FRAMING = ("HTTP_CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING")
EMPTY_STATUS = frozenset({204, 304})


@dataclass(frozen=True)
class Answer:
    """What goes to a client. A ``Path`` is that of a file of which somebody else takes care."""

    status: int
    headers: Headers = field(default_factory=list)
    content: bytes | Path = b""


def send(answer: Answer, method: str, protocol: HTTPProtocol) -> None:
    """Hand an answer to Granian, from any thread; whoever has gone misses nothing."""
    with contextlib.suppress(ProtocolClosed, RuntimeError):
        if method == "HEAD" or answer.status in EMPTY_STATUS:
            protocol.response_empty(answer.status, answer.headers)
        elif isinstance(answer.content, bytes):
            protocol.response_bytes(answer.status, answer.headers, answer.content)
        else:
            protocol.response_file(answer.status, answer.headers, str(answer.content))


def environ_of(scope: Scope) -> Environ:
    """The environ of PEP 3333, still without a body.

    A header with an underscore in its name is left out: it would pass for the one with a hyphen.
    """
    environ = {
        **SAME_OF_ALL,
        "REQUEST_METHOD": scope.method,
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string.encode().decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "wsgi.url_scheme": scope.scheme,
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
    }
    environ["SERVER_NAME"], _, environ["SERVER_PORT"] = scope.server.rpartition(":")
    for name, value in scope.headers.items():
        if "_" in name:
            continue
        key = "HTTP_" + name.upper().replace("-", "_")
        if key in environ:
            environ[key] += ("; " if key == "HTTP_COOKIE" else ",") + value
        else:
            environ[key] = value
    environ["HTTP_HOST"] = scope.authority or environ.get("HTTP_HOST", "")  # RFC 9112, section 3.2.2
    environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE", "")
    for key in FRAMING:  # whatever was announced, what counts is what came
        environ.pop(key, None)
    return environ


def with_body(environ: Environ, body: Body) -> Environ:
    """The environ of a request that is here whole."""
    size = len(body) if isinstance(body, bytes) else os.fstat(body.fileno()).st_size
    source = BytesIO(body) if isinstance(body, bytes) else body
    return {**environ, "CONTENT_LENGTH": str(size), "wsgi.input": source}


def close(thing: Any) -> None:
    """Close what can be closed."""
    if hasattr(thing, "close"):
        thing.close()
