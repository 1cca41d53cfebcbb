"""Where the replica of a tenant's own database is."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import structlog

from apps.audit import services as audit
from apps.audit.actors import Actor
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic

from .. import directory
from ..errors import InvalidReplicaAddress, NoOwnDatabase
from ..models import TenantDatabase

log = structlog.get_logger(__name__)

ADDRESS = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")
LONGEST = 260


def set_replica(*, slug: str, address: str, actor: Actor) -> TenantDatabase:
    """Let safe requests read from the streaming replica at ``host:port``; from none if that is empty.

    Name, user and password are those of the database itself, as in every streaming replica. Raises NoOwnDatabase,
    InvalidReplicaAddress.
    """
    if address and not _can_be_opened(address):
        raise InvalidReplicaAddress(field="address")
    with control("set replica"), atomic():
        found = TenantDatabase.objects.select_for_update(of=("self",)).select_related("tenant")
        database = found.filter(tenant__slug=slug).first()
        if database is None:
            raise NoOwnDatabase
        before = database.replica_address
        if before != address:
            database.replica_address, database.version = address, database.version + 1
            database.save(update_fields=["replica_address", "version"])
            directory.changed(database.tenant_id)
            tenant, changes = database.tenant, {"replica_address": [before, address]}
            audit.record("tenant.replica_set", actor=actor, resource=tenant, tenant_id=tenant.id, changes=changes)
            log.info("tenant_replica_set", tenant=tenant.slug, tenant_id=str(tenant.id), address=address)
    return database


def _can_be_opened(address: str) -> bool:
    """Whether it is an address at all: who cannot make a connection of it cannot serve the organization either."""
    if len(address) > LONGEST or not ADDRESS.fullmatch(address):
        return False
    try:
        return bool(urlsplit(f"//{address}").port)
    except ValueError:  # a port above 65535, or no address of IPv6 between the brackets
        return False
