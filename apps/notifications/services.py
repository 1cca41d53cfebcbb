"""E-mails, written from templates, each sent once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.mail import EmailMultiAlternatives
from django.db import IntegrityError
from django.template.loader import render_to_string
from django.utils import timezone

from apps.tenancy.context import control
from apps.tenancy.transactions import atomic

from .models import SentEmail

KEPT = timedelta(days=30)


def send_email_once(*, to: str, template: str, context: dict[str, Any], key: str) -> None:
    """Send ``emails/<template>.txt`` and ``.html`` unless it went out before; the text's first line is the subject.

    ``key`` identifies what is told to whom. The note that it was sent is committed after the mail server took it:
    a worker that dies in between makes the next one send it again, under the same Message-ID.
    """
    subject, _, text = render_to_string(f"emails/{template}.txt", context).partition("\n")
    message = EmailMultiAlternatives(subject.strip(), text.strip() + "\n", to=[to])
    message.attach_alternative(render_to_string(f"emails/{template}.html", context), "text/html")
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
