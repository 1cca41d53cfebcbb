"""What the outbox benchmark's events ask for: a row that says when they were handled."""

from __future__ import annotations

from celery import shared_task
from django.db import connections

from apps.tenancy import outbox
from apps.tenancy.context import current_tenant

ALONE, TOGETHER = "bench.alone", "bench.together"
NOTE = """INSERT INTO bench.effects (event_id, topic, number, emitted_at) VALUES (%s, %s, %s, %s)
    ON CONFLICT (event_id) DO NOTHING"""


@outbox.subscribe(TOGETHER)
@shared_task
def note(event_id: str, number: int, emitted_at: float) -> None:
    _note(event_id, TOGETHER, number, emitted_at)


@outbox.subscribe(ALONE, alone=True)
@shared_task
def note_alone(event_id: str, number: int, emitted_at: float) -> None:
    """The same for events that each go in a message of their own, as all did before."""
    _note(event_id, ALONE, number, emitted_at)


def _note(event_id: str, topic: str, number: int, emitted_at: float) -> None:
    with connections[current_tenant().alias].cursor() as cursor:
        cursor.execute(NOTE, [event_id, topic, number, emitted_at])
