"""Organizations that are created to be attacked, in pairs, and removed afterward."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from psycopg import sql

from apps.access.permissions import ALL, Role
from apps.accounts import subjects
from apps.accounts.models import Membership, User
from apps.accounts.roles import Assigned
from apps.accounts.services import api_keys, members, people, tokens
from apps.accounts.services.tokens import TokenPair as Tokens
from apps.accounts.sessions import SessionStore
from apps.audit import services as audit
from apps.audit.actors import command
from apps.audit.chain import control_chain, seal
from apps.tenancy import databases
from apps.tenancy.context import CONTROL_ALIAS, TenantContext, control, use
from apps.tenancy.planes import TENANT, plane_of, table_name, tenant_models, walled_control_models
from apps.tenancy.transactions import atomic
from apps.tenants.models import Placement, Tenant
from apps.tenants.services import provisioning, removal

from . import bait
from .errors import CannotRun

ACTOR = command("verify_isolation")
REASON = "verify the walls"
NAME = "Isolation probe"
DOMAIN = "probe.invalid"  # can never exist (RFC 2606), and gets no mail
LOCK, LOCK_TIMEOUT = "assurance.verify_isolation", "3s"  # the server takes a moment to notice that a run was killed
# Of these the platform itself adds rows meanwhile: whoever opens an address gets a session, and logs are sealed.
GROWING = {"accounts.Session", "audit.Seal", "audit.ControlSeal", "audit.Anchor"}
MOVING = {"audit.SinkCursor"}  # with every event that a sink is sent


@dataclass(frozen=True)
class Target:
    """One organization, with everything that its owner has."""

    tenant: Tenant
    context: TenantContext
    owner: User
    marker: str
    tokens: Tokens
    api_key: str
    rows: dict[str, Any]

    @property
    def host(self) -> str:
        return f"{self.tenant.slug}.{settings.BASE_DOMAIN}"

    @cached_property
    def ids(self) -> dict[str, Any]:
        """Ids of its rows by the model's name in lower case, and its owner's."""
        return {**{label.split(".")[1].lower(): found for label, found in self.rows.items()}, "user": self.owner.pk}

    @property
    def folder(self) -> Path:
        return Path(settings.MEDIA_ROOT) / "tenants" / self.tenant.id.hex

    def new_session(self) -> str:
        """The key of a browser's session in which the owner is signed in."""
        with use(self.context):
            store = SessionStore()
            store[SESSION_KEY] = str(self.owner.pk)
            store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
            store[HASH_SESSION_KEY] = self.owner.get_session_auth_hash()
            store.save()
        return str(store.session_key)


@dataclass(frozen=True)
class Pair:
    """Two organizations in the same kind of placement; the first one attacks."""

    kind: str
    attacker: Target
    victim: Target


def placements() -> list[str]:
    """The kinds of placement that this installation has, and that new organizations get."""
    with control(REASON):
        used = set(Placement.objects.filter(tenant__is_probe=False).values_list("kind", flat=True))
    return [kind for kind in Placement.Kind.values if kind in used | {settings.DEFAULT_PLACEMENT}]


def create_pair(kind: str) -> Pair:
    run = secrets.token_hex(4)
    attacker, victim = (_create(kind, f"{run}{letter}") for letter in "ab")
    return Pair(kind, attacker, victim)


def clear(progress: Callable[[str], None] = lambda _: None) -> int:
    """Remove every probe there is, this run's and what a killed one left. Returns how many there were."""
    found = removal.probes()
    for tenant_id in found:
        progress(f"removing {tenant_id}")
        removal.remove_probe(tenant_id=tenant_id, actor=ACTOR)
        with control(REASON):
            seal(control_chain(tenant_id))
    with control(REASON):
        User.objects.filter(email__endswith=f".{DOMAIN}", memberships__isnull=True).delete()
    return len(found)


@contextmanager
def alone() -> Iterator[None]:
    """One run at a time, or each would remove the other's organizations. Raises CannotRun."""
    with psycopg.connect(databases.owner_url(), autocommit=True) as connection:
        connection.execute("SELECT set_config('lock_timeout', %s, false)", [LOCK_TIMEOUT])
        try:
            connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [LOCK])
        except psycopg.errors.LockNotAvailable as error:
            raise CannotRun("Another run is verifying this installation.") from error
        yield


Fingerprint = dict[str, frozenset[str]]


def fingerprint(target: Target) -> Fingerprint:
    """A digest of each of the target's rows and files by table, read past all walls."""
    digests: Fingerprint = {}
    database = None if target.context.alias == CONTROL_ALIAS else target.context.alias
    for models, schema, name in (
        (tenant_models(), target.context.schema, database),
        (walled_control_models(), "public", None),
    ):
        with operator(name) as connection:
            for model in models:
                digests[model._meta.label] = _row_digests(connection, schema, model, target.tenant.id)
    files = (path for path in target.folder.rglob("*") if path.is_file())
    digests["files"] = frozenset(f"{path} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files)
    return digests


def damage(before: Fingerprint, after: Fingerprint) -> list[str]:
    """What was changed, removed or planted between two fingerprints."""
    found = []
    for name, rows in before.items():
        if name in MOVING:
            continue
        if rows - after[name]:
            found.append(f"the victim's {name} changed")
        elif after[name] - rows and name not in GROWING:
            found.append(f"something was added to the victim's {name}")
    return found


@contextmanager
def operator(database: str | None = None) -> Iterator[psycopg.Connection[Any]]:
    """The operator's connection to the control database or another one, which sees every tenant's rows."""
    url = databases.parse_url(settings.DATABASE_OPERATOR_URL)
    with psycopg.connect(
        host=url["HOST"],
        port=url["PORT"],
        user=url["USER"],
        password=url["PASSWORD"],
        dbname=database or url["NAME"],
        **url["OPTIONS"],
    ) as connection:
        yield connection


def stored(target: Target, model: Any) -> dict[str, Any]:
    """One row of the target, read past all walls. Raises LookupError if it is gone."""
    own = plane_of(model) == TENANT
    database = target.context.alias if own and target.context.alias != CONTROL_ALIAS else None
    table = sql.Identifier(target.context.schema if own else "public", table_name(model))
    query = sql.SQL("SELECT to_json(t) FROM {} t WHERE tenant_id = %s LIMIT 1").format(table)
    with operator(database) as connection:
        row = connection.execute(query, [target.tenant.id]).fetchone()
    if row is None:
        raise LookupError(f"{model._meta.label} has no row of the probe")
    return dict(row[0])


def _create(kind: str, name: str) -> Target:
    marker = f"probe-{secrets.token_hex(6)}-{name[-1]}"
    with control(REASON), atomic():
        owner = people.invite_person(email=f"owner@{name}.{DOMAIN}")
        tenant = provisioning.open_tenant(name=f"{NAME} {name}", kind=kind, is_probe=True)
        audit.record("probe.founded", actor=ACTOR, resource=tenant, tenant_id=tenant.id)
        membership = members.add_member(
            tenant_id=tenant.id, user=owner, role=Assigned(Role.OWNER), name=marker, actor=ACTOR
        )
    if tenant.status != Tenant.Status.READY:
        provisioning.finish(tenant.id)
    return _equipped(tenant.id, owner, membership, marker)


def _equipped(tenant_id: UUID, owner: User, membership: Membership, marker: str) -> Target:
    with control(REASON):
        tenant = Tenant.objects.with_placement().get(id=tenant_id)
    context = tenant.context()
    subject = subjects.of_membership(membership)
    _, secret = api_keys.create_api_key(actor=subject, name=marker, scopes=sorted(ALL))
    pair = tokens.issue(membership)
    rows = bait.lay(context, marker=marker, person_id=owner.pk)
    return Target(tenant, context, owner, marker, pair, secret, rows)


def _row_digests(connection: psycopg.Connection[Any], schema: str, model: Any, tenant_id: UUID) -> frozenset[str]:
    table = sql.Identifier(schema, table_name(model))
    query = sql.SQL("SELECT md5(t::text) FROM {} t WHERE tenant_id = %s").format(table)
    return frozenset(digest for (digest,) in connection.execute(query, [tenant_id]).fetchall())
