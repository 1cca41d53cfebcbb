"""Three organizations to look around in, one per placement. Development only."""

from __future__ import annotations

from django.core.files.uploadedfile import SimpleUploadedFile

from apps.access.subjects import Subject
from apps.accounts import subjects
from apps.accounts.selectors import owners_of
from apps.projects.models import Project
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
    """Make one demo organization with its owner, projects and documents; None if all is there already."""
    known = tenant_for_slug(slug)
    tenant = known or _create(slug)
    if tenant.status != Tenant.Status.READY:
        tenant = provisioning.finish(tenant.id)
    with use(tenant.context()):
        if known and Project.objects.exists():
            return None
        owner = owners_of(tenant.id)[0]
        for name, description in PROJECTS.items():
            _add_project(subjects.of_membership(owner), name, description)
    return tenant


def _create(slug: str) -> Tenant:
    return services.sign_up(
        organization=NAMES[slug],
        email=f"owner@{slug}.example",
        password=f"demo password for {slug}",
        placement=PLACEMENTS[slug],
    ).tenant


def _add_project(owner: Subject, name: str, description: str) -> None:
    project = projects.create_project(actor=owner, name=name, description=description)
    documents.add_document(actor=owner, project=project, upload=SimpleUploadedFile("notes.md", NOTES))
