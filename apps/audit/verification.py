"""Walking a chain from its first link, and saying exactly what does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.db.models.expressions import Func

from apps.tenancy.context import control

from .chain import (
    BATCH,
    CHAIN_CONTINUED,
    ORDER,
    Chain,
    Head,
    canonical,
    control_chain,
    documents,
    hash_of,
    tenant_chain,
)
from .errors import TooLongToVerify
from .models import Anchor, ControlEvent, ControlSeal

MAX_FINDINGS = 100  # a log with more than that needs no list
MAX_WAITED_FOR = 20_000  # links that are walked in about two seconds


class FindingKind(StrEnum):
    REMOVED = "removed"  # a seal whose event is not there
    CHANGED = "changed"  # an event (or hash) that does not match
    REORDERED = "reordered"  # it would match elsewhere in the chain, or comes before what it follows
    INSERTED = "inserted"  # an event older than sealed ones that was never sealed
    TRUNCATED = "truncated"  # the chain ends before its newest anchor
    REWRITTEN = "rewritten"  # an anchor remembers another hash at that number
    GAP = "gap"  # numbers are missing
    STOPPED = "stopped"  # too many findings to go on


@dataclass(frozen=True)
class Finding:
    kind: FindingKind
    number: int | None
    event_id: UUID | None
    detail: str

    def __str__(self) -> str:
        where = f" at {self.number}" if self.number is not None else ""
        event = f", event {self.event_id}" if self.event_id else ""
        return f"{self.kind}{where}{event}: {self.detail}"


@dataclass
class ChainReport:
    """What a walk along one chain found. ``number`` and ``hash`` are its end, to compare with what others hold."""

    chain: str
    tenant: UUID | None
    events: int = 0
    sealed: int = 0
    unsealed: int = 0
    anchored_number: int = 0
    number: int = 0
    hash: str = ""
    findings: list[Finding] = field(default_factory=list)

    @property
    def intact(self) -> bool:
        return not self.findings

    def add(self, kind: FindingKind, number: int | None, event_id: UUID | None, detail: str) -> None:
        if not self.full:
            self.findings.append(Finding(kind, number, event_id, detail))

    @property
    def full(self) -> bool:
        return len(self.findings) >= MAX_FINDINGS

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "intact": self.intact}


class NextTransaction(Func):
    """The first transaction id that is not given out yet."""

    template = "(pg_snapshot_xmax(pg_current_snapshot())::text::bigint)"
    arity = 0
    output_field = models.BigIntegerField()


class StoredSeal(NamedTuple):
    number: int
    event_id: UUID
    transaction_id: int
    hash: bytes


def verify(chain: Chain) -> ChainReport:
    """Compare a chain with its events and its anchors, a batch at a time; sealing may go on meanwhile."""
    report = ChainReport(chain.kind.value, chain.tenant_id)
    report.anchored_number = chain.anchored()
    head = chain.head()  # after the anchors, which follow the seals
    report.number, report.hash = head.number, head.hash.hex() if head.number else ""
    walk = _Walk(chain, report)
    for links in _batches(chain, head):
        if report.full:
            report.findings.append(
                Finding(FindingKind.STOPPED, walk.previous.number, None, "too many findings to go on")
            )
            break
        walk.check(links)
    _compare_end(chain, head, report)
    report.events, report.unsealed = chain.events().count(), chain.unsealed().count()
    return report


def verify_logs_of(tenant_id: UUID) -> list[ChainReport]:
    """Verify both logs of the current organization for somebody who waits. Raises TooLongToVerify."""
    inside, about = tenant_chain(), control_chain(tenant_id)
    if inside.head().number + about.head().number > MAX_WAITED_FOR:
        raise TooLongToVerify
    report = verify(inside)
    with control("verify an audit chain"):
        return [report, verify(about)]


def owners_of_control_chains() -> list[UUID | None]:
    """Whoever the control plane's log has, or once had, something about; None is the platform itself."""
    owners: set[UUID | None] = {None}
    for rows in (ControlEvent.objects, ControlSeal.objects, Anchor.objects.filter(chain=Anchor.Chain.CONTROL)):
        owners.update(rows.order_by().values_list("tenant_id", flat=True).distinct())
    return sorted(owners, key=str)


def _batches(chain: Chain, head: Head) -> Iterator[list[StoredSeal]]:
    """The links up to where the chain ended at first, whatever number they begin with."""
    rows = chain.in_order().filter(number__lte=head.number).values_list("number", "event_id", "transaction_id", "hash")
    links = [StoredSeal(*row) for row in rows[:BATCH]]
    while links:
        yield [link._replace(hash=bytes(link.hash)) for link in links]
        links = [StoredSeal(*row) for row in rows.filter(number__gt=links[-1].number)[:BATCH]]


def _compare_end(chain: Chain, head: Head, report: ChainReport) -> None:
    if report.anchored_number > head.number:
        detail = f"the chain ends at {head.number}, but {report.anchored_number} events were anchored"
        report.add(FindingKind.TRUNCATED, report.anchored_number, None, detail)
    misplaced = Q(transaction_id__lt=head.transaction_id) | Q(transaction_id__gte=NextTransaction())
    for event_id in chain.unsealed().filter(misplaced).order_by(*ORDER).values_list("id", flat=True)[:MAX_FINDINGS]:
        report.add(
            FindingKind.INSERTED, None, event_id, "not sealed, and its transaction is none that could still write"
        )


class _Walk:
    """Carries from link to link what the next one must fit to."""

    def __init__(self, chain: Chain, report: ChainReport) -> None:
        self.chain = chain
        self.report = report
        self.previous = Head(0, chain.origin, 0)
        self.order: tuple[Any, ...] = ()

    def check(self, links: list[StoredSeal]) -> None:
        events = self.chain.events().filter(id__in=[link.event_id for link in links])
        found = {event["id"]: event for event in documents(events)}
        texts = {key: canonical(event) for key, event in found.items()}
        anchors = self._anchors(links)
        neighbors = [self.previous.hash, *(link.hash for link in links)]
        for link in links:
            follows = self._follows(link)
            event = found.get(link.event_id)
            if event is None:
                self.report.add(FindingKind.REMOVED, link.number, link.event_id, "it was sealed and is not there")
            elif follows and self._matches(link, texts, neighbors):
                self._compare_order(link, event)
            if anchors.get(link.number, link.hash) != link.hash:
                self.report.add(FindingKind.REWRITTEN, link.number, link.event_id, "an anchor remembers another hash")
            self.previous = Head(link.number, link.hash, link.transaction_id)
        self.report.sealed += len(links)

    def _anchors(self, links: list[StoredSeal]) -> dict[int, bytes]:
        rows = self.chain.anchors().filter(number__gte=links[0].number, number__lte=links[-1].number)
        return {number: bytes(digest) for number, digest in rows.values_list("number", "hash")}

    def _follows(self, link: StoredSeal) -> bool:
        """Whether the link before is there, without which this one's hash cannot be judged."""
        expected = self.previous.number + 1
        if link.number != expected:
            self.report.add(FindingKind.GAP, link.number, None, f"the number after {expected - 1} should be {expected}")
        return link.number == expected

    def _matches(self, link: StoredSeal, texts: dict[UUID, bytes], neighbors: list[bytes]) -> bool:
        text = texts[link.event_id]
        if hash_of(self.previous.hash, text) == link.hash:
            return True
        elsewhere = any(hash_of(neighbor, text) == link.hash for neighbor in neighbors)
        another = any(hash_of(self.previous.hash, other) == link.hash for other in texts.values())
        if elsewhere or another:
            self.report.add(FindingKind.REORDERED, link.number, link.event_id, "it was sealed elsewhere in the chain")
        else:
            self.report.add(FindingKind.CHANGED, link.number, link.event_id, "it does not match its seal")
        return False

    def _compare_order(self, link: StoredSeal, event: dict[str, Any]) -> None:
        order = tuple(event[name] for name in ORDER)
        if link.transaction_id != event["transaction_id"]:
            self.report.add(FindingKind.CHANGED, link.number, link.event_id, "its seal names another transaction")
        elif order < self.order and event["action"] != CHAIN_CONTINUED:
            self.report.add(
                FindingKind.REORDERED, link.number, link.event_id, "it was written before the event it follows"
            )
        self.order = order
