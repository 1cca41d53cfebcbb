"""Fields of serializers, for what people call things, and for where they are reached."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from rest_framework import serializers

from . import addresses, names
from .validators import printable


class NameField(serializers.CharField):
    """A name that others read. ``one_script``: of those that could be taken for another's."""

    def __init__(self, *, one_script: bool = False, **kwargs: Any) -> None:
        self.one_script = one_script
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        try:
            return names.cleaned(super().to_internal_value(data), one_script=self.one_script)
        except ValidationError as error:
            raise serializers.ValidationError(error.messages, code=error.code) from error


class LinesField(serializers.CharField):
    """A text of several lines that others read."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.validators.append(printable)


class AddressField(serializers.EmailField):
    """An e-mail address, in the form in which it is kept."""

    def to_internal_value(self, data: Any) -> str:
        try:
            return addresses.checked(super().to_internal_value(data))
        except ValidationError as error:
            raise serializers.ValidationError(error.messages, code=error.code) from error
