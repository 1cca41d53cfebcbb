"""What a process remembers of tenants is never older than the last change that was told."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from apps.audit.actors import SYSTEM
from apps.core import memory
from apps.tenancy import outbox
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic
from apps.tenants import versions
from apps.tenants.directory import DIRECTORY_CHANGED, changed, directory
from apps.tenants.models import Domain, Tenant
from apps.tenants.services import lifecycle
from apps.tenants.tasks import tell_of_changed_tenants
from tests.support.clients import APEX, Program, issue
from tests.support.factories import add_project

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


def raise_version_elsewhere() -> None:
    """What another process does when it has changed a tenant."""
    memory.ask(lambda redis: redis.set(VERSION_KEY, uuid4().hex))


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

    raise_version_elsewhere()

    assert api.get(PROJECTS).status_code == 403


def test_hold__by_another_process__acts_on_the_apex_too(acme, token):
    on_apex = Program(APEX, token)
    assert on_apex.get(PROJECTS).status_code == 200
    hold_unseen(acme)

    raise_version_elsewhere()

    assert on_apex.get(PROJECTS).status_code == 403


def test_hold__that_nobody_could_tell_of__is_told_by_the_task(api, acme, monkeypatch):
    monkeypatch.setattr("apps.tenants.directory._tell_if_possible", lambda: None)  # it died, or memory was away
    lifecycle.hold(slug=acme.tenant.slug, reason="unpaid", actor=SYSTEM)
    assert api.get(PROJECTS).status_code == 200

    (event,) = [event for event in outbox.pending("default") if event.topic == DIRECTORY_CHANGED]
    tell_of_changed_tenants.apply(kwargs={"event_id": str(event.event_id)}, throw=True)

    assert api.get(PROJECTS).status_code == 403


def test_hold__when_memory_has_lost_everything__acts_on_the_next_request(api, acme):
    hold_unseen(acme)

    memory.ask(lambda redis: redis.delete(VERSION_KEY))

    assert api.get(PROJECTS).status_code == 403


def test_hold__by_a_process_of_the_release_before__acts_on_the_next_request(api, acme):
    changed_now()
    assert api.get(PROJECTS).status_code == 200
    hold_unseen(acme)

    memory.ask(lambda redis: redis.incr(VERSION_KEY))  # which is how that one tells

    assert api.get(PROJECTS).status_code == 403


def test_release__by_another_process__acts_on_the_next_request(api, acme):
    lifecycle.hold(slug=acme.tenant.slug, reason="unpaid", actor=SYSTEM)
    assert api.get(PROJECTS).status_code == 403

    lifecycle.release(slug=acme.tenant.slug, actor=SYSTEM)

    assert api.get(PROJECTS).status_code == 200


def test_change__that_is_rolled_back__raises_no_version(acme):
    before = memory.ask(lambda redis: redis.get(VERSION_KEY))

    with pytest.raises(ZeroDivisionError), control("change"):
        with atomic():
            changed()
            raise ZeroDivisionError

    assert memory.ask(lambda redis: redis.get(VERSION_KEY)) == before


def test_directory__of_an_organization_on_hold__keeps_nothing(acme):
    lifecycle.hold(slug=acme.tenant.slug, reason="unpaid", actor=SYSTEM)

    directory.find(acme.host)

    assert acme.host not in directory._entries


def changed_now() -> None:
    with control("change"), atomic():
        changed()


def hold_unseen(organization: Any) -> None:
    with control("hold in another process"):
        Tenant.objects.filter(id=organization.tenant.id).update(held_at="2026-01-01T00:00Z", hold_reason="unpaid")


def test_host__given_to_another_organization__shows_it_to_nobody_who_is_signed_in_to_the_first(platform, acme, sign_in):
    other = platform["schema"][1]
    browser, secret = sign_in(acme), add_project(other, "Of the other one").name
    assert browser.get("/projects/").status_code == 200
    with control("give the host away"):
        Domain.objects.filter(domain=acme.host).update(tenant=other.tenant)
    raise_version_elsewhere()

    answers = [browser.get("/projects/") for _ in range(2)]
    with control("take it back"):
        Domain.objects.filter(domain=acme.host).update(tenant=acme.tenant)

    assert [answer.status_code for answer in answers] == [503, 302]
    assert not any(secret in answer.content.decode() for answer in answers)
