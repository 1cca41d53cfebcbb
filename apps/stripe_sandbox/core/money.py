"""Integer money. Fractions are exact until the one rounding at the end."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

ZERO_DECIMAL = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf ugx vnd vuv xaf xof xpf".split())
THREE_DECIMAL = frozenset("bhd jod kwd omr tnd".split())
TWO_DECIMAL = frozenset(
    (
        "usd aed all amd aud azn bam bbd bdt bgn bmd bnd bob brl bsd bwp byn bzd cad chf cny cop crc czk dkk dop dzd "
        "egp etb eur fjd gbp gel gip gtq gyd hkd hnd huf idr ils inr isk jmd kes kgs khr kyd kzt lbp lkr mad mdl mkd "
        "mmk mop mur mvr mxn myr nad ngn nok npr nzd pab pen php pkr pln qar ron rsd sar scr sek sgd thb try ttd twd "
        "tzs uah uyu uzs xcd zar "
    ).split()
)
CURRENCIES = ZERO_DECIMAL | THREE_DECIMAL | TWO_DECIMAL


def rounded(value: Fraction | Decimal) -> int:
    """To the nearest unit, halves away from zero."""
    fraction = Fraction(value)
    whole = (abs(fraction) * 2 + 1) // 2
    return int(whole) if fraction >= 0 else -int(whole)


def digits(currency: str) -> int:
    """Digits after the point."""
    return 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2


def shown(amount: int, currency: str) -> str:
    """An amount for people: `€12.50`, `¥1,000`, `12.50 CHF`."""
    places = digits(currency)
    text = f"{abs(amount) / 10**places:,.{places}f}" if places else f"{abs(amount):,}"
    sign = "−" if amount < 0 else ""
    symbol = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}.get(currency)
    return f"{sign}{symbol}{text}" if symbol else f"{sign}{text} {currency.upper()}"


def every(recurring: dict[str, Any]) -> str:
    """`month`, `3 months`."""
    count = recurring["interval_count"]
    return str(recurring["interval"]) if count == 1 else f"{count} {recurring['interval']}s"


def unit_price(price: dict[str, Any], quantity: Fraction) -> Fraction:
    """What a quantity of a price costs in one period, exact. Stripe rounds it once, at the end."""
    if price["billing_scheme"] == "tiered":
        tiers = price["_tiers"]
        return _volume(tiers, quantity) if price["tiers_mode"] == "volume" else _graduated(tiers, quantity)
    transform = price.get("transform_quantity")
    if transform:
        packages = quantity / transform["divide_by"]
        whole = packages.numerator // packages.denominator
        quantity = Fraction(whole if transform["round"] == "down" or whole == packages else whole + 1)
    return _decimal(price["unit_amount_decimal"]) * quantity


def period_amount(price: dict[str, Any], quantity: int | Fraction) -> int:
    """What a quantity of a price costs in one period."""
    return rounded(unit_price(price, Fraction(quantity)))


def _volume(tiers: list[dict[str, Any]], quantity: Fraction) -> Fraction:
    """All units at the price of the tier that the quantity falls in."""
    tier = next(tier for tier in tiers if tier["up_to"] is None or quantity <= tier["up_to"])
    return _decimal(tier["unit_amount_decimal"]) * quantity + _decimal(tier["flat_amount_decimal"])


def _graduated(tiers: list[dict[str, Any]], quantity: Fraction) -> Fraction:
    """Each unit at the price of its own tier; the first tier's flat amount is due even for nothing."""
    total, below = Fraction(0), Fraction(0)
    for index, tier in enumerate(tiers):
        if index and quantity <= below:
            break
        upper = quantity if tier["up_to"] is None else min(quantity, Fraction(tier["up_to"]))
        total += _decimal(tier["unit_amount_decimal"]) * (upper - below) + _decimal(tier["flat_amount_decimal"])
        below = upper
    return total


def _decimal(text: str | None) -> Fraction:
    return Fraction(text or "0")


def shared_out(total: int, weights: list[int]) -> list[int]:
    """A total distributed by weight, without a unit lost: the largest remainders get the rest."""
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    exact = [Fraction(total * weight, whole) for weight in weights]
    shares = [value.numerator // value.denominator for value in exact]
    rest = total - sum(shares)
    for index in sorted(range(len(weights)), key=lambda index: shares[index] - exact[index])[:rest]:
        shares[index] += 1
    return shares
