"""What members say about themselves."""

from __future__ import annotations

from typing import Any

from django import forms

from apps.core.forms import choose

from ..choices import languages, time_zones
from ..validators import no_control_characters


class PasswordForm(forms.Form):
    old_password = forms.CharField(
        max_length=1000,
        strip=False,
        label="Your password now",
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    new_password = forms.CharField(
        max_length=1000,
        strip=False,
        help_text="At least 15 characters; a sentence is fine.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )


class ProfileForm(forms.Form):
    """What the organization knows a member by; empty choices are the organization's."""

    name = forms.CharField(
        max_length=150,
        required=False,
        validators=[no_control_characters],
        label="Your name",
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    locale = forms.ChoiceField(required=False, label="Language")
    time_zone = forms.ChoiceField(required=False)

    def __init__(self, *args: Any, organization: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        locales, zones = languages(self.initial["locale"]), time_zones(self.initial["time_zone"])
        theirs = dict(languages(organization["locale"]))[organization["locale"]]
        choose(self, "locale", [("", f"As the organization ({theirs})"), *locales])
        choose(self, "time_zone", [("", f"As the organization ({organization['time_zone']})"), *zones])
