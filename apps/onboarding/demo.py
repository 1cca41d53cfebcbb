"""Three organizations to look around in, one per placement. Development only."""

from __future__ import annotations

from django.core.files.uploadedfile import SimpleUploadedFile

from apps.accounts.models import User
from apps.projects import services as projects
from apps.projects.models import Project
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
    """Make one demo organization with its owner, projects and documents; None if it is there already."""
    if tenant_for_slug(slug) is not None:
        return None
    founded = services.sign_up(
        organization=NAMES[slug],
        email=f"owner@{slug}.example",
        password=f"demo password for {slug}",
        placement=PLACEMENTS[slug],
    )
    tenant = founded.tenant if founded.is_ready else provisioning.finish(founded.tenant.id)
    with use(tenant.context()):
        for name, description in PROJECTS.items():
            _add_project(founded.owner, name, description)
    return tenant


def _add_project(owner: User, name: str, description: str) -> None:
    project: Project = projects.create_project(actor=owner, name=name, description=description)
    projects.add_document(actor=owner, project=project, upload=SimpleUploadedFile("notes.md", NOTES))
