"""Stands for the page of the customer's bank (3-D Secure)."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from apps.stripe_sandbox.core.errors import missing
from apps.stripe_sandbox.core.messages import Response
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc
from apps.stripe_sandbox.objects import payment_intents, setup_intents
from apps.stripe_sandbox.pages.layout import message, page, redirect
from apps.stripe_sandbox.pages.markup import html

if TYPE_CHECKING:
    from apps.stripe_sandbox.pages.routes import Visit


def _intent(session: Session, id_: str, secret: str) -> Doc:
    intent = session.get(id_)
    if intent is None or not hmac.compare_digest(intent.get("client_secret", "").encode(), secret.encode()):
        raise missing("payment", id_)
    return intent


def show(visit: Visit, id_: str) -> Response:
    intent = _intent(visit.session, id_, visit.query.get("secret", ""))
    if intent["status"] != "requires_action":
        return message("Nothing to confirm", "This payment does not wait for you.")
    body = html(
        "<section class=card><h1>Your bank asks</h1><p>Did you start this? A real bank would ask for a code now.</p>"
        '<form method=post><input type=hidden name=secret value="{secret}"><div class=actions><button name=answer '
        "value=yes>Complete</button><button class=danger name=answer value=no>Fail</button></div></form></section>",
        secret=intent["client_secret"],
    )
    return page("Your bank · Sandbox", body)


def submit(visit: Visit, id_: str) -> Response:
    session = visit.session
    intent = _intent(session, id_, visit.form.get("secret", ""))
    if intent["status"] != "requires_action":
        return message("Nothing to confirm", "This payment does not wait for you.")
    success = visit.form.get("answer") == "yes"
    module = payment_intents if intent["object"] == "payment_intent" else setup_intents
    module.authenticate(session, intent, success=success)
    back = intent.get("_return_url")
    if not back:
        return message("Thank you" if success else "Not confirmed", "You can close this page.")
    mark = urlencode(
        {
            intent["object"]: id_,
            f"{intent['object']}_client_secret": intent["client_secret"],
            "redirect_status": "succeeded" if intent["status"] == "succeeded" else "failed",
        }
    )
    return redirect(f"{back}{'&' if '?' in back else '?'}{mark}")
