from __future__ import annotations

from typing import Any

from allauth.account.forms import LoginForm
from django import forms


class SetPasswordForm(forms.Form):
    password = forms.CharField(
        max_length=1000,
        strip=False,
        label="New password",
        help_text="At least 15 characters; a sentence is fine.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class SignInForm(LoginForm):  # type: ignore[misc]
    """allauth's form with labels alone: placeholders that repeat them vanish when they are needed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = "E-mail address"
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)
