"""Reads about organizations."""

from __future__ import annotations

from uuid import UUID

from apps.core.lookups import LookUp
from apps.tenancy.context import control

from . import slugs
from .models import Domain, Profile, Tenant, TenantDatabase

_by_host = LookUp[Tenant](lambda host: Tenant.objects.for_directory().filter(domains__domain=host), "host.example")
_by_id = LookUp[Tenant](lambda tenant_id: Tenant.objects.for_directory().filter(id=tenant_id), UUID(int=0))


def tenant_for_host(host: str) -> Tenant | None:
    """The tenant that answers at a host name, with all that a request must know of it."""
    with control("host lookup"):
        return _by_host(host)


def primary_domain(tenant_id: UUID) -> Domain:
    """The host name that links to a tenant are built with, and the tenant."""
    with control("build a link"):
        return Domain.objects.select_related("tenant").get(tenant_id=tenant_id, is_primary=True)


def all_tenants() -> list[Tenant]:
    with control("list tenants"):
        return list(Tenant.objects.with_placement())


def tenant_for_slug(slug: str) -> Tenant | None:
    with control("find tenant"):
        return Tenant.objects.with_placement().filter(slug=slug).first()


def free_slug(name: str) -> str:
    """The slug that an organization of this name would get now; empty if that is left to chance."""
    numbered = slugs.numbered(name)
    with control("check an address"):
        taken = set(Tenant.objects.filter(slug__in=numbered).values_list("slug", flat=True))
    return next((slug for slug in numbered if slug not in taken), "")


def tenant_by_id(tenant_id: UUID) -> Tenant | None:
    """The tenant, with all that a request must know of it."""
    with control("find tenant"):
        return _by_id(tenant_id)


def tenant_databases() -> list[TenantDatabase]:
    """Databases that belong to one tenant and are ready for use."""
    with control("list databases"):
        return list(TenantDatabase.objects.filter(built=True))


def profile_of(tenant_id: UUID) -> Profile:
    """The organization's profile; one that nobody has changed yet need not be stored."""
    with control("read a profile"):
        tenant = Tenant.objects.select_related("profile").get(id=tenant_id)
    stored: Profile | None = getattr(tenant, "profile", None)
    return stored or Profile(id=tenant.id, tenant=tenant, updated_at=tenant.created_at)
