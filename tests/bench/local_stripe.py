"""How quick the local Stripe is: requests per second, and a month for many subscriptions."""

from __future__ import annotations

import http.client
import json
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psutil

from tests.stripe_contract.serving import served

from .report import Aim, measured, percentile, say
from .servers import Servers

NAME = "local_stripe"
CLIENTS = 4
SECONDS = 5
SUBSCRIPTIONS = 10_000
START = 1_800_000_000
MONTH = 32 * 86_400
HEADERS = {
    "Authorization": "Bearer sk_test_benchbenchbenchbenchbench",
    "Content-Type": "application/x-www-form-urlencoded",
}


class Caller:
    """One client with one kept connection."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def get(self, path: str) -> dict[str, Any]:
        return self._call("GET", path, None)

    def post(self, path: str, **parameters: Any) -> dict[str, Any]:
        """Nested names are written with dots: `recurring.interval`."""
        names = {
            name: "".join([part if not n else f"[{part}]" for n, part in enumerate(name.split("."))])
            for name in parameters
        }
        return self._call("POST", path, urlencode({names[name]: value for name, value in parameters.items()}))

    def _call(self, method: str, path: str, body: str | None) -> dict[str, Any]:
        self.connection.request(method, path, body, HEADERS)
        response = self.connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
        if response.status != 200:
            raise RuntimeError(answer)
        return answer


def _bracketed(name: str) -> str:
    first, *rest = name.split(".")
    return first + "".join(f"[{part}]" for part in rest)


def run(servers: Servers) -> None:
    with tempfile.TemporaryDirectory() as directory, served(Path(directory) / "stripe.sqlite3") as port:
        say(f"calling the local Stripe with {CLIENTS} clients")
        _requests(port)
        say(f"advancing {SUBSCRIPTIONS} subscriptions by a month")
        _month(port)


def _requests(port: int) -> None:
    """Customers made and read back."""
    latencies: list[float] = []
    end = time.monotonic() + SECONDS

    def work() -> None:
        caller = Caller(port)
        while time.monotonic() < end:
            began = time.monotonic()
            made = caller.post("/v1/customers", email="a@example.com")
            latencies.append(time.monotonic() - began)
            began = time.monotonic()
            caller.get(f"/v1/customers/{made['id']}")
            latencies.append(time.monotonic() - began)

    workers = [threading.Thread(target=work) for _ in range(CLIENTS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    measured(NAME, "requests", len(latencies) / SECONDS, "1/s", aim=Aim(at_least=200))
    measured(NAME, "requests_p95", percentile(latencies, 95) * 1000, "ms")


def _month(port: int) -> None:
    """Each subscription is told of, renewed, invoiced and paid."""
    caller = Caller(port)
    product = caller.post("/v1/products", name="Plan")["id"]
    price = caller.post(
        "/v1/prices", product=product, currency="usd", unit_amount=2000, **{"recurring.interval": "month"}
    )["id"]
    clock = caller.post("/v1/test_helpers/test_clocks", frozen_time=START)["id"]
    card = {"payment_method": "pm_card_visa", "invoice_settings.default_payment_method": "pm_card_visa"}
    began = time.monotonic()
    for _ in range(SUBSCRIPTIONS):
        customer = caller.post("/v1/customers", test_clock=clock, **card)["id"]
        caller.post("/v1/subscriptions", customer=customer, **{"items.0.price": price})
    measured(NAME, "subscriptions_made", SUBSCRIPTIONS / (time.monotonic() - began), "1/s")
    server = next(
        child for child in psutil.Process().children(recursive=True) if "apps.stripe_sandbox" in child.cmdline()
    )
    used = sum(server.cpu_times()[:2])
    began = time.monotonic()
    caller.post(f"/v1/test_helpers/test_clocks/{clock}/advance", frozen_time=START + MONTH)
    while caller.get(f"/v1/test_helpers/test_clocks/{clock}")["status"] == "advancing":
        time.sleep(0.2)
    measured(NAME, "month_advanced_cpu", sum(server.cpu_times()[:2]) - used, "s", subscriptions=SUBSCRIPTIONS)
    measured(NAME, "month_advanced", time.monotonic() - began, "s", aim=Aim(at_most=60), subscriptions=SUBSCRIPTIONS)
