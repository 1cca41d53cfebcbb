"""The in-memory store is stopped, hangs or is full: nobody waits, nothing opens, and it is used once it is back."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.test import Client

from apps.access import limits
from apps.access.models import Attempt
from apps.access.permissions import Role
from apps.accounts.models import TokenFamily
from apps.accounts.roles import Assigned
from apps.accounts.services import members
from apps.accounts.tasks import republish_rights
from apps.audit.actors import SYSTEM
from apps.core import memory
from apps.tenancy.context import control
from apps.tenants import versions
from apps.tenants.services import lifecycle, schema_store
from deploy.local.binaries import find_valkey
from tests.support.clients import APEX, API, ME, Program, issue, membership_of
from tests.support.factories import PASSWORD, Organization, add_person, add_project
from tests.support.limits import allow
from tests.support.processes import Process

TROUBLES = ("stopped", "hung", "full")
WAIT_SECONDS = 10


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Store:
    """A server of the test's own, which can be broken and mended."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.start()

    def start(self) -> None:
        options = ["--bind", "127.0.0.1", "--port", str(self._port), "--dir", str(self._folder), "--save", ""]
        self._process = subprocess.Popen([find_valkey(), *options], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + WAIT_SECONDS
        while not self._answers():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(WAIT_SECONDS)

    def breaks(self, trouble: str) -> None:
        if trouble == "stopped":
            self.stop()
        elif trouble == "hung":
            self._process.send_signal(signal.SIGSTOP)
        else:
            self.client.config_set("maxmemory", 1)

    def is_mended(self, trouble: str) -> None:
        if trouble == "stopped":
            self.start()
        elif trouble == "hung":
            self._process.send_signal(signal.SIGCONT)
        else:
            self.client.config_set("maxmemory", 0)
        time.sleep(memory.REST_SECONDS + 0.05)

    @property
    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, socket_timeout=5)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False


def forget_store() -> None:
    memory.client.cache_clear()
    memory.breaker.reset()


@pytest.fixture
def store(acme, settings, tmp_path, monkeypatch) -> Iterator[Store]:
    """The store that the site uses, instead of the one of all tests."""
    own = Store(tmp_path)
    settings.REDIS_URL = own.url
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": own.url}}
    monkeypatch.setattr(limits, "local_buckets", limits.LocalBuckets())
    monkeypatch.setattr(memory, "REST_SECONDS", 0.3)  # which tests wait for
    forget_store()
    yield own
    own.stop()
    forget_store()
    with control("clean up after a test"):
        Attempt.objects.all().delete()


@pytest.fixture(params=TROUBLES)
def trouble(request) -> str:
    return str(request.param)


def status(organization: Organization, token: str) -> int:
    return int(Program(organization.host, token).get(ME).status_code)


def relay(organization: Organization, **payload: str) -> None:
    """Hand the event to its task, as the relay does."""
    headers = {"tenant_id": str(organization.tenant.id)}
    republish_rights.apply(kwargs={"event_id": str(uuid4()), **payload}, headers=headers, throw=True)


# -- tokens ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_token__while_the_store_is_away__is_checked_in_the_database(acme, store, trouble, known):
    good, bad = issue(acme).access, issue(acme).access
    if known:
        assert [status(acme, token) for token in (good, bad)] == [200, 200]
    store.breaks(trouble)

    assert Program(acme.host, bad).post("auth/logout").status_code == 204

    assert status(acme, good) == 200
    assert status(acme, bad) == 401


def test_token__revoked_while_the_store_is_away__stays_void_when_it_is_asked_again(acme, store, trouble):
    token = issue(acme).access
    assert status(acme, token) == 200
    store.breaks(trouble)
    assert Program(acme.host, token).post("auth/logout").status_code == 204

    time.sleep(memory.REST_SECONDS + 0.05)

    assert status(acme, token) == 401


def test_role__changed_while_the_store_is_away__voids_the_token(acme, store, trouble):
    person = add_person(acme)
    token, bystander = issue(acme, person).access, issue(acme).access
    assert status(acme, token) == 200
    store.breaks(trouble)

    member_id = membership_of(acme, person).id
    members.change_role(actor=acme.subject, member_id=member_id, role=Assigned(Role.VIEWER))

    assert status(acme, token) == 401
    assert status(acme, issue(acme, person).access) == 200
    assert status(acme, bystander) == 200


def test_refresh__while_the_store_is_away__works_once(acme, store, trouble):
    pair = issue(acme)
    store.breaks(trouble)

    fresh = Program(acme.host).post("auth/refresh", {"refresh": pair.refresh})
    again = Program(acme.host).post("auth/refresh", {"refresh": pair.refresh})

    assert (fresh.status_code, again.status_code) == (200, 401)
    assert status(acme, fresh.json()["access"]) == 401


def test_token__revoked_while_the_store_was_away__is_void_once_the_relay_has_told_it(acme, store, trouble):
    token, bystander = issue(acme).access, issue(acme).access
    assert [status(acme, each) for each in (token, bystander)] == [200, 200]
    store.breaks(trouble)
    Program(acme.host, bystander).get(ME)  # whoever asks first finds out that the store is away
    assert Program(acme.host, token).post("auth/logout").status_code == 204
    store.is_mended(trouble)

    with control("find the family"):
        family = TokenFamily.objects.exclude(revoked_at=None).get()
    relay(acme, family_id=str(family.id))

    assert status(acme, token) == 401
    assert status(acme, bystander) == 200


def test_member__removed_while_the_store_was_away__is_out_once_the_relay_has_told_it(acme, store):
    person = add_person(acme)
    token, member_id = issue(acme, person).access, membership_of(acme, person).id
    assert status(acme, token) == 200
    store.breaks("hung")
    assert status(acme, token) == 200
    members.remove_member(actor=acme.subject, member_id=member_id)
    store.is_mended("hung")

    relay(acme, member_id=str(member_id))

    assert status(acme, token) == 401


# -- limits ------------------------------------------------------------------------------------------------------


def test_limits__while_the_store_is_away__are_counted_by_the_process(acme, store, trouble, settings):
    settings.REQUESTS_PER_MINUTE_ADDRESS, settings.REQUESTS_PER_MINUTE_USER = 3, 2
    token = issue(acme).access
    store.breaks(trouble)

    anonymous = [Program(acme.host).get("permissions") for _ in range(4)]

    assert [a.status_code for a in anonymous] == [401, 401, 401, 429]
    assert 1 <= int(anonymous[3]["Retry-After"]) <= 60
    assert anonymous[0]["RateLimit"].startswith('"address";r=2;t=')
    assert [status(acme, token) for _ in range(3)] == [200, 200, 429]


ATTEMPTS = [
    ("sign-in", f"{API}/auth/login", {"email": "a@example.com", "password": "wrong"}),
    ("reset", f"{API}/auth/password-reset", {"email": "a@example.com"}),
    ("lookup", f"{API}/auth/find-organizations", {"email": "a@example.com"}),
    ("acceptance", f"{API}/invitations/accept", {"token": "t", "password": PASSWORD}),
]


@pytest.mark.parametrize(("action", "path", "body"), ATTEMPTS, ids=[a[0] for a in ATTEMPTS])
def test_attempts__while_the_store_is_away__are_counted_in_the_database(
    acme, store, trouble, settings, action, path, body
):
    allow(settings, action, network=100, account=2)
    store.breaks(trouble)

    answers = [Program(acme.host).post(path, body) for _ in range(3)]

    assert [a.status_code == 429 for a in answers] == [False, False, True]
    assert answers[2].json()["code"] == "too_many_attempts"
    assert 1 <= int(answers[2]["Retry-After"]) <= 300
    with control("count"):
        assert Attempt.objects.count() == 5  # two of the account, three of the network


def test_attempts__counted_in_the_database__end_with_their_window(acme, store, settings):
    allow(settings, "sign-in", account=1, seconds=1)
    body = ATTEMPTS[0][2]
    store.breaks("stopped")

    before = [Program(acme.host).post("auth/login", body).status_code for _ in range(2)]
    time.sleep(1.05)

    assert before == [401, 429]
    assert Program(acme.host).post("auth/login", body).status_code == 401


# -- time --------------------------------------------------------------------------------------------------------


def timed(work: Any) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def test_store__that_hangs__costs_one_request_a_moment_and_the_others_nothing(acme, store):
    token = issue(acme).access
    status(acme, token)
    store.breaks("hung")

    first = timed(lambda: status(acme, token))
    others = min(timed(lambda: status(acme, token)) for _ in range(5))

    assert first < 1
    assert others < memory.TIMEOUT_SECONDS


def test_store__that_hangs__delays_a_sign_in_by_a_moment_only(acme, store):
    credentials = {"email": add_person(acme).email, "password": PASSWORD}
    store.breaks("hung")

    assert timed(lambda: Program(acme.host).post("auth/login", credentials)) < 1.5


def test_store__that_is_back__is_used_again_without_a_restart(acme, store, trouble):
    token = issue(acme).access
    assert status(acme, token) == 200
    store.breaks(trouble)
    assert status(acme, token) == 200
    store.is_mended(trouble)
    for key in store.client.scan_iter("tenantry:*"):
        store.client.delete(key)

    assert status(acme, token) == 200

    kinds = {key.decode().split(":")[1] for key in store.client.scan_iter("tenantry:*")}
    assert kinds == {"limit", "member", "family", "directory"}


# -- the directory of organizations ------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", ["as it was before", "everything"])
def test_hold__that_a_store_started_anew_does_not_know_of__acts_on_the_next_request(acme, store, lost):
    token, idle = issue(acme).access, Process()
    assert status(acme, token) == 200
    assert idle.reads_for(acme.host, acme.host) == [acme.host]
    if lost == "as it was before":
        store.client.save()
    lifecycle.hold(slug=acme.tenant.slug, reason="unpaid", actor=SYSTEM)

    store.stop()
    store.start()

    known = int(store.client.hget(versions.CHANGES, "count") or -1)
    assert (known == 0) is (lost == "as it was before")
    assert idle.reads_for(acme.host) == [acme.host]
    assert status(acme, token) == 403
    assert idle.directory._faults == 0


def test_store__that_hangs_for_a_moment__has_no_organization_looked_up_anew(platform, acme, store):
    hosts = [organization.host for pair in platform.values() for organization in pair]
    process = Process()
    process.reads_for(*hosts)
    store.breaks("hung")
    assert process.reads_for(*hosts) == hosts
    store.is_mended("hung")

    assert process.reads_for(*hosts) == []


def test_store__that_does_not_say_which_run_it_is__is_never_believed_on_another_connection(acme, store):
    store.client.execute_command("ACL", "SETUSER", "default", "-info")
    process = Process()

    assert process.reads_for(acme.host, acme.host) == [acme.host]
    memory.client().connection_pool.disconnect()
    assert process.reads_for(acme.host) == [acme.host]


# -- everything else ---------------------------------------------------------------------------------------------


def test_pages__while_the_store_is_away__still_answer(acme, store, trouble):
    person, project = add_person(acme), add_project(acme)
    store.breaks(trouble)
    browser = Client(HTTP_HOST=acme.host, raise_request_exception=False)

    pages = [
        browser.get("/sign-in/"),
        browser.post("/sign-in/", {"login": person.email, "password": "wrong"}),
        browser.post("/sign-in/", {"login": person.email, "password": PASSWORD}),
        browser.get("/"),
        browser.get(f"/projects/{project.id}/"),
        browser.post("/projects/new/", {"name": "New"}),
        browser.get(f"{API}/projects"),
        browser.post("/sign-out/"),
        browser.post("/sign-in/reset/", {"email": person.email}),
        Client(HTTP_HOST=APEX, raise_request_exception=False).get("/"),
    ]

    assert [p.status_code for p in pages] == [200, 200, 302, 200, 200, 302, 200, 302, 302, 200]


def test_registration__while_the_store_is_away__works(acme, store, trouble):
    schema_store.replenish()
    store.breaks(trouble)

    answer = Program(APEX).post(
        "auth/register", {"organization": "New", "email": "new@example.com", "password": PASSWORD}
    )

    assert answer.status_code == 201, answer.content
