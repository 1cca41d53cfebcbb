"""What an error is called on a page, and what one can do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from .durations import in_words
from .locales import language_of_browser
from .theme import theme_of

Text = str | Promise


@dataclass(frozen=True)
class Explanation:
    title: Text
    advice: Text
    icon: str


EXPIRED_LINK = Explanation(
    _("This link no longer works"),
    _("Links like this one work once and for a limited time. Whoever sent it to you can send a new one."),
    "unlink",
)
BY_CODE: Mapping[str, Explanation] = {
    "csrf_failed": Explanation(
        _("This form has expired"), _("Nothing was saved. Go back, reload the page and send it again."), "timer-off"
    ),
    "tenant_held": Explanation(
        _("This organization is on hold"),
        _("Nothing is lost: its data stays where it is. An owner of the organization can ask us to lift the hold."),
        "circle-pause",
    ),
    "tenant_deactivated": Explanation(
        _("This organization has been deactivated"),
        _("Nobody can sign in to it at the moment. Its owners know more."),
        "circle-off",
    ),
    "tenant_provisioning": Explanation(
        _("A place is being prepared"), _("It takes a few seconds. This page reloads by itself."), "hourglass"
    ),
    "unknown_host": Explanation(
        _("No organization answers here"),
        _("Check the spelling of the address, or let us mail you the addresses of your organizations."),
        "map-pin-off",
    ),
    "visit_read_only": Explanation(_("Visits are for looking only"), _("Nothing was changed."), "eye"),
    "handoff_refused": EXPIRED_LINK,
    "password_link_refused": EXPIRED_LINK,
    "verification_refused": EXPIRED_LINK,
    "invitation_refused": EXPIRED_LINK,
    "download_refused": EXPIRED_LINK,
}
BY_STATUS: Mapping[int, Explanation] = {
    400: Explanation(
        _("That could not be understood"),
        _("If you followed a link, it may be damaged. Go back and try again."),
        "circle-question-mark",
    ),
    401: Explanation(_("Please sign in"), _("What you asked for is for people who are signed in."), "log-in"),
    403: Explanation(
        _("You may not do this"), _("Somebody who manages your organization can change that."), "shield-alert"
    ),
    404: Explanation(
        _("There is nothing here"),
        _("It may have been deleted or moved, or it was never shared with you. Check the address."),
        "search-x",
    ),
    405: Explanation(
        _("This cannot be done here"),
        _("What leads here is a button or a form, not the address itself. Go back to the page that has it."),
        "traffic-cone",
    ),
    409: Explanation(
        _("That does not go together"),
        _("Something has changed in the meantime. Go back, reload the page and look at what is there now."),
        "git-compare-arrows",
    ),
    412: Explanation(
        _("It has changed in the meantime"),
        _("Go back, reload the page and make your change again."),
        "git-compare-arrows",
    ),
    413: Explanation(
        _("That is too large"), _("Nothing was saved. Send a smaller file, or less at once."), "file-exclamation-point"
    ),
    429: Explanation(
        _("Too many tries"), _("Nothing is wrong with your account; this keeps guessing and flooding out."), "timer"
    ),
    500: Explanation(
        _("Something went wrong on our side"),
        _("It has been noted. Try again; if it stays so, tell us this number, with which we find what happened."),
        "server-crash",
    ),
    503: Explanation(
        _("We will be right back"),
        _("Something that we need does not answer. This page reloads by itself."),
        "plug-zap",
    ),
}
RELOADED, RELOAD_SECONDS = 503, 5
# The codes whose own words say no more than the explanation does.
UNSPECIFIC = frozenset(
    "bad_request not_found server_error temporarily_unavailable csrf_failed unknown_host tenant_deactivated "
    "tenant_provisioning content_too_large too_many_attempts too_many_requests method_not_allowed".split()
)


def error_page(
    request: HttpRequest, status: int, code: str, detail: str, headers: Mapping[str, str], page: Mapping[str, Any]
) -> HttpResponse:
    """The page of an error, for htmx a message with the same words.

    It asks no database, and nobody who they are: either may be what is broken.
    """
    default = BY_STATUS[500 if status >= 500 else 400]
    context = {
        "status": status,
        "code": code,
        "detail": "" if code in UNSPECIFIC else detail,
        "explanation": BY_CODE.get(code) or BY_STATUS.get(status, default),
        "wait": int(headers["Retry-After"]) if status == 429 and "Retry-After" in headers else 0,
        "request_id": structlog.contextvars.get_contextvars().get("request_id", "") if status >= 500 else "",
        "again": request.get_full_path() if request.method in ("GET", "HEAD") else "",
        "tenant": getattr(request, "tenant", None),
        "visit": getattr(request, "visit", None),
        "theme": theme_of(request),
        **page,
    }
    is_htmx = bool(request.headers.get("HX-Request"))  # its middleware may not have been reached
    with translation.override(getattr(request, "LANGUAGE_CODE", "") or language_of_browser(request)):
        context["wait_in_words"] = in_words(context["wait"])
        text = render_to_string("errors/toast.html" if is_htmx else "errors/error.html", context)
    response = HttpResponse(text, status=status)
    if status == RELOADED and context["again"] and not is_htmx:
        response["Refresh"] = str(RELOAD_SECONDS)
    return response
