"""Arithmetic of money and time, for any amounts, tiers, anchors and intervals."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.stripe_sandbox.core.money import digits, period_amount, rounded, shared_out, shown
from apps.stripe_sandbox.core.periods import boundary, configured_anchor, next_boundary
from apps.stripe_sandbox.invoices.totals import balance

INTERVALS = st.sampled_from(["day", "week", "month", "year"])
MOMENTS = st.integers(
    int(datetime(2020, 1, 1, tzinfo=UTC).timestamp()), int(datetime(2036, 1, 1, tzinfo=UTC).timestamp())
)


def tiered(mode, tiers):
    return {
        "billing_scheme": "tiered",
        "tiers_mode": mode,
        "_tiers": [
            {"up_to": up_to, "unit_amount_decimal": str(unit), "flat_amount_decimal": str(flat)}
            for up_to, unit, flat in tiers
        ],
    }


TIERS = st.lists(st.tuples(st.integers(1, 50), st.integers(0, 900), st.integers(0, 500)), min_size=1, max_size=5).map(
    lambda rows: [
        (sum(row[0] for row in rows[: number + 1]) if number < len(rows) - 1 else None, unit, flat)
        for number, (_, unit, flat) in enumerate(rows)
    ]
)


@given(tiers=TIERS, quantity=st.integers(0, 400))
def test_graduated_tiers__sum_over_single_units(tiers, quantity):
    total, unit_number = tiers[0][2], 0
    entered = {0}
    for unit_number in range(1, quantity + 1):
        index = next(number for number, (up_to, _, _) in enumerate(tiers) if up_to is None or unit_number <= up_to)
        total += tiers[index][1] + (tiers[index][2] if index not in entered else 0)
        entered.add(index)

    assert period_amount(tiered("graduated", tiers), quantity) == total


@given(tiers=TIERS, quantity=st.integers(0, 400))
def test_volume_tiers__one_price_for_all_units(tiers, quantity):
    unit, flat = next((unit, flat) for up_to, unit, flat in tiers if up_to is None or quantity <= up_to)

    assert period_amount(tiered("volume", tiers), quantity) == unit * quantity + flat


@given(amount=st.decimals(0, 1000, places=6), quantity=st.integers(0, 10_000))
def test_unit_price_in_fractions__rounded_once(amount, quantity):
    price = {"billing_scheme": "per_unit", "unit_amount_decimal": str(amount)}

    assert abs(period_amount(price, quantity) - Fraction(amount) * quantity) <= Fraction(1, 2)


@given(divide=st.integers(1, 100), quantity=st.integers(0, 1000), how=st.sampled_from(["up", "down"]))
def test_packages__whole_ones_only(divide, quantity, how):
    price = {
        "billing_scheme": "per_unit",
        "unit_amount_decimal": "7",
        "transform_quantity": {"divide_by": divide, "round": how},
    }

    packages = quantity // divide if how == "down" else -(-quantity // divide)
    assert period_amount(price, quantity) == 7 * packages


@given(value=st.fractions())
def test_rounding__to_the_nearest_and_symmetric(value):
    assert abs(rounded(value) - value) <= Fraction(1, 2)
    assert rounded(-value) == -rounded(value)


@given(total=st.integers(0, 10**9), weights=st.lists(st.integers(0, 10**6), min_size=1, max_size=20))
def test_discount_shares__lose_no_unit(total, weights):
    shares = shared_out(total, weights)

    assert sum(shares) == (total if sum(weights) else 0)
    assert all(
        abs(share - Fraction(total * weight, sum(weights))) < 1
        for share, weight in zip(shares, weights, strict=True)
        if sum(weights)
    )


@given(total=st.integers(-(10**6), 10**6), starting=st.integers(-(10**6), 10**6))
def test_credit_balance__nothing_is_lost(total, starting):
    invoice = {"total": total, "currency": "usd", "amount_paid": 0}

    ending = balance(invoice, starting)

    assert invoice["amount_due"] + ending == total + starting
    assert invoice["amount_due"] >= 0
    assert invoice["amount_due"] == 0 or invoice["amount_due"] >= 50


@pytest.mark.parametrize(
    ("currency", "places", "text"), [("usd", 2, "$12,345.67"), ("jpy", 0, "¥1,234,567"), ("kwd", 3, "1,234.567 KWD")]
)
def test_currencies__have_their_digits(currency, places, text):
    assert digits(currency) == places
    assert shown(1_234_567, currency) == text


@given(anchor=MOMENTS, interval=INTERVALS, count=st.integers(1, 12), number=st.integers(-40, 40))
def test_boundaries__ascend_and_keep_the_anchors_day(anchor, interval, count, number):
    moment, following = boundary(anchor, interval, count, number), boundary(anchor, interval, count, number + 1)

    assert moment < following
    start, found = datetime.fromtimestamp(anchor, UTC), datetime.fromtimestamp(moment, UTC)
    assert (found.hour, found.minute, found.second) == (start.hour, start.minute, start.second)
    if interval in ("month", "year"):
        assert found.day == min(start.day, calendar.monthrange(found.year, found.month)[1])
    else:
        assert (found - start) % timedelta(days=1) == timedelta(0)


@given(anchor=MOMENTS, interval=INTERVALS, count=st.integers(1, 12), after=MOMENTS)
def test_next_boundary__is_the_first_one_later(anchor, interval, count, after):
    found = next_boundary(anchor, interval, count, after)

    length = count * 86_400 * {"day": 1, "week": 7, "month": 30, "year": 365}[interval]
    near = (after - anchor) // length
    between = [
        moment
        for number in range(near - 6, near + 7)
        if after < (moment := boundary(anchor, interval, count, number)) < found
    ]
    assert found > after
    assert not between


@given(
    now=MOMENTS,
    day=st.integers(1, 31),
    interval=st.sampled_from(["month", "year"]),
    month=st.one_of(st.none(), st.integers(1, 12)),
)
def test_configured_anchor__next_such_day(now, day, interval, month):
    config = {"day_of_month": day} | ({"month": month} if month and interval == "year" else {})

    found = datetime.fromtimestamp(configured_anchor(now, config, interval), UTC)

    assert found.timestamp() >= now
    assert found.day == min(day, calendar.monthrange(found.year, found.month)[1])
    assert "month" not in config or found.month == month
    assert found - datetime.fromtimestamp(now, UTC) <= timedelta(days=366 if "month" in config else 31)


def test_leap_day__comes_back():
    anchor = int(datetime(2024, 2, 29, 8, tzinfo=UTC).timestamp())

    days = [datetime.fromtimestamp(boundary(anchor, "year", 1, number), UTC).date().isoformat() for number in range(5)]

    assert days == ["2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"]
