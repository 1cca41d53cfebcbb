"""The PostgreSQL backend: every statement runs in the current context, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC
from functools import partial
from time import monotonic
from typing import Any

from django.db import NotSupportedError, OperationalError, connections
from django.db.backends.postgresql import base as postgresql
from django.db.backends.postgresql.introspection import DatabaseIntrospection
from django.db.backends.postgresql.operations import DatabaseOperations as PostgresOperations
from django_tenants.postgresql_backend import base as django_tenants
from psycopg.errors import InsufficientPrivilege
from psycopg.pq import TransactionStatus
from psycopg.types.datetime import TimestamptzLoader

from apps.core.errors import first_line

from .. import bridge, replicas, unnamed
from ..context import CONTROL_ALIAS, Context, TenantContext, current
from ..errors import ContextChangedInTransaction
from ..replicas.positions import SUFFIX, primary_of
from ..walls.context_statements import Prefix, comment_for, prefix_for
from ..walls.roles import NIL_TENANT
from .client import DatabaseClient
from .replica import ReplicaCursor, instead_of
from .schema import DatabaseSchemaEditor

IDLE, INTRANS = TransactionStatus.IDLE, TransactionStatus.INTRANS
SCHEMAS_PER_CONNECTION = 200  # a server process that knows 500 has grown from 2 to 70 MB, and gives nothing back
ENTER_FIRST = "enter an organization (tenant_context) or the control plane (control) first."
TRUSTED_SECONDS = 1.0  # how long a connection that just answered is taken to be alive


_PostgresCursor: Any = postgresql.Cursor


class ContextCursor(_PostgresCursor):
    """Sends the context along with the first statement of a transaction, in the same message."""

    wrapper: DatabaseWrapper | None = None  # without one a cursor has the login role's rights: none

    def execute(self, query: Any, params: Any = None, **options: Any) -> ContextCursor:
        wrapper = self.wrapper
        prefix = wrapper.pending_prefix(query) if wrapper else None
        try:
            if prefix is None:
                super().execute(query, params, **options)
            else:
                super().execute(prefix.sql + _text(query, self.connection), params, **options)
                for _ in range(prefix.statements):
                    self.nextset()
        except InsufficientPrivilege as error:
            if wrapper and not wrapper.as_owner and current() is None:
                error.args = (f"{first_line(error)}: no context is active; {ENTER_FIRST}",)
            raise
        if wrapper:
            wrapper.sent(prefix, undone=any(_undoes_settings(result) for result in self._results))
            replicas.note(wrapper.alias, self._results)
        return self

    def executemany(self, query: Any, params_seq: Iterable[Any], *, returning: bool = False) -> None:
        if returning:
            raise NotSupportedError("executemany(returning=True) cannot carry the tenant context.")
        total = 0
        with self._one_transaction():
            for params in params_seq:
                self.execute(query, params)
                total += max(self.rowcount, 0)
        self._rowcount = total

    @contextmanager
    def _one_transaction(self) -> Iterator[None]:
        """The one that is open, or one of its own, which begins in the message that carries the context."""
        if not (self.connection.autocommit and self.connection.pgconn.transaction_status == IDLE):
            yield
            return
        self.execute("BEGIN")
        try:
            yield
        except BaseException:
            if not self.connection.closed:
                self.execute("ROLLBACK")
            raise
        self.execute("COMMIT")

    @contextmanager
    def copy(self, statement: Any, params: Any = None, **options: Any) -> Any:
        if self.connection.pgconn.transaction_status == IDLE and self.connection.autocommit:
            raise NotSupportedError("COPY carries the tenant context only inside a transaction.")
        self.execute("SELECT 1")
        with super().copy(statement, params, **options) as copy:
            yield copy

    def stream(self, *args: Any, **options: Any) -> Any:
        raise NotSupportedError("stream() cannot carry the tenant context.")


def _text(query: Any, connection: Any) -> str:
    if isinstance(query, bytes):
        return query.decode()
    return query if isinstance(query, str) else str(query.as_string(connection))


def _undoes_settings(result: Any) -> bool:
    """Rolling back, if only to a savepoint, undoes SET LOCAL."""
    return bool((result.command_status or b"").startswith(b"ROLLBACK"))


def _way_to(settings: dict[str, Any]) -> list[Any]:
    """Where a connection leads, and as whom."""
    return [settings[name] for name in ("HOST", "PORT", "NAME", "USER", "PASSWORD")]


def _is_rollback(query: Any) -> bool:
    return isinstance(query, str) and query.upper().startswith("ROLLBACK") and ";" not in query


class DatabaseOperations(PostgresOperations):
    compiler_module = "apps.tenancy.postgresql.compiler"


class DatabaseWrapper(django_tenants.DatabaseWrapper):
    """A login connection that borrows its rights from the context, statement by statement.

    With ``OPTIONS["as_owner"]`` it is the owner's own connection instead: contexts do not apply, the caller
    says with ``enter_schema`` where DDL goes. No process that serves requests has such an alias.
    """

    SchemaEditorClass = DatabaseSchemaEditor
    ops_class = DatabaseOperations
    client_class = DatabaseClient
    settings_dict: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._in_context: tuple[Context] | None = None
        self._in_force = False
        self._answered_at = 0.0
        self.statements = 0
        self._schemas_touched: set[str] = set()
        self._opened_with: list[Any] = []
        self.transaction_context: tuple[Context] | None = None
        self.unnamed_transactions: list[tuple[str, ...]] = []
        self.recorded_ddl: list[str] | None = None
        self.migration_plane: str | None = None
        super().__init__(*args, **kwargs)
        self.introspection = DatabaseIntrospection(self)
        self.is_replica = self.alias.endswith(SUFFIX)
        self.primary = primary_of(self.alias)
        self.as_owner = bool(self.settings_dict["OPTIONS"].get("as_owner"))

    # -- the context of the next statement ------------------------------------------------------------------

    def pending_prefix(self, query: Any) -> Prefix | None:
        """What must precede the next statement; None when the transaction already is in the context.

        Raises ContextChangedInTransaction: a transaction belongs to one context from its first statement on.
        """
        if self.as_owner:
            return None
        context, status = current(), self.connection.pgconn.transaction_status
        if status == IDLE:
            self._in_context, self._in_force = self.transaction_context, False
            if self.primary != CONTROL_ALIAS and unnamed.leaves_out(self.primary):
                raise ContextChangedInTransaction(
                    "A transaction without a named database was opened outside this organization, whose rows it would "
                    "not cover: enter the context first, then atomic()."
                )
        if self._in_context is not None and self._in_context[0] != context and not _is_rollback(query):
            raise ContextChangedInTransaction(
                "A transaction belongs to the context it was opened in: enter the context first, then atomic()."
            )
        if self._in_force or status not in (IDLE, INTRANS):
            return None  # a failed transaction accepts nothing but its rollback
        self._in_context = (context,)
        if isinstance(context, TenantContext):
            self._schemas_touched.add(context.schema)
        prefix = prefix_for(context, self.alias)
        return prefix._replace(sql=comment_for(context) + prefix.sql)

    def sent(self, prefix: Prefix | None, *, undone: bool) -> None:
        """Note whether the prefix is in force after a statement that succeeded; it ends with its transaction."""
        self._answered_at = monotonic()
        self.statements += 1
        self._in_force = not undone and (prefix is not None or self._in_force)
        if self.connection.pgconn.transaction_status == IDLE:
            self._in_force = False

    def _commit(self) -> Any:
        self._in_context, self._in_force = None, False
        return super()._commit()

    def _rollback(self) -> Any:
        self._in_context, self._in_force = None, False
        return super()._rollback()

    def on_commit(self, func: Callable[[], Any], robust: bool = False) -> None:
        """What waits for a tenant's database waits for a transaction of the control database around it, too."""
        if self.primary != CONTROL_ALIAS and connections[CONTROL_ALIAS].in_atomic_block:
            func = partial(connections[CONTROL_ALIAS].on_commit, func, robust)
        super().on_commit(func, robust)

    # -- Django's connection API ----------------------------------------------------------------------------

    def connect(self) -> None:
        self._schemas_touched.clear()
        self._opened_with = _way_to(self.settings_dict)
        super().connect()

    def close_if_unusable_or_obsolete(self) -> None:
        """Between requests, part with a connection to where the alias does not lead any more: another thread was told.

        And with one whose server process knows too many schemas.
        """
        super().close_if_unusable_or_obsolete()
        if self.in_atomic_block:
            return
        self.settings_dict = connections.databases.get(self.alias, self.settings_dict)
        if self._knows_too_many_schemas or self._opened_with != _way_to(self.settings_dict):
            self.close()

    @property
    def _knows_too_many_schemas(self) -> bool:
        """Whether the server process remembers the tables of so many that another one should take its place."""
        return len(self._schemas_touched) > SCHEMAS_PER_CONNECTION

    def close_if_health_check_failed(self) -> None:
        """Ask a kept connection whether it is alive, which costs a round trip, unless it was in use just now.

        Never inside a transaction, of which it would be the first statement, without a context; nor at its end, where
        it would begin another one. Between two transactions whoever visits one organization after the other is given
        a new connection, too, before the server process knows too many: nothing is kept on one from transaction to
        transaction, as a pooler may lie between.
        """
        if self._knows_too_many_schemas and self._is_between_transactions:
            self.close()
        elif self.autocommit and monotonic() - self._answered_at > TRUSTED_SECONDS:
            super().close_if_health_check_failed()

    @property
    def _is_between_transactions(self) -> bool:
        if self.connection is None or self.in_atomic_block or not self.autocommit:
            return False
        return bool(self.connection.pgconn.transaction_status == IDLE)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Read times by psycopg's own loader, which is compiled, wherever they are wanted in UTC, as by default."""
        connection = super().get_new_connection(conn_params)
        if self.timezone is UTC:
            connection.adapters.register_loader("timestamptz", TimestamptzLoader)
        return connection

    def get_connection_params(self) -> dict[str, Any]:
        params = super().get_connection_params()
        if params.pop("as_owner", False):
            params["options"] = f"-c app.tenant_id={NIL_TENANT}"
        elif params["cursor_factory"] is postgresql.Cursor:
            params["cursor_factory"] = ContextCursor
        elif params["cursor_factory"] is postgresql.ServerBindingCursor:
            raise NotSupportedError("Server-side binding cannot carry the tenant context: take it out of OPTIONS.")
        elif not issubclass(params["cursor_factory"], ContextCursor):
            raise NotSupportedError("A cursor_factory carries the tenant context if it is made of ContextCursor.")
        return params

    def create_cursor(self, name: str | None = None) -> Any:
        if name is not None and not self.as_owner:
            raise NotSupportedError("Named cursors cannot carry the tenant context: set DISABLE_SERVER_SIDE_CURSORS.")
        # Django's way puts a loader of times that is written in Python before the one that the connection has.
        is_plain = name is None and self.timezone is UTC
        cursor = self.connection.cursor() if is_plain else super().create_cursor(name)
        if isinstance(cursor, ContextCursor):
            cursor.wrapper = self
        return cursor

    def _cursor(self, name: str | None = None) -> Any:
        try:
            return super(django_tenants.DatabaseWrapper, self)._cursor(name)  # without its SET search_path
        except OperationalError as error:
            if not self.is_replica:
                raise
            return instead_of(self.alias, error)

    def make_cursor(self, cursor: Any) -> Any:
        return ReplicaCursor(cursor, self) if self.is_replica else super().make_cursor(cursor)

    def enter_schema(self, plane: str, *schemas: str) -> None:
        """Send the owner's DDL of a plane ('control' or 'tenant') to the first of the schemas."""
        if not self.as_owner:
            raise NotSupportedError("Only the owner's connection chooses its schema.")
        self.migration_plane = plane
        path = self.ops.compose_sql("SELECT set_config('search_path', %s, false)", [", ".join(schemas)])
        with self.cursor() as cursor:
            cursor.execute(path)

    # -- the API of django-tenants, made to set the context ---------------------------------------------------

    @property
    def tenant(self) -> Any:
        return bridge.tenant_of(current())

    @tenant.setter
    def tenant(self, value: Any) -> None:
        """The parent class resets these when it is made; the context is the only place they are kept."""

    @property
    def schema_name(self) -> str:
        return bridge.schema_name_of(current())

    @schema_name.setter
    def schema_name(self, value: Any) -> None:
        """See ``tenant``."""

    def set_tenant(self, tenant: Any, include_public: bool = True) -> None:
        bridge.enter(tenant, include_public=include_public)

    def set_schema(self, schema_name: str, include_public: bool = True, tenant_type: Any = None) -> None:
        bridge.enter(schema_name, include_public=include_public)

    def set_schema_to_public(self) -> None:
        """Leave every context: what django-tenants calls when it is done with a tenant."""
        if hasattr(self, "as_owner"):  # not while the parent class is being made
            bridge.leave()
