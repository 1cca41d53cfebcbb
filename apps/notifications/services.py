"""E-mails, written from templates, each sent once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.mail import EmailMultiAlternatives
from django.db import IntegrityError
from django.utils import timezone

from apps.core.locales import ANYBODY, Reader, speaking_to
from apps.tenancy.context import control
from apps.tenancy.transactions import atomic
from apps.tenants.branding import Brand

from .composition import compose
from .models import SentEmail

KEPT = timedelta(days=30)
PRODUCT = Brand()
NOWHERE = ".invalid"


def send_email_once(
    *, to: str, template: str, context: dict[str, Any], key: str, brand: Brand = PRODUCT, reader: Reader = ANYBODY
) -> None:
    """Send the mail of a template, in its reader's language and time zone, unless it went out before.

    ``key`` identifies what is told to whom. The note that it was sent is committed after the mail server took it:
    a worker that dies in between makes the next one send it again, under the same Message-ID. What is addressed to
    a name that can never exist (RFC 2606) is not sent.
    """
    if to.endswith(NOWHERE):
        return
    with speaking_to(reader):
        mail = compose(template, context, brand)
    message = EmailMultiAlternatives(mail.subject, mail.text, to=[to])
    message.attach_alternative(mail.html, "text/html")
    message.extra_headers["Message-ID"] = f"<{key}@tenantry>"
    try:
        with control("send a mail"), atomic():
            SentEmail.objects.create(key=key)  # a second worker waits here for the first
            message.send()
    except IntegrityError:
        return


def clear_old_notes() -> None:
    with control("clear old mail notes"):
        SentEmail.objects.filter(sent_at__lt=timezone.now() - KEPT).delete()
