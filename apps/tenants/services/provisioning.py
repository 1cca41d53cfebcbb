"""Giving an organization its placement: claimed from the store in a request, built by the provisioner otherwise."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import psycopg
from django.conf import settings
from django.db import IntegrityError, models
from django.db.models import F
from django.utils import timezone

from apps.audit import services as audit
from apps.audit.actors import Actor
from apps.tenancy import databases, outbox
from apps.tenancy.context import control
from apps.tenancy.schemas import blueprint, server
from apps.tenancy.transactions import atomic

from .. import room, slugs
from ..errors import IllegalTransition, NoRoom, SlugTaken, TenantNotFound
from ..models import Domain, Placement, Pool, Profile, Tenant, TenantDatabase
from . import schema_store

TENANT_REQUESTED = "tenants.requested"
TENANT_READY = "tenants.ready"
Kind = Placement.Kind


def open_tenant(*, name: str, kind: str, otherwise: str = "", locale: str = "", is_probe: bool = False) -> Tenant:
    """Insert a tenant with its address and claim a placement for it, in the caller's control-plane transaction.

    Without a free one the tenant stays in provisioning and the provisioner is asked to build one. ``otherwise`` is
    the placement that it gets when the server may have no more of the first. Raises NoRoom then if there is none,
    SlugTaken when no free address was found.
    """
    tenant = _insert_with_free_slug(name, kind, is_probe=is_probe)
    Domain.objects.create(tenant=tenant, domain=f"{tenant.slug}.{settings.BASE_DOMAIN}", is_primary=True)
    if locale not in ("", settings.LANGUAGE_CODE):  # which needs no row
        Profile.objects.create(tenant=tenant, locale=locale)
    _place(tenant, [Kind(kind), *([Kind(otherwise)] if otherwise not in ("", kind) else [])])
    return tenant


def finish(tenant_id: UUID) -> Tenant:
    """Build what an unfinished tenant waits for, unless it is ready by now. Raises TenantNotFound.

    Needs the owner's credentials; safe to repeat and to kill.
    """
    with control("finish provisioning"):
        tenant = _served(tenant_id)
        if tenant.status != Tenant.Status.PROVISIONING:
            return tenant
        if tenant.requested_placement == Kind.DATABASE:
            with databases.owner_lock(f"tenant {tenant_id}"):
                _build_database(tenant)
        else:
            schema_store.replenish(schemas=1, pool_places=1)
        return _served(tenant_id)


def look_after_store() -> None:
    """Keep the store full. Those who wait for something of it go first, and have what is built before it is stock."""
    _serve_waiting()
    schema_store.replenish(progress=lambda _: _serve_waiting())


def request_finish(*, tenant_id: UUID, actor: Actor) -> Tenant:
    """Ask the provisioner once more for what an unfinished tenant waits for. Raises IllegalTransition."""
    with control("resume provisioning"), atomic():
        tenant = Tenant.objects.select_for_update().filter(id=tenant_id).first()
        if tenant is None:
            raise TenantNotFound
        if tenant.status != Tenant.Status.PROVISIONING:
            raise IllegalTransition(f"The organization is {tenant.status}; there is nothing to provision.")
        outbox.emit(TENANT_REQUESTED, {}, tenant_id=tenant.id)
        audit.record("tenant.provisioning_requested", actor=actor, resource=tenant, tenant_id=tenant.id)
    return tenant


def unfinished() -> list[UUID]:
    """Tenants still waiting for their placement, oldest first."""
    with control("find unfinished tenants"):
        return list(_waiting().values_list("id", flat=True))


def _waiting() -> models.QuerySet[Tenant]:
    return Tenant.objects.filter(status=Tenant.Status.PROVISIONING).order_by("created_at")


def _serve_waiting() -> None:
    """Give what is ready to those who wait for it, the oldest first."""
    with control("serve those who wait"):
        for kind in (Kind.SCHEMA, Kind.POOL):
            first = _waiting().filter(requested_placement=kind).values_list("id", flat=True).first
            while (tenant_id := first()) and _served(tenant_id).status != Tenant.Status.PROVISIONING:
                pass


def _served(tenant_id: UUID) -> Tenant:
    """The tenant, with what it waits for if that is ready. Raises TenantNotFound."""
    with atomic():
        tenant = Tenant.objects.select_for_update().filter(id=tenant_id).first()
        if tenant is None:
            raise TenantNotFound
        if tenant.status == Tenant.Status.PROVISIONING:
            _claim(tenant)
    return tenant


def _insert_with_free_slug(name: str, kind: str, *, is_probe: bool) -> Tenant:
    for slug in slugs.candidates(name):
        try:
            with atomic():
                return Tenant.objects.create(
                    name=name,
                    slug=slug,
                    schema_name=blueprint.new_schema_name(),
                    requested_placement=kind,
                    is_probe=is_probe,
                )
        except IntegrityError as error:
            if "slug" not in str(error):
                raise
    raise SlugTaken


def _place(tenant: Tenant, kinds: list[Placement.Kind]) -> None:
    """Have the tenant claim a placement, or wait for one, of the first kind that there is room for. Raises NoRoom."""
    for kind in kinds:
        tenant.requested_placement = kind.value
        if _claim(tenant):
            return
        if room.can_be_built_for(tenant, kind):
            tenant.save(update_fields=["requested_placement"])
            outbox.emit(TENANT_REQUESTED, {}, tenant_id=tenant.id)
            return
    raise NoRoom


def _claim(tenant: Tenant) -> bool:
    """Give the tenant a placement that is ready, and make it ready with it."""
    claims = {Kind.SCHEMA: _claim_warm_schema, Kind.POOL: _claim_pool_place, Kind.DATABASE: _claim_database}
    placement = claims[Kind(tenant.requested_placement)](tenant)
    if placement is None:
        return False
    tenant.status = Tenant.Status.READY
    tenant.ready_at = placement.claimed_at
    tenant.save(update_fields=["requested_placement", "status", "ready_at"])
    tenant.placement = placement
    outbox.emit(TENANT_READY, {}, tenant_id=tenant.id)
    return True


def _claim_warm_schema(tenant: Tenant) -> Placement | None:
    warm = Placement.objects.warm().filter(built=True).order_by("created_at")
    placement = warm.select_for_update(skip_locked=True).first()
    if placement is not None:
        placement.tenant, placement.state, placement.claimed_at = tenant, Placement.State.USED, timezone.now()
        placement.save(update_fields=["tenant", "state", "claimed_at"])
    return placement


def _claim_pool_place(tenant: Tenant) -> Placement | None:
    pool = (_first_pool() if tenant.is_probe else None) or _pool_with_room()
    if pool is None:
        return None
    Pool.objects.filter(id=pool.id).update(tenant_count=F("tenant_count") + 1)
    return _placed(tenant, kind=Kind.POOL, pool=pool, schema=pool.schema)


def _first_pool() -> Pool | None:
    """Where probes live: those that are to attack each other have to be neighbors."""
    return Pool.objects.with_room().order_by("number").select_for_update().first()


def _pool_with_room() -> Pool | None:
    """The pool with the most room that nobody else is entering, else that with the most when they are in."""
    while Pool.objects.with_room().exists():
        pool = (
            Pool.objects.with_room().select_for_update(skip_locked=True).first()
            or Pool.objects.with_room().select_for_update().first()  # none if it filled up while we waited
        )
        if pool is not None:
            return pool
    return None


def _claim_database(tenant: Tenant) -> Placement | None:
    database = TenantDatabase.objects.filter(tenant=tenant, built=True).first()
    if database is None:
        return None
    return _placed(tenant, kind=Kind.DATABASE, database=database, schema=database.schema)


def _placed(tenant: Tenant, **where: Any) -> Placement:
    used = {"state": Placement.State.USED, "built": True, "claimed_at": timezone.now()}
    return Placement.objects.create(tenant=tenant, **used, **where)


def _build_database(tenant: Tenant) -> None:
    """Make the tenant's database, its login and its schema; every step finds what an earlier run left."""
    database = TenantDatabase.objects.filter(tenant=tenant).first() or _record_database(tenant)
    if database.built:
        return
    credentials = databases.parse_url(database.url.reveal())
    operator = settings.DATABASE_OPERATOR_ROLE
    with psycopg.connect(databases.owner_url(), autocommit=True) as connection:
        server.create_database(connection, database.name)
        server.ensure_login(connection, credentials["USER"], credentials["PASSWORD"])
    with psycopg.connect(databases.owner_url(database.name), autocommit=True) as connection:
        server.prepare_database(connection, login=credentials["USER"], operator=operator)
    owner = databases.owner_alias(database.name)
    if not blueprint.schema_exists(owner, database.schema):
        blueprint.build_schema(owner, database.schema, operator=operator)
    TenantDatabase.objects.filter(id=database.id).update(built=True)


def _record_database(tenant: Tenant) -> TenantDatabase:
    """Note name and credentials before anything is made, so that a kill leaves nothing unknown behind."""
    token = secrets.token_hex(8)
    name, login = f"tenant_{token}", f"tenant_{token}_login"
    server_url = urlsplit(databases.owner_url(name))
    address = server_url.netloc.rpartition("@")[2]
    url = server_url._replace(netloc=f"{login}:{secrets.token_urlsafe(32)}@{address}").geturl()
    TenantDatabase.objects.create(tenant=tenant, name=name, schema=f"t_{token}", url=url)
    return TenantDatabase.objects.get(name=name)
