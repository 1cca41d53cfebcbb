"""Staff coming to look into the organization, and leaving."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_GET, require_POST

from apps.access.guards import public

from ..errors import HandoffRefused
from ..requests import TenantRequest
from ..services import visits
from ..visiting import VISIT_KEY


@public("the code is the proof")
@require_GET
@never_cache
@sensitive_variables("code")
def begin(request: TenantRequest) -> HttpResponse:
    """Begin the visit that the code was issued for; whoever was signed in in this browser is not any more."""
    try:
        visit = visits.begin(code=request.GET.get("code", ""))
    except HandoffRefused as error:
        messages.error(request, error.message)
        return redirect("account_login")
    visits.tell_begin(visit)
    request.session.flush()
    request.session[VISIT_KEY] = str(visit.id)
    request.session.set_expiry(max(1, int((visit.expires_at - timezone.now()).total_seconds())))
    return redirect("overview")


@public("whoever visits may leave", while_read_only=True)
@require_POST
def end(request: TenantRequest) -> HttpResponse:
    """End the visit at once. Without one there is nothing to do."""
    if request.visit is not None:
        visits.end(visit=request.visit)
        visits.tell_end(request.visit)
        request.session.flush()
        messages.success(request, _("Your visit has ended."))
    return redirect("account_login")
