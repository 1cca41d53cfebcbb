"""The hosted pages in a real browser: checkout, the bank's page, invoice, portal."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.stripe_contract.conftest import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("sandbox_only")]

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or "/usr/bin/chromium"
WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(params=["light", "dark"])
def page(browser, request) -> Iterator[Page]:
    context = browser.new_context(color_scheme=request.param, viewport={"width": 1000, "height": 900})
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def shop() -> Iterator[str]:
    """Where checkout leads back to."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<!doctype html><title>Shop</title><h1>Back in the shop</h1>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def check(page: Page) -> None:
    """Nothing that keeps somebody out, nothing wider than the window."""
    violations = Axe().run(page, options=WCAG).response["violations"]
    assert not violations, [(row["id"], [node["html"][:120] for node in row["nodes"][:3]]) for row in violations]
    size = page.viewport_size
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.set_viewport_size(size)


def type_card(page: Page, number: str = "4242 4242 4242 4242") -> None:
    page.get_by_label("Card number").fill(number)
    page.get_by_label("Expiry (MM / YY)").fill("12 / 34")
    page.get_by_label("Security code").fill("123")
    page.get_by_label("Name on card").fill("Ada Example")


def open_checkout(api, world, shop, **fields):
    price = world.price(2000)
    return api.checkout.sessions.create(
        {
            "mode": "subscription",
            "line_items": [{"price": price.id, "quantity": 2}],
            "success_url": f"{shop}/done?session_id={{CHECKOUT_SESSION_ID}}",
            "cancel_url": f"{shop}/back",
            **fields,
        }
    )


def test_checkout__good_card__subscribed_and_back_in_the_shop(api, world, page, shop):
    session = open_checkout(api, world, shop, subscription_data={"metadata": {"tenant": "acme"}})
    page.goto(session.url)
    check(page)
    expect(page.get_by_text("$40.00").first).to_be_visible()

    page.get_by_label("E-mail").fill("ada@example.com")
    type_card(page)
    page.get_by_role("button", name="Subscribe").click()

    page.wait_for_url(f"{shop}/done?session_id={session.id}")
    done = api.checkout.sessions.retrieve(session.id, {"expand": ["subscription", "customer"]})
    assert (done.status, done.payment_status, done.customer_details.email) == ("complete", "paid", "ada@example.com")
    assert (done.subscription.status, done.subscription.metadata["tenant"]) == ("active", "acme")
    assert done.subscription.default_payment_method
    kinds = [event.type for event in world.events(session.id, "checkout.session.*")]
    assert kinds == ["checkout.session.completed"]


def test_checkout__declined_then_another_card__nothing_left_of_the_first(api, world, page, shop):
    session = open_checkout(api, world, shop, customer=world.customer(card=None).id)
    page.goto(session.url)
    type_card(page, "4000 0000 0000 9995")
    page.get_by_role("button", name="Subscribe").click()

    expect(page.get_by_role("alert")).to_have_text("Your card has insufficient funds.")
    assert not api.subscriptions.list({"customer": session.customer, "status": "all"}).data

    type_card(page)
    page.get_by_role("button", name="Subscribe").click()
    page.wait_for_url(re.compile("/done"))
    assert [row.status for row in api.subscriptions.list({"customer": session.customer}).data] == ["active"]


def test_checkout__bank_asks__completed_or_failed(api, world, page, shop):
    session = open_checkout(api, world, shop, customer=world.customer(card=None).id)
    page.goto(session.url)
    type_card(page, "4000 0027 6000 3184")
    page.get_by_role("button", name="Subscribe").click()
    check(page)

    page.get_by_role("button", name="Fail").click()
    expect(page.get_by_role("alert")).to_contain_text("unable to authenticate")
    assert api.checkout.sessions.retrieve(session.id).status == "open"

    type_card(page, "4000 0027 6000 3184")
    page.get_by_role("button", name="Subscribe").click()
    page.get_by_role("button", name="Complete").click()
    page.wait_for_url(re.compile("/done"))
    assert api.checkout.sessions.retrieve(session.id).payment_status == "paid"


def test_checkout__left_and_expired__cannot_be_finished(api, world, page, shop):
    session = open_checkout(api, world, shop)
    page.goto(session.url)
    page.get_by_role("link", name="← Back").click()
    page.wait_for_url(f"{shop}/back")
    assert api.checkout.sessions.retrieve(session.id).status == "open"
    url = session.url

    api.checkout.sessions.expire(session.id)
    page.goto(url)

    expect(page.get_by_role("heading")).to_have_text("This checkout has expired")


def test_checkout__promotion_code__less_to_pay(api, world, page, shop):
    coupon = api.coupons.create({"percent_off": 50, "duration": "once"})
    code = api.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}})
    session = open_checkout(api, world, shop, allow_promotion_codes=True)
    page.goto(session.url)

    page.get_by_label("Promotion code").fill("WRONG")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("alert")).to_have_text("This code is invalid.")
    page.get_by_label("Promotion code").fill(code.code)
    page.get_by_role("button", name="Apply").click()

    expect(page.get_by_text("$20.00").first).to_be_visible()
    page.get_by_label("E-mail").fill("ada@example.com")
    type_card(page)
    page.get_by_role("button", name="Subscribe").click()
    page.wait_for_url(re.compile("/done"))
    assert api.checkout.sessions.retrieve(session.id, {"expand": ["invoice"]}).invoice.amount_paid == 2000


def test_checkout__trial_without_card__needs_none(api, world, page, shop):
    session = open_checkout(
        api, world, shop, payment_method_collection="if_required", subscription_data={"trial_period_days": 14}
    )
    page.goto(session.url)

    expect(page.get_by_text("Free until")).to_be_visible()
    page.get_by_label("E-mail").fill("ada@example.com")
    page.get_by_role("button", name="Subscribe").click()

    page.wait_for_url(re.compile("/done"))
    done = api.checkout.sessions.retrieve(session.id, {"expand": ["subscription"]})
    assert (done.payment_status, done.subscription.status) == ("no_payment_required", "trialing")


def test_checkout__payment_and_setup_modes(api, world, page, shop):
    product = api.products.create({"name": "Mug"})
    price = api.prices.create({"currency": "eur", "unit_amount": 1500, "product": product.id})
    links = {"success_url": f"{shop}/done", "customer": world.customer(card=None).id}
    bought = api.checkout.sessions.create(
        {"mode": "payment", "line_items": [{"price": price.id, "quantity": 1}], **links}
    )
    saved = api.checkout.sessions.create({"mode": "setup", "currency": "eur", **links})

    for session, verb in ((bought, "Pay €15.00"), (saved, "Save card")):
        page.goto(session.url)
        type_card(page)
        page.get_by_role("button", name=verb).click()
        page.wait_for_url(f"{shop}/done")

    done = api.checkout.sessions.retrieve(bought.id, {"expand": ["payment_intent"]})
    assert (done.payment_intent.status, done.payment_intent.amount_received) == ("succeeded", 1500)
    assert api.checkout.sessions.retrieve(saved.id, {"expand": ["setup_intent"]}).setup_intent.status == "succeeded"


def test_invoice__paid_on_its_page(api, world, page):
    customer = world.customer(card=None)
    invoice = api.invoices.create({"customer": customer.id, "collection_method": "send_invoice", "days_until_due": 7})
    api.invoice_items.create({"customer": customer.id, "invoice": invoice.id, "amount": 900, "currency": "usd"})
    invoice = api.invoices.send_invoice(invoice.id)
    page.goto(invoice.hosted_invoice_url)
    check(page)

    type_card(page, "4000 0000 0000 0002")
    page.get_by_role("button", name="Pay $9.00").click()
    expect(page.get_by_role("alert")).to_have_text("Your card was declined.")
    type_card(page)
    page.get_by_role("button", name="Pay $9.00").click()

    expect(page.get_by_text("This invoice is paid.")).to_be_visible()
    assert api.invoices.retrieve(invoice.id).status == "paid"


@pytest.fixture
def portal(api, world, shop):
    """A customer with a plan, and a portal session that allows everything."""
    small, large = world.price(1000, nickname="Small"), world.price(3000, nickname="Large")
    configuration = api.billing_portal.configurations.create(
        {
            "features": {
                "customer_update": {"enabled": True, "allowed_updates": ["email", "name"]},
                "invoice_history": {"enabled": True},
                "payment_method_update": {"enabled": True},
                "subscription_cancel": {
                    "enabled": True,
                    "mode": "at_period_end",
                    "cancellation_reason": {"enabled": True, "options": ["too_expensive", "unused"]},
                },
                "subscription_update": {
                    "enabled": True,
                    "default_allowed_updates": ["price", "quantity"],
                    "proration_behavior": "always_invoice",
                    "products": [
                        {"product": small.product, "prices": [small.id]},
                        {"product": large.product, "prices": [large.id]},
                    ],
                },
            },
        }
    )
    customer = world.customer()
    subscription = world.subscribe(customer, small)
    session = api.billing_portal.sessions.create(
        {"customer": customer.id, "configuration": configuration.id, "return_url": f"{shop}/account"}
    )
    return session, subscription, large


def test_portal__card_changed__new_default(api, page, portal):
    session, subscription, _ = portal
    page.goto(session.url)
    check(page)

    page.get_by_role("link", name="Change card").click()
    check(page)
    type_card(page, "4000 0000 0000 0002")
    page.get_by_role("button", name="Save card").click()
    expect(page.get_by_role("alert")).to_have_text("Your card was declined.")
    type_card(page, "5555 5555 5555 4444")
    page.get_by_role("button", name="Save card").click()

    expect(page.get_by_text("Mastercard •••• 4444")).to_be_visible()
    customer = api.customers.retrieve(subscription.customer, {"expand": ["invoice_settings.default_payment_method"]})
    assert customer.invoice_settings.default_payment_method.card.last4 == "4444"


def test_portal__plan_changed__charged_for_the_rest(api, page, portal):
    session, subscription, large = portal
    page.goto(session.url)

    page.get_by_role("link", name="Change plan").click()
    check(page)
    page.get_by_role("radio").nth(1).check()
    page.get_by_label("Quantity").fill("2")
    page.get_by_role("button", name="Confirm").click()

    expect(page.get_by_role("heading", name=re.compile(r"\$30.00 per month"))).to_be_visible()
    changed = api.subscriptions.retrieve(subscription.id, {"expand": ["latest_invoice"]})
    assert (changed["items"].data[0].price.id, changed["items"].data[0].quantity) == (large.id, 2)
    assert changed.latest_invoice.amount_paid == pytest.approx(5000, abs=10)


def test_portal__canceled_and_kept_after_all(api, page, portal):
    session, subscription, _ = portal
    page.goto(session.url)

    page.get_by_role("link", name="Cancel plan").click()
    check(page)
    page.get_by_label("Why do you cancel?").select_option("too_expensive")
    page.get_by_label("Anything else?").fill("Sorry")
    page.get_by_role("button", name="Cancel plan").click()
    expect(page.get_by_text("Ends on")).to_be_visible()
    leaving = api.subscriptions.retrieve(subscription.id)
    assert (leaving.cancel_at_period_end, leaving.cancellation_details.feedback) == (True, "too_expensive")
    page.get_by_role("button", name="Keep the plan").click()

    expect(page.get_by_text("Renews on")).to_be_visible()
    assert api.subscriptions.retrieve(subscription.id).cancel_at_period_end is False


def test_portal__details_changed_and_return(api, page, portal, shop):
    session, subscription, _ = portal
    page.goto(session.url)
    page.get_by_label("Name").fill("Grace Example")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Name")).to_have_value("Grace Example")

    page.get_by_role("link", name="← Return to Sandbox").click()

    page.wait_for_url(f"{shop}/account")
    assert api.customers.retrieve(subscription.customer).name == "Grace Example"


def test_portal__opened_for_one_task__leads_back(api, page, portal, shop):
    _, subscription, _ = portal
    session = api.billing_portal.sessions.create(
        {
            "customer": subscription.customer,
            "flow_data": {
                "type": "payment_method_update",
                "after_completion": {"type": "redirect", "redirect": {"return_url": f"{shop}/thanks"}},
            },
        }
    )
    page.goto(session.url)
    type_card(page)
    page.get_by_role("button", name="Save card").click()

    page.wait_for_url(f"{shop}/thanks")


def test_overview__clock_advanced_on_the_page(api, world, page, sandbox):
    clock = world.clock("2027-01-01")
    page.goto(f"{sandbox.url}/")
    check(page)
    page.get_by_role("link", name="Clocks").click()
    check(page)

    row = page.get_by_role("row").filter(has_text=clock.id)
    row.get_by_role("spinbutton").fill("3")
    row.get_by_role("button", name="Advance by days").click()

    wait_until(lambda: api.test_helpers.test_clocks.retrieve(clock.id).frozen_time == clock.frozen_time + 3 * 86_400)
