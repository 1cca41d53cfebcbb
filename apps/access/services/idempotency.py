"""Calls that are safe to repeat: the same key and the same content run once and answer the same."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db import IntegrityError
from django.utils import timezone

from apps.audit.selectors import done_for_call
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic

from ..errors import AnswerLost, CallDiffers, CallInProgress, InvalidIdempotencyKey
from ..models import IdempotentCall
from ..subjects import Subject

KEPT = timedelta(hours=24)
CLOCKS_APART = timedelta(minutes=5)  # those of this process and of the databases, at most
USUALLY_OVER = timedelta(seconds=5)  # what still runs then was left by a process that died, as a rule
ABANDONED_AFTER = timedelta(seconds=60)  # longer than any request may run
MAX_KEY_LENGTH = 255


@dataclass(frozen=True)
class StoredAnswer:
    """What a call was answered with."""

    status: int
    headers: dict[str, str]
    body: bytes


def begin(*, subject: Subject, key: str, fingerprint: str) -> IdempotentCall | StoredAnswer:
    """The call to carry out and ``finish``, or the answer that it had before.

    Raises InvalidIdempotencyKey, CallDiffers (the key was used for something else), CallInProgress, and AnswerLost if
    the call was carried out by a process that died before it could keep the answer.
    """
    if not key.isprintable() or not 1 <= len(key) <= MAX_KEY_LENGTH:
        raise InvalidIdempotencyKey
    who = {"tenant_id": subject.tenant_id, "caller": f"{subject.type}:{subject.id}", "key": key}
    now = timezone.now()
    try:
        with control("begin an idempotent call"), atomic():
            IdempotentCall.objects.filter(**who, expires_at__lte=now).delete()
            return IdempotentCall.objects.create(**who, fingerprint=fingerprint, started_at=now, expires_at=now + KEPT)
    except IntegrityError:
        return _repeated(who, subject, fingerprint)


def recall(*, subject: Subject, key: str, fingerprint: str) -> StoredAnswer | None:
    """The answer that the same call had before, if any."""
    who = {"tenant_id": subject.tenant_id, "caller": f"{subject.type}:{subject.id}", "key": key}
    with control("recall an idempotent call"):
        call = IdempotentCall.objects.filter(
            **who, fingerprint=fingerprint, status__isnull=False, expires_at__gt=timezone.now()
        ).first()
        return None if call is None else _answer_of(call)


def finish(call: IdempotentCall, answer: StoredAnswer) -> None:
    """Keep the answer for whoever asks again."""
    with control("finish an idempotent call"):
        call.status, call.headers, call.body = answer.status, answer.headers, answer.body.decode()
        call.save(update_fields=["status", "headers", "body"])


def abandon(call: IdempotentCall) -> None:
    """The call did not take place; the key is free again."""
    with control("abandon an idempotent call"):
        IdempotentCall.objects.filter(id=call.id, started_at=call.started_at).delete()


def clear_expired_calls() -> None:
    with control("clear expired calls"):
        IdempotentCall.objects.filter(expires_at__lte=timezone.now()).delete()


def _repeated(who: dict[str, object], subject: Subject, fingerprint: str) -> IdempotentCall | StoredAnswer:
    with control("repeat an idempotent call"):
        call = IdempotentCall.objects.filter(**who).first()
    if call is None:
        raise CallInProgress  # it was just abandoned; the next try may run
    if call.fingerprint != fingerprint:
        raise CallDiffers
    if call.status is not None:
        return _answer_of(call)
    lasted = timezone.now() - call.started_at
    if lasted < ABANDONED_AFTER:
        raise CallInProgress(left=ABANDONED_AFTER - lasted if lasted > USUALLY_OVER else timedelta())
    since = call.expires_at - KEPT - CLOCKS_APART
    done = done_for_call(tenant_id=subject.tenant_id, call_id=call.id, since=since)
    if done:
        raise AnswerLost(done)
    return _taken_over(call)


def _taken_over(call: IdempotentCall) -> IdempotentCall:
    """Whoever began it died before it had any effect; one of those who repeat it carries it out."""
    now = timezone.now()
    with control("take over an idempotent call"):
        died = IdempotentCall.objects.filter(id=call.id, started_at=call.started_at, status=None)
        if not died.update(started_at=now):
            raise CallInProgress
    call.started_at = now
    return call


def _answer_of(call: IdempotentCall) -> StoredAnswer:
    with control("read an answer"):
        return StoredAnswer(call.status or 0, call.headers, call.body.reveal().encode())
