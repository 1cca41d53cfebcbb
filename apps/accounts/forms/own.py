"""What members say about themselves."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.core.form_fields import NameFormField
from apps.core.forms import choose
from apps.core.locale_choices import languages, time_zones


class PasswordForm(forms.Form):
    old_password = forms.CharField(
        max_length=1000,
        strip=False,
        label=_("Your password now"),
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    new_password = forms.CharField(
        max_length=1000,
        strip=False,
        label=_("New password"),
        help_text=_("At least 15 characters; a sentence is fine."),
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class ProfileForm(forms.Form):
    """What the organization knows a member by; empty choices are the organization's."""

    name = NameFormField(
        max_length=150,
        required=False,
        one_script=True,
        label=_("Your name"),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    locale = forms.ChoiceField(required=False, label=_("Language"))
    time_zone = forms.ChoiceField(required=False, label=_("Time zone"))

    def __init__(self, *args: Any, organization: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        locales, zones = languages(self.initial["locale"]), time_zones(self.initial["time_zone"])
        theirs = dict(languages(organization["locale"]))[organization["locale"]]
        choose(self, "locale", [("", _("As the organization (%(choice)s)") % {"choice": theirs}), *locales])
        choose(
            self,
            "time_zone",
            [("", _("As the organization (%(choice)s)") % {"choice": organization["time_zone"]}), *zones],
        )
