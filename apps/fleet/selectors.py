"""Reads about fleet migrations."""

from __future__ import annotations

from apps.tenancy.context import control

from .models import MigrationRun, Quarantine


def recent_runs(number: int) -> list[MigrationRun]:
    """The last runs, newest first, with their waves."""
    with control("list fleet migrations"):
        return list(MigrationRun.objects.prefetch_related("waves")[:number])


def quarantine(limit: int) -> tuple[int, list[Quarantine]]:
    """How many schemas are in quarantine, and those that have been there longest."""
    with control("list the quarantine"):
        return Quarantine.objects.count(), list(Quarantine.objects.all()[:limit])
