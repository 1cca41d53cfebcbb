"""Addresses that may become members."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.access.guards import requires
from apps.access.permissions import USERS_MANAGE, Role
from apps.access.subjects import Subject
from apps.core.forms import blaming, done, form_page, posted, swapped
from apps.core.pages import page_of

from .. import selectors
from ..forms.people import InviteForm
from ..mail_limits import count_mail
from ..models import Invitation
from ..requests import TenantRequest
from ..roles import named, within_reach
from ..selectors import get_invitation
from ..services import invitations


@requires(USERS_MANAGE)
@require_safe
def invitation_list(request: TenantRequest) -> HttpResponse:
    subject = request.subject
    page = page_of(request, selectors.open_invitations(subject.tenant_id).order_by("-created_at", "-id"))
    context = {"page": page, "rows": _with_inviters(subject, page), **_surroundings(subject, page)}
    return render(request, "invitations/list.html", context)


@requires(USERS_MANAGE)
@require_http_methods(["GET", "HEAD", "POST"])
def invite(request: TenantRequest) -> HttpResponse:
    subject = request.subject
    form = InviteForm(posted(request), roles=selectors.roles_to_give(subject), initial={"role": Role.MEMBER})
    if form.is_valid():
        with blaming(form):
            count_mail(request, to=form.cleaned_data["email"])
            role = named(form.cleaned_data["role"], subject.tenant_id)
            invitation = invitations.invite(actor=subject, email=form.cleaned_data["email"], role=role)
            return done(
                request, _("An invitation is on its way to %(email)s.") % {"email": invitation.email}, "invitations"
            )
    return form_page(request, "invitations/new.html", form)


@requires(USERS_MANAGE, on=get_invitation)
@require_POST
def resend(request: TenantRequest, invitation: Invitation) -> HttpResponse:
    """Mail a new link; the one before stops working."""
    count_mail(request, to=invitation.email)
    sent = invitations.resend(actor=request.subject, invitation_id=invitation.id)
    message = _("A new link is on its way to %(email)s. The one before is void.") % {"email": sent.email}
    [(_row, inviter)] = _with_inviters(request.subject, [sent])
    context = {"invitation": sent, "inviter": inviter, **_surroundings(request.subject, [sent])}
    return swapped(request, message, "invitations", part="invitations/row.html", context=context)


@requires(USERS_MANAGE, on=get_invitation)
@require_http_methods(["GET", "HEAD", "POST"])
def revoke(request: TenantRequest, invitation: Invitation) -> HttpResponse:
    form = Form(posted(request))
    if form.is_valid():
        with blaming(form):
            invitations.revoke(actor=request.subject, invitation_id=invitation.id)
            return done(
                request, _("The invitation of %(email)s is withdrawn.") % {"email": invitation.email}, "invitations"
            )
    return form_page(request, "invitations/revoke.html", form, invitation=invitation)


def _with_inviters(subject: Subject, rows: Iterable[Invitation]) -> list[tuple[Invitation, str | None]]:
    """Each with the name of who invited; None of somebody who left."""
    names = selectors.names_of(subject.tenant_id, {row.invited_by_id for row in rows if row.invited_by_id})
    return [(row, names.get(row.invited_by_id) if row.invited_by_id else None) for row in rows]


def _surroundings(subject: Subject, rows: Iterable[Invitation]) -> dict[str, Any]:
    return {"reach": within_reach(subject, rows), "now": timezone.now()}
