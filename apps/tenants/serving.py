"""Answering a request for an organization: not at all, not now, or inside its context."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase, StreamingHttpResponse
from django.utils.translation import gettext as _

from apps.core.encryption import DecryptionError
from apps.core.problems import error_response
from apps.tenancy.context import Context, TenantContext, current, iterate_inside, iterate_inside_async, use

from .bulkhead import Full, bulkhead
from .links import apex_link
from .models import Tenant

log = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS = 2

Respond = Callable[[HttpRequest], HttpResponseBase]


def serve(request: HttpRequest, tenant: Tenant | None, respond: Respond) -> HttpResponseBase:
    """What ``respond`` answers inside the tenant's context, or why nobody can.

    No tenant or an erased one: 404. Held or deactivated: 403 with the reason. Not yet provisioned: 503, try again.
    As much in hand as it may have at once: 429.
    """
    if tenant is None or tenant.status == Tenant.Status.ERASED:
        return unknown_host(request)
    refusal = _refusal(request, tenant)
    if refusal is not None:
        return refusal
    try:
        context = tenant.context()
    except DecryptionError as error:
        log.error("tenant_database_credentials_unreadable", tenant=tenant.slug, error=str(error))
        return come_again(request, tenant)
    request.tenant = tenant  # type: ignore[attr-defined]
    structlog.contextvars.bind_contextvars(tenant=tenant.slug, tenant_id=str(tenant.id))
    served = current()
    if isinstance(served, TenantContext) and served.tenant_id == tenant.id:  # it has room, and is entered as it is now
        return respond_inside(context, request, respond)
    try:
        with bulkhead.room_for(tenant.id):
            return respond_inside(context, request, respond)
    except Full:
        return _too_much_at_once(request, tenant)


def respond_inside(context: Context, request: HttpRequest, respond: Respond) -> HttpResponseBase:
    """Answer in a context; what is streamed is made in it, too."""
    with use(context):
        response = respond(request)
    if isinstance(response, StreamingHttpResponse):
        inside = iterate_inside_async if response.is_async else iterate_inside
        response.streaming_content = inside(context, response.streaming_content)  # type: ignore[arg-type, operator]
    return response


def come_again(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """The answer where the organization is open, and yet cannot be served this moment."""
    return _try_again(request, tenant, "temporarily_unavailable", f"{tenant.name} cannot be reached right now.")


def unknown_host(request: HttpRequest) -> HttpResponse:
    page = {"start": apex_link(), "find": apex_link("/find-organizations/")}
    return error_response(request, 404, "unknown_host", "No organization answers at this address.", page=page)


def _refusal(request: HttpRequest, tenant: Tenant) -> HttpResponse | None:
    if tenant.is_held:
        detail = f"{tenant.name} is on hold: {tenant.hold_reason}"
        page = {"tenant": tenant, "reason": tenant.hold_reason}
        return error_response(request, 403, "tenant_held", detail, page=page)
    if tenant.status == Tenant.Status.PROVISIONING:
        return _try_again(request, tenant, "tenant_provisioning", f"{tenant.name} is being prepared.")
    if tenant.status == Tenant.Status.DEACTIVATED:
        detail = f"{tenant.name} has been deactivated."
        return error_response(request, 403, "tenant_deactivated", detail, page={"tenant": tenant})
    return None


def _too_much_at_once(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    headers = {"Retry-After": "1"}
    detail = _("%(organization)s has more requests in hand than it may have at once.") % {"organization": tenant.name}
    return error_response(request, 429, "too_many_at_once", detail, headers=headers, page={"tenant": tenant})


def _try_again(request: HttpRequest, tenant: Tenant, code: str, detail: str) -> HttpResponse:
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS), "Refresh": str(RETRY_AFTER_SECONDS)}
    return error_response(request, 503, code, detail, headers=headers, page={"tenant": tenant})
