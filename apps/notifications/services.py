"""E-mails, written from templates."""

from __future__ import annotations

from typing import Any

from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string


def send_email(*, to: str, template: str, context: dict[str, Any], message_id: str) -> None:
    """Send ``emails/<template>.txt`` and ``.html``; the text's first line is the subject.

    ``message_id`` identifies what is told, so that a mail sent twice can be known as one.
    """
    subject, _, text = render_to_string(f"emails/{template}.txt", context).partition("\n")
    message = EmailMultiAlternatives(subject.strip(), text.strip() + "\n", to=[to])
    message.attach_alternative(render_to_string(f"emails/{template}.html", context), "text/html")
    message.extra_headers["Message-ID"] = f"<{message_id}@tenantry>"
    message.send()
