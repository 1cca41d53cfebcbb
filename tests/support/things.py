"""One of everything that an organization can have: what is attacked, and what routes are about.

A new model is added here, and to nothing else of the tests.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.apps import apps
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from apps.access.models import IdempotentCall, Share
from apps.accounts.models import HandoffCode, RefreshToken, RevokedToken, Session, SupportVisit, TokenFamily
from apps.accounts.roles import Assigned
from apps.accounts.services import api_keys, invitations, people, roles
from apps.audit.models import Anchor, ControlEvent, ControlSeal, Event, Seal, SinkCursor
from apps.projects.models import Document, Project, SearchTerm
from apps.projects.services import custom_fields
from apps.tenancy.context import control
from apps.tenancy.planes import TENANT, plane_of
from apps.tenants.keys import data_keys
from apps.tenants.models import DataKey, Domain, Placement, Profile, TenantDatabase
from apps.tenants.services import profiles
from tests.support.factories import Organization, add_document, add_person, add_project
from tests.support.pictures import png

LOGO = png()
_numbers = itertools.count(10**9)


@dataclass
class Belongings:
    """Things of one organization, made when first asked for; they carry a word that no other may ever see."""

    organization: Organization
    word: str
    _made: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, label: str) -> Any:
        if label not in self._made:
            is_inside = plane_of(apps.get_model(label)) == TENANT
            with self.organization.inside() if is_inside else control("make a thing"):
                self._made[label] = THINGS[label].make(self)
        return self._made[label]

    @property
    def project(self) -> Project:
        return self["projects.Project"]

    @property
    def document(self) -> Document:
        return self["projects.Document"]

    @property
    def owned(self) -> dict[str, Any]:
        """Whose a row of the control plane is, to make one."""
        return {"tenant": self.organization.tenant}

    def arguments(self) -> dict[str, Any]:
        """What fills the address of any route: the ids of things, and a token that sets the person's password."""
        ids = {thing.argument: self[label].pk for label, thing in THINGS.items() if thing.argument}
        return {**ids, "token": people.make_password_token(self["accounts.User"])}


@dataclass(frozen=True)
class Thing:
    """How one is made, in the context of its plane, and which argument of routes its id is."""

    make: Callable[[Belongings], Any]
    argument: str = ""


def stock(organization: Organization) -> Belongings:
    """Everything that a route may be about."""
    belongings = Belongings(organization, f"canary-{uuid4().hex}")
    belongings.arguments()
    return belongings


def _define_field(its: Belongings) -> Any:
    actor = its.organization.subject
    return custom_fields.define_custom_field(actor=actor, key=f"k{uuid4().hex}", label=its.word, kind="text")


def _invite(its: Belongings) -> Any:
    email = f"{its.word}@example.com"
    return invitations.invite(actor=its.organization.subject, email=email, role=Assigned("viewer"))


def _set_logo(its: Belongings) -> Profile:
    upload = SimpleUploadedFile("logo.png", LOGO + its.word.encode())
    with its.organization.inside():
        profiles.set_logo(actor=its.organization.subject, tenant_id=its.organization.tenant.id, upload=upload)
    return Profile.objects.get(**its.owned)


def _database(its: Belongings) -> TenantDatabase:
    name = f"none_{uuid4().hex}"
    found = TenantDatabase.objects.filter(**its.owned).first()
    return found or TenantDatabase.objects.create(**its.owned, name=name, schema="none", url="postgres://x")


def _later() -> Any:
    return timezone.now() + timedelta(days=1)


def _occurrence() -> dict[str, Any]:
    return {"actor_type": "system", "action": "test.attacked", "resource_type": "test"}


def _link() -> dict[str, Any]:
    return {"event_id": uuid4(), "transaction_id": 1, "number": next(_numbers), "hash": b"x"}


# By model. Every model that has a tenant is here, and whatever else a route is about.
THINGS: dict[str, Thing] = {
    # -- people and how they get in
    "accounts.User": Thing(lambda its: add_person(its.organization), "user_id"),
    "accounts.Membership": Thing(lambda its: its["accounts.User"].membership, "member_id"),
    "accounts.Invitation": Thing(_invite, "invitation_id"),
    "accounts.CustomRole": Thing(
        lambda its: roles.create_role(actor=its.organization.subject, name=its.word, permissions=[]), "role_id"
    ),
    "accounts.ApiKey": Thing(
        lambda its: api_keys.create_api_key(actor=its.organization.subject, name=its.word, scopes=["audit:view"])[0],
        "key_id",
    ),
    "accounts.TokenFamily": Thing(
        lambda its: TokenFamily.objects.create(
            **its.owned, user=its.organization.owner, user_agent=its.word, expires_at=_later()
        ),
        "session_id",
    ),
    "accounts.RefreshToken": Thing(
        lambda its: RefreshToken.objects.create(**its.owned, family=its["accounts.TokenFamily"], expires_at=_later())
    ),
    "accounts.RevokedToken": Thing(
        lambda its: RevokedToken.objects.create(
            **its.owned, id=uuid4(), family=its["accounts.TokenFamily"], expires_at=_later()
        )
    ),
    "accounts.Session": Thing(
        lambda its: Session.objects.create(**its.owned, session_key=uuid4().hex, session_data="", expire_date=_later())
    ),
    "accounts.HandoffCode": Thing(
        lambda its: HandoffCode.objects.create(
            **its.owned, user=its.organization.owner, code_hash=uuid4().hex, expires_at=timezone.now()
        )
    ),
    "accounts.SupportVisit": Thing(
        lambda its: SupportVisit.objects.create(
            **its.owned,
            user=its.organization.owner,
            reason=its.word,
            code_hash=uuid4().hex,
            created_at=timezone.now(),
            expires_at=timezone.now(),
        )
    ),
    "access.IdempotentCall": Thing(
        lambda its: IdempotentCall.objects.create(
            **its.owned, caller="x", key=uuid4().hex, started_at=_later(), expires_at=_later()
        )
    ),
    "access.Share": Thing(
        lambda its: Share.objects.create(user_id=uuid4(), relation="viewer", object_type="project", object_id=uuid4())
    ),
    # -- projects
    "projects.Project": Thing(lambda its: add_project(its.organization, its.word), "project_id"),
    "projects.Document": Thing(
        lambda its: add_document(its.organization, its.project, its.word.encode()), "document_id"
    ),
    "projects.SearchTerm": Thing(lambda its: SearchTerm.objects.create(project_id=its.project.id, term=uuid4().hex)),
    "projects.CustomField": Thing(_define_field, "field_id"),
    # -- the organization itself
    "tenants.Domain": Thing(lambda its: Domain.objects.get(**its.owned)),
    "tenants.Placement": Thing(lambda its: Placement.objects.get(**its.owned)),
    "tenants.TenantDatabase": Thing(_database),
    "tenants.DataKey": Thing(lambda its: DataKey.objects.get(id=data_keys.newest(its.organization.tenant.id).id)),
    "tenants.Profile": Thing(_set_logo),
    # -- audit logs
    "audit.Event": Thing(lambda its: Event.objects.create(**_occurrence())),
    "audit.Seal": Thing(lambda its: Seal.objects.create(**_link())),
    "audit.ControlEvent": Thing(lambda its: ControlEvent.objects.create(**its.owned, **_occurrence())),
    "audit.ControlSeal": Thing(lambda its: ControlSeal.objects.create(**its.owned, **_link())),
    "audit.Anchor": Thing(
        lambda its: Anchor.objects.create(**its.owned, chain="tenant", number=next(_numbers), hash=b"x")
    ),
    "audit.SinkCursor": Thing(
        lambda its: SinkCursor.objects.create(**its.owned, chain="tenant", sink=its.word, number=next(_numbers))
    ),
}
