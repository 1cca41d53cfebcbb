"""Every model of both planes: a foreign organization's rows cannot be read, changed, removed or imitated."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, IntegrityError, ProgrammingError, connections, router, transaction
from django.utils import timezone

from apps.access.models import IdempotentCall, Share
from apps.accounts.models import (
    ApiKey,
    CustomRole,
    HandoffCode,
    Invitation,
    Membership,
    RefreshToken,
    RevokedToken,
    Session,
    SupportVisit,
    TokenFamily,
)
from apps.audit.models import Anchor, ControlEvent, ControlSeal, Event, Seal
from apps.projects.models import CustomField, Document, Project, SearchTerm
from apps.tenancy.context import control, use
from apps.tenancy.errors import ContextError
from apps.tenancy.planes import TENANT, control_models, plane_of, tenant_models, walled_control_models
from apps.tenancy.transactions import atomic
from apps.tenants.keys import data_keys
from apps.tenants.models import DataKey, Domain, Placement, Profile, TenantDatabase
from tests import servers


def control_row(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def made(loot: Any) -> Any:
        with control("make a row to attack"):
            return make(loot.organization.tenant)

    return made


def tenant_row(make: Callable[[], Any]) -> Callable[[Any], Any]:
    def made(loot: Any) -> Any:
        with loot.organization.inside():
            return make()

    return made


EVENT = {"actor_type": "system", "action": "test.attacked", "resource_type": "test"}
numbers = itertools.count(10**9)


def link() -> dict[str, Any]:
    return {"event_id": uuid4(), "transaction_id": 1, "number": next(numbers), "hash": b"x"}


def tenant_database(tenant: Any) -> Any:
    name = f"none_{uuid4().hex}"
    found = TenantDatabase.objects.filter(tenant=tenant).first()
    return found or TenantDatabase.objects.create(tenant=tenant, name=name, schema="none", url="postgres://x")


# A row of a foreign organization for every model that has a tenant. A model that is missing here fails.
ROWS: dict[str, Callable[[Any], Any]] = {
    "projects.Project": lambda loot: loot.project,
    "projects.Document": lambda loot: loot.document,
    "tenants.Domain": control_row(lambda tenant: Domain.objects.get(tenant=tenant)),
    "tenants.Placement": control_row(lambda tenant: Placement.objects.get(tenant=tenant)),
    "tenants.DataKey": control_row(lambda tenant: DataKey.objects.get(id=data_keys.newest(tenant.id).id)),
    "tenants.TenantDatabase": control_row(tenant_database),
    "accounts.Membership": control_row(lambda tenant: Membership.objects.get(tenant=tenant)),
    "accounts.Session": control_row(
        lambda tenant: Session.objects.create(
            session_key=uuid4().hex, session_data="", tenant=tenant, expire_date=timezone.now() + timedelta(days=1)
        )
    ),
    "accounts.HandoffCode": control_row(
        lambda tenant: HandoffCode.objects.create(
            tenant=tenant,
            user=Membership.objects.get(tenant=tenant).user,
            code_hash=uuid4().hex,
            expires_at=timezone.now(),
        )
    ),
}
LATER = timezone.now() + timedelta(days=1)


def family(tenant: Any) -> Any:
    return TokenFamily.objects.create(
        tenant=tenant, user=Membership.objects.filter(tenant=tenant).first().user, expires_at=LATER
    )


ROWS |= {
    "tenants.Profile": control_row(lambda tenant: Profile.objects.get_or_create(tenant=tenant)[0]),
    "accounts.CustomRole": control_row(lambda t: CustomRole.objects.create(tenant=t, name=uuid4().hex)),
    "accounts.Invitation": control_row(
        lambda t: Invitation.objects.create(tenant=t, email=f"{uuid4().hex}@x.example", role="viewer", expires_at=LATER)
    ),
    "accounts.ApiKey": control_row(
        lambda t: ApiKey.objects.create(tenant=t, name="x", prefix=uuid4().hex[:20], secret_hash="x")
    ),
    "accounts.TokenFamily": control_row(family),
    "accounts.RefreshToken": control_row(
        lambda t: RefreshToken.objects.create(tenant=t, family=family(t), expires_at=LATER)
    ),
    "accounts.RevokedToken": control_row(
        lambda t: RevokedToken.objects.create(id=uuid4(), tenant=t, family=family(t), expires_at=LATER)
    ),
    "accounts.IdempotentCall": control_row(
        lambda t: IdempotentCall.objects.create(
            tenant=t, caller="x", key=uuid4().hex, started_at=LATER, expires_at=LATER
        )
    ),
    "accounts.SupportVisit": control_row(
        lambda t: SupportVisit.objects.create(
            tenant=t,
            user=Membership.objects.filter(tenant=t).first().user,
            reason="x",
            code_hash=uuid4().hex,
            created_at=LATER,
            expires_at=LATER,
        )
    ),
    "accounts.Share": tenant_row(
        lambda: Share.objects.create(user_id=uuid4(), relation="viewer", object_type="project", object_id=uuid4())
    ),
    "projects.CustomField": tenant_row(lambda: CustomField.objects.create(key=uuid4().hex, label="x", kind="text")),
    "projects.SearchTerm": lambda loot: tenant_row(
        lambda: SearchTerm.objects.create(project_id=loot.project.id, term=uuid4().hex)
    )(loot),
    "audit.Event": tenant_row(lambda: Event.objects.create(**EVENT)),
    "audit.Seal": tenant_row(lambda: Seal.objects.create(**link())),
    "audit.ControlEvent": control_row(lambda tenant: ControlEvent.objects.create(tenant=tenant, **EVENT)),
    "audit.ControlSeal": control_row(lambda tenant: ControlSeal.objects.create(tenant=tenant, **link())),
    "audit.Anchor": control_row(
        lambda tenant: Anchor.objects.create(tenant=tenant, chain="tenant", number=next(numbers), hash=b"x")
    ),
}
WALLED = {model._meta.label: model for model in [*tenant_models(), *walled_control_models()]}
UNWALLED = {m._meta.label: m for m in control_models() if m._meta.label not in WALLED}


@pytest.fixture(params=["autocommit", "atomic"])
def mode(request) -> Callable[[], AbstractContextManager[None]]:
    return nullcontext if request.param == "autocommit" else atomic


@pytest.fixture(params=sorted(WALLED))
def model(request) -> Any:
    return WALLED[request.param]


@pytest.fixture
def row(model, loot) -> Any:
    made = ROWS[model._meta.label](loot)
    yield made
    if isinstance(made, TenantDatabase) and made.schema == "none":
        with control("remove the row"):
            made.delete()


def test_models__with_a_tenant__are_all_attacked_below():
    assert set(ROWS) == set(WALLED)


def test_foreign_row__through_the_orm__is_not_there(model, row, home, mode):
    with home.inside(), tolerating_denial(), mode():
        assert not model._base_manager.filter(pk=row.pk).exists()
        assert not model._base_manager.filter(tenant_id=row.tenant_id).exists()


def test_foreign_row__read_by_raw_sql__is_not_there(model, row, home, mode):
    for table in tables(model, row):
        with home.inside(), tolerating_denial(), mode():
            assert run(model, f"SELECT count(*) FROM {table} WHERE tenant_id = %s", [row.tenant_id]) == [(0,)]


@pytest.mark.parametrize("verb", ["UPDATE {table} SET tenant_id = tenant_id", "DELETE FROM {table}"])
def test_foreign_row__changed_by_raw_sql__stays(model, row, home, mode, verb):
    before = stored(model, row)
    for table in tables(model, row):
        with home.inside(), tolerating_denial(), mode():
            run(model, verb.format(table=table) + " WHERE tenant_id = %s", [row.tenant_id])

    assert stored(model, row) == before


def test_foreign_row__changed_by_the_orm__stays(model, row, home, mode):
    before = stored(model, row)

    with home.inside(), tolerating_denial(), mode():
        model._base_manager.filter(pk=row.pk).update(tenant_id=home.tenant.id)
    with home.inside(), tolerating_denial(), mode():
        model._base_manager.filter(pk=row.pk).delete()

    assert stored(model, row) == before


def test_row__inserted_for_a_foreign_tenant__is_refused(model, row, home, mode):
    values = {**stored(model, row), model._meta.pk.column: imitation(model)}
    table = model._meta.db_table
    insert = f'INSERT INTO "{table}" SELECT * FROM json_populate_record(null::"{table}", %s)'

    with home.inside(), pytest.raises(DatabaseError, match="row-level security|permission denied"), mode():
        run(model, insert, [json.dumps(values, default=str)])


def test_own_row__given_to_a_foreign_tenant__is_refused(model, own, foreign, mode):
    row = ROWS[model._meta.label](own)
    statement = f'UPDATE "{model._meta.db_table}" SET tenant_id = %s WHERE {model._meta.pk.column} = %s'

    with own.organization.inside(), pytest.raises(DatabaseError, match="row-level security|permission denied"), mode():
        run(model, statement, [foreign.tenant.id, row.pk])
    if isinstance(row, TenantDatabase) and row.schema == "none":
        with control("remove the row"):
            row.delete()


@pytest.mark.parametrize("label", sorted(UNWALLED))
@pytest.mark.parametrize(
    "statement", ["SELECT 1 FROM {t}", "DELETE FROM {t}", "UPDATE {t} SET {k} = {k}", "INSERT INTO {t} DEFAULT VALUES"]
)
def test_control_table_without_tenants__in_a_tenant__is_denied(label, statement, home):
    model = UNWALLED[label]
    sql = statement.format(t=f'"{model._meta.db_table}"', k=model._meta.pk.column)

    with home.inside(), pytest.raises(ProgrammingError, match="permission denied"):
        run(model, sql, [])


@pytest.mark.parametrize("label", sorted({**WALLED, **UNWALLED}))
def test_table__without_a_context__is_denied(label, home):
    model = {**WALLED, **UNWALLED}[label]
    schema = home.context.schema if plane_of(model) == TENANT else "public"
    alias = home.context.alias if plane_of(model) == TENANT else "default"

    for verb in ("SELECT 1 FROM", "DELETE FROM"):
        with use(None), connections[alias].cursor() as cursor, pytest.raises(ProgrammingError, match="denied"):
            cursor.execute(f'{verb} "{schema}"."{model._meta.db_table}"')


@pytest.mark.parametrize("model", tenant_models(), ids=lambda m: m._meta.label)
def test_tenant_table__in_the_control_plane__is_denied(model, home):
    alias, schema = home.context.alias, home.context.schema

    with control("attack"), connections[alias].cursor() as cursor, pytest.raises((ProgrammingError, ContextError)):
        cursor.execute(f'SELECT 1 FROM "{schema}"."{model._meta.db_table}"')


def test_reference__to_a_foreign_row__is_refused_at_commit(home, loot, untouched):
    with home.inside(), pytest.raises(IntegrityError), atomic():
        Document.objects.create(
            project_id=loot.project.id, name="x", file="documents/x", content_type="text/plain", size_bytes=1
        )


def test_unique_name__used_by_a_foreign_tenant__is_free(home, loot):
    with home.inside():
        project = Project.objects.create(name=loot.word)

    assert project.tenant_id == home.tenant.id


def test_new_row__made_at_home__saved_elsewhere__is_refused(home, foreign, untouched):
    with home.inside():
        project = Project(name="made at home")

    with (
        foreign.inside(),
        pytest.raises(DatabaseError, match="row-level security"),
        transaction.atomic(using=foreign.context.alias),
    ):
        project.save(force_insert=True)


def tables(model: Any, row: Any) -> Iterator[str]:
    """The table as the search path finds it, and as it stands in the foreign organization's own schema."""
    yield f'"{model._meta.db_table}"'
    if plane_of(model) == TENANT:
        with control("find the foreign schema"):
            place = Placement.objects.get(tenant_id=row.tenant_id)
        if place.kind != "database":
            yield f'"{place.schema}"."{model._meta.db_table}"'


def run(model: Any, statement: str, params: list[Any]) -> list[Any]:
    with connections[router.db_for_write(model)].cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.fetchall() if cursor.description else []


def stored(model: Any, row: Any) -> dict[str, Any]:
    """The row as it stands in the database, read past all walls."""
    with control("find the row"):
        place = Placement.objects.select_related("database").get(tenant_id=row.tenant_id)
    tenant_plane = plane_of(model) == TENANT
    schema = place.schema if tenant_plane else "public"
    database = place.database.name if tenant_plane and place.database else None
    with servers.as_operator(database) as connection:
        query = f'SELECT to_json(t) FROM "{schema}"."{model._meta.db_table}" t WHERE {model._meta.pk.column} = %s'
        found = connection.execute(query, [row.pk]).fetchone()
    assert found is not None, "the row is gone"
    return dict(found[0])


def imitation(model: Any) -> Any:
    return 2**40 if model._meta.pk.get_internal_type().endswith("AutoField") else uuid4().hex


@contextmanager
def tolerating_denial() -> Iterator[None]:
    """A refusal by the database is as good as seeing nothing."""
    try:
        yield
    except ProgrammingError as error:
        assert "permission denied" in str(error), error
