"""A webhook receiver that verifies signatures, and fails when it is told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import stripe


class Receiver:
    """What arrived, in the order in which it did."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.refused = 0
        self.fail_next = 0
        self.secret = ""
        self.lock = threading.Lock()
        self.may_answer = threading.Event()
        self.may_answer.set()

    def take(self, body: bytes, signature: str) -> int:
        with self.lock:
            if self.fail_next:
                self.fail_next -= 1
                self.refused += 1
                return 500
            try:
                stripe.Webhook.construct_event(body, signature, self.secret)
            except stripe.SignatureVerificationError:
                return 400
            self.events.append(json.loads(body))
            return 200

    def ids(self) -> set[str]:
        with self.lock:
            return {event["id"] for event in self.events}

    def of(self, object_id: str) -> list[Any]:
        with self.lock:
            return [event for event in self.events if event["data"]["object"].get("id") == object_id]


@contextmanager
def receiving(api: Any, types: list[str]) -> Iterator[Receiver]:
    """A receiver with an endpoint of its own."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = receiver.take(body, self.headers["Stripe-Signature"])
            receiver.may_answer.wait(timeout=10)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    endpoint = api.webhook_endpoints.create(
        {"url": f"http://127.0.0.1:{server.server_port}/hook", "enabled_events": types}
    )
    receiver.secret = endpoint.secret
    try:
        yield receiver
    finally:
        api.webhook_endpoints.delete(endpoint.id)
        server.shutdown()
        server.server_close()
        thread.join()
