"""System checks: a model that would weaken a wall does not start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import checks
from django.db import connections, models
from django.db.models.constraints import UniqueConstraint

from .constraints import TenantForeignKey
from .context import CONTROL_ALIAS
from .models import TenantManager
from .planes import TENANT, plane_of, table_name, tenant_models
from .walls import pooling


@checks.register(checks.Tags.models)
def check_planes(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Every tenant-plane model has the one table shape; no reference crosses planes."""
    errors: list[checks.CheckMessage] = []
    for model in apps.get_models(include_auto_created=True):
        errors += _crossing_references(model)
        errors += _app_lists(model)
    for model in tenant_models():
        errors += [*_keys(model), *_references(model), *_manager(model)]
    return errors


@checks.register(checks.Tags.database)
def check_public_schema(app_configs: Any, databases: Any = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """A tenant-plane table in ``public`` would be read wherever a tenant's own is missing."""
    if CONTROL_ALIAS not in (databases or []):
        return []
    names = [table_name(m) for m in tenant_models()] + ["django_migrations"]
    with connections[CONTROL_ALIAS].cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename = ANY(%s)", [names])
        found = [row[0] for row in cursor.fetchall()]
    return [checks.Error(f"The schema public holds the tenant table {name}.", id="tenancy.E008") for name in found]


@checks.register(checks.Tags.compatibility)
def check_settings(app_configs: Any, **kwargs: Any) -> list[checks.CheckMessage]:
    """Settings of Django and django-tenants that would do something else here than they say."""
    found = []
    if getattr(settings, "HAS_MULTI_TYPE_TENANTS", False):
        found.append("HAS_MULTI_TYPE_TENANTS is not for this engine: all tenants have the same tables.")
    if any(database.get("ATOMIC_REQUESTS") for database in connections.databases.values()):
        found.append("ATOMIC_REQUESTS is not for this engine: write transaction.atomic() in what needs it.")
    return [checks.Error(reason, id="tenancy.E010") for reason in found]


@checks.register("pooling")
def check_pooling(app_configs: Any, databases: Any = None, **kwargs: Any) -> list[checks.CheckMessage]:
    """A pooler or login with which tenants would not be kept apart; the same that a process tries when it starts."""
    if CONTROL_ALIAS not in (databases or []):
        return []
    return [checks.Error(finding, id="tenancy.E009") for finding in pooling.findings()]


def _crossing_references(model: Any) -> Iterator[checks.CheckMessage]:
    for field in model._meta.get_fields():
        target = getattr(field, "related_model", None)
        if target is None or field.auto_created or not isinstance(target, type):
            continue
        if plane_of(target) != plane_of(model):
            yield checks.Error("A reference crosses planes; keep the id as a UUIDField.", obj=field, id="tenancy.E001")


def _app_lists(model: Any) -> Iterator[checks.CheckMessage]:
    expected = settings.TENANT_APPS if plane_of(model) == TENANT else settings.SHARED_APPS
    name = model._meta.app_config.name
    if model._meta.managed and name not in expected:
        which = "TENANT_APPS" if plane_of(model) == TENANT else "SHARED_APPS"
        yield checks.Error(f"{name} is missing in {which}.", obj=model, id="tenancy.E002")


def _keys(model: Any) -> Iterator[checks.CheckMessage]:
    if not any(_leads_with_tenant(c, ("tenant_id", model._meta.pk.name)) for c in model._meta.constraints):
        yield checks.Error("Meta must inherit TenantModel.Meta and its constraints.", obj=model, id="tenancy.E003")
    unique_fields = [f for f in model._meta.local_fields if f.unique and not f.primary_key]
    unique_constraints = [c for c in model._meta.constraints if isinstance(c, UniqueConstraint)]
    loose = [c for c in unique_constraints if not _leads_with_tenant(c)]
    if unique_fields or loose or model._meta.unique_together:
        yield checks.Error("Uniqueness must lead with tenant_id.", obj=model, id="tenancy.E004")


def _leads_with_tenant(constraint: Any, fields: tuple[str, ...] | None = None) -> bool:
    found = tuple(getattr(constraint, "fields", ()) or ())
    expressions = [str(e) for e in getattr(constraint, "expressions", ())]
    if fields is not None:
        return found == fields
    return found[:1] == ("tenant_id",) or expressions[:1] == ["F(tenant_id)"]


def _references(model: Any) -> Iterator[checks.CheckMessage]:
    keyed = {c.field for c in model._meta.constraints if isinstance(c, TenantForeignKey)}
    for field in list[Any](model._meta.local_fields):
        if isinstance(field, models.ForeignKey) and (getattr(field, "db_constraint", True) or field.name not in keyed):
            yield checks.Error(
                "Declare db_constraint=False and a TenantForeignKey constraint.", obj=field, id="tenancy.E005"
            )
    for field in model._meta.local_many_to_many:
        if field.remote_field.through._meta.auto_created:
            yield checks.Error("Many-to-many needs a TenantModel as its through model.", obj=field, id="tenancy.E006")


def _manager(model: Any) -> Iterator[checks.CheckMessage]:
    if not isinstance(model._default_manager, TenantManager) or not isinstance(model._base_manager, TenantManager):
        yield checks.Error("The managers of a tenant's model must be TenantManagers.", obj=model, id="tenancy.E007")
