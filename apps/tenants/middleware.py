"""Finds the tenant of a request by its host and runs everything else in that tenant's context."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from time import perf_counter
from typing import Any

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.request import split_domain_port
from django.http.response import HttpResponseBase
from django.urls import set_urlconf
from django_tenants.middleware.main import TenantMainMiddleware
from django_tenants.utils import remove_www

from apps.core.bodies import is_granted
from apps.tenancy.databases import statements_sent

from .directory import directory
from .links import apex_link
from .serving import respond_inside, serve, unknown_host
from .traffic import Figures, recorder


class TrafficMiddleware:
    """Notes what each request came to, for the figures of its organization; files and unknown hosts are left out.

    So is the question for a body that may then come.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began, sent = perf_counter(), statements_sent()
        response = self.get_response(request)
        if hasattr(request, "tenant") and not is_granted(request):
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
    """Serves the organization that answers at the host; on the apex there is none, and no context."""

    async_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        super().__init__(get_response)
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponseBase:
        try:
            host = self.hostname_from_request(request)
        except DisallowedHost:
            return unknown_host(request)
        is_apex = host == settings.BASE_DOMAIN
        if settings.DEVELOPMENT and not is_apex and request.method in ("GET", "HEAD") and _is_this_machine(host):
            return HttpResponseRedirect(apex_link(request.get_full_path()))  # where cookies and links work
        request.urlconf = settings.PUBLIC_SCHEMA_URLCONF if is_apex else settings.ROOT_URLCONF
        set_urlconf(request.urlconf)
        if is_apex:
            request.tenant = request.directory_entry = None
            return respond_inside(None, request, self.get_response)
        request.directory_entry = entry = directory.find(host)
        return serve(request, entry.tenant, self.get_response)

    @staticmethod
    def hostname_from_request(request: HttpRequest) -> str:
        return remove_www(split_domain_port(request.get_host())[0])


def _is_this_machine(host: str) -> bool:
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _length(response: HttpResponseBase) -> int:
    """Of the body, as far as it is known before it is sent."""
    if isinstance(response, HttpResponse):
        return len(response.content)
    announced = response.headers.get("Content-Length", "")
    return int(announced) if announced.isdigit() else 0
