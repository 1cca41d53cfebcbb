from __future__ import annotations

from typing import Any

from django import forms
from django.core.validators import RegexValidator

from .models import CustomField, Project

MAX_CHOICES, MAX_CHOICE = 50, 80
is_key = RegexValidator(r"^[a-z][a-z0-9_]{0,39}\Z", "A key has small letters, digits and _, a letter first.")


class ProjectForm(forms.ModelForm):
    class Meta:
        model = Project
        fields = ("name", "description")
        widgets = {"description": forms.Textarea(attrs={"rows": 4})}  # noqa: RUF012


class DocumentForm(forms.Form):
    file = forms.FileField(max_length=255, allow_empty_file=False)


class CustomFieldForm(forms.Form):
    """A field that projects get; one that is there keeps its key and kind."""

    label = forms.CharField(max_length=80)
    key = forms.CharField(
        max_length=40, validators=[is_key], help_text="Its name in the API, such as cost_center. It cannot be changed."
    )
    kind = forms.ChoiceField(
        choices=[(kind.value, kind.label) for kind in CustomField.Kind], help_text="It cannot be changed."
    )
    choices = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="One a line; for a choice only.",
    )
    required = forms.BooleanField(required=False, label="Every project must have it")

    def __init__(self, *args: Any, field: CustomField | None = None, **kwargs: Any) -> None:
        if field is not None:
            kept = {"label": field.label, "required": field.required, "choices": "\n".join(field.choices)}
            kwargs["initial"] = kept
        super().__init__(*args, **kwargs)
        if field is not None:
            del self.fields["key"], self.fields["kind"]
            if field.kind != CustomField.Kind.CHOICE:
                del self.fields["choices"]

    def clean_choices(self) -> list[str]:
        lines = (line.strip() for line in self.cleaned_data["choices"].splitlines())
        found = list(dict.fromkeys(line for line in lines if line))
        if len(found) > MAX_CHOICES or any(len(choice) > MAX_CHOICE for choice in found):
            raise forms.ValidationError(f"Up to {MAX_CHOICES} choices of up to {MAX_CHOICE} characters.")
        return found
