"""However a schema came to a release, it looks to PostgreSQL as one that was created under it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import models
from django.db.migrations import (
    AddConstraint,
    AddField,
    AddIndex,
    AlterField,
    CreateModel,
    Migration,
    RemoveField,
    RenameField,
    RunPython,
)
from django.db.migrations.operations.base import Operation
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.fleet.likeness import differences
from apps.tenancy.planes import TENANT
from apps.tenancy.schemas.release import Release, this_release
from tests.support import servers
from tests.support.releases import create_label, later, migrate, schemas


class Editing:
    """Operations that follow from one another: a field is changed only while it is there."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.fields: list[str] = []
        self.number = 0

    def name(self, prefix: str) -> str:
        self.number += 1
        return f"{prefix}_{self.number}"

    def some_field(self) -> str:
        return str(self.draw(st.sampled_from(self.fields)))

    def add_field(self) -> Operation:
        self.fields.append(self.name("field"))
        length = self.draw(st.integers(10, 30))
        blank = self.draw(st.booleans())
        field = models.CharField(max_length=length, null=blank, **({} if blank else {"db_default": "x"}))
        return AddField("project", self.fields[-1], field)

    def alter_field(self) -> Operation:
        return AlterField("project", self.some_field(), models.CharField(max_length=200, null=True))

    def rename_field(self) -> Operation:
        old, new = self.some_field(), self.name("renamed")
        self.fields[self.fields.index(old)] = new
        return RenameField("project", old, new)

    def remove_field(self) -> Operation:
        gone = self.some_field()
        self.fields.remove(gone)
        return RemoveField("project", gone)

    def add_index(self) -> Operation:
        return AddIndex("project", models.Index(fields=["description"], name=self.name("projects_ix")))

    def add_constraint(self) -> Operation:
        condition = ~models.Q(name="%")  # a percent sign, as in LIKE, must come through as it is
        return AddConstraint("project", models.CheckConstraint(condition=condition, name=self.name("projects_ck")))

    def create_model(self) -> CreateModel:
        return create_label(self.name("label"))

    def run_python(self) -> Operation:
        return RunPython(lambda apps, schema_editor: None, hints={"plane": TENANT})

    def operation(self) -> Operation:
        always = [self.add_field, self.add_index, self.add_constraint, self.create_model, self.run_python]
        of_fields = [self.alter_field, self.rename_field, self.remove_field] if self.fields else []
        return self.draw(st.sampled_from([*always, *of_fields]))()


@st.composite
def histories(draw: st.DrawFn) -> list[Migration]:
    """Migrations of releases to come, one of them perhaps with an index that is made concurrently."""
    editing = Editing(draw)
    migrations = []
    for _ in range(draw(st.integers(1, 4))):
        if draw(st.integers(0, 4)) == 0:
            index = models.Index(fields=["description"], name=editing.name("projects_cx"))
            migrations.append(later(AddIndexConcurrently("project", index), atomic=False))
        else:
            migrations.append(later(*(editing.operation() for _ in range(draw(st.integers(1, 3))))))
    return migrations


@given(data=st.data())
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_schema__migrated_in_any_steps__is_like_a_new_one(platform, database, data):
    history = data.draw(histories())
    stops = sorted({*data.draw(st.sets(st.integers(1, len(history)))), len(history)})
    with schemas(None, None) as locations:
        for start, end in pairwise([0, *stops]):
            assert end > start
            outcome = migrate(release_with(history[:end]), locations, workers=2)
            assert outcome.is_complete, outcome.failed

        assert differences(release_with(history), locations) == {}


def release_with(history: list[Migration]) -> Release:
    return this_release().followed_by(*history)


@pytest.mark.parametrize(
    "damage",
    [
        'DROP POLICY tenant_isolation ON "{}".projects_project',
        'ALTER TABLE "{}".projects_project NO FORCE ROW LEVEL SECURITY',
        'GRANT SELECT ON "{}".projects_project TO app_control',
        'REVOKE SELECT ON "{}".projects_project FROM app_tenant',
        'ALTER TABLE "{}".projects_project ALTER description TYPE varchar(7)',
        'ALTER TABLE "{}".projects_project ALTER tenant_id DROP DEFAULT',
        'CREATE INDEX more ON "{}".projects_project (name)',
        'CREATE VIEW "{}".peek AS SELECT 1',
    ],
    ids=lambda damage: damage.split("{")[0] + damage.split("}")[1],
)
def test_differences__of_a_damaged_schema__name_it(platform, database, damage):
    with schemas(None, None) as (damaged, whole):
        with servers.as_owner() as connection:
            connection.execute(damage.format(damaged.schema))

        assert list(differences(this_release(), [damaged, whole])) == [damaged]
