from __future__ import annotations

from django import forms


class SetPasswordForm(forms.Form):
    password = forms.CharField(
        max_length=1000,
        strip=False,
        label="New password",
        help_text="At least 15 characters; a sentence is fine.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
