"""The organization's settings: its name, how it looks, and what cannot be taken back."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.access.guards import public, requires
from apps.access.permissions import ORGANIZATION_READ, SETTINGS_MANAGE
from apps.accounts.reader import turn_to
from apps.accounts.requests import TenantRequest
from apps.core.forms import blaming, done, editing, posted, status_of
from apps.tenants.branding import DEFAULT_COLOR, dark_shades, light_shades, stylesheet
from apps.tenants.models import Profile
from apps.tenants.selectors import profile_of
from apps.tenants.services import profiles

from ..forms.settings import LogoForm, OrganizationForm

SHOWN = ("name", *profiles.FIELDS)
KEPT = "private, max-age=31536000, immutable"  # the address has the version
KEPT_BY_ALL = "public, max-age=31536000, immutable"


@requires(SETTINGS_MANAGE)
@require_http_methods(["GET", "HEAD", "POST"])
def organization_settings(request: TenantRequest) -> HttpResponse:
    subject = request.subject
    user: Any = request.user
    profile = profile_of(subject.tenant_id)
    form = editing(OrganizationForm(posted(request), initial=_values(profile)), profile)
    if form.is_valid():
        with blaming(form):
            chosen = profiles.update_profile(actor=subject, tenant_id=subject.tenant_id, **form.cleaned_data)
            turn_to(request, user.membership, chosen)
            return done(request, _("The settings are saved."), "settings")
    return _settings(request, profile, form, LogoForm())


@requires(SETTINGS_MANAGE)
@require_POST
def upload_logo(request: TenantRequest) -> HttpResponse:
    subject = request.subject
    form = LogoForm(request.POST, request.FILES)
    if form.is_valid():
        with blaming(form):
            profiles.set_logo(actor=subject, tenant_id=subject.tenant_id, upload=form.cleaned_data["file"])
            return done(request, _("This is your logo now."), "settings")
    profile = profile_of(subject.tenant_id)
    return _settings(request, profile, editing(OrganizationForm(initial=_values(profile)), profile), form)


@requires(SETTINGS_MANAGE)
@require_POST
def remove_logo(request: TenantRequest) -> HttpResponse:
    subject = request.subject
    profiles.remove_logo(actor=subject, tenant_id=subject.tenant_id)
    return done(request, _("The logo is removed."), "settings")


@requires(SETTINGS_MANAGE)
@require_safe
def danger_zone(request: TenantRequest) -> HttpResponse:
    return render(request, "settings/danger.html")


@requires(ORGANIZATION_READ)
@require_safe
def logo(request: TenantRequest) -> FileResponse:
    """The picture in the navigation, kept by browsers until it changes."""
    file, content_type = profiles.open_logo(profile_of(request.tenant.id))
    return FileResponse(file, content_type=content_type, headers={"Cache-Control": KEPT})


@public("mails show it, wherever they are read")
@require_safe
def mailed_logo(request: TenantRequest, token: str) -> FileResponse:
    profile = profile_of(request.tenant.id)
    profiles.check_logo_token(profile, token)
    file, content_type = profiles.open_logo(profile)
    return FileResponse(file, content_type=content_type, headers={"Cache-Control": KEPT_BY_ALL})


@public("it is what pages look like")
@require_safe
def brand_stylesheet(request: TenantRequest) -> HttpResponse:
    """The organization's color as tokens, for all its pages."""
    color = profile_of(request.tenant.id).brand_color
    headers = {"Cache-Control": KEPT} if color and "v" in request.GET else {}
    return HttpResponse(stylesheet(color), content_type="text/css", headers=headers)


def _values(profile: Profile) -> dict[str, str]:
    return {name: getattr(profile, name) for name in SHOWN}


def _settings(request: TenantRequest, profile: Profile, form: OrganizationForm, logo_form: LogoForm) -> HttpResponse:
    """The page; what is asked for in the address is shown in its preview only."""
    wanted = OrganizationForm({**_values(profile), **(request.POST or request.GET).dict()}, initial=_values(profile))
    wanted.is_valid()
    color = wanted.cleaned_data.get("brand_color") or DEFAULT_COLOR
    preview = {
        "name": wanted.cleaned_data.get("brand_name") or profile.name,
        "themes": [("Light", light_shades(color)), ("Dark", dark_shades(color))],
    }
    context = {"form": form, "logo_form": logo_form, "profile": profile, "preview": preview}
    status = max(status_of(form), status_of(logo_form))
    return render(request, "settings/general.html", context, status=status)
