"""What a process remembers of tenants is never older than the last change that was told."""

from __future__ import annotations

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from apps.audit.actors import SYSTEM
from apps.core import memory
from apps.tenancy import outbox
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic
from apps.tenants import versions
from apps.tenants.directory import DIRECTORY_CHANGED, all_changed, changed, directory
from apps.tenants.models import Domain, Tenant
from apps.tenants.services import lifecycle
from apps.tenants.tasks import tell_of_changed_tenants
from tests.support.clients import APEX, Program, issue
from tests.support.factories import Organization, add_project

PROJECTS = "/api/v1/projects"


@pytest.fixture
def token(acme) -> str:
    return issue(acme).access


@pytest.fixture
def api(acme, token) -> Program:
    """A program whose tenant has been looked up already."""
    api = Program(acme.host, token)
    assert api.get(PROJECTS).status_code == 200
    return api


def tell_elsewhere(organization: Organization) -> None:
    """What another process does when it has changed a tenant."""
    versions.tell([organization.tenant.id])


def test_request__with_a_token__looks_up_neither_tenant_nor_person(api):
    # Nothing is kept while memory is slow to answer, as it may be on a busy machine: one of a few calls must do.
    assert 1 in {selects(api) for _ in range(5)}


def selects(api: Program) -> int:
    with CaptureQueriesContext(connections["default"]) as queries:
        api.get(PROJECTS)
    return len([query for query in queries if "SELECT" in query["sql"]])


def test_hold__by_this_process__acts_on_the_next_request(api, acme):
    lifecycle.hold(slug=acme.tenant.slug, reason="unpaid", actor=SYSTEM)

    assert api.get(PROJECTS).status_code == 403


def test_hold__by_another_process__acts_on_the_next_request(api, acme):
    hold_unseen(acme)
    assert api.get(PROJECTS).status_code == 200

    tell_elsewhere(acme)

    assert api.get(PROJECTS).status_code == 403


def test_hold__by_another_process__acts_on_the_apex_too(acme, token):
    on_apex = Program(APEX, token)
    assert on_apex.get(PROJECTS).status_code == 200
    hold_unseen(acme)

    tell_elsewhere(acme)

    assert on_apex.get(PROJECTS).status_code == 403


def test_hold__that_nobody_could_tell_of__is_told_by_the_task(api, acme, monkeypatch):
    monkeypatch.setattr("apps.tenants.directory._tell_if_possible", lambda tenant_id: None)  # it died
    lifecycle.hold(slug=acme.tenant.slug, reason="unpaid", actor=SYSTEM)
    assert api.get(PROJECTS).status_code == 200

    (event,) = [event for event in outbox.pending("default") if event.topic == DIRECTORY_CHANGED]
    assert event.tenant_id == acme.tenant.id
    hand_over(event)

    assert api.get(PROJECTS).status_code == 403


def test_hold__told_by_the_task_of_the_release_before__acts_on_the_next_request(api, acme):
    hold_unseen(acme)
    with control("change"), atomic():
        outbox.emit(DIRECTORY_CHANGED, {})  # which names nobody

    (event,) = [event for event in outbox.pending("default") if event.topic == DIRECTORY_CHANGED]
    hand_over(event)

    assert api.get(PROJECTS).status_code == 403


def hand_over(event: outbox.Pending) -> None:
    """As the relay does."""
    headers = {"tenant_id": str(event.tenant_id)} if event.tenant_id else {}
    tell_of_changed_tenants.apply(kwargs={"event_id": str(event.event_id)}, headers=headers, throw=True)


def test_hold__by_a_process_of_the_release_before__acts_on_the_next_request(api, acme):
    changed_now(acme)
    assert api.get(PROJECTS).status_code == 200
    hold_unseen(acme)

    memory.ask(lambda redis: redis.set(versions.VERSION_KEY, 2**61 + 1))  # which is how that one tells

    assert api.get(PROJECTS).status_code == 403


@pytest.mark.parametrize("change", [changed, lambda tenant_id: all_changed()], ids=["one", "all"])
def test_change__of_anything__is_seen_by_the_release_before(api, acme, change):
    before = memory.ask(lambda redis: redis.get(versions.VERSION_KEY))

    with control("change"), atomic():
        change(acme.tenant.id)

    assert before is not None
    assert memory.ask(lambda redis: redis.get(versions.VERSION_KEY)) != before


def test_release__by_another_process__acts_on_the_next_request(api, acme):
    lifecycle.hold(slug=acme.tenant.slug, reason="unpaid", actor=SYSTEM)
    assert api.get(PROJECTS).status_code == 403

    lifecycle.release(slug=acme.tenant.slug, actor=SYSTEM)

    assert api.get(PROJECTS).status_code == 200


def test_change__that_is_rolled_back__raises_no_version(acme):
    before = versions.now()

    with pytest.raises(ZeroDivisionError), control("change"):
        with atomic():
            changed(acme.tenant.id)
            raise ZeroDivisionError

    assert versions.now() == before


def test_directory__of_an_organization_on_hold__keeps_nothing(acme):
    lifecycle.hold(slug=acme.tenant.slug, reason="unpaid", actor=SYSTEM)

    directory.find(acme.host)

    assert acme.host not in directory._entries


def changed_now(organization: Organization) -> None:
    with control("change"), atomic():
        changed(organization.tenant.id)


def hold_unseen(organization: Organization) -> None:
    with control("hold in another process"):
        Tenant.objects.filter(id=organization.tenant.id).update(held_at="2026-01-01T00:00Z", hold_reason="unpaid")


def test_host__given_to_another_organization__shows_it_to_nobody_who_is_signed_in_to_the_first(platform, acme, sign_in):
    other = platform["schema"][1]
    browser, secret = sign_in(acme), add_project(other, "Of the other one").name
    assert browser.get("/projects/").status_code == 200
    with control("give the host away"):
        Domain.objects.filter(domain=acme.host).update(tenant=other.tenant)
    tell_elsewhere(acme)

    answers = [browser.get("/projects/") for _ in range(2)]
    with control("take it back"):
        Domain.objects.filter(domain=acme.host).update(tenant=acme.tenant)

    assert [answer.status_code for answer in answers] == [503, 302]
    assert not any(secret in answer.content.decode() for answer in answers)
