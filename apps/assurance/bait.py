"""A row of an organization in every table that has rows of organizations, made from the models' fields alone.

A model that is new needs nothing here. What the services have made already is left as it is.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, models
from django.utils import timezone

from apps.audit.chain import control_chain, seal, tenant_chain
from apps.core.encryption import EncryptedTextField
from apps.core.errors import first_line
from apps.tenancy.context import TenantContext, control, use
from apps.tenancy.planes import TENANT, plane_of, tenant_column, tenant_models, walled_control_models
from apps.tenancy.transactions import atomic
from apps.tenants.keys import data_keys

from .errors import CannotRun

PUBLIC_BY_DESIGN = {"tenants.Profile"}  # shown to everybody who opens the organization's address
DOCUMENTATION_ADDRESS = "192.0.2.1"
NUMBERS = (models.IntegerField, models.FloatField, models.DecimalField)

Rows = dict[str, Any]


def lay(context: TenantContext, *, marker: str, person_id: UUID) -> Rows:
    """See that every table has a row; returns an id by model label. Raises CannotRun.

    What can never be removed again is not made up: of the control plane's audit log there is what really happened.
    """
    with control("seal a probe's log"):
        seal(control_chain(context.tenant_id))
    with use(context):
        seal(tenant_chain())
    data_keys.newest(context.tenant_id)
    rows: Rows = {}
    maker = _Maker(context, marker, person_id, rows)
    for model in [*tenant_models(), *walled_control_models()]:
        maker.ensure(model)
    return rows


class _Maker:
    def __init__(self, context: TenantContext, marker: str, person_id: UUID, rows: Rows) -> None:
        self.context = context
        self.marker = marker
        self.person_id = person_id
        self.rows = rows

    def ensure(self, model: Any) -> Any:
        """The id of a row of the model, made unless there is one; None if none may be made."""
        label = model._meta.label
        if label not in self.rows:
            with self._plane(model):
                row = model._base_manager.filter(tenant_id=self.context.tenant_id).first()
                if row is None and _is_kept_for_good(model):
                    return None
                row = row or self._made(model)
            self.rows[label] = getattr(row, "id", row.pk)
        return self.rows[label]

    @contextmanager
    def _plane(self, model: Any) -> Iterator[None]:
        if plane_of(model) == TENANT:
            with use(self.context):
                yield
        else:
            with control("lay a bait"):
                yield

    def _made(self, model: Any) -> Any:
        """With the marker in every free text; with none but the necessary if some rule does not like that."""
        for marked in (model._meta.label not in PUBLIC_BY_DESIGN, False):
            try:
                with atomic():
                    row = model(**self._values(model, marked=marked))
                    row.save_base(force_insert=True)
                return model._base_manager.get(pk=row.pk)
            except IntegrityError as error:
                reason = first_line(error)
        raise CannotRun(f"No row of {model._meta.label} could be made: {reason}")

    def _values(self, model: Any, *, marked: bool) -> dict[str, Any]:
        values = {}
        for field in model._meta.local_concrete_fields:
            value = self._value(field, marked=marked)
            if value is not None:
                values[field.attname] = value
        return values

    def _value(self, field: Any, *, marked: bool) -> Any:
        if field.column == "tenant_id":
            return None if plane_of(field.model) == TENANT else self.context.tenant_id
        if isinstance(field, models.ForeignKey):
            return self._reference(field)
        if field.choices and not field.has_default():
            return field.choices[0][0]
        if isinstance(field, models.FileField):
            return default_storage.save(f"probe/{uuid4().hex}", ContentFile(self.marker.encode()))
        if isinstance(field, models.CharField | models.TextField) and not field.primary_key:
            return self._text(field, marked=marked)
        if field.null or field.has_default() or field.has_db_default() or getattr(field, "auto_created", False):
            return None
        return self._necessary(field)

    def _reference(self, field: Any) -> Any:
        target = field.related_model
        if field.null:
            return None
        if tenant_column(target) is not None:
            return self.ensure(target)
        return self.person_id

    def _text(self, field: Any, *, marked: bool) -> str | None:
        if field.null or field.has_default():
            return None
        if isinstance(field, models.EmailField):
            return f"{self.marker}@probe.invalid"
        room = field.max_length or 10_000
        if marked and room >= len(self.marker):
            return self.marker
        return None if field.blank else secrets.token_hex(32)[:room]

    def _necessary(self, field: Any) -> Any:
        """A value for a field that must have one and has no default."""
        if isinstance(field, EncryptedTextField):
            return self.marker
        if isinstance(field, models.BinaryField):
            return self.marker.encode()
        if isinstance(field, models.UUIDField):
            return self.person_id if field.name in ("user_id", "created_by_id") else uuid4()
        if isinstance(field, models.DateTimeField):
            return timezone.now() + timedelta(days=1)
        if isinstance(field, models.DateField):
            return timezone.now().date()
        if isinstance(field, NUMBERS):
            return 1
        if isinstance(field, models.GenericIPAddressField):
            return DOCUMENTATION_ADDRESS
        return secrets.token_hex(8) if isinstance(field, models.CharField) else {}


def _is_kept_for_good(model: Any) -> bool:
    owner = model._meta.get_field("tenant_id" if plane_of(model) == TENANT else "tenant")
    return "DELETE" not in getattr(owner, "control_privileges", "DELETE")
