"""Models of libraries, and what libraries do with ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar
from uuid import UUID

import pytest
from asgiref.sync import async_to_sync
from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.contrib.postgres.operations import CITextExtension
from django.db import NotSupportedError, connection, connections, models
from django.http import StreamingHttpResponse
from django.test import RequestFactory
from django.test.utils import isolate_apps
from django_tenants.utils import schema_context, tenant_context

from apps.fleet.likeness import differences
from apps.projects.models import CustomField, Document, Project
from apps.tenancy import checks, databases
from apps.tenancy.constraints import TenantForeignKey
from apps.tenancy.context import current_tenant_id
from apps.tenancy.fields import TenantIdField
from apps.tenancy.models import TenantModel
from apps.tenancy.planes import tenant_models
from apps.tenancy.schemas import owner
from apps.tenancy.schemas.migration_planes import only_tenant_plane
from apps.tenancy.schemas.replay import can_be_replayed
from apps.tenants.models import Tenant
from apps.tenants.serving import respond_inside
from tests.support import servers
from tests.support.releases import columns, create_label, later, migrate, next_release, schemas

# -- rows --------------------------------------------------------------------------------------------------------


def test_new_row__of_each_model__has_a_key_before_it_is_saved(acme):
    with acme.inside():
        for model in tenant_models():
            one, other = model(), model()

            assert isinstance(one.pk, UUID)
            assert len({one, other}) == 2


def test_bulk_create__of_tenants_rows__returns_usable_objects(home):
    with home.inside():
        one, other = Project.objects.bulk_create([Project(name="one"), Project(name="other")])

        assert one != other
        assert Project.objects.filter(pk=one.pk).get().name == "one"
        one.name = "renamed"
        assert Project.objects.bulk_update([one], ["name"]) == 1
        one.save()
        other.delete()
        assert [project.name for project in Project.objects.all()] == ["renamed"]


def test_bulk_create__that_updates_on_conflict__returns_usable_objects(home):
    with home.inside():
        CustomField.objects.create(key="there", label="Old", kind="text")
        CustomField.objects.bulk_create(
            [CustomField(key="there", label="New", kind="text"), CustomField(key="more", label="More", kind="text")],
            update_conflicts=True,
            unique_fields=["tenant_id", "key"],
            update_fields=["label"],
        )

        assert CustomField.objects.get(key="there").label == "New"


def test_key__given_by_raw_sql__is_made_by_the_server(home):
    with home.inside(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO projects_project (name, description, is_private, custom_fields, created_at, updated_at) "
            "VALUES ('raw', '', false, '{}', now(), now())"
        )
        assert Project.objects.get().pk


# -- content types -----------------------------------------------------------------------------------------------


def test_content_type__of_each_model__is_known_in_a_tenant(acme):
    ContentType.objects.clear_cache()

    with acme.inside():
        assert [
            ContentType.objects.get_for_model(model).model_class() for model in apps.get_models()
        ] == apps.get_models()


def test_content_type__in_each_placement__is_known(home):
    ContentType.objects.clear_cache()

    with home.inside():
        assert ContentType.objects.get_for_model(Document).model == "document"


# -- django-tenants' connection.tenant ---------------------------------------------------------------------------


def test_connection_tenant__in_a_tenants_context__has_its_fields(home):
    for inside in (tenant_context(home.tenant), schema_context(home.tenant.schema_name), home.inside()):
        with inside:
            tenant = connection.tenant
            for field in home.tenant._meta.concrete_fields:
                assert getattr(tenant, field.attname) == getattr(home.tenant, field.attname)
            assert tenant.pk == home.tenant.pk
            assert tenant == home.tenant
            assert home.tenant == tenant
            assert str(tenant) == home.tenant.name
            assert hash(tenant) == hash(home.tenant)
    with schema_context("public"):
        assert connection.tenant != home.tenant
        assert connection.tenant.schema_name == "public"


def test_connection_tenant__of_another_tenant__is_not_equal(home, foreign):
    with home.inside():
        assert connection.tenant != foreign.tenant


def test_set_tenant__without_public__is_refused_with_what_to_do(home):
    with home.inside(), pytest.raises(NotSupportedError, match="leave include_public=False out"):
        connection.set_tenant(home.tenant, include_public=False)


# -- streams -----------------------------------------------------------------------------------------------------


def test_stream__made_asynchronously__is_made_inside_the_tenant(home):
    async def rows():
        yield str(current_tenant_id())
        async for project in Project.objects.order_by("name"):
            yield project.name

    async def read(response):
        return [chunk.decode() async for chunk in response]

    with home.inside():
        Project.objects.create(name="a")
        Project.objects.create(name="b")
    request = RequestFactory().get("/", HTTP_HOST=home.host)
    response = respond_inside(home.context, request, lambda _: StreamingHttpResponse(rows()))

    assert async_to_sync(read)(response) == [str(home.tenant.id), "a", "b"]


# -- tables ------------------------------------------------------------------------------------------------------


def make(schema_owner: str, *made: Any) -> None:
    with connections[schema_owner].schema_editor(atomic=False) as editor:
        for model in made:
            editor.create_model(model)


@pytest.fixture
def own_schema(platform, database) -> Iterator[str]:
    """A schema without tables, in the owner's hands; everything is taken back afterward."""
    alias = databases.owner_alias()
    with owner.transaction_in(alias, "library") as opened:
        with opened.cursor() as cursor:
            cursor.execute("CREATE SCHEMA library")
        yield alias
        opened.set_rollback(True)


class CaseInsensitive(models.TextField):  # type: ignore[type-arg]
    def db_type(self, connection: Any) -> str:
        return "citext"


@isolate_apps("apps.projects")
def test_tables__that_refer_to_one_with_a_computed_default__are_made(own_schema):
    class Target(TenantModel):
        word = models.CharField(max_length=9, db_default=models.Value("a word"))

        class Meta(TenantModel.Meta):
            app_label = "projects"

    class Source(TenantModel):
        target = models.ForeignKey(Target, models.CASCADE, db_constraint=False)

        class Meta(TenantModel.Meta):
            app_label = "projects"
            constraints: ClassVar[list[models.BaseConstraint]] = [
                *TenantModel.Meta.constraints,
                TenantForeignKey(field="target", name="projects_source_target"),
            ]

    make(own_schema, Target, Source)

    with connections[own_schema].cursor() as cursor:
        cursor.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'projects_source_target'")
        assert cursor.fetchone()[0] == (
            "FOREIGN KEY (tenant_id, target_id) REFERENCES projects_target(tenant_id, id) DEFERRABLE INITIALLY DEFERRED"
        )


@isolate_apps("apps.projects")
def test_table__whose_name_is_in_quotes__has_its_walls(own_schema):
    class Quoted(TenantModel):
        class Meta(TenantModel.Meta):
            app_label = "projects"
            db_table = '"MyTable"'

    make(own_schema, Quoted)

    with connections[own_schema].cursor() as cursor:
        cursor.execute(
            "SELECT tablename FROM pg_policies WHERE schemaname = 'library' AND policyname = 'tenant_isolation'"
        )
        assert cursor.fetchall() == [("MyTable",)]


@isolate_apps("apps.projects")
def test_model__whose_key_has_another_name__is_unique_by_that():
    class Version(models.Model):  # noqa: DJ008
        """As history is kept: a row for each version of another, whose id it has."""

        version_id = models.UUIDField(primary_key=True)
        id = models.UUIDField()
        tenant_id = TenantIdField()

        class Meta:
            app_label = "projects"
            constraints: ClassVar[list[models.BaseConstraint]] = [
                models.UniqueConstraint(fields=["tenant_id", "version_id"], name="projects_version_key"),
            ]

    assert not list(checks._keys(Version))
    Version._meta.constraints = []
    assert [found.id for found in checks._keys(Version)] == ["tenancy.E003"]


FOREIGN_COLUMNS: dict[str, tuple[Callable[[], Any], bool]] = {
    "number": (models.IntegerField, False),
    "text": (lambda: models.CharField(max_length=9), False),
    "uuid": (models.UUIDField, True),
    "key of a tenant": (lambda: models.ForeignKey(Tenant, models.CASCADE, db_constraint=False, related_name="+"), True),
}


@pytest.mark.parametrize("kind", FOREIGN_COLUMNS)
def test_table__of_a_library_with_a_tenant_id__is_walled_if_it_is_a_tenants(own_schema, kind):
    column, walled = FOREIGN_COLUMNS[kind]
    with isolate_apps("apps.projects"):

        class Foreign(models.Model):  # noqa: DJ008
            owned = column()
            owned.db_column = "tenant_id"

            class Meta:
                app_label = "tenants"

    make(own_schema, Foreign)

    with connections[own_schema].cursor() as cursor:
        cursor.execute("SELECT relrowsecurity FROM pg_class WHERE oid = 'library.tenants_foreign'::regclass")
        assert cursor.fetchone() == (walled,)


# -- extensions --------------------------------------------------------------------------------------------------


@pytest.fixture
def without_extension(platform, database) -> Iterator[str]:
    """What the test makes in the databases is gone afterward."""
    own = platform["database"][0].database
    yield own
    for name in (None, own):
        with servers.as_owner(name) as opened:
            opened.execute("DROP EXTENSION IF EXISTS citext CASCADE")


def test_extension__of_a_migration_of_tenants_tables__is_there_in_every_database(without_extension):
    with_words = create_label("Word")
    with_words.fields.append(("word", CaseInsensitive()))
    release = next_release(CITextExtension(), with_words)
    with schemas(None, None, without_extension) as locations:
        outcome = migrate(release, locations)

        assert outcome.is_complete
        assert all("word" in columns(location, "projects_word") for location in locations)
        assert differences(release, locations) == {}


def test_extension__of_a_migration__is_no_reason_to_migrate_schema_by_schema():
    [migration] = only_tenant_plane([later(CITextExtension())])

    assert can_be_replayed([migration])
