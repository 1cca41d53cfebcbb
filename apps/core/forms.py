"""What pages with a form have in common.

A view of such a page binds its form, calls one service ``with blaming(form)`` when it is valid, and is ``done``; with
whatever is wrong, and before anything is sent, it answers with ``form_page``. Where only a part of the page has
changed, it is ``swapped``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from .errors import DomainError

INVALID = 422  # the status of a page whose form was filled in wrongly


def posted(request: HttpRequest) -> Any:
    """What a form is bound to: the data that was sent, even if there is none, or nothing yet."""
    return request.POST if request.method == "POST" else None


@contextmanager
def blaming(form: forms.BaseForm) -> Iterator[None]:
    """Show a rule that is broken inside at the field that is at fault, or above the form."""
    try:
        yield
    except DomainError as error:
        form.add_error(error.field if error.field in form.fields else None, error.message)


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
    return render(request, template, {"form": form, **context}, status=status_of(form))


def choose(form: forms.BaseForm, name: str, choices: Sequence[Any]) -> None:
    """Give a field the choices that are known only when the form is made."""
    field: Any = form.fields[name]
    field.choices = choices
