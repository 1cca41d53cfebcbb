"""Finds the tenant of a request by its host and runs everything else in that tenant's context."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import structlog
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase, StreamingHttpResponse
from django.urls import set_urlconf
from django.utils.translation import gettext as _
from django_tenants.middleware.main import TenantMainMiddleware
from django_tenants.utils import remove_www

from apps.core.encryption import DecryptionError
from apps.core.problems import error_response
from apps.tenancy.context import Context, iterate_inside, use
from apps.tenancy.databases import statements_sent

from .bulkhead import Full, bulkhead
from .directory import Entry, OutOfDate, directory
from .links import apex_link
from .models import Tenant
from .traffic import Figures, recorder

log = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS = 2


class TrafficMiddleware:
    """Notes what each request came to, for the figures of its organization; files and unknown hosts are left out."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began, sent = perf_counter(), statements_sent()
        response = self.get_response(request)
        if hasattr(request, "tenant"):
            figures = Figures(
                requests=1,
                errors=int(response.status_code >= 500),
                refused=int(response.status_code == 429),
                ms=round((perf_counter() - began) * 1000),
                queries=max(0, statements_sent() - sent),
                bytes=_length(response),
            )
            recorder.note(request.tenant.id if request.tenant else None, figures)
        return response


class TenantMiddleware(TenantMainMiddleware):  # type: ignore[misc]
    """Unknown host: 404. Held or deactivated: 403 with the reason. Not yet provisioned: 503, try again."""

    async_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        super().__init__(get_response)
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            host = self.hostname_from_request(request)
        except DisallowedHost:
            return _unknown(request)
        if host == settings.BASE_DOMAIN:
            request.directory_version = None  # type: ignore[attr-defined]
            return self._run(request, None, None)
        response = self._answer(request, directory.find(host))
        return self._answer(request, directory.find_anew(host)) if isinstance(response, OutOfDate) else response

    def _answer(self, request: HttpRequest, entry: Entry) -> HttpResponseBase:
        """The answer of the tenant that the directory has, or OutOfDate if something further in knows better."""
        request.directory_version = entry.version  # type: ignore[attr-defined]
        tenant = entry.tenant
        refusal = refusal_for(request, tenant)
        if refusal is not None or tenant is None:
            return refusal or _unknown(request)
        try:
            context = tenant.context()
        except DecryptionError as error:
            log.error("tenant_database_credentials_unreadable", tenant=tenant.slug, error=str(error))
            detail = f"{tenant.name} cannot be reached right now."
            return _try_again(request, tenant, "temporarily_unavailable", detail)
        try:
            with bulkhead.place_for(tenant.id):
                return self._run(request, tenant, context)
        except Full:
            return too_much_at_once(request, tenant)

    @staticmethod
    def hostname_from_request(request: HttpRequest) -> str:
        return remove_www(request.get_host().rsplit(":", 1)[0].lower().rstrip("."))

    def _run(self, request: HttpRequest, tenant: Tenant | None, context: Context) -> HttpResponseBase:
        request.tenant = tenant  # type: ignore[attr-defined]
        request.urlconf = settings.ROOT_URLCONF if tenant else settings.PUBLIC_SCHEMA_URLCONF  # type: ignore[attr-defined]
        set_urlconf(request.urlconf)  # type: ignore[attr-defined]
        if tenant:
            structlog.contextvars.bind_contextvars(tenant=tenant.slug, tenant_id=str(tenant.id))
        with use(context):
            response = self.get_response(request)
        if isinstance(response, StreamingHttpResponse):
            response.streaming_content = iterate_inside(context, response.streaming_content)  # type: ignore[arg-type]
        return response


def _length(response: HttpResponseBase) -> int:
    """Of the body, as far as it is known before it is sent."""
    if isinstance(response, HttpResponse):
        return len(response.content)
    announced = response.headers.get("Content-Length", "")
    return int(announced) if announced.isdigit() else 0


def refusal_for(request: HttpRequest, tenant: Tenant | None) -> HttpResponse | None:
    """The answer where an organization is not there, not open or not ready yet."""
    if tenant is None or tenant.status == Tenant.Status.ERASED:
        return _unknown(request)
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


def too_much_at_once(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    headers = {"Retry-After": "1"}
    detail = _("%(organization)s has more requests in hand than it may have at once.") % {"organization": tenant.name}
    return error_response(request, 429, "too_many_at_once", detail, headers=headers, page={"tenant": tenant})


def _try_again(request: HttpRequest, tenant: Tenant, code: str, detail: str) -> HttpResponse:
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS), "Refresh": str(RETRY_AFTER_SECONDS)}
    return error_response(request, 503, code, detail, headers=headers, page={"tenant": tenant})


def _unknown(request: HttpRequest) -> HttpResponse:
    page = {"start": apex_link(), "find": apex_link("/find-organizations/")}
    return error_response(request, 404, "unknown_host", "No organization answers at this address.", page=page)
