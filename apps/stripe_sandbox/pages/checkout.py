"""The hosted checkout page."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from apps.stripe_sandbox.core.errors import ApiError
from apps.stripe_sandbox.core.messages import Response
from apps.stripe_sandbox.core.money import every, shown
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc
from apps.stripe_sandbox.objects import checkout as checkouts
from apps.stripe_sandbox.objects import checkout_completion, coupons
from apps.stripe_sandbox.objects.taxes import VAT
from apps.stripe_sandbox.pages.layout import alert, field, message, page, redirect
from apps.stripe_sandbox.pages.markup import Markup, html, join, options

if TYPE_CHECKING:
    from apps.stripe_sandbox.pages.routes import Visit

SUBMIT = {"pay": "Pay", "book": "Book", "donate": "Donate", "subscribe": "Subscribe"}
VERBS = {"payment": "Pay", "subscription": "Subscribe", "setup": "Save card"}
COUNTRIES = ["US", *sorted(VAT)]
STATES = ["", "CA", "IL", "MA", "NJ", "NY", "PA", "TX", "WA"]
EXPIRY = re.compile(r"(\d{1,2})\s*/\s*(\d{2}|\d{4})")


def show(visit: Visit, id_: str, error: str | None = None) -> Response:
    session = visit.session
    checkout = checkouts.find_open(session, id_)
    if checkout["status"] == "expired":
        return message("This checkout has expired", "Please go back and start again.", link=_way_back(checkout))
    if checkout["status"] == "complete":
        return redirect(_success(checkout))
    error = error or _last_error(session, checkout)
    customer = session.get(checkout["customer"])
    body = html(
        "<div class=split>{summary}{form}</div>",
        summary=_summary(session, checkout),
        form=_form(checkout, customer, error, visit.form),
    )
    return page(f"{VERBS[checkout['mode']]} · Sandbox", body, status=402 if error and visit.form else 200)


def _way_back(checkout: Doc) -> tuple[str, str] | None:
    return ("Back", checkout["cancel_url"]) if checkout["cancel_url"] else None


def _last_error(session: Session, checkout: Doc) -> str | None:
    """What the customer is told on coming back from the bank."""
    subscription = session.get(checkout["subscription"])
    invoice = session.get(subscription["latest_invoice"]) if subscription else None
    intent = (
        session.get((invoice or {}).get("_payment_intent"))
        or session.get(checkout["payment_intent"])
        or session.get(checkout["setup_intent"])
    )
    problem = intent and (intent.get("last_payment_error") or intent.get("last_setup_error"))
    return str(problem["message"]) if problem else None


def _summary(session: Session, checkout: Doc) -> Markup:
    if checkout["mode"] == "setup":
        return html("<section class=card><h1>Save a card</h1><p class=muted>Nothing is charged now.</p></section>")
    code = checkout["currency"]
    rows = join(
        html(
            "<li><span>{name}<br><span class=muted>{how}</span></span><span>{amount}</span></li>",
            name=item["description"],
            how=_how(item),
            amount=shown(item["amount_subtotal"], code),
        )
        for item in checkout["_items"]
    )
    details = checkout["total_details"]
    extras = join(
        html("<li><span>{label}</span><span>{amount}</span></li>", label=label, amount=shown(amount, code))
        for label, amount in (("Discount", -details["amount_discount"]), ("Tax", details["amount_tax"]))
        if amount
    )
    return html(
        "<section class=card aria-label=Summary><h1>{what}</h1><p class=total>{total}</p>{trial}<ul "
        "class=rows>{rows}{extras}<li class=sum><span>Due "
        "today</span><span>{total}</span></li></ul>{code_form}{back}</section>",
        what="Subscribe" if checkout["mode"] == "subscription" else "Pay",
        total=shown(checkout["amount_total"], code),
        trial=_trial(session, checkout),
        rows=rows,
        extras=extras,
        code_form=_code_form(checkout),
        back=html('<p><a href="{url}">← Back</a></p>', url=checkout["cancel_url"]) if checkout["cancel_url"] else None,
    )


def _how(item: Doc) -> str:
    price = item["price"]
    recurring = price["recurring"]
    quantity = f"{item['quantity']} × " if (item["quantity"] or 1) > 1 else ""
    each = "by tier" if price["unit_amount"] is None else shown(price["unit_amount"], price["currency"])
    if not recurring:
        return f"{quantity}{each}"
    return f"{quantity}{each} every {every(recurring)}"


def _trial(session: Session, checkout: Doc) -> Markup | None:
    data = checkout["_data"] if checkout["mode"] == "subscription" else {}
    end = data.get("trial_end") or (
        session.time + data["trial_period_days"] * 86_400 if data.get("trial_period_days") else None
    )
    if not end:
        return None
    return html("<p class=notice>Free until {day}</p>", day=datetime.fromtimestamp(end, UTC).strftime("%-d %B %Y"))


def _code_form(checkout: Doc) -> Markup | None:
    if not checkout["allow_promotion_codes"]:
        return None
    return html(
        '<form method=post action="/c/pay/{id}/code"><label class=field><span>Promotion code</span><input name=code '
        "required autocomplete=off></label><button class=quiet>Apply</button></form>",
        id=checkout["id"],
    )


def _form(checkout: Doc, customer: Doc | None, error: str | None, typed: dict[str, str]) -> Markup:
    email = typed.get("email") or (customer and customer["email"]) or checkout["customer_email"] or ""
    optional = checkout["payment_method_collection"] == "if_required" and checkout["amount_total"] == 0
    total = shown(checkout["amount_total"], checkout["currency"]) if checkout["mode"] == "payment" else ""
    locked = {"readonly": ""} if customer and customer["email"] else {}
    return html(
        '<section class=card aria-label="Your details"><h2>Your details</h2>{alert}<form method=post '
        'action="/c/pay/{id}">{email}{card}{address}'
        "<button class=full>{verb} {total}</button></form></section>",
        alert=alert(error), id=checkout["id"], total=total,
        verb=SUBMIT.get(checkout["submit_type"] or "", VERBS[checkout["mode"]]),
        email=field("E-mail", "email", email, type="email", required="", autocomplete="email", **locked),
        card=None if optional else card_fields(typed),
        address=_address(typed),
    )  # fmt: skip


def card_fields(typed: dict[str, str]) -> Markup:
    """What a card needs; never filled in again."""
    return join(
        [
            field(
                "Card number",
                "number",
                "",
                inputmode="numeric",
                autocomplete="cc-number",
                required="",
                placeholder="4242 4242 4242 4242",
            ),
            html(
                "<div class=pair>{expiry}{cvc}</div>",
                expiry=field(
                    "Expiry (MM / YY)",
                    "expiry",
                    "",
                    inputmode="numeric",
                    autocomplete="cc-exp",
                    required="",
                    placeholder="12 / 34",
                ),
                cvc=field(
                    "Security code",
                    "cvc",
                    "",
                    inputmode="numeric",
                    autocomplete="cc-csc",
                    required="",
                    placeholder="123",
                ),
            ),
            field("Name on card", "name", typed.get("name", ""), autocomplete="cc-name", required=""),
        ]
    )


def _address(typed: dict[str, str]) -> Markup:
    return html(
        "<div class=pair><label class=field><span>Country</span><select name=country "
        "autocomplete=country>{countries}</select></label><label class=field><span>State (US)</span><select "
        "name=state>{states}</select></label></div>{postal}",
        countries=options([(code, code) for code in COUNTRIES], typed.get("country", "US")),
        states=options([(code, code or "Another") for code in STATES], typed.get("state", "")),
        postal=field("Postal code", "postal_code", typed.get("postal_code", ""), autocomplete="postal-code"),
    )


def card_of(form: dict[str, str]) -> dict[str, Any] | None:
    """The card that was typed in, as the API would get it."""
    if not form.get("number"):
        return None
    expiry = EXPIRY.fullmatch(form.get("expiry", ""))
    if expiry is None:
        raise ApiError("Your card's expiration date is incomplete.")
    if not re.fullmatch(r"\d{3,4}", form.get("cvc", "")):
        raise ApiError("Your card's security code is incomplete.")
    return {
        "number": form["number"].replace(" ", ""),
        "exp_month": int(expiry[1]),
        "exp_year": 2000 + int(expiry[2]) % 100,
        "cvc": form["cvc"],
    }


def submit(visit: Visit, id_: str) -> Response:
    checkout = checkouts.find_open(visit.session, id_)
    form = visit.form
    if "@" not in form.get("email", ""):
        raise ApiError("Your e-mail address is incomplete.")
    address = {name: form.get(name) or None for name in ("city", "country", "line1", "line2", "postal_code", "state")}
    details = {"email": form["email"], "name": form.get("name") or None, "address": address}
    elsewhere = checkout_completion.submit(visit.session, checkout, details, card_of(form))
    return redirect(elsewhere or _success(checkout))


def _success(checkout: Doc) -> str:
    return str(checkout["success_url"]).replace("{CHECKOUT_SESSION_ID}", checkout["id"])


def apply_code(visit: Visit, id_: str) -> Response:
    session = visit.session
    checkout = checkouts.find_open(session, id_)
    found = session.find(
        "promotion_code", "lookup = ? COLLATE NOCASE AND body ->> '$.active'", visit.form.get("code", ""), limit=1
    )
    if not found or not checkout["allow_promotion_codes"]:
        raise ApiError("This code is invalid.")
    code = coupons.usable_code(session, found[0]["id"], session.get(checkout["customer"]), "code")
    checkout["discounts"] = [{"coupon": None, "promotion_code": code["id"]}]
    checkouts.quote(session, checkout)
    return redirect(f"/c/pay/{id_}")


def show_again(visit: Visit, error: str, id_: str) -> Response:
    return show(visit, id_, error)
