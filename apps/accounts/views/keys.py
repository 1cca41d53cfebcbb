"""Keys that the organization gives to its own programs."""

from __future__ import annotations

from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_safe

from apps.access.guards import requires
from apps.access.permissions import KEYS_MANAGE
from apps.core.forms import blaming, done, form_page, posted
from apps.core.pages import page_of

from ..forms.keys import ApiKeyForm
from ..models import ApiKey
from ..requests import TenantRequest
from ..selectors import api_keys_of, find_api_key
from ..services import api_keys


@requires(KEYS_MANAGE)
@require_safe
def key_list(request: TenantRequest) -> HttpResponse:
    subject = request.subject
    page = page_of(request, api_keys_of(subject.tenant_id).order_by("-created_at", "-id"))
    return render(request, "keys/list.html", {"page": page, "now": timezone.now()})


@requires(KEYS_MANAGE)
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@sensitive_variables("secret")
def key_create(request: TenantRequest) -> HttpResponse:
    """Make a key; its secret is in the answer to the form and nowhere else."""
    subject = request.subject
    form = ApiKeyForm(posted(request), may=subject.permissions)
    if form.is_valid():
        wanted = form.cleaned_data
        with blaming(form):
            key, secret = api_keys.create_api_key(
                actor=subject, name=wanted["name"], scopes=wanted["scopes"], expires_at=form.expires_at
            )
            return render(request, "keys/created.html", {"key": key, "secret": secret})
    return form_page(request, "keys/new.html", form)


@requires(KEYS_MANAGE, on=find_api_key)
@require_http_methods(["GET", "HEAD", "POST"])
def key_revoke(request: TenantRequest, key: ApiKey) -> HttpResponse:
    form = Form(posted(request))
    if form.is_valid():
        with blaming(form):
            api_keys.revoke_api_key(actor=request.subject, key_id=key.id)
            return done(request, _("The key “%(name)s” is revoked.") % {"name": key.name}, "api-keys-page")
    return form_page(request, "keys/revoke.html", form, key=key)
