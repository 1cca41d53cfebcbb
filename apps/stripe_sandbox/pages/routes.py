"""Pages."""

from __future__ import annotations
from apps.stripe_sandbox.api import Request, Response
from apps.stripe_sandbox.core.store import Store


class Pages:
    def __init__(self, store: Store) -> None:
        self.store = store

    def answer(self, request: Request) -> Response:
        return Response(404, b"Not found", content_type="text/plain")
