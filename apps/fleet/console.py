"""What the commands of the fleet have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from apps.core.errors import first_line
from apps.tenancy.context import CONTROL_ALIAS, control
from apps.tenancy.errors import DatabaseNotConfigured, SchemaChangedMeanwhile, SchemaDiverged

from .services import control_plane

INCOMPLETE = 3
NOT_POSSIBLE = (DatabaseNotConfigured, Error, psycopg.Error, SchemaChangedMeanwhile, SchemaDiverged)


@contextmanager
def in_one_line() -> Iterator[None]:
    """Say in one line why something is not possible."""
    try:
        yield
    except NOT_POSSIBLE as error:
        raise CommandError(first_line(error)) from error


def migrate_control_plane(this: BaseCommand, *, verbosity: int = 0) -> None:
    """Migrate the tables that all organizations share, and check that no tenant's table is among them."""
    control_plane.migrate_control(verbosity=verbosity)
    with control("check the public schema"):
        this.check(tags=[Tags.models, Tags.database], databases=[CONTROL_ALIAS])
