from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from typing import Any

from allauth.account.forms import LoginForm
from django import forms
from django.conf import settings
from django.core.validators import RegexValidator
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.audit.selectors import Filters

from .choices import languages, time_zones
from .permissions import DESCRIPTIONS, by_area
from .validators import no_control_characters

is_color = RegexValidator(r"^#[0-9A-Fa-f]{6}\Z", _("A color has six hexadecimal digits, such as #4f39f6."))
NEVER = "never"
EXPIRIES = {"30": _("In 30 days"), "90": _("In 90 days"), "365": _("In a year"), NEVER: _("Never")}
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
    email = forms.EmailField(
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

    name = forms.CharField(
        max_length=150, required=False, label=_("Your name"), widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    field_order = ("name", "password")

    def __init__(self, *args: Any, known: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if known:
            field = self.fields["password"]
            field.label, field.help_text = _("Your password"), _("The one you sign in with elsewhere on this platform.")
            field.widget.attrs["autocomplete"] = "current-password"


class RoleChoiceForm(forms.Form):
    """One of the ``roles`` that whoever asks may give."""

    role = forms.ChoiceField(label=_("Role"))

    def __init__(self, *args: Any, roles: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["role"]
        field.choices = roles


class InviteForm(RoleChoiceForm):
    email = forms.EmailField(
        max_length=254,
        label=_("E-mail address"),
        help_text=_("We mail a link to it that works once."),
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    field_order = ("email", "role")


class RoleForm(forms.Form):
    """A name and permissions; those that are not ``grantable`` are shown, but cannot be chosen."""

    name = forms.CharField(max_length=60, label=_("Name"), validators=[no_control_characters])
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

    name = forms.CharField(
        max_length=150,
        required=False,
        validators=[no_control_characters],
        label=_("Your name"),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    locale = forms.ChoiceField(required=False, label=_("Language"))
    time_zone = forms.ChoiceField(required=False, label=_("Time zone"))

    def __init__(self, *args: Any, organization: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        locales, zones = languages(self.initial["locale"]), time_zones(self.initial["time_zone"])
        theirs = dict(languages(organization["locale"]))[organization["locale"]]
        _choose(self, "locale", [("", _("As the organization (%(choice)s)") % {"choice": theirs}), *locales])
        _choose(
            self,
            "time_zone",
            [("", _("As the organization (%(choice)s)") % {"choice": organization["time_zone"]}), *zones],
        )


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
        _choose(self, "locale", languages(self.initial["locale"]))
        _choose(self, "time_zone", time_zones(self.initial["time_zone"]))


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
        _choose(self, "scopes", [(name, text) for name, text in DESCRIPTIONS.items() if name in may])

    @property
    def expires_at(self) -> datetime | None:
        chosen = self.cleaned_data["expiry"]
        return None if chosen == NEVER else timezone.now() + timedelta(days=int(chosen))


class AuditFilterForm(forms.Form):
    """What to show of the audit log; days are whole days, the last one included."""

    action = forms.CharField(
        max_length=100,
        required=False,
        label=_("Action begins with"),
        widget=forms.TextInput(
            attrs={"type": "search", "placeholder": _("project, member.added …"), "list": "actions"}
        ),
    )
    person = forms.ChoiceField(required=False, label=_("Who"))
    since = forms.DateField(
        required=False, label=_("From"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    until = forms.DateField(
        required=False, label=_("To"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )

    def __init__(self, *args: Any, people: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choose(self, "person", [("", _("Everybody")), *people])

    @property
    def filters(self) -> Filters:
        asked, found = self.cleaned_data, Filters()
        if asked["action"]:
            found["action"] = asked["action"]
        if asked["person"]:
            found["actor_id"] = asked["person"]
        if asked["since"]:
            found["since"] = _midnight(asked["since"])
        if asked["until"]:
            found["until"] = _midnight(asked["until"]) + timedelta(days=1)
        return found


def _choose(form: forms.Form, name: str, choices: list[Any]) -> None:
    field: Any = form.fields[name]
    field.choices = choices


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


class SignInForm(LoginForm):  # type: ignore[misc]
    """allauth's form with labels alone: placeholders that repeat them vanish when they are needed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = _("E-mail address")
        for field in self.fields.values():
            field.widget.attrs.pop("placeholder", None)
