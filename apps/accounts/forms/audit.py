"""What to look for in the audit log."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from apps.audit.selectors import Filters
from apps.core.forms import choose


class AuditFilterForm(forms.Form):
    """What to show of the audit log; days are whole days, the last one included."""

    action = forms.CharField(
        max_length=100,
        required=False,
        label="Action begins with",
        widget=forms.TextInput(attrs={"type": "search", "placeholder": "project, member.added …", "list": "actions"}),
    )
    person = forms.ChoiceField(required=False, label="Who")
    since = forms.DateField(required=False, label="From", widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(required=False, label="To", widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, people: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choose(self, "person", [("", "Everybody"), *people])

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


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
