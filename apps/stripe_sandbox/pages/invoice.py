"""The hosted page of an invoice, its PDF, and receipts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from apps.stripe_sandbox.core.errors import CardError, missing
from apps.stripe_sandbox.core.messages import Response
from apps.stripe_sandbox.core.money import shown
from apps.stripe_sandbox.core.session import Session
from apps.stripe_sandbox.core.shapes import Doc
from apps.stripe_sandbox.objects import payment_intents, payment_methods
from apps.stripe_sandbox.pages.checkout import card_fields, card_of
from apps.stripe_sandbox.pages.layout import alert, message, page, redirect
from apps.stripe_sandbox.pages.markup import Markup, html, join
from apps.stripe_sandbox.pages.paper import document

if TYPE_CHECKING:
    from apps.stripe_sandbox.pages.routes import Visit


def _find(session: Session, id_: str) -> Doc:
    invoice = session.get(id_)
    if invoice is None or invoice["object"] != "invoice" or invoice["status"] == "draft":
        raise missing("invoice", id_)
    return invoice


def day(moment: int | None) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%-d %b %Y") if moment else "—"


def sums(invoice: Doc) -> list[tuple[str, int]]:
    """What stands under the lines; nothing that is nothing."""
    off = sum(item["amount"] for item in invoice["total_discount_amounts"] or [])
    tax = sum(item["amount"] for item in invoice["total_taxes"] or [])
    balance = (
        (invoice["ending_balance"] or 0) - invoice["starting_balance"] if invoice["ending_balance"] is not None else 0
    )
    rows = [
        ("Subtotal", invoice["subtotal"]),
        ("Discount", -off),
        ("Tax", tax),
        ("Total", invoice["total"]),
        ("Applied balance", -balance),
    ]
    rows.append(("Credit notes", -invoice["pre_payment_credit_notes_amount"]))
    return [row for row in rows if row[1] or row[0] in ("Subtotal", "Total")] + [
        ("Amount due", invoice["amount_due"]),
        ("Amount paid", invoice["amount_paid"]),
    ]


def show(visit: Visit, id_: str, error: str | None = None) -> Response:
    invoice = _find(visit.session, id_)
    code = invoice["currency"]
    rows = join(
        html(
            "<li><span>{text}</span><span>{amount}</span></li>",
            text=row["description"],
            amount=shown(row["amount"], code),
        )
        for row in invoice["lines"]["data"]
    )
    totals = join(
        html("<li class=sum><span>{label}</span><span>{amount}</span></li>", label=label, amount=shown(amount, code))
        for label, amount in sums(invoice)
    )
    body = html(
        "<div class=split><section class=card><h1>Invoice {number}</h1><p><span class=state>{status}</span> <span "
        "class=muted>{whom}</span></p><p class=total>{due}</p><p class=muted>Issued {issued}{until}</p><ul "
        "class=rows>{rows}{totals}</ul>"
        '<p class=actions><a class="button quiet" href="/i/{id}/pdf">Download PDF</a></p></section>{form}</div>',
        number=invoice["number"], status=invoice["status"], whom=invoice["customer_name"] or invoice["customer_email"],
        due=shown(invoice["amount_remaining" if invoice["status"] == "open" else "total"], code),
        issued=day(invoice["effective_at"]), until=f" · Due {day(invoice['due_date'])}" if invoice["due_date"] else "",
        rows=rows, totals=totals, id=id_, form=_form(invoice, error),
    )  # fmt: skip
    return page(f"Invoice {invoice['number']} · Sandbox", body)


def _form(invoice: Doc, error: str | None) -> Markup:
    if invoice["status"] != "open":
        return html(
            "<section class=card><h2>Thank you</h2><p>This invoice is {status}.</p></section>", status=invoice["status"]
        )
    return html(
        '<section class=card aria-label=Payment><h2>Pay by card</h2>{alert}<form method=post '
        'action="/i/{id}">{card}<button class=full>Pay {amount}</button></form></section>',
        alert=alert(error), id=invoice["id"], card=card_fields({}),
        amount=shown(invoice["amount_remaining"], invoice["currency"]),
    )  # fmt: skip


def pay(visit: Visit, id_: str) -> Response:
    session = visit.session
    invoice = _find(session, id_)
    if invoice["status"] != "open":
        return redirect(f"/i/{id_}")
    method = payment_methods.from_data(
        session, {"card": card_of(visit.form), "billing_details": {"name": visit.form.get("name")}}
    )
    intent = session.need("payment_intent", invoice["_payment_intent"])
    outcome = payment_intents.attempt(session, intent, method, return_url=f"{session.setting('url')}/i/{id_}")
    if isinstance(outcome, CardError):
        raise outcome
    return redirect(
        str(intent["next_action"]["redirect_to_url"]["url"]) if outcome == "requires_action" else f"/i/{id_}"
    )


def pdf(visit: Visit, id_: str) -> Response:
    invoice = _find(visit.session, id_)
    code = invoice["currency"]
    lines = [
        f"Invoice {invoice['number']}",
        "",
        f"Status: {invoice['status']}",
        f"Issued: {day(invoice['effective_at'])}",
        f"Due: {day(invoice['due_date'])}",
    ]
    lines += [f"To: {invoice['customer_name'] or ''} {invoice['customer_email'] or ''}", ""]
    lines += [f"{shown(row['amount'], code):>16}   {row['description'] or ''}" for row in invoice["lines"]["data"]]
    lines += [
        "",
        *(f"{shown(amount, code):>16}   {label}" for label, amount in sums(invoice)),
        "",
        "Test mode: no money was moved.",
    ]
    name = f'attachment; filename="invoice-{invoice["number"]}.pdf"'
    return Response(200, document(lines), {"Content-Disposition": name}, "application/pdf")


def receipt(visit: Visit, token: str) -> Response:
    url = f"{visit.session.setting('url')}/receipts/{token}"
    found = visit.session.find("charge", "body ->> '$.receipt_url' = ?", url, limit=1)
    if not found:
        raise missing("receipt", token)
    charge = found[0]
    return message(
        "Receipt",
        f"{shown(charge['amount'], charge['currency'])} paid on {day(charge['created'])} with a card ending in "
        f"{charge['payment_method_details']['card']['last4']}.",
    )


def show_again(visit: Visit, error: str, id_: str) -> Response:
    return show(visit, id_, error)
