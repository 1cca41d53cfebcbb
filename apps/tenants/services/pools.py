"""Which pools take new organizations."""

from __future__ import annotations

import structlog

from apps.audit import services as audit
from apps.audit.actors import Actor
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic

from ..errors import PoolNotFound
from ..models import Pool

log = structlog.get_logger(__name__)


def set_open(*, number: int, is_open: bool, actor: Actor) -> Pool:
    """Have a pool take new organizations, or none any more; those in it stay. Raises PoolNotFound."""
    with control("open or close a pool"), atomic():
        pool = Pool.objects.select_for_update().filter(number=number).first()
        if pool is None:
            raise PoolNotFound
        if pool.is_open != is_open:
            pool.is_open = is_open
            pool.save(update_fields=["is_open"])
            audit.record("pool.opened" if is_open else "pool.closed", actor=actor, resource=pool)
            log.info("pool_set", pool=pool.schema, is_open=is_open)
    return pool
