"""Who goes first, and whether they are well afterward."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from django.db import DatabaseError

from apps.core.errors import DomainError, first_line
from apps.tenancy.context import use
from apps.tenancy.planes import tenant_models
from apps.tenancy.schemas.release import Release
from apps.tenants.models import Tenant
from apps.tenants.schemas import WARM, Place

from .likeness import differences
from .survey import Found

SHOWN = 3  # differences
ORDER = (WARM, "schema", "pool", "database")  # nobody is harmed in a warm schema


def choose(behind: Sequence[Found], number: int) -> list[Found]:
    """So many of each kind in turn, those without tenants and the smallest first."""
    by_kind: dict[str, list[Found]] = defaultdict(list)
    for found in sorted(behind, key=lambda found: len(found.place.tenants)):
        by_kind[found.place.kind].append(found)
    chosen: list[Found] = []
    while len(chosen) < min(number, len(behind)):
        for kind in ORDER:
            if by_kind[kind] and len(chosen) < number:
                chosen.append(by_kind[kind].pop(0))
    return chosen


def ailments(release: Release, places: Sequence[Place]) -> dict[Place, str]:
    """What is wrong with migrated places: their shape, or that the running code cannot read them."""
    unlike = differences(release, places)
    found = {place: f"It is unlike a new schema: {'; '.join(lines[:SHOWN])}" for place, lines in unlike.items()}
    for place in places:
        if place not in found and (ailment := _unreadable(place)):
            found[place] = ailment
    return found


def _unreadable(place: Place) -> str:
    """Read a row of each model as a request would, for the first tenant that lives there."""
    for tenant_id in place.tenants[:1]:
        try:
            with use(Tenant.context_for_id(tenant_id)):
                for model in tenant_models():
                    list(model.objects.all()[:1])
        except (DatabaseError, DomainError) as error:
            return f"The running code cannot read it: {first_line(error)}"
    return ""
