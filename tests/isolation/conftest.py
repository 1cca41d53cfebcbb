"""What every attack needs: a member at home, and something worth stealing elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

import pytest

from apps.projects.models import Document, Project
from tests.factories import Organization, add_document, add_project


@dataclass
class Loot:
    """Rows and a file of one organization, all carrying a word that no other may ever see."""

    organization: Organization
    word: str
    project: Project
    document: Document


def stock(organization: Organization) -> Loot:
    word = f"canary-{uuid4().hex}"
    project = add_project(organization, name=word)
    return Loot(organization, word, project, add_document(organization, project, content=word.encode()))


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
