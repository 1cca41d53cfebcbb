"""A request as views see it."""

from __future__ import annotations

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from apps.access.subjects import Subject
from apps.tenants.models import Tenant

from .models import SupportVisit, User


class TenantRequest(HttpRequest):
    """One on an organization's host, or for an organization.

    ``subject`` is who asks: the bearer of a token or key, staff on a visit, the signed-in member, or ANONYMOUS.
    """

    tenant: Tenant
    subject: Subject
    visit: SupportVisit | None
    user: User
    htmx: HtmxDetails
