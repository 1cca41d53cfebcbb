"""The process that runs the stock project: ``python -m tests.bench.stock``, see ``tests.bench.worker``."""

from __future__ import annotations

from typing import Any

import django

from ..proxy import lead_through
from ..worker import serve

PROXY = lead_through("DATABASE_URL")
django.setup()

from .. import units  # noqa: E402
from . import listing, messages, processor, tenants  # noqa: E402
from .site import StockSite  # noqa: E402


def found_leak_tenants(tenants: int) -> None:
    """Make the tenants of the leak benchmark."""
    StockSite(tenants).create_organization()


def leaks(tenants: int, **how: int) -> dict[str, Any]:
    """Run the leak benchmark's units of work."""
    return units.run(StockSite(tenants), **how)


serve(
    {
        "prepare": tenants.prepare,
        "fill": tenants.fill,
        "save_times": tenants.save_times,
        "messages": lambda: messages.messages(PROXY),
        "found_leak_tenants": found_leak_tenants,
        "leaks": leaks,
        "listing": listing.listing,
        "processor": processor.processor,
    }
)
