"""What pages with a form have in common."""

from __future__ import annotations

from django import forms

from .errors import DomainError


def blame(form: forms.BaseForm, error: DomainError) -> None:
    """Show a broken rule at the field that is at fault, or above the form."""
    form.add_error(error.field if error.field in form.fields else None, error.message)


def status_of(form: forms.BaseForm) -> int:
    return 422 if form.errors else 200
