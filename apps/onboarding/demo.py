"""Three organizations to look around in, one per placement. Development only.

Once planted they belong to whoever plays with them: nothing that people did to them is mended, or stops a start.
"""

from __future__ import annotations

from django.core.files.uploadedfile import SimpleUploadedFile

from apps.access.subjects import Subject
from apps.accounts import subjects
from apps.accounts.selectors import owners_of
from apps.audit.models import Event
from apps.projects.services import documents, projects
from apps.tenancy.context import use
from apps.tenants.models import Tenant
from apps.tenants.selectors import tenant_for_slug
from apps.tenants.services import provisioning

from . import services

PLACEMENTS = {"acme": "schema", "globex": "pool", "initech": "database"}
NAMES = {"acme": "Acme", "globex": "Globex", "initech": "Initech"}
PROJECTS = {
    "Website relaunch": "New pages, new shop, same address.",
    "Office move": "Everything that has to happen before the first of March.",
    "Hiring plan": "Roles, dates and who talks to whom.",
}
NOTES = b"# Notes\n\nWhat we agreed on last time, and what is still open.\n"


def seed(slug: str) -> Tenant | None:
    """Make one demo organization with its owner, projects and documents; None if it ever was planted.

    Raises a DomainError where what people did leaves no way to.
    """
    tenant = tenant_for_slug(slug) or _create(slug)
    if tenant.status == Tenant.Status.PROVISIONING:
        tenant = provisioning.finish(tenant.id)
    if tenant.status != Tenant.Status.READY:
        return None
    with use(tenant.context()):
        if Event.objects.filter(action="project.created").exists():
            return None
        _plant(subjects.of_membership(owners_of(tenant.id)[0]))
    return tenant


def _create(slug: str) -> Tenant:
    return services.sign_up(
        organization=NAMES[slug],
        email=f"owner@{slug}.example",
        password=f"demo password for {slug}",
        placement=PLACEMENTS[slug],
    ).tenant


def _plant(owner: Subject) -> None:
    """All projects or none, so that one event tells that this was done."""
    items = [{"name": name, "description": description} for name, description in PROJECTS.items()]
    for project in projects.create_projects(actor=owner, items=items):
        documents.add_document(actor=owner, project=project, upload=SimpleUploadedFile("notes.md", NOTES))
