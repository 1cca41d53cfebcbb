"""Demo organizations: planted once, then whatever people do to them stops no start and is not undone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.management import call_command

from apps.access.permissions import Role
from apps.access.subjects import Subject
from apps.accounts.models import User
from apps.accounts.roles import Assigned
from apps.accounts.services import members, people
from apps.audit.actors import SYSTEM
from apps.audit.models import Event
from apps.onboarding import demo
from apps.projects.models import Project
from apps.projects.services import custom_fields, documents, projects
from apps.tenancy.context import control
from apps.tenants.models import Domain, Tenant
from apps.tenants.selectors import tenant_for_slug
from apps.tenants.services import lifecycle, profiles
from tests.support.clients import membership_of
from tests.support.factories import PASSWORD, Organization, add_person


def require_field(one: Organization) -> None:
    custom_fields.define_custom_field(actor=one.subject, key="cost", label="Cost", kind="number", required=True)


def rename(one: Organization) -> None:
    profiles.update_profile(actor=one.subject, tenant_id=one.tenant.id, name="Something else")


def change_address(one: Organization) -> None:
    with control("change its slug"):
        Tenant.objects.filter(id=one.tenant.id).update(slug="something-else")
        Domain.objects.filter(tenant=one.tenant).update(domain="something-else.localhost")


def rename_project(one: Organization) -> None:
    projects.update_project(actor=one.subject, project=some_project(), name="Something else")


def delete_project(one: Organization) -> None:
    projects.delete_project(actor=one.subject, project=some_project())


def delete_projects(one: Organization) -> None:
    for project in Project.objects.all():
        projects.delete_project(actor=one.subject, project=project)


def delete_projects_and_require_field(one: Organization) -> None:
    delete_projects(one)
    require_field(one)


def delete_documents(one: Organization) -> None:
    for document in some_project().documents.all():
        documents.delete_document(actor=one.subject, document=document)


def hold(one: Organization) -> None:
    lifecycle.hold(slug=one.tenant.slug, reason="to see", actor=SYSTEM)


def end(status: str) -> Callable[[Organization], None]:
    def change(one: Organization) -> None:
        with control("end it"):
            Tenant.objects.filter(id=one.tenant.id).update(status=status)

    return change


def another_owner(one: Organization) -> Subject:
    return Organization(one.tenant, add_person(one, Role.OWNER)).subject


def remove_owner(one: Organization) -> None:
    members.remove_member(actor=another_owner(one), member_id=membership_of(one).id)


def demote_owner(one: Organization) -> None:
    members.change_role(actor=another_owner(one), member_id=membership_of(one).id, role=Assigned(Role.VIEWER))


def shut_owner_out(one: Organization) -> None:
    with control("shut somebody out"):
        User.objects.filter(id=one.owner.id).update(is_active=False)


def change_password(one: Organization) -> None:
    people.change_password(user=one.owner, old=one.password, new=PASSWORD, actor=one.subject)


def change_password_and_address(one: Organization) -> None:
    change_password(one)
    change_address(one)


ACTS = [
    require_field,
    rename,
    change_address,
    rename_project,
    delete_project,
    delete_projects,
    delete_projects_and_require_field,
    delete_documents,
    hold,
    end("deactivated"),
    end("erased"),
    remove_owner,
    demote_owner,
    shut_owner_out,
    change_password,
    change_password_and_address,
]


def some_project() -> Project:
    return Project.objects.order_by("name")[0]


@pytest.fixture
def started(platform, database, settings, monkeypatch, capsys) -> Callable[[], str]:
    """Plant the demo data, as every start does; only one organization, in the placement that is quickest."""
    settings.DEVELOPMENT = True
    monkeypatch.setattr(demo, "PLACEMENTS", {"acme": "pool"})

    def start() -> str:
        call_command("seed_demo")
        return "".join(capsys.readouterr())

    return start


def planted() -> Organization:
    tenant = tenant_for_slug("acme")
    assert tenant
    with control("look"):
        owner = User.objects.get(email="owner@acme.example")
    return Organization(tenant, owner, "demo password for acme")


def history(one: Organization) -> list[str]:
    with one.inside():
        return list(Event.objects.order_by("occurred_at").values_list("action", flat=True))


def test_demo__planted__is_there_and_planted_no_more(started):
    assert "acme: made" in started()
    with planted().inside():
        names = set(Project.objects.values_list("name", flat=True))
        documented = [project.documents.count() for project in Project.objects.all()]

    again = started()

    assert names == set(demo.PROJECTS)
    assert documented == [1, 1, 1]
    assert "acme: there already" in again


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__qualname__)
def test_start__after_people_changed_the_demo__succeeds_and_undoes_nothing(started, act):
    started()
    one = planted()
    with one.inside():
        act(one)
    before = history(one)

    said = started()

    assert "acme: " in said
    assert history(one) == before


@pytest.mark.parametrize("act", [require_field, rename, hold, change_password], ids=lambda act: act.__name__)
def test_start__after_one_that_was_cut_off__succeeds(started, act):
    demo._create("acme")
    one = planted()
    with one.inside():
        act(one)

    said = started()

    assert ("left as it is" if act is require_field else "made") in said
