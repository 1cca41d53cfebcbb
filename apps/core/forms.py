"""What pages with a form have in common.

A view of such a page binds its form, calls one service ``with blaming(form)`` when it is valid, and is ``done``; with
whatever is wrong, and before anything is sent, it answers with ``form_page``. Where only a part of the page has
changed, it is ``swapped``. The form of a page that changes a row is made by ``editing``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext, gettext_lazy

from .errors import DomainError, PreconditionFailed
from .preconditions import etag_of

VERSION = "expected"
CHANGED = gettext_lazy(
    "Somebody has changed this since you opened it, and nothing of yours is saved yet. Where it differs, what is saved "
    "now stands below what you typed. Save again to keep yours."
)
F = TypeVar("F", bound=forms.BaseForm)
INVALID = 422  # the status of a page whose form was filled in wrongly


def posted(request: HttpRequest) -> Any:
    """What a form is bound to: the data that was sent, even if there is none, or nothing yet."""
    return request.POST if request.method == "POST" else None


def editing(form: F, row: Any) -> F:
    """Have a form that changes a row carry the version that its page was opened with, for the service to check."""
    form.fields[VERSION] = forms.CharField(required=False, widget=forms.HiddenInput, initial=etag_of(row))
    return form


@contextmanager
def blaming(form: forms.BaseForm) -> Iterator[None]:
    """Show a rule that is broken inside at the field that is at fault, or above the form.

    If the row was changed since the page was opened, what was typed stays, and beside it stands what is saved now;
    sent again it is about that.
    """
    try:
        yield
    except PreconditionFailed:
        _show_both(form)
    except DomainError as error:
        form.add_error(error.field if error.field in form.fields else None, error.message)
        form.headers = error.headers  # type: ignore[attr-defined]


def done(request: HttpRequest, message: str, to: str, **route: Any) -> HttpResponse:
    """Say what was done on the page that comes next."""
    messages.success(request, message)
    return redirect(to, **route)


def swapped(
    request: HttpRequest, message: str, to: str, *, part: str, context: dict[str, Any], **route: Any
) -> HttpResponse:
    """Say what was done beside the part of the page that has changed by it, which htmx puts in place of the old one.

    ``part`` is the template of the part, which the page includes, too. Without htmx all is as with ``done``.
    """
    if not request.headers.get("HX-Request"):
        return done(request, message, to, **route)
    return render(request, "swapped.html", {**context, "part": part, "message": message})


def status_of(form: forms.BaseForm) -> int:
    return INVALID if form.errors else 200


def form_page(request: HttpRequest, template: str, form: forms.BaseForm, **context: Any) -> HttpResponse:
    response = render(request, template, {"form": form, **context}, status=status_of(form))
    for name, value in getattr(form, "headers", {}).items():  # of the rule that was broken
        response[name] = value
    return response


def _show_both(form: Any) -> None:
    form.data = form.data.copy()
    form.data[VERSION] = form.fields[VERSION].initial
    for bound in form.visible_fields():
        if bound.field.has_changed(bound.initial, bound.data):
            bound.field.saved = _in_words(bound.field, bound.initial)
    form.add_error(None, CHANGED)


def _in_words(field: Any, value: Any) -> str:
    """What a field has, as people read it."""
    if isinstance(field, forms.BooleanField):
        return gettext("Yes") if value else gettext("No")
    labels = {str(key): str(label) for key, label in getattr(field, "choices", ())}
    values = value if isinstance(value, list | tuple) else [value]
    return ", ".join(labels.get(str(one), str(one)) for one in values if one not in (None, "")) or gettext("nothing")


def choose(form: forms.BaseForm, name: str, choices: Sequence[Any]) -> None:
    """Give a field the choices that are known only when the form is made."""
    field: Any = form.fields[name]
    field.choices = choices
