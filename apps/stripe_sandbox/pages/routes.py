"""Which page answers which address."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from apps.stripe_sandbox.core.errors import ApiError
from apps.stripe_sandbox.core.messages import Request, Response
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.store import Store
from apps.stripe_sandbox.pages import authentication, checkout, invoice, overview, portal
from apps.stripe_sandbox.pages.layout import STYLE, message

View: TypeAlias = Callable[..., Response]
log = logging.getLogger("stripe_sandbox")


@dataclass(frozen=True)
class Visit:
    """One request of a browser."""

    session: Session
    query: dict[str, str]
    form: dict[str, str]


TABLE: list[tuple[str, str, View]] = [
    ("GET", r"/c/pay/(\w+)", checkout.show),
    ("POST", r"/c/pay/(\w+)", checkout.submit),
    ("POST", r"/c/pay/(\w+)/code", checkout.apply_code),
    ("GET", r"/authenticate/(\w+)", authentication.show),
    ("POST", r"/authenticate/(\w+)", authentication.submit),
    ("GET", r"/i/(\w+)", invoice.show),
    ("POST", r"/i/(\w+)", invoice.pay),
    ("GET", r"/i/(\w+)/pdf", invoice.pdf),
    ("GET", r"/receipts/(\w+)", invoice.receipt),
    ("GET", r"/p/session/(\w+)", portal.show),
    ("GET", r"/p/session/(\w+)/flow", portal.show_flow),
    ("GET", r"/p/session/(\w+)/(card|cancel|plan)(?:/(\w+))?", portal.show_form),
    ("POST", r"/p/session/(\w+)/card", portal.change_card),
    ("POST", r"/p/session/(\w+)/details", portal.change_details),
    ("POST", r"/p/session/(\w+)/plan/(\w+)", portal.change_plan),
    ("POST", r"/p/session/(\w+)/cancel/(\w+)", portal.cancel),
    ("POST", r"/p/session/(\w+)/renew/(\w+)", portal.renew),
    ("GET", r"/", overview.show),
    ("GET", r"/objects/([\w.]+)", overview.show_type),
    ("GET", r"/object/(\w+)", overview.show_object),
    ("GET", r"/deliveries", overview.show_deliveries),
    ("GET", r"/clocks", overview.show_clocks),
    ("POST", r"/clocks/(\w+)", overview.advance_clock),
]


AGAIN: dict[View, View] = {
    checkout.submit: checkout.show_again,
    checkout.apply_code: checkout.show_again,
    invoice.pay: invoice.show_again,
    portal.change_card: portal.card_again,
    portal.change_plan: portal.plan_again,
}
"""Which page shows the refusal of a form."""


class Pages:
    def __init__(self, store: Store) -> None:
        self.store = store

    def answer(self, request: Request) -> Response:
        """The page for a request; what a refused card leaves behind remains, as with the API."""
        if request.path == "/_style.css":
            return Response(200, STYLE, {"Cache-Control": "max-age=60"}, "text/css")
        for method, pattern, view in TABLE:
            match = re.fullmatch(pattern, request.path)
            if match and method == request.method:
                return self._show(view, request, list(match.groups()))
        return message("Not found", "There is no such page.", status=404)

    def _show(self, view: View, request: Request, ids: list[Any]) -> Response:
        form = {name: value.strip() for name, value in parse_qsl(request.body, keep_blank_values=True)}
        query = dict(parse_qsl(request.query))
        try:
            with self.store.transaction() as session:
                return view(Visit(session, query, form), *ids)
        except ApiError as error:
            with self.store.transaction() as session:
                again = AGAIN.get(view)
                if again and error.status != 404:
                    return again(Visit(session, query, form), str(error), *ids)
            return message("That did not work", str(error), status=error.status)
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            return message("The sandbox failed", "Its log has the reason.", status=500)
