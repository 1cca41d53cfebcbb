"""The organization's settings, and keys for its programs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.core.forms import choose

from ..choices import languages, time_zones
from ..permissions import DESCRIPTIONS
from ..validators import no_control_characters

is_color = RegexValidator(r"^#[0-9A-Fa-f]{6}\Z", _("A color has six hexadecimal digits, such as #4f39f6."))
NEVER = "never"
EXPIRIES = {"30": _("In 30 days"), "90": _("In 90 days"), "365": _("In a year"), NEVER: _("Never")}


class OrganizationForm(forms.Form):
    """How the organization shows itself."""

    name = forms.CharField(max_length=200, validators=[no_control_characters], label=_("Name of the organization"))
    locale = forms.ChoiceField(label=_("Language"))
    time_zone = forms.ChoiceField(label=_("Time zone"))
    brand_name = forms.CharField(
        max_length=60,
        required=False,
        validators=[no_control_characters],
        label=_("Name to show"),
        help_text=_("In the navigation, in place of the organization's name."),
    )
    brand_color = forms.CharField(
        max_length=7,
        required=False,
        validators=[is_color],
        label=_("Color"),
        help_text=_("Darkened or lightened where text would be hard to read."),
        widget=forms.TextInput(attrs={"placeholder": "#4f39f6", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choose(self, "locale", languages(self.initial["locale"]))
        choose(self, "time_zone", time_zones(self.initial["time_zone"]))


class LogoForm(forms.Form):
    file = forms.FileField(
        max_length=255,
        allow_empty_file=False,
        label=_("Picture"),
        help_text=_("PNG, JPEG or WebP, up to 512 KB; square pictures look best."),
        widget=forms.FileInput(attrs={"accept": "image/png,image/jpeg,image/webp"}),
    )


class ApiKeyForm(forms.Form):
    """A new key, with some of the permissions that its maker has."""

    name = forms.CharField(
        max_length=100,
        validators=[no_control_characters],
        label=_("Name"),
        help_text=_("What uses it, so that you know it when you see it here."),
    )
    scopes = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple, label=_("What it may do"))
    expiry = forms.ChoiceField(choices=list(EXPIRIES.items()), initial="90", label=_("Expires"))

    def __init__(self, *args: Any, may: frozenset[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choose(self, "scopes", [(name, text) for name, text in DESCRIPTIONS.items() if name in may])

    @property
    def expires_at(self) -> datetime | None:
        chosen = self.cleaned_data["expiry"]
        return None if chosen == NEVER else timezone.now() + timedelta(days=int(chosen))
