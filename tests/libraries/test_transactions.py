"""Transactions as libraries write them, without naming a database, cover the organization's rows wherever they are."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Any

import pytest
from django.db import (
    DatabaseError,
    IntegrityError,
    ProgrammingError,
    connection,
    connections,
    transaction,
)
from psycopg.errors import FeatureNotSupported

from apps.accounts.models import User
from apps.projects.models import Project
from apps.tenancy.context import CONTROL_ALIAS, OutboxContext, control, use
from apps.tenancy.errors import ContextChangedInTransaction
from apps.tenancy.transactions import atomic

EMIT = "INSERT INTO platform.outbox (event_id, topic, payload) VALUES (gen_random_uuid(), 'test.library', '{}')"


class Stop(Exception):
    pass


def write() -> None:
    Project.objects.create(name="written")
    with connections[CONTROL_ALIAS].cursor() as cursor:  # where rows of the control plane are
        cursor.execute(EMIT)


def is_written() -> tuple[bool, bool]:
    there = Project.objects.filter(name="written").exists()
    with use(OutboxContext(CONTROL_ALIAS)), connections[CONTROL_ALIAS].cursor() as cursor:
        cursor.execute("SELECT 1 FROM platform.outbox WHERE topic = 'test.library'")
        return there, cursor.fetchone() is not None


def raising(opened: AbstractContextManager[Any]) -> Callable[[], None]:
    def act() -> None:
        with opened:
            write()
            raise Stop

    return act


@transaction.atomic
def bare() -> None:
    write()
    raise Stop


@transaction.atomic()
def called() -> None:
    write()
    raise Stop


def marked() -> None:
    with transaction.atomic():
        write()
        transaction.set_rollback(True)


def savepoint() -> None:
    with transaction.atomic():
        with suppress(Stop), transaction.atomic():
            write()
            raise Stop


def without_savepoint() -> None:
    with transaction.atomic(), transaction.atomic(savepoint=False):
        write()
        raise Stop


UNDONE = {
    "a block": raising(transaction.atomic()),
    "a durable block": raising(transaction.atomic(durable=True)),
    "a decorator": called,
    "a decorator without parentheses": bare,
    "marked for rollback": marked,
    "a savepoint": savepoint,
    "a block without savepoint": without_savepoint,
}


@pytest.mark.parametrize("way", UNDONE)
def test_transaction__left_by_an_exception__leaves_no_row(home, way):
    with home.inside():
        with suppress(Stop):
            UNDONE[way]()

        assert is_written() == (False, False)
        write()
        assert is_written() == (True, True)
        assert not any(one.in_atomic_block for one in connections.all(initialized_only=True))


def test_on_commit__of_a_transaction_that_is_rolled_back__is_not_done(home):
    done: list[str] = []

    with home.inside(), pytest.raises(Stop), transaction.atomic():
        Project.objects.create(name="written")
        transaction.on_commit(lambda: done.append("unnamed"))
        raise Stop
    with home.inside(), pytest.raises(Stop), atomic():
        transaction.on_commit(lambda: done.append("in the house's own"))
        raise Stop

    assert not done


def test_on_commit__of_a_transaction__is_done_once_everything_is_committed(home):
    seen: list[Any] = []

    def look() -> None:
        seen.append([one.in_atomic_block for one in connections.all(initialized_only=True)])

    with home.inside():
        with transaction.atomic():
            write()
            transaction.on_commit(look)
            assert not seen
        transaction.on_commit(look)

    assert len(seen) == 2
    assert not any(any(blocks) for blocks in seen)


def test_on_commit__in_a_database_of_its_own__waits_for_the_control_database(platform, database):
    done: list[str] = []
    home = platform["database"][0]

    with pytest.raises(Stop), transaction.atomic(using=CONTROL_ALIAS):
        with home.inside(), transaction.atomic(using=home.context.alias):
            transaction.on_commit(lambda: done.append("too early"))
        raise Stop

    assert not done


def test_select_for_update__in_an_unnamed_transaction__locks(home):
    with home.inside(), transaction.atomic():
        Project.objects.create(name="written")
        assert Project.objects.select_for_update().get().name == "written"


def test_connection__in_a_tenant__is_the_one_to_its_rows(home):
    with home.inside():
        Project.objects.create(name="written")
        with connection.cursor() as cursor:
            cursor.execute("SELECT name FROM projects_project")
            assert cursor.fetchall() == [("written",)]
        assert connection.alias == home.context.alias
    assert connection.alias == CONTROL_ALIAS


@pytest.mark.parametrize("outside", [None, "control"])
def test_transaction__opened_before_the_context__covers_the_rows_or_is_refused(home, outside):
    def act() -> None:
        with transaction.atomic(), home.inside():
            Project.objects.create(name="written")
            raise Stop

    expected: Any = Stop if home.context.alias == CONTROL_ALIAS else ContextChangedInTransaction
    with pytest.raises(expected):
        if outside:
            with control("outside"):
                act()
        else:
            act()

    with home.inside():
        assert not Project.objects.exists()


def test_transaction__whose_context_is_replaced__ends_where_it_began(home):
    with home.inside():
        with transaction.atomic():
            Project.objects.create(name="written")
            connection.set_schema_to_public()
        assert not any(one.in_atomic_block for one in connections.all(initialized_only=True))
    with home.inside():
        assert Project.objects.exists()


@pytest.mark.parametrize("opened", [False, True], ids=["autocommit", "transaction"])
def test_executemany__of_which_one_fails__leaves_none(home, opened):
    insert = "INSERT INTO projects_project (name, description, is_private, custom_fields, created_at, updated_at) "
    with home.inside(), pytest.raises(IntegrityError), connection.cursor() as cursor:
        rows = [[name] for name in ("a", "b", "a")]
        if opened:
            with transaction.atomic():
                cursor.executemany(insert + "VALUES (%s, '', false, '{}', now(), now())", rows)
        else:
            cursor.executemany(insert + "VALUES (%s, '', false, '{}', now(), now())", rows)

    with home.inside():
        assert not Project.objects.exists()


def test_executemany__whose_rows_cannot_be_made__leaves_none_and_goes_on(home):
    def rows() -> Any:
        yield ["a"]
        raise Stop

    with home.inside(), connection.cursor() as cursor:
        Project.objects.create(name="written")
        with pytest.raises(Stop):
            cursor.executemany("UPDATE projects_project SET name = %s", rows())
        cursor.executemany("UPDATE projects_project SET description = %s", [["x"], ["y"]])

        assert cursor.rowcount == 2
        assert Project.objects.values_list("name", "description").get() == ("written", "y")


def test_statement__without_a_context__is_refused_with_what_to_do(platform, database):
    with pytest.raises(ProgrammingError, match="permission denied .* no context is active; enter an organization"):
        User.objects.first()


REFUSED = {
    "VACUUM projects_project": "cannot run inside a transaction block",
    "CREATE INDEX CONCURRENTLY ON projects_project (name)": "cannot run inside a transaction block",
    "CREATE TEMPORARY TABLE mine (a int)": "permission denied to create temporary tables",
}


@pytest.mark.parametrize("statement", REFUSED)
def test_statement__that_cannot_be_in_a_context__is_refused(home, statement):
    with home.inside(), pytest.raises(DatabaseError, match=REFUSED[statement]), connection.cursor() as cursor:
        cursor.execute(statement)


def test_copy__into_a_table_of_tenants__is_refused(home):
    refused = pytest.raises(FeatureNotSupported, match="COPY FROM not supported")
    with home.inside(), refused, transaction.atomic():
        with connection.cursor() as cursor, cursor.copy("COPY projects_project (name) FROM STDIN") as copy:
            copy.write("a")
