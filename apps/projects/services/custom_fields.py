"""The fields that an organization adds to its projects, and their values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.access.subjects import Subject
from apps.audit import services as audit
from apps.audit.services import difference, state
from apps.core.names import check_seen
from apps.core.preconditions import check_unchanged
from apps.tenancy.transactions import atomic

from ..errors import CustomFieldExists, CustomFieldNotFound, InvalidCustomField
from ..models import CustomField

MAX_TEXT = 1000
MAX_WHOLE = 2**53 - 1  # beyond that not every reader of JSON keeps a whole number as it is (RFC 8259, 6)
FIELDS = ("label", "required", "choices")
Kind = CustomField.Kind
UNFIT = {
    Kind.TEXT: gettext_lazy("This is not a text that fits."),
    Kind.NUMBER: gettext_lazy("This is not a number that fits."),
    Kind.BOOLEAN: gettext_lazy("This is not a boolean that fits."),
    Kind.DATE: gettext_lazy("This is not a date that fits."),
    Kind.CHOICE: gettext_lazy("This is not a choice that fits."),
}


def define_custom_field(
    *, actor: Subject, key: str, label: str, kind: str, required: bool = False, choices: list[str] | None = None
) -> CustomField:
    """Raises CustomFieldExists, InvalidCustomField."""
    _check_choices(kind, choices or [])
    try:
        with atomic():
            field = CustomField.objects.create(
                key=key, label=label, kind=kind, required=required, choices=choices or []
            )
            audit.record(
                "custom_field.defined", actor=actor, resource=field, changes=difference({}, state(field, "key", "kind"))
            )
    except IntegrityError as error:
        raise CustomFieldExists(field="key") from error
    return field


def update_custom_field(*, actor: Subject, field: CustomField, expected: str = "", **changes: Any) -> CustomField:
    """Change label, choices or whether it is required; its kind stays.

    Raises CustomFieldNotFound, PreconditionFailed.
    """
    with atomic():
        locked = _locked(field, expected)
        before = state(locked, *FIELDS)
        for name, value in changes.items():
            setattr(locked, name, value)
        _check_choices(locked.kind, locked.choices)
        changed = difference(before, state(locked, *FIELDS))
        if changed:
            locked.save(update_fields=[*changed, "updated_at"])
            audit.record("custom_field.updated", actor=actor, resource=locked, changes=changed)
    return locked


def delete_custom_field(*, actor: Subject, field: CustomField, expected: str = "") -> None:
    """Projects keep the values they have until their fields are changed next.

    Raises CustomFieldNotFound, PreconditionFailed.
    """
    with atomic():
        _locked(field, expected)
        audit.record("custom_field.deleted", actor=actor, resource=field, changes={"key": [field.key, None]})
        CustomField.objects.filter(id=field.id).delete()


def validated(values: Mapping[str, Any], *, kept: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The values as they are stored, besides those ``kept`` from before; fields without a value are left out.

    What is as it was kept stays, whatever has become of its field: what was read can be sent back. What was kept for a
    field that is gone, and is not sent, is left out. Raises InvalidCustomField.
    """
    kept = kept or {}
    defined = {field.key: field for field in CustomField.objects.all()}
    gone = {key: value for key, value in values.items() if key not in defined and value is not None}
    unknown = [key for key, value in gone.items() if not _is_as_kept(key, value, kept)]
    if unknown:
        raise InvalidCustomField(_("There is no such custom field."), field=f"custom_fields.{unknown[0][:60]}")
    found, wanted = dict(gone), {**kept, **values}
    for key, field in defined.items():
        value = wanted.get(key)
        if value is not None and value != "":
            found[key] = value if _is_as_kept(key, value, kept) else _checked(field, value)
        elif field.required:
            raise InvalidCustomField(_("This field is required."), field=f"custom_fields.{key}")
    return found


def _is_as_kept(key: str, value: Any, kept: Mapping[str, Any]) -> bool:
    return key in kept and kept[key] == value and type(kept[key]) is type(value)


def _locked(field: CustomField, expected: str) -> CustomField:
    locked = CustomField.objects.select_for_update().filter(id=field.id).first()
    if locked is None:
        raise CustomFieldNotFound
    check_unchanged(locked, expected)
    return locked


def _checked(field: CustomField, value: Any) -> Any:
    accepted = {
        Kind.TEXT: lambda: isinstance(value, str) and len(value) <= MAX_TEXT,
        Kind.NUMBER: lambda: isinstance(value, int | float) and not isinstance(value, bool) and _is_exact(value),
        Kind.BOOLEAN: lambda: isinstance(value, bool),
        Kind.DATE: lambda: isinstance(value, str) and _is_date(value),
        Kind.CHOICE: lambda: value in field.choices,
    }
    if not accepted[Kind(field.kind)]():
        raise InvalidCustomField(str(UNFIT[Kind(field.kind)]), field=f"custom_fields.{field.key}")
    if field.kind == Kind.TEXT:
        _check_seen(field, value)
    return value


def _check_seen(field: CustomField, text: str) -> None:
    try:
        check_seen(text)
    except ValidationError as error:
        raise InvalidCustomField(error.messages[0], field=f"custom_fields.{field.key}") from error


def _is_exact(number: float) -> bool:
    return abs(number) <= MAX_WHOLE if isinstance(number, int) else math.isfinite(number)


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _check_choices(kind: str, choices: list[str]) -> None:
    if (kind == Kind.CHOICE) != bool(choices):
        raise InvalidCustomField(_("A choice, and only a choice, has choices."), field="choices")
