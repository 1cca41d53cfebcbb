"""What each role may do, and the organization's own roles."""

from __future__ import annotations

from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from apps.access.guards import requires
from apps.access.permissions import ORGANIZATION_READ, ROLES_MANAGE, by_area
from apps.core.forms import blaming, done, editing, form_page, posted

from .. import selectors
from ..forms.people import RoleForm
from ..models import CustomRole
from ..requests import TenantRequest
from ..selectors import get_role
from ..services import roles


@requires(ORGANIZATION_READ)
@require_safe
def role_list(request: TenantRequest) -> HttpResponse:
    context = {"roles": selectors.all_roles(request.subject.tenant_id), "areas": by_area()}
    return render(request, "roles/list.html", context)


@requires(ROLES_MANAGE)
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: TenantRequest) -> HttpResponse:
    subject = request.subject
    form = RoleForm(posted(request), grantable=subject.permissions)
    if form.is_valid():
        with blaming(form):
            role = roles.create_role(actor=subject, **form.cleaned_data)
            return done(request, _("The role %(name)s is ready to be given to members.") % {"name": role.name}, "roles")
    return form_page(request, "roles/form.html", form)


@requires(ROLES_MANAGE, on=get_role)
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: TenantRequest, role: CustomRole) -> HttpResponse:
    subject = request.subject
    current = {"name": role.name, "permissions": role.permissions}
    form = editing(RoleForm(posted(request), grantable=subject.permissions, initial=current), role)
    if form.is_valid():
        with blaming(form):
            roles.update_role(actor=subject, role_id=role.id, **form.cleaned_data)
            return done(request, _("Saved. It holds from the next thing that its members do."), "roles")
    return form_page(request, "roles/form.html", form, role=role)


@requires(ROLES_MANAGE, on=get_role)
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: TenantRequest, role: CustomRole) -> HttpResponse:
    form = Form(posted(request))
    if form.is_valid():
        with blaming(form):
            roles.delete_role(actor=request.subject, role_id=role.id)
            return done(request, _("The role %(name)s is deleted.") % {"name": role.name}, "roles")
    return form_page(request, "roles/delete.html", form, role=role)
