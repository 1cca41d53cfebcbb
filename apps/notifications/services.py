"""E-mails, written from templates, each sent once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.utils import timezone

from apps.core.locales import ANYBODY, Reader, speaking_to
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic
from apps.tenants.branding import Brand

from .composition import compose
from .models import SentEmail

KEPT = timedelta(days=30)
STEPS = 12  # of the talk with a mail server, from connecting to its word that it has the mail
CLAIM = timedelta(seconds=STEPS * settings.EMAIL_TIMEOUT)  # longer than one mail may take
PRODUCT = Brand()
NOWHERE = ".invalid"


class MailInHand(OSError):
    """Another worker is just sending it: whoever wants it sent had better look again later."""


def send_email_once(
    *, to: str, template: str, context: dict[str, Any], key: str, brand: Brand = PRODUCT, reader: Reader = ANYBODY
) -> None:
    """Send the mail of a template, in its reader's language and time zone, unless it went out before.

    ``key`` identifies what is told to whom. No transaction is open while the mail server is talked to: the mail is
    claimed, sent, and noted as sent. A worker that dies in between makes a later one send it again, under the same
    Message-ID. What is addressed to a name that can never exist (RFC 2606) is not sent. Raises MailInHand.
    """
    if to.endswith(NOWHERE):
        return
    with speaking_to(reader):
        mail = compose(template, context, brand)
    message = EmailMultiAlternatives(mail.subject, mail.text, to=[to])
    message.attach_alternative(mail.html, "text/html")
    message.extra_headers["Message-ID"] = f"<{key}@tenantry>"
    if not _claim(key):
        return
    try:
        message.send()
    except BaseException:
        _note(key, claimed_at=None)
        raise
    _note(key, sent_at=timezone.now())


def clear_old_notes() -> None:
    with control("clear old mail notes"):
        SentEmail.objects.filter(sent_at__lt=timezone.now() - KEPT).delete()


def _claim(key: str) -> bool:
    """Whether the mail is ours to send; False if it is sent. Raises MailInHand."""
    now = timezone.now()
    with control("claim a mail"), atomic():
        note, is_new = SentEmail.objects.select_for_update().get_or_create(key=key, defaults={"claimed_at": now})
        if note.sent_at is not None:
            return False
        if not is_new and note.claimed_at is not None and note.claimed_at > now - CLAIM:
            raise MailInHand(f"Another worker is sending {key}.")
        SentEmail.objects.filter(key=key).update(claimed_at=now)
    return True


def _note(key: str, **fields: datetime | None) -> None:
    with control("note what became of a mail"):
        SentEmail.objects.filter(key=key).update(**fields)
