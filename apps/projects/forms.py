from __future__ import annotations

from django import forms

from .models import Project


class ProjectForm(forms.ModelForm):
    class Meta:
        model = Project
        fields = ("name", "description")
        widgets = {"description": forms.Textarea(attrs={"rows": 4})}  # noqa: RUF012


class DocumentForm(forms.Form):
    file = forms.FileField(max_length=255, allow_empty_file=False)
