"""Who is a member, in which role, and the ways out."""

from __future__ import annotations

from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from apps.access.guards import requires
from apps.access.permissions import MEMBER, ORGANIZATION_READ, USERS_MANAGE
from apps.core.forms import blaming, done, editing, form_page, posted
from apps.core.http import searched
from apps.core.pages import page_of

from .. import selectors
from ..forms.people import RoleChoiceForm
from ..models import Membership
from ..requests import TenantRequest
from ..roles import named, within_reach
from ..selectors import get_member, handed_on_by, own_membership
from ..services import members


@requires(ORGANIZATION_READ)
@require_safe
def member_list(request: TenantRequest) -> HttpResponse:
    subject, text = request.subject, searched(request)
    page = page_of(request, selectors.search_members(subject.tenant_id, text))
    context = {"page": page, "text": text, "reach": within_reach(subject, page)}
    return render(request, "members/list.html", context)


@requires(USERS_MANAGE, on=get_member)
@require_http_methods(["GET", "HEAD", "POST"])
def change_role(request: TenantRequest, person: Membership) -> HttpResponse:
    subject = request.subject
    current = {"role": str(person.custom_role_id or person.role)}
    form = editing(RoleChoiceForm(posted(request), roles=selectors.roles_to_give(subject), initial=current), person)
    if form.is_valid():
        with blaming(form):
            role = named(form.cleaned_data["role"], subject.tenant_id)
            changed = members.change_role(
                actor=subject, member_id=person.id, role=role, expected=form.cleaned_data["expected"]
            )
            return done(
                request,
                _("The role of %(person)s is %(role)s now.")
                % {"person": changed.display_name, "role": changed.role_label},
                "members",
            )
    return form_page(request, "members/role.html", form, person=person, handed_on=handed_on_by(person))


@requires(USERS_MANAGE, on=get_member)
@require_http_methods(["GET", "HEAD", "POST"])
def transfer_ownership(request: TenantRequest, person: Membership) -> HttpResponse:
    form = Form(posted(request))
    if form.is_valid():
        with blaming(form):
            members.transfer_ownership(actor=request.subject, member_id=person.id)
            return done(
                request,
                _("%(person)s is the owner now, and you are an admin.") % {"person": person.display_name},
                "members",
            )
    return form_page(request, "members/transfer_ownership.html", form, person=person)


@requires(USERS_MANAGE, on=get_member)
@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: TenantRequest, person: Membership) -> HttpResponse:
    form = Form(posted(request))
    if form.is_valid():
        with blaming(form):
            members.remove_member(actor=request.subject, member_id=person.id)
            return done(request, _("%(person)s is no longer a member.") % {"person": person.display_name}, "members")
    return form_page(request, "members/remove.html", form, person=person, handed_on=handed_on_by(person))


@requires(MEMBER)
@require_http_methods(["GET", "HEAD", "POST"])
def leave(request: TenantRequest) -> HttpResponse:
    """Give up one's own membership; the session ends with it."""
    form = Form(posted(request))
    if form.is_valid():
        with blaming(form):
            members.leave(actor=request.subject)
            return done(request, _("You are no longer a member."), "account_login")
    handed_on = handed_on_by(own_membership(request.subject))
    return form_page(request, "members/leave.html", form, handed_on=handed_on)
