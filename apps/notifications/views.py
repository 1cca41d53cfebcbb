from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.accounts.access import public

from .inbox import mails


@public("exists in development only")
@require_safe
def dev_inbox(request: HttpRequest) -> HttpResponse:
    return render(request, "notifications/inbox.html", {"mails": mails()})
