"""Sealing: each event's hash covers the event and the seal before it, so nothing sealed can be changed unnoticed.

Writers never wait for a hash: they insert an event with their transaction's id, and a sealer comes by later.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from django.db import connections, models
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.expressions import Func
from django.db.models.functions import Cast

from apps.tenancy.context import CONTROL_ALIAS, control, current_tenant_id
from apps.tenancy.transactions import atomic, lock
from apps.tenancy.walls.roles import NIL_TENANT

from .models import Anchor, ControlEvent, ControlSeal, Event, Seal, SinkCursor, owner_or_nobody

log = structlog.get_logger(__name__)

BATCH = 500
ORDER = ("transaction_id", "occurred_at", "id")
CHAIN_CONTINUED = "audit.continued"  # the first event on another server, whose transaction ids start elsewhere

STORED = (*ORDER, "tenant_id", "actor_type", "actor_id", "action", "resource_type", "resource_id")
AS_TEXT = ("actor_ip", "changes", "metadata")  # read as PostgreSQL prints them: Python would drop digits and masks


class Horizon(Func):
    """The oldest transaction that may still be running: all below it have ended, and what they wrote is visible."""

    template = "(pg_snapshot_xmin(pg_current_snapshot())::text::bigint)"
    arity = 0
    output_field = models.BigIntegerField()


class Head(NamedTuple):
    """Where a chain ends."""

    number: int
    hash: bytes
    transaction_id: int


@dataclass(frozen=True)
class Chain:
    """One chain of seals: a tenant's log in its own plane, or what the control plane logged about it (or nobody).

    A tenant's chain is read in that tenant's context, a control chain in the control plane.
    """

    kind: Anchor.Chain
    tenant_id: UUID | None

    def __str__(self) -> str:
        return f"{self.kind.value}:{self.tenant_id or 'platform'}"

    @property
    def origin(self) -> bytes:
        """What the first link is chained to; it differs by chain, so no chain can be passed off as another."""
        return bytes(32) + str(self).encode()

    def events(self) -> QuerySet[Any]:
        if self.kind == Anchor.Chain.TENANT:
            return Event.objects.all()  # type: ignore[no-any-return]
        rows = ControlEvent.objects.all()
        return rows.filter(tenant_id=self.tenant_id) if self.tenant_id else rows.filter(tenant_id__isnull=True)

    def seals(self) -> QuerySet[Any]:
        if self.kind == Anchor.Chain.TENANT:
            return Seal.objects.all()  # type: ignore[no-any-return]
        return self._owned(ControlSeal.objects.all())

    def anchors(self) -> QuerySet[Any]:
        return self._owned(Anchor.objects.filter(chain=self.kind))

    def cursors(self) -> QuerySet[Any]:
        return self._owned(SinkCursor.objects.filter(chain=self.kind))

    def unsealed(self) -> QuerySet[Any]:
        seals = Seal.objects if self.kind == Anchor.Chain.TENANT else ControlSeal.objects
        return self.events().filter(~Exists(seals.filter(event_id=OuterRef("id"))))

    def in_order(self) -> QuerySet[Any]:
        """The seals, first to last; all the index's columns are named, or PostgreSQL would sort the whole chain."""
        tenant = self.kind == Anchor.Chain.TENANT
        return self.seals().order_by("number") if tenant else self.seals().order_by("owner", "number")

    def anchored(self) -> int:
        """The number of the newest anchor."""
        newest = self.anchors().order_by("-owner", "-chain", "-number").values_list("number", flat=True).first()
        return newest or 0

    def head(self) -> Head:
        row = self.in_order().reverse().values_list("number", "hash", "transaction_id").first()
        return Head(row[0], bytes(row[1]), row[2]) if row else Head(0, self.origin, 0)

    def sealed(self) -> tuple[int, datetime | None]:
        """The number of the newest seal, and when it was made."""
        return self.in_order().reverse().values_list("number", "sealed_at").first() or (0, None)

    def add_seals(self, links: list[dict[str, Any]]) -> None:
        if self.kind == Anchor.Chain.TENANT:
            Seal.objects.bulk_create([Seal(**link) for link in links])
        else:
            ControlSeal.objects.bulk_create([ControlSeal(tenant_id=self.tenant_id, **link) for link in links])

    def add_event(self, **fields: Any) -> None:
        if self.kind == Anchor.Chain.TENANT:
            Event.objects.create(**fields)
        else:
            ControlEvent.objects.create(tenant_id=self.tenant_id, **fields)

    def _owned(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Worded as in the unique constraint, whose index then serves."""
        return rows.alias(owner=owner_or_nobody()).filter(owner=self.tenant_id or UUID(NIL_TENANT))


def tenant_chain() -> Chain:
    """The chain of the current tenant's log. Raises NoTenantContext."""
    return Chain(Anchor.Chain.TENANT, current_tenant_id())


def control_chain(tenant_id: UUID | None) -> Chain:
    return Chain(Anchor.Chain.CONTROL, tenant_id)


def chain_of(event: Event | ControlEvent) -> Chain:
    return tenant_chain() if isinstance(event, Event) else control_chain(event.tenant_id)


def seal(chain: Chain, *, fenced: bool = False) -> int:
    """Seal every event that no earlier one can join any more. Returns how many; call it outside a transaction.

    ``fenced`` says that nobody writes to this log: then events need not wait for other logs' transactions.
    """
    head = chain.head()
    if not _sealable(chain, head, fenced).exists():
        _anchor(chain, head)
        return 0  # most logs are quiet most of the time: no lock for them
    return _seal_batches(chain, fenced)[1]


def seal_all(chain: Chain) -> bool:
    """Seal a log that has something new. Whether all that can be seen of it is sealed then; call it as ``seal``."""
    head, _ = _seal_batches(chain, fenced=False)
    return not chain.unsealed().filter(transaction_id__gte=head.transaction_id).exists()


def horizon() -> int:
    """Below it all transactions of the control plane have ended. Called in the control plane."""
    with connections[CONTROL_ALIAS].cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        return int(cursor.fetchone()[0])


def continue_here(chain: Chain) -> None:
    """Go on with a chain on another server, whose transaction ids cannot be compared with those sealed so far.

    Called before anything else is recorded there, with everything sealed on the server before.
    """
    with atomic():
        head = chain.head()
        chain.add_event(
            actor_type="system", action=CHAIN_CONTINUED, resource_type="chain", metadata={"number": head.number}
        )
    seal(chain, fenced=True)


def documents(events: QuerySet[Any]) -> list[dict[str, Any]]:
    """Events as they are sealed: all their fields, exactly as stored."""
    texts = {f"{name}_text": Cast(name, models.TextField()) for name in AS_TEXT}
    return list(events.values(*STORED, **texts))


def canonical(document: Mapping[str, Any]) -> bytes:
    """The one JSON text of an event: sorted keys, ASCII, UTC, numbers with the digits that were stored."""
    fields = {name: _plain(document[name]) for name in STORED}
    fields["actor_ip"] = document["actor_ip_text"]
    for name in ("changes", "metadata"):
        fields[name] = json.loads(document[f"{name}_text"], parse_int=_Number, parse_float=_Number)
    return _dump(fields).encode()


def hash_of(previous: bytes, document: bytes) -> bytes:
    return hashlib.sha256(previous + document).digest()


def _seal_batches(chain: Chain, fenced: bool) -> tuple[Head, int]:
    """Where the chain ends then, and how many events were sealed."""
    total, count = 0, BATCH
    while count == BATCH:
        head, count = _seal_batch(chain, fenced)
        if count:
            _note_anchor(chain, head)
        else:
            _anchor(chain, head)
        total += count
    return head, total


def _seal_batch(chain: Chain, fenced: bool) -> tuple[Head, int]:
    with atomic():
        lock(f"audit.seal.{chain}")
        head = chain.head()
        links = []
        for document in documents(_sealable(chain, head, fenced).order_by(*ORDER)[:BATCH]):
            digest = hash_of(head.hash, canonical(document))
            head = Head(head.number + 1, digest, document["transaction_id"])
            links.append({"event_id": document["id"], **head._asdict()})
        chain.add_seals(links)
    if links:
        tenant_id = str(chain.tenant_id or "")
        log.info("audit_sealed", chain=chain.kind.value, tenant_id=tenant_id, number=head.number, hash=head.hash.hex())
    return head, len(links)


def _sealable(chain: Chain, head: Head, fenced: bool) -> QuerySet[Any]:
    """What is not sealed and cannot be preceded any more, as all transactions with lower ids have ended."""
    if fenced:
        return chain.unsealed()
    return chain.unsealed().filter(transaction_id__gte=head.transaction_id, transaction_id__lt=Horizon())


def _anchor(chain: Chain, head: Head) -> None:
    """Note in the control plane how far the chain has come, if a sealer was killed before it could."""
    with control("look for the newest anchor"):
        anchored = chain.anchored()
    if head.number > anchored:
        _note_anchor(chain, head)


def _note_anchor(chain: Chain, head: Head) -> None:
    with control("anchor an audit chain"):
        anchor = Anchor(tenant_id=chain.tenant_id, chain=chain.kind, number=head.number, hash=head.hash)
        Anchor.objects.bulk_create([anchor], ignore_conflicts=True)  # two sealers may say the same


class _Number(str):
    """A number in the digits that were stored; a float would round them."""


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return str(value) if isinstance(value, UUID) else value


def _dump(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_dump(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_dump, value)) + "]"
    return str(value) if isinstance(value, _Number) else json.dumps(value)
