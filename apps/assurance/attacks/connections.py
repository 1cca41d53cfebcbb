"""One connection that serves organizations in turn, as a pool's does."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import DatabaseError, connections
from psycopg import sql

from apps.tenancy.context import use
from apps.tenancy.errors import ContextError
from apps.tenancy.planes import table_name, tenant_models
from apps.tenancy.transactions import atomic

from ..checks import Wall, Watch
from ..targets import Pair, Target
from .register import attack

ROUNDS, THREADS = 25, 4
WHO = "SELECT current_user = session_user, coalesce(current_setting('app.tenant_id', true), '')"


@attack(
    "connection-reuse",
    Wall.CONTEXT,
    "A reused connection keeps nothing of the tenant before",
    tries=f"Serves both organizations in turn {ROUNDS} times over the same connection: after a commit, an error, a "
    "rollback, and a rollback to a savepoint; each time looks who the connection is afterward.",
    why="Poolers and kept connections hand one tenant's session to the next one.",
)
def reuse(pair: Pair, watch: Watch) -> None:
    for number in range(ROUNDS):
        for target in (pair.attacker, pair.victim):
            _serve(target, number)
            seen = _tenants_seen(target)
            watch.expect(seen <= {target.tenant.id}, f"round {number}: rows of {len(seen)} tenants were seen")
            watch.expect(_is_nobody(target), f"round {number}: the connection kept a role or tenant")


@attack(
    "transaction",
    Wall.CONTEXT,
    "A transaction belongs to one context",
    tries="Opens a transaction as the victim and goes on in it as the attacker, without a context, and after a "
    "savepoint was rolled back.",
    why="A change of context in the middle would run under whichever tenant came first.",
)
def one_context(pair: Pair, watch: Watch) -> None:
    for context, whose in ((pair.attacker.context, "the attacker"), (None, "nobody")):
        with use(pair.victim.context), atomic():
            _tenants_seen(pair.victim)
            with use(context):
                watch.expect(_refuses_to_go_on(pair.victim), f"{whose} went on in the victim's transaction")
    with use(pair.victim.context), atomic():
        try:
            with atomic():
                _tenants_seen(pair.victim)
                raise ZeroDivisionError
        except ZeroDivisionError:
            seen = _tenants_seen(pair.victim)
        watch.expect(seen == {pair.victim.tenant.id}, "a rollback to a savepoint changed whose rows are seen")


@attack(
    "threads",
    Wall.CONTEXT,
    "Threads do not mix their tenants",
    tries=f"Serves both organizations in {THREADS} threads at once, {ROUNDS} times each; looks into a thread that was "
    "started inside a tenant.",
    why="What is kept per process instead of per request is shared with whoever is served at the same moment.",
)
def threads(pair: Pair, watch: Watch) -> None:
    def work(target: Target) -> set[Any]:
        try:
            return set().union(*(_tenants_seen(target) for _ in range(ROUNDS)))
        finally:
            connections.close_all()

    def look() -> bool:
        try:
            return _refuses_to_go_on(pair.victim)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(THREADS) as pool:
        targets = [pair.attacker, pair.victim] * (THREADS // 2)
        for target, seen in zip(targets, pool.map(work, targets), strict=True):
            watch.expect(seen == {target.tenant.id}, f"a thread saw rows of {len(seen)} tenants")
        with use(pair.victim.context):
            watch.expect(pool.submit(look).result(), "a thread inherited the tenant of the one that started it")


def _serve(target: Target, number: int) -> None:
    """Leave the connection as requests do: after a commit, an error, a rollback, or a plain read."""
    alias = target.context.alias
    with use(target.context):
        if number % 4 == 0:
            with atomic(), connections[alias].cursor() as cursor:
                cursor.execute("SELECT 1")
        elif number % 4 == 1:
            _fails(alias)
        elif number % 4 == 2:
            with atomic():
                _fails(alias)


def _fails(alias: str) -> None:
    try:
        with atomic(), connections[alias].cursor() as cursor:
            cursor.execute("SELECT 1/0")
    except DatabaseError:
        return


def _tenants_seen(target: Target) -> set[Any]:
    seen: set[Any] = set()
    with use(target.context), connections[target.context.alias].cursor() as cursor:
        for query in _queries(target):
            cursor.execute(query)
            seen |= {row[0] for row in cursor.fetchall()}
    return seen


def _queries(target: Target) -> Iterator[Any]:
    for model in tenant_models()[:3]:
        yield sql.SQL("SELECT DISTINCT tenant_id FROM {}").format(sql.Identifier(table_name(model)))


def _is_nobody(target: Target) -> bool:
    """The driver's own connection, asked behind the application's back, after its transaction ended."""
    raw = connections[target.context.alias].connection
    row = raw.execute(
        "SELECT current_user = session_user, coalesce(current_setting('app.tenant_id', true), '')"
    ).fetchone()
    if raw.info.transaction_status.name == "INTRANS":
        raw.rollback()
    return bool(row == (True, ""))


def _refuses_to_go_on(target: Target) -> bool:
    table = sql.Identifier(target.context.schema, table_name(tenant_models()[0]))
    try:
        with connections[target.context.alias].cursor() as cursor:
            cursor.execute(sql.SQL("SELECT 1 FROM {}").format(table))
    except (DatabaseError, ContextError):
        return True
    return False
