"""Keys for the organization's programs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.access.permissions import DESCRIPTIONS
from apps.core.form_fields import NameFormField
from apps.core.forms import choose

NEVER = "never"
EXPIRIES = {"30": _("In 30 days"), "90": _("In 90 days"), "365": _("In a year"), NEVER: _("Never")}


class ApiKeyForm(forms.Form):
    """A new key, with some of the permissions that its maker has."""

    name = NameFormField(
        max_length=100,
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
