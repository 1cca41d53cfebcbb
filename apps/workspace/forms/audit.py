"""What to look for in the audit log."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.urls import reverse_lazy
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.selectors import members_meant
from apps.audit.selectors import Filters

NAMED = 3  # in a message; more than that nobody reads


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
    person = forms.CharField(
        max_length=254,
        required=False,
        label=_("Who"),
        widget=forms.TextInput(
            attrs={
                "type": "search",
                "placeholder": _("Name or e-mail address"),
                "autocomplete": "off",
                "list": "people",
                "hx-get": reverse_lazy("audit-people"),
                "hx-trigger": "input changed delay:200ms",
                "hx-target": "#people",
                "hx-select": "unset",
                "hx-swap": "innerHTML",
                "hx-push-url": "false",
            }
        ),
    )
    since = forms.DateField(
        required=False, label=_("From"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    until = forms.DateField(
        required=False,
        label=_("To"),
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def __init__(self, *args: Any, tenant_id: UUID, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tenant_id = tenant_id

    def clean_person(self) -> str:
        """The id of the one member who is meant."""
        text = self.cleaned_data["person"]
        if not text:
            return ""
        found = members_meant(self.tenant_id, text, limit=NAMED + 1)
        if not found:
            raise forms.ValidationError(_("No member has this in their name or address."))
        if len(found) > 1:
            named = ", ".join(member.email for member in found[:NAMED])
            few = _("Several members are meant: %(named)s. Write one address.")
            many = _("Several members are meant: %(named)s and others. Write one address.")
            raise forms.ValidationError((many if len(found) > NAMED else few) % {"named": named})
        return str(found[0].user_id)

    @property
    def filters(self) -> Filters:
        asked, found = self.cleaned_data, Filters()
        if asked["action"]:
            found["action"] = asked["action"]
        if asked["person"]:
            found["actor_id"] = asked["person"]
        if asked["since"]:
            found["since"] = _midnight(asked["since"])
        if asked["until"] and asked["until"] < date.max:
            found["until"] = _midnight(asked["until"]) + timedelta(days=1)
        return found


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
