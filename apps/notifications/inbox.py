"""The mails of a development machine, which are written to files instead of sent."""

from __future__ import annotations

import email
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import default
from email.utils import parsedate_to_datetime
from pathlib import Path

from django.conf import settings

from .composition import Composed


@dataclass(frozen=True)
class Mail(Composed):
    name: str
    to: str
    sent_at: datetime


def mails() -> list[Mail]:
    """Newest first."""
    files = sorted(Path(settings.EMAIL_FILE_PATH).glob("*.eml"), key=lambda file: file.stat().st_mtime, reverse=True)
    return [_read(file) for file in files]


def find_mail(name: str) -> Mail | None:
    return next((mail for mail in mails() if mail.name == name), None)


def _read(file: Path) -> Mail:
    message: EmailMessage = email.message_from_bytes(file.read_bytes(), policy=default)
    return Mail(
        name=file.stem,
        subject=str(message["Subject"]),
        to=str(message["To"]),
        sent_at=parsedate_to_datetime(str(message["Date"])),
        text=_part(message, "plain"),
        html=_part(message, "html"),
    )


def _part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    return str(body.get_content()) if body else ""
