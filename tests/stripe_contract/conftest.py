"""Clients of the sandbox, or of Stripe's test mode when STRIPE_SECRET_KEY=sk_test_… is given."""

from __future__ import annotations

import json
import os
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe

from apps.stripe_sandbox.server import Sandbox
from tests.stripe_contract.annotations import gaps
from tests.stripe_contract.world import World

SANDBOX_KEY = "sk_test_sandboxsandboxsandboxsandbox"


class CheckedClient(stripe.RequestsClient):
    """Every answer is held against stripe-python's annotations."""

    def request(self, method: str, url: str, headers: Any, post_data: Any = None) -> Any:
        body, status, answer_headers = super().request(method, url, headers, post_data)
        if status == 200:
            found = gaps(json.loads(body))
            assert not found, f"{method} {url}: " + "\n".join(found[:20])
        return body, status, answer_headers


@pytest.fixture(scope="session")
def real_key() -> str | None:
    key = os.environ.get("STRIPE_SECRET_KEY", "")
    # `make run` and the platform's tests set the key of a sandbox of their own.
    if key.startswith("sk_test_") and "STRIPE_SANDBOX_PORT" not in os.environ:
        return key
    warnings.warn("No STRIPE_SECRET_KEY=sk_test_…: the contract is tested against the sandbox only.", stacklevel=1)
    return None


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox for the whole run."""
    sandbox = Sandbox(tmp_path_factory.mktemp("stripe") / "data.sqlite3")
    thread = threading.Thread(target=sandbox.serve, daemon=True)
    thread.start()
    yield sandbox
    sandbox.stop()
    thread.join()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox of the test's own."""
    sandbox = Sandbox(tmp_path / "data.sqlite3")
    thread = threading.Thread(target=sandbox.serve, daemon=True)
    thread.start()
    yield sandbox
    sandbox.stop()
    thread.join()


def client_of(sandbox: Sandbox) -> stripe.StripeClient:
    return stripe.StripeClient(
        SANDBOX_KEY, base_addresses={"api": sandbox.url}, http_client=CheckedClient(), max_network_retries=0
    )


@pytest.fixture(scope="session")
def stripe_client(real_key: str | None, request: pytest.FixtureRequest) -> stripe.StripeClient:
    if real_key:
        return stripe.StripeClient(real_key, http_client=CheckedClient(), max_network_retries=2)
    return client_of(request.getfixturevalue("sandbox"))


@pytest.fixture
def api(stripe_client: stripe.StripeClient) -> Any:
    """The client's first version of the API."""
    return stripe_client.v1


@pytest.fixture
def world(api: Any) -> World:
    return World(api)


@pytest.fixture
def sandbox_only(real_key: str | None) -> None:
    if real_key:
        pytest.skip("only the sandbox has what this test needs")


def wait_until(condition: Any, seconds: float = 20) -> Any:
    """What the condition returns, once it is something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")
