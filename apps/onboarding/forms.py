from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.core.form_fields import AddressFormField, NameFormField

from .services import NAME_MAX_LENGTH


class SignUpForm(forms.Form):
    organization = NameFormField(
        max_length=NAME_MAX_LENGTH,
        one_script=True,
        label=_("Name of your organization"),
        widget=forms.TextInput(attrs={"autocomplete": "organization", "aria-describedby": "address"}),
    )
    email = AddressFormField(
        max_length=254, label=_("Your e-mail address"), widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )
    password = forms.CharField(
        max_length=1000,
        strip=False,
        label=_("Password"),
        help_text=_("At least 15 characters; a sentence is fine."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
