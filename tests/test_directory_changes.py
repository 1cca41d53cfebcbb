"""Whatever is changed is seen by the next request in any process, and costs the other organizations nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import combinations_with_replacement, product
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from apps.audit.actors import SYSTEM
from apps.core import memory
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic
from apps.tenancy.walls.context_statements import _tenant_prefix
from apps.tenants import directory as directories
from apps.tenants import versions
from apps.tenants.directory import KEPT_SECONDS, Directory, all_changed, changed, directory
from apps.tenants.models import Domain, Tenant
from apps.tenants.services import lifecycle, replicas
from tests.support.commands import call
from tests.support.factories import Organization
from tests.support.processes import Key, Process, facts, memory_away, read

from .test_audited_services import WRITES


def everybody() -> dict[Key, Any]:
    """What the database has of each organization, by host and by id."""
    with control("look at all"):
        hosts, ids = Domain.objects.values_list("domain", flat=True), Tenant.objects.values_list("id", flat=True)
        keys: list[Key] = [*hosts, *ids]
    return {key: facts(read(key)) for key in keys}


def rename(organization: Organization) -> str:
    """Change the row and nothing else, as a process does before it tells."""
    name = f"Renamed {uuid4()}"
    with control("rename"):
        Tenant.objects.filter(id=organization.tenant.id).update(name=name)
    return name


def hold(organization: Organization) -> None:
    lifecycle.hold(slug=organization.tenant.slug, reason="unpaid", actor=SYSTEM)


@pytest.fixture
def process(acme) -> Process:
    """A process that has met everybody."""
    process = Process()
    process.reads_for(*everybody())
    assert process.reads_for(*everybody()) == []
    return process


# -- what services do --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WRITES)
def test_service__whatever_it_changes__is_seen_at_once_and_costs_nobody_else_a_look(acme, name):
    act = WRITES[name].prepare(acme)
    process, before = Process(), everybody()
    process.reads_for(*before)
    not_kept = set(process.reads_for(*before))
    process.reads = []

    with acme.inside():
        act()

    after = everybody()
    served = {key: process.serve(key) for key in before | after}
    assert served == {key: after.get(key, ()) for key in served}
    changed_keys = {key for key in served if before.get(key) != after.get(key)}
    assert set(process.reads) <= not_kept | changed_keys | {acme.host, acme.tenant.id}


def test_replica__of_its_own_database__is_seen_at_once(platform, process):
    organization, other = platform["database"]

    replicas.set_replica(slug=organization.tenant.slug, address="replica.example:5432", actor=SYSTEM)

    assert process.serve(organization.host) == everybody()[organization.host]
    assert process.reads_for(other.host, other.tenant.id) == []


def test_organization__that_is_founded__is_found_at_its_host_at_once(acme, process):
    process.serve("new.localhost")
    WRITES["onboarding.sign_up"].prepare(acme)()

    assert process.serve("new.localhost") == everybody()["new.localhost"] != ()


@pytest.mark.parametrize("key", ["nobody.localhost", uuid4()], ids=["host", "id"])
def test_key__of_nobody__is_not_remembered(acme, key):
    process = Process()

    assert process.reads_for(key, key) == [key, key]
    assert len(process.directory._entries) == 0


def test_change__of_all__is_seen_by_all(acme, process):
    with control("change"), atomic():
        all_changed()

    assert process.reads_for(*everybody()) == list(everybody())
    assert process.reads_for(*everybody()) == []


@pytest.mark.parametrize("by", ["host", "id"])
def test_look_up__that_finds_nothing_kept__is_one_statement(platform, acme, by):
    for organization in (organization for pair in platform.values() for organization in pair):
        key = organization.host if by == "host" else organization.tenant.id
        with CaptureQueriesContext(connections["default"]) as statements:
            Process().serve(key)

        assert len(statements) == 1


def test_look_up__of_anybody__has_what_the_models_say(platform, acme):
    for organization in (organization for pair in platform.values() for organization in pair):
        with control("look"):
            expected = Tenant.objects.for_directory().get(id=organization.tenant.id)

        for found in (read(organization.host), read(organization.tenant.id)):
            assert found is not None
            assert facts(found) == facts(expected)
            assert found._state.fields_cache.keys() == expected._state.fields_cache.keys()
            assert found.context() == expected.context()
            assert (found._state.db, found._state.adding) == (expected._state.db, expected._state.adding)


def test_directory__of_its_size__forgets_who_was_asked_for_longest_ago(platform, acme, settings):
    settings.ORGANIZATIONS_KEPT = 2
    hosts = [organization.host for pair in platform.values() for organization in pair]
    process = Process()
    process.reads_for(*hosts)

    assert process.reads_for(*hosts[-4:]) == []
    assert process.reads_for(hosts[0]) == [hosts[0]]


@pytest.mark.parametrize("whom", ["slug", "--all"])
def test_row__changed_past_the_services__is_seen_once_the_command_says_so(acme, process, capsys, whom):
    rename(acme)

    call(capsys, "look_up_anew", acme.tenant.slug if whom == "slug" else whom)

    assert process.serve(acme.host) == everybody()[acme.host]
    others = [key for key in everybody() if key not in (acme.host, acme.tenant.id)]
    assert process.reads_for(*others) == ([] if whom == "slug" else others)


def test_command__while_memory_is_away__says_so(acme):
    with memory_away(), pytest.raises(CommandError, match="does not answer"):
        call_command("look_up_anew", acme.tenant.slug)


def test_organizations__found_in_one_moment__are_not_looked_up_anew_in_one(platform, acme):
    clock = Clock()
    process = Process(Directory(clock))
    keys = list(everybody())
    process.reads_for(*keys)

    clock.now = KEPT_SECONDS / 2 - 1
    assert process.reads_for(*keys) == []
    reads = []
    for share in range(11):
        clock.now = KEPT_SECONDS / 2 * (1 + share / 10)
        reads.append(len(process.reads_for(*keys)))

    assert sum(reads) == len(keys)
    assert max(reads) < len(keys)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_prefixes__of_as_many_organizations__are_kept(settings):
    assert _tenant_prefix.cache_info().maxsize == settings.ORGANIZATIONS_KEPT


# -- memory loses things -----------------------------------------------------------------------------------------

LOSSES: dict[str, Callable[[Any], Any]] = {
    "everything": lambda store: store.flushdb(),
    "the changes": lambda store: store.delete(versions.CHANGES),
    "the version": lambda store: store.delete(versions.VERSION_KEY),
    "the epoch": lambda store: store.hdel(versions.CHANGES, "epoch"),
    "the count": lambda store: store.hdel(versions.CHANGES, "count"),
    "both, one by one": lambda store: [store.delete(key) for key in (versions.CHANGES, versions.VERSION_KEY)],
}


@pytest.mark.parametrize("told", [False, True], ids=["untold", "told"])
@pytest.mark.parametrize("loss", LOSSES)
def test_change__when_memory_has_lost__is_seen_at_once(acme, process, loss, told):
    rename(acme)
    if told:
        versions.tell([acme.tenant.id])

    memory.ask(LOSSES[loss])

    assert process.serve(acme.host) == everybody()[acme.host]
    rename(acme)
    versions.tell([acme.tenant.id])
    assert process.serve(acme.host) == everybody()[acme.host]


def test_change__when_another_process_began_an_epoch_since_the_loss__is_seen_at_once(acme, process):
    rename(acme)
    memory.ask(lambda store: store.flushdb())

    Process().serve(acme.host)

    assert process.serve(acme.host) == everybody()[acme.host]


def test_entry__that_is_newer_than_memory__does_not_hold(acme, process):
    """As if what memory had some time ago had been written over what it has, by hand."""
    was = memory.ask(lambda store: (store.hgetall(versions.CHANGES), store.get(versions.VERSION_KEY)))
    versions.tell([acme.tenant.id])
    process.serve(acme.host)
    rename(acme)

    memory.ask(lambda store: store.delete(versions.CHANGES))
    memory.ask(lambda store: (store.hset(versions.CHANGES, mapping=was[0]), store.set(versions.VERSION_KEY, was[1])))

    assert process.serve(acme.host) == everybody()[acme.host]


# -- memory is away for a moment -----------------------------------------------------------------------------------


def test_memory__away_for_a_moment__flushes_nothing(acme, process):
    with memory_away():
        assert process.reads_for(acme.host) == [acme.host]

    with CaptureQueriesContext(connections["default"]) as statements:
        assert process.reads_for(*everybody()) == []
    about_outbox = [one["sql"] for one in statements if "platform.outbox" in one["sql"]]
    assert len(about_outbox) == 1  # what could not be told meanwhile is asked for once


def test_hold__while_memory_is_away__acts_meanwhile_and_afterward(acme, process):
    with memory_away():
        hold(acme)
        assert process.serve(acme.host) == everybody()[acme.host]

    assert process.serve(acme.host) == everybody()[acme.host]
    others = [key for key in everybody() if key not in (acme.host, acme.tenant.id)]
    assert process.reads_for(*others) == []


def test_hold__by_a_process_for_which_memory_was_away__acts_everywhere_once_it_asks_again(platform, acme, process):
    with memory_away():
        hold(acme)  # the others do not ask meanwhile

    Process(directory).serve(platform["pool"][0].host)
    Process(directory).serve(platform["pool"][0].host)

    assert process.serve(acme.host) == everybody()[acme.host]


def test_change__of_all_while_memory_is_away__is_seen_by_all(acme, process):
    with memory_away():
        process.serve(acme.host)
        with control("change"), atomic():
            all_changed()

    assert set(process.reads_for(*everybody())) == set(everybody())


def test_hold__while_memory_rests__is_told_at_once(acme, process):
    memory.breaker._closed_until = float("inf")  # it did not answer this process a moment ago
    hold(acme)
    memory.breaker.reset()

    assert process.serve(acme.host) == everybody()[acme.host]
    assert process.directory._faults == 0


def test_organization__released_while_memory_is_away__is_open_meanwhile(acme, process):
    hold(acme)
    process.serve(acme.host)

    with memory_away():
        lifecycle.release(slug=acme.tenant.slug, actor=SYSTEM)
        assert process.serve(acme.host) == everybody()[acme.host]

    assert process.serve(acme.host) == everybody()[acme.host]


# -- reading while others change ---------------------------------------------------------------------------------

POINTS = ("before", "version", "row", "kept", "asked")  # after each of which the writer may have come so far
WAYS = list(product(["kept", "not kept"], combinations_with_replacement(range(len(POINTS)), 2)))


@pytest.mark.parametrize(("start", "way"), WAYS, ids=[f"{start}, {POINTS[a]}-{POINTS[b]}" for start, (a, b) in WAYS])
def test_change__at_any_moment_of_a_request__is_seen_by_the_next_one(acme, start, way):
    """The writer commits after one step of the reader, and tells after that or a later one."""
    process = Process()
    if start == "kept":
        process.serve(acme.host)
    waiting = list(zip(way, [partial(rename, acme), lambda: versions.tell([acme.tenant.id])], strict=True))

    def passed(point: str) -> None:
        while waiting and waiting[0][0] <= POINTS.index(point):
            waiting.pop(0)[1]()

    served = step_by_step(process.directory, acme.host, passed)

    if way[1] == 0:
        assert served == everybody()[acme.host]
    assert process.serve(acme.host) == everybody()[acme.host]
    assert process.reads_for(acme.host) == []


def step_by_step(directory: Directory, key: Key, passed: Callable[[str], None]) -> Any:
    """One request, telling which step is done."""

    def now() -> versions.Version:
        version = versions_now()
        passed("version")
        return version

    def reading(key: Key) -> Tenant | None:
        tenant = read(key)
        passed("row")
        return tenant

    versions_now = versions.now
    passed("before")
    with patch.object(versions, "now", now), patch.object(directories, "_read", reading):
        entry = directory.find(key)
        passed("kept")
        question = directory.asking(entry)
        memory.ask_together(question)
        passed("asked")
        return facts(directory.as_now(entry, question.answer).tenant)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("serve"), st.integers(0, 1), st.integers(0, 2), st.booleans()),
        st.tuples(st.just("change"), st.integers(0, 2)),
        st.tuples(st.sampled_from(["change all", "empty", "away", "back", "release before"])),
    ),
    min_size=4,
    max_size=30,
)


@given(steps=STEPS)
@examples(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_request__after_any_history__is_told_what_the_database_has(platform, acme, steps):
    """Whoever changes something while memory is away is the first to ask when it is back."""
    organizations = [platform["schema"][0], platform["pool"][0], platform["schema"][1]]
    directory.forget()
    processes = [Process(directory), Process()]
    with History(organizations, processes) as history:
        for step, *arguments in steps:
            history.take(step, *arguments)


class History:
    """What happens to organizations, memory and the processes that serve and change."""

    def __init__(self, organizations: list[Organization], processes: list[Process]) -> None:
        self._organizations, self._processes = organizations, processes
        self._away: Any = None

    def __enter__(self) -> History:
        return self

    def __exit__(self, *exception: object) -> None:
        self.back()

    def take(self, step: str, *arguments: int) -> None:
        getattr(self, step.replace(" ", "_"))(*arguments)

    def serve(self, process: int, organization: int, by_host: bool) -> None:
        one = self._organizations[organization]
        key: Key = one.host if by_host else one.tenant.id
        assert self._processes[process].serve(key) == facts(read(key))

    def change(self, organization: int) -> None:
        with control("change"), atomic():
            rename(self._organizations[organization])
            changed(self._organizations[organization].tenant.id)

    def change_all(self) -> None:
        with control("change"), atomic():
            for organization in self._organizations:
                rename(organization)
            all_changed()

    def empty(self) -> None:
        if self._away is None:
            memory.ask(lambda store: store.flushdb())

    def release_before(self) -> None:
        if self._away is None:
            rename(self._organizations[0])
            memory.ask(lambda store: store.set(versions.VERSION_KEY, 2**61 + 1))

    def away(self) -> None:
        if self._away is None:
            self._away = memory_away()
            self._away.__enter__()

    def back(self) -> None:
        if self._away is not None:
            self._away.__exit__(None, None, None)
            self._away = None
            for organization in self._organizations[:1] * 2:
                self._processes[0].serve(organization.host)
