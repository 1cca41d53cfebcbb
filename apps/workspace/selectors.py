"""What the overview shows: one query per figure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from django.db.models import Count, Sum
from django.db.models.functions import TruncDate
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from apps.access.permissions import PROJECTS_WRITE, SETTINGS_MANAGE, USERS_MANAGE
from apps.access.subjects import Subject
from apps.accounts.selectors import actor_names, members_of, open_invitations
from apps.audit.models import ControlEvent, Event
from apps.audit.selectors import AuditEntry
from apps.projects.selectors import documents_for
from apps.tenants.selectors import profile_of

from .audit_reading import latest_for

DAYS = 30


@dataclass(frozen=True)
class SetupStep:
    """Something to do in a new organization."""

    label: str
    url: str
    is_done: bool


def storage_of(subject: Subject) -> tuple[int, int]:
    """How many documents the subject sees, and their bytes."""
    found = documents_for(subject).aggregate(count=Count("id"), size=Sum("size_bytes"))
    return found["count"], found["size"] or 0


def activity(tenant_id: UUID) -> list[tuple[str, float]]:
    """How much was recorded on each of the last days, in both planes."""
    today = timezone.localdate()
    counted: dict[date, int] = {}
    for log in (Event.objects.all(), ControlEvent.objects.filter(tenant_id=tenant_id)):
        recent = log.filter(occurred_at__gte=timezone.now() - timedelta(days=DAYS))
        for day, count in recent.values_list(TruncDate("occurred_at")).annotate(count=Count("id")).order_by():
            counted[day] = counted.get(day, 0) + count
    days = [today - timedelta(days=back) for back in reversed(range(DAYS))]
    return [(date_format(day, "MONTH_DAY_FORMAT"), counted.get(day, 0)) for day in days]


def recent_events(subject: Subject, limit: int) -> list[tuple[AuditEntry, str]]:
    """The latest events, each with the name of who did it."""
    events = latest_for(subject, limit)
    names = actor_names(subject.tenant_id, events)
    return [(event, names.get(event.actor_id, "")) for event in events]


def steps(subject: Subject, *, projects: int, documents: int, people: int) -> list[SetupStep]:
    """What a new organization does first, as far as the subject may; empty once all is done."""
    may = subject.permissions
    found = []
    if PROJECTS_WRITE in may:
        found.append(SetupStep(_("Create a project"), reverse("projects:create"), projects > 0))
        found.append(SetupStep(_("Upload a document"), reverse("projects:list"), documents > 0))
    if USERS_MANAGE in may:
        found.append(SetupStep(_("Invite a colleague"), reverse("invite"), people > 1))
    if SETTINGS_MANAGE in may:
        profile = profile_of(subject.tenant_id)
        found.append(
            SetupStep(_("Choose your colors"), reverse("settings"), bool(profile.brand_color) or profile.has_logo)
        )
    return [] if all(step.is_done for step in found) else found


def people_count(tenant_id: UUID) -> tuple[int, int]:
    """Members, and addresses that are invited."""
    return members_of(tenant_id).count(), open_invitations(tenant_id).count()
