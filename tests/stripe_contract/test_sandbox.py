"""The sandbox itself: where it starts, what it keeps, how it is controlled, what its pages show."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import pytest
import requests
import stripe

from apps.stripe_sandbox.__main__ import reason_to_refuse
from tests.stripe_contract.conftest import SANDBOX_KEY, client_of
from tests.stripe_contract.serving import served
from tests.stripe_contract.world import World, at


def control(sandbox, command, status=200, **given):
    answer = requests.post(f"{sandbox.url}/_sandbox/{command}", json=given, timeout=60)
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("environment", "refused"),
    [
        ({"ENVIRONMENT": "production"}, True),
        ({"ENVIRONMENT": "staging"}, True),
        ({"ENVIRONMENT": "development", "STRIPE_SECRET_KEY": "sk_live_x"}, True),
        ({"ENVIRONMENT": "development", "STRIPE_SECRET_KEY": "sk_test_x"}, False),
        ({"ENVIRONMENT": "test"}, False),
        ({}, True),
    ],
)
def test_start__only_in_development_and_tests(environment, refused):
    assert bool(reason_to_refuse(environment)) is refused


def test_start__in_production__exits_and_says_why(tmp_path):
    environment = {**os.environ, "ENVIRONMENT": "production"}

    done = subprocess.run(
        [sys.executable, "-m", "apps.stripe_sandbox", "--port", "0", "--data", str(tmp_path / "x")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "refuses to start" in done.stderr
    assert not (tmp_path / "x").exists()


@pytest.mark.slow
def test_kill__minus_nine__what_was_answered_is_there(tmp_path):
    data = tmp_path / "data.sqlite3"
    command = [sys.executable, "-m", "apps.stripe_sandbox", "--port", "0", "--data", str(data)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "ENVIRONMENT": "test"})
    url = process.stdout.readline().split()[-1]
    api = stripe.StripeClient(SANDBOX_KEY, base_addresses={"api": url}, max_network_retries=0).v1
    world = World(api)
    clock = world.clock("2027-01-01")
    for _ in range(20):
        world.subscribe(world.customer(clock=clock), world.price())
    api.test_helpers.test_clocks.advance(clock.id, {"frozen_time": at("2027-04-02")})

    process.send_signal(signal.SIGKILL)
    process.wait()

    with served(data) as port:
        api = stripe.StripeClient(
            SANDBOX_KEY, base_addresses={"api": f"http://127.0.0.1:{port}"}, max_network_retries=0
        ).v1
        for _ in range(600):
            if api.test_helpers.test_clocks.retrieve(clock.id).status == "ready":
                break
            time.sleep(0.05)
        subscriptions = list(api.subscriptions.list({"test_clock": clock.id, "limit": 100}).data)
        assert len(subscriptions) == 20
        assert all([invoice.status for invoice in World(api).invoices(row)] == ["paid"] * 4 for row in subscriptions)


def test_reset_snapshot_restore(own):
    api = client_of(own).v1
    kept = api.customers.create({"name": "Kept"})
    control(own, "snapshot", name="one")
    control(own, "reset")
    assert not api.customers.list({}).data

    control(own, "restore", name="one")

    assert [customer.id for customer in api.customers.list({}).data] == [kept.id]
    control(own, "restore", status=404, name="other")
    control(own, "snapshot", status=400, name="../evil")


def test_advance__everything__clocks_and_what_has_none(own):
    api = client_of(own).v1
    world = World(api)
    clock = world.clock("2027-01-01")
    on_clock = world.subscribe(world.customer(clock=clock), world.price())
    real = world.subscribe(world.customer(), world.price(interval="day"))

    control(own, "advance", seconds=32 * 86_400)

    assert [invoice.status for invoice in world.invoices(on_clock)] == ["paid", "paid"]
    assert len(world.invoices(real)) > 20
    assert api.subscriptions.retrieve(real.id).status == "active"


@pytest.mark.parametrize(("wish", "status"), [("unpaid", "unpaid"), ("past_due", "past_due"), ("cancel", "canceled")])
def test_settings__after_the_last_retry__as_wished(own, wish, status):
    world = World(client_of(own).v1)
    control(own, "settings", retry_days=[1, 2], after_retries=wish)
    clock = world.clock("2027-01-01")
    customer = world.customer(clock=clock)
    subscription = world.subscribe(customer, world.price())
    world.let_fail(customer)

    world.advance(clock, "2027-02-10")

    assert world.api.subscriptions.retrieve(subscription.id).status == status
    assert world.invoices(subscription)[-1].attempt_count == 3


def test_control__unknown_commands_and_values__refused(own):
    control(own, "unknown", status=404)
    control(own, "webhooks", status=400, fault="explode")
    control(own, "advance", status=400, seconds=-1)
    control(own, "advance", status=400)
    control(own, "latency", status=400, seconds=-1)
    control(own, "latency", status=400, seconds="nan")
    control(own, "settings", status=400, retry_days=[0])
    for command, body in (("fail", '{"status": 200}'), ("snapshot", "[]"), ("reset", "[1]")):
        assert requests.post(f"{own.url}/_sandbox/{command}", data=body, timeout=30).status_code == 400, command
    assert requests.get(f"{own.url}/_sandbox/status", timeout=30).json()["objects"] == {"account": 1}


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/_sandbox/status", {"Host": "rebound.example"}, 403),
        ("GET", "/objects/event", {"Host": "127.0.0.1.rebound.example:80"}, 403),
        ("GET", "/v1/customers", {"Host": "rebound.example"}, 403),
        ("GET", "/_sandbox/status", {"Host": "localhost"}, 200),
        ("POST", "/_sandbox/settings", {"Origin": "https://evil.example", "Content-Type": "text/plain"}, 403),
        ("POST", "/_sandbox/settings", {"Origin": "null"}, 403),
        ("POST", "/_sandbox/settings", {"Host": "localhost:1", "Origin": "http://localhost:2"}, 403),
        ("POST", "/_sandbox/settings", {"Host": "localhost:1", "Origin": "http://localhost:1"}, 200),
        ("POST", "/clocks/clock_x", {"Origin": "https://evil.example"}, 403),
        ("POST", "/_sandbox/settings", {}, 200),
    ],
)
def test_requests__of_other_sites_pages__refused(own, method, path, headers, status):
    assert requests.request(method, own.url + path, headers=headers, timeout=30).status_code == status


@pytest.mark.parametrize("length", [b"Content-Length: -1", b"Content-Length: x", b"Transfer-Encoding: chunked"])
def test_requests__of_unknown_length__refused_at_once(own, length):
    with socket.create_connection(("127.0.0.1", int(own.url.rpartition(":")[2])), timeout=10) as connection:
        connection.sendall(b"POST /v1/customers HTTP/1.1\r\nHost: localhost\r\n" + length + b"\r\n\r\n")

        assert connection.recv(100).startswith(b"HTTP/1.1 400")


def test_pages__of_what_is_there__escape_what_they_show(own):
    api = client_of(own).v1
    customer = api.customers.create({"name": "<script>alert(1)</script>"})
    World(api).clock()

    for path in ("/", "/objects/customer", f"/object/{customer.id}", "/objects/event", "/deliveries", "/clocks"):
        page = requests.get(own.url + path, timeout=30)
        assert page.status_code == 200, path
        assert "<script" not in page.text
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert requests.get(f"{own.url}/nowhere", timeout=30).status_code == 404


def test_invoice_page_and_pdf__show_the_number(own):
    world = World(client_of(own).v1)
    subscription = world.subscribe(world.customer(), world.price(), expand=["latest_invoice"])
    invoice = subscription.latest_invoice

    page, pdf = requests.get(invoice.hosted_invoice_url, timeout=30), requests.get(invoice.invoice_pdf, timeout=30)

    assert invoice.number in page.text
    assert pdf.headers["Content-Type"] == "application/pdf"
    assert pdf.content.startswith(b"%PDF-1.4")
    assert invoice.number.encode() in pdf.content


def test_meter_errors__of_an_unknown_customer__are_reported(own):
    api = client_of(own).v1
    meter = api.billing.meters.create(
        {"display_name": "Calls", "event_name": "calls", "default_aggregation": {"formula": "count"}}
    )

    api.billing.meter_events.create(
        {"event_name": meter.event_name, "payload": {"stripe_customer_id": "cus_nobody"}, "identifier": "x"}
    )

    report = requests.get(f"{own.url}/_sandbox/meter_errors", timeout=30).json()
    assert [(row["identifier"], row["code"]) for row in report] == [("x", "meter_event_customer_not_found")]
