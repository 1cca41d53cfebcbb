"""The process that runs our project: ``python -m tests.bench.ours``, see ``tests.bench.worker``."""

from __future__ import annotations

from typing import Any

import django

from ..proxy import lead_through
from ..worker import serve

PROXY = lead_through("DATABASE_URL")
django.setup()

from .. import units  # noqa: E402
from . import directory, listing, messages, processor, scale, tenants  # noqa: E402
from .site import OurSite  # noqa: E402


def found_leak_tenants(pooled: int, own_schema: int) -> None:
    """Make the tenants of the leak benchmark."""
    OurSite(pooled, own_schema).create_organization()


def leaks(pooled: int, own_schema: int, **how: int) -> dict[str, Any]:
    """Run the leak benchmark's units of work."""
    return units.run(OurSite(pooled, own_schema), **how)


serve(
    {
        "prepare": tenants.prepare,
        "fill": tenants.fill,
        "emitters": tenants.emitters,
        "fill_store": tenants.fill_store,
        "creation_times": tenants.creation_times,
        "messages": lambda: messages.messages(PROXY),
        "found_leak_tenants": found_leak_tenants,
        "leaks": leaks,
        "listing": listing.listing,
        "crowd": listing.crowd,
        "processor": processor.processor,
        "found": scale.found,
        "settle": scale.settle,
        "jobs": scale.jobs,
        "run_job": scale.run_job,
        "run_command": scale.run_command,
        "act": scale.act,
        "unsealed": scale.unsealed,
        "fill_directory": directory.fill,
        "directory": directory.directory,
    }
)
