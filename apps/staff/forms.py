from __future__ import annotations

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from apps.core.form_fields import LinesFormField
from apps.tenancy.outbox import STATES


class NothingToSay(forms.Form):
    """An act that is confirmed, without more words."""


class HoldForm(forms.Form):
    reason = LinesFormField(
        max_length=500,
        help_text="Everybody who opens the organization's address reads it.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )


class VisitForm(forms.Form):
    reason = LinesFormField(
        max_length=500,
        help_text="The organization's people read it in their audit log, with your address and every page you open.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )


class OutboxForm(forms.Form):
    """Which events are shown."""

    database = forms.ChoiceField(required=False, widget=UnfoldAdminSelectWidget())
    state = forms.ChoiceField(
        required=False,
        choices=[("", "All"), *((name, name.capitalize()) for name in STATES)],
        widget=UnfoldAdminSelectWidget(),
    )
