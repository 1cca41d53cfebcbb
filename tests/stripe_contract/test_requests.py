"""Requests themselves: expansion, lists, search, idempotency, errors."""

from __future__ import annotations

import json
import time
import uuid

import pytest
import requests
import stripe

from tests.stripe_contract.conftest import SANDBOX_KEY, wait_until


def test_list__pages_both_ways__meet(api, world):
    email = f"{uuid.uuid4().hex}@example.com"
    made = [world.customer(card=None, email=email).id for _ in range(5)][::-1]

    first = api.customers.list({"email": email, "limit": 2})
    second = api.customers.list({"email": email, "limit": 2, "starting_after": first.data[-1].id})
    back = api.customers.list({"email": email, "limit": 2, "ending_before": second.data[0].id})

    assert [customer.id for customer in first.data + second.data] == made[:4]
    assert (first.has_more, second.has_more) == (True, True)
    assert [customer.id for customer in back.data] == made[:2]
    assert [customer.id for customer in api.customers.list({"email": email, "limit": 2}).auto_paging_iter()] == made


def test_list__created_range__filters(api, world):
    customer = world.customer(card=None)

    assert not api.customers.list({"email": customer.email, "created": {"gt": customer.created}}).data
    assert api.customers.list(
        {"email": customer.email, "created": {"gte": customer.created, "lte": customer.created}}
    ).data


def test_expand__in_objects_and_lists__objects_for_ids(api, world):
    subscription = world.subscribe(world.customer(), world.price())

    one = api.subscriptions.retrieve(
        subscription.id, {"expand": ["customer.invoice_settings.default_payment_method", "latest_invoice"]}
    )
    many = api.subscriptions.list(
        {"customer": subscription.customer, "expand": ["data.latest_invoice.payments.data.payment.payment_intent"]}
    )

    assert one.customer.invoice_settings.default_payment_method.card.last4 == "4242"
    assert many.data[0].latest_invoice.payments.data[0].payment.payment_intent.status == "succeeded"


def test_expand__what_is_no_reference__refused(api, world):
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        api.customers.retrieve(world.customer().id, {"expand": ["email"]})


def test_idempotency__same_key__answered_again_without_a_second_effect(api, world):
    key, email = uuid.uuid4().hex, f"{uuid.uuid4().hex}@example.com"

    first = api.customers.create({"email": email}, {"idempotency_key": key})
    second = api.customers.create({"email": email}, {"idempotency_key": key})

    assert first.id == second.id
    assert second.last_response.headers["Idempotent-Replayed"] == "true"
    assert len(api.customers.list({"email": email}).data) == 1


def test_idempotency__same_key_other_parameters__refused(api):
    key = uuid.uuid4().hex
    api.customers.create({"name": "Ada"}, {"idempotency_key": key})

    with pytest.raises(stripe.IdempotencyError):
        api.customers.create({"name": "Grace"}, {"idempotency_key": key})


def test_idempotency__declined_card__declined_again(api, world):
    key, before = (
        uuid.uuid4().hex,
        {
            "amount": 900,
            "currency": "usd",
            "payment_method": "pm_card_chargeDeclined",
            "payment_method_types": ["card"],
            "confirm": True,
        },
    )
    errors = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as refused:
            api.payment_intents.create(before, {"idempotency_key": key})
        errors.append(refused.value.json_body["error"]["payment_intent"]["id"])

    assert errors[0] == errors[1]


@pytest.mark.parametrize(
    ("call", "code", "param"),
    [
        (lambda api: api.customers.create({"colour": "blue"}), "parameter_unknown", "colour"),
        (
            lambda api: api.subscriptions.create({"customer": "cus_x", "items": [{"price": "p", "amount": 1}]}),
            "parameter_unknown",
            "items[0][amount]",
        ),
        (lambda api: api.prices.create({"product": "prod_x", "unit_amount": 1}), "parameter_missing", "currency"),
        (
            lambda api: api.prices.create({"currency": "usd", "unit_amount": "ten"}),
            "parameter_invalid_integer",
            "unit_amount",
        ),
        (lambda api: api.customers.create({"name": ["a"]}), None, "name"),
        (
            lambda api: api.prices.create({"currency": "usd", "unit_amount": 1, "billing_scheme": "weird"}),
            None,
            "billing_scheme",
        ),
        (lambda api: api.customers.retrieve("cus_missing"), "resource_missing", "id"),
        (
            lambda api: api.checkout.sessions.create({"mode": "setup", "success_url": "javascript:alert(1)"}),
            "url_invalid",
            "success_url",
        ),
        (
            lambda api: api.billing_portal.sessions.create({"customer": "cus_x", "return_url": "/relative"}),
            "url_invalid",
            "return_url",
        ),
        (lambda api: api.invoices.create({"customer": "cus_missing"}), "resource_missing", "customer"),
    ],
)
def test_error__names_code_and_parameter(api, call, code, param):
    with pytest.raises(stripe.InvalidRequestError) as refused:
        call(api)

    assert refused.value.http_status == (
        404 if code == "resource_missing" and param == "id" else refused.value.http_status
    )
    assert (refused.value.code, refused.value.param) == (code, param)
    assert refused.value.request_id.startswith("req_")


def test_search__by_metadata_and_status(api, world):
    mark = uuid.uuid4().hex
    subscription = world.subscribe(world.customer(), world.price(), metadata={"tenant": mark})

    found = wait_until(
        lambda: api.subscriptions.search({"query": f'status:"active" AND metadata["tenant"]:"{mark}"'}).data, 60
    )

    assert [row.id for row in found] == [subscription.id]
    assert not api.subscriptions.search({"query": f'-status:"active" AND metadata["tenant"]:"{mark}"'}).data
    with pytest.raises(stripe.InvalidRequestError):
        api.subscriptions.search({"query": "nonsense"})


def test_events__of_an_update__tell_what_was_before(api, world):
    customer = world.customer(card=None, metadata={"a": "1"})
    api.customers.update(customer.id, {"name": "Grace", "metadata": {"b": "2"}})

    event = next(event for event in world.events(customer.id, "customer.*") if event.type == "customer.updated")

    assert event.data.previous_attributes.to_dict() == {"name": "Ada Example", "metadata": {"b": None}}
    assert event.data.object.name == "Grace"
    assert event["request"].id.startswith("req_")


# -- what only the sandbox has to show


def raw(sandbox, path, *, key=SANDBOX_KEY, method="GET", data=None, **headers):
    """A request as no client of Stripe's would make it."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-www-form-urlencoded", **headers}
    answer = requests.request(method, f"{sandbox.url}{path}", data=data, headers=headers, timeout=30)
    return answer.status_code, answer.json()


@pytest.mark.parametrize(
    ("key", "status"),
    [("", 401), ("sk_live_0123456789abcdef01234567", 401), ("pk_test_x", 401), ("rubbish", 401), (SANDBOX_KEY, 200)],
)
def test_key__only_secret_test_keys(sandbox, key, status):
    assert raw(sandbox, "/v1/customers?limit=1", key=key)[0] == status


def test_route__stripe_has_it_and_the_sandbox_not__says_so(sandbox):
    status, body = raw(sandbox, "/v1/issuing/cards")

    assert (status, body["error"]["code"]) == (400, "sandbox_not_served")
    assert "LIMITS.md" in body["error"]["message"]


def test_route__nobody_has__404(sandbox):
    assert raw(sandbox, "/v1/unicorns")[0] == 404


def test_parameter__stripe_has_it_and_the_sandbox_not__says_so(sandbox):
    status, body = raw(
        sandbox, "/v1/customers", method="POST", data=b"cash_balance[settings][reconciliation_mode]=manual"
    )

    assert (status, body["error"]["code"], body["error"]["param"]) == (400, "sandbox_not_served", "cash_balance")


def test_version__another_one__refused(sandbox):
    assert raw(sandbox, "/v1/customers", **{"Stripe-Version": "2020-08-27"})[0] == 400


def test_json_body__refused(sandbox):
    assert raw(sandbox, "/v1/customers", method="POST", data=b"{}", **{"Content-Type": "application/json"})[0] == 400


def test_malformed_requests__answered_as_errors(sandbox):
    for body in (
        b"a[b=1",
        b"[]=1",
        b"email[x]=1",
        b"metadata=x",
        b"address[city][a]=1",
        b"\xff\xfe=1",
        b"metadata[k][z]=1",
        b"balance=99999999999999999999",
    ):
        assert raw(sandbox, "/v1/customers", method="POST", data=body)[0] == 400, body


@pytest.mark.parametrize(
    "query", ["created:'soon'", "created>'1.5'", f"created>{10**30}", f"created<'{10**30}'", "created~1x"]
)
def test_search__numbers_that_are_none__refused(api, query):
    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.customers.search({"query": query})

    assert refused.value.param == "query"


@pytest.mark.parametrize("page", ["LTM=", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", "x"])
def test_search__page_that_nobody_gave__refused(sandbox, page):
    status, body = raw(sandbox, f"/v1/customers/search?query=created>0&page={page}")

    assert (status, body["error"]["param"]) == (400, "page")


def test_moments_beyond_the_calendar__refused(sandbox, world):
    customer, price = world.customer().id, world.price().id
    subscription = f"customer={customer}&items[0][price]={price}"
    anchor, phase = f"{subscription}&billing_cycle_anchor_config", f"phases[0][items][0][price]={price}&phases[0]"
    duration = f"[duration][interval]=month&phases[0][duration][interval_count]={10**9}"
    for path, body in (
        ("/v1/test_helpers/test_clocks", f"frozen_time={10**14}"),
        ("/v1/subscriptions", f"{subscription}&cancel_at={10**14}"),
        ("/v1/subscriptions", f"{anchor}[day_of_month]=0"),
        ("/v1/subscriptions", f"{anchor}[day_of_month]=1&billing_cycle_anchor_config[hour]=24"),
        ("/v1/invoiceitems", f"customer={customer}&amount=1&currency=usd&period[start]=0&period[end]={10**14}"),
        ("/v1/subscription_schedules", f"customer={customer}&start_date=now&{phase}{duration}"),
    ):
        assert raw(sandbox, path, method="POST", data=body)[0] == 400, (path, body)


def test_rate_limit__on_demand__429_then_well(sandbox):
    raw(
        sandbox,
        "/_sandbox/fail",
        method="POST",
        data=json.dumps({"status": 429, "count": 1, "path": "/v1/coupons"}).encode(),
    )

    status, body = raw(sandbox, "/v1/coupons")
    assert (status, body["error"]["code"]) == (429, "rate_limit")
    assert raw(sandbox, "/v1/coupons")[0] == 200


def test_latency__on_demand__slow_then_well(sandbox):
    raw(sandbox, "/_sandbox/latency", method="POST", data=b'{"seconds": 0.2}')
    began = time.monotonic()
    raw(sandbox, "/v1/coupons")
    raw(sandbox, "/_sandbox/latency", method="POST", data=b'{"seconds": 0}')

    assert time.monotonic() - began >= 0.2
