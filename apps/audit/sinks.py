"""Sinks outside that are sent a copy of every event, so that no one person holds all copies.

Knows neither models nor settings: the settings parse AUDIT_SINKS with it when they are loaded.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import http.client
import json
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from .errors import EventRefused, SinkUnavailable

TIMEOUT_SECONDS = 10
SYSLOG_PORT = 514
AUDIT_NOTICE = 13 * 8 + 5  # RFC 5424: facility "log audit", severity "notice"
MAX_DATAGRAM = 65_000
REFUSALS = (400, 413, 415, 422)  # repeating the same body will not help
FORMS = "file:///path, syslog://host:port, syslog+tcp://host:port, http://… or https://…"

Document = Mapping[str, Any]


class Sink(Protocol):
    @property
    def name(self) -> str:
        """The same as long as the sink is the same; says no secret."""

    def deliver(self, document: Document) -> None:
        """Hand over one event. Raises SinkUnavailable (try again) or EventRefused (do not)."""


@dataclass(frozen=True)
class FileSink:
    """JSON lines at the end of a file; each event is one write, so processes do not mix theirs."""

    name: str
    path: Path

    def deliver(self, document: Document) -> None:
        line = json.dumps(document).encode() + b"\n"
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                written = os.write(descriptor, line)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise SinkUnavailable(f"{self.name}: {error.strerror}") from error
        if written < len(line):
            raise SinkUnavailable(f"{self.name}: only {written} of {len(line)} bytes were written")


@dataclass(frozen=True)
class SyslogSink:
    """RFC 5424 over UDP (RFC 5426), or over TCP with octet counting (RFC 6587)."""

    name: str
    host: str
    port: int
    tcp: bool

    def deliver(self, document: Document) -> None:
        message = syslog_message(document)
        if not self.tcp and len(message) > MAX_DATAGRAM:
            raise EventRefused(f"{self.name}: {len(message)} bytes do not fit into a datagram; use syslog+tcp")
        try:
            if self.tcp:
                with socket.create_connection((self.host, self.port), TIMEOUT_SECONDS) as stream:
                    stream.sendall(b"%d " % len(message) + message)
            else:
                family, kind, protocol, _, address = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM)[0]
                with socket.socket(family, kind, protocol) as datagrams:
                    datagrams.sendto(message, address)
        except OSError as error:
            if error.errno == errno.EMSGSIZE:
                raise EventRefused(f"{self.name}: {error}") from error
            raise SinkUnavailable(f"{self.name}: {error}") from error


@dataclass(frozen=True)
class HttpSink:
    """A POST of JSON; the event's id as Idempotency-Key lets the receiver drop repetitions."""

    name: str
    secure: bool
    host: str
    port: int | None
    path: str = field(repr=False)
    authorization: str = field(repr=False)

    def deliver(self, document: Document) -> None:
        kind = http.client.HTTPSConnection if self.secure else http.client.HTTPConnection
        connection = kind(self.host, self.port, timeout=TIMEOUT_SECONDS)
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(document["id"])}
        if self.authorization:
            headers["Authorization"] = self.authorization
        try:
            connection.request("POST", self.path, json.dumps(document).encode(), headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            raise SinkUnavailable(f"{self.name}: {type(error).__name__}: {error}") from error
        finally:
            connection.close()
        if status in REFUSALS:
            raise EventRefused(f"{self.name}: answered {status}")
        if not 200 <= status < 300:
            raise SinkUnavailable(f"{self.name}: answered {status}")


def parse_sinks(urls: Iterable[str]) -> tuple[Sink, ...]:
    """The sinks of AUDIT_SINKS. Raises ValueError, without the address, which may hold a secret."""
    sinks: dict[str, Sink] = {}
    for number, url in enumerate(urls, start=1):
        try:
            sink = _Address(urlsplit(url.strip())).sink()
        except ValueError as error:
            raise ValueError(f"AUDIT_SINKS: entry {number} must be one of {FORMS}: {error}") from None
        if sink.name in sinks:
            raise ValueError(f"AUDIT_SINKS: entry {number} leads to the same sink as another")
        sinks[sink.name] = sink
    return tuple(sinks.values())


def syslog_message(document: Document) -> bytes:
    """RFC 5424; the message id is the event's, by which a repetition is known."""
    time = str(document["occurred_at"]).replace("+00:00", "Z")
    host = socket.gethostname().encode("ascii", "ignore").decode()[:255] or "-"
    message_id = str(document["id"]).replace("-", "")
    return f"<{AUDIT_NOTICE}>1 {time} {host} tenantry {os.getpid()} {message_id} - {json.dumps(document)}".encode()


@dataclass(frozen=True)
class _Address:
    """One URL; the messages of its errors repeat nothing of it."""

    url: SplitResult

    def sink(self) -> Sink:
        scheme = self.url.scheme
        if scheme == "file":
            return self._file()
        if scheme not in ("syslog", "syslog+tcp", "http", "https"):
            raise ValueError("the scheme is unknown")
        if not self.url.hostname:
            raise ValueError("the host is missing")
        return self._http() if scheme.startswith("http") else self._syslog()

    def _file(self) -> FileSink:
        path = Path(unquote(self.url.path))
        if self.url.netloc not in ("", "localhost") or not path.is_absolute() or path.is_dir():
            raise ValueError("the path must be that of a file, and absolute")
        return FileSink(self.name, path)

    def _syslog(self) -> SyslogSink:
        if self.url.username or self.url.path.strip("/") or self.url.query:
            raise ValueError("syslog takes a host and a port only")
        return SyslogSink(self.name, self._host, self._port or SYSLOG_PORT, tcp=self.url.scheme == "syslog+tcp")

    def _http(self) -> HttpSink:
        path = (self.url.path or "/") + (f"?{self.url.query}" if self.url.query else "")
        if not path.isascii() or not path.isprintable() or " " in path:
            raise ValueError("the path must be percent-encoded")
        authorization = ""
        if self.url.username is not None:
            credentials = f"{unquote(self.url.username)}:{unquote(self.url.password or '')}"
            authorization = "Basic " + base64.b64encode(credentials.encode()).decode()
        return HttpSink(self.name, self.url.scheme == "https", self._host, self._port, path, authorization)

    @property
    def _host(self) -> str:
        return self.url.hostname or ""

    @property
    def _port(self) -> int | None:
        try:
            return self.url.port
        except ValueError:
            raise ValueError("the port is no number up to 65535") from None

    @cached_property
    def name(self) -> str:
        """Changed credentials or tokens leave it as it is, so that waiting events still find their sink."""
        address = f"{self.url.scheme}://{self.url.hostname or ''}:{self._port or ''}{self.url.path}"
        return f"{self.url.scheme}-{hashlib.sha256(address.encode()).hexdigest()[:12]}"
