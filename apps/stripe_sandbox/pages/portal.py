"""The customer portal: card, plan, cancellation, invoices, name and e-mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from apps.stripe_sandbox.core.errors import ApiError, CardError, missing
from apps.stripe_sandbox.core.events import emit
from apps.stripe_sandbox.core.messages import Response
from apps.stripe_sandbox.core.money import every, shown
from apps.stripe_sandbox.core.routes import Call
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc
from apps.stripe_sandbox.objects import customers, payment_methods, setup_intents
from apps.stripe_sandbox.pages.checkout import card_fields, card_of
from apps.stripe_sandbox.pages.invoice import day
from apps.stripe_sandbox.pages.layout import alert, field, page, redirect
from apps.stripe_sandbox.pages.markup import Markup, html, join, options, table
from apps.stripe_sandbox.subscriptions import changes, ending

if TYPE_CHECKING:
    from apps.stripe_sandbox.pages.routes import Visit

RUNNING = ("active", "trialing", "past_due", "paused", "unpaid")
LIFETIME = 3600
REASONS = {
    "too_expensive": "It is too expensive",
    "missing_features": "It lacks something I need",
    "switched_service": "I use something else now",
    "unused": "I do not use it",
    "customer_service": "The service was not good",
    "too_complex": "It is too complicated",
    "low_quality": "The quality was not good",
    "other": "Another reason",
}


class Opened:
    """A portal session, with what it may do and for whom."""

    def __init__(self, session: Session, id_: str) -> None:
        portal = session.get(id_)
        if portal is None or portal["object"] != "billing_portal.session":
            raise missing("portal session", id_)
        if portal["created"] + LIFETIME < session.time and not portal["flow"]:
            raise ApiError("This portal session has expired.", status=410)
        self.session = session
        self.portal = portal
        self.customer = session.need("customer", portal["customer"])
        self.features: Doc = session.need("billing_portal.configuration", portal["configuration"])["features"]
        self.url = f"/p/session/{id_}"

    def require(self, feature: str) -> Doc:
        """The settings of a feature that the configuration allows; a form for another one is refused."""
        if not self.features[feature]["enabled"]:
            raise ApiError("The portal's configuration does not allow that.", status=403)
        settings: Doc = self.features[feature]
        return settings

    def subscription(self, id_: str) -> Doc:
        found = self.session.need("subscription", id_)
        if found["customer"] != self.customer["id"]:
            raise missing("subscription", id_)
        return found

    def done(self) -> Response:
        """Back to the portal, or where the flow leads."""
        after = (self.portal["flow"] or {}).get("after_completion") or {}
        return redirect(after["redirect"]["return_url"] if after.get("redirect") else self.url)


def show(visit: Visit, id_: str) -> Response:
    opened = Opened(visit.session, id_)
    parts = [_subscriptions(opened), _cards(opened), _details(opened), _invoices(opened)]
    back = (
        html('<p><a href="{url}">← Return to Sandbox</a></p>', url=opened.portal["return_url"])
        if opened.portal["return_url"]
        else None
    )
    return page("Billing · Sandbox", join([back, html("<h1>Your billing</h1>"), *parts]))


def show_flow(visit: Visit, id_: str) -> Response:
    flow = Opened(visit.session, id_).portal["flow"]
    if not flow:
        return show(visit, id_)
    kind = flow["type"]
    target = {"payment_method_update": "card", "subscription_cancel": "cancel", "subscription_update": "plan"}[kind]
    return show_form(visit, id_, target, (flow[kind] or {}).get("subscription") if kind in flow else None)


def _subscriptions(opened: Opened) -> Markup:
    found = opened.session.find("subscription", "customer = ?", opened.customer["id"])
    cards = [_subscription(opened, subscription) for subscription in found if subscription["status"] in RUNNING]
    nothing = html("<section class=card><h2>Plan</h2><p class=muted>There is no subscription.</p></section>")
    return join(cards) or nothing


def _subscription(opened: Opened, subscription: Doc) -> Markup:
    items = subscription["items"]["data"]
    end = items[0]["current_period_end"]
    ends = subscription["cancel_at"]
    buttons = []
    if opened.features["subscription_update"]["enabled"] and not ends:
        buttons.append(
            html('<a class=button href="{url}/plan/{id}">Change plan</a>', url=opened.url, id=subscription["id"])
        )
    if opened.features["subscription_cancel"]["enabled"]:
        if ends:
            buttons.append(
                html(
                    '<form method=post action="{url}/renew/{id}"><button>Keep the plan</button></form>',
                    url=opened.url,
                    id=subscription["id"],
                )
            )
        else:
            buttons.append(
                html(
                    '<a class="button quiet" href="{url}/cancel/{id}">Cancel plan</a>',
                    url=opened.url,
                    id=subscription["id"],
                )
            )
    return html(
        "<section class=card><h2>{names}</h2><p><span class=state>{status}</span></p><p class=muted>{when}</p><div "
        "class=actions>{buttons}</div></section>",
        names=", ".join(
            f"{item['price'].get('_product_name') or item['price']['product']} ({_price(item['price'])})"
            for item in items
        ),
        status=subscription["status"].replace("_", " "),
        when=f"Ends on {day(ends)}" if ends else f"Renews on {day(end)}",
        buttons=join(buttons),
    )


def _price(price: Doc) -> str:
    amount = "by tier" if price["unit_amount"] is None else shown(price["unit_amount"], price["currency"])
    return f"{amount} per {every(price['recurring'])}"


def _cards(opened: Opened) -> Markup:
    default = opened.customer["invoice_settings"]["default_payment_method"]
    used = {
        subscription["default_payment_method"]
        for subscription in opened.session.find("subscription", "customer = ?", opened.customer["id"])
    }
    rows = [
        (
            f"{method['card']['brand'].title()} •••• {method['card']['last4']}",
            f"{method['card']['exp_month']:02d} / {method['card']['exp_year']}",
            "default" if method["id"] in {default, *used} else "",
        )
        for method in opened.session.find("payment_method", "customer = ?", opened.customer["id"])
    ]
    button = (
        html('<div class=actions><a class="button quiet" href="{url}/card">Change card</a></div>', url=opened.url)
        if opened.features["payment_method_update"]["enabled"]
        else None
    )
    return html(
        "<section class=card><h2>Card</h2>{rows}{button}</section>",
        rows=table(("Card", "Expires", ""), rows, "Cards"),
        button=button,
    )


def _details(opened: Opened) -> Markup | None:
    settings = opened.features["customer_update"]
    if not settings["enabled"] or not settings["allowed_updates"]:
        return None
    inputs = join(
        field({"email": "E-mail", "name": "Name"}[name], name, opened.customer[name] or "", required="")
        for name in settings["allowed_updates"]
    )
    return html(
        "<section class=card><h2>Details</h2><form method=post "
        'action="{url}/details">{inputs}<button>Save</button></form></section>',
        url=opened.url,
        inputs=inputs,
    )


def _invoices(opened: Opened) -> Markup | None:
    if not opened.features["invoice_history"]["enabled"]:
        return None
    found = opened.session.find(
        "invoice", "customer = ? AND body ->> '$.status' != 'draft'", opened.customer["id"], order="seq DESC", limit=24
    )
    rows = [
        (
            day(invoice["created"]),
            html('<a href="/i/{id}">{number}</a>', id=invoice["id"], number=invoice["number"]),
            shown(invoice["total"], invoice["currency"]),
            invoice["status"],
        )
        for invoice in found
    ]
    return html(
        "<section class=card><h2>Invoices</h2>{rows}</section>",
        rows=table(("Date", "Number", "Total", "Status"), rows, "Invoices"),
    )


# -- forms


def show_form(visit: Visit, id_: str, kind: str, subscription_id: str | None, error: str | None = None) -> Response:
    opened = Opened(visit.session, id_)
    forms = {"card": _card_form, "cancel": _cancel_form, "plan": _plan_form}
    body = forms[kind](opened, subscription_id, error)
    back = html('<p><a href="{url}">← Back</a></p>', url=opened.url)
    return page("Billing · Sandbox", join([back, body]))


def _card_form(opened: Opened, subscription_id: str | None, error: str | None) -> Markup:
    opened.require("payment_method_update")
    return html(
        '<section class=card><h1>Change card</h1>{alert}<form method=post action="{url}/card">{card}<button>Save '
        'card</button></form></section>',
        alert=alert(error), url=opened.url, card=card_fields({}),
    )  # fmt: skip


def change_card(visit: Visit, id_: str) -> Response:
    opened = Opened(visit.session, id_)
    opened.require("payment_method_update")
    session, customer = visit.session, opened.customer
    method = payment_methods.from_data(
        session,
        {"card": card_of(visit.form), "billing_details": {"name": visit.form.get("name"), "email": customer["email"]}},
    )
    intent = setup_intents.add(session, customer, "off_session", _portal=True)
    emit(session, "setup_intent.created", intent)
    outcome = setup_intents.attempt(session, intent, method, return_url=f"{session.setting('url')}{opened.url}")
    if isinstance(outcome, CardError):
        raise outcome
    return redirect(intent["next_action"]["redirect_to_url"]["url"]) if outcome == "requires_action" else opened.done()


def _card_saved(session: Session, intent: Doc) -> None:
    """The new card becomes the default, everywhere."""
    if not intent.get("_portal"):
        return
    customer = session.need("customer", intent["customer"])
    customer["invoice_settings"]["default_payment_method"] = intent["payment_method"]
    emit(session, "customer.updated", customer)
    for subscription in session.find("subscription", "customer = ?", customer["id"]):
        if subscription["default_payment_method"] and subscription["status"] in RUNNING:
            subscription["default_payment_method"] = intent["payment_method"]
            emit(session, "customer.subscription.updated", subscription)


setup_intents.WHEN_SET_UP.append(_card_saved)


def change_details(visit: Visit, id_: str) -> Response:
    opened = Opened(visit.session, id_)
    allowed = opened.require("customer_update")["allowed_updates"]
    given = {name: visit.form[name] for name in allowed if visit.form.get(name)}
    customers.update(Call(visit.session, given), opened.customer["id"])
    return opened.done()


def _cancel_form(opened: Opened, subscription_id: str | None, error: str | None) -> Markup:
    settings = opened.require("subscription_cancel")
    subscription = opened.subscription(subscription_id or "")
    end = day(subscription["items"]["data"][0]["current_period_end"])
    reasons = None
    if settings["cancellation_reason"]["enabled"]:
        choices = [
            ("", "No answer"),
            *((reason, REASONS[reason]) for reason in settings["cancellation_reason"]["options"]),
        ]
        reasons = html(
            "<label class=field><span>Why do you cancel?</span><select "
            "name=feedback>{choices}</select></label>{comment}",
            choices=options(choices),
            comment=field("Anything else?", "comment"),
        )
    when = f"Your plan stays until {end}." if settings["mode"] == "at_period_end" else "Your plan ends at once."
    return html(
        '<section class=card><h1>Cancel plan</h1>{alert}<p>{when}</p><form method=post '
        'action="{url}/cancel/{id}">{reasons}<button class=danger>Cancel plan</button></form></section>',
        alert=alert(error), when=when, url=opened.url, id=subscription["id"], reasons=reasons,
    )  # fmt: skip


def cancel(visit: Visit, id_: str, subscription_id: str) -> Response:
    opened = Opened(visit.session, id_)
    settings = opened.require("subscription_cancel")
    subscription = opened.subscription(subscription_id)
    answers = {name: visit.form[name] for name in ("feedback", "comment") if visit.form.get(name)}
    if answers.get("feedback") not in (None, *settings["cancellation_reason"]["options"]):
        raise ApiError("Choose one of the reasons.")
    if settings["mode"] == "at_period_end":
        changes.update(visit.session, subscription, {"cancel_at_period_end": True, "cancellation_details": answers})
    else:
        subscription["cancellation_details"].update(answers)
        prorate = settings["proration_behavior"] != "none"
        now = settings["proration_behavior"] == "always_invoice"
        ending.end(
            visit.session,
            subscription,
            visit.session.now(subscription),
            "cancellation_requested",
            prorate=prorate,
            invoice_now=now,
        )
    return opened.done()


def renew(visit: Visit, id_: str, subscription_id: str) -> Response:
    opened = Opened(visit.session, id_)
    opened.require("subscription_cancel")
    changes.update(visit.session, opened.subscription(subscription_id), {"cancel_at_period_end": False})
    return opened.done()


def _plan_form(opened: Opened, subscription_id: str | None, error: str | None) -> Markup:
    settings = opened.require("subscription_update")
    subscription = opened.subscription(subscription_id or "")
    item = subscription["items"]["data"][0]
    rows = [
        _plan_choice(opened.session, price, item["price"]["id"])
        for product in settings["products"] or []
        for price in product["prices"]
    ]
    quantity = (
        field("Quantity", "quantity", str(item.get("quantity") or 1), type="number", min="1")
        if "quantity" in settings["default_allowed_updates"]
        else None
    )
    return html(
        '<section class=card><h1>Change plan</h1>{alert}<form method=post '
        'action="{url}/plan/{id}"><fieldset><legend>Plan</legend>{rows}</fieldset>{quantity}'
        "<p class=muted>What the change costs for the rest of this period is worked out to the "
        "second.</p><button>Confirm</button></form></section>",
        alert=alert(error), url=opened.url, id=subscription["id"], rows=join(rows), quantity=quantity,
    )  # fmt: skip


def _plan_choice(session: Session, price_id: str, current: str) -> Markup:
    price = session.need("price", price_id)
    product = session.need("product", price["product"])
    mark = Markup(" checked" if price_id == current else "")
    return html(
        '<label class=choice><input type=radio name=price value="{id}"{mark}><span>{name}<br><span '
        'class=muted>{price}</span></span></label>',
        id=price_id, mark=mark, name=product["name"], price=_price(price),
    )  # fmt: skip


def change_plan(visit: Visit, id_: str, subscription_id: str) -> Response:
    opened = Opened(visit.session, id_)
    settings = opened.require("subscription_update")
    subscription = opened.subscription(subscription_id)
    item: dict[str, Any] = {"id": subscription["items"]["data"][0]["id"]}
    allowed = {price for product in settings["products"] or [] for price in product["prices"]}
    if visit.form.get("price"):
        if visit.form["price"] not in allowed or "price" not in settings["default_allowed_updates"]:
            raise ApiError("This plan is not among those that you can choose.")
        item["price"] = visit.form["price"]
    if visit.form.get("quantity") and "quantity" in settings["default_allowed_updates"]:
        if not visit.form["quantity"].isdigit():
            raise ApiError("The quantity is a whole number.")
        item["quantity"] = int(visit.form["quantity"])
    changes.update(
        visit.session,
        subscription,
        {
            "items": [item],
            "proration_behavior": settings["proration_behavior"],
            "payment_behavior": "error_if_incomplete",
        },
    )
    return opened.done()


def card_again(visit: Visit, error: str, id_: str) -> Response:
    return show_form(visit, id_, "card", None, error)


def plan_again(visit: Visit, error: str, id_: str, subscription_id: str) -> Response:
    return show_form(visit, id_, "plan", subscription_id, error)
