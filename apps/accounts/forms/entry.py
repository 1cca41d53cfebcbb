"""Getting in: signing in, the links that are mailed, one's own organizations."""

from __future__ import annotations

import re
from typing import Any

from allauth.account.forms import LoginForm
from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from apps.core.form_fields import AddressFormField, NameFormField

HOST_NAME = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")


class SetPasswordForm(forms.Form):
    password = forms.CharField(
        max_length=1000,
        strip=False,
        label=_("New password"),
        help_text=_("At least 15 characters; a sentence is fine."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class AddressForm(forms.Form):
    email = AddressFormField(
        max_length=254, label=_("E-mail address"), widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )


class OrganizationAddressForm(forms.Form):
    """An organization's address: its first part, or all of it, as somebody remembers or copies it."""

    organization = forms.CharField(
        max_length=253,
        label=_("Address of your organization"),
        widget=forms.TextInput(
            attrs={"autocapitalize": "none", "autocomplete": "organization", "spellcheck": "false", "autofocus": True}
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["organization"].help_text = _("For example acme, or acme.%(domain)s.") % {
            "domain": settings.BASE_DOMAIN
        }

    def clean_organization(self) -> str:
        """The host name that is meant."""
        typed = self.cleaned_data["organization"].strip().lower()
        host = str(typed).split("://")[-1].split("/")[0].rsplit(":", 1)[0].strip(".")
        host = host if "." in host else f"{host}.{settings.BASE_DOMAIN}"
        if not HOST_NAME.fullmatch(host):
            raise forms.ValidationError(_("An address has letters, digits and hyphens only."))
        return host


class AcceptForm(SetPasswordForm):
    """A new password, or for ``known`` people the one they have."""

    name = NameFormField(
        max_length=150,
        required=False,
        one_script=True,
        label=_("Your name"),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    field_order = ("name", "password")

    def __init__(self, *args: Any, known: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if known:
            field = self.fields["password"]
            field.label, field.help_text = _("Your password"), _("The one you sign in with elsewhere on this platform.")
            field.widget.attrs["autocomplete"] = "current-password"


class SignInForm(LoginForm):  # type: ignore[misc]
    """allauth's form with labels alone: placeholders that repeat them vanish when they are needed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"] = AddressFormField(label=_("E-mail address"), widget=self.fields["login"].widget)
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)
