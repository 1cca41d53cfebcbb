"""Safe requests read from a real streaming replica, and nobody misses what they wrote or sees what they may not."""

from __future__ import annotations

import copy
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from django.conf import settings as configured
from django.db import ProgrammingError, connections

from apps.access.permissions import Role
from apps.accounts.roles import Assigned
from apps.accounts.services import api_keys, members, sharing
from apps.audit.actors import SYSTEM
from apps.core import memory
from apps.projects.models import Project
from apps.projects.services import projects
from apps.tenancy import replicas
from apps.tenancy.context import use
from apps.tenancy.replicas import health, positions
from apps.tenants.services.replicas import set_replica
from deploy.local.replica import EmbeddedReplica
from tests.support import servers
from tests.support.clients import Program, membership_of, program_of
from tests.support.factories import Organization, add_person, add_project
from tests.support.things import stock

pytestmark = pytest.mark.slow

ALIAS = "default:replica"
WAIT_SECONDS = 20


class Replica:
    """The replica of the test servers, which can be held up, killed and made anew."""

    def __init__(self) -> None:
        self._server = EmbeddedReplica(configured.DATA_DIR)
        self.start()

    def start(self) -> None:
        self.port = self._server.follow(durable=False)
        self.administrator = self._server.administrate(self.port)

    def catch_up(self) -> None:
        with servers.as_owner() as primary:
            [written] = primary.execute("SELECT pg_current_wal_insert_lsn()").fetchone() or [None]
        deadline = time.monotonic() + WAIT_SECONDS
        while self.administrator.execute("SELECT pg_last_wal_replay_lsn() < %s", [written]).fetchone() != (False,):
            assert time.monotonic() < deadline, "the replica does not catch up"
            time.sleep(0.01)
        for alias in list(connections.databases):
            health.of(alias).forget()

    @contextmanager
    def held_up(self) -> Iterator[None]:
        """It has what was committed until now and replays nothing further."""
        self.catch_up()
        self.administrator.execute("SELECT pg_wal_replay_pause()")
        try:
            yield
        finally:
            self.administrator.execute("SELECT pg_wal_replay_resume()")

    def kill(self) -> None:
        pid = int((self._server.directory / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        self.administrator.close()
        time.sleep(0.3)  # its processes notice, and close their clients' connections

    def remove(self) -> None:
        self._server.remove()


@pytest.fixture(scope="module")
def follower(platform) -> Iterator[Replica]:
    made = Replica()
    yield made
    made.remove()


@pytest.fixture
def replica(database, follower) -> Iterator[Replica]:
    """The replica of the control database's server, known to this process."""
    if follower.administrator.closed:
        follower.start()
    health.of.cache_clear()
    connections.databases[ALIAS] = copy.deepcopy(connections.databases["default"])
    connections.databases[ALIAS]["PORT"] = str(follower.port)
    yield follower
    connections[ALIAS].close()
    del connections[ALIAS], connections.databases[ALIAS]


@contextmanager
def memory_away(settings: Any) -> Iterator[None]:
    def start_anew(url: str) -> None:
        settings.REDIS_URL = url
        memory.client.cache_clear()
        memory.breaker.reset()

    url = settings.REDIS_URL
    start_anew("redis://127.0.0.1:1/0")
    try:
        yield
    finally:
        start_anew(url)


@contextmanager
def noticed() -> Iterator[dict[str, list[str]]]:
    """The statements that were sent to each database within the block."""
    sent: dict[str, list[str]] = {alias: [] for alias in connections.databases}

    def note(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        sent[context["connection"].alias].append(str(sql))
        return execute(sql, params, many, context)

    with ExitStack() as stack:
        for alias in sent:
            stack.enter_context(connections[alias].execute_wrapper(note))
        yield sent


def names(program: Any) -> list[str]:
    response = program.get("projects" if isinstance(program, Program) else "/api/v1/projects")
    assert response.status_code == 200, response.content
    return sorted(row["name"] for row in response.json()["results"])


def by_token(organization: Organization, sign_in: Any) -> Any:
    return program_of(organization)


def by_session(organization: Organization, sign_in: Any) -> Any:
    return sign_in(organization)


def by_key(organization: Organization, sign_in: Any) -> Any:
    scopes = ["projects:read", "projects:write"]
    with organization.inside():
        _, secret = api_keys.create_api_key(actor=organization.subject, name="ci", scopes=scopes)
    return Program(organization.host, secret)


READERS = pytest.mark.parametrize("reader", [by_session, by_token, by_key])


def create(program: Any, name: str) -> None:
    if isinstance(program, Program):
        assert program.post("projects", {"name": name}).status_code == 201
    else:
        assert program.post("/projects/new/", {"name": name}).status_code == 302


# -- who reads where ---------------------------------------------------------------------------------------------


@READERS
def test_safe_request__of_a_reader__is_answered_by_the_replica(acme, sign_in, replica, reader):
    add_project(acme, "Plan")
    program = reader(acme, sign_in)
    replica.catch_up()

    with noticed() as sent:
        assert names(program) == ["Plan"]

    assert any("projects_project" in sql for sql in sent[ALIAS])
    assert not any("projects_project" in sql for sql in sent["default"])
    assert not any("accounts_member" in sql or "accounts_session" in sql for sql in sent[ALIAS])


@READERS
def test_write__with_the_replica_held_up__is_seen_by_its_reader_only(acme, sign_in, replica, reader, settings):
    settings.DATABASE_REPLICA_MAX_LAG = 3600.0
    writer, other = reader(acme, sign_in), reader(acme, sign_in)
    with replica.held_up():
        create(writer, "New")

        assert names(writer) == ["New"]
        assert names(other) == []
    replica.catch_up()
    with noticed() as sent:
        assert names(writer) == names(other) == ["New"]
    assert not any("projects_project" in sql for sql in sent["default"])


def test_page__with_the_replica_held_up__shows_what_was_just_written(acme, sign_in, replica, settings):
    settings.DATABASE_REPLICA_MAX_LAG = 3600.0
    browser = sign_in(acme)
    with replica.held_up():
        page = browser.post("/projects/new/", {"name": "Brand new"}, follow=True)

        assert (page.status_code, b"Brand new" in page.content) == (200, True)


def test_request__that_has_written__reads_what_it_wrote(acme, replica):
    replica.catch_up()
    with acme.inside(), replicas.reading({}):
        assert Project.objects.first() is None
        Project.objects.create(name="Written by a safe request")

        assert Project.objects.get()._state.db == "default"


def test_replica__behind_the_longest_lag__is_not_read(acme, replica, settings):
    settings.DATABASE_REPLICA_MAX_LAG = 0.0
    reader = program_of(acme)
    with replica.held_up():
        add_project(acme, "New")
        deadline = time.monotonic() + WAIT_SECONDS
        while names(reader) != ["New"]:  # until it has received what it does not replay
            assert time.monotonic() < deadline
            time.sleep(health.KEPT_SECONDS)


def test_memory_away__with_the_replica_held_up__reads_from_the_primary(acme, replica, settings):
    settings.DATABASE_REPLICA_MAX_LAG = 3600.0
    reader = program_of(acme)
    with replica.held_up():
        add_project(acme, "New")
        assert names(reader) == []
        with memory_away(settings):
            assert names(reader) == ["New"]


def test_write__that_memory_is_not_told_of__keeps_the_process_on_the_primary(acme, replica, settings, monkeypatch):
    monkeypatch.setattr(positions, "_uncertain_until", 0.0)
    with memory_away(settings):
        positions.remember("somebody", ["default"])
    replica.catch_up()

    with acme.inside(), replicas.reading({}):
        add_project(acme, "New")
        assert Project.objects.get()._state.db == "default"


# -- rights are never read from it -------------------------------------------------------------------------------


@pytest.mark.parametrize("reader", [by_session, by_token])
def test_member__removed_while_the_replica_is_held_up__is_refused(acme, sign_in, replica, reader, settings):
    settings.DATABASE_REPLICA_MAX_LAG = 3600.0
    person = add_person(acme)
    program = sign_in(acme, person) if reader is by_session else program_of(acme, person)
    with replica.held_up():
        assert names(program) == []
        with acme.inside():
            members.remove_member(actor=acme.subject, member_id=membership_of(acme, person).id)

        path = "projects" if reader is by_token else "/api/v1/projects"
        assert program.get(path).status_code in (401, 403)


def test_role__taken_while_the_replica_is_held_up__no_longer_counts(acme, sign_in, replica, settings):
    settings.DATABASE_REPLICA_MAX_LAG = 3600.0
    person = add_person(acme, Role.ADMIN)
    browser = sign_in(acme, person)
    with replica.held_up():
        before = browser.get("/api/v1/audit/events").status_code
        with acme.inside():
            member_id = membership_of(acme, person).id
            members.change_role(actor=acme.subject, member_id=member_id, role=Assigned(Role.MEMBER))

        assert (before, browser.get("/api/v1/audit/events").status_code) == (200, 403)


def test_project__hidden_while_the_replica_is_held_up__is_hidden_at_once(acme, replica, settings):
    settings.DATABASE_REPLICA_MAX_LAG = 3600.0
    member = program_of(acme, add_person(acme))
    project = add_project(acme, "Plan")
    with replica.held_up():
        assert names(member) == ["Plan"]
        with acme.inside():
            projects.update_project(actor=acme.subject, project=project, is_private=True)

        assert names(member) == []
        assert member.get(f"projects/{project.id}").status_code == 404


def test_share__withdrawn_while_the_replica_is_held_up__is_gone_at_once(acme, replica, settings):
    settings.DATABASE_REPLICA_MAX_LAG = 3600.0
    person = add_person(acme)
    member = program_of(acme, person)
    with acme.inside():
        project = projects.create_project(actor=acme.subject, name="Plan", is_private=True)
        sharing.share(actor=acme.subject, resource=project, user_id=person.id, relation="viewer")
    with replica.held_up():
        assert names(member) == ["Plan"]
        with acme.inside():
            sharing.unshare(actor=acme.subject, resource=project, user_id=person.id)

        assert names(member) == []
        assert member.get(f"projects/{project.id}").status_code == 404


# -- walls -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["pool", "schema"])
def test_replica__in_a_tenants_context__shows_that_tenants_rows(platform, replica, kind):
    one, other = platform[kind]
    words = [stock(organization).word for organization in (one, other)]
    replica.catch_up()
    table = f'"{one.context.schema}".projects_project'

    with one.inside(), replicas.reading({}), connections[ALIAS].cursor() as cursor:
        assert [(p.name, p._state.db) for p in Project.objects.all()] == [(words[0], ALIAS)]
        cursor.execute(f"SELECT name FROM {table}")
        assert cursor.fetchall() == [(words[0],)]
    with use(None), connections[ALIAS].cursor() as cursor, pytest.raises(ProgrammingError, match="permission denied"):
        cursor.execute(f"SELECT 1 FROM {table}")


# -- a replica that fails ----------------------------------------------------------------------------------------


@READERS
@pytest.mark.parametrize("known", [health.KEPT_SECONDS, 60.0], ids=["looked at", "met by a statement"])
def test_replica__killed__is_done_without(acme, sign_in, replica, reader, known, monkeypatch):
    monkeypatch.setattr(health, "KEPT_SECONDS", known)
    add_project(acme, "Plan")
    program = reader(acme, sign_in)
    replica.catch_up()
    assert names(program) == ["Plan"]
    replica.kill()

    for _ in range(3):
        began = time.monotonic()
        assert names(program) == ["Plan"]
        assert time.monotonic() - began < 1
    create(program, "More")
    assert names(program) == ["More", "Plan"]


def test_replica__back_after_its_rest__is_read_again(acme, replica):
    add_project(acme, "Plan")
    reader = program_of(acme)
    replica.catch_up()
    health.of(ALIAS).rest(RuntimeError("it failed"))
    with noticed() as meanwhile:
        assert names(reader) == ["Plan"]
    health.of(ALIAS).forget()  # as if its time were over

    with noticed() as sent:
        assert names(reader) == ["Plan"]

    assert not meanwhile[ALIAS]
    assert sent[ALIAS]


def test_column__that_the_replica_has_not_got_yet__is_read_on_the_primary(acme, replica):
    table = f'"{acme.context.schema}".projects_project'
    with replica.held_up(), servers.as_owner() as owner:
        owner.execute(f"ALTER TABLE {table} ADD COLUMN shade text")
        try:
            with acme.inside(), replicas.reading({}), connections[ALIAS].cursor() as cursor:
                cursor.execute("SELECT shade FROM projects_project")

                assert cursor.fetchall() == []
        finally:
            owner.execute(f"ALTER TABLE {table} DROP COLUMN shade")

    assert health.of(ALIAS).has(0)


# -- a tenant's own database -------------------------------------------------------------------------------------


def test_replica__of_a_tenants_own_database__answers_its_safe_requests(platform, replica, settings):
    settings.DATABASE_REPLICA_MAX_LAG = 3600.0
    initech = platform["database"][0]
    alias = f"{initech.context.alias}:replica"
    set_replica(slug=initech.tenant.slug, address=f"127.0.0.1:{replica.port}", actor=SYSTEM)
    try:
        writer, other = program_of(initech), program_of(initech)
        names(writer)  # makes the alias known to this process
        with replica.held_up():
            create(writer, "New")
            assert (names(writer), names(other)) == (["New"], [])
        replica.catch_up()
        with noticed() as sent:
            assert names(writer) == ["New"]
        assert any("projects_project" in sql for sql in sent[alias])
    finally:
        set_replica(slug=initech.tenant.slug, address="", actor=SYSTEM)

    assert names(program_of(initech)) == ["New"]
    assert alias not in connections.databases
