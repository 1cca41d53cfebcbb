"""The HTTP server: API under /v1, control under /_sandbox, pages for browsers."""

from __future__ import annotations

import json
import logging
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from apps.stripe_sandbox import registry
from apps.stripe_sandbox.control import Control
from apps.stripe_sandbox.core import clock
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.messages import Request, Response
from apps.stripe_sandbox.core.store import Store
from apps.stripe_sandbox.core.webhooks import Postman
from apps.stripe_sandbox.gateway import Api
from apps.stripe_sandbox.pages.routes import Pages

HOST = "127.0.0.1"
LARGEST_BODY = 1_000_000
NAMES = ("127.0.0.1", "localhost")
log = logging.getLogger("stripe_sandbox")


class Sandbox:
    """Everything that runs: storage, time, deliveries, HTTP."""

    def __init__(self, data: Path | str, port: int = 0) -> None:
        self.store = Store(data)
        self._server = _Server((HOST, port), _Handler)
        self._server.sandbox = self
        self.url = f"http://{HOST}:{self._server.server_port}"
        with self.store.transaction() as session:
            session.set_setting("url", self.url)
            registry.set_up(session)
        self.timekeeper = clock.Timekeeper(self.store, emit)
        self.postman = Postman(self.store)
        self.api = Api(self.store)
        self.control = Control(self.store, self.timekeeper, self.postman, self.url)
        self.pages = Pages(self.store)

    def serve(self) -> None:
        """Until `stop`, or for ever."""
        self.timekeeper.start()
        self.postman.start()
        self._server.serve_forever(poll_interval=0.1)

    def stop(self) -> None:
        self._server.shutdown()
        self.close()

    def close(self) -> None:
        self._server.server_close()
        self.timekeeper.stop()
        self.postman.stop()
        self.store.close()

    def answer(self, request: Request) -> Response:
        refusal = reason_to_refuse(request)
        if refusal:
            return Response(403, json.dumps({"error": {"message": refusal, "type": "invalid_request_error"}}).encode())
        if request.path.startswith("/v1/") or request.path.startswith("/v2/"):
            response = self.api.answer(request)
        elif request.path.startswith("/_sandbox"):
            response = self.control.answer(request)
        else:
            response = self.pages.answer(request)
        if request.method != "GET":
            self.postman.wake.set()
            self.timekeeper.wake.set()
        return response


def reason_to_refuse(request: Request) -> str | None:
    """Why it is not a request of this machine: another site's page sent it, by a name of its own for this address
    or by a form."""
    host = request.headers.get("host", "")
    if host.partition(":")[0].lower() not in NAMES:
        return f"The sandbox is called {' or '.join(NAMES)} only."
    origin = request.headers.get("origin")
    if request.method != "GET" and origin is not None and origin.lower() != f"http://{host.lower()}":
        return "The sandbox takes no requests from other sites' pages."
    return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    sandbox: Sandbox


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "stripe-sandbox"
    wbufsize = 64 * 1024  # One packet per answer: headers and body apart would wait for each other's acknowledgment.
    disable_nagle_algorithm = True
    server: _Server

    def _handle(self) -> None:
        given = self.headers.get("Content-Length") or "0"
        if not (given.isascii() and given.isdigit()) or "Transfer-Encoding" in self.headers:
            self.send_error(400)
            return
        length = int(given)
        if length > LARGEST_BODY:
            self.send_error(413)
            return
        target = urlsplit(self.path)
        request = Request(
            self.command,
            target.path,
            target.query,
            self.rfile.read(length).decode(errors="replace"),
            {name.lower(): value for name, value in self.headers.items()},
        )
        response = self.server.sandbox.answer(request)
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.body)
        self.wfile.flush()

    do_GET = do_POST = do_DELETE = _handle  # noqa: N815 - the names that the base class looks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        log.debug(format, *args)
