"""What a call may carry: nothing that it does not take is passed over in silence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from django.utils.datastructures import MultiValueDict
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from apps.core.parsers import REPEATED_MEMBER

UNKNOWN_MEMBER = ErrorDetail("There is no member of this name here.", code="unknown_member")
UNKNOWN_PARAMETER = ErrorDetail("There is no parameter of this name here.", code="unknown_parameter")
REPEATED_PARAMETER = ErrorDetail("This parameter can be given once.", code="repeated_parameter")
NO_TEXT = ErrorDetail("Not a valid string.", code="invalid")
NO_BOOLEAN = ErrorDetail("Must be a valid boolean.", code="invalid")


def check_content(taken: Any, content: Any) -> None:
    """Raises ValidationError that names what is wrong, every member that the serializer does not take included."""
    taken.is_valid()
    faults = {**taken.errors, **(_faults(taken, content) or {}), **_repeated_in(content)}
    if faults:
        raise ValidationError(faults)


def check_parameters(taken: Sequence[Any], asked: Any) -> None:
    """Raises ValidationError that names every parameter which is unknown, or given more than once."""
    if not asked:
        return
    known = {name for serializer_class in taken for name in _names_in(serializer_class)}
    faults = {name: [UNKNOWN_PARAMETER] for name in asked if name not in known}
    faults |= {name: [REPEATED_PARAMETER] for name in asked if name in known and len(asked.getlist(name)) > 1}
    if faults:
        raise ValidationError(faults)


@cache
def _names_in(serializer_class: type[Any]) -> frozenset[str]:
    return frozenset(serializer_class().fields)


def _repeated_in(content: Any) -> dict[str, Any]:
    """Parts of a form that were sent more than once, of which only one would count."""
    if not isinstance(content, MultiValueDict):
        return {}
    return {name: [REPEATED_MEMBER] for name, values in content.lists() if len(values) > 1}


def _faults(taken: Any, content: Any) -> Any:
    """Members that are not taken, however deep; numbers where a text is wanted, and texts for a truth value."""
    if isinstance(taken, serializers.ListSerializer) and isinstance(content, list):
        return {str(number): found for number, item in enumerate(content) if (found := _faults(taken.child, item))}
    if isinstance(taken, serializers.Serializer) and isinstance(content, Mapping):
        fields = {name: field for name, field in taken.fields.items() if not field.read_only}
        inside = {
            name: _faults(fields[name], value) if name in fields else [UNKNOWN_MEMBER]
            for name, value in content.items()
        }
        return {name: found for name, found in inside.items() if found}
    if isinstance(taken, serializers.CharField) and isinstance(content, int | float):
        return [NO_TEXT]
    if isinstance(taken, serializers.BooleanField) and not isinstance(content, bool | None):
        return [NO_BOOLEAN]
    return None
