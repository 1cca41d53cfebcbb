"""Organizations, people and things, made through the services that make the real ones."""

from __future__ import annotations

import functools
import hashlib
import itertools
import shutil
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import Q

from apps.access.models import IdempotentCall
from apps.access.permissions import Role
from apps.access.subjects import Subject
from apps.accounts import subjects
from apps.accounts.models import ApiKey, CustomRole, Invitation, Membership, SupportVisit, TokenFamily, User
from apps.accounts.roles import Assigned
from apps.accounts.services import members, people
from apps.onboarding.services import sign_up
from apps.projects.models import Document, Project
from apps.projects.services import documents, projects
from apps.tenancy.context import TenantContext, control, use
from apps.tenancy.planes import tenant_models, walled_control_models
from apps.tenancy.transactions import atomic
from apps.tenants.models import Profile, Tenant
from apps.tenants.services import provisioning
from tests import servers

PASSWORD = "a password that is long enough"
_numbers = itertools.count(1)


@dataclass
class Organization:
    """A tenant with its owner, for tests."""

    tenant: Tenant
    owner: User
    password: str = PASSWORD

    @property
    def host(self) -> str:
        return f"{self.tenant.slug}.{settings.BASE_DOMAIN}"

    @property
    def context(self) -> TenantContext:
        return self.tenant.context()

    @property
    def subject(self) -> Subject:
        """The owner, as services know who acts."""
        return subject_of(self, self.owner)

    def inside(self) -> AbstractContextManager[Any]:
        return use(self.context)

    @functools.cached_property
    def place(self) -> TenantContext:
        """Where its rows are, as it was created."""
        return self.tenant.context()

    @property
    def database(self) -> str | None:
        """The name of its own database, if it has one."""
        return None if self.place.alias == "default" else self.place.alias

    def fingerprint(self) -> str:
        """A digest of every row and file that belongs to the organization, read past all walls."""
        digest = hashlib.sha256()
        with servers.as_operator(self.database) as connection:
            for model in tenant_models():
                digest.update(_rows(connection, f'"{self.context.schema}"', model, self.tenant.id))
        with servers.as_operator() as connection:
            for model in walled_control_models():
                if model._meta.label != "accounts.Session":
                    digest.update(_rows(connection, "public", model, self.tenant.id))
        for file in sorted(self.folder.rglob("*")):
            digest.update(str(file).encode() + (file.read_bytes() if file.is_file() else b""))
        return digest.hexdigest()

    @property
    def folder(self) -> Path:
        return Path(settings.MEDIA_ROOT) / "tenants" / self.tenant.id.hex


def reset(organizations: list[Organization]) -> None:
    """Back to organizations with an owner and nothing else; few statements, as it runs after every test."""
    places = {(organization.database, organization.place.schema) for organization in organizations}
    for database, schema in places:
        tables = [f'DELETE FROM "{schema}"."{model._meta.db_table}"' for model in reversed(tenant_models())]
        with servers.as_operator(database) as connection:
            connection.execute(";".join(tables))
    owners, names = Q(), {o.tenant.pk: o.tenant.name for o in organizations}
    for organization in organizations:
        owners |= Q(tenant=organization.tenant, user=organization.owner)
    with control("reset organizations"), atomic():
        tenants, own = Tenant.objects.filter(id__in=names), {"tenant_id__in": list(names)}
        tenants.update(held_at=None, hold_reason="", status="ready")
        for tenant_id, name in tenants.values_list("id", "name"):
            if name != names[tenant_id]:
                Tenant.objects.filter(id=tenant_id).update(name=names[tenant_id])
        Membership.objects.filter(**own).exclude(owners).delete()
        Membership.objects.filter(**own).exclude(role=Role.OWNER).update(role=Role.OWNER, custom_role=None)
        Membership.objects.filter(**own).exclude(name="", locale="", time_zone="").update(
            name="", locale="", time_zone=""
        )
        for model in (ApiKey, Invitation, CustomRole, IdempotentCall, Profile, SupportVisit, TokenFamily):
            model.objects.filter(**own).delete()
    for organization in organizations:
        shutil.rmtree(organization.folder, ignore_errors=True)


def found(name: str = "", placement: str = "schema") -> Organization:
    number = next(_numbers)
    created = sign_up(
        organization=name or f"Organization {number}",
        email=f"owner{number}@example.com",
        password=PASSWORD,
        placement=placement,
    )
    tenant = created.tenant if created.is_ready else provisioning.finish(created.tenant.id)
    return Organization(Tenant._looked_up(id=tenant.id), created.owner)


def add_person(organization: Organization, role: str = Role.MEMBER) -> User:
    with control("add a person"), atomic():
        email = f"person{next(_numbers)}@example.com"
        user = people.save_person(people.identify_person(email=email, password=PASSWORD))
        user.membership = members.add_member(tenant_id=organization.tenant.id, user=user, role=Assigned(role))
    return user


def subject_of(organization: Organization, user: User) -> Subject:
    with control("look a member up"):
        membership = Membership.objects.select_related("custom_role").get(tenant=organization.tenant, user=user)
    return subjects.of_membership(membership)


def add_project(organization: Organization, name: str = "") -> Project:
    with organization.inside():
        return projects.create_project(actor=organization.subject, name=name or f"Project {next(_numbers)}")


def add_document(organization: Organization, project: Project, content: bytes = b"secret") -> Document:
    with organization.inside():
        upload = SimpleUploadedFile("notes.txt", content)
        return documents.add_document(actor=organization.subject, project=project, upload=upload)


def _rows(connection: servers.Connection, schema: str, model: Any, tenant_id: Any) -> bytes:
    table = f'{schema}."{model._meta.db_table}"'
    key = model._meta.pk.column
    query = (
        f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY {key}::text), '')) FROM {table} t WHERE tenant_id = %s"
    )
    row = connection.execute(query, [tenant_id]).fetchone()
    assert row is not None
    return str(row[0]).encode()
