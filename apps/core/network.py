"""Where a request comes from, as far as we trust those who say so."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from django.conf import settings
from django.http import HttpRequest


def client_ip(request: HttpRequest) -> str | None:
    """The address that the outermost of our own TRUSTED_PROXIES saw; what clients claim beyond it is ignored."""
    return client_ip_in(request.META)


def client_ip_in(environ: Mapping[str, Any]) -> str | None:
    """The same, of a request that Django has not seen yet."""
    hops = [part.strip() for part in environ.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
    hops.append(environ.get("REMOTE_ADDR", ""))
    claimed = hops[-1 - min(settings.TRUSTED_PROXIES, len(hops) - 1)]
    try:
        return str(ip_address(claimed.rpartition("%")[0] or claimed))
    except ValueError:
        return None


def network_of(ip: str | None) -> str:
    """What one customer of a provider has: an IPv4 address, or an IPv6 /64."""
    if ip is None:
        return "unknown"
    address = ip_address(ip)
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ip_network((address, 64), strict=False))
    return str(address)
