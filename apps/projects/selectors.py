"""Reads about projects; each takes the subject who asks and shows what they may see."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from apps.access.decisions import authorize
from apps.access.models import Share
from apps.access.permissions import PROJECTS_READ, RELATION_GRANTS
from apps.access.sight import sight_of
from apps.access.subjects import FULL_SIGHT, Subject
from apps.accounts.models import Membership
from apps.accounts.selectors import members_of
from apps.core.text import words

from .errors import CustomFieldNotFound, DocumentNotFound, ProjectNotFound
from .models import DOCUMENT, PROJECT, CustomField, Document, Project, SearchTerm

LAST = "\U0010ffff"  # sorts after everything that begins with a word


def projects_for(subject: Subject) -> QuerySet[Project]:
    """The projects a subject may see: all, the ones that are not private, the ones shared with them."""
    rows: QuerySet[Project] = Project.objects.all()
    if _sees_all(subject):
        return rows
    shared = Q(id__in=_shared_with(subject, PROJECT))
    reads_all = PROJECTS_READ in subject.permissions
    return rows.filter(shared | Q(is_private=False)) if reads_all else rows.filter(shared)


def documents_for(subject: Subject) -> QuerySet[Document]:
    """The documents a subject may see: those of the projects they see, and the ones shared with them."""
    rows: QuerySet[Document] = Document.objects.select_related("project")
    if _sees_all(subject):
        return rows
    reads_all = PROJECTS_READ in subject.permissions
    of_project = Q(project_id__in=_shared_with(subject, PROJECT))
    shared = of_project | Q(id__in=_shared_with(subject, DOCUMENT))
    return rows.filter(shared | Q(project__is_private=False)) if reads_all else rows.filter(shared)


@sight_of(Project)
def seen_projects(subject: Subject, ids: set[UUID]) -> set[UUID]:
    if _sees_all(subject):
        return ids
    return set(projects_for(subject).filter(id__in=ids).values_list("id", flat=True))


@sight_of(Document)
def seen_documents(subject: Subject, ids: set[UUID]) -> set[UUID]:
    if _sees_all(subject):
        return ids
    return set(documents_for(subject).filter(id__in=ids).values_list("id", flat=True))


def projects_with_document_counts(subject: Subject) -> QuerySet[Project]:
    return projects_for(subject).annotate(document_count=Count("documents")).order_by("-created_at", "-id")


def search(rows: QuerySet[Project], text: str) -> QuerySet[Project]:
    """Projects with a word that begins like each of the words; none where a text has no word."""
    wanted = words(text)
    for word in wanted:
        hits = SearchTerm.objects.filter(term__gte=word, term__lt=word + LAST)
        rows = rows.filter(id__in=hits.values("project_id"))
    return rows.none() if text and not wanted else rows


def find_project(subject: Subject, project_id: UUID) -> Project:
    """Raises ProjectNotFound, also for one the subject may not see."""
    project = projects_for(subject).filter(id=project_id).first()
    if project is None:
        raise ProjectNotFound
    return project


def documents_of(project: Project) -> QuerySet[Document]:
    return Document.objects.filter(project=project)


def find_document(subject: Subject, project_id: UUID, document_id: UUID) -> Document:
    """Raises DocumentNotFound, also for one the subject may not see."""
    document = documents_for(subject).filter(project_id=project_id, id=document_id).first()
    if document is None:
        raise DocumentNotFound
    return document


def shares_of(resource: Project | Document) -> QuerySet[Share]:
    """The relations that people have to just this thing."""
    kind, object_id = resource.share_keys()[0]
    return Share.objects.filter(object_type=kind, object_id=object_id)


def allowed_on(subject: Subject, resource: Project | Document) -> set[str]:
    """What the subject may do with one thing."""
    actions = set().union(*RELATION_GRANTS.values())
    return {action for action in actions if authorize(subject, action, resource)}


def losers_of(project: Project) -> list[Membership]:
    """The members who see a project because everybody does, and would not if it were private."""
    shared = set(shares_of(project).values_list("user_id", flat=True))
    members = members_of(project.tenant_id).exclude(role__in=FULL_SIGHT).order_by("email")
    return [m for m in members if PROJECTS_READ in m.permissions and m.user_id not in shared]


def shown_values(project: Project) -> list[tuple[str, Any]]:
    """The labels and values of a project's custom fields, in the order they were defined."""
    values = project.custom_fields
    if not values:
        return []
    return [
        (field.label, _shown(field, values[field.key])) for field in CustomField.objects.all() if field.key in values
    ]


def _shown(field: CustomField, value: Any) -> Any:
    """A day as one; the value may be of a field of another kind, which was removed and had the same key."""
    try:
        return date.fromisoformat(value) if field.kind == CustomField.Kind.DATE else value
    except (TypeError, ValueError):
        return value


def custom_fields() -> QuerySet[CustomField]:
    return CustomField.objects.all()


def find_custom_field(subject: Subject, field_id: UUID) -> CustomField:
    """Raises CustomFieldNotFound."""
    field = CustomField.objects.filter(id=field_id).first()
    if field is None:
        raise CustomFieldNotFound
    return field


def _sees_all(subject: Subject) -> bool:
    return PROJECTS_READ in subject.permissions and subject.has_full_sight


def _shared_with(subject: Subject, kind: str) -> QuerySet[Any]:
    return Share.objects.filter(user_id=subject.person_id, object_type=kind).values("object_id")
