"""E-mails, written from templates, each sent once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.db.models import Q
from django.utils import timezone

from apps.core.errors import first_line
from apps.core.locales import ANYBODY, Reader, speaking_to
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic
from apps.tenants.branding import Brand

from .composition import compose
from .models import SentEmail
from .refusals import is_permanent

log = structlog.get_logger(__name__)

KEPT = timedelta(days=30)
STEPS = 12  # of the talk with a mail server, from connecting to its word that it has the mail
CLAIM = timedelta(seconds=STEPS * settings.EMAIL_TIMEOUT)  # longer than one mail may take
PRODUCT = Brand()
NOWHERE = ".invalid"


class MailInHand(OSError):
    """Another worker is just sending it: whoever wants it sent had better look again later."""


def send_email_once(
    *, to: str, template: str, context: dict[str, Any], key: str, brand: Brand = PRODUCT, reader: Reader = ANYBODY
) -> bool:
    """Send the mail of a template, in its reader's language and time zone, unless it went out before.

    False if it can never be delivered, which is noted and logged; what may pass is raised, for the task to try again.

    ``key`` identifies what is told to whom. No transaction is open while the mail server is talked to: the mail is
    claimed, sent, and noted as sent. A worker that dies in between makes a later one send it again, under the same
    Message-ID. What is addressed to a name that can never exist (RFC 2606) is not sent. Raises MailInHand.
    """
    if to.endswith(NOWHERE):
        return False
    with speaking_to(reader):
        mail = compose(template, context, brand)
    message = EmailMultiAlternatives(mail.subject, mail.text, to=[to], connection=get_connection())
    message.attach_alternative(mail.html, "text/html")
    message.extra_headers["Message-ID"] = f"<{key}@tenantry>"
    note = _claim(key)
    if note is not None:
        return note.refused_at is None
    try:
        message.send()
    except BaseException as error:
        if isinstance(error, Exception) and is_permanent(error):
            log.error("mail_refused", mail=template, key=key, error=first_line(error))
            _note(key, refused_at=timezone.now())
            return False
        _note(key, claimed_at=None)
        raise
    _note(key, sent_at=timezone.now())
    return True


def clear_old_notes() -> None:
    with control("clear old mail notes"):
        before = timezone.now() - KEPT
        SentEmail.objects.filter(Q(sent_at__lt=before) | Q(refused_at__lt=before)).delete()


def _claim(key: str) -> SentEmail | None:
    """What became of the mail, or None if it is ours to send. Raises MailInHand."""
    now = timezone.now()
    with control("claim a mail"), atomic():
        note, is_new = SentEmail.objects.select_for_update().get_or_create(key=key, defaults={"claimed_at": now})
        if note.sent_at is not None or note.refused_at is not None:
            return note
        if not is_new and note.claimed_at is not None and note.claimed_at > now - CLAIM:
            raise MailInHand(f"Another worker is sending {key}.")
        SentEmail.objects.filter(key=key).update(claimed_at=now)
    return None


def _note(key: str, **fields: datetime | None) -> None:
    with control("note what became of a mail"):
        SentEmail.objects.filter(key=key).update(**fields)
