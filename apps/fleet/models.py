"""What became of the runs that brought schemas to a release. Which release a schema is at, its own database knows."""

from __future__ import annotations

from typing import ClassVar
from uuid import uuid4

from django.db import models
from django.db.models import Q
from django.utils import timezone


class MigrationRun(models.Model):
    """One attempt to bring schemas to a release."""

    class Status(models.TextChoices):
        RUNNING = "running"
        DONE = "done"
        INCOMPLETE = "incomplete", "done, but for those in quarantine"
        STOPPED = "stopped", "stopped after the canary wave"
        INTERRUPTED = "interrupted"

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    fingerprint = models.CharField(max_length=32)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.RUNNING)
    started_by = models.CharField(max_length=100)
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-started_at"]
        get_latest_by = "started_at"

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M} {self.status}"

    @property
    def seconds(self) -> float:
        """How long it took; until now while it runs."""
        return ((self.finished_at or timezone.now()) - self.started_at).total_seconds()


class MigrationWave(models.Model):
    """Schemas that a run migrated together: the canaries first, then the rest."""

    run = models.ForeignKey(MigrationRun, models.CASCADE, related_name="waves")
    number = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=20)
    schemas = models.PositiveIntegerField()
    done = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["number"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["run", "number"], name="fleet_wave_number"),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.done} of {self.schemas}"

    @property
    def failed_text(self) -> str:
        return f"{self.failed} failed"


class Quarantine(models.Model):
    """A schema that could not be migrated. It stays at its release until a later run succeeds with it."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    database = models.CharField(max_length=63, blank=True)  # empty: the control plane's
    schema = models.CharField(max_length=63)
    fingerprint = models.CharField(max_length=32)  # of the release that it could not be brought to
    error = models.TextField()
    attempts = models.PositiveIntegerField(default=1)
    since = models.DateTimeField(auto_now_add=True)
    tried_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["since"]
        verbose_name_plural = "quarantine"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["database", "schema"], name="fleet_quarantine_place"),
            models.CheckConstraint(name="fleet_quarantine_has_error", condition=~Q(error="")),
        ]

    def __str__(self) -> str:
        return f"{self.database or 'default'}/{self.schema}"
