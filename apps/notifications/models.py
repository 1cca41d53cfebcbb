"""What has been sent already."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class SentEmail(models.Model):
    """A mail that went out, by what it tells whom: whatever asks for it again finds it done."""

    key = models.CharField(max_length=200, primary_key=True)
    sent_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-sent_at"]

    def __str__(self) -> str:
        return self.key
