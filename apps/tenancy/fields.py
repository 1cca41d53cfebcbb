"""The column that says whose a row is."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models.expressions import Func

from .context import current_tenant_id
from .planes import CONTROL, TENANT

ALL_PRIVILEGES = "SELECT, INSERT, UPDATE, DELETE"


class TenantSetting(Func):
    """The tenant of the database context; an error where there is none."""

    template = "(current_setting('app.tenant_id')::uuid)"
    arity = 0
    output_field = models.UUIDField()


class GeneratedUUID(Func):
    """A random UUID made by the server (core PostgreSQL since 13)."""

    function = "gen_random_uuid"
    arity = 0
    output_field = models.UUIDField()


class RowIdField(models.UUIDField):  # type: ignore[type-arg]
    """The key of a tenant-plane row: made in Python for the ORM, which knows it at once, by the server for raw SQL.

    To migrations it is a UUIDField, since the server knows only its own default.
    """

    def __init__(self, **kwargs: Any) -> None:
        kwargs.update(default=uuid4, db_default=GeneratedUUID(), editable=False)
        super().__init__(**kwargs)

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()
        kwargs.pop("default", None)
        return name, "django.db.models.UUIDField", args, kwargs


class TenantIdField(models.UUIDField):  # type: ignore[type-arg]
    """The tenant_id of a tenant-plane row. Its presence puts a model into the tenant plane.

    ORM rows take it from the context in Python, rows of raw SQL from the database setting.
    """

    plane = TENANT

    def __init__(self, *, privileges: str = ALL_PRIVILEGES, **kwargs: Any) -> None:
        self.privileges = privileges
        kwargs.update(default=current_tenant_id, db_default=TenantSetting(), editable=False)
        super().__init__(**kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        for key in ("default", "db_default", "editable"):
            kwargs.pop(key, None)
        if self.privileges != ALL_PRIVILEGES:
            kwargs["privileges"] = self.privileges
        return name, path, args, kwargs


class _OwnedRow:
    """A reference to the tenant that owns a control-plane row."""

    plane = CONTROL

    def __init__(
        self,
        to: Any = None,
        on_delete: Any = models.CASCADE,
        *,
        privileges: str = "SELECT",
        control_privileges: str = ALL_PRIVILEGES,
        **kw: Any,
    ) -> None:
        self.privileges = privileges
        self.control_privileges = control_privileges
        super().__init__(to or settings.TENANT_MODEL, on_delete, **kw)  # type: ignore[call-arg]

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()  # type: ignore[misc]
        kwargs["privileges"] = self.privileges
        if self.control_privileges != ALL_PRIVILEGES:
            kwargs["control_privileges"] = self.control_privileges
        return name, path, args, kwargs


class TenantKey(_OwnedRow, models.ForeignKey):  # type: ignore[type-arg]
    """The owner of a control-plane row: walled like a tenant-plane row, also readable by the control role.

    ``privileges`` are the verbs that code in the tenant's own context may use ('' for none),
    ``control_privileges`` those of the control plane.
    """


class TenantOneToOneKey(_OwnedRow, models.OneToOneField):  # type: ignore[type-arg]
    """A TenantKey of which each tenant has one."""
