"""Every field of every form and serializer of ours, found by looking."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from rest_framework import serializers

APPS = Path(settings.BASE_DIR) / "apps"
APART = {"stripe_sandbox"}


def classes() -> Iterator[type[Any]]:
    """Forms and serializers, in the order of their modules."""
    for path in sorted(APPS.rglob("*.py")):
        parts = path.relative_to(APPS).parts
        if parts[0] in APART or not {"forms", "api", "serializers"} & {part.removesuffix(".py") for part in parts[1:]}:
            continue
        module = importlib.import_module(".".join(("apps", *parts)).removesuffix(".py").removesuffix(".__init__"))
        for found in vars(module).values():
            is_field_set = isinstance(found, type) and issubclass(found, forms.BaseForm | serializers.BaseSerializer)
            if is_field_set and found.__module__ == module.__name__:
                yield found


def fields() -> Iterator[tuple[str, Any]]:
    """Each field into which something can be written, as 'Class.name'; of a list its items."""
    for found in classes():
        for name, field in _fields_of(found).items():
            if not getattr(field, "read_only", False):
                yield f"{found.__name__}.{name}", getattr(field, "child", field)


def _fields_of(found: type[Any]) -> dict[str, Any]:
    if issubclass(found, forms.BaseForm):
        return dict(getattr(found, "base_fields", {}))
    return dict(found().fields)


def cleaned(field: Any, value: Any) -> Any:
    """What becomes of a value. Raises ValueError where it is refused."""
    try:
        return field.clean(value) if isinstance(field, forms.Field) else field.run_validation(value)
    except (ValidationError, serializers.ValidationError) as error:
        raise ValueError(str(error)) from error
