"""What has been sent already."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone


class SentEmail(models.Model):
    """A mail that went out, or never can, by what it tells whom: whatever asks for it again finds it done.

    One that has neither ``sent_at`` nor ``refused_at`` yet is in the hands of the worker that claimed it, unless that
    was too long ago.
    """

    key = models.CharField(max_length=200, primary_key=True)
    claimed_at = models.DateTimeField(null=True, default=timezone.now)
    sent_at = models.DateTimeField(null=True, db_index=True)
    refused_at = models.DateTimeField(null=True)  # for good

    class Meta:
        ordering: ClassVar[list[str]] = ["-sent_at"]

    def __str__(self) -> str:
        return self.key
