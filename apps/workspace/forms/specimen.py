from __future__ import annotations

from django import forms

from apps.core.form_fields import LinesFormField


class SpecimenForm(forms.Form):
    """One field of each kind, for the page of components."""

    name = forms.CharField(help_text="As it is shown to others.")
    kind = forms.ChoiceField(choices=[("a", "First"), ("b", "Second")])
    note = LinesFormField(required=False, widget=forms.Textarea(attrs={"rows": 3}))
    day = forms.DateField(required=False, widget=forms.DateInput(attrs={"type": "date"}))
    file = forms.FileField(required=False)
    agreed = forms.BooleanField(help_text="It can be taken back at any time.")
