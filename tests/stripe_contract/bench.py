"""How fast the sandbox is: `python -m tests.stripe_contract.bench` (JSON lines)."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

KEY = "sk_test_benchbenchbenchbenchbench"


@contextmanager
def served(data: Path) -> Iterator[int]:
    """A sandbox in a process of its own; its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "apps.stripe_sandbox", "--port", "0", "--data", str(data)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "ENVIRONMENT": "test"},
    )
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline().rsplit(":", 1)[1])
    finally:
        process.terminate()
        process.wait()


class Caller:
    """One kept connection."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def call(self, method: str, path: str, **parameters: object) -> dict:
        body = urlencode({name.replace("__", "["): value for name, value in parameters.items()})
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/x-www-form-urlencoded"}
        self.connection.request(method, path, body if method == "POST" else None, headers)
        response = self.connection.getresponse()
        answer = json.loads(response.read())
        assert response.status == 200, answer
        return answer

    def post(self, path: str, parameters: dict[str, object]) -> dict:
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/x-www-form-urlencoded"}
        self.connection.request("POST", path, urlencode(parameters), headers)
        response = self.connection.getresponse()
        answer = json.loads(response.read())
        assert response.status == 200, answer
        return answer


def requests_per_second(port: int, threads: int = 4, seconds: float = 5) -> dict[str, object]:
    """Customers made, and read back, by several clients at once."""
    counts, latencies = [0] * threads, []
    end = time.monotonic() + seconds

    def work(number: int) -> None:
        caller = Caller(port)
        while time.monotonic() < end:
            began = time.monotonic()
            made = caller.post("/v1/customers", {"email": "a@example.com", "metadata[n]": counts[number]})
            caller.call("GET", f"/v1/customers/{made['id']}")
            latencies.append((time.monotonic() - began) / 2)
            counts[number] += 2

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    latencies.sort()
    return {
        "what": "requests",
        "per_second": round(sum(counts) / seconds),
        "p95_ms": round(latencies[int(len(latencies) * 0.95)] * 1000, 1),
    }


def month_for_subscriptions(port: int, number: int) -> dict[str, object]:
    """So many subscriptions on one clock, advanced by one month: renewed, invoiced, paid."""
    caller = Caller(port)
    product = caller.post("/v1/products", {"name": "Plan"})["id"]
    price = caller.post(
        "/v1/prices", {"product": product, "currency": "usd", "unit_amount": 2000, "recurring[interval]": "month"}
    )["id"]
    start = 1_800_000_000
    clock = caller.post("/v1/test_helpers/test_clocks", {"frozen_time": start})["id"]
    began = time.monotonic()
    for _ in range(number):
        customer = caller.post(
            "/v1/customers",
            {
                "test_clock": clock,
                "payment_method": "pm_card_visa",
                "invoice_settings[default_payment_method]": "pm_card_visa",
            },
        )["id"]
        caller.post("/v1/subscriptions", {"customer": customer, "items[0][price]": price})
    made = time.monotonic() - began
    began = time.monotonic()
    caller.post(f"/v1/test_helpers/test_clocks/{clock}/advance", {"frozen_time": start + 32 * 86_400})
    while caller.call("GET", f"/v1/test_helpers/test_clocks/{clock}")["status"] == "advancing":
        time.sleep(0.1)
    seconds = time.monotonic() - began
    return {
        "what": "month",
        "subscriptions": number,
        "made_per_second": round(number / made),
        "advance_seconds": round(seconds, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--subscriptions", type=int, default=10_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, served(Path(directory) / "bench.sqlite3") as port:
        print(json.dumps(requests_per_second(port)), flush=True)
        print(json.dumps(month_for_subscriptions(port, arguments.subscriptions)), flush=True)


if __name__ == "__main__":
    main()
