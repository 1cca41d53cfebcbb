"""Who has what to do with one project or document, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.access.decisions import Decision, authorize
from apps.access.guards import requires
from apps.access.permissions import PROJECTS_DELETE, PROJECTS_READ, PROJECTS_SHARE, PROJECTS_WRITE
from apps.accounts import subjects
from apps.accounts.errors import ShareNotFound
from apps.accounts.models import Membership
from apps.accounts.requests import TenantRequest
from apps.accounts.selectors import members_of
from apps.accounts.services import sharing
from apps.core.errors import Text
from apps.core.forms import blaming, done, form_page, posted

from .. import selectors
from ..forms import PersonForm, ShareForm
from ..models import Document, Project
from ..selectors import find_document, find_project

Thing = Project | Document


@requires(PROJECTS_READ, on=find_project)
@require_safe
def project_shares(request: TenantRequest, project: Project) -> HttpResponse:
    return _shares(request, project, PROJECT)


@requires(PROJECTS_SHARE, on=find_project)
@require_http_methods(["GET", "HEAD", "POST"])
def project_share(request: TenantRequest, project: Project) -> HttpResponse:
    return _share(request, project, PROJECT)


@requires(PROJECTS_SHARE, on=find_project)
@require_POST
def project_unshare(request: TenantRequest, project: Project) -> HttpResponse:
    return _unshare(request, project, PROJECT)


@requires(PROJECTS_READ, on=find_document)
@require_safe
def document_shares(request: TenantRequest, document: Document) -> HttpResponse:
    return _shares(request, document, DOCUMENT)


@requires(PROJECTS_SHARE, on=find_document)
@require_http_methods(["GET", "HEAD", "POST"])
def document_share(request: TenantRequest, document: Document) -> HttpResponse:
    return _share(request, document, DOCUMENT)


@requires(PROJECTS_SHARE, on=find_document)
@require_POST
def document_unshare(request: TenantRequest, document: Document) -> HttpResponse:
    return _unshare(request, document, DOCUMENT)


@dataclass(frozen=True)
class SharedKind:
    """What the pages call a thing, their routes, what one may or may not do with it, and what they say was done."""

    word: str
    routes: str
    actions: tuple[tuple[Text, str], ...]
    shared: Text
    unshared: Text

    def address(self, page: str, thing: Thing) -> str:
        ids = [thing.id] if isinstance(thing, Project) else [thing.project_id, thing.id]
        return reverse(f"projects:{self.routes}{page}", args=ids)


PROJECT = SharedKind(
    "project",
    "",
    (
        (_("See it"), PROJECTS_READ),
        (_("Change it"), PROJECTS_WRITE),
        (_("Share it"), PROJECTS_SHARE),
        (_("Delete it"), PROJECTS_DELETE),
    ),
    _("The project is shared."),
    _("The project is no longer shared with them."),
)
DOCUMENT = SharedKind(
    "document",
    "document-",
    ((_("See it"), PROJECTS_READ), (_("Remove it"), PROJECTS_WRITE), (_("Share it"), PROJECTS_SHARE)),
    _("The document is shared."),
    _("The document is no longer shared with them."),
)


@dataclass(frozen=True)
class ActionAnswer:
    """Whether somebody may do one thing, with the reasons."""

    action: Text
    decision: Decision


def _shares(request: TenantRequest, thing: Thing, kind: SharedKind) -> HttpResponse:
    """Whom it is shared with, and for one member why they may or may not do what."""
    members = list(members_of(thing.tenant_id).order_by("email"))
    asked = _asked(request.GET.get("person", ""), members)
    by_id = {member.user_id: member for member in members}
    shares = selectors.shares_of(thing).order_by("created_at")
    context = {
        **_surroundings(request, thing, kind),
        "members": members,
        "shares": [(by_id[share.user_id], share) for share in shares if share.user_id in by_id],
        "asked": asked,
        "answers": _answers(asked, thing, kind) if asked else [],
        "may": selectors.allowed_on(request.subject, thing),
    }
    return render(request, "projects/shares.html", context)


def _share(request: TenantRequest, thing: Thing, kind: SharedKind) -> HttpResponse:
    form = ShareForm(posted(request), members=members_of(thing.tenant_id).order_by("email"))
    if form.is_valid():
        person, relation = UUID(form.cleaned_data["person"]), form.cleaned_data["relation"]
        with blaming(form):
            sharing.share(actor=request.subject, resource=thing, user_id=person, relation=relation)
            return done(request, str(kind.shared), kind.address("shares", thing))
    return form_page(request, "projects/share.html", form, **_surroundings(request, thing, kind))


def _unshare(request: TenantRequest, thing: Thing, kind: SharedKind) -> HttpResponse:
    form = PersonForm(request.POST)
    if not form.is_valid():
        raise ShareNotFound
    sharing.unshare(actor=request.subject, resource=thing, user_id=form.cleaned_data["person"])
    return done(request, str(kind.unshared), kind.address("shares", thing))


def _surroundings(request: TenantRequest, thing: Thing, kind: SharedKind) -> dict[str, Any]:
    """The thing, the addresses of its pages, and the project it is seen in by those who see that."""
    project = thing if isinstance(thing, Project) else thing.project
    seen = authorize(request.subject, PROJECTS_READ, project)
    pages = {page: kind.address(page, thing) for page in ("shares", "share", "unshare")}
    return {"thing": thing, "kind": kind.word, "pages": pages, "project": project if seen else None}


def _asked(user_id: str, members: list[Membership]) -> Membership | None:
    return next((member for member in members if str(member.user_id) == user_id), None)


def _answers(member: Membership, thing: Thing, kind: SharedKind) -> list[ActionAnswer]:
    subject = subjects.of_membership(member)
    return [ActionAnswer(label, authorize(subject, action, thing)) for label, action in kind.actions]
