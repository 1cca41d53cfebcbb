"""The figures of requests: noted in the process, taken to memory behind the requests' backs, shown to staff."""

from __future__ import annotations

from threading import Thread
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connections
from django.test import Client
from django_redis import get_redis_connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import ConnectionError as RedisAway
from redis.connection import AbstractConnection

from apps.core import memory
from apps.operations.selectors import all_outboxes, backlogs
from apps.staff import selectors
from apps.staff.selectors import Traffic
from apps.tenancy import databases, outbox
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic
from apps.tenants import traffic
from apps.tenants.models import TenantDatabase
from apps.tenants.traffic import Figures, Recorder, recorder
from tests.support.clients import APEX, program_of
from tests.support.factories import Organization


@pytest.fixture(autouse=True)
def _nothing_noted():
    recorder.forget()


def figures_of(organization: Organization) -> Figures:
    recorder.flush()
    return traffic.by_tenant(2).get(organization.tenant.id, Figures())


def total() -> Figures:
    recorder.flush()
    found = Figures()
    for minute in traffic.last_minutes(2):
        found.add(minute.figures)
    return found


def listening(monkeypatch) -> list[Any]:
    """What memory is asked from now on: an entry for each round trip."""
    asked: list[Any] = []
    send = AbstractConnection.send_packed_command

    def heard(self: Any, command: Any, **options: Any) -> None:
        asked.append(command)
        send(self, command, **options)

    monkeypatch.setattr(AbstractConnection, "send_packed_command", heard)
    return asked


# -- what is noted -------------------------------------------------------------------------------------------------


def test_request__of_an_organization__is_counted_with_what_it_cost(home, foreign, sign_in):
    client = sign_in(home)
    figures_of(home)
    get_redis_connection("default").flushdb()

    pages = [client.get("/"), client.get("/projects/")]

    found = figures_of(home)
    assert found.requests == 2
    assert found.errors == found.refused == 0
    assert found.bytes == sum(len(page.content) for page in pages)
    assert found.queries > 4
    assert found.ms > 0
    assert figures_of(foreign) == Figures()
    assert total() == found


def test_queries__counted__are_those_that_were_sent(acme, sign_in):
    client = sign_in(acme)
    with acme.inside():
        before = databases.statements_sent()
        with connections["default"].cursor() as cursor:
            for _ in range(3):
                cursor.execute("SELECT 1")

    assert databases.statements_sent() - before == 3
    assert client.get("/").status_code == 200


def test_request__with_a_token_on_the_apex__counts_for_the_bearers_organization(acme):
    program = program_of(acme)
    program._client.defaults["HTTP_HOST"] = APEX

    assert program.get("projects").status_code == 200

    assert figures_of(acme).requests == 1


def test_request__of_nobody_in_particular__counts_for_the_platform_only(platform, database):
    assert Client(HTTP_HOST=APEX).get("/").status_code == 200

    assert total().requests == 1
    assert traffic.by_tenant(2) == {}


@pytest.mark.parametrize("address", [("nobody.localhost", "/"), (APEX, "/health")])
def test_request__for_no_organization_or_of_a_probe__is_not_counted(platform, database, address):
    host, path = address

    Client(HTTP_HOST=host).get(path)

    assert total().requests == 0


def test_error__of_ours__is_counted_as_one(acme, sign_in, monkeypatch):
    client = sign_in(acme)
    monkeypatch.setattr("apps.workspace.selectors.storage_of", lambda subject: 1 / 0)

    assert client.get("/").status_code == 500

    assert figures_of(acme).errors == 1


def test_refusal__by_a_limit__is_counted_as_one(acme, sign_in, settings):
    client = sign_in(acme)
    settings.REQUESTS_PER_MINUTE_USER = 1
    client.get("/")

    assert client.get("/").status_code == 429

    assert figures_of(acme).refused == 1


# -- how it gets to memory -----------------------------------------------------------------------------------------


def test_request__with_figures__asks_memory_no_more_often(acme, monkeypatch):
    program = program_of(acme)
    program.get("projects")
    asked = listening(monkeypatch)

    program.get("projects")

    assert len(asked) == 1


def test_flush__of_many_organizations__is_one_round_trip(platform, database, monkeypatch):
    for _ in range(50):
        recorder.note(uuid4(), Figures(requests=1))
    asked = listening(monkeypatch)

    recorder.flush()

    assert len(asked) in (1, 2)  # two where a minute ends


def test_notes__of_several_processes_and_threads__add_up(platform, database):
    tenant, processes = uuid4(), [Recorder(), Recorder()]

    def work(own: Recorder) -> None:
        for _ in range(500):
            own.note(tenant, Figures(requests=1, ms=2))

    threads = [Thread(target=work, args=[own]) for own in processes * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for own in processes:
        own.flush()

    assert traffic.by_tenant(2)[tenant] == Figures(requests=4000, ms=8000)


def test_recorder__in_a_process_that_serves__flushes_by_itself(platform, database, settings):
    settings.TRAFFIC_FLUSH_SECONDS = 0.05
    own, tenant = Recorder(), uuid4()

    own.note(tenant, Figures(requests=1))
    assert own._thread is not None
    assert own._thread.daemon
    settings.TRAFFIC_FLUSH_SECONDS = 0.05
    deadline = 100
    while tenant not in traffic.by_tenant(2) and deadline:
        deadline -= 1
        own._thread.join(0.05)

    assert traffic.by_tenant(2)[tenant].requests == 1


def test_figures__in_memory__go_by_themselves(platform, database):
    recorder.note(uuid4(), Figures(requests=1))
    recorder.flush()

    redis = get_redis_connection("default")
    keys = list(redis.keys("*tenantry:traffic*"))
    assert sorted(round(redis.ttl(key), -2) for key in keys) == [900, 900, 7200]


@given(
    kept=st.integers(1, 6),
    notes=st.lists(st.tuples(st.integers(0, 11), st.integers(1, 3), st.integers(0, 50), st.booleans()), max_size=80),
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_organizations__more_than_are_kept__are_all_counted_and_the_busiest_shown(platform, database, kept, notes):
    """Each note is of an organization, with requests, milliseconds, and whether memory is told at once."""
    get_redis_connection("default").flushdb()
    everybody = [uuid4() for _ in range(12)]
    true: dict[UUID, Figures] = {}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(traffic, "TENANTS_KEPT", kept)
        patched.setattr("time.time", lambda: 1_800_000_000.0)  # all in one minute, as the bounds are a minute's
        for number, requests, ms, is_told in notes:
            tenant, figures = everybody[number], Figures(requests=requests, ms=ms, bytes=7)
            true.setdefault(tenant, Figures()).add(figures)
            recorder.note(tenant, figures)
            if is_told:
                recorder.flush()
        found, counted = {}, total()
        found = traffic.by_tenant(1)

    weight = sum(figures.requests + figures.ms for figures in true.values())
    assert (counted.requests, counted.ms) == (
        sum(figures.requests for figures in true.values()),
        sum(figures.ms for figures in true.values()),
    )
    assert len(found) == min(kept, len(true))
    for tenant, figures in true.items():
        own = figures.requests + figures.ms
        assert tenant in found or own <= weight / kept
        if tenant in found:
            shown = found[tenant].requests + found[tenant].ms
            assert own - weight / kept <= shown <= own


def test_organizations__up_to_as_many_as_are_kept__are_counted_exactly(platform, database, monkeypatch):
    monkeypatch.setattr(traffic, "TENANTS_KEPT", 20)
    tenants = [uuid4() for _ in range(20)]
    for number, tenant in enumerate(tenants * 2):
        recorder.note(tenant, Figures(requests=1, errors=2, refused=3, ms=number, queries=5, bytes=10**13))
        recorder.flush()

    found = traffic.by_tenant(2)

    for number, tenant in enumerate(tenants):
        assert found[tenant] == Figures(2, 4, 6, number + number + 20, 10, 2 * 10**13)


def test_memory__of_many_organizations__keeps_as_many_as_it_may(platform, database, monkeypatch):
    monkeypatch.setattr(traffic, "TENANTS_KEPT", 50)
    for _ in range(500):
        recorder.note(uuid4(), Figures(requests=1))
    recorder.flush()

    redis = get_redis_connection("default")
    sizes = {redis.hlen(key) for key in redis.keys("*traffic*busiest")}
    sizes |= {redis.zcard(key) for key in redis.keys("*traffic*weights")}
    assert sizes == {50}


def test_notes__that_memory_cannot_take__are_dropped_and_counted(platform, database, monkeypatch):
    def away(*args: object) -> None:
        raise RedisAway

    recorder.note(uuid4(), Figures(requests=3))
    with monkeypatch.context() as patched:
        patched.setattr("redis.Redis.eval", away)
        recorder.flush()
        assert recorder.dropped == 3
    assert memory.ask(lambda redis: redis.ping())  # requests may still ask

    recorder.note(uuid4(), Figures(requests=1))
    recorder.flush()

    assert (total().requests, traffic.dropped_in(2), recorder.dropped) == (1, 3, 0)


def test_notes__of_more_organizations_than_a_process_remembers__are_in_the_totals(platform, database, monkeypatch):
    monkeypatch.setattr(traffic, "NOTES_KEPT", 2)
    own = Recorder()

    for _ in range(5):
        own.note(uuid4(), Figures(requests=1))
    own.flush()

    assert (total().requests, len(traffic.by_tenant(2)), traffic.dropped_in(2)) == (5, 2, 0)


# -- what staff sees -----------------------------------------------------------------------------------------------


def test_busiest__of_several__are_ranked_by_their_time_and_the_noisy_one_marked(home, foreign):
    recorder.note(home.tenant.id, Figures(requests=900, ms=40_000))
    recorder.note(foreign.tenant.id, Figures(requests=1000, ms=10_000))
    recorder.flush()

    with control("look"):
        first, second = selectors.busiest(10)

    assert (first.name, first.percent, first.is_noisy) == (home.tenant.name, 80, True)
    assert (second.name, second.percent, second.is_noisy) == (foreign.tenant.name, 20, False)


def test_busiest__of_more_than_are_kept__has_its_share_of_all_requests(home, monkeypatch):
    monkeypatch.setattr(traffic, "TENANTS_KEPT", 2)
    for _ in range(8):
        recorder.note(uuid4(), Figures(requests=1, ms=5_000))
    recorder.note(home.tenant.id, Figures(requests=1, ms=40_000))
    recorder.flush()

    with control("look"):
        first = selectors.busiest(10)[0]

    assert (first.name, first.percent, first.is_noisy) == (home.tenant.name, 50, False)


@pytest.mark.parametrize(
    ("share", "ms", "is_alone", "noisy"),
    [(0.51, 15_000, False, True), (0.5, 15_000, False, False), (1.0, 15_000, True, False), (0.9, 14_999, False, False)],
)
def test_noisy__is__who_takes_more_than_half_while_others_ask(share, ms, is_alone, noisy):
    row = Traffic(uuid4(), "Acme", Figures(requests=1, ms=ms), share, is_alone)

    assert row.is_noisy is noisy


def test_outboxes__of_all_databases__are_counted_together(platform, database):
    organization = platform["database"][0]
    before = all_outboxes()
    with organization.inside(), atomic():
        outbox.emit("tests.waiting", {})
    backlogs.forget()

    after = all_outboxes()

    assert after.databases == before.databases == 3  # the control plane's and two tenants' own
    assert after.total.waiting == before.total.waiting + 1
    assert after.unreachable == ()


def test_outboxes__with_a_database_away__say_so_and_count_the_others(platform, database):
    organization = platform["database"][0]
    with control("look"):
        row = TenantDatabase.objects.get(tenant=organization.tenant)
    databases.forget(row.alias)
    databases.register(row.alias, "postgres://x:x@127.0.0.1:1/none", row.version)
    try:
        found = all_outboxes()
    finally:
        databases.forget(row.alias)

    assert found.unreachable == (row.name,)
    assert found.databases == 3
