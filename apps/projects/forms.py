from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms

from apps.accounts.models import Membership
from apps.accounts.permissions import Relation

from .models import CustomField, Project

CUSTOM = "custom_fields."
Kind = CustomField.Kind


class ProjectForm(forms.ModelForm):
    """A project with the fields that the organization added."""

    class Meta:
        model = Project
        fields = ("name", "description", "is_private")
        widgets = {  # noqa: RUF012
            "name": forms.TextInput(attrs={"autofocus": True}),
            "description": forms.Textarea(attrs={"rows": 4}),
        }
        labels = {"is_private": "Private"}  # noqa: RUF012
        help_texts = {"is_private": "Only for those it is shared with, owners and admins."}  # noqa: RUF012

    def __init__(self, *args: Any, custom_fields: Iterable[CustomField], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        values = self.instance.custom_fields
        for defined in custom_fields:
            field = _form_field(defined)
            field.label, field.initial = defined.label, values.get(defined.key)
            self.fields[CUSTOM + defined.key] = field

    @property
    def wanted(self) -> dict[str, Any]:
        """What the services take."""
        cleaned = self.cleaned_data
        values = {
            name.removeprefix(CUSTOM): _plain(value) for name, value in cleaned.items() if name.startswith(CUSTOM)
        }
        own = {name: value for name, value in cleaned.items() if not name.startswith(CUSTOM)}
        return {**own, "values": values}


class DocumentForm(forms.Form):
    file = forms.FileField(max_length=255, allow_empty_file=False)


class ShareForm(forms.Form):
    person = forms.ChoiceField(label="Member")
    relation = forms.ChoiceField(label="May", choices=Relation.choices, initial=Relation.VIEWER)

    def __init__(self, *args: Any, members: Iterable[Membership], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        person: Any = self.fields["person"]
        person.choices = [(str(member.user_id), f"{member.display_name} ({member.email})") for member in members]


class PersonForm(forms.Form):
    person = forms.UUIDField()


def _form_field(defined: CustomField) -> forms.Field:
    required = defined.required
    if defined.kind == Kind.NUMBER:
        return forms.FloatField(required=required, widget=forms.NumberInput(attrs={"step": "any"}))
    if defined.kind == Kind.DATE:
        return forms.DateField(required=required, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    if defined.kind == Kind.BOOLEAN:
        return forms.BooleanField(required=False)
    if defined.kind == Kind.CHOICE:
        return forms.ChoiceField(required=required, choices=[("", "—"), *((c, c) for c in defined.choices)])
    return forms.CharField(required=required, max_length=1000)


def _plain(value: Any) -> Any:
    """As it is kept in JSON; nothing is None."""
    if value == "":
        return None
    return value.isoformat() if hasattr(value, "isoformat") else value
