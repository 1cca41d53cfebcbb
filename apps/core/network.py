"""Where a request comes from, as far as we trust those who say so."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest


def client_ip(request: HttpRequest) -> str | None:
    """The address that the outermost of our own TRUSTED_PROXIES saw; what clients claim beyond it is ignored."""
    hops = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
    hops.append(request.META.get("REMOTE_ADDR", ""))
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
