"""Fields of forms, for what people call things, and for where they are reached."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from . import addresses, names
from .validators import printable


class NameFormField(forms.CharField):
    """A name that others read. ``one_script``: of those that could be taken for another's."""

    def __init__(self, *, one_script: bool = False, **kwargs: Any) -> None:
        self.one_script = one_script
        super().__init__(**kwargs)

    def to_python(self, value: Any) -> str | None:
        return names.cleaned(super().to_python(value) or "", one_script=self.one_script)


class LinesFormField(forms.CharField):
    """A text of several lines that others read."""

    default_validators = [printable]  # noqa: RUF012


class AddressFormField(forms.EmailField):
    """An e-mail address, in the form in which it is kept."""

    default_validators = []  # noqa: RUF012  what is in that form is valid

    def to_python(self, value: Any) -> str:
        address = super().to_python(value)
        return addresses.checked(address) if address else ""


class OneFileInput(forms.FileInput):
    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        given = files.getlist(name)
        return given if len(given) > 1 else super().value_from_datadict(data, files, name)


class FileFormField(forms.FileField):
    """A single file; of two, none is passed over in silence."""

    widget = OneFileInput
    default_error_messages = {"repeated": _("Send one file at a time.")}  # noqa: RUF012

    def to_python(self, data: Any) -> Any:
        if isinstance(data, list):
            raise ValidationError(self.error_messages["repeated"], code="repeated")
        return super().to_python(data)
