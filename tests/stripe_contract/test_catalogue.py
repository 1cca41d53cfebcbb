"""Products, prices, features, coupons, tax rates."""

from __future__ import annotations

import uuid

import pytest
import stripe

TIERS = [{"up_to": 10, "unit_amount": 500}, {"up_to": "inf", "unit_amount": 300, "flat_amount": 1000}]


def test_product__made_changed_and_deleted__is_gone(api):
    product = api.products.create(
        {"name": "Pro", "metadata": {"tier": "pro"}, "marketing_features": [{"name": "Fast"}]}
    )
    changed = api.products.update(product.id, {"description": "The better one", "metadata": {"tier": "", "rank": "2"}})

    assert changed.metadata.to_dict() == {"rank": "2"}
    assert api.products.delete(product.id).deleted
    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.products.retrieve(product.id)
    assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")


def test_product__with_default_price__comes_with_it(api):
    product = api.products.create(
        {
            "name": "Pro",
            "default_price_data": {"currency": "eur", "unit_amount": 900, "recurring": {"interval": "year"}},
            "expand": ["default_price"],
        }
    )

    assert (product.default_price.unit_amount, product.default_price.recurring.interval) == (900, "year")


def test_feature__attached_to_product__is_listed(api):
    feature = api.entitlements.features.create({"name": "SSO", "lookup_key": f"sso-{uuid.uuid4().hex[:8]}"})
    product = api.products.create({"name": "Enterprise"})

    attached = api.products.features.create(product.id, {"entitlement_feature": feature.id})

    assert [row.entitlement_feature.id for row in api.products.features.list(product.id).data] == [feature.id]
    api.products.features.delete(product.id, attached.id)
    assert not api.products.features.list(product.id).data


def test_price__tiered__tiers_appear_when_expanded(api, world):
    price = world.price(billing_scheme="tiered", tiers_mode="graduated", tiers=TIERS)

    assert "tiers" not in price
    expanded = api.prices.retrieve(price.id, {"expand": ["tiers"]})
    assert [(tier.up_to, tier.unit_amount, tier.flat_amount) for tier in expanded.tiers] == [
        (10, 500, None),
        (None, 300, 1000),
    ]


def test_price__in_several_currencies__charges_the_customers(api, world):
    price = world.price(1000, currency_options={"eur": {"unit_amount": 900}, "jpy": {"unit_amount": 1500}})

    subscription = api.subscriptions.create(
        {
            "customer": world.customer().id,
            "items": [{"price": price.id}],
            "currency": "jpy",
            "expand": ["latest_invoice"],
        }
    )

    assert (subscription.latest_invoice.currency, subscription.latest_invoice.total) == ("jpy", 1500)


def test_price__lookup_key__is_found_and_moves_only_when_told(api, world):
    key = f"key-{uuid.uuid4().hex[:8]}"
    first = world.price(lookup_key=key)
    with pytest.raises(stripe.InvalidRequestError):
        world.price(lookup_key=key)

    second = world.price(lookup_key=key, transfer_lookup_key=True)

    assert [price.id for price in api.prices.list({"lookup_keys": [key]}).data] == [second.id]
    assert api.prices.retrieve(first.id).lookup_key is None


@pytest.mark.parametrize(
    "broken",
    [
        {"unit_amount": -1},
        {"tiers": TIERS, "unit_amount": 5},
        {"billing_scheme": "tiered", "tiers_mode": "volume", "tiers": [{"up_to": 5, "unit_amount": 1}]},
        {"unit_amount": 5, "recurring": {"interval": "year", "interval_count": 9}},
    ],
)
def test_price__makes_no_sense__refused(api, broken):
    product = api.products.create({"name": "Pro"})

    with pytest.raises(stripe.InvalidRequestError) as refused:
        api.prices.create({"currency": "usd", "product": product.id, **broken})

    assert refused.value.http_status == 400


def test_coupon__forever_in_percent__reduces_each_invoice(api, world):
    coupon = api.coupons.create({"percent_off": 25, "duration": "forever", "name": "Quarter"})

    subscription = world.subscribe(
        world.customer(), world.price(2000), discounts=[{"coupon": coupon.id}], expand=["latest_invoice", "discounts"]
    )

    assert subscription.latest_invoice.total == 1500
    assert subscription.latest_invoice.total_discount_amounts[0].amount == 500
    assert subscription.discounts[0].source.coupon == coupon.id
    assert api.coupons.retrieve(coupon.id).times_redeemed == 1


def test_coupon__once__is_used_up_by_the_first_invoice(api, world):
    clock = world.clock("2027-01-01")
    coupon = api.coupons.create({"amount_off": 500, "currency": "usd", "duration": "once"})
    subscription = world.subscribe(world.customer(clock=clock), world.price(2000), discounts=[{"coupon": coupon.id}])

    world.advance(clock, "2027-02-02")

    assert [invoice.total for invoice in world.invoices(subscription)] == [1500, 2000]


def test_coupon__repeating__ends_after_its_months(api, world):
    clock = world.clock("2027-01-01")
    coupon = api.coupons.create({"percent_off": 50, "duration": "repeating", "duration_in_months": 2})
    subscription = world.subscribe(world.customer(clock=clock), world.price(2000), discounts=[{"coupon": coupon.id}])

    world.advance(clock, "2027-03-02")

    assert [invoice.total for invoice in world.invoices(subscription)] == [1000, 1000, 2000]


def test_coupon__for_one_product__leaves_others_alone(api, world):
    dear, cheap = world.price(2000), world.price(1000)
    coupon = api.coupons.create(
        {"percent_off": 100, "duration": "forever", "applies_to": {"products": [cheap.product]}}
    )

    subscription = api.subscriptions.create(
        {
            "customer": world.customer().id,
            "items": [{"price": dear.id}, {"price": cheap.id}],
            "discounts": [{"coupon": coupon.id}],
            "expand": ["latest_invoice"],
        }
    )

    assert subscription.latest_invoice.total == 2000


def test_promotion_code__redeemed_to_its_limit__refused(api, world):
    coupon = api.coupons.create({"percent_off": 10, "duration": "forever"})
    code = api.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}, "max_redemptions": 1})
    world.subscribe(world.customer(), world.price(), discounts=[{"promotion_code": code.id}])

    with pytest.raises(stripe.InvalidRequestError):
        world.subscribe(world.customer(), world.price(), discounts=[{"promotion_code": code.id}])

    assert api.promotion_codes.retrieve(code.id).times_redeemed == 1
    assert [found.id for found in api.promotion_codes.list({"code": code.code.lower()}).data] == [code.id]


def test_tax_rates__inclusive_and_exclusive__stand_on_the_invoice(api, world):
    exclusive = api.tax_rates.create({"display_name": "VAT", "percentage": 19, "inclusive": False, "country": "DE"})
    inclusive = api.tax_rates.create({"display_name": "VAT", "percentage": 25, "inclusive": True})

    on_top = world.subscribe(
        world.customer(), world.price(1000), default_tax_rates=[exclusive.id], expand=["latest_invoice"]
    ).latest_invoice
    within = world.subscribe(
        world.customer(), world.price(1000), default_tax_rates=[inclusive.id], expand=["latest_invoice"]
    ).latest_invoice

    assert (on_top.total, on_top.total_excluding_tax, on_top.total_taxes[0].amount) == (1190, 1000, 190)
    assert (within.total, within.total_excluding_tax, within.total_taxes[0].amount) == (1000, 800, 200)
    assert on_top.lines.data[0].taxes[0].tax_rate_details.tax_rate == exclusive.id


def test_automatic_tax__customer_with_address__taxed_by_place(api, world):
    german = world.customer(address={"country": "DE", "postal_code": "10115"})

    invoice = world.subscribe(
        german, world.price(1000, tax_behavior="exclusive"), automatic_tax={"enabled": True}, expand=["latest_invoice"]
    ).latest_invoice

    assert (invoice.automatic_tax.status, invoice.total_taxes[0].amount) == ("complete", 190)


def test_automatic_tax__no_address__refused(api, world):
    with pytest.raises(stripe.InvalidRequestError) as refused:
        world.subscribe(world.customer(), world.price(), automatic_tax={"enabled": True})

    assert refused.value.code == "customer_tax_location_invalid"
