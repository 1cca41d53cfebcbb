"""Who has what to do with one project, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.accounts import subjects
from apps.accounts.access import caller, requires
from apps.accounts.decisions import Decision, authorize
from apps.accounts.errors import ShareNotFound
from apps.accounts.models import Membership
from apps.accounts.permissions import PROJECTS_DELETE, PROJECTS_READ, PROJECTS_SHARE, PROJECTS_WRITE
from apps.accounts.selectors import members_of
from apps.accounts.services import sharing
from apps.core.forms import blaming, done, posted

from .. import selectors
from ..forms import PersonForm, ShareForm
from ..models import Project
from ..selectors import find_project

ACTIONS = {
    "See it": PROJECTS_READ,
    "Change it": PROJECTS_WRITE,
    "Share it": PROJECTS_SHARE,
    "Delete it": PROJECTS_DELETE,
}


@dataclass(frozen=True)
class Answer:
    """Whether somebody may do one thing, with the reasons."""

    action: str
    decision: Decision


@requires(PROJECTS_READ, on=find_project)
@require_safe
def project_shares(request: Any, project: Project) -> HttpResponse:
    """Whom the project is shared with, and for one member why they may or may not do what."""
    members = list(members_of(project.tenant_id).order_by("email"))
    asked = _asked(request.GET.get("person", ""), members)
    by_id = {member.user_id: member for member in members}
    shares = selectors.shares_of(project).order_by("created_at")
    context = {
        "project": project,
        "members": members,
        "shares": [(by_id[share.user_id], share) for share in shares if share.user_id in by_id],
        "asked": asked,
        "answers": _answers(asked, project) if asked else [],
        "may": selectors.allowed_on(caller(request), project),
    }
    return render(request, "projects/shares.html", context)


@requires(PROJECTS_SHARE, on=find_project)
@require_http_methods(["GET", "HEAD", "POST"])
def project_share(request: Any, project: Project) -> HttpResponse:
    form = ShareForm(posted(request), members=members_of(project.tenant_id).order_by("email"))
    if form.is_valid():
        person, relation = UUID(form.cleaned_data["person"]), form.cleaned_data["relation"]
        with blaming(form):
            sharing.share(actor=caller(request), resource=project, user_id=person, relation=relation)
            return done(request, "The project is shared.", "projects:shares", project_id=project.id)
    return render(
        request, "projects/share.html", {"form": form, "project": project}, status=422 if form.errors else 200
    )


@requires(PROJECTS_SHARE, on=find_project)
@require_POST
def project_unshare(request: Any, project: Project) -> HttpResponse:
    form = PersonForm(request.POST)
    if not form.is_valid():
        raise ShareNotFound
    sharing.unshare(actor=caller(request), resource=project, user_id=form.cleaned_data["person"])
    return done(request, "The project is no longer shared with them.", "projects:shares", project_id=project.id)


def _asked(user_id: str, members: list[Membership]) -> Membership | None:
    return next((member for member in members if str(member.user_id) == user_id), None)


def _answers(member: Membership, project: Project) -> list[Answer]:
    subject = subjects.of_membership(member)
    return [Answer(label, authorize(subject, action, project)) for label, action in ACTIONS.items()]
