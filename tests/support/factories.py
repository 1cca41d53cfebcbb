"""Organizations, people and things, made through the services that make the real ones."""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from psycopg import sql

from apps.access.permissions import Role
from apps.access.subjects import Subject
from apps.accounts import subjects
from apps.accounts.models import Membership, User
from apps.accounts.roles import Assigned
from apps.accounts.services import members, people
from apps.onboarding.services import sign_up
from apps.projects.models import Document, Project
from apps.projects.services import documents, projects
from apps.tenancy.context import TenantContext, control, use
from apps.tenancy.planes import tenant_models, walled_control_models
from apps.tenancy.transactions import atomic
from apps.tenants.models import Tenant
from apps.tenants.services import provisioning
from tests.support import servers

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
    def home(self) -> TenantContext:
        """Where its rows are, as it was created."""
        return self.tenant.context()

    @property
    def database(self) -> str | None:
        """The name of its own database, if it has one."""
        return None if self.home.alias == "default" else self.home.alias

    def fingerprint(self) -> str:
        """A digest of every row and file that belongs to the organization, read past all walls."""
        digest = hashlib.sha256()
        for database, schema in ((self.database, self.context.schema), (None, "public")):
            with servers.as_operator(database) as connection:
                digests = connection.execute(_digests(schema), {"tenant": self.tenant.id}).fetchone()
            digest.update(repr(digests).encode())
        for file in sorted(self.folder.rglob("*")):
            digest.update(str(file).encode() + (file.read_bytes() if file.is_file() else b""))
        return digest.hexdigest()

    @contextmanager
    def untouched(self) -> Iterator[None]:
        """Its rows and files are the same afterward as before."""
        before = self.fingerprint()
        yield
        assert self.fingerprint() == before, f"{self.tenant.name} was changed"

    @property
    def folder(self) -> Path:
        return Path(settings.MEDIA_ROOT) / "tenants" / self.tenant.id.hex


def create_organization(name: str = "", placement: str = "schema") -> Organization:
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


@functools.cache
def _digests(schema: str) -> bytes:
    """One query for a digest of each table's rows of one tenant; sessions come and go with whoever looks."""
    control = [model for model in walled_control_models() if model._meta.label != "accounts.Session"]
    rows = "SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY {}::text), '')) FROM {} t WHERE tenant_id = %(tenant)s"
    columns = [
        sql.SQL(f"({rows})").format(sql.Identifier(m._meta.pk.column), sql.Identifier(schema, m._meta.db_table))
        for m in (control if schema == "public" else tenant_models())
    ]
    return sql.SQL("SELECT {}").format(sql.SQL(", ").join(columns)).as_bytes(None)
