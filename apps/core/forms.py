"""What pages with a form have in common."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from .errors import DomainError


def posted(request: HttpRequest) -> Any:
    """What a form is bound to: the data that was sent, even if there is none, or nothing yet."""
    return request.POST if request.method == "POST" else None


def blame(form: forms.BaseForm, error: DomainError) -> None:
    """Show a broken rule at the field that is at fault, or above the form."""
    form.add_error(error.field if error.field in form.fields else None, error.message)


def status_of(form: forms.BaseForm) -> int:
    return 422 if form.errors else 200


def form_page(request: HttpRequest, template: str, form: forms.BaseForm, **context: Any) -> HttpResponse:
    return render(request, template, {"form": form, **context}, status=status_of(form))
