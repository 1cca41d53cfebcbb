"""Development's mail server: a folder. A message has one file, however often it is delivered."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend


class EmailBackend(BaseEmailBackend):
    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        folder = Path(settings.EMAIL_FILE_PATH)
        folder.mkdir(parents=True, exist_ok=True)
        for message in email_messages:
            content: Any = message.message()
            name = hashlib.sha256(str(content["Message-ID"]).encode()).hexdigest()[:32]
            draft = folder / f"{name}.{os.getpid()}.part"
            draft.write_bytes(content.as_bytes())
            draft.replace(folder / f"{name}.eml")
        return len(email_messages)
