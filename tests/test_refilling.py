"""Claims ask for the store to be looked after; however their steps fall between each other, a run sees every claim."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

import pytest
from celery import current_app
from hypothesis import example, given, settings
from hypothesis import strategies as st

from apps.core.memory import MemoryAway
from apps.tenancy.context import control
from apps.tenants import refilling, tasks
from apps.tenants.models import Placement, Pool, Tenant
from apps.tenants.services import provisioning, schema_store
from tests.support.factories import create_organization

CLAIMERS, PROVISIONER, END_OF_MARK = (0, 1, 2), 3, 4
RUNS = 3  # that the provisioner may carry out while others take their steps; the rest it does when they are done


class Stage:
    """Memory, the queue and the store, in which threads take one step at a time, each when its name is called."""

    def __init__(self, failing: set[int]) -> None:
        self.mark, self.asked, self.failing = False, 0, failing
        self.queue: list[bool] = []
        self.claims: set[int] = set()
        self.seen: set[int] = set()
        self.longest = 0
        self._turns = {name: threading.Semaphore(0) for name in (*CLAIMERS, PROVISIONER)}
        self._done = {name: threading.Semaphore(0) for name in (*CLAIMERS, PROVISIONER)}
        self._own = threading.local()

    def step(self) -> None:
        """Wait to be called; the step before is over."""
        self._done[self._own.name].release()
        self._turns[self._own.name].acquire()

    def start(self, name: int, work: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            self._own.name = name
            self._turns[name].acquire()
            try:
                work()
            finally:
                self._done[name].release(1000)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    def call(self, name: int) -> None:
        self._turns[name].release()
        self._done[name].acquire()

    def finish(self, name: int, thread: threading.Thread) -> None:
        self._turns[name].release(1000)
        thread.join(10)
        assert not thread.is_alive()

    # -- what the code under test meets: memory, and the queue

    def ask(self, work: Callable[[Stage], object]) -> object:
        self.step()
        self.asked += 1
        if self.asked in self.failing:
            raise MemoryAway
        return work(self)

    def set(self, *_: object, **__: object) -> bool:
        before, self.mark = self.mark, True
        return not before

    def delete(self, *_: object) -> None:
        self.mark = False

    def send(self) -> None:
        self.step()
        self.queue.append(True)
        self.longest = max(self.longest, len(self.queue))

    # -- what the threads do

    def claim(self, number: int) -> None:
        self.claims.add(number)
        self.step()
        refilling.ask(self.send)

    def provision(self, runs: int = RUNS) -> None:
        for _ in range(runs):
            self.step()
            if self.queue:
                self.queue.pop()
                self.run()

    def run(self) -> None:
        """As the task does it: the work, then the error, which has it sent again."""
        try:
            refilling.begin()
        except MemoryAway:
            self.look()
            self.queue.append(True)
        else:
            self.look()

    def look(self) -> None:
        self.step()
        self.seen |= self.claims


def played(schedule: list[int], failing: set[int], monkeypatch: pytest.MonkeyPatch) -> Stage:
    """What is left when threads have taken their steps in this order, and the queue is empty."""
    stage = Stage(failing)
    with monkeypatch.context() as patched:
        patched.setattr("apps.core.memory.ask", stage.ask)
        threads = {name: stage.start(name, lambda name=name: stage.claim(name)) for name in CLAIMERS}
        threads[PROVISIONER] = stage.start(PROVISIONER, stage.provision)
        for name in schedule:
            if name == END_OF_MARK:
                stage.mark = False
            else:
                stage.call(name)
        for name, thread in threads.items():
            stage.finish(name, thread)
        stage.failing = set()
        stage.step = lambda: None  # type: ignore[method-assign]
        while stage.queue:
            stage.provision(1)
    return stage


STEPS = st.lists(st.sampled_from([*CLAIMERS, PROVISIONER]), max_size=24)
A, B, P = 0, 1, PROVISIONER


@settings(max_examples=300, deadline=None)
@example([A] * 4 + [P] * 3 + [B] * 4 + [P] * 5)  # B claims and asks when a run has begun, before it looks
@example([A] * 4 + [P] * 4 + [B] * 4 + [P] * 4)  # ... and when it has looked
@example([A] * 4 + [P] + [B] * 4 + [P] * 3)  # B asks before the run has begun, which will see its claim
@example([A] * 3 + [B] * 4 + [A] + [P] * 4)  # B finds A's mark before A has sent anything
@given(STEPS)
def test_claims__in_any_interleaving__are_seen_by_a_run_and_at_most_one_waits(schedule):
    with pytest.MonkeyPatch.context() as patch:
        stage = played(schedule, set(), patch)

    assert stage.seen == set(CLAIMERS)
    assert stage.longest <= 1


@settings(max_examples=300, deadline=None)
@example([A] * 4 + [P] * 4 + [B] * 4, {2})  # the run cannot take its mark away, and B finds it
@example([A] * 4 + [B] * 4 + [P] * 4, {1, 2})
@example([A] * 4 + [END_OF_MARK] + [B] * 4 + [P] * 4, set())
@given(
    st.lists(st.sampled_from([*CLAIMERS, PROVISIONER, END_OF_MARK]), max_size=24),
    st.sets(st.integers(1, 8), max_size=4),
)
def test_claims__with_memory_away_or_the_mark_gone_at_any_moment__are_seen_by_a_run(schedule, failing):
    with pytest.MonkeyPatch.context() as patch:
        stage = played(schedule, failing, patch)

    assert stage.seen == set(CLAIMERS)


def test_claims__many_while_one_run_waits__send_one(platform, database):
    sent: list[int] = []

    for number in range(50):
        refilling.ask(lambda number=number: sent.append(number))
    refilling.begin()
    refilling.ask(lambda: sent.append(50))

    assert sent == [0, 50]


def test_run__that_cannot_be_sent__leaves_no_mark(platform, database):
    sent: list[int] = []

    with suppress(ZeroDivisionError):
        refilling.ask(lambda: 1 / 0)
    refilling.ask(lambda: sent.append(1))

    assert sent == [1]


def test_run__without_memory__is_done_and_comes_again(platform, database, monkeypatch):
    done: list[bool] = []
    monkeypatch.setattr(provisioning, "look_after_store", lambda: done.append(True))
    monkeypatch.setattr(refilling, "begin", lambda: (_ for _ in ()).throw(MemoryAway))

    with pytest.raises(MemoryAway):
        tasks.replenish_store._orig_run()  # what is tried again

    assert done == [True]


def test_asking__is_for_any_worker__the_run_for_the_provisioner():
    queues = {
        name: current_app.amqp.router.route({}, f"apps.tenants.tasks.{name}")["queue"].name
        for name in ("replenish_after_claim", "replenish_store", "finish_provisioning")
    }

    assert queues == {
        "replenish_after_claim": "default",
        "replenish_store": "provisioning",
        "finish_provisioning": "provisioning",
    }


# -- who waits goes first ------------------------------------------------------------------------------------------


@pytest.fixture
def waiting(platform, database) -> list[Tenant]:
    """Organizations that found the store empty, the oldest first; two for a schema, one for a place in a pool."""
    with control("empty the store"):
        Placement.objects.warm().delete()
        room = list(Pool.objects.values_list("id", "capacity"))
        for pool in Pool.objects.all():
            Pool.objects.filter(id=pool.id).update(capacity=pool.tenant_count)
        found = [
            Tenant.objects.create(name=f"W{n}", slug=f"w{n}", schema_name=f"w_{n}", requested_placement=kind)
            for n, kind in enumerate(("schema", "schema", "pool"))
        ]
    yield found
    with control("refill the pools"):
        for pool_id, capacity in room:
            Pool.objects.filter(id=pool_id).update(capacity=capacity)
    schema_store.replenish()


def statuses(tenants: list[Tenant]) -> list[str]:
    with control("look"):
        return [Tenant.objects.get(id=tenant.id).status for tenant in tenants]


def test_store__looked_after__serves_those_who_wait_before_it_has_stock(waiting, monkeypatch):
    stock_when_built: list[tuple[int, int]] = []
    build = schema_store._build

    def watched(noted):
        with control("look"):
            left = Tenant.objects.filter(status=Tenant.Status.PROVISIONING, requested_placement="schema").count()
        stock_when_built.append((schema_store.stock().schemas, left))
        build(noted)

    monkeypatch.setattr(schema_store, "_build", watched)

    provisioning.look_after_store()

    assert statuses(waiting) == ["ready"] * 3
    assert all(stock == 0 for stock, left in stock_when_built if left)
    assert schema_store.stock().schemas >= 2


def test_finish__of_one_for_whom_something_is_ready__builds_nothing(waiting, monkeypatch):
    schema_store.replenish(schemas=1, pool_places=0)
    with monkeypatch.context() as patched:
        patched.setattr(schema_store, "replenish", lambda **_: pytest.fail("built"))

        assert provisioning.finish(waiting[0].id).status == Tenant.Status.READY


def test_store__that_cannot_be_filled__still_serves_with_what_is_ready(waiting, monkeypatch):
    schema_store.replenish(schemas=1, pool_places=0)
    with monkeypatch.context() as patched:
        patched.setattr(schema_store, "replenish", lambda **_: 1 / 0)

        with pytest.raises(ZeroDivisionError):
            provisioning.look_after_store()

    assert statuses(waiting) == ["ready", "provisioning", "provisioning"]


def test_claim__by_sign_up__is_followed_by_one_run(acme, monkeypatch):
    sent: list[bool] = []
    monkeypatch.setattr(tasks.replenish_store, "delay", lambda: sent.append(True))
    schema_store.replenish(schemas=3)

    for _ in range(3):
        create_organization()
        tasks.replenish_after_claim.apply(kwargs={"event_id": "x"}).get()

    assert sent == [True]
