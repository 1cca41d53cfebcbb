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


class AddressForm(forms.Form):
    email = forms.EmailField(
        max_length=254, label="E-mail address", widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )


class AcceptForm(SetPasswordForm):
    """A new password, or for ``known`` people the one they have."""

    name = forms.CharField(
        max_length=150, required=False, label="Your name", widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    field_order = ("name", "password")

    def __init__(self, *args: Any, known: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if known:
            field = self.fields["password"]
            field.label, field.help_text = "Your password", "The one you sign in with elsewhere on this platform."
            field.widget.attrs["autocomplete"] = "current-password"


class SignInForm(LoginForm):  # type: ignore[misc]
    """allauth's form with labels alone: placeholders that repeat them vanish when they are needed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = "E-mail address"
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)
