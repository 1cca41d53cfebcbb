"""The statements that put one transaction of one connection into a context.

They travel in the same message as the first statement of the transaction, so they cost no round trip,
and being LOCAL they end with it, so a pooled connection carries nothing over.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

import structlog
from django.conf import settings

from ..context import CONTROL_ALIAS, Context, ControlContext, OutboxContext, TenantContext
from ..errors import ContextError
from ..replicas.positions import primary_of
from .roles import APP_CONTROL, APP_RELAY, APP_TENANT

SCHEMA_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_UNSAFE_IN_COMMENT = re.compile(r"[^A-Za-z0-9_.= :-]")


class Prefix(NamedTuple):
    sql: str
    statements: int


def prefix_for(context: Context, alias: str) -> Prefix:
    """The SET LOCAL statements for a context on an alias. Raises ContextError if it has no business there."""
    alias = primary_of(alias)
    if isinstance(context, TenantContext):
        return _tenant_prefix(context.tenant_id.hex, context.alias, context.schema, alias)
    if isinstance(context, ControlContext):
        if alias != CONTROL_ALIAS:
            raise ContextError(f"The control plane has no tables on the database '{alias}'.")
        return _control_prefix()
    if isinstance(context, OutboxContext):
        if alias != context.alias:
            raise ContextError(f"This outbox is not on the database '{alias}'.")
        return _outbox_prefix()
    return _denied_prefix()


def session_settings(context: Context) -> dict[str, str]:
    """The same for a whole session, of a person at a prompt; its role and path could be set to others there."""
    if isinstance(context, TenantContext):
        return {"role": APP_TENANT, "search_path": f"{context.schema},public", "app.tenant_id": context.tenant_id.hex}
    return {"role": APP_CONTROL, "search_path": "public"} if isinstance(context, ControlContext) else {}


def comment_for(context: Context) -> str:
    """A comment that names tenant (or reason) and request in the server's activity view and logs."""
    subject = "none"
    if isinstance(context, TenantContext):
        subject = f"tenant={context.tenant_id}"
    elif isinstance(context, ControlContext):
        subject = f"control={context.reason}"
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    return "/* " + _UNSAFE_IN_COMMENT.sub("", f"{subject} request={request_id}")[:120] + " */ "


@lru_cache(maxsize=settings.ORGANIZATIONS_KEPT)
def _tenant_prefix(tenant_hex: str, home: str, schema: str, alias: str) -> Prefix:
    if not SCHEMA_NAME.fullmatch(schema):
        raise ContextError(f"'{schema}' is not a generated schema name.")
    if alias == home:
        path = f'"{schema}", public'
    elif alias == CONTROL_ALIAS:
        path = "public"
    else:
        raise ContextError(f"This tenant's rows are not on the database '{alias}'.")
    return _set_local(APP_TENANT, path, tenant_hex)


@lru_cache(maxsize=1)
def _control_prefix() -> Prefix:
    return _set_local(APP_CONTROL, "public", "")


@lru_cache(maxsize=1)
def _outbox_prefix() -> Prefix:
    return _set_local(APP_RELAY, "pg_catalog", "")


@lru_cache(maxsize=1)
def _denied_prefix() -> Prefix:
    return _set_local("NONE", "public", "")


def _set_local(role: str, path: str, tenant: str) -> Prefix:
    sql = f"SET LOCAL ROLE {role};SET LOCAL search_path={path};SET LOCAL app.tenant_id='{tenant}';"
    return Prefix(sql, 3)
