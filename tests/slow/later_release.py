"""A release to come that has one migration of each sort: replayed, one by one, outside of transactions."""

from __future__ import annotations

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import models
from django.db.migrations import AddField, Migration, RunPython
from django.db.migrations.operations.base import Operation

from apps.tenancy.planes import TENANT
from apps.tenancy.schemas.release import Release, this_release
from tests.support.releases import add_color, create_label


def build() -> Release:
    """The same in every process."""
    size = AddField("project", "size", models.IntegerField(null=True))
    index = AddIndexConcurrently("project", models.Index(fields=["color"], name="projects_color_index"))
    return this_release().followed_by(
        _migration("later_1", add_color(), create_label()),
        _migration("later_2", RunPython(_nothing, hints={"plane": TENANT})),
        _migration("later_3", size, index, atomic=False),
    )


def _migration(name: str, *operations: Operation, atomic: bool = True) -> Migration:
    migration = Migration(name, "projects")
    migration.operations, migration.atomic = list(operations), atomic
    return migration


def _nothing(apps: object, schema_editor: object) -> None:
    """Changes no rows."""
