"""A context reaches exactly as far as it should: not into threads, leftovers, savepoints or somebody's stream."""

from __future__ import annotations

import ast
import copy
import threading
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import DatabaseError, NotSupportedError, ProgrammingError, connections, transaction
from django.http import HttpRequest, StreamingHttpResponse
from django_tenants.utils import schema_context, tenant_context

from apps.projects.models import Document, Project
from apps.tenancy import replicas
from apps.tenancy.context import TenantContext, control, current, use
from apps.tenancy.errors import ContextChangedInTransaction, ContextError, CrossTenantUse, NoTenantContext
from apps.tenancy.replicas.positions import replica_of
from apps.tenancy.transactions import atomic
from apps.tenants.middleware import TenantMiddleware
from tests.support import servers
from tests.support.factories import create_organization
from tests.support.things import stock

RAW = "SELECT name FROM projects_project"


def names() -> list[str]:
    return sorted(Project.objects.values_list("name", flat=True))


def raw(context: Any, statement: str = RAW) -> list[Any]:
    with connections[context.alias].cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def test_thread__started_in_a_tenant__has_no_context(home, own):
    outcome: list[Any] = []

    def work() -> None:
        outcome.append(current())
        try:
            outcome.append(names())
        except NoTenantContext as error:
            outcome.append(error)
        try:
            outcome.append(raw(home.context))
        except ProgrammingError as error:
            outcome.append(error)
        finally:
            connections.close_all()

    with home.inside():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    assert outcome[0] is None
    assert isinstance(outcome[1], NoTenantContext)
    assert isinstance(outcome[2], ProgrammingError)


def test_async_code__inside_a_tenant__stays_inside(home, own, loot):
    async def work() -> list[str]:
        return await sync_to_async(names)()

    with home.inside():
        assert async_to_sync(work)() == [own.word]


def test_queryset__built_at_home_and_run_elsewhere__is_refused(home, own, foreign, loot):
    with home.inside():
        lazy = Project.objects.all()

    with foreign.inside(), pytest.raises(CrossTenantUse):
        list(lazy)


def test_queryset__run_after_the_context_ended__is_refused(home, own):
    with home.inside():
        lazy = Project.objects.all()

    with pytest.raises(NoTenantContext):
        list(lazy)


def test_queryset__built_without_a_context__serves_whoever_runs_it(home, own, foreign, loot):
    module_level = Project.objects.all()

    with home.inside():
        assert [p.name for p in module_level.all()] == [own.word]
    with foreign.inside():
        assert [p.name for p in module_level.all()] == [loot.word]


def test_queryset__fetched_for_one_tenant__is_not_handed_to_another(home, own, foreign, loot):
    kept = Project.objects.all()
    with home.inside():
        assert len(kept) == 1

    with foreign.inside(), pytest.raises(CrossTenantUse):
        list(kept)
    assert [p.name for p in kept] == [own.word], "after the context its rows are plain objects"


def test_generators__never_yield_inside_a_context__as_it_would_leak_to_whoever_iterates():
    guilty = [f"{path}:{line}" for path in Path("apps").rglob("*.py") for line in yields_inside_contexts(path)]

    assert guilty == []


def yields_inside_contexts(path: Path) -> list[int]:
    """Lines of ``yield`` in a ``with use(…)``, ``control(…)`` or ``atomic()`` of a plain generator."""
    lines: list[int] = []
    for function in ast.walk(ast.parse(path.read_text())):
        if not isinstance(function, ast.FunctionDef) or "contextmanager" in ast.dump(ast.List(function.decorator_list)):
            continue
        for block in (node for node in ast.walk(function) if isinstance(node, ast.With)):
            entered = {item.context_expr.func.id for item in block.items if is_call_by_name(item.context_expr)}
            if entered & {"use", "control", "atomic"}:
                lines += [n.lineno for n in ast.walk(block) if isinstance(n, ast.Yield | ast.YieldFrom)]
    return lines


def is_call_by_name(node: Any) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name)


def test_streamed_response__read_after_the_view__runs_in_its_tenant(home, own):
    def view(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(name for name in Project.objects.values_list("name", flat=True).iterator())

    request = HttpRequest()
    request.META.update(HTTP_HOST=home.host, SERVER_NAME=home.host, SERVER_PORT="80")

    response = TenantMiddleware(view)(request)

    assert current() is None
    assert b"".join(response) == own.word.encode()  # type: ignore[call-overload]


@pytest.mark.parametrize("statement", [RAW, "UPDATE projects_project SET name = name RETURNING name"])
def test_raw_sql__in_a_tenant__touches_its_rows_only(home, own, loot, untouched, statement):
    with home.inside():
        assert raw(home.context, statement) == [(own.word,)]


def test_raw_sql__without_a_context__is_denied_by_the_database(home, own):
    statement = f'SELECT name FROM "{home.context.schema}".projects_project'
    with use(None), pytest.raises(ProgrammingError, match="permission denied"):
        raw(home.context, statement)


def test_missing_table__in_a_schema__is_an_error_and_not_the_public_one(platform, database):
    broken = create_organization(placement="schema")
    with servers.as_owner() as connection:
        connection.execute(f'DROP TABLE "{broken.context.schema}".projects_document')

    with broken.inside(), pytest.raises(ProgrammingError, match="does not exist"):
        list(Document.objects.all())


def test_check__of_a_tenant_table_in_public__reports_it(platform, database):
    with servers.as_owner() as connection:
        connection.execute("CREATE TABLE public.projects_document (id int)")
        try:
            with control("check"), pytest.raises(SystemCheckError) as caught:
                call_command("check", databases=["default"])
        finally:
            connection.execute("DROP TABLE public.projects_document")

    assert "tenancy.E008" in str(caught.value)


def test_context__used_on_a_foreign_alias__is_refused(platform, database):
    one, other = platform["database"]

    with one.inside(), pytest.raises(ContextError, match="not on the database"):
        raw(other.context)


def test_schema_name__that_was_not_generated__is_refused(acme):
    context = acme.context
    evil = TenantContext(context.tenant_id, "x", "default", 'public"; SET ROLE app_control; --')

    with use(evil), pytest.raises(ContextError):
        raw(evil)


# -- transactions ------------------------------------------------------------------------------------------------


def test_savepoint_rollback__then_next_statement__is_still_in_the_tenant(home, own, loot):
    with home.inside(), transaction.atomic(using=home.context.alias):
        with pytest.raises(ZeroDivisionError), transaction.atomic(using=home.context.alias):
            names()  # the first statement after the savepoint carries the context with it
            raise ZeroDivisionError

        assert names() == [own.word]
        assert raw(home.context) == [(own.word,)]


def test_raw_rollback_to_savepoint__that_undid_the_context__sends_it_again(home, own):
    alias = home.context.alias
    with home.inside(), transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        connections[alias].connection.execute("SAVEPOINT mine")
        cursor.execute(RAW)
        cursor.execute("ROLLBACK TO SAVEPOINT mine")

        assert raw(home.context) == [(own.word,)]


def test_several_statements__the_last_a_rollback__send_the_context_again(home, own):
    alias = home.context.alias
    with home.inside(), transaction.atomic(using=alias), connections[alias].cursor() as cursor:
        connections[alias].connection.execute("SAVEPOINT mine")
        cursor.execute("SELECT 1; ROLLBACK TO SAVEPOINT mine")

        assert raw(home.context) == [(own.word,)]


def test_failed_transaction__rolled_back_and_read_from_another_context__is_refused(platform, database):
    one, other = platform["pool"]
    stock(one)
    with one.inside(), transaction.atomic(), connections["default"].cursor() as cursor:
        cursor.execute("SAVEPOINT mine")
        with pytest.raises(DatabaseError):
            cursor.execute("SELECT 1/0")
        with other.inside(), pytest.raises(ContextChangedInTransaction):
            cursor.execute("ROLLBACK TO SAVEPOINT mine; SELECT * FROM projects_project")
        cursor.execute("ROLLBACK TO SAVEPOINT mine")


def test_pipeline__used_from_another_context__is_refused(platform, database):
    one, other = platform["pool"]
    stock(one)
    with one.inside(), transaction.atomic(), connections["default"].cursor() as cursor:
        cursor.execute(RAW)
        with connections["default"].connection.pipeline(), other.inside(), pytest.raises(ContextChangedInTransaction):
            cursor.execute(RAW)


def test_failed_statement__in_autocommit__leaves_nothing_behind(home, own, loot):
    with home.inside(), pytest.raises(DatabaseError):
        raw(home.context, "SELECT 1/0")

    with home.inside():
        assert names() == [own.word]
    with use(None), pytest.raises(ProgrammingError):
        raw(home.context)


def test_transaction__used_from_another_context__is_refused(platform, database):
    one, other = platform["pool"]

    with one.inside(), atomic(), other.inside(), pytest.raises(ContextChangedInTransaction):
        names()
    with one.inside(), atomic(), other.inside(), pytest.raises(ContextChangedInTransaction), atomic():
        pass
    with one.inside(), atomic(), control("peek"), pytest.raises(ContextChangedInTransaction):
        raw(TenantContext(one.tenant.id, "", "default", "x"), "SELECT 1")


def test_plain_transaction__used_from_another_context__is_refused(platform, database):
    one, other = platform["pool"]

    with one.inside(), transaction.atomic():
        names()
        with other.inside(), pytest.raises(ContextChangedInTransaction):
            names()
        with use(None), pytest.raises(ContextChangedInTransaction):
            raw(one.context)
        assert names() == []


def test_transaction__begun_long_before_its_first_statement__is_in_its_context(platform, database):
    """A kept connection that was silent for a while is asked whether it lives; not within a transaction."""
    one, other = platform["pool"]
    words = [stock(organization).word for organization in (one, other)]
    connection = connections["default"]
    with other.inside():
        assert names() == [words[1]]

    connection.health_check_done = False  # as each request begins
    with one.inside(), atomic():
        connection._answered_at = 0.0
        assert names() == [words[0]]


def test_transaction__that_ends_long_after_its_last_statement__is_committed(platform, database):
    """Asking then whether the connection lives would begin another transaction."""
    one, _ = platform["pool"]
    connection = connections["default"]

    with one.inside(), atomic():
        Project.objects.create(name="slowly made")
        connection.health_check_done = False
        connection._answered_at = 0.0

    with one.inside():
        assert names() == ["slowly made"]


def test_atomic__without_a_context__is_refused(platform, database):
    with pytest.raises(NoTenantContext), atomic():
        pass


def test_on_commit__after_a_tenants_transaction__runs_in_that_tenant(home):
    seen: list[Any] = []

    with home.inside(), atomic():
        transaction.on_commit(lambda: seen.append(current()), using=home.context.alias)

    assert seen == [home.context]


# -- replicas ----------------------------------------------------------------------------------------------------


def test_alias__that_follows_no_primary__is_not_read_as_a_replica(platform, database):
    alias, organization = replica_of("default"), platform["schema"][0]
    connections.databases[alias] = copy.deepcopy(connections.databases["default"])
    stock(organization)
    try:
        with organization.inside(), replicas.reading({}):
            assert Project.objects.get()._state.db == "default"
        with organization.inside(), replicas.reading({}), connections[alias].cursor() as cursor:
            cursor.execute(RAW)
            assert len(cursor.fetchall()) == 1
        with use(None), connections[alias].cursor() as cursor, pytest.raises(ProgrammingError):
            cursor.execute(f'SELECT 1 FROM "{organization.context.schema}".projects_project')
    finally:
        connections[alias].close()
        del connections[alias], connections.databases[alias]


def test_safe_request__without_a_replica__reads_at_home(home, own):
    with home.inside(), replicas.reading({}):
        assert Project.objects.get()._state.db == home.context.alias


# -- cursors -----------------------------------------------------------------------------------------------------


def test_results__after_the_prefix__are_the_statements_own(home, own):
    with home.inside(), connections[home.context.alias].cursor() as cursor:
        cursor.execute("SELECT 1 AS one, 2 AS two")
        assert [column[0] for column in cursor.description] == ["one", "two"]
        assert cursor.fetchall() == [(1, 2)]
        cursor.execute("UPDATE projects_project SET name = name")
        assert cursor.rowcount == 1


def test_executemany__in_a_tenant__writes_only_there(home, own, foreign, loot, untouched):
    with home.inside(), connections[home.context.alias].cursor() as cursor:
        cursor.executemany("UPDATE projects_project SET description = %s WHERE true", [["a"], ["b"]])

        assert cursor.rowcount == 2
        assert Project.objects.get().description == "b"


def test_copy__in_a_tenants_transaction__reads_its_rows_only(home, own, loot):
    alias = home.context.alias
    with home.inside(), atomic(), connections[alias].cursor() as cursor:
        with cursor.copy("COPY (SELECT name FROM projects_project) TO STDOUT") as copy:
            assert [row.tobytes().decode().strip() for row in copy] == [own.word]


@pytest.mark.parametrize("refused", ["copy", "stream", "named"])
def test_cursor__that_cannot_carry_the_context__is_refused(home, refused):
    connection = connections[home.context.alias]
    with home.inside(), pytest.raises(NotSupportedError):
        if refused == "named":
            connection.chunked_cursor()
        with connection.cursor() as cursor:
            if refused == "copy":
                with cursor.copy("COPY projects_project TO STDOUT"):
                    pass
            list(cursor.stream("SELECT 1"))


def test_raw_psycopg_connection__behind_djangos_back__has_no_rights(home, own):
    alias = home.context.alias
    with home.inside():
        names()
        with pytest.raises(Exception, match="denied|does not exist"):
            connections[alias].connection.execute(RAW)


# -- django-tenants' own API -------------------------------------------------------------------------------------


def test_tenant_context__of_django_tenants__enters_and_leaves(home, own):
    with tenant_context(home.tenant):
        assert current() == home.context
        assert names() == [own.word]

    assert current() is None


def test_schema_context__of_django_tenants__enters_and_leaves(home, own, foreign, loot):
    with schema_context(home.tenant.schema_name):
        assert names() == [own.word]
        with schema_context(foreign.tenant.schema_name):
            assert names() == [loot.word]
        assert names() == [own.word]

    assert current() is None


def test_schema_context__of_public__is_the_control_plane(home, own):
    with schema_context("public"):
        with pytest.raises(NoTenantContext):
            names()
        assert connections["default"].schema_name == "public"


def test_set_tenant__on_the_connection__enters_until_set_to_public(home, own):
    with use(None):
        connections["default"].set_tenant(home.tenant)
        assert names() == [own.word]
        connections["default"].set_schema_to_public()
        with pytest.raises(NoTenantContext):
            names()


def test_with_tenant__in_two_threads__does_not_mix_them(platform, database):
    pair = platform["pool"]
    words = [stock(organization).word for organization in pair]
    seen: dict[int, set[str]] = {0: set(), 1: set()}
    errors: list[BaseException] = []
    barrier = threading.Barrier(2)

    def work(number: int) -> None:
        try:
            for _ in range(20):
                barrier.wait(timeout=10)
                with pair[number].tenant:
                    barrier.wait(timeout=10)
                    seen[number].update(names())
            assert current() is None
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=[n]) for n in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert not errors
    assert seen == {0: {words[0]}, 1: {words[1]}}


def test_tenant_command__of_django_tenants__runs_inside(home, own, capsys):
    with use(None):
        dump = ["dumpdata", "projects.project", f"--database={home.context.alias}"]
        call_command("tenant_command", *dump, schema_name=home.tenant.schema_name)
        assert own.word in capsys.readouterr().out
        assert current() == home.context
        assert names() == [own.word]


def test_migrate_schemas__for_one_tenant__reaches_its_placement(home, capsys):
    schema = home.context.schema
    with servers.as_owner(home.database) as connection:
        connection.execute("UPDATE platform.schema_ledger SET fingerprint = '' WHERE schema = %s", [schema])

    for _ in range(2):
        call_command("migrate_schemas", schema=home.tenant.schema_name)

    assert capsys.readouterr().out.splitlines() == [
        f"{home.database or 'default'}/{schema}: recorded",
        "Tenant schemas that were behind: 1.",
        "Tenant schemas that were behind: 0.",
    ]
