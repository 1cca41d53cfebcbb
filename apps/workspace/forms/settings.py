"""The organization's settings."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from apps.core.form_fields import FileFormField, NameFormField, OneFileInput
from apps.core.forms import choose
from apps.core.locale_choices import languages, time_zones

is_color = RegexValidator(r"^#[0-9A-Fa-f]{6}\Z", _("A color has six hexadecimal digits, such as #4f39f6."))


class OrganizationForm(forms.Form):
    """How the organization shows itself."""

    name = NameFormField(max_length=200, one_script=True, label=_("Name of the organization"))
    locale = forms.ChoiceField(label=_("Language"))
    time_zone = forms.ChoiceField(label=_("Time zone"))
    brand_name = NameFormField(
        max_length=60,
        required=False,
        one_script=True,
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
    file = FileFormField(
        max_length=255,
        allow_empty_file=False,
        label=_("Picture"),
        help_text=_("PNG, JPEG or WebP, up to 512 KB and 2048 pixels a side; square pictures look best."),
        widget=OneFileInput(attrs={"accept": "image/png,image/jpeg,image/webp"}),
    )
