"""A migration that locks people out, or breaks the release before it, is refused unless it says why it is safe."""

from __future__ import annotations

import secrets
import uuid

import pytest
from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint
from django.core.management import call_command
from django.db import models
from django.db.migrations import (
    AddConstraint,
    AddField,
    AddIndex,
    AlterField,
    CreateModel,
    DeleteModel,
    Migration,
    RemoveField,
    RenameField,
    RenameModel,
    RunPython,
    RunSQL,
    SeparateDatabaseAndState,
)
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.models.functions import Now, Random
from django.utils import timezone

from apps.tenancy.fields import GeneratedUUID
from apps.tenancy.schemas.migration_rules import objections

char = models.CharField
check = models.CheckConstraint(condition=~models.Q(name=""), name="named")
index = models.Index(fields=["name"], name="by_name")


class Mystery(Operation):
    """An operation from elsewhere."""

    def state_forwards(self, app_label: str, state: object) -> None:
        """Changes no model."""


FINE: dict[str, list[Operation]] = {
    "a new table": [CreateModel("Label", [("id", models.BigAutoField(primary_key=True))])],
    "a column of a new table": [
        CreateModel("Label", [("id", models.BigAutoField(primary_key=True))]),
        AddField("label", "name", char(max_length=9, default="")),
    ],
    "an empty column": [AddField("project", "color", char(max_length=9, null=True))],
    "a column with a default": [AddField("project", "color", char(max_length=9, default="", db_default=""))],
    "a column with a default of the moment": [AddField("project", "at", models.DateTimeField(db_default=Now()))],
    "a column with the same default each time": [
        AddField("project", "extra", models.JSONField(null=True, default=dict)),
        AddField("project", "seen_at", models.DateTimeField(null=True, default=timezone.now)),
    ],
    "a longer text": [AlterField("project", "name", char(max_length=2000))],
    "a text without a limit": [AlterField("project", "name", models.TextField())],
    "a column that may be empty now": [AlterField("project", "name", char(max_length=200, null=True))],
    "an index beside the traffic": [AddIndexConcurrently("project", index)],
    "a check of new rows": [AddConstraintNotValid("project", check)],
    "a check of old rows": [ValidateConstraint("project", "named")],
    "a change of data": [RunPython(RunPython.noop)],
    "another name in the code only": [
        AlterField("project", "name", char(max_length=200, db_column="name")),
        RenameField("project", "name", "title"),
    ],
    "a column that the code forgets": [SeparateDatabaseAndState([], [RemoveField("project", "description")])],
}
REFUSED: dict[str, tuple[list[Operation], str]] = {
    "a column without a default": ([AddField("project", "color", char(max_length=9, default=""))], "does not fill it"),
    "a column with an index": ([AddField("project", "n", models.IntegerField(null=True, db_index=True))], "locks"),
    "a unique column": ([AddField("project", "n", models.IntegerField(null=True, unique=True))], "locks"),
    "a computed default": ([AddField("project", "u", models.UUIDField(db_default=GeneratedUUID()))], "rewrites"),
    "a random default": ([AddField("project", "r", models.FloatField(db_default=Random()))], "rewrites"),
    "one secret for everybody": (
        [AddField("project", "token", char(max_length=64, null=True, default=secrets.token_hex))],
        "the same value",
    ),
    "a shorter text": ([AlterField("project", "name", char(max_length=3))], "rewrites"),
    "another type": ([AlterField("project", "name", models.UUIDField(default=uuid.uuid4))], "rewrites"),
    "a column that must be filled now": (
        [AddField("project", "c", char(max_length=9, null=True)), AlterField("project", "c", char(max_length=9))],
        "may leave it empty",
    ),
    "a column less": ([RemoveField("project", "description")], "still uses"),
    "another column name": ([RenameField("project", "name", "title")], "still uses"),
    "a table less": ([DeleteModel("Document")], "still uses"),
    "another table name": ([RenameModel("Document", "File")], "still uses"),
    "an index under a lock": ([AddIndex("project", index)], "AddIndexConcurrently"),
    "a check of all rows under a lock": ([AddConstraint("project", check)], "AddConstraintNotValid"),
    "both halves of a check at once": (
        [AddConstraintNotValid("project", check), ValidateConstraint("project", "named")],
        "further migration",
    ),
    "data beside a change of the table": (
        [AddField("project", "c", char(max_length=9, null=True)), RunPython(RunPython.noop)],
        "its own migration",
    ),
    "SQL of any kind": ([RunSQL("SELECT 1")], "nobody can tell"),
    "an operation that nobody knows": (
        [type("Mystery", (Operation,), {"state_forwards": lambda *_: None})()],
        "nobody",
    ),
    "what is hidden in another operation": (
        [SeparateDatabaseAndState([RemoveField("project", "description")], [])],
        "still uses",
    ),
}


def judged(operations: list[Operation], **attributes: str) -> list[str]:
    loader = MigrationLoader(None)
    migration = type("Migration", (Migration,), attributes)("9999_next", "projects")
    migration.operations = operations
    migration.dependencies = list(loader.graph.leaf_nodes("projects"))
    loader.graph.add_node(("projects", "9999_next"), migration)
    loader.graph.add_dependency(migration, ("projects", "9999_next"), migration.dependencies[0])
    return objections(loader, migration)


@pytest.mark.parametrize("what", FINE)
def test_migration__that_nobody_notices__is_fine(what):
    assert judged(FINE[what]) == []


@pytest.mark.parametrize("what", REFUSED)
def test_migration__that_somebody_would_notice__is_refused_with_the_way_out(what):
    operations, reason = REFUSED[what]

    found = judged(operations)

    assert len(found) == 1
    assert reason in found[0]


def test_refused_migration__that_says_why_it_is_safe__is_fine():
    operations, _ = REFUSED["a column less"]

    assert judged(operations, safe_because="the release before stopped using it") == []
    assert judged(operations, safe_because=" ") != []


def test_migrations__of_this_product__are_fine(capsys):
    call_command("lint_migrations")

    assert capsys.readouterr().err == ""
