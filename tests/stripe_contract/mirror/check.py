"""Mirrors the sandbox by dj-stripe: everything once by sync, then what changes by webhooks. Prints a report in JSON."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import django

django.setup()

import requests
import stripe
from django.conf import settings
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from djstripe import models

from tests.stripe_contract.world import World

# dj-stripe asks for TaxId and ActiveEntitlement in a way that Stripe refuses, too (no `id`; `customer` is required).
SERVED = {
    "BalanceTransaction": "balance_transactions",
    "Charge": "charges",
    "Coupon": "coupons",
    "Customer": "customers",
    "Dispute": "disputes",
    "Event": "events",
    "Feature": "entitlements.features",
    "Invoice": "invoices",
    "InvoiceItem": "invoice_items",
    "PaymentIntent": "payment_intents",
    "Price": "prices",
    "Product": "products",
    "PromotionCode": "promotion_codes",
    "Refund": "refunds",
    "Session": "checkout.sessions",
    "SetupIntent": "setup_intents",
    "Subscription": "subscriptions",
    "SubscriptionSchedule": "subscription_schedules",
    "TaxRate": "tax_rates",
    "WebhookEndpoint": "webhook_endpoints",
}
ALSO = ("Account", "LineItem", "PaymentMethod", "SubscriptionItem")


def sync(api: Any) -> dict[str, Any]:
    """What sync says went wrong, and how many objects there are on both sides."""
    errors = io.StringIO()
    call_command("djstripe_sync_models", *SERVED, *ALSO, stdout=io.StringIO(), stderr=errors, no_color=True)
    counts = {}
    for name, path in SERVED.items():
        service = api
        for part in path.split("."):
            service = getattr(service, part)
        parameters = {"status": "all"} if name == "Subscription" else {}
        there = {row.id for row in service.list({**parameters, "limit": 100}).auto_paging_iter()}
        here = set(getattr(models, name).objects.values_list("id", flat=True))
        counts[name] = {"stripe": len(there), "missing": sorted(there - here)}
    return {"errors": errors.getvalue(), "counts": counts}


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


def serve() -> int:
    """The mirror's own web server; its port."""
    server = ThreadedWSGIServer(("127.0.0.1", 0), _Quiet)
    server.set_app(get_wsgi_application())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return int(server.server_port)


def wait(condition: Callable[[], Any], seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


def webhooks(world: World, port: int) -> dict[str, Any]:
    """A life of several customers at once, with duplicates: what the mirror has of it in the end."""
    uuid = str(uuid4())
    endpoint = stripe.WebhookEndpoint.create(
        url=f"http://127.0.0.1:{port}/stripe/webhook/{uuid}/",
        enabled_events=["*"],
        metadata={"djstripe_uuid": uuid},
        api_key=settings.STRIPE_TEST_SECRET_KEY,
    )
    models.WebhookEndpoint.sync_from_stripe_data(endpoint, api_key=settings.STRIPE_TEST_SECRET_KEY)
    models.WebhookEndpoint.objects.filter(id=endpoint.id).update(secret=endpoint.secret)
    requests.post(f"{settings.STRIPE_API_HOST}/_sandbox/webhooks", json={"fault": "duplicate", "count": 10}, timeout=30)
    price = world.price()

    def live(number: int) -> tuple[str, str]:
        customer = world.customer()
        subscription = world.subscribe(customer, price, quantity=number + 1)
        item = subscription["items"].data[0].id
        world.api.subscriptions.update(subscription.id, {"items": [{"id": item, "quantity": number + 10}]})
        world.api.customers.update(customer.id, {"name": f"Customer {number}"})
        world.api.subscriptions.cancel(subscription.id)
        return customer.id, subscription.id

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(live, range(4)))
    subscriptions = models.Subscription.objects.filter(id__in=[row[1] for row in made])
    customers = models.Customer.objects.filter(id__in=[row[0] for row in made])
    arrived = wait(lambda: subscriptions.count() == len(made))
    settled = wait(_all_delivered)
    events = list(models.Event.objects.values_list("id", flat=True))
    triggers = models.WebhookEventTrigger.objects.all()
    return {
        "arrived": arrived,
        "settled": settled,
        "statuses": sorted({row.stripe_data["status"] for row in subscriptions.all()}),
        "names": sorted(row.stripe_data["name"] for row in customers.all()),
        "events": len(events),
        "events_unique": len(set(events)),
        "triggers": triggers.count(),
        "invalid": triggers.filter(valid=False, exception="").count(),
        "unprocessed": triggers.filter(processed=False, exception="").count(),
        "exceptions": sorted(set(triggers.exclude(exception="").values_list("exception", flat=True))),
    }


def _all_delivered() -> bool:
    answer = requests.get(f"{settings.STRIPE_API_HOST}/_sandbox/status", timeout=30)
    return bool(answer.json()["deliveries_waiting"] == 0)


def main() -> None:
    call_command("migrate", run_syncdb=True, verbosity=0)
    client = stripe.StripeClient(
        settings.STRIPE_TEST_SECRET_KEY, base_addresses={"api": settings.STRIPE_API_HOST}, max_network_retries=0
    )
    world = World(client.v1)
    world.furnish()
    found = {"sync": sync(client.v1), "again": sync(client.v1)["errors"], "webhooks": webhooks(world, serve())}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
