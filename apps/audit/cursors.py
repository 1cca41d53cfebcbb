"""How far each sink was sent each chain.

A claim is one UPDATE with a deadline instead of a lock: no transaction is open while a sink is talked to, and what a
worker that died has claimed is free again by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from apps.tenancy.context import control
from apps.tenancy.transactions import atomic

from .chain import Chain
from .errors import SinkBusy
from .models import SinkCursor

CLAIM = timedelta(seconds=60)  # renewed with each event; a sink has 10 seconds to take one
REASON = "send a sink the audit log"
FREE = Q(claimed_by=None) | Q(claimed_until__lte=Now())


@dataclass
class Claim:
    """The cursor of a sink in a chain, in the hands of one worker."""

    cursor_id: UUID
    number: int = 0
    token: UUID = field(default_factory=uuid4)

    def take(self) -> None:
        """Raises SinkBusy if somebody else has it."""
        with control(REASON), atomic():
            row = SinkCursor.objects.filter(id=self.cursor_id)
            if not row.filter(FREE).update(claimed_by=self.token, claimed_until=Now() + CLAIM):
                raise SinkBusy("Another worker is sending to this sink.")
            self.number = row.values_list("number", flat=True).get()

    def move(self, number: int) -> None:
        """Note that everything up to this number was sent. Raises SinkBusy if the claim was lost."""
        with control(REASON):
            if not self._mine().update(number=number, claimed_until=Now() + CLAIM):
                raise SinkBusy("This took so long that another worker has gone on.")
        self.number = number

    def release(self) -> None:
        with control(REASON):
            self._mine().update(claimed_by=None, claimed_until=None)

    def _mine(self) -> QuerySet[SinkCursor]:
        return SinkCursor.objects.filter(id=self.cursor_id, claimed_by=self.token)


def find(sink: str, chain: Chain) -> SinkCursor | None:
    with control(REASON):
        cursor: SinkCursor | None = chain.cursors().filter(sink=sink).first()
    return cursor


def start(sink: str, chain: Chain, number: int) -> SinkCursor:
    """The cursor of a sink that has been sent nothing of a chain, and is to be sent what comes after a number."""
    cursor = SinkCursor(tenant_id=chain.tenant_id, chain=chain.kind, sink=sink, number=number)
    with control(REASON):
        SinkCursor.objects.bulk_create([cursor], ignore_conflicts=True)  # another worker may have started it
        started: SinkCursor = chain.cursors().get(sink=sink)
    return started


@contextmanager
def claimed(cursor: SinkCursor) -> Iterator[Claim]:
    """Have a cursor to oneself. Raises SinkBusy."""
    claim = Claim(cursor.id)
    claim.take()
    try:
        yield claim
    finally:
        claim.release()
