"""Who goes first, and whether they are well afterward."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from django.db import DatabaseError

from apps.core.errors import DomainError, first_line
from apps.tenancy.context import use
from apps.tenancy.planes import tenant_models
from apps.tenancy.schemas.release import Release
from apps.tenants.locations import WARM, SchemaLocation
from apps.tenants.models import Tenant

from .likeness import differences
from .survey import SurveyedSchema

SHOWN = 3  # differences
ORDER = (WARM, "schema", "pool", "database")  # nobody is harmed in a warm schema


def choose(behind: Sequence[SurveyedSchema], number: int) -> list[SurveyedSchema]:
    """So many of each kind in turn, those without tenants and the smallest first."""
    by_kind: dict[str, list[SurveyedSchema]] = defaultdict(list)
    for found in sorted(behind, key=lambda found: len(found.location.tenants)):
        by_kind[found.location.kind].append(found)
    chosen: list[SurveyedSchema] = []
    while len(chosen) < min(number, len(behind)):
        for kind in ORDER:
            if by_kind[kind] and len(chosen) < number:
                chosen.append(by_kind[kind].pop(0))
    return chosen


def ailments(release: Release, locations: Sequence[SchemaLocation]) -> dict[SchemaLocation, str]:
    """What is wrong with migrated locations: their shape, or that the running code cannot read them."""
    unlike = differences(release, locations)
    found = {location: f"It is unlike a new schema: {'; '.join(lines[:SHOWN])}" for location, lines in unlike.items()}
    for location in locations:
        if location not in found and (ailment := _unreadable(location)):
            found[location] = ailment
    return found


def _unreadable(location: SchemaLocation) -> str:
    """Read a row of each model as a request would, for the first tenant that lives there."""
    for tenant_id in location.tenants[:1]:
        try:
            with use(Tenant.context_for_id(tenant_id)):
                for model in tenant_models():
                    list(model.objects.all()[:1])
        except (DatabaseError, DomainError) as error:
            return f"The running code cannot read it: {first_line(error)}"
    return ""
