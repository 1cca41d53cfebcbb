"""Settings: the fields that an organization adds to its projects."""

from __future__ import annotations

from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from apps.access.guards import requires
from apps.access.permissions import SETTINGS_MANAGE
from apps.accounts.requests import TenantRequest
from apps.core.forms import blaming, done, editing, form_page, posted

from .. import selectors
from ..forms import CustomFieldForm
from ..models import CustomField
from ..selectors import find_custom_field
from ..services import custom_fields


@requires(SETTINGS_MANAGE)
@require_safe
def field_list(request: TenantRequest) -> HttpResponse:
    return render(request, "settings/fields.html", {"fields": selectors.custom_fields()})


@requires(SETTINGS_MANAGE)
@require_http_methods(["GET", "HEAD", "POST"])
def field_create(request: TenantRequest) -> HttpResponse:
    form = CustomFieldForm(posted(request))
    if form.is_valid():
        with blaming(form):
            field = custom_fields.define_custom_field(actor=request.subject, **form.cleaned_data)
            return done(
                request, _("Projects have the field “%(label)s” now.") % {"label": field.label}, "projects:fields"
            )
    return form_page(request, "settings/field.html", form)


@requires(SETTINGS_MANAGE, on=find_custom_field)
@require_http_methods(["GET", "HEAD", "POST"])
def field_edit(request: TenantRequest, field: CustomField) -> HttpResponse:
    form = editing(CustomFieldForm(posted(request), field=field), field)
    if form.is_valid():
        with blaming(form):
            custom_fields.update_custom_field(actor=request.subject, field=field, **form.cleaned_data)
            return done(
                request, _("The field “%(label)s” is saved.") % {"label": form.cleaned_data["label"]}, "projects:fields"
            )
    return form_page(request, "settings/field.html", form, field=field)


@requires(SETTINGS_MANAGE, on=find_custom_field)
@require_http_methods(["GET", "HEAD", "POST"])
def field_delete(request: TenantRequest, field: CustomField) -> HttpResponse:
    form = Form(posted(request))
    if form.is_valid():
        with blaming(form):
            custom_fields.delete_custom_field(actor=request.subject, field=field)
            return done(request, _("The field “%(label)s” is removed.") % {"label": field.label}, "projects:fields")
    return form_page(request, "settings/field_delete.html", form, field=field)
