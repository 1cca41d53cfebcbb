"""A form that is sent twice, by a double click or a reload, is carried out once and answered the same."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _

from apps.audit.actors import act_for_call
from apps.core import memory
from apps.core.http import came_from
from apps.core.memory import MemoryAway

from . import fingerprints
from .errors import AnswerLost, CallInProgress
from .models import IdempotentCall
from .services import idempotency
from .services.idempotency import StoredAnswer

CSRF_FIELD = "csrfmiddlewaretoken"  # made anew each time a page is rendered
KEPT_HEADERS = ("Location", "Content-Type", "Content-Security-Policy", "Cache-Control")
MESSAGES, UNDER_WAY = "Messages", "…"
LOOKS, LOOK_SECONDS = 30, 0.1  # how long somebody waits for the answer to their first click

Respond = Callable[[], HttpResponseBase]


def answered_once(request: Any, respond: Respond) -> HttpResponseBase:
    """What ``respond`` answers to the form, or has answered when it was sent first; what was refused may be retried.

    Raises CallInProgress if that takes too long.
    """
    if request.method != "POST" or CSRF_FIELD not in request.POST:
        return respond()
    try:
        begun = _begin(request)
    except AnswerLost:
        messages.info(request, _("That was done already."))
        return HttpResponseRedirect(came_from(request))
    if isinstance(begun, StoredAnswer):
        return _again(request, begun)
    act_for_call(begun.id)
    try:
        response = respond()
    except BaseException:
        idempotency.abandon(begun)
        raise
    _settle(request, begun, response)
    return response


def once(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """The same where nobody is known yet: where the first one led to is kept in memory, while its code is good.

    While memory is away each form counts.
    """

    @wraps(view)
    def respond_once(request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return _redirected_once(request, lambda: view(request, *args, **kwargs))

    return respond_once


def _redirected_once(request: Any, respond: Respond) -> HttpResponseBase:
    if request.method != "POST" or CSRF_FIELD not in request.POST:
        return respond()
    place = f"tenantry:form:{fingerprints.of_form(request)}"
    led_to = _claim(place)
    if led_to:
        return HttpResponseRedirect(led_to)
    try:
        response = respond()
    except BaseException:
        _remember(place, "")
        raise
    _remember(place, response.headers.get("Location", ""))
    return response


def _claim(place: str) -> str:
    """Where the same form led to; empty if it was not sent before."""
    for _look in range(LOOKS):
        try:
            found: Any = memory.ask(
                lambda store: store.set(place, UNDER_WAY, nx=True, get=True, ex=settings.HANDOFF_SECONDS)
            )
        except MemoryAway:
            return ""
        if found is None or found.decode() != UNDER_WAY:
            return found.decode() if found else ""
        time.sleep(LOOK_SECONDS)
    raise CallInProgress


def _remember(place: str, led_to: str) -> None:
    with suppress(MemoryAway):  # it is done already
        memory.ask(lambda store: store.set(place, led_to, xx=True, keepttl=True) if led_to else store.delete(place))


def answered_before(request: Any) -> HttpResponse | None:
    """What was answered to the same form before, if it was sent before."""
    if request.method != "POST" or CSRF_FIELD not in request.POST:
        return None
    fingerprint = fingerprints.of_form(request)
    answer = idempotency.recall(subject=request.subject, key=_key(fingerprint), fingerprint=fingerprint)
    return None if answer is None else _again(request, answer)


def _key(fingerprint: str) -> str:
    return f"form {fingerprint}"


def _begin(request: Any) -> IdempotentCall | StoredAnswer:
    fingerprint = fingerprints.of_form(request)
    for _look in range(LOOKS):
        try:
            return idempotency.begin(subject=request.subject, key=_key(fingerprint), fingerprint=fingerprint)
        except CallInProgress:
            time.sleep(LOOK_SECONDS)
    return idempotency.begin(subject=request.subject, key=_key(fingerprint), fingerprint=fingerprint)


def _settle(request: Any, call: IdempotentCall, response: HttpResponseBase) -> None:
    if response.status_code >= 400 or not isinstance(response, HttpResponse):
        idempotency.abandon(call)
        return
    storage: Any = messages.get_messages(request)
    said = [[message.level, str(message.message)] for message in storage._queued_messages]
    headers = {name: response[name] for name in KEPT_HEADERS if name in response} | {MESSAGES: json.dumps(said)}
    idempotency.finish(call, StoredAnswer(response.status_code, headers, response.content))


def _again(request: Any, answer: StoredAnswer) -> HttpResponse:
    headers = dict(answer.headers)
    for level, text in json.loads(headers.pop(MESSAGES)):
        messages.add_message(request, level, text)
    return HttpResponse(answer.body, status=answer.status, headers=headers)
