from __future__ import annotations

from typing import Any

from allauth.account.forms import LoginForm
from django import forms

from .permissions import DESCRIPTIONS, by_area
from .validators import no_control_characters


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


class RoleChoiceForm(forms.Form):
    """One of the ``roles`` that whoever asks may give."""

    role = forms.ChoiceField(label="Role")

    def __init__(self, *args: Any, roles: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["role"]
        field.choices = roles


class InviteForm(RoleChoiceForm):
    email = forms.EmailField(
        max_length=254,
        label="E-mail address",
        help_text="We mail a link to it that works once.",
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    field_order = ("email", "role")


class RoleForm(forms.Form):
    """A name and permissions; those that are not ``grantable`` are shown, but cannot be chosen."""

    name = forms.CharField(max_length=60, validators=[no_control_characters])
    permissions = forms.MultipleChoiceField(
        required=False, choices=list(DESCRIPTIONS.items()), widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, grantable: frozenset[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.grantable = grantable

    @property
    def areas(self) -> dict[str, list[forms.boundfield.BoundWidget]]:
        """The checkboxes, under the name of what they are about."""
        boxes = {box.data["value"]: box for box in self["permissions"].subwidgets}
        return {area: [boxes[permission] for permission in found] for area, found in by_area().items()}


class SignInForm(LoginForm):  # type: ignore[misc]
    """allauth's form with labels alone: placeholders that repeat them vanish when they are needed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = "E-mail address"
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)
