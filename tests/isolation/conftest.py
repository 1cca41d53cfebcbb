"""What every attack needs: a member at home, and something worth stealing elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from apps.accounts.models import ApiKey, CustomRole, Invitation, Membership, TokenFamily
from apps.projects.models import CustomField, Document, Project
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic
from tests.factories import Organization, add_document, add_project


@dataclass
class Loot:
    """Rows and a file of one organization, all carrying a word that no other may ever see."""

    organization: Organization
    word: str
    project: Project
    document: Document
    ids: dict[str, UUID]


def stock(organization: Organization) -> Loot:
    word = f"canary-{uuid4().hex}"
    project = add_project(organization, name=word)
    document = add_document(organization, project, content=word.encode())
    with organization.inside():
        field = CustomField.objects.create(key=uuid4().hex, label=word, kind="text")
    ids = {"project_id": project.id, "document_id": document.id, "field_id": field.id}
    return Loot(organization, word, project, document, {**ids, **_control_rows(organization, word)})


def _control_rows(organization: Organization, word: str) -> dict[str, UUID]:
    later = timezone.now() + timedelta(days=1)
    own: dict[str, Any] = {"tenant": organization.tenant}
    with control("make rows to attack"), atomic():
        member = Membership.objects.get(**own, user=organization.owner)
        invitation = Invitation.objects.create(
            **own, email=f"{word}@example.com", role="member", token_hash=uuid4().hex, expires_at=later
        )
        role = CustomRole.objects.create(**own, name=word, permissions=[])
        key = ApiKey.objects.create(**own, name=word, prefix=uuid4().hex[:20], secret_hash="x")
        family = TokenFamily.objects.create(**own, user=organization.owner, user_agent=word, expires_at=later)
    return {
        "member_id": member.id,
        "invitation_id": invitation.id,
        "role_id": role.id,
        "key_id": key.id,
        "session_id": family.id,
        "user_id": organization.owner.id,
    }


@pytest.fixture
def loot(foreign) -> Loot:
    """What the foreign organization owns."""
    return stock(foreign)


@pytest.fixture
def own(home) -> Loot:
    """What the attacker's own organization owns."""
    return stock(home)


@pytest.fixture
def untouched(loot):
    """The foreign organization's rows and files are the same after the test as before."""
    before = loot.organization.fingerprint()
    yield
    assert loot.organization.fingerprint() == before
