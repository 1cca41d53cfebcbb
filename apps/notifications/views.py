"""Development's mails: those written instead of sent, and every template with a sample."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from apps.access.guards import public

from .composition import Composed
from .inbox import Mail, find_mail, mails
from .letters import LETTERS

DEVELOPMENT = "exists in development only"
# Mails carry their styles with them. Nothing else of theirs is loaded or run, wherever they are opened.
MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)


@public(DEVELOPMENT)
@require_safe
def inbox(request: HttpRequest) -> HttpResponse:
    return render(request, "notifications/inbox.html", {"mails": mails()})


@public(DEVELOPMENT)
@require_safe
def mail(request: HttpRequest, name: str) -> HttpResponse:
    return render(request, "notifications/mail.html", {"mail": _sent(name)})


@public(DEVELOPMENT)
@xframe_options_sameorigin
@require_safe
def mail_html(request: HttpRequest, name: str) -> HttpResponse:
    return _html(_sent(name))


@public(DEVELOPMENT)
@require_safe
def templates(request: HttpRequest) -> HttpResponse:
    return render(
        request,
        "notifications/templates.html",
        {"samples": [(name, letter.composed()) for name, letter in LETTERS.items()]},
    )


@public(DEVELOPMENT)
@require_safe
def template(request: HttpRequest, name: str) -> HttpResponse:
    return render(request, "notifications/template.html", {"name": name, "mail": _sample(name)})


@public(DEVELOPMENT)
@xframe_options_sameorigin
@require_safe
def template_html(request: HttpRequest, name: str) -> HttpResponse:
    return _html(_sample(name))


def _sent(name: str) -> Mail:
    found = find_mail(name)
    if found is None:
        raise Http404
    return found


def _sample(name: str) -> Composed:
    if name not in LETTERS:
        raise Http404
    return LETTERS[name].composed()


def _html(composed: Composed) -> HttpResponse:
    return HttpResponse(composed.html, headers={"Content-Security-Policy": MAIL_POLICY})
